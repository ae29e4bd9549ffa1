"""The worker: it runs passes and tasks by the durable engine (DBOS Transact), retries, buries.

A try that fails and may heal is done again by a further pass, which waits in its lane: between its
tries an organization occupies no thread and no slot.

Passes are executed by one process at a time, the leader: a web process (`inside`), or `sync
worker`. When it dies, the kernel or the database makes another one the leader.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dbos import (
    DBOS,
    DBOSConfig,
    DBOSPortableJSONSerializer,
    ScheduleInput,
    SetWorkflowID,
    StepOptions,
)
from dbos import error as dbos_errors
from filelock import Timeout
from sqlalchemy.exc import SQLAlchemyError

from panel.data import db, inbox, lanes
from panel.data.inbox import DAY_SECONDS, IDS_DAYS
from panel.data.leader import LEADER_POLL_SECONDS, lead
from panel.data.obstacles import explain
from panel.data.tasks import WARMING, Task
from panel.data.workers import BEAT_SECONDS, EXECUTING, HELD_BACK, STANDING_BY, Workers
from panel.logs import request_id
from panel.logs.events import LogThrottle
from panel.settings import Settings
from panel.sync.dispatcher import Dispatcher, Starts
from panel.sync.heartbeat import Heartbeat
from panel.sync.pass_queue import (
    APPLICATION,
    PASS_WORKFLOW,
    TASK_WORKFLOW,
    TROUBLE,
    VERSION,
    WARM_WORKFLOW,
    PassQueue,
)
from panel.sync.pass_runner import PassRunner
from panel.sync.rate_limit import working
from panel.sync.recovery import Recovery
from panel.sync.task_runner import TaskRunner
from panel.sync.tries import RETRY_WAITS, TryOutcome, run_try

log = logging.getLogger(__name__)
# With a handler of its own it leaves the console to ours; at its own level it tells its life story.
logging.getLogger("dbos").addHandler(logging.NullHandler())
logging.getLogger("dbos").setLevel(logging.WARNING)

# A constant, never computed: DBOS 3.4 leaves work lying that another executor began.
EXECUTOR = "panel"
DATABASE_REST_SECONDS = 5.0  # before asking a database again that is away
CONNECTIONS = 8  # of the engine to the database
FAILED = ["ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
# Our own bookkeeping must not fail because the database is busy or away for some minutes.
STUBBORN: StepOptions = {
    "retries_allowed": True,
    "interval_seconds": 0.5,
    "max_attempts": 12,
    "should_retry": lambda error: isinstance(error, OSError | SQLAlchemyError),
}
BringInLine = Callable[[int], None]
Reconcile = Callable[[], None] | None


def _warm_none(_organization: int) -> None:
    """For who has nothing to warm."""


def _do_none(_task: Task) -> None:
    """For who has no tasks."""


def _keep_none(_ended: threading.Event) -> None:
    """For who has no nights."""


def _is_yes(_task: object = None) -> bool:
    return True


@dataclass(frozen=True)
class Work:
    """What the executing process is to do.

    `do_task` and `bring_in_line` raise `TryLater` for what may heal, and other errors for what is
    buried; `is_due`: may a task be done now, or is somebody else at it; `may_write`: False when
    another installation writes into the account, and nothing is to be executed here. `recovery`
    hears of the calls that succeed. `reconcile` begins a night; `keep_nights` goes on with it, in a
    thread, until its event is set.
    """

    bring_in_line: BringInLine
    reconcile: Reconcile = None
    warm: BringInLine = _warm_none
    do_task: Callable[[Task], None] = _do_none
    is_due: Callable[[Task], bool] = _is_yes
    may_write: Callable[[], bool] = _is_yes
    recovery: Recovery = field(default_factory=Recovery)
    keep_nights: Callable[[threading.Event], None] = _keep_none


class PassBuried(Exception):
    """How a pass that was given up ends, for the engine's own list."""


class Worker:
    """Executes passes once `start` or `run` is called, whenever this process is the leader."""

    _grace_seconds = 5

    def __init__(
        self,
        settings: Settings,
        queue: PassQueue,
        waits: Sequence[float] = RETRY_WAITS,
        clock: Callable[[], float] = time.time,
        beat_seconds: float = BEAT_SECONDS,
    ) -> None:
        self._settings = settings
        self._queue = queue
        self._database = queue.database
        self._clock = clock
        self._beat_seconds = beat_seconds
        self._passes = PassRunner(queue.database, queue, waits, clock)
        self._tasks = TaskRunner(queue.database, queue, waits, clock)
        self._stopping = threading.Event()
        self._events = LogThrottle()
        self._thread: threading.Thread | None = None

    def start(
        self,
        bring_in_line: BringInLine,
        reconcile: Reconcile = None,
        warm: BringInLine = _warm_none,
    ) -> None:
        """`run` in a thread that does not keep the process alive."""
        self.start_work(Work(bring_in_line, reconcile, warm))

    def start_work(self, work: Work) -> None:
        """The same with tasks."""
        self._thread = threading.Thread(
            target=self.run_work, args=(work,), name="passes", daemon=True
        )
        self._thread.start()

    def stop(self, grace_seconds: int = 5) -> None:
        """End `run`; what still runs after the grace is done again by whoever comes next."""
        self._grace_seconds = grace_seconds
        self._stopping.set()
        if self._thread:
            self._thread.join()

    def run(
        self,
        bring_in_line: BringInLine,
        reconcile: Reconcile = None,
        warm: BringInLine = _warm_none,
    ) -> None:
        """Execute passes until `stop`, whenever this process is the leader; blocks.

        `bring_in_line(organization)` raises `TryLater` for what may heal; anything else is buried.
        `reconcile()` is called once a day, at night; `warm(organization)` after a customer wrote.
        """
        self.run_work(Work(bring_in_line, reconcile, warm))

    def run_work(self, work: Work, tell: Callable[[str], None] = lambda _: None) -> None:
        """The same with tasks. `tell` is called with each new state (`data.workers`)."""
        unsynced = db.connect_without_sync(self._database)
        heartbeat = Heartbeat(Workers(unsynced), work.may_write, tell, self._beat_seconds)
        heartbeat.start()
        try:
            while not self._stopping.is_set():
                self._stand_by(heartbeat, work)
        finally:
            heartbeat.stop()
            if unsynced is not self._database:
                unsynced.dispose()

    def _stand_by(self, heartbeat: Heartbeat, work: Work) -> None:
        """Until this process has been the leader for a while, or was told to stop."""
        heartbeat.say(STANDING_BY)
        try:
            with lead(self._database, self._stopping) as is_leader:
                while is_leader() and not self._stopping.is_set():
                    if heartbeat.may_write():
                        self._execute(is_leader, heartbeat, work)
                    else:
                        heartbeat.say(HELD_BACK)
                        self._stopping.wait(LEADER_POLL_SECONDS)
        except Timeout:
            return  # told to stop while another process was the leader
        except TROUBLE as error:
            why = explain(error, self._database) or type(error).__name__
            log.warning("no passes can be executed now: %s", why)
            self._stopping.wait(DATABASE_REST_SECONDS)

    def _execute(self, is_leader: Callable[[], bool], heartbeat: Heartbeat, work: Work) -> None:
        self._queue.migrate()  # else the look into it waits for its tables without end
        self._queue.take_over(EXECUTOR)
        DBOS(config=self._config())
        try:
            schedules, dispatcher = self._register(work, heartbeat.note_end)
            DBOS.launch()
            DBOS.apply_schedules(schedules)
            heartbeat.say(EXECUTING)
            with self._database.connect() as connection:
                work.recovery.suspect(lanes.list_failed_sides(connection))
            with self._keeping_nights(work):
                while is_leader() and not self._stopping.is_set() and heartbeat.may_write():
                    dispatcher.run(self._stopping, LEADER_POLL_SECONDS)
        finally:
            grace = self._grace_seconds
            DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=grace)

    @contextmanager
    def _keeping_nights(self, work: Work) -> Iterator[None]:
        """Its thread ends with the step that it is at, or with the process."""
        ended = threading.Event()

        def keep() -> None:
            with request_id.working():
                work.keep_nights(ended)

        thread = threading.Thread(target=keep, name="night", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(self._grace_seconds)

    def _config(self) -> DBOSConfig:
        config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_url": self._queue.url,
            "application_version": VERSION,
            "executor_id": EXECUTOR,
            "serializer": DBOSPortableJSONSerializer(),
            "sys_db_pool_size": CONNECTIONS,
            "log_level": "WARNING",
        }
        if self._database.dialect.name == "sqlite":
            config["db_engine_kwargs"] = {"pool_events": [(_set_durable, "connect")]}
        return config

    def _register(
        self, work: Work, note_end: Callable[[], None]
    ) -> tuple[list[ScheduleInput], Dispatcher]:
        @DBOS.workflow(name=PASS_WORKFLOW)
        def run_pass(organization: int) -> None:
            with self._entering(dispatcher, note_end):
                reason = self._run_pass(organization, work, dispatcher)
            if reason:
                raise PassBuried(reason)

        @DBOS.workflow(name=TASK_WORKFLOW)
        def run_task(kind: str, number: int) -> None:
            with self._entering(dispatcher, note_end):
                self._run_task(Task(kind, number), work, dispatcher)

        @DBOS.workflow(name=WARM_WORKFLOW)
        def warm(organization: int) -> None:
            """Of a program before the lanes."""
            work.warm(organization)

        @DBOS.workflow(name="sweep")
        def sweep(_at: datetime, _context: object) -> None:
            self.sweep()

        @DBOS.workflow(name="reconcile")
        def daily(_at: datetime, _context: object) -> None:
            if work.reconcile:
                with request_id.working():
                    work.reconcile()

        def begin_pass(organization: int, pass_id: str) -> None:
            with SetWorkflowID(pass_id):
                DBOS.start_workflow(run_pass, organization)

        def begin_task(task: Task, try_id: str) -> None:
            with SetWorkflowID(try_id):
                DBOS.start_workflow(run_task, task.kind, task.number)

        starts = Starts(begin_pass, begin_task)
        dispatcher = Dispatcher(self._database, starts, work.recovery, self._clock)
        nightly: ScheduleInput = {
            "schedule_name": "reconcile",
            "workflow_fn": daily,
            "schedule": "23 4 * * *",
            "cron_timezone": self._settings.timezone.key,
        }
        hourly: ScheduleInput = {
            "schedule_name": "sweep",
            "workflow_fn": sweep,
            "schedule": "7 * * * *",
        }
        return [hourly, nightly], dispatcher

    @contextmanager
    def _entering(self, dispatcher: Dispatcher, note_end: Callable[[], None]) -> Iterator[None]:
        try:
            with request_id.working():
                yield
        finally:
            dispatcher.leave(str(DBOS.workflow_id))
            note_end()

    def _run_pass(self, organization: int, work: Work, dispatcher: Dispatcher) -> str:
        """One try; returns why it was buried, or nothing.

        Three steps, each remembered by the engine: after a death it goes on behind the last one.
        """
        me, what = str(DBOS.workflow_id), f"organization {organization}: a pass"
        turn = dispatcher.enter_pass(organization, me)
        begun = DBOS.run_step(STUBBORN, self._passes.begin, organization, me)
        if not begun:
            return ""

        def bring() -> None:
            with working(turn):
                work.bring_in_line(organization)

        outcome = DBOS.run_step(None, run_try, what, bring)
        self._record_try("pass", outcome, work.recovery, organization=organization)
        return DBOS.run_step(STUBBORN, self._passes.settle, organization, me, begun, outcome)

    def _run_task(self, task: Task, work: Work, dispatcher: Dispatcher) -> None:
        """As `_run_pass`."""
        me = str(DBOS.workflow_id)
        turn = dispatcher.enter_task(me)
        if not DBOS.run_step(STUBBORN, self._tasks.begin, task, me):
            return
        if not DBOS.run_step(STUBBORN, work.is_due, task):
            DBOS.run_step(STUBBORN, self._tasks.postpone, task)
            return

        def do() -> None:
            with working(turn):
                work.warm(task.number) if task.kind == WARMING else work.do_task(task)

        outcome = DBOS.run_step(None, run_try, f"{task.subject}: a task", do)
        self._record_try("task", outcome, work.recovery, subject=task.subject)
        DBOS.run_step(STUBBORN, self._tasks.settle, task, me, outcome)

    def _record_try(
        self, kind: str, outcome: TryOutcome, recovery: Recovery, **ids: object
    ) -> None:
        """One line for each: what was done, of whom, and why not."""
        reason = outcome["reason"]
        if outcome["later"]:
            recovery.note_failure(outcome.get("side", ""))
        if reason:
            words, write = f"a try of a {kind} failed", log.warning
        else:
            words, write = f"a {kind} is done", log.info
        self._events.record(write, words, **ids, reason=reason)

    def sweep(self) -> None:
        """Once an hour: remove what is old, here and in the engine; see to what lost its try."""
        self._passes.bury_lost()
        self._tasks.revive_lost()
        self._queue.adopt_former()
        keep_days, now = self._settings.keep_days, self._clock()
        more = True
        while more:
            with inbox.write_transaction(self._database, 0) as connection:
                more = inbox.delete_old_hooks(connection, keep_days, now)
        # What went well is worth nothing to the engine: the journal is the record.
        self._queue.delete_finished(["SUCCESS"], _format_time(now - DAY_SECONDS))
        kept = max(keep_days, IDS_DAYS) * DAY_SECONDS
        self._queue.delete_finished(FAILED, _format_time(now - kept))


def _is_news(line: logging.LogRecord) -> bool:
    """The engine tells of each pass that it did not end well, with a trace of its own inside.

    That one was buried we say ourselves. One that the end of a process cut off is nobody's fault.
    """
    error = line.exc_info[1] if line.exc_info else None
    if isinstance(error, dbos_errors.DBOSException):
        line.msg, line.args, line.exc_info = "a pass was cut off, it is done again", (), None
    return not isinstance(error, PassBuried)


logging.getLogger("dbos").addFilter(_is_news)


def _format_time(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat()


def _set_durable(connection: Any, _record: object) -> None:
    # DBOS leaves it to how SQLite was built (trap 6); the journal mode is the file's own, WAL.
    connection.execute("PRAGMA synchronous=FULL")
