"""A bounded TTL cache in memory, for values that are read, checked or parsed often."""

import time
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

from cachetools import TLRUCache

V = TypeVar("V")
SET_BACK_SECONDS = 1.0  # a smaller step of the clock is an ordinary correction


class TtlCache(Generic[V]):
    """At most `most` values, each until its time (epoch seconds); the least used are evicted first.

    When the machine's clock is set back, all values are removed, since they would live longer.
    Safe for threads. Values are shared between callers, so callers must not change them.
    """

    def __init__(
        self,
        most: int,
        clock: Callable[[], float] = time.time,
        weigh: Callable[[V], int] = lambda _value: 1,
    ) -> None:
        """`weigh` returns how many values a value counts as."""
        self._guard = Lock()
        self._clock = clock
        self._latest = clock()
        self._kept: TLRUCache[Hashable, tuple[V, float]] = TLRUCache(
            maxsize=most,
            ttu=lambda _key, entry, _now: entry[1],
            timer=clock,
            getsizeof=lambda entry: weigh(entry[0]),
        )

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable) -> V | None:
        with self._guard:  # a read changes the order of eviction
            self._notice_the_clock()
            try:
                return self._kept[key][0]
            except KeyError:
                return None

    def put(self, key: Hashable, value: V, until: float) -> None:
        with self._guard:
            self._notice_the_clock()
            self._kept[key] = value, until

    def _notice_the_clock(self) -> None:
        now = self._clock()
        if now < self._latest - SET_BACK_SECONDS:
            self._kept.clear()
            self._latest = now
        self._latest = max(self._latest, now)
