"""Who executes passes: one process at a time, and the next one when it dies."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event

from filelock import FileLock, Timeout
from sqlalchemy import Connection, text
from sqlalchemy import Engine as Database
from sqlalchemy.exc import SQLAlchemyError

LEADER_POLL_SECONDS = 1.0  # how often one asks for the lease, and how often its holder looks at it
LEADER_KEY = 7_242_002  # on PostgreSQL, where it is an advisory lock: any constant of ours
# Of the session that holds the lease: a machine that vanished must not hold it for hours.
KEEPALIVES = ("tcp_keepalives_idle = 10", "tcp_keepalives_interval = 5", "tcp_keepalives_count = 3")


@contextmanager
def lead(database: Database, told: Event) -> Iterator[Callable[[], bool]]:
    """Held by one process at most: two with one executor id would do all work twice (trap 2).

    Waits for it; raises `Timeout` when `told` to stop meanwhile. Yields a look at whether it is
    still held.
    """
    if database.dialect.name == "sqlite":
        lock = FileLock(f"{database.url.database}.executing.lock")
        with lock.acquire(poll_interval=LEADER_POLL_SECONDS, cancel_check=told.is_set):
            yield lambda: True
        return
    with database.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        for setting in KEEPALIVES:
            connection.execute(text(f"SET {setting}"))
        while not connection.scalar(text(f"SELECT pg_try_advisory_lock({LEADER_KEY})")):
            if told.wait(LEADER_POLL_SECONDS):
                raise Timeout("executing")
        try:
            yield partial(_is_answering, connection)
        finally:
            connection.invalidate()  # the end of the session is what gives the lease back


def _is_answering(connection: Connection) -> bool:
    try:
        return bool(connection.scalar(text("SELECT 1")))
    except SQLAlchemyError:
        return False
