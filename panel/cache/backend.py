"""Where kept copies lie: flask-caching over files, Redis or memory, behind marks.

Any trouble with it counts as "absent": it costs speed, never truth. Only JSON is stored, never
pickles: a planted file must not run.
"""

import logging
import secrets
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec
import redis
from cachelib.serializers import BaseSerializer

from panel.cache.generations import Generations, ProcessGenerations

log = logging.getLogger(__name__)

TOKEN_SECONDS = 48 * 3600  # longer than any copy lives, so a forgotten token only costs a read
SWEEP_SECONDS = 3600.0
SWEPT = ("copies", "flights", "marks")
REDIS_REST_SECONDS = 1.0  # how long a Redis that does not answer is left alone


class KeyValueStore(Protocol):
    """What we need of flask-caching."""

    def get_many(self, *keys: str) -> Any: ...

    def set(self, key: str, value: Any, timeout: int) -> Any: ...

    def unlink(self, *keys: str) -> Any: ...


class CacheBackend:
    """Safe for threads and processes. An organization's mark is gone while something is written."""

    def __init__(
        self,
        backend: KeyValueStore,
        clock: Callable[[], float],
        sweep: Callable[[], object] = lambda: None,
        marks: Generations | None = None,
    ) -> None:
        """`sweep` is called in a thread of its own, once an hour of writing.

        `marks` reach as far as the backend does; without them: this process.
        """
        self._backend = backend
        self._marks = marks or ProcessGenerations()
        self._clock = clock
        self._sweep = sweep
        self._next_sweep = 0.0
        self._resting_until = 0.0

    def get(self, *keys: str) -> list[Any]:
        """A value for each key, None for what is not there."""
        if self._clock() < self._resting_until:
            return [None] * len(keys)
        try:
            return list(self._backend.get_many(*keys))
        except Exception as error:  # noqa: BLE001 any trouble with the store counts as absent
            self._trouble(error)
            return [None] * len(keys)

    def generation_of(self, organization: int) -> str | None:
        if self._clock() < self._resting_until:
            return None
        try:
            return self._marks.get(organization)
        except (OSError, redis.RedisError) as error:
            self._trouble(error)
            return None

    def put(self, organization: int, *entries: tuple[str, Any, int]) -> bool:
        """Key, value and seconds of each; False when not all of them were taken."""
        try:
            self._marks.drop(organization)
            kept = [self._set(*entry) for entry in entries]
            self._marks.renew(organization)
        except (OSError, redis.RedisError) as error:
            # A store that hangs costs one wait here, not one for each entry.
            self._trouble(error)
            return False
        return all(kept)

    def remove(self, organization: int, *keys: str) -> bool:
        """False when they could not be removed."""
        try:
            self._marks.drop(organization)
            self._backend.unlink(*keys)
            # Once more: another writer may have set one, under which the keys were seen.
            self._marks.drop(organization)
        except Exception as error:  # noqa: BLE001 any trouble with the store
            self._trouble(error)
            return False
        return True

    def works(self) -> bool:
        """Does it keep what it is given? (for `readyz`)"""
        mark = secrets.token_hex(8)  # of this very look: others look as well
        self._set(f"works:{mark}", mark, 1)
        return self.get(f"works:{mark}") == [mark]

    def _set(self, key: str, value: Any, seconds: int) -> bool:
        self._sweep_hourly()
        try:
            kept = bool(self._backend.set(key, value, timeout=seconds))
        except Exception as error:  # noqa: BLE001 as above
            self._trouble(error)
            return False
        if not kept:
            log.warning("the cache did not keep %s", key)
        return kept

    def _sweep_hourly(self) -> None:
        now = self._clock()
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP_SECONDS
            threading.Thread(target=self._sweep, name="sweep", daemon=True).start()

    def _trouble(self, error: Exception) -> None:
        log.warning("the cache cannot be used: %s", type(error).__name__)
        if isinstance(error, redis.RedisError):
            self._resting_until = self._clock() + REDIS_REST_SECONDS


class JsonSerializer(BaseSerializer):
    """cachelib's own JSON serializer warns on every miss in Redis; otherwise the same."""

    def dumps(self, value: Any, *_: Any) -> bytes:
        return msgspec.json.encode(value)

    def loads(self, raw: bytes | None) -> Any:
        try:
            return msgspec.json.decode(raw) if raw else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    def dump(self, value: Any, file: Any, *_: Any) -> None:
        file.write(self.dumps(value))

    def load(self, file: Any) -> Any:
        return self.loads(file.read())


def sweep_files(folder: Path, clock: Callable[[], float]) -> int:
    """Remove what has expired, and count it: cachelib does so only when a key is read again.

    A copy's file begins with its expiry (cachelib 0.17, `file.py`); a lock and a mark are as old as
    their file.
    """
    removed = 0
    for path in [path for part in SWEPT for path in folder.glob(f"{part}/*")]:
        try:
            if _is_expired(path, clock()):
                path.unlink()
                removed += 1
        except OSError:
            continue  # gone already: another process sweeps as well
    return removed


def _is_expired(path: Path, now: float) -> bool:
    if path.parent.name != "copies":
        return path.lstat().st_mtime < now - TOKEN_SECONDS
    with path.open("rb") as file:
        head = file.read(4)
    expires = struct.unpack("I", head)[0] if len(head) == 4 else 0
    # What is too short to be a copy may be one that is being written: it gets an hour.
    return 0 < expires < now or (not expires and path.stat().st_mtime < now - SWEEP_SECONDS)
