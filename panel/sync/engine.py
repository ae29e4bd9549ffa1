"""The durable engine. The journal is the record, DBOS Transact does the work; nobody else names it.

The door: one transaction inserts the hook's row and, unless a pass of that organization waits
already, enqueues one. So an organization has one pass running and one waiting at most, and a
thousand hooks melt into a few. A try that fails and may heal is done again by a further pass, which
the engine holds back durably: between its tries an organization occupies no thread and no slot.

Passes are executed by one process at a time, whoever holds the lease: a web process (`inside`), or
`sync worker`. When it dies, the kernel or the database hands the lease on, and the work with it.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypedDict
from uuid import uuid4

from dbos import (
    DBOS,
    DBOSClient,
    DBOSConfig,
    DBOSPortableJSONSerializer,
    EnqueueOptions,
    ScheduleInput,
    StepOptions,
    WorkflowStatus,
)
from dbos import error as dbos_errors
from filelock import FileLock, Timeout
from sqlalchemy import Connection, text
from sqlalchemy import Engine as Database
from sqlalchemy.exc import SQLAlchemyError

from panel import journal
from panel.errors import GiveUp, TryLater
from panel.journal import BURIED, DAY, DONE, IDS_DAYS, IGNORED, WAITING, Entry
from panel.settings import Settings
from panel.sync.events import find
from panel.sync.wire import Hook

log = logging.getLogger(__name__)
# With a handler of its own it leaves the console to ours; at its own level it tells its life story.
logging.getLogger("dbos").addHandler(logging.NullHandler())
logging.getLogger("dbos").setLevel(logging.WARNING)

APPLICATION, PASSES, PASS = "panel", "passes", "pass"
WARM, WARM_SECONDS = "warm", 60  # an organization is warmed once a minute at most
# Constants, never computed: work that another version or executor began would be left lying
# (dependencies §1.5, traps 3 and 4).
EXECUTOR, VERSION = "panel", "1"
# Seconds between the tries of an organization: more than 24 h in all, and never more than a good
# hour late once the trouble is over. Each is longer by up to JITTER, so that a thousand spread.
WAITS = (15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 2400.0, *[3600.0] * 23)
JITTER = 0.25
POLL_SECONDS = 0.4
AT_ONCE = 16  # passes that run at once; one that waits for its next try is none of them
REST_SECONDS = 5.0  # before asking a database again that is away
LEASE_SECONDS = 1.0  # how often one asks for the lease, and how often its holder looks at it
LEASE_KEY = 7_242_002  # on PostgreSQL, where it is an advisory lock: any constant of ours
ACTIVE = ["ENQUEUED", "DELAYED", "PENDING"]
FAILED = ["ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
TROUBLE = (OSError, SQLAlchemyError, dbos_errors.DBOSException)
# Of the session that holds the lease: a machine that vanished must not hold it for hours.
KEEPALIVES = ("tcp_keepalives_idle = 10", "tcp_keepalives_interval = 5", "tcp_keepalives_count = 3")
# Our own bookkeeping must not fail because the database is busy or away for some minutes.
STUBBORN: StepOptions = {
    "retries_allowed": True,
    "interval_seconds": 0.5,
    "max_attempts": 12,
    "should_retry": lambda error: isinstance(error, OSError | SQLAlchemyError),
}
BringInLine = Callable[[int], None]
Reconcile = Callable[[], None] | None


def _ignore(_organization: int) -> None:
    """For who has nothing to warm."""


@dataclass(frozen=True)
class Work:
    """What the executing process is to do."""

    bring_in_line: BringInLine
    reconcile: Reconcile
    warm: BringInLine


class NotKept(Exception):
    """The hook could not be kept: the sender has to bring it again."""


class Buried(Exception):
    """How a pass that was given up ends, for the engine's own list."""


class _Outcome(TypedDict):
    """What came of a try: `reason` is empty when it went well; `later`: trying again may help."""

    reason: str
    later: bool
    retry_at: float | None


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


class Door:
    """Keeps hooks and looks after them; every process may have one. Executes nothing."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._url = database.url.render_as_string(hide_password=False)
        self._on_sqlite = database.dialect.name == "sqlite"
        self._client = DBOSClient(
            system_database_engine=database,
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
            retry_connection_errors=False,  # the door says 503 rather than wait
            lazy=True,
        )

    def migrate(self) -> None:
        """Create or update the engine's own tables, after `db.migrate`; many may do it at once."""
        DBOS.migrate(self._url)

    def accept(self, hook: Hook) -> str:
        """Keep the hook durably: "accepted", "duplicate" or "ignored".

        Raises `NotKept`: it was not, or in the worst case it was, and a repetition is a duplicate.
        """
        entry = _entry(hook, self._clock())
        if not self._keep(entry):
            return "duplicate"
        return "ignored" if entry.status == IGNORED else "accepted"

    def line_up(self, organization: int, kind: str, hook_id: str = "") -> bool:
        """A ring of our own (`kind`: backfill, reconcile ...); False when its id was kept before.

        Without an id every call is a new one. Raises `NotKept`.
        """
        now = self._clock()
        return self._keep(Entry(hook_id or f"{kind}:{uuid4()}", kind, organization, None, now, now))

    def warm(self, organization: int) -> None:
        """Have the worker bring the kept copies up to date, soon; nothing is lost when it fails."""
        minute = int(self._clock() // WARM_SECONDS)
        options: EnqueueOptions = {
            "workflow_name": WARM,
            "workflow_id": f"{WARM}:{organization}:{minute}",
            "queue_name": WARM,
            "app_version": VERSION,
        }
        try:
            # In a transaction of ours: by itself the client waits for a locked file without end.
            with self._writing(0) as connection:
                self._client.enqueue_in_transaction(connection, options, organization)
        except TROUBLE as error:
            log.info("organization %s is not warmed: %s", organization, type(error).__name__)

    def _keep(self, entry: Entry) -> bool:
        try:
            with self._writing(entry.organization or 0) as connection:
                new = journal.keep(connection, entry) is not None
                if new and entry.status == WAITING and entry.organization:
                    self._want(connection, entry.organization)
        except TROUBLE as error:
            raise NotKept(type(error).__name__) from error
        return new

    def _want(self, connection: Connection, organization: int) -> None:
        pass_id = str(uuid4())
        if journal.wait(connection, organization, pass_id):
            self._enqueue(connection, organization, pass_id)

    def _next(self, connection: Connection, organization: int, delay: float | None = None) -> None:
        pass_id = str(uuid4())
        journal.postpone(connection, organization, pass_id)
        self._enqueue(connection, organization, pass_id, delay)

    def _enqueue(
        self, connection: Connection, organization: int, pass_id: str, delay: float | None = None
    ) -> None:
        options: EnqueueOptions = {
            "workflow_name": PASS,
            "workflow_id": pass_id,
            "queue_name": PASSES,
            "queue_partition_key": str(organization),
            "app_version": VERSION,
        }
        if delay is not None:
            options["delay_seconds"] = delay
        self._client.enqueue_in_transaction(connection, options, organization)

    def _writing(self, organization: int) -> AbstractContextManager[Connection]:
        return journal.writing(self._database, organization)

    def stats(self) -> Stats:
        """How things stand."""
        with self._database.connect() as connection:
            counts = journal.counts(connection, self._clock())
        passes = self._passes(ACTIVE)
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

    def buried(self) -> list[journal.Buried]:
        """What was given up, the latest first."""
        with self._database.connect() as connection:
            return journal.buried(connection)

    def replay(self, buried_id: str) -> bool:
        """Run a buried pass again (its id, or that of one of its hooks), with all its tries.

        False when there is nothing to replay: an unknown id, or a hook without an organization.
        """
        with self._database.connect() as connection:
            found = journal.find_buried(connection, buried_id)
        if found is None:
            return False
        organization, pass_id = found
        with self._writing(organization) as connection:
            if not journal.put_back(connection, pass_id):
                return False
            alone = journal.wait(connection, organization, pass_id)
        if alone:
            self._rewind(organization, pass_id)
        return True

    def _rewind(self, organization: int, pass_id: str) -> None:
        # Not `resume`: to a workflow that has ended it does nothing, and says nothing (trap 8). A
        # death right before this leaves waiting hooks without a pass, which `_mend` finds.
        key = str(organization)
        try:
            self._client.rewind_workflow(pass_id, queue_name=PASSES, queue_partition_key=key)
        except dbos_errors.DBOSException:  # it is gone, or about to end: another one, then
            with self._writing(organization) as connection:
                self._next(connection, organization)

    def _passes(self, states: list[str]) -> list[WorkflowStatus]:
        return self._client.list_workflows(
            status=states, name=PASS, load_input=False, load_output=False
        )


class Engine(Door):
    """The door of this process, and the one that executes passes once `start` or `run` is called.

    That is one process at a time: two with one executor id would do all work twice (trap 2).
    """

    _grace_seconds = 5

    def __init__(
        self,
        settings: Settings,
        database: Database,
        waits: Sequence[float] = WAITS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(database, clock)
        self._settings = settings
        self._waits = waits
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(
        self, bring_in_line: BringInLine, reconcile: Reconcile = None, warm: BringInLine = _ignore
    ) -> None:
        """`run` in a thread that does not keep the process alive."""
        self._thread = threading.Thread(
            target=self.run, args=(bring_in_line, reconcile, warm), name="passes", daemon=True
        )
        self._thread.start()

    def stop(self, grace_seconds: int = 5) -> None:
        """End `run`; what still runs after the grace is done again by whoever comes next."""
        self._grace_seconds = grace_seconds
        self._stopping.set()
        if self._thread:
            self._thread.join()

    def run(
        self, bring_in_line: BringInLine, reconcile: Reconcile = None, warm: BringInLine = _ignore
    ) -> None:
        """Execute passes until `stop`, whenever this process has the lease; blocks.

        `bring_in_line(organization)` raises `TryLater` for what may heal; anything else is buried.
        `reconcile()` is called once a day, at night; `warm(organization)` after a customer wrote.
        """
        while not self._stopping.is_set():
            try:
                with self._lease() as held:
                    self._execute(held, Work(bring_in_line, reconcile, warm))
            except Timeout:
                continue  # told to stop while another process had the lease
            except TROUBLE as error:
                log.warning("no passes can be executed now: %s", type(error).__name__)
                self._stopping.wait(REST_SECONDS)

    @contextmanager
    def _lease(self) -> Iterator[Callable[[], bool]]:
        """Held by one process at most: two with one executor id would do all work twice (trap 2).

        Yields a look at whether it is still held.
        """
        told = self._stopping
        if self._on_sqlite:
            lock = FileLock(f"{self._database.url.database}.executing.lock")
            with lock.acquire(poll_interval=LEASE_SECONDS, cancel_check=told.is_set):
                yield lambda: True
            return
        with self._database.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            for setting in KEEPALIVES:
                connection.execute(text(f"SET {setting}"))
            while not connection.scalar(text(f"SELECT pg_try_advisory_lock({LEASE_KEY})")):
                if told.wait(LEASE_SECONDS):
                    raise Timeout(PASSES)
            try:
                yield partial(_answers, connection)
            finally:
                connection.invalidate()  # the end of the session is what gives the lease back

    def _execute(self, held: Callable[[], bool], work: Work) -> None:
        self._client.register_queue(
            PASSES,
            partition_concurrency=1,
            worker_concurrency=AT_ONCE,
            polling_interval_sec=POLL_SECONDS,
        )
        self._client.register_queue(WARM, worker_concurrency=AT_ONCE // 4, polling_interval_sec=1.0)
        DBOS(config=self._config())
        try:
            schedules = self._register(work)
            DBOS.launch()
            DBOS.apply_schedules(schedules)
            self._take_over()
            while held() and not self._stopping.wait(LEASE_SECONDS):
                pass
        finally:
            grace = self._grace_seconds
            DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=grace)

    def _config(self) -> DBOSConfig:
        config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_url": self._url,
            "application_version": VERSION,
            "executor_id": EXECUTOR,
            "serializer": DBOSPortableJSONSerializer(),
            "sys_db_pool_size": AT_ONCE // 2,
            "log_level": "WARNING",
        }
        if self._on_sqlite:
            config["db_engine_kwargs"] = {"pool_events": [(_durable, "connect")]}
        return config

    def _register(self, work: Work) -> list[ScheduleInput]:
        @DBOS.workflow(name=PASS)
        def run_pass(organization: int) -> None:
            reason = self._pass(organization, work.bring_in_line)
            if reason:
                raise Buried(reason)

        @DBOS.workflow(name="sweep")
        def sweep(_at: datetime, _context: object) -> None:
            self.sweep()

        @DBOS.workflow(name="reconcile")
        def daily(_at: datetime, _context: object) -> None:
            if work.reconcile:
                work.reconcile()

        @DBOS.workflow(name=WARM)
        def warm(organization: int) -> None:
            work.warm(organization)

        nightly: ScheduleInput = {
            "schedule_name": "reconcile",
            "workflow_fn": daily,
            "schedule": "23 4 * * *",
            "cron_timezone": self._settings.timezone.key,
        }
        return [
            {"schedule_name": "sweep", "workflow_fn": sweep, "schedule": "7 * * * *"},
            nightly,
        ]

    def _take_over(self) -> None:
        # We hold the lease, so whoever began these is dead, and blocks its organizations (trap 3).
        # Those of our own id the engine takes up by itself.
        left = [one.workflow_id for one in self._passes(["PENDING"]) if one.executor_id != EXECUTOR]
        if left:
            self._client.resume_workflows(left, queue_name=PASSES)

    def _pass(self, organization: int, bring_in_line: BringInLine) -> str:
        """One try; returns why it was buried, or nothing.

        Three steps, each remembered by the engine: after a death it goes on behind the last one.
        """
        me = str(DBOS.workflow_id)
        begun = DBOS.run_step(STUBBORN, self._begin, organization, me)
        if not begun:
            return ""
        outcome = DBOS.run_step(None, _try, organization, bring_in_line)
        return DBOS.run_step(STUBBORN, self._settle, organization, me, begun, outcome)

    def _begin(self, organization: int, me: str) -> list[int]:
        with self._writing(organization) as connection:
            return list(journal.begin(connection, organization, me) or ())

    def _settle(self, organization: int, me: str, begun: list[int], outcome: _Outcome) -> str:
        through, first = begun
        with self._writing(organization) as connection:
            if not outcome["reason"]:
                journal.done(connection, organization, through, self._clock())
                return ""
            if outcome["later"] and self._try_again(connection, organization, outcome["retry_at"]):
                return ""
            # Only those that were there at the first try have had all of them; the younger ones get
            # their own.
            log.warning("organization %s: buried: %s", organization, outcome["reason"])
            reason, now = outcome["reason"], self._clock()
            if journal.bury(connection, organization, first, reason, me, now):
                self._want(connection, organization)
            return reason

    def _try_again(self, connection: Connection, organization: int, retry_at: float | None) -> bool:
        tries = journal.failed(connection, organization)
        if tries > len(self._waits):
            return False
        asked = (retry_at or 0.0) - self._clock()  # of us, by who refused (Retry-After)
        spread = 1 + random.uniform(0, JITTER)  # noqa: S311 (spreads load, hides nothing)
        delay = max(self._waits[tries - 1], min(asked, self._waits[-1])) * spread
        self._next(connection, organization, delay)
        return True

    def sweep(self) -> None:
        """Once an hour: remove what is old, here and in the engine; bury what lost its pass."""
        self._mend()
        keep_days, now = self._settings.keep_days, self._clock()
        more = True
        while more:
            with self._writing(0) as connection:
                more = journal.sweep(connection, keep_days, now)
        # What went well is worth nothing to the engine: the journal is the record.
        self._forget(["SUCCESS"], now - DAY)
        self._forget(FAILED, now - max(keep_days, IDS_DAYS) * DAY)

    def _forget(self, states: list[str], before: float) -> None:
        until = datetime.fromtimestamp(before, UTC).isoformat()
        while old := self._client.list_workflows(
            status=states, completed_before=until, limit=500, load_input=False, load_output=False
        ):
            self._client.delete_workflows([one.workflow_id for one in old])

    def _mend(self) -> None:
        """A pass that was cancelled, or that killed its process again and again, leaves hooks."""
        with self._database.connect() as connection:
            waiting = journal.waiting(connection)
        # In this order: a pass of theirs that has ended by now has settled them first.
        living = {one.workflow_id: one.queue_partition_key for one in self._passes(ACTIVE)}
        for organization in waiting.keys() - {int(key or 0) for key in living.values()}:
            through, now = waiting[organization], self._clock()
            with self._writing(organization) as connection:
                last = journal.clear(connection, organization, living) or str(uuid4())
                journal.bury(connection, organization, through, "lost its pass", last, now)


def _entry(hook: Hook, now: float) -> Entry:
    kind = find(hook.kind)
    status, reason = WAITING, None
    if kind is None:
        status = IGNORED
    elif hook.organization is None:
        status, reason = BURIED, "no_organization"
    elif not kind.learns:
        status = DONE
    return Entry(
        hook_id=hook.id,
        kind=hook.kind,
        organization=hook.organization,
        subject=hook.subject,
        occurred_at=hook.occurred_at,
        received_at=now,
        status=status,
        reason=reason,
    )


def _try(organization: int, bring_in_line: BringInLine) -> _Outcome:
    try:
        bring_in_line(organization)
    except TryLater as error:
        return {"reason": str(error), "later": True, "retry_at": error.retry_at}
    except GiveUp as error:
        return {"reason": str(error), "later": False, "retry_at": None}
    except Exception as error:
        # Its text may hold anything: people see the kind of it, the log has the rest.
        log.exception("organization %s: a pass broke", organization)
        return {"reason": f"unexpected {type(error).__name__}", "later": False, "retry_at": None}
    return {"reason": "", "later": False, "retry_at": None}


def _answers(connection: Connection) -> bool:
    try:
        return bool(connection.scalar(text("SELECT 1")))
    except SQLAlchemyError:
        return False


def _durable(connection: Any, _record: object) -> None:
    # DBOS leaves it to how SQLite was built (trap 6); the journal mode is the file's own, WAL.
    connection.execute("PRAGMA synchronous=FULL")
