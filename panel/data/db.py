"""The database: one SQLAlchemy engine, its SQLite settings, transactions and upserts.

Every table has one owner (`links`, `inbox`, `audit_log` …), which defines it on `metadata`.
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
# The first is in seconds, the second in milliseconds. Without the second, a query to a machine that
# vanished would wait for a quarter of an hour. An agent must not wait for that: the panel can be
# shown without the database.
CONNECT_OPTIONS = {"connect_timeout": 3, "tcp_user_timeout": 3000}
ANSWER_SECONDS = 8.0  # PostgreSQL's time for one statement


def connect(url: str) -> Engine:
    """Make the engine for `PANEL_DATABASE_URL`. The file is not opened yet, and no folder is
    made."""
    address = make_url(url)
    if address.get_backend_name() != "sqlite":
        engine = create_engine(
            address, pool_size=8, max_overflow=24, pool_pre_ping=True, connect_args=CONNECT_OPTIONS
        )
        event.listen(engine, "do_connect", _connect_patiently)
        return engine
    # Under WAL only FULL makes a commit survive a power cut; some builds of SQLite have NORMAL as
    # their default.
    return _connect_sqlite(address, "FULL")


def connect_without_sync(engine: Engine) -> Engine:
    """Connect to the same database for rows that do not wait for the disk.

    On SQLite a short transaction spends most of its time waiting for the disk. A power cut may take
    the last rows; they survive any other end of the process.
    """
    return _connect_sqlite(engine.url, "NORMAL") if engine.dialect.name == "sqlite" else engine


def _connect_sqlite(address: URL, synchronous: str) -> Engine:
    # The pool hands out the connection used last, so that few are open and their pages are warm.
    engine = create_engine(address, connect_args={"timeout": 5}, pool_use_lifo=True)
    event.listen(engine, "connect", partial(set_pragmas, synchronous))
    return engine


class _PatientConnection(psycopg.Connection[Any]):
    """A connection that gives up a frozen server, whose machine still acknowledges packets and so
    looks alive."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            return super().wait(gen, interval, timeout or ANSWER_SECONDS)
        except psycopg.errors._WaitTimeout:
            # Otherwise the pool would ask the server to roll back, and wait again.
            self.pgconn.finish()
            raise


def _connect_patiently(_dialect: object, _record: object, arguments: Any, options: Any) -> Any:
    return _PatientConnection.connect(*arguments, **options)


def set_pragmas(synchronous: str, connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")  # readers go on while one writes
    cursor.execute(f"PRAGMA synchronous={synchronous}")
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.execute("PRAGMA foreign_keys=ON")
    # Deleted data is overwritten: names and addresses must not stay in free pages.
    cursor.execute("PRAGMA secure_delete=ON")
    # A connection's cache of pages: a quarter of a MiB is plenty, the default is two. The system
    # caches the file anyway.
    cursor.execute("PRAGMA cache_size=-256")
    cursor.close()


def compact(engine: Engine) -> bool:
    """Rewrite an SQLite file without free pages and without its log; PostgreSQL does so by itself.

    Returns False when other connections kept it busy.
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
    """Run one transaction; raises `Unreachable("database")` when the database cannot be asked."""
    try:
        with engine.begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise Unreachable("database", type(error).__name__) from error


def insert(dialect: str, table: Table) -> Any:
    """Return the INSERT of the dialect, which has `on_conflict_do_…`."""
    dialect_insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return dialect_insert(table)


def partial_index(name: str, *columns: str, only: str) -> Index:
    """Make an index of the rows for which the SQL in `only` holds; a query must use the same
    words."""
    return Index(name, *columns, sqlite_where=text(only), postgresql_where=text(only))


def upsert(engine: Engine, table: Table, values: Mapping[str, Any]) -> Insert:
    """Make the statement that inserts the row, or replaces the one with the same primary key."""
    keys = [column.name for column in table.primary_key]
    rest = {name: value for name, value in values.items() if name not in keys}
    statement = insert(engine.dialect.name, table).values(**values)
    replaced: Insert = statement.on_conflict_do_update(index_elements=keys, set_=rest)
    return replaced
