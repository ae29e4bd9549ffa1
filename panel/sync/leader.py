"""Leader election: one process at a time executes passes, and another one when it dies."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event

from filelock import FileLock, Timeout
from sqlalchemy import Connection, text
from sqlalchemy import Engine as Database
from sqlalchemy.exc import SQLAlchemyError

LEADER_POLL_SECONDS = 1.0  # how often a process tries to become it, and looks whether it still is
LEADER_KEY = 7_242_002  # on PostgreSQL, where it is an advisory lock: any constant of ours
# Of the leader's session: a machine that vanished must not be the leader for hours.
KEEPALIVES = ("tcp_keepalives_idle = 10", "tcp_keepalives_interval = 5", "tcp_keepalives_count = 3")


@contextmanager
def lead(database: Database, stopping: Event) -> Iterator[Callable[[], bool]]:
    """Be the leader. Two of them with one executor id would do all work twice (trap 2).

    Waits for it; raises `Timeout` when `stopping` is set meanwhile. Yields a function that tells
    whether this process still is the leader.
    """
    if database.dialect.name == "sqlite":
        lock = FileLock(f"{database.url.database}.executing.lock")
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
            connection.invalidate()  # the end of the session is what lets another one lead


def _is_answering(connection: Connection) -> bool:
    try:
        return bool(connection.scalar(text("SELECT 1")))
    except SQLAlchemyError:
        return False
