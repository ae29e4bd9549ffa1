"""The intake of the transactional inbox: keep a hook and a place for its pass in one transaction.

So an organization has one running and one waiting pass at most, and a thousand hooks need only a
few passes. The `worker` executes them.
"""

import logging
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from uuid import uuid4

from sqlalchemy import Connection, Engine

from panel.data import dead_letters, inbox, lanes, line_ups, pass_states, tasks
from panel.data.dead_letters import BuriedHooks
from panel.data.inbox import InboxRow
from panel.data.inbox_tables import BURIED, DONE, IGNORED, WAITING
from panel.data.lanes import Lane, LaneLength, LanePlace
from panel.data.line_ups import LineUp
from panel.data.pass_states import FailingPass
from panel.data.tasks import TaskTrouble
from panel.sync.events import find_kind
from panel.sync.group_commit import GroupCommit
from panel.sync.pass_queue import TROUBLE
from panel.sync.wire import Hook

log = logging.getLogger(__name__)

LINED_UP_AT_ONCE = 2000  # organizations in one transaction, for which new hooks have to wait


class NotKept(Exception):
    """The hook or the task could not be kept: the sender has to bring it again."""


@dataclass(frozen=True)
class Stats:
    """Passes by state, hooks by outcome. Times: epoch seconds.

    `lanes`: the number of waiting passes in each lane, retrying ones too, and since when they wait.

    `retrying`: (organization, when it is tried next), the next one first; `done`: hooks of the
    last day; `buried`: hooks given up; `oldest_waiting`: when the oldest unanswered hook came.
    `failing`: why the passes that are tried again failed last; `tasks`: conversations and contacts
    that wait; `failing_tasks`: those of which a try failed, buried ones too.
    """

    waiting: int
    running: int
    retrying: tuple[tuple[int, float], ...]
    buried: int
    done: int
    oldest_waiting: float | None
    failing: tuple[FailingPass, ...] = ()
    tasks: int = 0
    failing_tasks: tuple[TaskTrouble, ...] = ()
    lanes: Mapping[Lane, LaneLength] = field(default_factory=dict)

    @property
    def oldest_urgent(self) -> float | None:
        """Return when the oldest unanswered hook of the urgent lane came."""
        return self.lanes[Lane.URGENT].oldest_at if Lane.URGENT in self.lanes else None

    def count_waiting(self, lane: Lane) -> int:
        """Count the passes of a lane, those that are tried again too."""
        return self.lanes[lane].waiting if lane in self.lanes else 0


class Intake:
    """Keeps hooks, lists them and settles them. Every process may have an intake, which executes
    nothing."""

    def __init__(self, database: Engine, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._on_sqlite = database.dialect.name == "sqlite"
        self._commits = GroupCommit(self._keep_all)

    def accept(self, hook: Hook) -> str:
        """Keep the hook durably: "accepted", "duplicate" or "ignored".

        Raises `NotKept` when it is not sure that the hook was kept. If it was kept, the sender's
        repetition is a duplicate.
        """
        row = _make_row(hook, self._clock())
        if not self._keep(row):
            return "duplicate"
        return "ignored" if row.status == IGNORED else "accepted"

    def ring(self, organization: int, kind: str, hook_id: str = "") -> bool:
        """Keep an urgent hook of our own; returns False when its id was kept before.

        Without an id every call is a new one. Raises `NotKept`.
        """
        now = self._clock()
        return self._keep(InboxRow(hook_id or _make_id(kind), kind, organization, None, now, now))

    def line_up(
        self, organizations: Iterable[int], lane: Lane, kind: str = "", anew: bool = False
    ) -> int:
        """Line up a pass for each of these organizations, in this order; returns their number.

        `kind`: of the hooks that are kept for them, by default the lane's name. `anew`: a pass
        whose last try failed is tried at once, with all its tries. Many are kept in one
        transaction. Raises `NotKept`; organizations that were lined up until then stay so.
        """
        rest, count, kind = iter(organizations), 0, kind or lane.name.lower()
        while some := list(dict.fromkeys(islice(rest, LINED_UP_AT_ONCE))):
            batch = LineUp(some, lane, kind, _make_token(), self._clock())
            self._write(batch, some if anew else ())
            count += len(some)
        return count

    def _write(self, batch: LineUp, hastened: Collection[int]) -> None:
        try:
            with inbox.write_transaction(self._database, 0) as connection:
                lanes.lock_organizations(connection, batch.organizations)
                line_ups.insert_line_up(connection, batch)
                if hastened:
                    pass_states.forget_tries(connection, hastened)
        except TROUBLE as error:
            raise NotKept(type(error).__name__) from error

    def _keep(self, row: InboxRow) -> bool:
        try:
            # SQLite has one writer; PostgreSQL has many, and gathers their commits by itself.
            return bool(self._commits.submit(row) if self._on_sqlite else self._keep_all([row])[0])
        except TROUBLE as error:
            raise NotKept(type(error).__name__) from error

    def _keep_all(self, rows: Sequence[InboxRow]) -> list[int]:
        """Keep all rows in one transaction, or none; see `inbox.insert_hooks`."""
        with inbox.write_transaction(self._database, rows[0].organization or 0) as connection:
            return self._insert(connection, rows)

    def _insert(self, connection: Connection, rows: Sequence[InboxRow]) -> list[int]:
        """Insert the hooks, and a place in the lane for each organization that needs a pass."""
        numbers = inbox.insert_hooks(connection, rows)
        places = {
            row.organization: LanePlace(row.organization, str(uuid4()), Lane(row.lane), number)
            for row, number in zip(rows, numbers, strict=True)
            if number and row.organization and row.status == WAITING
        }
        lanes.take_places(connection, list(places.values()), self._clock())
        return numbers

    def stats(self) -> Stats:
        """Return the present counts and times of passes, hooks and tasks."""
        now = self._clock()
        with self._database.connect() as connection:
            counts = inbox.count_hooks(connection, now)
            states = pass_states.count_passes(connection, now)
            lengths = lanes.read_lanes(connection)
            return Stats(
                **asdict(states),
                **asdict(counts),
                oldest_waiting=_find_oldest(lengths),
                failing=tuple(pass_states.list_failing(connection)),
                tasks=tasks.count_asked(connection),
                failing_tasks=tuple(tasks.list_trouble(connection)),
                lanes=lengths,
            )

    def list_rung(self, kind: str, since: float) -> set[int]:
        """Return organizations of which a hook of this kind was kept since then, and not given
        up."""
        with self._database.connect() as connection:
            return inbox.list_rung(connection, kind, since)

    def list_buried(self, status: str = BURIED) -> list[BuriedHooks]:
        """Return hooks that were given up, the latest first; `status` SETTLED: those that were
        settled since."""
        with self._database.connect() as connection:
            return dead_letters.list_buried(connection, status)

    def dismiss(self, buried_id: str, person: str) -> bool:
        """Settle buried hooks on the word of `person`; returns False when no hook has this id."""
        with inbox.write_transaction(self._database, 0) as connection:
            return dead_letters.dismiss_hooks(connection, buried_id, person, self._clock())

    def replay(self, buried_id: str) -> bool:
        """Run a buried pass again (its id, or that of one of its hooks), with all its tries.

        Returns False for an unknown id, or a hook without an organization. For tasks, see
        `TaskIntake.replay`.
        """
        with self._database.connect() as connection:
            burial = dead_letters.find_buried(connection, buried_id)
        if burial is None:
            return False
        organization, pass_id = burial
        with inbox.write_transaction(self._database, organization) as connection:
            if not dead_letters.unbury_hooks(connection, pass_id):
                return False
            last = inbox.find_last_waiting(connection, organization)
            place = LanePlace(organization, str(uuid4()), Lane.URGENT, last)
            lanes.take_places(connection, [place], self._clock())
        return True


def _find_oldest(lengths: Mapping[Lane, LaneLength]) -> float | None:
    return min((length.oldest_at for length in lengths.values() if length.oldest_at), default=None)


def _make_id(kind: str) -> str:
    return f"{kind}:{uuid4()}"


def _make_token() -> str:
    """Make the first part of a pass's id; with the organization's number behind it, the id has at
    most 40 characters."""
    return secrets.token_hex(12)


def _make_row(hook: Hook, now: float) -> InboxRow:
    kind = find_kind(hook.kind)
    status, reason = WAITING, None
    if kind is None:
        status = IGNORED
    elif hook.organization is None:
        status, reason = BURIED, "no_organization"
    elif not kind.learns:
        status = DONE
    return InboxRow(
        hook_id=hook.id,
        kind=hook.kind,
        organization=hook.organization,
        subject=hook.subject,
        occurred_at=hook.occurred_at,
        received_at=now,
        status=status,
        reason=reason,
    )
