"""Keeping hooks: the journal is the record, DBOS Transact does the work behind four methods.

One transaction inserts the hook's row and, unless a pass of that organization waits already,
enqueues one. So an organization has one pass running and one waiting at most, and a thousand hooks
melt into a few. Nothing is executed here: that is `engine`.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from uuid import uuid4

from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer, EnqueueOptions, WorkflowStatus
from dbos import error as dbos_errors
from sqlalchemy import Connection
from sqlalchemy import Engine as Database
from sqlalchemy.exc import SQLAlchemyError

from panel.data import db, inbox
from panel.data.inbox import BURIED, DONE, IGNORED, WAITING, InboxRow
from panel.sync.events import find_kind
from panel.sync.group_commit import GroupCommit
from panel.sync.wire import Hook

log = logging.getLogger(__name__)

APPLICATION, PASS_QUEUE, PASS_WORKFLOW = "panel", "passes", "pass"
WARM_QUEUE, WARM_SECONDS = "warm", 60  # an organization is warmed once a minute at most
# A constant, never computed: work that another version began would be left lying (dependencies
# §1.5, trap 4).
VERSION = "1"
ACTIVE = ["ENQUEUED", "DELAYED", "PENDING"]
TROUBLE = (OSError, SQLAlchemyError, dbos_errors.DBOSException)


class NotKept(Exception):
    """The hook could not be kept: the sender has to bring it again."""


@dataclass(frozen=True)
class Stats:
    """Passes by state, hooks by outcome. Times: epoch seconds.

    `retrying`: (organization, when it is tried next), the next one first; `done`: hooks of the
    last day; `buried`: hooks given up; `oldest_waiting`: when the oldest unanswered hook came.
    """

    waiting: int
    running: int
    retrying: tuple[tuple[int, float], ...]
    buried: int
    done: int
    oldest_waiting: float | None


class Intake:
    """Keeps hooks and looks after them; every process may have one. Executes nothing."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._url = database.url.render_as_string(hide_password=False)
        self._on_sqlite = database.dialect.name == "sqlite"
        self._turns = GroupCommit(self._keep_all)
        self._client = DBOSClient(
            system_database_engine=database,
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
            retry_connection_errors=False,  # the door says 503 rather than wait
            lazy=True,
        )

    def migrate(self) -> None:
        """Create or update every table, the engine's too; many may do it at once."""
        db.migrate(self._database)
        DBOS.migrate(self._url)

    def accept(self, hook: Hook) -> str:
        """Keep the hook durably: "accepted", "duplicate" or "ignored".

        Raises `NotKept`: it was not, or in the worst case it was, and a repetition is a duplicate.
        """
        entry = _make_row(hook, self._clock())
        if not self._keep(entry):
            return "duplicate"
        return "ignored" if entry.status == IGNORED else "accepted"

    def line_up(self, organization: int, kind: str, hook_id: str = "") -> bool:
        """A ring of our own (`kind`: backfill, reconcile ...); False when its id was kept before.

        Without an id every call is a new one. Raises `NotKept`.
        """
        now = self._clock()
        return self._keep(
            InboxRow(hook_id or f"{kind}:{uuid4()}", kind, organization, None, now, now)
        )

    def enqueue_warming(self, organization: int) -> None:
        """Have the worker bring the kept copies up to date, soon; nothing is lost when it fails."""
        minute = int(self._clock() // WARM_SECONDS)
        options: EnqueueOptions = {
            "workflow_name": WARM_QUEUE,
            "workflow_id": f"{WARM_QUEUE}:{organization}:{minute}",
            "queue_name": WARM_QUEUE,
            "app_version": VERSION,
        }
        try:
            # In a transaction of ours: by itself the client waits for a locked file without end.
            with self._write(0) as connection:
                self._client.enqueue_in_transaction(connection, options, organization)
        except TROUBLE as error:
            log.info("organization %s is not warmed: %s", organization, type(error).__name__)

    def _keep(self, entry: InboxRow) -> bool:
        try:
            # SQLite has one writer; PostgreSQL has many, and gathers their commits by itself.
            return self._turns.submit(entry) if self._on_sqlite else self._keep_all([entry])[0]
        except TROUBLE as error:
            raise NotKept(type(error).__name__) from error

    def _keep_all(self, entries: Sequence[InboxRow]) -> list[bool]:
        """In one transaction; which of them are new. All are kept when this returns, or none is."""
        with self._write(entries[0].organization or 0) as connection:
            new = inbox.insert_hooks(connection, entries)
            kept = [entry for entry, is_new in zip(entries, new, strict=True) if is_new]
            self._enqueue_passes(connection, {e.organization for e in kept if e.status == WAITING})
        return new

    def _enqueue_passes(self, connection: Connection, organizations: Iterable[int | None]) -> None:
        wanted = {each: str(uuid4()) for each in organizations if each}
        for organization in inbox.mark_waiting(connection, wanted):
            self._enqueue(connection, organization, wanted[organization])

    def _enqueue_next(
        self, connection: Connection, organization: int, delay: float | None = None
    ) -> None:
        pass_id = str(uuid4())
        inbox.postpone_pass(connection, organization, pass_id)
        self._enqueue(connection, organization, pass_id, delay)

    def _enqueue(
        self, connection: Connection, organization: int, pass_id: str, delay: float | None = None
    ) -> None:
        options: EnqueueOptions = {
            "workflow_name": PASS_WORKFLOW,
            "workflow_id": pass_id,
            "queue_name": PASS_QUEUE,
            "queue_partition_key": str(organization),
            "app_version": VERSION,
        }
        if delay is not None:
            options["delay_seconds"] = delay
        self._client.enqueue_in_transaction(connection, options, organization)

    def _write(self, organization: int) -> AbstractContextManager[Connection]:
        return inbox.write_transaction(self._database, organization)

    def stats(self) -> Stats:
        """How things stand."""
        with self._database.connect() as connection:
            counts = inbox.count_hooks(connection, self._clock())
        passes = self._list_workflows(ACTIVE)
        retrying = [
            (int(one.queue_partition_key or 0), (one.delay_until_epoch_ms or 0) / 1000)
            for one in passes
            if one.status == "DELAYED"
        ]
        return Stats(
            waiting=sum(one.status == "ENQUEUED" for one in passes),
            running=sum(one.status == "PENDING" for one in passes),
            retrying=tuple(sorted(retrying, key=lambda one: one[1])),
            **asdict(counts),
        )

    def list_buried(self) -> list[inbox.BuriedHooks]:
        """What was given up, the latest first."""
        with self._database.connect() as connection:
            return inbox.list_buried(connection)

    def replay(self, buried_id: str) -> bool:
        """Run a buried pass again (its id, or that of one of its hooks), with all its tries.

        False when there is nothing to replay: an unknown id, or a hook without an organization.
        """
        with self._database.connect() as connection:
            found = inbox.find_buried(connection, buried_id)
        if found is None:
            return False
        organization, pass_id = found
        with self._write(organization) as connection:
            if not inbox.unbury_hooks(connection, pass_id):
                return False
            alone = inbox.mark_waiting(connection, {organization: pass_id})
        if alone:
            self._rewind(organization, pass_id)
        return True

    def _rewind(self, organization: int, pass_id: str) -> None:
        # Not `resume`: to a workflow that has ended it does nothing, and says nothing (trap 8). A
        # death right before this leaves waiting hooks without a pass, which `_mend` finds.
        key = str(organization)
        try:
            self._client.rewind_workflow(pass_id, queue_name=PASS_QUEUE, queue_partition_key=key)
        except dbos_errors.DBOSException:  # it is gone, or about to end: another one, then
            with self._write(organization) as connection:
                self._enqueue_next(connection, organization)

    def _list_workflows(self, states: list[str]) -> list[WorkflowStatus]:
        return self._client.list_workflows(
            status=states, name=PASS_WORKFLOW, load_input=False, load_output=False
        )


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
