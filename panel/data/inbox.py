"""The transactional inbox: hooks that were kept, and how far each organization's passes have come.

The one owner of two tables. `hooks` is the record: who rang, when, and what became of it; never the
payload. `passes` has one row for each organization that ever rang: which pass of it waits, which
one runs, and how often it failed. Every function works inside its caller's transaction (`writing`),
so that a row and the pass it asks for are kept together or not at all. Times are epoch seconds.
"""

import os
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    Select,
    String,
    Table,
    Text,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
    text,
    update,
)

from panel.data.db import insert, metadata, partial_index
from panel.data.tasks import SUBJECTS
from panel.locks import lock_file

WAITING, DONE, IGNORED, BURIED = "waiting", "done", "ignored", "buried"
SETTLED = "settled"  # was buried, and is no longer anybody's trouble: `settled_by` says why
IDS_DAYS = 30  # how long an id is remembered, whatever the settings say
DAY_SECONDS = 24 * 3600.0
LANES = (0, 1, 2)  # see `lanes.Lane`
LOOKED_THROUGH = 500  # of the hooks of each lane, for organizations that were forgotten
SWEPT_AT_ONCE = 1000  # rows: a long delete would keep the door waiting for its turn
WRITE_SECONDS = 5.0  # seconds: the plugin hangs up not much later; `db` gives SQLite no more
WRITE_POLL_SECONDS = 0.005
_thread_lock = threading.Lock()
_SET_LOCK_TIMEOUT = text(f"SET LOCAL lock_timeout = '{WRITE_SECONDS:.0f}s'")
_TAKE_ADVISORY_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")

hooks = Table(
    "hooks",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("hook_id", String(200), nullable=False, unique=True),
    Column("kind", String(200), nullable=False),
    Column("organization", Integer),
    Column("subject", String(200)),
    Column("occurred_at", Float, nullable=False),
    Column("received_at", Float, nullable=False),
    Column("status", String(8), nullable=False),
    Column("reason", Text),
    Column("finished_at", Float),
    Column("pass_id", String(40)),  # the pass that buried it
    Column("side", String(16)),  # of the reason: which outside world it was
    Column("settled_at", Float),
    Column("settled_by", Text),
    Column("lane", Integer, nullable=False, default=0),  # see `lanes.Lane`
    Index("hooks_of_organization", "organization", "status", "seq"),
    Index("hooks_by_status", "status", "lane", "received_at"),
    Index("hooks_by_end", "status", "finished_at"),
    sqlite_autoincrement=True,  # a sequence number that was swept must not come again
)

passes = Table(
    "passes",
    metadata,
    Column("organization", Integer, primary_key=True, autoincrement=False),
    Column("waiting", String(40)),
    Column("running", String(40)),
    Column("tries", Integer, nullable=False, default=0),
    Column("first", Integer, nullable=False, default=0),
    # Of the last try that failed, until one succeeds.
    Column("reason", Text),
    Column("side", String(16)),
    Column("tried_at", Float),
    # The place of the pass that waits: see `lanes`.
    Column("lane", Integer, nullable=False, default=0),
    Column("position", Integer, nullable=False, default=0),
    Column("due_at", Float, nullable=False, default=0.0),
    # All that a look for the next pass needs, so that it reads no row of those that are not due.
    partial_index(
        *("passes_waiting", "lane", "position", "due_at", "waiting"), only="waiting IS NOT NULL"
    ),
    partial_index("passes_running", "organization", only="running IS NOT NULL"),
    partial_index("passes_failing", "side", only="reason IS NOT NULL"),
)


@dataclass(frozen=True)
class InboxRow:
    """One row to keep; `organization` and `subject` are None where the hook named none."""

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


@dataclass(frozen=True)
class PassCounts:
    """Passes that could begin now, that run, and (organization, when) those that are tried again
    later, the next one first."""

    waiting: int
    running: int
    retrying: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class FailingPass:
    """An organization whose last try failed. `side`: which outside world it was."""

    organization: int
    tries: int
    reason: str
    side: str
    tried_at: float | None


@contextmanager
def write_transaction(database: Engine, about: int | str) -> Iterator[Connection]:
    """A transaction, committed at the end; one at a time about an organization (0: about none).

    Were there two, a hook could come out with a lower sequence than one that is answered already.
    Raises `OSError` or `SQLAlchemyError` when it cannot have its turn within `WRITE_SECONDS`.
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
    # SQLite has one writer; those who wait for it sleep, and are served at random. Queueing before
    # its door, threads first, then processes, takes the tail off (dependencies §1.3).
    if not _thread_lock.acquire(timeout=WRITE_SECONDS):
        raise TimeoutError
    try:
        lock = os.open(f"{file}.writing.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not lock_file(lock, WRITE_SECONDS, WRITE_POLL_SECONDS):
                raise TimeoutError
            # Is it there? SQLite would go on writing into a file that nobody finds any more.
            os.stat(file)  # noqa: PTH116 (at every hook, and a path takes longer to make)
            yield
        finally:
            os.close(lock)  # and with it the kernel's lock
    finally:
        _thread_lock.release()


def insert_hooks(connection: Connection, entries: Sequence[InboxRow]) -> list[int]:
    """The sequence of each that is new; 0 where its id was kept before."""
    rows = [_make_row(entry) for entry in entries]
    inserted = connection.execute(_insert_statement(connection.dialect.name), rows)
    new = {row[0]: row[1] for row in inserted}
    # An id that stands twice among these entries counts once: its second entry is not new.
    return [new.pop(entry.hook_id, 0) for entry in entries]


def begin_pass(connection: Connection, organization: int, pass_id: str) -> tuple[int, int] | None:
    """A pass starts: clear its mark and note how far the hooks go, before it reads the truth.

    Returns the highest sequence now, and as it was at the first of the tries that this pass belongs
    to; None when another pass has taken its place, so that this one has nothing to do.
    """
    row = connection.execute(_select_pass(organization)).one_or_none()
    # `running`: the process died right after this very step, and does it again.
    if row is None or pass_id not in (row.waiting, row.running):
        return None
    through = find_last_waiting(connection, organization)
    first = through if row.tries == 0 else row.first
    waiting = None if row.waiting == pass_id else row.waiting
    _update_pass(connection, organization, waiting=waiting, running=pass_id, first=first)
    return through, first


def finish_pass(
    connection: Connection, organization: int, through: int, now: float, pass_id: str = ""
) -> None:
    """The hooks up to `through` are answered, and the organization's failures forgotten.

    What was buried of it before is settled: the pass has read the present truth.
    """
    connection.execute(
        update(hooks)
        .where(_is_waiting(organization), hooks.c.seq <= through)
        .values(status=DONE, finished_at=now)
    )
    of_it = and_(hooks.c.organization == organization, hooks.c.status == BURIED)
    settled = {"status": SETTLED, "settled_at": now, "settled_by": f"pass {pass_id}".strip()}
    connection.execute(update(hooks).where(of_it).values(**settled))
    _clear_failures(connection, organization)


def count_failure(
    connection: Connection,
    organization: int,
    reason: str = "",
    side: str = "",
    now: float | None = None,
) -> int:
    """A try ended that may be repeated; returns how many of them have failed so far."""
    row = connection.execute(_select_pass(organization)).one()
    last = {"reason": reason, "side": side, "tried_at": now}
    _update_pass(connection, organization, tries=row.tries + 1, running=None, **last)
    return int(row.tries) + 1


def forget_tries(connection: Connection, organizations: Collection[int]) -> int:
    """Their next passes are the first of a new row of tries; returns how many had failed."""
    failed = and_(passes.c.organization.in_(organizations), passes.c.tries > 0)
    return connection.execute(update(passes).where(failed).values(tries=0, due_at=0.0)).rowcount


def list_failing(connection: Connection) -> list[FailingPass]:
    """Organizations that are tried again, those with the most tries first."""
    failing = select(passes).where(passes.c.reason.is_not(None)).order_by(passes.c.tries.desc())
    return [
        FailingPass(row.organization, row.tries, row.reason, row.side or "", row.tried_at)
        for row in connection.execute(failing)
    ]


def is_busy(connection: Connection, organizations: Collection[int]) -> bool:
    """Does a pass of one of them wait or run, none of whose tries has failed?"""
    asked = or_(passes.c.waiting.is_not(None), passes.c.running.is_not(None))
    here = and_(passes.c.organization.in_(organizations), passes.c.tries == 0, asked)
    return connection.scalar(select(passes.c.organization).where(here).limit(1)) is not None


def postpone_pass(connection: Connection, organization: int, pass_id: str, due_at: float) -> None:
    """The next try is `pass_id`. One that waits already is overtaken: it would come too soon."""
    _update_pass(connection, organization, waiting=pass_id, due_at=due_at)


def bury_hooks(
    connection: Connection,
    organization: int,
    through: int,
    reason: str,
    pass_id: str,
    now: float,
    side: str = "",
) -> bool:
    """Give up on the hooks up to `through`; True when younger ones of the organization remain.

    What was buried for the same reason before joins them: it is one trouble, and no longer list.
    """
    connection.execute(
        update(hooks)
        .where(_is_waiting(organization), hooks.c.seq <= through)
        .values(status=BURIED, reason=reason, finished_at=now, pass_id=pass_id, side=side)
    )
    alike = and_(
        hooks.c.organization == organization,
        hooks.c.status == BURIED,
        hooks.c.reason == reason,
        hooks.c.kind.not_in(SUBJECTS),
    )
    connection.execute(update(hooks).where(alike).values(pass_id=pass_id))
    _clear_failures(connection, organization)
    return (
        connection.scalar(select(hooks.c.seq).where(_is_waiting(organization)).limit(1)) is not None
    )


def count_hooks(connection: Connection, now: float) -> HookCounts:
    """For people: see `HookCounts`."""
    done_lately = and_(hooks.c.status == DONE, hooks.c.finished_at > now - DAY_SECONDS)
    return HookCounts(
        buried=_count(connection, hooks.c.seq, hooks.c.status == BURIED),
        done=_count(connection, hooks.c.seq, done_lately),
    )


def list_running(connection: Connection) -> dict[int, str]:
    """Passes that have begun, by organization."""
    begun = select(passes.c.organization, passes.c.running).where(passes.c.running.is_not(None))
    return {row[0]: row[1] for row in connection.execute(begun)}


def list_forgotten(connection: Connection) -> dict[int, int]:
    """Organizations with waiting hooks that no pass waits or runs for; the highest sequence.

    Among the oldest hooks of each lane alone: while the others have their turns, one that is
    forgotten becomes one of those.
    """
    asked = or_(passes.c.waiting.is_not(None), passes.c.running.is_not(None))
    cared_for = and_(passes.c.organization == hooks.c.organization, asked)
    alone = ~exists(select(passes.c.organization).where(cared_for))
    found = dict[int, int]()
    for lane in LANES:
        here = select(hooks.c.seq).where(hooks.c.status == WAITING, hooks.c.lane == lane)
        oldest = here.order_by(hooks.c.received_at).limit(LOOKED_THROUGH)
        columns = (hooks.c.organization, func.max(hooks.c.seq))
        query = select(*columns).where(hooks.c.seq.in_(oldest), alone)
        found |= {row[0]: row[1] for row in connection.execute(query.group_by(columns[0]))}
    return found


def count_passes(connection: Connection, now: float) -> PassCounts:
    """See `PassCounts`."""
    asked, later = passes.c.waiting.is_not(None), passes.c.due_at > now
    held_back = select(passes.c.organization, passes.c.due_at).where(asked, later)
    rows = connection.execute(held_back.order_by(passes.c.due_at))
    return PassCounts(
        waiting=_count(connection, passes.c.organization, asked, passes.c.due_at <= now),
        running=_count(connection, passes.c.organization, passes.c.running.is_not(None)),
        retrying=tuple((row[0], row[1]) for row in rows),
    )


def find_last_waiting(connection: Connection, organization: int) -> int:
    """The highest sequence of its waiting hooks, 0 when there is none."""
    return connection.scalar(select(func.max(hooks.c.seq)).where(_is_waiting(organization))) or 0


def list_waiting(connection: Connection) -> dict[int, int]:
    """Organizations with waiting hooks, each with the highest sequence among them."""
    rows = connection.execute(
        select(hooks.c.organization, func.max(hooks.c.seq))
        .where(hooks.c.status == WAITING)
        .group_by(hooks.c.organization)
    )
    return {row[0]: row[1] for row in rows}


def list_waiting_kinds(connection: Connection, organization: int) -> set[str]:
    """The kinds of the hooks of an organization that wait for its pass."""
    return set(connection.scalars(select(hooks.c.kind).where(_is_waiting(organization)).distinct()))


def was_received(connection: Connection, organization: int, kind: str) -> bool:
    """Was a hook of this kind ever kept for the organization, whatever became of it?"""
    here = and_(hooks.c.organization == organization, hooks.c.kind == kind)
    return connection.scalar(select(hooks.c.seq).where(here).limit(1)) is not None


def list_rung(connection: Connection, kind: str, since: float) -> set[int]:
    """Organizations of which a hook of this kind came since then and was not given up."""
    good = and_(hooks.c.kind == kind, hooks.c.received_at >= since, hooks.c.status != BURIED)
    rows = connection.scalars(select(hooks.c.organization).where(good).distinct())
    return {number for number in rows if number}


def clear_lost_pass(connection: Connection, organization: int, pass_id: str) -> bool:
    """Forget a pass that began and that the engine does not know any more; False: it has ended."""
    same = and_(passes.c.organization == organization, passes.c.running == pass_id)
    return connection.execute(update(passes).where(same).values(running=None)).rowcount > 0


def delete_old_hooks(connection: Connection, keep_days: int, now: float) -> bool:
    """Delete some rows that ended long enough ago; True when there may be more of them."""
    old = now - max(keep_days, IDS_DAYS) * DAY_SECONDS
    ended = hooks.c.status.in_([DONE, IGNORED, BURIED, SETTLED])
    chosen = select(hooks.c.seq).where(ended, hooks.c.finished_at < old).limit(SWEPT_AT_ONCE)
    return connection.execute(delete(hooks).where(hooks.c.seq.in_(chosen))).rowcount > 0


@cache  # building a statement takes longer than running it
def _insert_statement(dialect: str) -> Any:
    new = insert(dialect, hooks).on_conflict_do_nothing(index_elements=["hook_id"])
    return new.returning(hooks.c.hook_id, hooks.c.seq)


def _make_row(entry: InboxRow) -> dict[str, Any]:
    finished = None if entry.status == WAITING else entry.received_at
    return {**vars(entry), "finished_at": finished}


def _select_pass(organization: int) -> Select[Any]:
    return select(passes).where(passes.c.organization == organization)


def _clear_failures(connection: Connection, organization: int) -> None:
    last = {"reason": None, "side": None, "tried_at": None}
    _update_pass(connection, organization, running=None, tries=0, **last)


def _is_waiting(organization: int) -> ColumnElement[bool]:
    return and_(hooks.c.organization == organization, hooks.c.status == WAITING)


def _update_pass(connection: Connection, organization: int, **values: str | float | None) -> None:
    connection.execute(update(passes).where(passes.c.organization == organization).values(**values))


def _count(connection: Connection, key: Column[int], *conditions: ColumnElement[bool]) -> int:
    return connection.scalar(select(func.count(key)).where(*conditions)) or 0
