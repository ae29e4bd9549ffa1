"""The backlog: the hooks and passes of all organizations by state, for checks and figures."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, select

from panel.data.inbox_tables import BURIED, DONE, SETTLED, WAITING, hooks, passes
from panel.data.lanes import Lane, LaneLength, read_lanes


@dataclass(frozen=True)
class Backlog:
    """The present counts. Times are epoch seconds, None where there is no such row.

    `oldest_at`: when the oldest waiting hook of the first lane came; in the other lanes thousands
    may rightly wait for hours. `lanes`: the length of each lane. `retrying`: organizations whose
    last try failed. `nightly_at`: when a night or `sync reconcile` last lined up passes.
    """

    hooks_waiting: int
    hooks_buried: int
    oldest_at: float | None
    passes_waiting: int
    passes_running: int
    retrying: int
    nightly_at: float | None
    lanes: Mapping[Lane, LaneLength]


def read_backlog(connection: Connection) -> Backlog:
    lanes = read_lanes(connection)
    return Backlog(
        hooks_waiting=count_hooks(connection, WAITING),
        hooks_buried=count_hooks(connection, BURIED),
        oldest_at=lanes[Lane.URGENT].oldest_at,
        passes_waiting=count_waiting_passes(connection),
        passes_running=_count_passes(connection, passes.c.running.is_not(None)),
        retrying=_count_passes(connection, passes.c.reason.is_not(None)),
        nightly_at=_find_last_reconcile(connection),
        lanes=lanes,
    )


# -- single facts, for checks that need no others: counting thousands of rows takes time ----------


def count_hooks(connection: Connection, status: str) -> int:
    of_status = select(func.count()).select_from(hooks).where(hooks.c.status == status)
    return connection.scalar(of_status) or 0


def count_waiting_passes(connection: Connection) -> int:
    return _count_passes(connection, passes.c.waiting.is_not(None))


def has_passes(connection: Connection) -> bool:
    """Tell whether any pass waits or runs: one look into an index for each."""
    states = (passes.c.waiting.is_not(None), passes.c.running.is_not(None))
    looks = (select(passes.c.organization).where(state).limit(1) for state in states)
    return any(connection.scalar(look) is not None for look in looks)


def _find_last_reconcile(connection: Connection) -> float | None:
    """Look into an index once for each state that a hook of that lane can have."""
    of_lane = select(func.max(hooks.c.received_at)).where(hooks.c.lane == int(Lane.RECONCILE))
    states = (WAITING, DONE, BURIED, SETTLED)
    times = [connection.scalar(of_lane.where(hooks.c.status == state)) for state in states]
    return max((at for at in times if at), default=None)


def _count_passes(connection: Connection, condition: ColumnElement[bool]) -> int:
    return connection.scalar(select(func.count()).select_from(passes).where(condition)) or 0
