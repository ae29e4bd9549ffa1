"""The database: one SQLAlchemy engine, its SQLite settings, transactions and upserts.

Each table has one owner (`links`, `inbox`, `audit_log` …), who defines it on `metadata`.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import psycopg
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Index,
    MetaData,
    Table,
    create_engine,
    event,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.dml import Insert

from panel.errors import Unreachable

log = logging.getLogger(__name__)
metadata = MetaData()
# Seconds, milliseconds: a machine that vanished answers nothing, and an open connection to it would
# wait for a quarter of an hour; a panel is shown without the database, but not after a minute.
CONNECT_OPTIONS = {"connect_timeout": 3, "tcp_user_timeout": 3000}
ANSWER_SECONDS = 8.0  # of PostgreSQL to one statement; it is given up then


def connect(url: str) -> Engine:
    """The engine behind `PANEL_DATABASE_URL`. Nothing is opened and no folder made."""
    address = make_url(url)
    if address.get_backend_name() != "sqlite":
        engine = create_engine(
            address, pool_size=8, max_overflow=24, pool_pre_ping=True, connect_args=CONNECT_OPTIONS
        )
        event.listen(engine, "do_connect", _connect_patiently)
        return engine
    # WAL's FULL makes a commit survive a power cut: some builds of SQLite ship NORMAL for WAL,
    # which does not.
    return _connect_sqlite(address, "FULL")


def connect_without_sync(engine: Engine) -> Engine:
    """The same database, for rows of which a power cut may take the last: they wait for no disk.

    On SQLite, where waiting is what a short transaction mostly does; they survive every other end.
    """
    return _connect_sqlite(engine.url, "NORMAL") if engine.dialect.name == "sqlite" else engine


def _connect_sqlite(address: URL, synchronous: str) -> Engine:
    # The connection that was used last, so that few are open and their pages are warm.
    engine = create_engine(address, connect_args={"timeout": 5}, pool_use_lifo=True)
    event.listen(engine, "connect", partial(set_pragmas, synchronous))
    return engine


class _PatientConnection(psycopg.Connection[Any]):
    """Gives up a server that is frozen: its machine goes on to acknowledge what it is sent."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            return super().wait(gen, interval, timeout or ANSWER_SECONDS)
        except psycopg.errors._WaitTimeout:
            self.pgconn.finish()  # else the pool would ask it to roll back, and wait again
            raise


def _connect_patiently(_dialect: object, _record: object, given: Any, named: Any) -> Any:
    return _PatientConnection.connect(*given, **named)


def set_pragmas(synchronous: str, connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")  # readers go on while one writes
    cursor.execute(f"PRAGMA synchronous={synchronous}")
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.execute("PRAGMA foreign_keys=ON")
    # What is deleted is overwritten: names and addresses must not stay in free pages.
    cursor.execute("PRAGMA secure_delete=ON")
    # Each connection keeps the pages that it has read: a quarter of a MiB is plenty, by itself it
    # would be two. The system keeps the file anyway.
    cursor.execute("PRAGMA cache_size=-256")
    cursor.close()


def compact(engine: Engine) -> bool:
    """Write an SQLite file anew, without free pages and without its log; PostgreSQL does so itself.

    False: others kept it busy.
    """
    if engine.dialect.name != "sqlite":
        return True
    try:
        with engine.connect() as connection:
            alone = connection.execution_options(isolation_level="AUTOCOMMIT")
            alone.exec_driver_sql("VACUUM")
            alone.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    except SQLAlchemyError:
        return False
    return True


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction; raises `Unreachable("database")` when the database cannot be asked."""
    try:
        with engine.begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise Unreachable("database", type(error).__name__) from error


def insert(dialect: str, table: Table) -> Any:
    """The dialect's INSERT, the one that knows `on_conflict_do_…`."""
    made = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return made(table)


def partial_index(name: str, *columns: str, only: str) -> Index:
    """Of the rows for which this SQL holds; a query has to say it in the same words."""
    return Index(name, *columns, sqlite_where=text(only), postgresql_where=text(only))


def upsert(engine: Engine, table: Table, values: Mapping[str, Any]) -> Insert:
    """Insert the row, or replace the one with the same primary key."""
    keys = [column.name for column in table.primary_key]
    rest = {name: value for name, value in values.items() if name not in keys}
    statement = insert(engine.dialect.name, table).values(**values)
    replaced: Insert = statement.on_conflict_do_update(index_elements=keys, set_=rest)
    return replaced
