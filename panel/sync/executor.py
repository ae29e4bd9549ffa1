"""The executor: the durable engine (DBOS Transact) in the process that executes passes and tasks.

A try that fails and may heal is done again by a further pass, which waits in its lane: between its
tries an organization occupies no thread and no slot.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
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
from sqlalchemy.exc import SQLAlchemyError

from panel.data.tasks import WARMING, Task
from panel.logs import request_id
from panel.logs.events import LogThrottle
from panel.settings import Settings
from panel.sync.dispatcher import Dispatcher, Starts
from panel.sync.pass_queue import (
    APPLICATION,
    PASS_WORKFLOW,
    TASK_WORKFLOW,
    VERSION,
    WARM_WORKFLOW,
    PassQueue,
)
from panel.sync.pass_runner import PassRunner
from panel.sync.rate_limit import working
from panel.sync.recovery import Recovery
from panel.sync.sweep import Sweep
from panel.sync.task_runner import TaskRunner
from panel.sync.tries import RETRY_WAITS, TryOutcome, run_try
from panel.sync.work import Work

log = logging.getLogger(__name__)
# Without a handler of its own DBOS writes to the console; at its default level it logs every
# detail.
logging.getLogger("dbos").addHandler(logging.NullHandler())
logging.getLogger("dbos").setLevel(logging.WARNING)

# A constant: DBOS 3.4 recovers only the work of an executor with the same id.
EXECUTOR = "panel"
CONNECTIONS = 8  # of the engine to the database
# Between two looks of a thread of the engine for messages to workflows. We send none, so the looks
# cost no query; but the engine ends only after the thread's next look.
LISTENER_POLL_SECONDS = 0.1
# Our own bookkeeping must not fail because the database is busy or away for some minutes.
STUBBORN: StepOptions = {
    "retries_allowed": True,
    "interval_seconds": 0.5,
    "max_attempts": 12,
    "should_retry": lambda error: isinstance(error, OSError | SQLAlchemyError),
}


Enter = Callable[[], AbstractContextManager[Dispatcher]]


class PassBuried(Exception):
    """Ends the workflow of a pass that was given up: the engine lists it as failed."""


class Executor:
    """Between `launch` and `destroy` this process executes what the dispatcher begins.

    `failure`: the engine's own errors, which every method may raise beside `TROUBLE`.
    """

    failure = dbos_errors.DBOSException

    def __init__(
        self,
        settings: Settings,
        queue: PassQueue,
        waits: Sequence[float] = RETRY_WAITS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._queue = queue
        self._clock = clock
        database = queue.database
        self._passes = PassRunner(database, queue, waits, clock)
        self._tasks = TaskRunner(database, queue, waits, clock)
        self.sweep = Sweep(database, queue, self._passes, self._tasks, settings.keep_days, clock)
        self._events = LogThrottle()

    def prepare(self) -> None:
        """Prepare `launch`; only the leader may."""
        self._queue.migrate()  # without its tables, `take_over` would wait for ever
        self._queue.take_over(EXECUTOR)

    def launch(self, work: Work, note_end: Callable[[], None]) -> Dispatcher:
        """`note_end` is called when a try has ended. `destroy` has to follow, also where this
        raises."""
        DBOS(config=self.make_config())
        schedules, dispatcher = self._register(work, note_end)
        DBOS.launch()
        DBOS.apply_schedules(schedules)
        return dispatcher

    def destroy(self, grace_seconds: int) -> None:
        """End the engine; work that still runs after the grace is done again by the next leader."""
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=grace_seconds)

    def make_config(self) -> DBOSConfig:
        config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_url": self._queue.url,
            "application_version": VERSION,
            "executor_id": EXECUTOR,
            "serializer": DBOSPortableJSONSerializer(),
            "sys_db_pool_size": CONNECTIONS,
            "log_level": "WARNING",
            "notification_listener_polling_interval_sec": LISTENER_POLL_SECONDS,
        }
        if self._queue.database.dialect.name == "sqlite":
            config["db_engine_kwargs"] = {"pool_events": [(_set_durable, "connect")]}
        return config

    def _register(
        self, work: Work, note_end: Callable[[], None]
    ) -> tuple[list[ScheduleInput], Dispatcher]:
        @contextmanager
        def enter() -> Iterator[Dispatcher]:
            """The context of a try; the dispatcher is there before the first one begins."""
            try:
                with request_id.working():
                    yield dispatcher
            finally:
                dispatcher.leave(str(DBOS.workflow_id))
                note_end()

        starts = Starts(self._register_passes(work, enter), self._register_tasks(work, enter))
        dispatcher = Dispatcher(self._queue.database, starts, work.recovery, self._clock)
        return [self._register_sweep(), self._register_reconcile(work)], dispatcher

    def _register_passes(self, work: Work, enter: Enter) -> Callable[[int, str], None]:
        """Register the workflow of a pass; returns how to begin one."""

        @DBOS.workflow(name=PASS_WORKFLOW)
        def run_pass(organization: int) -> None:
            with enter() as dispatcher:
                reason = self._run_pass(organization, work, dispatcher)
            if reason:
                raise PassBuried(reason)

        @DBOS.workflow(name=WARM_WORKFLOW)
        def warm(organization: int) -> None:
            """Run a workflow that a version from before the lanes has enqueued."""
            work.warm(organization)

        def begin(organization: int, pass_id: str) -> None:
            with SetWorkflowID(pass_id):
                DBOS.start_workflow(run_pass, organization)

        return begin

    def _register_tasks(self, work: Work, enter: Enter) -> Callable[[Task, str], None]:
        """Register the workflow of a task; returns how to begin a try of one."""

        @DBOS.workflow(name=TASK_WORKFLOW)
        def run_task(kind: str, number: int) -> None:
            with enter() as dispatcher:
                self._run_task(Task(kind, number), work, dispatcher)

        def begin(task: Task, try_id: str) -> None:
            with SetWorkflowID(try_id):
                DBOS.start_workflow(run_task, task.kind, task.number)

        return begin

    def _register_sweep(self) -> ScheduleInput:
        @DBOS.workflow(name="sweep")
        def sweep(_at: datetime, _context: object) -> None:
            self.sweep.run()

        return {"schedule_name": "sweep", "workflow_fn": sweep, "schedule": "7 * * * *"}

    def _register_reconcile(self, work: Work) -> ScheduleInput:
        @DBOS.workflow(name="reconcile")
        def reconcile(_at: datetime, _context: object) -> None:
            if work.reconcile:
                with request_id.working():
                    work.reconcile()

        return {
            "schedule_name": "reconcile",
            "workflow_fn": reconcile,
            "schedule": "23 4 * * *",
            "cron_timezone": self._settings.timezone.key,
        }

    def _run_pass(self, organization: int, work: Work, dispatcher: Dispatcher) -> str:
        """Run one try of a pass; returns why the pass was buried, or "".

        The engine remembers each of the three steps: after a death it goes on behind the last one.
        """
        pass_id, words = str(DBOS.workflow_id), f"organization {organization}: a pass"
        turn = dispatcher.enter_pass(organization, pass_id)
        bounds = DBOS.run_step(STUBBORN, self._passes.begin, organization, pass_id)
        if not bounds:
            return ""

        def bring() -> None:
            with working(turn):
                work.bring_in_line(organization)

        outcome = DBOS.run_step(None, run_try, words, bring)
        self._record_try("pass", outcome, work.recovery, organization=organization)
        return DBOS.run_step(STUBBORN, self._passes.settle, organization, pass_id, bounds, outcome)

    def _run_task(self, task: Task, work: Work, dispatcher: Dispatcher) -> None:
        """Run one try of a task, in steps as `_run_pass`."""
        try_id = str(DBOS.workflow_id)
        turn = dispatcher.enter_task(task, try_id)
        if not DBOS.run_step(STUBBORN, self._tasks.begin, task, try_id):
            return
        if not DBOS.run_step(STUBBORN, work.is_due, task):
            DBOS.run_step(STUBBORN, self._tasks.postpone, task)
            return

        def do() -> None:
            with working(turn):
                work.warm(task.number) if task.kind == WARMING else work.do_task(task)

        outcome = DBOS.run_step(None, run_try, f"{task.subject}: a task", do)
        self._record_try("task", outcome, work.recovery, subject=task.subject)
        DBOS.run_step(STUBBORN, self._tasks.settle, task, try_id, outcome)

    def _record_try(
        self, kind: str, outcome: TryOutcome, recovery: Recovery, **ids: object
    ) -> None:
        """Log one line for the try: the kind, the ids, and the reason of a failure."""
        reason = outcome["reason"]
        if outcome["later"]:
            recovery.note_failure(outcome.get("side", ""))
        if reason:
            words, write = f"a try of a {kind} failed", log.warning
        else:
            words, write = f"a {kind} is done", log.info
        self._events.record(write, words, **ids, reason=reason)


def _is_news(line: logging.LogRecord) -> bool:
    """Tell whether this line of the engine is worth logging.

    The engine logs every failed pass with a traceback from its own code. A buried pass has a line
    of ours already. A pass that was cut off by the end of a process has no fault.
    """
    error = line.exc_info[1] if line.exc_info else None
    if isinstance(error, dbos_errors.DBOSException):
        line.msg, line.args, line.exc_info = "a pass was cut off, it is done again", (), None
    return not isinstance(error, PassBuried)


logging.getLogger("dbos").addFilter(_is_news)


def _set_durable(connection: Any, _record: object) -> None:
    # DBOS does not set this, and some builds of SQLite have NORMAL as their default, which loses
    # commits in a power cut. The journal mode, WAL, stands in the file itself.
    connection.execute("PRAGMA synchronous=FULL")
