"""The table of tasks: small work, kept until it is done.

NAMING a conversation that came to life, the REPAIR of a contact in which somebody changed our
attributes, and WARMING the kept copies of an organization when its customer wrote. There is one row
for each record with a task: the waiting try, the running one, and the reason why the last one
failed. Every function works inside its caller's transaction. Times: epoch seconds.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Float,
    Integer,
    RowMapping,
    String,
    Table,
    Text,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    update,
)

from panel.data.db import metadata

NAMING, REPAIR, WARMING = "naming", "repair", "warming"
SUBJECTS = {NAMING: "conversation", REPAIR: "contact"}  # of the kinds that administrators see
SERVING_ORDER = (NAMING, WARMING, REPAIR)  # in the order in which they are served
REPAIR_EVERY_SECONDS = 600.0  # of one contact: a visitor may change our values again and again
# The delay of a repair, so that a pick or a pass that is changing the contact now goes first.
REPAIR_DELAY_SECONDS = 5.0
WARM_SECONDS = 60.0  # the time for which warmed copies need no further warming

tasks = Table(
    "tasks",
    metadata,
    Column("kind", String(8), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("waiting", String(40)),
    Column("running", String(40)),
    Column("tries", Integer, nullable=False, default=0),
    Column("asked_at", Float, nullable=False),
    Column("organization", Integer),  # one organization of the contact
    Column("done_at", Float),
    Column("reason", Text),
    Column("side", String(16)),
    Column("tried_at", Float),
    Column("due_at", Float, nullable=False, default=0.0),  # when the waiting try is due
)


@dataclass(frozen=True)
class Task:
    """`number`: of the conversation (NAMING) or of the contact (REPAIR), in Chatwoot; of the
    organization (WARMING)."""

    kind: str
    number: int

    @property
    def id(self) -> str:
        """The task's id for people, such as `naming:59`."""
        return f"{self.kind}:{self.number}"

    @property
    def subject(self) -> str:
        """Return such as `conversation 59`."""
        return f"{SUBJECTS.get(self.kind, 'organization')} {self.number}"


@dataclass(frozen=True)
class TaskTrouble:
    """A task whose last try failed. `side`: the outside world that failed; `organization`: one of
    the contact's."""

    task: Task
    tries: int
    reason: str
    side: str
    asked_at: float
    tried_at: float
    organization: int | None = None


def parse_task(task_id: str) -> Task | None:
    """Return the task of this id; None where the id is no task's."""
    kind, _, number = task_id.partition(":")
    return Task(kind, int(number)) if kind in SUBJECTS and number.isdecimal() else None


def is_asked(connection: Connection, task: Task, now: float) -> bool:
    """Tell whether the task needs no new try, because one waits that has not begun. For a naming a
    running try counts too, and for a warming also one that ended a moment ago."""
    row = _find(connection, task)
    return row is not None and _is_pending(task, row, now)


def ask(
    connection: Connection, task: Task, try_id: str, now: float, organization: int | None = None
) -> bool:
    """Keep the task for the try `try_id`; returns False where another try will do the task, or did
    it just now.

    `organization`: one of the contact's; its next good pass settles the task if that was given up.
    """
    row = _find(connection, task)
    if row is not None and _is_pending(task, row, now):
        return False
    values = {"waiting": try_id, "tries": 0, "asked_at": now, "organization": organization}
    values["due_at"] = now + _find_first_wait(task, row, now)
    if row is None:
        of_it = {"kind": task.kind, "number": task.number}
        connection.execute(tasks.insert().values(**of_it, **values))
    else:
        _update(connection, task, **values)
    return True


def _find_first_wait(task: Task, row: RowMapping | None, now: float) -> float:
    """Return the seconds until the first try may begin."""
    if task.kind != REPAIR:
        return 0.0
    free_at = (row["done_at"] if row and row["done_at"] else 0.0) + REPAIR_EVERY_SECONDS
    return max(REPAIR_DELAY_SECONDS, free_at - now)


def find_due(
    connection: Connection, kinds: Collection[str], count: int, now: float
) -> list[tuple[Task, str]]:
    """Return tasks of these kinds with the tries that may begin now, in their order."""
    parameters = {"kinds": list(kinds), "count": count, "now": now}
    rows = connection.execute(_due_statement(), parameters)
    return [(Task(kind, number), try_id) for kind, number, try_id in rows]


@cache  # building the statement takes longer than running it, once a second
def _due_statement() -> Any:
    idle = and_(tasks.c.waiting.is_not(None), tasks.c.running.is_(None))
    order = case({kind: at for at, kind in enumerate(SERVING_ORDER)}, value=tasks.c.kind)
    query = select(tasks.c.kind, tasks.c.number, tasks.c.waiting).where(
        idle,
        tasks.c.due_at <= bindparam("now"),
        tasks.c.kind.in_(bindparam("kinds", expanding=True)),
    )
    return query.order_by(order, tasks.c.asked_at).limit(bindparam("count"))


def begin_try(connection: Connection, task: Task, try_id: str) -> bool:
    """Begin a try; returns False when another try has taken its place, or the task was dropped."""
    row = _find(connection, task)
    # `running` may be this try already: the process died right after this step, and repeats it.
    if row is None or try_id not in (row["waiting"], row["running"]):
        return False
    waiting = None if row["waiting"] == try_id else row["waiting"]
    _update(connection, task, waiting=waiting, running=try_id)
    return True


def is_running(connection: Connection, task: Task, try_id: str) -> bool:
    """Tell whether this try is the task's running one. Where the process died right after settling
    the task, no try is."""
    row = _find(connection, task)
    return row is not None and row["running"] == try_id


def finish(connection: Connection, task: Task, now: float) -> None:
    """Note that the task is done. The moment is kept, except for a naming, so that the next try
    keeps its distance."""
    values = {"running": None, "tries": 0, "done_at": now}
    _update(connection, task, **values, reason=None, side=None, tried_at=None)
    if task.kind == NAMING:
        connection.execute(delete(tasks).where(_is(task), tasks.c.waiting.is_(None)))


def note_failed_try(
    connection: Connection, task: Task, reason: str, side: str, now: float
) -> TaskTrouble:
    """Note that a try failed; returns the task's present state."""
    values = {"reason": reason, "side": side, "tried_at": now, "running": None}
    _update(connection, task, tries=tasks.c.tries + 1, **values)
    row = _find(connection, task)
    return _make_trouble(row) if row else TaskTrouble(task, 1, reason, side, now, now)


def postpone(connection: Connection, task: Task, try_id: str, due_at: float) -> None:
    """Make `try_id` the next try, unless another one waits already."""
    row = _find(connection, task)
    if row is None or row["waiting"]:
        return
    _update(connection, task, waiting=try_id, running=None, due_at=due_at)


def list_trouble(connection: Connection) -> list[TaskTrouble]:
    """Return tasks that are tried again, the oldest first."""
    query = select(tasks).where(tasks.c.reason.is_not(None)).order_by(tasks.c.asked_at)
    return [_make_trouble(row) for row in connection.execute(query).mappings()]


def count_asked(connection: Connection) -> int:
    """Count the conversations and contacts with a waiting or running try."""
    is_open = or_(tasks.c.waiting.is_not(None), tasks.c.running.is_not(None))
    query = select(func.count()).where(is_open, tasks.c.kind.in_(SUBJECTS))
    return connection.scalar(query) or 0


def list_running(connection: Connection) -> dict[Task, str]:
    """Return the tasks with a running try, each with that try."""
    rows = connection.execute(select(tasks).where(tasks.c.running.is_not(None))).mappings()
    return {Task(row["kind"], row["number"]): row["running"] for row in rows}


def clear_lost_try(connection: Connection, task: Task, try_id: str) -> bool:
    """Forget a try that began and that the engine has lost; returns False where the try has
    ended."""
    statement = update(tasks).where(_is(task), tasks.c.running == try_id)
    return connection.execute(statement.values(running=None)).rowcount > 0


def delete_done(connection: Connection, now: float) -> None:
    """Delete rows of finished tasks from which the next try need not keep its distance any more."""
    idle = and_(tasks.c.waiting.is_(None), tasks.c.running.is_(None))
    old = tasks.c.done_at < now - REPAIR_EVERY_SECONDS
    connection.execute(delete(tasks).where(idle, old))


def _is_pending(task: Task, row: RowMapping, now: float) -> bool:
    is_fresh = task.kind == WARMING and (row["done_at"] or 0.0) > now - WARM_SECONDS
    return bool(row["waiting"] or (task.kind != REPAIR and row["running"]) or is_fresh)


def _find(connection: Connection, task: Task) -> RowMapping | None:
    return connection.execute(select(tasks).where(_is(task))).mappings().one_or_none()


def _is(task: Task) -> ColumnElement[bool]:
    return and_(tasks.c.kind == task.kind, tasks.c.number == task.number)


def _update(connection: Connection, task: Task, **values: Any) -> None:
    connection.execute(update(tasks).where(_is(task)).values(**values))


def _make_trouble(row: RowMapping) -> TaskTrouble:
    names = ("tries", "reason", "asked_at", "tried_at", "organization")
    task = Task(row["kind"], row["number"])
    return TaskTrouble(task, side=row["side"] or "", **{name: row[name] for name in names})
