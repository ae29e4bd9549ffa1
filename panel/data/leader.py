"""Leader election: a single process executes passes, and another one when it dies."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event

from filelock import FileLock, Timeout
from sqlalchemy import Connection, text
from sqlalchemy import Engine as Database
from sqlalchemy.exc import SQLAlchemyError

# Between two tries to become the leader, and between two checks whether this process still is.
LEADER_POLL_SECONDS = 1.0
LEADER_KEY = 7_242_002  # of the advisory lock on PostgreSQL: any constant of ours
# For the leader's session, so that a machine that vanished does not lead for hours.
KEEPALIVES = ("tcp_keepalives_idle = 10", "tcp_keepalives_interval = 5", "tcp_keepalives_count = 3")


@contextmanager
def lead(database: Database, stopping: Event) -> Iterator[Callable[[], bool]]:
    """Be the leader inside the block. DBOS recovers all work of an executor id, so two leaders with
    one id would do all work twice.

    Waits for the lead; raises `Timeout` when `stopping` is set meanwhile. Yields a function that
    tells whether this process still is the leader.
    """
    if database.dialect.name == "sqlite":
        lock = FileLock(_lease_file(database))
        with lock.acquire(poll_interval=LEADER_POLL_SECONDS, cancel_check=stopping.is_set):
            yield lambda: True
        return
    with database.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        for setting in KEEPALIVES:
            connection.execute(text(f"SET {setting}"))
        while not connection.scalar(text(f"SELECT pg_try_advisory_lock({LEADER_KEY})")):
            if stopping.wait(LEADER_POLL_SECONDS):
                raise Timeout("executing")
        try:
            yield partial(_is_answering, connection)
        finally:
            connection.invalidate()  # the end of the session lets another process lead


def _is_answering(connection: Connection) -> bool:
    try:
        return bool(connection.scalar(text("SELECT 1")))
    except SQLAlchemyError:
        return False


def is_led(database: Database) -> bool:
    """Tell whether any process holds the lease now: a frozen process does, a dead one does not.

    Raises `SQLAlchemyError`.
    """
    if database.dialect.name == "sqlite":
        return _is_locked(Path(_lease_file(database)))
    query = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = :key"
    in_our_database = (
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with database.connect() as connection:
        return (
            connection.scalar(text(f"{query} {in_our_database}"), {"key": LEADER_KEY}) is not None
        )


def _is_locked(path: Path) -> bool:
    """Tell whether another process holds the lock of this file.

    The file is opened for reading, so that the check never makes it. The check takes a shared lock,
    so that two processes that check at once do not take each other for the leader.
    """
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _lease_file(database: Database) -> str:
    return f"{database.url.database}.executing.lock"
