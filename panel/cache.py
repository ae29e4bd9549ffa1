"""Kept copies of the back office's answers: version, age, touch, one flight at a time.

The only importer of `flask_caching`. Three keys for each topic (a section of an organization):

    copy    `Copy`: the last good answer
    note    `Note`: how the last flight failed
    token   random text, replaced by a touch

A read stores its copy under the token that it saw *before* it began, so a touch that arrives during
a read leaves that copy touched. Only JSON is stored, never pickles: a planted file must not run.
Any trouble with the store counts as "absent": it costs speed, never truth.
"""

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2s
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import redis
from cachelib.serializers import BaseSerializer
from flask import Flask
from flask_caching import Cache as Store

from panel import errors
from panel.flights import Files, Flights, Local, Shared
from panel.http import READ_SECONDS, Deadline

log = logging.getLogger(__name__)
T = TypeVar("T")
V = TypeVar("V")

TOKEN_SECONDS = 48 * 3600  # longer than any copy lives, so a forgotten token only costs a read
REST_SECONDS = 1.0  # how long a Redis that does not answer is left alone
KINDS_OF_ERROR = {kind.__name__: kind for kind in vars(errors).values() if isinstance(kind, type)}


@dataclass(frozen=True)
class Lifetimes:
    """Seconds: how long an answer is fresh, an empty one, a copy showable, a refusal remembered."""

    fresh: int
    empty: int = 30
    kept: int = 24 * 3600
    refused: int = 30


class Ask(Enum):
    """What a reader accepts."""

    PEEK = "peek"  # the cache alone
    GLANCE = "glance"  # an aged copy at once; waits only for what is absent or touched
    FRESH = "fresh"  # waits for an answer within its time to live
    NEW = "new"  # waits for an answer that lands after the question


@dataclass(frozen=True)
class Topic(Generic[T]):
    """What is read. `parse` makes the value of a body or raises; `is_empty` looks at the value."""

    name: str
    organization: int
    lifetimes: Lifetimes
    parse: Callable[[Any], T]
    is_empty: Callable[[T], bool] = lambda _value: False

    def key(self, part: str) -> str:
        return f"{part}:{self.organization}:{self.name}"


@dataclass(frozen=True)
class Reading(Generic[T]):
    """What a section is drawn from.

    `read_at`: epoch seconds; `late`: None, or the short code of why something newer could not be
    had (yet); `retry_at`: when asking again makes sense; `follow`: the reader should ask once more.
    """

    value: T
    read_at: float
    version: str
    late: str | None = None
    retry_at: float | None = None
    follow: bool = False


class Copy(msgspec.Struct, frozen=True):
    """The last good answer: when it landed, under which token, and a digest of its body."""

    body: Any
    at: float
    token: str
    print: str
    empty: bool


class Note(msgspec.Struct, frozen=True):
    """How the last flight failed: for who waited for it, and a while longer if it would again."""

    kind: str
    code: str
    at: float
    token: str
    retry_at: float | None = None

    def lasts(self, now: float, life: Lifetimes) -> bool:
        final = issubclass(KINDS_OF_ERROR.get(self.kind, Exception), errors.GiveUp)
        return final and now < self.at + life.refused

    def error(self, life: Lifetimes) -> errors.PanelError:
        kind = KINDS_OF_ERROR.get(self.kind, errors.Unreadable)
        again = self.at + life.refused if issubclass(kind, errors.GiveUp) else self.retry_at
        error: errors.PanelError = kind(self.code, retry_at=again)
        return error


@dataclass(frozen=True)
class _State(Generic[T]):
    """One look at the three keys; `copy` and `note` are None when absent, unusable or outdated."""

    token: str
    copy: Copy | None
    note: Note | None
    value: T | None

    @property
    def touched(self) -> bool:
        return self.copy is not None and self.copy.token != self.token

    def version(self, now: float, life: Lifetimes) -> str:
        """Opaque; the same for everyone who would be shown the same thing."""
        told = self.note.code if self.note and self.note.lasts(now, life) else ""
        seen = f"{self.token}/{self.copy.print if self.copy else ''}/{told}"
        return blake2s(seen.encode(), digest_size=8).hexdigest()


class Cache:
    """The one policy: fresh, else ask, else late, else raise. Safe for threads and processes."""

    def __init__(self, store: Store, flights: Flights, clock: Callable[[], float] = time.time):
        self._store = store
        self.flights = flights
        self._clock = clock
        self._resting_until = 0.0

    def read(self, topic: Topic[T], ask: Ask, fetch: Callable[[Deadline], Any]) -> Reading[T]:
        """`fetch` returns a JSON document or raises `PanelError`; at most one runs per topic.

        Raises what `fetch` raised, when no copy may stand in for it.
        """
        asked, by = self._clock(), Deadline(READ_SECONDS)
        found = self._settle(topic, self._look(topic), ask, asked)
        if found:
            return found
        with self.flights.hold(topic.key("flight"), by.left()) as alone:
            # Whoever waited here takes what landed meanwhile, a failure too: asking again one
            # after the other would let fifty openings of a broken section take fifty deadlines.
            state = self._look(topic)
            landed = self._settle(topic, state, ask, asked)
            if landed:
                return landed
            if not alone:
                hangs = errors.Unreachable("timeout", "another read of this section hangs")
                return self._late(topic, state, hangs)
            return self._fly(topic, state, fetch, by)

    def peek(self, topic: Topic[T]) -> Reading[T] | None:
        """What may be shown without asking anyone; None when there is nothing of that sort."""
        return self._settle(topic, self._look(topic), Ask.PEEK, self._clock())

    def changed(self, topic: Topic[T], seen: str) -> bool:
        """Does a panel that shows version `seen` have a reason to ask? The cache alone answers."""
        state, now = self._look(topic), self._clock()
        if seen != state.version(now, topic.lifetimes):
            return True
        told = state.note is not None and state.note.lasts(now, topic.lifetimes)
        return not told and not self._is_fresh(topic, state, Ask.FRESH, now)

    def version(self, topic: Topic[T]) -> str:
        """The version that a section showing the present state carries."""
        return self._look(topic).version(self._clock(), topic.lifetimes)

    def touch(self, organization: int, name: str) -> None:
        """Mark a section of an organization as out of date; one that is being read as well."""
        self._set(f"token:{organization}:{name}", secrets.token_hex(8), TOKEN_SECONDS)

    def works(self) -> bool:
        """Does the store keep what it is given? (for `readyz`)"""
        mark = secrets.token_hex(8)
        self._set("works", mark, 60)
        return self._get("works") == [mark]

    def _settle(
        self, topic: Topic[T], state: _State[T], ask: Ask, asked: float
    ) -> Reading[T] | None:
        """What `ask` accepts of this state; None means that somebody must fly."""
        life, note = topic.lifetimes, state.note
        if note and (note.lasts(self._clock(), life) or note.at >= asked):
            return self._late(topic, state, note.error(life))
        if state.copy is None or state.value is None or state.touched:
            return None
        if self._is_fresh(topic, state, ask, asked):
            return self._reading(topic, state)
        if ask in (Ask.PEEK, Ask.GLANCE):
            return self._reading(topic, state, late="aged", follow=True)
        return None

    def _is_fresh(self, topic: Topic[T], state: _State[T], ask: Ask, asked: float) -> bool:
        if state.copy is None or state.touched:
            return False
        if ask is Ask.NEW:
            return state.copy.at >= asked
        life = topic.lifetimes
        return self._clock() < state.copy.at + (life.empty if state.copy.empty else life.fresh)

    def _fly(
        self, topic: Topic[T], state: _State[T], fetch: Callable[[Deadline], Any], by: Deadline
    ) -> Reading[T]:
        try:
            body = fetch(by)
            value = topic.parse(body)
        except errors.PanelError as error:
            return self._crash(topic, state, error)
        digest = blake2s(msgspec.json.encode(body), digest_size=8).hexdigest()
        # Under the token as it was before the flight: see the module.
        copy = Copy(body, self._clock(), state.token, digest, topic.is_empty(value))
        self._set(topic.key("copy"), copy, topic.lifetimes.kept)
        return self._reading(topic, _State(state.token, copy, None, value))

    def _crash(self, topic: Topic[T], state: _State[T], error: errors.PanelError) -> Reading[T]:
        kind = type(error).__name__
        note = Note(kind, error.code, self._clock(), state.token, error.retry_at)
        self._set(topic.key("note"), note, topic.lifetimes.refused)
        if _forbids_copies(error):
            # Not merely hidden: a later outage must not bring back what we may not show.
            self._set(topic.key("copy"), None, 1)
        told = note.error(topic.lifetimes)
        told.detail = error.detail
        return self._late(topic, _State(state.token, state.copy, note, state.value), told)

    def _late(self, topic: Topic[T], state: _State[T], error: errors.PanelError) -> Reading[T]:
        if state.copy is None or state.value is None or _forbids_copies(error):
            raise error
        return self._reading(topic, state, late=error.code, retry_at=error.retry_at)

    def _reading(
        self,
        topic: Topic[T],
        state: _State[T],
        late: str | None = None,
        retry_at: float | None = None,
        follow: bool = False,
    ) -> Reading[T]:
        if state.copy is None or state.value is None:
            raise ValueError("a reading needs a copy")
        version = state.version(self._clock(), topic.lifetimes)
        return Reading(state.value, state.copy.at, version, late, retry_at, follow)

    def _look(self, topic: Topic[T]) -> _State[T]:
        token, copied, noted = self._get(topic.key("token"), topic.key("copy"), topic.key("note"))
        token = token if isinstance(token, str) else "0"
        usable = self._usable(topic, copied)
        copy, value = usable or (None, None)
        try:
            note = msgspec.convert(noted, Note)
        except msgspec.ValidationError:
            return _State(token, copy, None, value)
        outdated = note.token != token or (copy is not None and copy.at > note.at)
        return _State(token, copy, None if outdated else note, value)

    @staticmethod
    def _usable(topic: Topic[V], copied: object) -> tuple[Copy, V] | None:
        try:
            copy = msgspec.convert(copied, Copy)
            return copy, topic.parse(copy.body)
        except (msgspec.ValidationError, errors.PanelError, RecursionError):
            return None

    def _get(self, *keys: str) -> list[Any]:
        if self._clock() < self._resting_until:
            return [None] * len(keys)
        try:
            return list(self._store.get_many(*keys))
        except Exception as error:  # noqa: BLE001 any trouble with the store counts as absent
            self._trouble(error)
            return [None] * len(keys)

    def _set(self, key: str, value: Any, seconds: int) -> None:
        try:
            if not self._store.set(key, value, timeout=seconds):
                log.warning("the cache did not keep %s", key)
        except Exception as error:  # noqa: BLE001 as above
            self._trouble(error)

    def _trouble(self, error: Exception) -> None:
        log.warning("the cache cannot be used: %s", type(error).__name__)
        if isinstance(error, redis.RedisError):
            self._resting_until = self._clock() + REST_SECONDS


def _forbids_copies(error: errors.PanelError) -> bool:
    unknown = isinstance(error, errors.Missing) and error.code == "unknown_organization"
    return unknown or isinstance(error, errors.Refused)


class _Json(BaseSerializer):
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


def build(url: str, app: Flask) -> Cache:
    """The cache behind `PANEL_CACHE_URL`: `file:PATH`, `redis://…` or `memory:` (one process)."""
    scheme, _, rest = url.partition(":")
    config: dict[str, Any] = {"CACHE_KEY_PREFIX": "panel:", "CACHE_SERIALIZER": _Json()}
    flights: Flights = Local()
    if scheme == "file":
        folder = Path(rest)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Threshold 0: beyond any other, cachelib lists the whole folder at every write.
        config |= {"CACHE_TYPE": "FileSystemCache", "CACHE_THRESHOLD": 0}
        config["CACHE_DIR"] = str(folder / "copies")
        flights = Files(folder / "flights")
    elif scheme == "memory":
        config |= {"CACHE_TYPE": "SimpleCache", "CACHE_THRESHOLD": 100_000}
    else:
        # A Redis that hangs must cost 0.2 s, not the library's patience with its retries.
        patience = {"socket_timeout": 0.2, "socket_connect_timeout": 0.2, "retry": None}
        config |= {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": url, "CACHE_OPTIONS": patience}
        flights = Shared(redis.Redis.from_url(url, **patience))
    return Cache(Store(app, config=config), flights)


def sweep(url: str) -> int:
    """Remove the files that outlived every lifetime, and count them. Other stores expire alone."""
    if not url.startswith("file:"):
        return 0
    old = time.time() - TOKEN_SECONDS
    removed = 0
    for path in Path(url.removeprefix("file:")).rglob("*"):
        try:
            if path.is_file() and path.stat().st_mtime < old:
                path.unlink()
                removed += 1
        except FileNotFoundError:
            continue  # another process sweeps as well
    return removed
