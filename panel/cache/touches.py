"""The moment of an organization's last touch, by which answers from a cache in between are judged.

A touch removes tokens. A missing token tells readers that something has changed, but not when. Most
organizations are never read, so a touch writes nothing into the store: this process remembers its
moment. Once a read has met a cache in between, the moment is stored too, for other processes.
"""

from collections.abc import Callable

import msgspec

from panel.cache.backend import TOKEN_SECONDS, CacheBackend
from panel.cache.ttl_cache import TtlCache

MOST_TOUCHES = 8192  # organizations
AGE_SECONDS = 1.0  # `Age` is given in whole seconds, so it may be off by one


class Touches:
    """The moment of the last touch, one for all sections of an organization. Safe for threads."""

    def __init__(self, store: CacheBackend, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._memory = TtlCache[float](MOST_TOUCHES, clock)
        self._is_stored = False

    def note(self, organization: int) -> None:
        now = self._clock()
        self._memory.put(organization, now, now + TOKEN_SECONDS)
        if self._is_stored:
            self._store.note(_make_key(organization), now, TOKEN_SECONDS)

    def find(self, organization: int) -> float | None:
        """Return the moment (epoch seconds), None without a known touch. Only answers of a cache in
        between need it."""
        self._is_stored = True
        [value] = self._store.get(_make_key(organization))
        moments = self._memory.get(organization), _read_moment(value)
        return max((moment for moment in moments if moment is not None), default=None)

    def outdates(self, organization: int, age: float | None) -> bool:
        """Tell whether an answer of this age (None: unknown) precedes the last known touch."""
        touched_at = self.find(organization) if age != 0.0 else None
        return touched_at is not None and (
            age is None or self._clock() - age - AGE_SECONDS < touched_at
        )


def _read_moment(value: object) -> float | None:
    try:
        return msgspec.convert(value, float)
    except msgspec.ValidationError:
        return None  # absent, or planted by another program


def _make_key(organization: int) -> str:
    return f"touched:{organization}"
