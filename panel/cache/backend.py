"""The cache backend: flask-caching over files, Redis or memory, and a generation per organization.

The only importer of `flask_caching`. Any trouble with the store counts as "absent": it costs speed,
never truth. Only JSON is stored, never pickles: a planted file must not run.
"""

import logging
import secrets
import struct
import threading
import time
from collections.abc import Callable
from functools import partial
from hashlib import blake2s
from pathlib import Path
from typing import Any, Protocol

import redis
from cachelib.serializers import BaseSerializer
from flask_caching import Cache as FlaskCache

from panel import exact_json
from panel.cache.generations import (
    FileGenerations,
    Generations,
    ProcessGenerations,
    RedisGenerations,
)
from panel.locks import FileLocks, Locks, RedisLocks, ThreadLocks
from panel.logs.events import LogThrottle
from panel.logs.formatter import describe_cause

log = logging.getLogger(__name__)

TOKEN_SECONDS = 48 * 3600  # longer than any copy lives, so a forgotten token only costs a read
SWEEP_SECONDS = 3600.0
PROBE_SECONDS = 30  # long enough that the cache of a busy machine counts as working
# The folders of entries, locks and generations: their names stay, so that an update finds them.
ENTRIES, LOCKS, GENERATIONS = "copies", "flights", "marks"
REDIS_REST_SECONDS = 1.0  # how long a Redis that does not answer is left alone


def _is_ours(line: logging.LogRecord) -> bool:
    """Drop cachelib's traceback for each file that it cannot write: we log one line."""
    return "cachelib" not in Path(line.pathname).parts


logging.getLogger().addFilter(_is_ours)  # cachelib logs to the root logger


class KeyValueStore(Protocol):
    """The part of flask-caching that the backend uses."""

    def get_many(self, *keys: str) -> Any: ...

    def set(self, key: str, value: Any, timeout: int) -> Any: ...

    def unlink(self, *keys: str) -> Any: ...


class CacheBackend:
    """Reads and writes of JSON values; safe for threads and processes.

    While a value of an organization is being written, the organization has no generation.
    """

    def __init__(
        self,
        backend: KeyValueStore,
        clock: Callable[[], float],
        sweep: Callable[[], object] = lambda: None,
        generations: Generations | None = None,
    ) -> None:
        """`sweep` is called in a thread of its own, once an hour of writing.

        `generations` reach as far as the backend does; by default they reach over this process
        alone.
        """
        self._backend = backend
        self._generations = generations or ProcessGenerations()
        self._clock = clock
        self._sweep = sweep
        self._next_sweep = 0.0
        self._resting_until = 0.0
        self.last_trouble = ""  # the cause, while `works` returns False
        self._events = LogThrottle()

    @property
    def is_resting(self) -> bool:
        """Tell whether the store is left alone for now, because it did not answer a moment ago."""
        return self._clock() < self._resting_until

    def get(self, *keys: str) -> list[Any]:
        """Return a value for each key, None for an absent one."""
        if self.is_resting:
            return [None] * len(keys)
        try:
            return list(self._backend.get_many(*keys))
        except Exception as error:  # noqa: BLE001 any trouble with the store counts as absent
            self._report_trouble(error)
            return [None] * len(keys)

    def generation_of(self, organization: int) -> str | None:
        if self.is_resting:
            return None
        try:
            return self._generations.get(organization)
        except (OSError, redis.RedisError) as error:
            self._report_trouble(error)
            return None

    def put(self, organization: int, key: str, value: Any, seconds: int) -> bool:
        """Store the value; False when the store did not take it."""
        try:
            self._generations.drop(organization)
            is_kept = self._set(key, value, seconds)
            self._generations.renew(organization)
        except (OSError, redis.RedisError) as error:
            # A store that hangs costs one wait here, not one for each step.
            self._report_trouble(error)
            return False
        return is_kept

    def remove(self, organization: int, *keys: str) -> bool:
        """Remove the keys; False when they could not be removed."""
        try:
            self._generations.drop(organization)
            self._backend.unlink(*keys)
            # The generation is dropped a second time: a writer may have renewed it meanwhile, with
            # readers of the old keys under it.
            self._generations.drop(organization)
        except Exception as error:  # noqa: BLE001 any trouble with the store
            self._report_trouble(error)
            return False
        return True

    def note(self, key: str, value: Any, seconds: int) -> bool:
        """Like `put`, for a value from which no section is drawn: the generation stays."""
        return self._set(key, value, seconds)

    def works(self) -> bool:
        """Tell whether the store returns a value that it was given (for `/readyz`)."""
        self.last_trouble = ""
        probe = secrets.token_hex(8)  # a value of this check alone: other processes check as well
        self._set(f"works:{probe}", probe, PROBE_SECONDS)
        return self.get(f"works:{probe}") == [probe]

    def _set(self, key: str, value: Any, seconds: int) -> bool:
        self._sweep_hourly()
        try:
            is_kept = bool(self._backend.set(key, value, timeout=seconds))
        except Exception as error:  # noqa: BLE001 as above
            self._report_trouble(error)
            return False
        if not is_kept:
            self._events.record(log.warning, "the cache did not keep a copy")
        return is_kept

    def _sweep_hourly(self) -> None:
        now = self._clock()
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP_SECONDS
            threading.Thread(target=self._sweep, name="sweep", daemon=True).start()

    def _report_trouble(self, error: Exception) -> None:
        words, kind = "the cache cannot be used (PANEL_CACHE_URL)", type(error).__name__
        self.last_trouble = describe_cause(error)
        self._events.record(log.warning, words, kind, cause=self.last_trouble)
        if isinstance(error, redis.RedisError):
            self._resting_until = self._clock() + REDIS_REST_SECONDS


class JsonSerializer(BaseSerializer):
    """Like cachelib's own JSON serializer, which warns at every miss in Redis."""

    def dumps(self, value: Any, *_: Any) -> bytes:
        return exact_json.encode(value)

    def loads(self, raw: bytes | None) -> Any:
        try:
            return exact_json.decode(raw) if raw else None
        except exact_json.UNDECODABLE:
            return None

    def dump(self, value: Any, file: Any, *_: Any) -> None:
        file.write(self.dumps(value))

    def load(self, file: Any) -> Any:
        return self.loads(file.read())


def sweep_files(folder: Path, clock: Callable[[], float]) -> int:
    """Remove expired files and return their number: cachelib removes one when its key is read.

    An entry's file begins with its expiry (cachelib 0.17, `file.py`); a lock and a generation are
    as old as their file.
    """
    count = 0
    for path in _list_files(folder):
        try:
            if _is_expired(path, clock()):
                path.unlink()
                count += 1
        except OSError:
            continue  # gone already: another process sweeps as well
    return count


def _list_files(folder: Path) -> list[Path]:
    """Return no files where somebody removes a folder meanwhile: the next sweep takes the rest."""
    try:
        return [path for part in list_folders(folder) for path in part.glob("*")]
    except FileNotFoundError:
        return []


def _is_expired(path: Path, now: float) -> bool:
    if path.parent.name != ENTRIES:
        return path.lstat().st_mtime < now - TOKEN_SECONDS
    with path.open("rb") as file:
        head = file.read(4)
    expires = struct.unpack("I", head)[0] if len(head) == 4 else 0
    # A file without a whole header may be an entry that is being written, so it stays for an hour.
    return 0 < expires < now or (not expires and path.stat().st_mtime < now - SWEEP_SECONDS)


def connect(
    url: str, app: Any, whose: str, clock: Callable[[], float]
) -> tuple[CacheBackend, Locks]:
    """Return the backend and the locks of `PANEL_CACHE_URL`: `file:PATH`, `redis://…` or `memory:`
    (for one process).

    `whose` keeps installations apart that share one Redis; `app` is the Flask application.
    """
    prefix = f"panel:{blake2s(whose.encode(), digest_size=6).hexdigest()}:"
    scheme, _, rest = url.partition(":")
    config = {"CACHE_KEY_PREFIX": prefix, "CACHE_SERIALIZER": JsonSerializer()}
    if scheme == "file":
        return _connect_files(Path(rest), app, config, clock)
    if scheme == "memory":
        config |= {"CACHE_TYPE": "SimpleCache", "CACHE_THRESHOLD": 100_000}
        return CacheBackend(FlaskCache(app, config=config), clock), ThreadLocks()
    return _connect_redis(url, app, config, clock)


def list_folders(folder: Path) -> list[Path]:
    """Return the folders that the file cache has in this one."""
    return [folder / part for part in (ENTRIES, LOCKS, GENERATIONS)]


def _connect_files(
    folder: Path, app: Any, config: dict[str, Any], clock: Callable[[], float]
) -> tuple[CacheBackend, Locks]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Threshold 0: with any other, cachelib lists the whole folder at every write.
    config = {**config, "CACHE_TYPE": "FileSystemCache", "CACHE_THRESHOLD": 0}
    store = FlaskCache(app, config={**config, "CACHE_DIR": str(folder / ENTRIES)})
    sweep = partial(sweep_files, folder, time.time)
    generations = FileGenerations(folder / GENERATIONS)
    return CacheBackend(store, clock, sweep, generations), FileLocks(folder / LOCKS)


def _connect_redis(
    url: str, app: Any, config: dict[str, Any], clock: Callable[[], float]
) -> tuple[CacheBackend, Locks]:
    # A Redis that hangs must cost 0.3 s, not the library's patience with its retries.
    patience = {"socket_timeout": 0.3, "socket_connect_timeout": 0.3, "retry": None}
    config = {**config, "CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": url}
    store = FlaskCache(app, config={**config, "CACHE_OPTIONS": patience})
    client, prefix = redis.Redis.from_url(url, **patience), config["CACHE_KEY_PREFIX"]
    generations = RedisGenerations(client, prefix)
    return CacheBackend(store, clock, generations=generations), RedisLocks(client, prefix)
