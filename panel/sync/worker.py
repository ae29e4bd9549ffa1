"""The worker: executes passes and tasks whenever this process is the leader.

A single process executes at a time: a web process (`inside`), or `sync worker`. When it dies, the
kernel or the database makes another one the leader.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING

from filelock import Timeout

from panel.data import db, lanes
from panel.data.leader import LEADER_POLL_SECONDS, lead
from panel.data.obstacles import explain
from panel.data.workers import BEAT_SECONDS, EXECUTING, HELD_BACK, STANDING_BY, Workers
from panel.logs import request_id
from panel.settings import Settings
from panel.sync.heartbeat import Heartbeat
from panel.sync.pass_queue import TROUBLE, PassQueue
from panel.sync.tries import RETRY_WAITS
from panel.sync.work import BringInLine, Reconcile, Work, warm_none

if TYPE_CHECKING:
    from panel.sync.executor import Executor

log = logging.getLogger(__name__)
DATABASE_REST_SECONDS = 5.0  # between two tries to reach a database that is away


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
        self._database = queue.database
        self._for_executor = settings, queue, waits, clock
        self._beat_seconds = beat_seconds
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @cached_property
    def executor(self) -> "Executor":
        """Loads the durable engine: a command that executes nothing never comes here."""
        executor: Executor = import_module("panel.sync.executor").Executor(*self._for_executor)
        return executor

    def sweep(self) -> None:
        """Do at once what a worker does every hour."""
        self.executor.sweep.run()

    def start(
        self,
        bring_in_line: BringInLine,
        reconcile: Reconcile = None,
        warm: BringInLine = warm_none,
    ) -> None:
        """Call `run` in a thread that does not keep the process alive."""
        self.start_work(Work(bring_in_line, reconcile, warm))

    def start_work(self, work: Work) -> None:
        """Like `start`, with tasks. The engine is loaded here, and not in the thread."""
        _ = self.executor
        self._thread = threading.Thread(
            target=self.run_work, args=(work,), name="passes", daemon=True
        )
        self._thread.start()

    @property
    def is_started(self) -> bool:
        """Tell whether `start` or `start_work` was called in this process."""
        return self._thread is not None

    def stop(self, grace_seconds: int = 5) -> None:
        """End `run`; work that still runs after the grace is done again by the next leader."""
        self._grace_seconds = grace_seconds
        self._stopping.set()
        if self._thread:
            self._thread.join()

    def run(
        self,
        bring_in_line: BringInLine,
        reconcile: Reconcile = None,
        warm: BringInLine = warm_none,
    ) -> None:
        """Execute passes until `stop`, whenever this process is the leader; blocks.

        `bring_in_line(organization)` raises `TryLater` where another try may succeed; after another
        error the pass is buried. `reconcile()` is called once a day, at night; `warm(organization)`
        after a customer wrote.
        """
        self.run_work(Work(bring_in_line, reconcile, warm))

    def run_work(self, work: Work, tell: Callable[[str], None] = lambda _: None) -> None:
        """Like `run`, with tasks. `tell` is called with each new state (`data.workers`)."""
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
        """Wait for the lead, and execute until this process loses it or is told to stop."""
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
            return  # this process was told to stop while another one was the leader
        except (*TROUBLE, self.executor.failure) as error:
            why = explain(error, self._database) or type(error).__name__
            log.warning("no passes can be executed now: %s", why)
            self._stopping.wait(DATABASE_REST_SECONDS)

    def _execute(self, is_leader: Callable[[], bool], heartbeat: Heartbeat, work: Work) -> None:
        self.executor.prepare()
        try:
            dispatcher = self.executor.launch(work, heartbeat.note_end)
            heartbeat.say(EXECUTING)
            with self._database.connect() as connection:
                work.recovery.suspect(lanes.list_failed_sides(connection))
            with self._keeping_nights(work):
                while is_leader() and not self._stopping.is_set() and heartbeat.may_write():
                    dispatcher.run(self._stopping, LEADER_POLL_SECONDS)
        finally:
            self.executor.destroy(self._grace_seconds)

    @contextmanager
    def _keeping_nights(self, work: Work) -> Iterator[None]:
        """Keep nights in a thread, which ends after its current step, or with the process."""
        stop = threading.Event()

        def keep() -> None:
            with request_id.working():
                work.keep_nights(stop)

        thread = threading.Thread(target=keep, name="night", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(self._grace_seconds)
