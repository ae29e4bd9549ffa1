"""What a process remembers for a moment, so that it need not be read, checked or parsed again."""

import threading
import time
from collections.abc import Callable, Hashable
from itertools import islice
from typing import Generic, TypeVar

OLD_ONES = 4  # looked at when one is added
V = TypeVar("V")


class TtlCache(Generic[V]):
    """At most `most` values, each until its time (epoch seconds); the oldest give way first.

    Safe for threads. Whoever changes a value that was remembered changes it for everyone.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.time) -> None:
        self._most = most
        self._clock = clock
        self._guard = threading.Lock()
        self._kept: dict[Hashable, tuple[float, V]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable) -> V | None:
        until, value = self._kept.get(key, (0.0, None))
        return value if self._clock() < until else None

    def put(self, key: Hashable, value: V, until: float) -> None:
        with self._guard:
            self._kept.pop(key, None)  # so that it counts as the newest again
            self._kept[key] = until, value
            self._make_room()

    def _make_room(self) -> None:
        """What is too much goes, and what is over: memory follows the work that there is now."""
        now = self._clock()
        for key, (until, _) in list(islice(self._kept.items(), OLD_ONES)):
            if until <= now or len(self._kept) > self._most:
                del self._kept[key]
