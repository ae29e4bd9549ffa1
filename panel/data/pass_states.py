"""The states of the organizations' passes: the table `passes`, and the hooks they answer.

Every function works inside its caller's transaction (`inbox.write_transaction`). Times are epoch
seconds.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, exists, func, or_, select, update

from panel.data.inbox import count_rows, find_last_waiting, is_waiting
from panel.data.inbox_tables import BURIED, DONE, SETTLED, WAITING, hooks, passes
from panel.data.tasks import SUBJECTS

LANES = (0, 1, 2)  # see `lanes.Lane`
LOOKED_THROUGH = 500  # hooks of each lane that are searched for organizations without a pass


@dataclass(frozen=True)
class PassCounts:
    """The number of passes that could begin now, the number of those that run, and (organization,
    moment) of the passes that are tried again later, the next one first."""

    waiting: int
    running: int
    retrying: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class FailingPass:
    """An organization whose last try failed. `side`: the outside world that caused the failure."""

    organization: int
    tries: int
    reason: str
    side: str
    tried_at: float | None


def begin_pass(connection: Connection, organization: int, pass_id: str) -> tuple[int, int] | None:
    """Begin a pass: clear its place and note the last hook, before it reads the back office.

    Returns the highest sequence now, and the highest sequence at the first of the tries in a row to
    which this pass belongs. Returns None when another pass has taken the place: then this pass has
    nothing to do.
    """
    row = connection.execute(_select_pass(organization)).one_or_none()
    # `running` may be this pass already: the process died right after this step, and repeats it.
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
    """Answer the hooks up to `through`, and clear the organization's failures.

    Its buried hooks are settled too, because the pass has read the present values.
    """
    connection.execute(
        update(hooks)
        .where(is_waiting(organization), hooks.c.seq <= through)
        .values(status=DONE, finished_at=now)
    )
    of_it = and_(hooks.c.organization == organization, hooks.c.status == BURIED)
    values = {"status": SETTLED, "settled_at": now, "settled_by": f"pass {pass_id}".strip()}
    connection.execute(update(hooks).where(of_it).values(**values))
    _clear_failures(connection, organization)


def count_failure(
    connection: Connection,
    organization: int,
    reason: str = "",
    side: str = "",
    now: float | None = None,
) -> int:
    """Count a failed try that may be repeated; returns the number of failed tries so far."""
    row = connection.execute(_select_pass(organization)).one()
    last = {"reason": reason, "side": side, "tried_at": now}
    _update_pass(connection, organization, tries=row.tries + 1, running=None, **last)
    return int(row.tries) + 1


def forget_tries(connection: Connection, organizations: Collection[int]) -> int:
    """Let the next passes begin a new row of tries; returns the number of organizations with
    failures."""
    condition = and_(passes.c.organization.in_(organizations), passes.c.tries > 0)
    return connection.execute(update(passes).where(condition).values(tries=0, due_at=0.0)).rowcount


def list_failing(connection: Connection) -> list[FailingPass]:
    """Return the organizations that are tried again, those with the most tries first."""
    failing = select(passes).where(passes.c.reason.is_not(None)).order_by(passes.c.tries.desc())
    return [
        FailingPass(row.organization, row.tries, row.reason, row.side or "", row.tried_at)
        for row in connection.execute(failing)
    ]


def is_busy(connection: Connection, organizations: Collection[int]) -> bool:
    """Tell whether a pass of any of the organizations waits or runs without a failed try."""
    has_pass = or_(passes.c.waiting.is_not(None), passes.c.running.is_not(None))
    busy = and_(passes.c.organization.in_(organizations), passes.c.tries == 0, has_pass)
    return connection.scalar(select(passes.c.organization).where(busy).limit(1)) is not None


def postpone_pass(connection: Connection, organization: int, pass_id: str, due_at: float) -> None:
    """Make `pass_id` the next try. A pass that waits already would come too soon, and is
    replaced."""
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
    """Give up on the hooks up to `through`; returns True when younger hooks of the organization
    remain.

    Hooks buried earlier for the same reason join them, so that a single trouble is listed once.
    """
    connection.execute(
        update(hooks)
        .where(is_waiting(organization), hooks.c.seq <= through)
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
        connection.scalar(select(hooks.c.seq).where(is_waiting(organization)).limit(1)) is not None
    )


def list_running(connection: Connection) -> dict[int, str]:
    """Return the passes that have begun, by organization."""
    query = select(passes.c.organization, passes.c.running).where(passes.c.running.is_not(None))
    return {row[0]: row[1] for row in connection.execute(query)}


def list_forgotten(connection: Connection) -> dict[int, int]:
    """Return organizations with waiting hooks for which no pass waits or runs, each with its
    highest sequence.

    Only the oldest hooks of each lane are searched: a forgotten hook becomes one of them in time.
    """
    has_pass = or_(passes.c.waiting.is_not(None), passes.c.running.is_not(None))
    cared_for = and_(passes.c.organization == hooks.c.organization, has_pass)
    alone = ~exists(select(passes.c.organization).where(cared_for))
    organizations = dict[int, int]()
    for lane in LANES:
        in_lane = select(hooks.c.seq).where(hooks.c.status == WAITING, hooks.c.lane == lane)
        oldest = in_lane.order_by(hooks.c.received_at).limit(LOOKED_THROUGH)
        columns = (hooks.c.organization, func.max(hooks.c.seq))
        query = select(*columns).where(hooks.c.seq.in_(oldest), alone)
        organizations |= {row[0]: row[1] for row in connection.execute(query.group_by(columns[0]))}
    return organizations


def count_passes(connection: Connection, now: float) -> PassCounts:
    """See `PassCounts`."""
    waits, later = passes.c.waiting.is_not(None), passes.c.due_at > now
    held_back = select(passes.c.organization, passes.c.due_at).where(waits, later)
    rows = connection.execute(held_back.order_by(passes.c.due_at))
    return PassCounts(
        waiting=count_rows(connection, passes.c.organization, waits, passes.c.due_at <= now),
        running=count_rows(connection, passes.c.organization, passes.c.running.is_not(None)),
        retrying=tuple((row[0], row[1]) for row in rows),
    )


def clear_lost_pass(connection: Connection, organization: int, pass_id: str) -> bool:
    """Forget a pass that began and that the engine has lost; returns False where the pass has
    ended."""
    same = and_(passes.c.organization == organization, passes.c.running == pass_id)
    return connection.execute(update(passes).where(same).values(running=None)).rowcount > 0


def _select_pass(organization: int) -> Select[Any]:
    return select(passes).where(passes.c.organization == organization)


def _clear_failures(connection: Connection, organization: int) -> None:
    last = {"reason": None, "side": None, "tried_at": None}
    _update_pass(connection, organization, running=None, tries=0, **last)


def _update_pass(connection: Connection, organization: int, **values: str | float | None) -> None:
    connection.execute(update(passes).where(passes.c.organization == organization).values(**values))
