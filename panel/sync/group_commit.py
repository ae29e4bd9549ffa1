"""Group commit: whoever has the turn does the work of all who wait, in one transaction.

One fsync then serves many hooks; who comes alone waits for nobody.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")
MOST_AT_ONCE = 64  # at once: the lock of the database is everybody's


class GroupCommit(Generic[T, R]):
    """`work` is given what waits, in order, and answers for each; it succeeds or fails for all."""

    def __init__(self, work: Callable[[Sequence[T]], Sequence[R]]) -> None:
        self._work = work
        self._turn = threading.Lock()
        self._waiting: deque[tuple[T, Future[R]]] = deque()

    def submit(self, item: T) -> R:
        """What `work` answers for this item; raises what it raised."""
        mine: Future[R] = Future()
        self._waiting.append((item, mine))
        with self._turn:
            while not mine.done():
                self._commit_some()
        return mine.result()

    def _commit_some(self) -> None:
        some = [self._waiting.popleft() for _ in range(min(MOST_AT_ONCE, len(self._waiting)))]
        try:
            answers = self._work([item for item, _ in some])
        except BaseException as error:  # noqa: BLE001 whatever it was: nobody may wait for ever
            for _, each in some:
                each.set_exception(error)
            return
        for (_, each), answer in zip(some, answers, strict=True):
            each.set_result(answer)
