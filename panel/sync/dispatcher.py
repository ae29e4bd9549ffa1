"""The dispatcher of the executing process: begins passes and tasks in the order of their lanes.

The dispatcher looks for work after a commit of any process, after the end of a pass, and once a
second for work that has become due. Noticing a commit costs almost no time on SQLite, and one query
on PostgreSQL.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from sqlalchemy import Connection, Engine

from panel.data import lanes, tasks
from panel.data.lanes import Lane
from panel.data.tasks import Task
from panel.sync.pass_queue import AT_ONCE, TASKS_AT_ONCE
from panel.sync.rate_limit import Turn
from panel.sync.recovery import Recovery

log = logging.getLogger(__name__)
LOOK_SECONDS = 0.1  # between two checks for new commits
POSTGRESQL_LOOK_SECONDS = 0.3
DUE_SECONDS = 1.0  # between two looks for due work without a commit
_DATA_VERSION = "PRAGMA data_version"  # changes with every commit of other connections


@dataclass(frozen=True)
class Starts:
    """The functions that begin a pass of an organization, and a try of a task, under these ids."""

    begin_pass: Callable[[int, str], object]
    begin_task: Callable[[Task, str], object]


class Dispatcher:
    """A single thread calls `run` and `look`; any thread may call the other methods."""

    def __init__(
        self, database: Engine, starts: Starts, recovery: Recovery, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._starts = starts
        self._recovery = recovery
        self._clock = clock
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._passes: dict[str, tuple[int, Turn]] = {}
        self._tasks: dict[str, tuple[str, Turn]] = {}

    def enter_pass(self, organization: int, pass_id: str, lane: Lane = Lane.URGENT) -> Turn:
        """Note that a pass begins, or that the engine has resumed it after a death of the
        process."""
        with self._lock:
            entry = self._passes.get(pass_id)
            turn = entry[1] if entry else Turn(lane)
            self._passes[pass_id] = organization, turn
            turn.started_at = time.monotonic()
            return turn

    def enter_task(self, task: Task, try_id: str) -> Turn:
        with self._lock:
            entry = task.kind, Turn(Lane.URGENT, time.monotonic())
            return self._tasks.setdefault(try_id, entry)[1]

    def leave(self, work_id: str) -> None:
        """Note that a pass or a try of a task has ended."""
        with self._lock:
            self._passes.pop(work_id, None)
            self._tasks.pop(work_id, None)
        self._news.set()

    def run(self, stopping: threading.Event, seconds: float) -> None:
        """Begin due work, for so many seconds."""
        until = time.monotonic() + seconds
        with self._database.connect() as connection:
            while time.monotonic() < until and not stopping.is_set():
                self.look(connection)
                connection.rollback()
                self._wait(connection, stopping, min(until, time.monotonic() + DUE_SECONDS))

    def look(self, connection: Connection) -> None:
        """Begin as much due work as there is room for."""
        now = self._clock()
        if sides := self._recovery.take_recovered():
            self._hasten(sides, now)
        self._promote(connection)
        for lane, most in AT_ONCE.items():
            self._begin_passes(connection, lane, most, now)
        for kinds, most in TASKS_AT_ONCE.items():
            self._begin_tasks(connection, kinds, most, now)

    def _hasten(self, sides: set[str], now: float) -> None:
        with self._database.begin() as connection:
            for side in sides:
                if count := lanes.hasten(connection, side, now):
                    log.warning("%s is well again: %d that failed are tried now", side, count)

    def _promote(self, connection: Connection) -> None:
        """Move a running pass of a slow lane to the first lane, once an urgent hook asks for it."""
        with self._lock:
            slow = {number: turn for number, turn in self._passes.values() if turn.lane}
        for organization in lanes.list_urgent(connection, slow) if slow else ():
            slow[organization].lane = Lane.URGENT

    def _begin_passes(self, connection: Connection, lane: Lane, most: int, now: float) -> None:
        with self._lock:
            running = set(self._passes)
            free = most - sum(turn.lane == lane for _, turn in self._passes.values())
        if free <= 0:
            return
        # A pass that has begun still stands in the lane until its first step is stored.
        rows = lanes.find_next(connection, lane, free + len(running), now)
        for organization, pass_id in [row for row in rows if row[1] not in running][:free]:
            self.enter_pass(organization, pass_id, lane)
            self._begin(self._starts.begin_pass, organization, pass_id)

    def _begin_tasks(
        self, connection: Connection, kinds: tuple[str, ...], most: int, now: float
    ) -> None:
        with self._lock:
            running = {try_id for try_id, (kind, _) in self._tasks.items() if kind in kinds}
        free = most - len(running)
        rows = tasks.find_due(connection, kinds, free + len(running), now) if free > 0 else []
        for task, try_id in [row for row in rows if row[1] not in running][:free]:
            self.enter_task(task, try_id)
            self._begin(self._starts.begin_task, task, try_id)

    def _begin(self, start: Callable[..., object], subject: object, work_id: str) -> None:
        try:
            start(subject, work_id)
        except BaseException:
            self.leave(work_id)  # the work keeps its place in the lane, and begins later
            raise

    def _wait(self, connection: Connection, stopping: threading.Event, until: float) -> None:
        """Wait until a commit, the end of work or a stop is noticed, or until that moment."""
        if self._database.dialect.name != "sqlite":
            self._news.wait(min(POSTGRESQL_LOOK_SECONDS, max(0.0, until - time.monotonic())))
            self._news.clear()
            return
        # The query runs ten times a second, and SQLAlchemy would take ten times as long as the
        # query itself.
        ask = cast(sqlite3.Connection, connection.connection.driver_connection).execute
        version = ask(_DATA_VERSION).fetchone()
        while time.monotonic() < until and not self._news.wait(LOOK_SECONDS):
            if stopping.is_set() or ask(_DATA_VERSION).fetchone() != version:
                break
        self._news.clear()
