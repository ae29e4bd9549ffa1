"""The intake of the transactional inbox: keep a hook and enqueue its pass in one transaction.

So an organization has one pass running and one waiting at most, and a thousand hooks melt into a
few. Nothing is executed here: that is `worker`.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from uuid import uuid4

from sqlalchemy import Engine

from panel.data import dead_letters, inbox, tasks
from panel.data.dead_letters import BuriedHooks
from panel.data.inbox import BURIED, DONE, IGNORED, WAITING, FailingPass, InboxRow
from panel.data.tasks import TaskTrouble
from panel.logs.events import LogThrottle
from panel.sync.events import find_kind
from panel.sync.group_commit import GroupCommit
from panel.sync.pass_queue import ACTIVE, TROUBLE, PassQueue
from panel.sync.wire import Hook

log = logging.getLogger(__name__)

WARM_SECONDS = 60  # an organization is warmed once a minute at most


class NotKept(Exception):
    """The hook or the task could not be kept: the sender has to bring it again."""


@dataclass(frozen=True)
class Stats:
    """Passes by state, hooks by outcome. Times: epoch seconds.

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


class Intake:
    """Keeps hooks and looks after them; every process may have one. Executes nothing."""

    def __init__(
        self, database: Engine, queue: PassQueue, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._queue = queue
        self._clock = clock
        self._on_sqlite = database.dialect.name == "sqlite"
        self._commits = GroupCommit(self._keep_all)
        self._events = LogThrottle()

    def accept(self, hook: Hook) -> str:
        """Keep the hook durably: "accepted", "duplicate" or "ignored".

        Raises `NotKept`: it was not, or in the worst case it was, and a repetition is a duplicate.
        """
        row = _make_row(hook, self._clock())
        if not self._keep(row):
            return "duplicate"
        return "ignored" if row.status == IGNORED else "accepted"

    def line_up(self, organization: int, kind: str, hook_id: str = "") -> bool:
        """A ring of our own (`kind`: backfill, reconcile ...); False when its id was kept before.

        Without an id every call is a new one. Raises `NotKept`.
        """
        now = self._clock()
        hook_id = hook_id or f"{kind}:{uuid4()}"
        return self._keep(InboxRow(hook_id, kind, organization, None, now, now))

    def hasten(self, organization: int) -> None:
        """A pass that waits for its next try is tried now, with all its tries. Raises `NotKept`."""
        try:
            with inbox.write_transaction(self._database, organization) as connection:
                if inbox.forget_tries(connection, organization):
                    # In the place of the one that waits, which finds nothing to do later.
                    self._queue.enqueue_next(connection, organization)
        except TROUBLE as error:
            raise NotKept(type(error).__name__) from error

    def enqueue_warming(self, organization: int) -> None:
        """Have the worker bring the kept copies up to date, soon; nothing is lost when it fails."""
        minute = int(self._clock() // WARM_SECONDS)
        try:
            # In a transaction of ours: by itself the client waits for a locked file without end.
            with inbox.write_transaction(self._database, 0) as connection:
                name = f"warm:{organization}:{minute}"
                self._queue.enqueue_warming(connection, organization, name)
        except TROUBLE as error:
            ids = {"organization": organization, "error": type(error).__name__}
            self._events.record(log.info, "an organization is not warmed", **ids)

    def _keep(self, row: InboxRow) -> bool:
        try:
            # SQLite has one writer; PostgreSQL has many, and gathers their commits by itself.
            return self._commits.submit(row) if self._on_sqlite else self._keep_all([row])[0]
        except TROUBLE as error:
            raise NotKept(type(error).__name__) from error

    def _keep_all(self, rows: Sequence[InboxRow]) -> list[bool]:
        """In one transaction; which of them are new. All are kept when this returns, or none is."""
        with inbox.write_transaction(self._database, rows[0].organization or 0) as connection:
            new = inbox.insert_hooks(connection, rows)
            kept = [row for row, is_new in zip(rows, new, strict=True) if is_new]
            waiting = {row.organization for row in kept if row.status == WAITING}
            self._queue.enqueue_passes(connection, waiting)
        return new

    def stats(self) -> Stats:
        """How things stand."""
        with self._database.connect() as connection:
            counts = inbox.count_hooks(connection, self._clock())
            failing = tuple(inbox.list_failing(connection))
            failing_tasks = tuple(tasks.list_trouble(connection))
            asked = len(tasks.list_begun(connection))
        passes = self._queue.list_passes(ACTIVE)
        retrying = [
            (int(each.queue_partition_key or 0), (each.delay_until_epoch_ms or 0) / 1000)
            for each in passes
            if each.status == "DELAYED"
        ]
        return Stats(
            waiting=sum(each.status == "ENQUEUED" for each in passes),
            running=sum(each.status == "PENDING" for each in passes),
            retrying=tuple(sorted(retrying, key=lambda row: row[1])),
            **asdict(counts),
            failing=failing,
            tasks=asked,
            failing_tasks=failing_tasks,
        )

    def list_rung(self, kind: str, since: float) -> set[int]:
        """Organizations of which a hook of this kind was kept since then, and not given up."""
        with self._database.connect() as connection:
            return inbox.list_rung(connection, kind, since)

    def list_buried(self, status: str = BURIED) -> list[BuriedHooks]:
        """What was given up, the latest first; `status` SETTLED: what is settled since."""
        with self._database.connect() as connection:
            return dead_letters.list_buried(connection, status)

    def dismiss(self, buried_id: str, who: str) -> bool:
        """Settle what was given up, because `who` says so; False when there is no such thing."""
        with inbox.write_transaction(self._database, 0) as connection:
            return dead_letters.dismiss_hooks(connection, buried_id, who, self._clock())

    def replay(self, buried_id: str) -> bool:
        """Run a buried pass again (its id, or that of one of its hooks), with all its tries.

        False when there is nothing to replay: an unknown id, or a hook without an organization. For
        tasks, see `TaskIntake.replay`.
        """
        with self._database.connect() as connection:
            found = dead_letters.find_buried(connection, buried_id)
        if found is None:
            return False
        organization, pass_id = found
        with inbox.write_transaction(self._database, organization) as connection:
            if not dead_letters.unbury_hooks(connection, pass_id):
                return False
            is_alone = inbox.mark_waiting(connection, {organization: pass_id})
        # A death right before this leaves waiting hooks without a pass: the worker's sweep finds
        # them.
        if is_alone and not self._queue.rewind(organization, pass_id):
            with inbox.write_transaction(self._database, organization) as connection:
                self._queue.enqueue_next(connection, organization)
        return True


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
