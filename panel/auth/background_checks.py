"""Checks in threads of their own, which go on when the caller stops waiting."""

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillRunning
from contextvars import copy_context  # the id of the request
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from panel.bulkhead import Bulkhead
from panel.errors import Busy

CHECK_SECONDS = 2.5  # the longest that a panel waits for a check
THREADS = 16
ACCESS_UNCHECKED = "access_unchecked"
T = TypeVar("T")


@dataclass(frozen=True)
class RunningCheck(Generic[T]):
    """A check that is running. `since`: its start on the monotonic clock."""

    future: "Future[T]"
    since: float


class BackgroundChecks:
    """At most one check runs at a time for each key. Safe for threads."""

    def __init__(self, bulkhead: Bulkhead) -> None:
        self._bulkhead = bulkhead
        self._lock = threading.Lock()
        self._running: dict[Hashable, RunningCheck[Any]] = {}
        # The pool starts no thread before the first check, which comes after gunicorn's fork.
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="access-check")

    def start(self, key: Hashable, work: Callable[[], T]) -> RunningCheck[T]:
        """Return the running check of this key, or a new one."""
        with self._lock:
            running = self._running.get(key)
            if running is None:
                future = self._pool.submit(copy_context().run, self._run, key, work)
                running = RunningCheck(future, time.monotonic())
                self._running[key] = running
            return running

    def wait(self, check: RunningCheck[T], seconds: float = CHECK_SECONDS) -> T:
        """Return or raise the result of `check`, within `seconds` of its start; else `Busy`."""
        seconds_left = check.since + seconds - time.monotonic()
        try:
            with self._bulkhead.enter():
                return check.future.result(max(0.0, seconds_left))
        except StillRunning:
            raise Busy(ACCESS_UNCHECKED, "the check takes long") from None

    def _run(self, key: Hashable, work: Callable[[], T]) -> T:
        try:
            return work()
        finally:
            with self._lock:
                self._running.pop(key, None)
