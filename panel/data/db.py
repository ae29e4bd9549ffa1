"""The database: one SQLAlchemy engine, its SQLite settings, and its upgrade to our schema.

Each table has one owner (`links`, `inbox`, `audit_log` …), who defines it on `metadata`.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
from filelock import FileLock
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    MetaData,
    NullPool,
    Table,
    create_engine,
    event,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.dml import Insert

from panel.data.migrations import version
from panel.data.migrations.version import Version, WrongSchema
from panel.errors import Unreachable

log = logging.getLogger(__name__)
metadata = MetaData()
# Seconds, milliseconds: a machine that vanished answers nothing, and an open connection to it would
# wait for a quarter of an hour; a panel is shown without the database, but not after a minute.
CONNECT_OPTIONS = {"connect_timeout": 3, "tcp_user_timeout": 3000}
ANSWER_SECONDS = 8.0  # of PostgreSQL to one statement; it is given up then
MIGRATE_AGAIN_SECONDS = 3.0  # before a database that is away is asked again for its upgrade
MIGRATE_SECONDS = 600  # for one statement of an upgrade, and for one in another process
# On PostgreSQL a change of a table waits for those who use it, and everyone else behind it.
TABLE_SECONDS = 5
ADVISORY_LOCK = 7_242_001  # any constant of ours: who upgrades on PostgreSQL


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
    # which does not (dependencies §1.5, trap 6).
    return _connect_sqlite(address, "FULL")


def connect_without_sync(engine: Engine) -> Engine:
    """The same database, for rows of which a power cut may take the last: they wait for no disk.

    On SQLite, where waiting is what a short transaction mostly does; they survive every other end.
    """
    return _connect_sqlite(engine.url, "NORMAL") if engine.dialect.name == "sqlite" else engine


def _connect_sqlite(address: URL, synchronous: str) -> Engine:
    # The connection that was used last, so that few are open and their pages are warm.
    engine = create_engine(address, connect_args={"timeout": 5}, pool_use_lifo=True)
    event.listen(engine, "connect", partial(_set_pragmas, synchronous))
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


def _set_pragmas(synchronous: str, connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")  # readers go on while one writes
    cursor.execute(f"PRAGMA synchronous={synchronous}")
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.execute("PRAGMA foreign_keys=ON")
    # Each connection keeps the pages that it has read: a quarter of a MiB is plenty, by itself it
    # would be two. The system keeps the file anyway.
    cursor.execute("PRAGMA cache_size=-256")
    cursor.close()


def migrate(engine: Engine) -> None:
    """Bring our tables to this program's schema. Many may do it at once: one does, others wait.

    Raises `WrongSchema` when the database has left this program behind, and `SQLAlchemyError`.
    """
    if _read_version(engine).schema < version.SCHEMA:
        with _begin_upgrade(engine) as connection:
            # Again, now that we are alone: who came first has done it, maybe for a newer program.
            if version.read_version(connection).schema < version.SCHEMA:
                # Not before it is needed: Alembic is 4 MB in every process.
                import_module("panel.data.migrations.upgrade").upgrade(connection)
    refuse_newer(engine)


def refuse_newer(engine: Engine) -> None:
    """Raises `WrongSchema` when the database has left this program behind, and `SQLAlchemyError`.

    Nothing is changed, nor made.
    """
    version.refuse_newer(_read_version(engine))


def require_current(engine: Engine) -> None:
    """For who needs an upgraded database and makes none.

    Raises `WrongSchema` when it is not there, too old or too new, and `SQLAlchemyError`.
    """
    if _is_missing(engine):
        raise WrongSchema("There is no database yet: start the panel or the worker once.")
    version.refuse_older(_read_version(engine))
    refuse_newer(engine)


def _read_version(engine: Engine) -> Version:
    if _is_missing(engine):  # opening the file would make it
        return Version()
    with engine.connect() as connection:
        return version.read_version(connection)


def _is_missing(engine: Engine) -> bool:
    return engine.dialect.name == "sqlite" and not Path(str(engine.url.database)).exists()


@contextmanager
def _begin_upgrade(engine: Engine) -> Iterator[Connection]:
    """A transaction in which nobody else upgrades; all of it is kept or nothing.

    Over a connection without the patience of a request: an upgrade may take its time.
    """
    begin = _begin_on_sqlite if engine.dialect.name == "sqlite" else _begin_on_postgresql
    alone = create_engine(engine.url, poolclass=NullPool)
    if engine.dialect.name == "sqlite":
        event.listen(alone, "connect", partial(_set_pragmas, "FULL"))
    try:
        with begin(alone) as connection:
            yield connection
    finally:
        alone.dispose()


@contextmanager
def _begin_on_sqlite(engine: Engine) -> Iterator[Connection]:
    file = Path(str(engine.url.database))
    file.parent.mkdir(parents=True, exist_ok=True)
    # The kernel frees the lock of a process that dies. Programs from before there were versions
    # take it as well, so none of them makes tables meanwhile.
    lock = FileLock(f"{file}.lock", timeout=MIGRATE_SECONDS)
    with lock, engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={MIGRATE_SECONDS * 1000}")
        # By itself sqlite3 begins no transaction before a CREATE or an ALTER, so that each would
        # be kept at once: a death in their midst would leave half a schema.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
        connection.commit()


@contextmanager
def _begin_on_postgresql(engine: Engine) -> Iterator[Connection]:
    with engine.begin() as connection:
        connection.execute(text(f"SET LOCAL statement_timeout = '{MIGRATE_SECONDS}s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        # A change of a table waits for those who use it, and all others queue behind it: old
        # programs that still run must not stand for long. It is tried again.
        connection.execute(text(f"SET LOCAL lock_timeout = '{TABLE_SECONDS}s'"))
        yield connection


class Preparation:
    """The upgrade before the first use: once in a process, by whoever comes first."""

    def __init__(self, engine: Engine, migrate: Callable[[], None]) -> None:
        self._engine = engine
        self._migrate = migrate
        self._lock = threading.Lock()
        self._is_done = False

    def ensure(self) -> None:
        """See `prepare`; every further call returns at once."""
        if self._is_done:
            return
        with self._lock:
            if not self._is_done:
                prepare(self._engine, self._migrate)
                self._is_done = True

    def wait(self) -> None:
        """Return when the database is upgraded, however long it takes. Raises `WrongSchema`."""
        prepare_patiently(self._migrate)


def prepare(engine: Engine, migrate: Callable[[], None]) -> None:
    """Upgrade the database: now, or as soon as a PostgreSQL that is away has come back.

    A panel that starts meanwhile shows what stands in Chatwoot, and puts hooks off. Raises
    `SQLAlchemyError` for a file that cannot be opened, as it does not come back by itself, and
    `WrongSchema`; when that is found out later, it ends the process.
    """
    if why := migrate_if_there(engine, migrate):
        threading.Thread(
            target=_prepare_later, args=(migrate, why), name="tables", daemon=True
        ).start()


def migrate_if_there(engine: Engine, migrate: Callable[[], None]) -> str:
    """Upgrade the database; returns why a PostgreSQL is away, else nothing. Raises as `prepare`."""
    try:
        migrate()
    except SQLAlchemyError as error:
        if engine.dialect.name == "sqlite":
            raise
        why = _describe(error)
        log.warning("the database is away, its tables wait for it: %s", why)
        return why
    return ""


def _prepare_later(migrate: Callable[[], None], why: str) -> None:
    time.sleep(MIGRATE_AGAIN_SECONDS)
    try:
        prepare_patiently(migrate, why)
    except WrongSchema as error:
        end_process(error)
    else:
        log.warning("the database is there, and so are its tables")


def prepare_patiently(migrate: Callable[[], None], why: str = "") -> None:
    """Upgrade the database, however long it takes to come. Raises `WrongSchema`.

    `why` it could not be done so far: what is new of it is logged.
    """
    while True:
        try:
            migrate()
        except WrongSchema:
            raise
        except Exception as error:  # noqa: BLE001 (it may heal, and nobody else tries again)
            if why != _describe(error):
                why = _describe(error)
                log.warning("the tables cannot be made: %s", why)
            time.sleep(MIGRATE_AGAIN_SECONDS)
        else:
            return


def end_process(error: WrongSchema) -> None:
    """The sentence, and an orderly end; from a thread, which cannot give the exit code itself."""
    sys.stderr.write(f"{error}\n")
    os.kill(os.getpid(), signal.SIGTERM)


def _describe(error: Exception) -> str:
    """In the driver's words, which name user and host and never the password.

    What others say of their troubles may hold anything, the address of the database too.
    """
    words = str(getattr(error, "orig", "")).splitlines() or [""]
    return f"{type(error).__name__}: {words[0]}".removesuffix(": ")


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


def upsert(engine: Engine, table: Table, values: Mapping[str, Any]) -> Insert:
    """Insert the row, or replace the one with the same primary key."""
    keys = [column.name for column in table.primary_key]
    rest = {name: value for name, value in values.items() if name not in keys}
    statement = insert(engine.dialect.name, table).values(**values)
    replaced: Insert = statement.on_conflict_do_update(index_elements=keys, set_=rest)
    return replaced
