"""The worker: it runs the passes of the durable queue (DBOS Transact), retries or buries them.

A try that fails and may heal is done again by a further pass, which the engine holds back durably:
between its tries an organization occupies no thread and no slot.

Passes are executed by one process at a time, the leader: a web process (`inside`), or `sync
worker`. When it dies, the kernel or the database makes another one the leader.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypedDict
from uuid import uuid4

from dbos import (
    DBOS,
    DBOSConfig,
    DBOSPortableJSONSerializer,
    ScheduleInput,
    StepOptions,
)
from dbos import error as dbos_errors
from filelock import Timeout
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from panel.data import inbox
from panel.data.inbox import DAY_SECONDS, IDS_DAYS
from panel.data.obstacles import explain
from panel.errors import GiveUp, TryLater, Unauthorized, Unreadable
from panel.logs import request_id
from panel.logs.events import LogThrottle
from panel.settings import Settings
from panel.sync.leader import LEADER_POLL_SECONDS, lead
from panel.sync.pass_queue import (
    ACTIVE,
    APPLICATION,
    AT_ONCE,
    PASS_WORKFLOW,
    TROUBLE,
    VERSION,
    WARM_QUEUE,
    PassQueue,
)

log = logging.getLogger(__name__)
# With a handler of its own it leaves the console to ours; at its own level it tells its life story.
logging.getLogger("dbos").addHandler(logging.NullHandler())
logging.getLogger("dbos").setLevel(logging.WARNING)

# A constant, never computed: work that another executor began would be left lying (dependencies
# §1.5, trap 3).
EXECUTOR = "panel"
# Seconds between the tries of an organization: more than 24 h in all, and never more than a good
# hour late once the trouble is over. Each is longer by up to JITTER, so that a thousand spread.
RETRY_WAITS = (15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 2400.0, *[3600.0] * 23)
RETRY_JITTER = 0.25
DATABASE_REST_SECONDS = 5.0  # before asking a database again that is away
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


@dataclass(frozen=True)
class Work:
    """What the executing process is to do."""

    bring_in_line: BringInLine
    reconcile: Reconcile
    warm: BringInLine


class PassBuried(Exception):
    """How a pass that was given up ends, for the engine's own list."""


class _Outcome(TypedDict):
    """What came of a try: `reason` is empty when it went well; `later`: trying again may help."""

    reason: str
    later: bool
    retry_at: float | None


class Worker:
    """Executes passes once `start` or `run` is called, whenever this process is the leader."""

    _grace_seconds = 5

    def __init__(
        self,
        settings: Settings,
        queue: PassQueue,
        waits: Sequence[float] = RETRY_WAITS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._queue = queue
        self._database = queue.database
        self._waits = waits
        self._clock = clock
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
        self,
        bring_in_line: BringInLine,
        reconcile: Reconcile = None,
        warm: BringInLine = _warm_none,
    ) -> None:
        """Execute passes until `stop`, whenever this process is the leader; blocks.

        `bring_in_line(organization)` raises `TryLater` for what may heal; anything else is buried.
        `reconcile()` is called once a day, at night; `warm(organization)` after a customer wrote.
        """
        while not self._stopping.is_set():
            try:
                with lead(self._database, self._stopping) as is_leader:
                    self._execute(is_leader, Work(bring_in_line, reconcile, warm))
            except Timeout:
                continue  # told to stop while another process was the leader
            except TROUBLE as error:
                why = explain(error, self._database) or type(error).__name__
                log.warning("no passes can be executed now: %s", why)
                self._stopping.wait(DATABASE_REST_SECONDS)

    def _execute(self, is_leader: Callable[[], bool], work: Work) -> None:
        self._queue.register_queues()
        DBOS(config=self._config())
        try:
            schedules = self._register(work)
            DBOS.launch()
            DBOS.apply_schedules(schedules)
            self._queue.take_over(EXECUTOR)
            while is_leader() and not self._stopping.wait(LEADER_POLL_SECONDS):
                pass
        finally:
            grace = self._grace_seconds
            DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=grace)

    def _config(self) -> DBOSConfig:
        config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_url": self._queue.url,
            "application_version": VERSION,
            "executor_id": EXECUTOR,
            "serializer": DBOSPortableJSONSerializer(),
            "sys_db_pool_size": AT_ONCE // 2,
            "log_level": "WARNING",
        }
        if self._database.dialect.name == "sqlite":
            config["db_engine_kwargs"] = {"pool_events": [(_set_durable, "connect")]}
        return config

    def _register(self, work: Work) -> list[ScheduleInput]:
        @DBOS.workflow(name=PASS_WORKFLOW)
        def run_pass(organization: int) -> None:
            with request_id.working():
                reason = self._run_pass(organization, work.bring_in_line)
            if reason:
                raise PassBuried(reason)

        @DBOS.workflow(name="sweep")
        def sweep(_at: datetime, _context: object) -> None:
            self.sweep()

        @DBOS.workflow(name="reconcile")
        def daily(_at: datetime, _context: object) -> None:
            if work.reconcile:
                with request_id.working():
                    work.reconcile()

        @DBOS.workflow(name=WARM_QUEUE)
        def warm(organization: int) -> None:
            with request_id.working():
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

    def _run_pass(self, organization: int, bring_in_line: BringInLine) -> str:
        """One try; returns why it was buried, or nothing.

        Three steps, each remembered by the engine: after a death it goes on behind the last one.
        """
        me = str(DBOS.workflow_id)
        begun = DBOS.run_step(STUBBORN, self._begin, organization, me)
        if not begun:
            return ""
        outcome = DBOS.run_step(None, _run_try, organization, bring_in_line)
        ids = {"organization": organization, "reason": outcome["reason"]}
        write = log.warning if outcome["reason"] else log.info
        words = "a try of a pass failed" if outcome["reason"] else "a pass is done"
        self._events.record(write, words, **ids)
        return DBOS.run_step(STUBBORN, self._settle, organization, me, begun, outcome)

    def _begin(self, organization: int, me: str) -> list[int]:
        with inbox.write_transaction(self._database, organization) as connection:
            return list(inbox.begin_pass(connection, organization, me) or ())

    def _settle(self, organization: int, me: str, begun: list[int], outcome: _Outcome) -> str:
        through, first = begun
        with inbox.write_transaction(self._database, organization) as connection:
            if not outcome["reason"]:
                inbox.finish_pass(connection, organization, through, self._clock())
                return ""
            if outcome["later"] and self._try_again(connection, organization, outcome["retry_at"]):
                return ""
            # Only those that were there at the first try have had all of them; the younger ones get
            # their own.
            log.warning(
                "organization %s: buried: %s",
                *(organization, outcome["reason"]),
                extra={"fields": {"organization": organization}},
            )
            reason, now = outcome["reason"], self._clock()
            if inbox.bury_hooks(connection, organization, first, reason, me, now):
                self._queue.enqueue_passes(connection, [organization])
            return reason

    def _try_again(self, connection: Connection, organization: int, retry_at: float | None) -> bool:
        tries = inbox.count_failure(connection, organization)
        if tries > len(self._waits):
            return False
        asked = (retry_at or 0.0) - self._clock()  # of us, by who refused (Retry-After)
        spread = 1 + random.uniform(0, RETRY_JITTER)  # noqa: S311 (spreads load, hides nothing)
        delay = max(self._waits[tries - 1], min(asked, self._waits[-1])) * spread
        self._queue.enqueue_next(connection, organization, delay)
        return True

    def sweep(self) -> None:
        """Once an hour: remove what is old, here and in the engine; bury what lost its pass."""
        self._bury_lost()
        keep_days, now = self._settings.keep_days, self._clock()
        more = True
        while more:
            with inbox.write_transaction(self._database, 0) as connection:
                more = inbox.delete_old_hooks(connection, keep_days, now)
        # What went well is worth nothing to the engine: the journal is the record.
        self._queue.delete_finished(["SUCCESS"], _format_time(now - DAY_SECONDS))
        kept = max(keep_days, IDS_DAYS) * DAY_SECONDS
        self._queue.delete_finished(FAILED, _format_time(now - kept))

    def _bury_lost(self) -> None:
        """A pass that was cancelled, or that killed its process again and again, leaves hooks."""
        with self._database.connect() as connection:
            waiting = inbox.list_waiting(connection)
        # In this order: a pass of theirs that has ended by now has settled them first.
        living = {
            one.workflow_id: one.queue_partition_key for one in self._queue.list_passes(ACTIVE)
        }
        for organization in waiting.keys() - {int(key or 0) for key in living.values()}:
            through, now = waiting[organization], self._clock()
            with inbox.write_transaction(self._database, organization) as connection:
                last = inbox.clear_lost_pass(connection, organization, living) or str(uuid4())
                inbox.bury_hooks(connection, organization, through, "lost its pass", last, now)


def _is_news(line: logging.LogRecord) -> bool:
    """The engine tells of each pass that it did not end well, with a trace of its own inside.

    That one was buried we say ourselves. One that the end of a process cut off is nobody's fault.
    """
    error = line.exc_info[1] if line.exc_info else None
    if isinstance(error, dbos_errors.DBOSException):
        line.msg, line.args, line.exc_info = "a pass was cut off, it is done again", (), None
    return not isinstance(error, PassBuried)


logging.getLogger("dbos").addFilter(_is_news)


def _run_try(organization: int, bring_in_line: BringInLine) -> _Outcome:
    try:
        bring_in_line(organization)
    except TryLater as error:
        return {"reason": str(error), "later": True, "retry_at": error.retry_at}
    except (Unreadable, Unauthorized) as error:
        # A plugin being updated, a proxy's page, a secret being rotated: mostly they heal.
        return {"reason": str(error), "later": True, "retry_at": None}
    except GiveUp as error:
        return {"reason": str(error), "later": False, "retry_at": None}
    except Exception as error:
        # Its text may hold anything: people see the kind of it, the log has the rest.
        log.exception("organization %s: a pass broke", organization)
        return {"reason": f"unexpected {type(error).__name__}", "later": False, "retry_at": None}
    return {"reason": "", "later": False, "retry_at": None}


def _format_time(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat()


def _set_durable(connection: Any, _record: object) -> None:
    # DBOS leaves it to how SQLite was built (trap 6); the journal mode is the file's own, WAL.
    connection.execute("PRAGMA synchronous=FULL")
