"""A bulkhead: how many threads of this process may wait for the outside worlds at once.

The other threads stay free for requests that need no outside world: hooks, health, kept copies.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from panel import metrics
from panel.errors import Busy

SHARE = 2 / 3  # of a process's threads
USUAL_THREADS = 64  # of gunicorn.conf.py
_is_inside: ContextVar[bool] = ContextVar("is_inside", default=False)


class Bulkhead:
    """Safe for threads. A thread that is inside may enter again, and is counted once."""

    def __init__(self, threads: int = USUAL_THREADS) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self.resize(threads)

    def resize(self, threads: int) -> None:
        """`threads`: the number of threads of the process."""
        self._limit = max(1, int(threads * SHARE))
        metrics.WAITING_THREADS_LIMIT.set(self._limit)

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Raise `Busy` at once if too many threads are inside already."""
        if _is_inside.get():
            yield
            return
        with self._lock:
            if self._inside >= self._limit:
                raise Busy(detail=f"{self._limit} threads wait already")
            self._inside += 1
            metrics.WAITING_THREADS.set(self._inside)
        token = _is_inside.set(True)
        try:
            yield
        finally:
            _is_inside.reset(token)
            with self._lock:
                self._inside -= 1
                metrics.WAITING_THREADS.set(self._inside)
