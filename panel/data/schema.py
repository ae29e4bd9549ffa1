"""The schema of the database: upgrades it once, and refuses to run on a wrong one.

The steps stand in `migrations`. The first process upgrades, the others wait.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path

from filelock import FileLock
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from panel.data.db import set_pragmas
from panel.data.migrations import version
from panel.data.migrations.version import Version, WrongSchema

log = logging.getLogger(__name__)
MIGRATE_AGAIN_SECONDS = 3.0  # between two tries to upgrade a database that is away
# For one statement of an upgrade, and for the wait for another process's upgrade.
MIGRATE_SECONDS = 600
# On PostgreSQL a change of a table waits for its users, and later users wait behind it.
TABLE_SECONDS = 5
ADVISORY_LOCK = 7_242_001  # any constant of ours: the lock of an upgrade on PostgreSQL


def migrate(engine: Engine) -> None:
    """Bring our tables to this program's schema. Many processes may call this at once: the first
    does the work, the others wait.

    Raises `WrongSchema` when the database has left this program behind, and `SQLAlchemyError`.
    """
    if _read_version(engine).schema < version.SCHEMA:
        with _begin_upgrade(engine) as connection:
            # The version is read again under the lock: another process may have upgraded, maybe for
            # a newer program.
            if version.read_version(connection).schema < version.SCHEMA:
                # Alembic would take 4 MB in every process, so it is imported only where it is
                # needed.
                import_module("panel.data.migrations.upgrade").upgrade(connection)
    refuse_newer(engine)


def refuse_newer(engine: Engine) -> None:
    """Raises `WrongSchema` when the database has left this program behind, and `SQLAlchemyError`.

    The database is not changed, and no file is made.
    """
    version.refuse_newer(_read_version(engine))


def require_current(engine: Engine) -> None:
    """Check the database for a caller that needs an upgraded one and does not upgrade.

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
    """Open a transaction in which no other process upgrades; all its changes are kept, or none.

    Its connection has no limits of a request, because an upgrade may take its time.
    """
    begin = _begin_on_sqlite if engine.dialect.name == "sqlite" else _begin_on_postgresql
    alone = create_engine(engine.url, poolclass=NullPool)
    if engine.dialect.name == "sqlite":
        event.listen(alone, "connect", partial(set_pragmas, "FULL"))
    try:
        with begin(alone) as connection:
            yield connection
    finally:
        alone.dispose()


@contextmanager
def _begin_on_sqlite(engine: Engine) -> Iterator[Connection]:
    file = Path(str(engine.url.database))
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The kernel frees the lock of a process that dies. Programs older than schema versions take the
    # same lock, so none of them makes tables meanwhile.
    lock = FileLock(f"{file}.lock", timeout=MIGRATE_SECONDS)
    with lock, engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={MIGRATE_SECONDS * 1000}")
        # The module sqlite3 begins no transaction before CREATE or ALTER. Without ours, each
        # statement would be kept at once, and a death in between would leave half a schema.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
        connection.commit()


@contextmanager
def _begin_on_postgresql(engine: Engine) -> Iterator[Connection]:
    with engine.begin() as connection:
        connection.execute(text(f"SET LOCAL statement_timeout = '{MIGRATE_SECONDS}s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        # A change of a table waits for the table's users, and all later users queue behind it. Old
        # programs that still run must not stand still for long. So the wait is short, and the
        # upgrade is tried again.
        connection.execute(text(f"SET LOCAL lock_timeout = '{TABLE_SECONDS}s'"))
        yield connection


class Preparation:
    """The upgrade before the first use: once in a process, by the first caller."""

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
        """Return when the database is upgraded, however long a PostgreSQL takes to come. Raises
        `WrongSchema`; for a file, also the errors of `prepare`.
        """
        if self._engine.dialect.name == "sqlite":
            self.ensure()
        else:
            prepare_patiently(self._migrate)


def prepare(engine: Engine, migrate: Callable[[], None]) -> None:
    """Upgrade the database: now, or as soon as a PostgreSQL that is away has come back.

    A panel that starts meanwhile shows Chatwoot's data, and puts hooks off. Raises
    `SQLAlchemyError` for a file that cannot be opened, as it does not come back by itself, and
    `WrongSchema`. A wrong schema that is found later ends the process.
    """
    if why := migrate_if_there(engine, migrate):
        threading.Thread(
            target=_prepare_later, args=(migrate, why), name="tables", daemon=True
        ).start()


def migrate_if_there(engine: Engine, migrate: Callable[[], None]) -> str:
    """Upgrade the database; returns why a PostgreSQL is away, else an empty text. Raises as
    `prepare`."""
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
        end_process(str(error))
    else:
        log.warning("the database is there, and so are its tables")


def prepare_patiently(migrate: Callable[[], None], why: str = "") -> None:
    """Upgrade the database, however long it takes to come. Raises `WrongSchema`.

    `why`: the reason so far; a new one is logged.
    """
    while True:
        try:
            migrate()
        except WrongSchema:
            raise
        except Exception as error:  # noqa: BLE001 (it may heal, and no other code tries again)
            if why != _describe(error):
                why = _describe(error)
                log.warning("the tables cannot be made: %s", why)
            time.sleep(MIGRATE_AGAIN_SECONDS)
        else:
            return


def end_process(sentence: str) -> None:
    """Print the sentence and end the process in order; a thread, which cannot set the exit code,
    may call this."""
    sys.stderr.write(f"{sentence}\n")
    os.kill(os.getpid(), signal.SIGTERM)


def _describe(error: Exception) -> str:
    """Return the error in the driver's words, which name user and host and never the password.

    The words of other errors may hold anything, also the address of the database.
    """
    words = str(getattr(error, "orig", "")).splitlines() or [""]
    return f"{type(error).__name__}: {words[0]}".removesuffix(": ")
