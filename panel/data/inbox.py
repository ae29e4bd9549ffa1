"""The transactional inbox of hooks.

Every function works inside its caller's transaction (`write_transaction`), so that a row and the
pass it asks for are kept together or not at all. Times are epoch seconds.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    and_,
    delete,
    func,
    select,
    text,
)

from panel.data.db import insert
from panel.data.inbox_tables import BURIED, DONE, IGNORED, SETTLED, WAITING, hooks, passes
from panel.locks import lock_file

__all__ = ["BURIED", "DONE", "IGNORED", "SETTLED", "WAITING", "hooks", "passes"]

IDS_DAYS = 30  # how long an id is remembered, whatever the settings say
DAY_SECONDS = 24 * 3600.0
SWEPT_AT_ONCE = 1000  # rows; new hooks would have to wait for a longer delete
WRITE_SECONDS = 5.0  # the plugin hangs up not much later; `db` gives SQLite the same time
WRITE_POLL_SECONDS = 0.005
_thread_lock = threading.Lock()
_SET_LOCK_TIMEOUT = text(f"SET LOCAL lock_timeout = '{WRITE_SECONDS:.0f}s'")
_TAKE_ADVISORY_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


@dataclass(frozen=True)
class InboxRow:
    """A row to keep; `organization` and `subject` are None where the hook named none."""

    hook_id: str
    kind: str
    organization: int | None
    subject: str | None
    occurred_at: float
    received_at: float
    status: str = WAITING
    reason: str | None = None
    lane: int = 0


@dataclass(frozen=True)
class HookCounts:
    """Hooks: buried ones, and those done in the last day."""

    buried: int
    done: int


@contextmanager
def write_transaction(database: Engine, about: int | str) -> Iterator[Connection]:
    """Run a transaction and commit it at the end. `about`: an organization's id, a task's
    id, or 0 for neither.

    Only one transaction about the same id runs at a time: with two, a hook could get a lower
    sequence than one that is answered already. Raises `OSError` or `SQLAlchemyError` when the
    caller gets no turn within `WRITE_SECONDS`.
    """
    if database.dialect.name == "sqlite":
        with _take_writer_lock(str(database.url.database)), database.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()
        return
    with database.begin() as connection:
        connection.execute(_SET_LOCK_TIMEOUT)
        connection.execute(_TAKE_ADVISORY_LOCK, {"name": f"panel:{about}"})
        yield connection


@contextmanager
def _take_writer_lock(file: str) -> Iterator[None]:
    # SQLite has one writer at a time. The others sleep up to 100 ms each and are served at random,
    # so the slowest hundredth waits for 0.4 to 1.4 s. Our own queue, first of threads and then of
    # processes, brings that to 40 to 90 ms (the second line of the benchmark's row `hooks`).
    if not _thread_lock.acquire(timeout=WRITE_SECONDS):
        raise TimeoutError
    try:
        lock = os.open(f"{file}.writing.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not lock_file(lock, WRITE_SECONDS, WRITE_POLL_SECONDS):
                raise TimeoutError
            # `stat` raises where the file is gone: SQLite would go on writing into a deleted file.
            os.stat(file)  # noqa: PTH116 (at every hook, and a path takes longer to make)
            yield
        finally:
            os.close(lock)  # this also ends the kernel's lock
    finally:
        _thread_lock.release()


def insert_hooks(connection: Connection, entries: Sequence[InboxRow]) -> list[int]:
    """Keep hooks; returns the sequence of each new one, 0 where its id was kept before."""
    rows = [_make_row(entry) for entry in entries]
    inserted = connection.execute(_insert_statement(connection.dialect.name), rows)
    new = {row[0]: row[1] for row in inserted}
    # An id that stands twice among these entries counts once: the second entry is not new.
    return [new.pop(entry.hook_id, 0) for entry in entries]


def count_hooks(connection: Connection, now: float) -> HookCounts:
    """Count hooks for people to read: see `HookCounts`."""
    done_lately = and_(hooks.c.status == DONE, hooks.c.finished_at > now - DAY_SECONDS)
    return HookCounts(
        buried=count_rows(connection, hooks.c.seq, hooks.c.status == BURIED),
        done=count_rows(connection, hooks.c.seq, done_lately),
    )


class NewestHook(NamedTuple):
    """The newest hook that is kept: its sequence, and when it came (epoch seconds)."""

    seq: int
    at: float


def read_newest(connection: Connection) -> NewestHook:
    """Return the newest hook; both numbers are 0 where the inbox is empty."""
    columns = select(hooks.c.seq, hooks.c.received_at).order_by(hooks.c.seq.desc()).limit(1)
    row = connection.execute(columns).first()
    return NewestHook(row.seq, row.received_at) if row else NewestHook(0, 0.0)


def find_last_waiting(connection: Connection, organization: int) -> int:
    """Return the highest sequence of the organization's waiting hooks, 0 when none waits."""
    return connection.scalar(select(func.max(hooks.c.seq)).where(is_waiting(organization))) or 0


def list_waiting_kinds(connection: Connection, organization: int) -> set[str]:
    """Return the kinds of an organization's waiting hooks."""
    return set(connection.scalars(select(hooks.c.kind).where(is_waiting(organization)).distinct()))


def was_received(connection: Connection, organization: int, kind: str) -> bool:
    """Tell whether a hook of this kind was ever kept for the organization, in whatever state it
    is."""
    matching = and_(hooks.c.organization == organization, hooks.c.kind == kind)
    return connection.scalar(select(hooks.c.seq).where(matching).limit(1)) is not None


def list_rung(connection: Connection, kind: str, since: float) -> set[int]:
    """Return the organizations that got a hook of this kind since this moment; a hook that was
    given up does not count."""
    good = and_(hooks.c.kind == kind, hooks.c.received_at >= since, hooks.c.status != BURIED)
    rows = connection.scalars(select(hooks.c.organization).where(good).distinct())
    return {number for number in rows if number}


def delete_old_hooks(connection: Connection, keep_days: int, now: float) -> bool:
    """Delete some finished rows that are old enough; returns True when more of them may exist."""
    old = now - max(keep_days, IDS_DAYS) * DAY_SECONDS
    # Hooks arrive in the order of their sequence: behind the first young one, none is old.
    younger = select(func.min(hooks.c.seq)).where(hooks.c.received_at >= old)
    condition = and_(hooks.c.status != WAITING, hooks.c.received_at < old)
    if (first := connection.scalar(younger)) is not None:
        condition = and_(hooks.c.seq < first, condition)
    numbers = select(hooks.c.seq).where(condition).limit(SWEPT_AT_ONCE)
    return connection.execute(delete(hooks).where(hooks.c.seq.in_(numbers))).rowcount > 0


@cache  # building a statement takes longer than running it
def _insert_statement(dialect: str) -> Any:
    new = insert(dialect, hooks).on_conflict_do_nothing(index_elements=["hook_id"])
    return new.returning(hooks.c.hook_id, hooks.c.seq)


def _make_row(entry: InboxRow) -> dict[str, Any]:
    finished_at = None if entry.status == WAITING else entry.received_at
    return {**vars(entry), "finished_at": finished_at}


def is_waiting(organization: int) -> ColumnElement[bool]:
    return and_(hooks.c.organization == organization, hooks.c.status == WAITING)


def count_rows(connection: Connection, key: Column[int], *conditions: ColumnElement[bool]) -> int:
    return connection.scalar(select(func.count(key)).where(*conditions)) or 0
