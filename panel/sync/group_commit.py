"""Group commit: the thread that holds the lock commits the items of all waiting threads at once.

A single fsync then serves many hooks, and a thread that comes alone waits for no other thread. The
row `hooks` of the benchmark shows what that brings.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")
MOST_AT_ONCE = 64  # a small number, so that other processes soon get the lock of the database


class GroupCommit(Generic[T, R]):
    """`work` gets the waiting items in order and returns an answer for each. If it fails, all
    waiting threads get its error."""

    def __init__(self, work: Callable[[Sequence[T]], Sequence[R]]) -> None:
        self._work = work
        self._turn = threading.Lock()
        self._waiting: deque[tuple[T, Future[R]]] = deque()

    def submit(self, item: T) -> R:
        """Returns the answer of `work` for this item; raises its error."""
        future: Future[R] = Future()
        self._waiting.append((item, future))
        with self._turn:
            while not future.done():
                self._commit_some()
        return future.result()

    def count_waiting(self) -> int:
        """Return how many items wait to be committed."""
        return len(self._waiting)

    def _commit_some(self) -> None:
        some = [self._waiting.popleft() for _ in range(min(MOST_AT_ONCE, len(self._waiting)))]
        try:
            answers = self._work([item for item, _ in some])
        except BaseException as error:  # noqa: BLE001 no thread may wait for ever
            for _, future in some:
                future.set_exception(error)
            return
        for (_, future), answer in zip(some, answers, strict=True):
            future.set_result(answer)
