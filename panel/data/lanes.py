"""The lanes: the order in which passes begin, the passes that wait for their next try, and counts
of both.

From the request for a pass until the pass begins, the organization's row in `passes` is a place in
a lane. Within a lane, places are ordered by `position`, the sequence of the hook that took it. A
pass that failed keeps its place and is passed over until `due_at`. Every function works inside its
caller's transaction. Times are epoch seconds.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, func, or_, select, text, update

from panel.data.db import insert
from panel.data.inbox_tables import WAITING, hooks, passes
from panel.data.tasks import tasks

_TAKE_ADVISORY_LOCKS = text(
    "SELECT pg_advisory_xact_lock(hashtextextended('panel:' || number, 0))"
    " FROM unnest(CAST(:numbers AS integer[])) WITH ORDINALITY AS given (number, at) ORDER BY at"
)


class Lane(IntEnum):
    """The priority of a pass: the lower number goes first. `URGENT`: an agent or a customer waits
    for the result."""

    URGENT = 0
    BACKFILL = 1
    RECONCILE = 2


SLOW = (Lane.BACKFILL, Lane.RECONCILE)


@dataclass(frozen=True)
class LanePlace:
    """`position`: the sequence of the hook that asks; `pass_id`: of the pass that will answer."""

    organization: int
    pass_id: str
    lane: Lane
    position: int


@dataclass(frozen=True)
class LaneLength:
    """`waiting`: the number of passes; `oldest_at`: when the oldest unanswered hook came."""

    waiting: int = 0
    oldest_at: float | None = None


def lock_organizations(connection: Connection, organizations: Collection[int]) -> None:
    """Lock organizations as `inbox.write_transaction` locks one; on SQLite the transaction is
    enough."""
    if connection.dialect.name == "postgresql":
        # Sorted everywhere, so that two processes with the same numbers never wait for each other.
        connection.execute(_TAKE_ADVISORY_LOCKS, {"numbers": sorted(organizations)})


def take_places(connection: Connection, places: Sequence[LanePlace], now: float) -> None:
    """Give each organization its one place. An organization that has a place in a lower lane moves
    to the end of the new lane.

    A hook ends the wait for the next try. A try that a hook has brought forward does not count
    towards the burial: otherwise a few hooks in an outage would use up all tries.
    """
    if places:
        rows = [{**vars(place), "lane": int(place.lane)} for place in places]
        connection.execute(_take_statement(connection.dialect.name), _name(rows, now))


def settle_conflict(new: Any) -> Any:
    """Make the ON CONFLICT of an INSERT of places, for organizations that have a place already.

    The statement needs the parameter `now`.
    """
    excluded, row = new.excluded, passes.c
    better = or_(row.waiting.is_(None), excluded.lane < row.lane)
    is_urgent = excluded.lane == int(Lane.URGENT)
    is_extra = and_(is_urgent, row.waiting.is_not(None), row.due_at > bindparam("now"))
    return new.on_conflict_do_update(
        index_elements=["organization"],
        set_={
            "waiting": func.coalesce(row.waiting, excluded.waiting),
            "lane": case((better, excluded.lane), else_=row.lane),
            "position": case((better, excluded.position), else_=row.position),
            "due_at": case((or_(is_urgent, row.waiting.is_(None)), 0.0), else_=row.due_at),
            "tries": case((is_extra, _one_less(row.tries)), else_=row.tries),
        },
    )


def find_next(connection: Connection, lane: Lane, count: int, now: float) -> list[tuple[int, str]]:
    """Return (organization, pass) of the passes that may begin now, in their order."""
    parameters = {"lane": int(lane), "count": count, "now": now}
    return [(row[0], row[1]) for row in connection.execute(_next_statement(), parameters)]


def hasten(connection: Connection, side: str, now: float) -> int:
    """Let passes and tasks that failed because of this outside world be tried now; returns how
    many."""
    later = and_(passes.c.side == side, passes.c.waiting.is_not(None), passes.c.due_at > now)
    sooner = {"due_at": now, "tries": _one_less(passes.c.tries)}
    count = connection.execute(update(passes).where(later).values(**sooner)).rowcount
    late = and_(tasks.c.side == side, tasks.c.reason.is_not(None), tasks.c.due_at > now)
    sooner = {"due_at": now, "tries": _one_less(tasks.c.tries)}
    return count + connection.execute(update(tasks).where(late).values(**sooner)).rowcount


def list_failed_sides(connection: Connection) -> set[str]:
    """Return the outside worlds because of which passes or tasks wait for their next try."""
    failing = select(passes.c.side).where(passes.c.reason.is_not(None))
    sides = failing.union(select(tasks.c.side))
    return {side for side in connection.scalars(sides) if side}


def list_urgent(connection: Connection, organizations: Collection[int]) -> set[int]:
    """Return the organizations among these whose pass is in the urgent lane by now."""
    urgent = and_(passes.c.organization.in_(organizations), passes.c.lane == int(Lane.URGENT))
    waiting = urgent & passes.c.waiting.is_not(None)
    return set(connection.scalars(select(passes.c.organization).where(waiting)))


def read_lanes(connection: Connection) -> dict[Lane, LaneLength]:
    """Return the length of each lane."""
    query = select(passes.c.lane, func.count()).where(passes.c.waiting.is_not(None))
    waiting = {row[0]: row[1] for row in connection.execute(query.group_by(passes.c.lane))}
    return {lane: LaneLength(waiting.get(lane, 0), find_oldest(connection, lane)) for lane in Lane}


def find_oldest(connection: Connection, lane: Lane) -> float | None:
    """Find the lane's oldest waiting hook by one look into an index; grouping by lane would read
    all waiting hooks."""
    in_lane = and_(hooks.c.status == WAITING, hooks.c.lane == int(lane))
    oldest: float | None = connection.scalar(select(func.min(hooks.c.received_at)).where(in_lane))
    return oldest


def _name(rows: Sequence[dict[str, Any]], now: float) -> list[dict[str, Any]]:
    names = {"pass_id": "waiting"}
    return [{names.get(key, key): row[key] for key in row} | {"now": now} for row in rows]


@cache  # building a statement takes longer than running it
def _take_statement(dialect: str) -> Any:
    new = insert(dialect, passes).values(
        organization=bindparam("organization"),
        waiting=bindparam("waiting"),
        lane=bindparam("lane"),
        position=bindparam("position"),
        due_at=0.0,
        tries=0,
        first=0,
    )
    return settle_conflict(new)


@cache
def _next_statement() -> Any:
    idle = and_(passes.c.waiting.is_not(None), passes.c.running.is_(None))
    condition = and_(idle, passes.c.lane == bindparam("lane"), passes.c.due_at <= bindparam("now"))
    query = select(passes.c.organization, passes.c.waiting).where(condition)
    return query.order_by(passes.c.position).limit(bindparam("count"))


def _one_less(tries: Any) -> Any:
    return case((tries > 0, tries - 1), else_=0)
