"""Dead letters: hooks that were given up, and stay in the inbox until they are settled.

A later good pass of the organization settles them (`pass_states.finish_pass`), or an administrator
runs them again or dismisses them. Every function works inside its caller's transaction.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, func, or_, select, update

from panel.data.inbox_tables import BURIED, SETTLED, WAITING, hooks
from panel.data.tasks import SUBJECTS, Task, TaskTrouble


@dataclass(frozen=True)
class BuriedHooks:
    """Hooks that were given up together: those of one pass, or a single hook that had no pass.

    `id`: for a replay; `hooks`: their number; `since`: when the first of them came; `side`: the
    outside world that failed. `settled_at`, `settled_by`: set once they are settled.
    """

    id: str
    organization: int | None
    reason: str
    hooks: int
    since: float
    buried_at: float
    side: str = ""
    settled_at: float | None = None
    settled_by: str = ""


def find_buried(connection: Connection, buried_id: str) -> tuple[int, str] | None:
    """Return (organization, pass) of a buried pass, by its id or by the id of one of its hooks."""
    of_pass = hooks.c.kind.not_in(SUBJECTS)
    row = connection.execute(_select_buried(buried_id).where(of_pass)).first()
    return (row.organization, row.pass_id) if row and row.pass_id else None


def unbury_hooks(connection: Connection, pass_id: str) -> bool:
    """Let the hooks that a pass buried wait again; False when there is none any more."""
    statement = (
        update(hooks)
        .where(hooks.c.status == BURIED, hooks.c.pass_id == pass_id)
        .values(status=WAITING, reason=None, finished_at=None, pass_id=None, side=None)
    )
    return connection.execute(statement).rowcount > 0


def bury_task(connection: Connection, trouble: TaskTrouble, try_id: str) -> None:
    """Bury a task: write a buried hook of the organization whose next good pass may settle it."""
    task = trouble.task
    values = {
        "hook_id": f"{task.id}:{try_id}",
        "kind": task.kind,
        "organization": trouble.organization,
        "subject": str(task.number),
        "occurred_at": trouble.asked_at,
        "received_at": trouble.asked_at,
        "finished_at": trouble.tried_at,
        "reason": trouble.reason,
        "side": trouble.side,
    }
    connection.execute(hooks.insert().values(**values, status=BURIED, pass_id=task.id))


def settle_task(connection: Connection, task: Task, person: str, now: float) -> bool:
    """Settle a task that is done after all, or tried again; False where it was not given up."""
    same = and_(hooks.c.status == BURIED, hooks.c.pass_id == task.id)
    values = {"status": SETTLED, "settled_at": now, "settled_by": person}
    return connection.execute(update(hooks).where(same).values(**values)).rowcount > 0


def dismiss_hooks(connection: Connection, buried_id: str, person: str, now: float) -> bool:
    """Settle the hooks buried under this id, or with the hook of this id; False when there are
    none.

    `person`: the one who says that the hooks need no work.
    """
    row = connection.execute(_select_buried(buried_id)).first()
    if row is None:
        return False
    same = hooks.c.pass_id == row.pass_id if row.pass_id else hooks.c.hook_id == row.hook_id
    values = {"status": SETTLED, "settled_at": now, "settled_by": f"dismissed by {person}"}
    connection.execute(update(hooks).where(hooks.c.status == BURIED, same).values(**values))
    return True


def list_buried(connection: Connection, status: str = BURIED) -> list[BuriedHooks]:
    """Hooks that were given up and are not settled, the latest first.

    `status` SETTLED: those that are settled by now.
    """
    burial = func.coalesce(hooks.c.pass_id, hooks.c.hook_id)
    latest = func.max(hooks.c.settled_at if status == SETTLED else hooks.c.finished_at)
    rows = connection.execute(
        select(
            burial.label("id"),
            func.max(hooks.c.organization).label("organization"),
            func.max(hooks.c.reason).label("reason"),
            func.count().label("hooks"),
            func.min(hooks.c.received_at).label("since"),
            func.max(hooks.c.finished_at).label("buried_at"),
            func.coalesce(func.max(hooks.c.side), "").label("side"),
            func.max(hooks.c.settled_at).label("settled_at"),
            func.coalesce(hooks.c.settled_by, "").label("settled_by"),
        )
        .where(hooks.c.status == status)
        .group_by(burial, hooks.c.settled_by)
        .order_by(latest.desc())
    )
    return [BuriedHooks(**row) for row in rows.mappings()]


def _select_buried(buried_id: str) -> Select[Any]:
    """Select a burial by its own id, or by that of one of its hooks."""
    same_id = or_(hooks.c.pass_id == buried_id, hooks.c.hook_id == buried_id)
    return select(hooks).where(hooks.c.status == BURIED, same_id)
