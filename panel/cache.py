"""Kept copies of the back office's answers: version, age, touch, one flight at a time.

The only importer of `flask_caching`. Three keys for each topic (a section of an organization):

    copy    `Copy`: the last good answer
    note    `Note`: how the last flight failed
    token   random text, removed by a touch; no two reads that found none write the same

A read stores its copy under the token that it saw *before* it began, or wrote when there was none.
So a touch that arrives during a read leaves that copy touched, and one of what nobody has read for
long has nothing to do. Only JSON is stored, never pickles: a planted file must not run.
Any trouble with the store counts as "absent": it costs speed, never truth.

What a process saw under an organization's mark (see `marks`) it need not read and parse again while
that mark stands, so most questions ask for the mark alone.
"""

import logging
import secrets
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from hashlib import blake2s
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import redis
from cachelib.serializers import BaseSerializer
from flask import Flask
from flask_caching import Cache as Store

from panel import errors, flights, marks
from panel.flights import Flights
from panel.http import READ_SECONDS, Deadline
from panel.marks import InProcess, Marks
from panel.memory import Memory

log = logging.getLogger(__name__)
T = TypeVar("T")
V = TypeVar("V")

PARTS = ("token", "copy", "note")
TOKEN_SECONDS = 48 * 3600  # longer than any copy lives, so a forgotten token only costs a read
SWEEP_SECONDS = 3600.0
SWEPT = ("copies", "flights", "marks")
MOST_LANDINGS = 64  # of the last moments: whoever waited for one takes it at once
REMEMBERED_SECONDS = 10.0  # if one of two writers dies, the other's mark may come too early
MOST_SEEN = 4096  # without their values: for those who only ask what has changed
MOST_PARSED = 256  # with them: they may be large
AGAIN_SECONDS = 15.0  # open panels send nobody sooner after what has just failed
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

    @property
    def wait_until(self) -> float:
        return max(self.retry_at or 0.0, self.at + AGAIN_SECONDS)

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
        # Without a token we cannot know, so it counts as touched: that costs one read.
        return self.copy is not None and (not self.token or self.copy.token != self.token)

    def version(self, now: float, life: Lifetimes) -> str:
        """Opaque; the same for everyone who would be shown the same thing."""
        told = self.note.code if self.note and self.note.lasts(now, life) else ""
        seen = f"{self.token}/{self.copy.print if self.copy else ''}/{told}"
        return blake2s(seen.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class _Landing(Generic[T]):
    """How a flight of this process ended, for the threads that waited for it.

    They find it in the store as well, unless that is down: then fifty readers would fly in turn.
    `token`: the one that the store kept; empty when it kept none, as those who waited see none.
    """

    at: float
    token: str
    reading: Reading[T] | None
    error: errors.PanelError | None


class Cache:
    """The one policy: fresh, else ask, else late, else raise. Safe for threads and processes."""

    def __init__(
        self,
        store: Store,
        flights: Flights,
        clock: Callable[[], float] = time.time,
        sweep: Callable[[], object] = lambda: None,
        marks: Marks | None = None,
    ) -> None:
        """`sweep` is called in a thread of its own, once an hour of writing.

        `flights` and `marks` reach as far as the store does; without marks: this process.
        """
        self._store = store
        self.flights = flights
        self._marks = marks or InProcess()
        self._clock = clock
        self._sweep = sweep
        self._next_sweep = 0.0
        self._resting_until = 0.0
        self._landings: dict[str, _Landing[Any]] = {}
        self._seen = Memory[_State[Any]](MOST_SEEN, clock)
        self._parsed = Memory[_State[Any]](MOST_PARSED, clock)

    def read(self, topic: Topic[T], ask: Ask, fetch: Callable[[Deadline], Any]) -> Reading[T]:
        """`fetch` returns a JSON document or raises `PanelError`; at most one runs per topic.

        Raises what `fetch` raised, when no copy may stand in for it.
        """
        asked, by = self._clock(), Deadline(READ_SECONDS)
        found = self._settle(topic, self._recall(topic), ask, asked)
        if found:
            return found
        with self.flights.hold(topic.key("flight"), by.left()) as alone:
            # Whoever waited here takes what landed meanwhile, a failure too: asking again one
            # after the other would let fifty openings of a broken section take fifty deadlines.
            [state] = self._look(topic)
            landed = self._settle(topic, state, ask, asked) or self._landed(topic, state, asked)
            if landed:
                return landed
            if not alone:
                hangs = errors.Unreachable("timeout", "another read of this section hangs")
                return self._late(topic, state, hangs)
            return self._fly(topic, state, fetch, by)

    def _landed(self, topic: Topic[T], state: _State[T], asked: float) -> Reading[T] | None:
        landing = self._landings.get(topic.key("flight"))
        if landing is None or landing.at < asked or landing.token != state.token:
            return None
        if landing.error:
            raise landing.error
        return landing.reading

    def _land(
        self, topic: Topic[T], token: str, reading: Reading[T] | None, error: Any = None
    ) -> None:
        if len(self._landings) >= MOST_LANDINGS:
            self._landings.clear()
        self._landings[topic.key("flight")] = _Landing(self._clock(), token, reading, error)

    def peek(self, topic: Topic[T]) -> Reading[T] | None:
        """What may be shown without asking anyone; None when there is nothing of that sort."""
        return self._settle(topic, self._recall(topic), Ask.PEEK, self._clock())

    def changed(self, *shown: tuple[Topic[Any], str]) -> list[bool]:
        """Does a panel that shows these versions have a reason to ask? The cache alone answers.

        All are topics of one organization: mostly, its mark tells that nothing was written.
        """
        states = self._recall_all([topic for topic, _ in shown], self._seen)
        pairs = zip(shown, states, strict=True)
        return [self._is_news(topic, state, seen) for (topic, seen), state in pairs]

    def _is_news(self, topic: Topic[Any], state: _State[Any], seen: str) -> bool:
        now = self._clock()
        if seen != state.version(now, topic.lifetimes):
            return True
        # Nobody is sent to ask before the other side wants to be asked again.
        note = state.note
        told = note and (note.lasts(now, topic.lifetimes) or note.wait_until > now)
        return not told and not self._is_fresh(topic, state, Ask.FRESH, now)

    def version(self, topic: Topic[T]) -> str:
        """The version that a section showing the present state carries."""
        [state] = self._recall_all([topic], self._seen)
        return state.version(self._clock(), topic.lifetimes)

    def touch(self, organization: int, *names: str) -> bool:
        """Mark sections of an organization as out of date; those that are being read as well.

        False when the store did not take it.
        """
        if not names:
            return True
        try:
            self._marks.drop(organization)
            self._store.unlink(*(f"token:{organization}:{name}" for name in names))
            # Once more: another writer may have set one, under which the tokens were seen.
            self._marks.drop(organization)
        except Exception as error:  # noqa: BLE001 any trouble with the store
            self._trouble(error)
            return False
        return True

    def works(self) -> bool:
        """Does the store keep what it is given? (for `readyz`)"""
        mark = secrets.token_hex(8)  # of this very look: others look as well
        self._set(f"works:{mark}", mark, 1)
        return self._get(f"works:{mark}") == [mark]

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
        kept = state.token
        if not kept:
            # Before the flight: a touch that comes from now on removes this token.
            state = replace(state, token=secrets.token_hex(8))
            entry = (topic.key("token"), state.token, TOKEN_SECONDS)
            kept = state.token if self._write(topic.organization, entry) else ""
        try:
            body = fetch(by)
            value = topic.parse(body)
        except errors.PanelError as error:
            return self._crash(topic, state, kept, error)
        digest = blake2s(msgspec.json.encode(body), digest_size=8).hexdigest()
        # Under the token as it was before the flight: see the module.
        copy = Copy(body, self._clock(), state.token, digest, topic.is_empty(value))
        self._write(topic.organization, (topic.key("copy"), copy, topic.lifetimes.kept))
        reading = self._reading(topic, _State(state.token, copy, None, value))
        self._land(topic, kept, reading)
        return reading

    def _crash(
        self, topic: Topic[T], state: _State[T], kept: str, error: errors.PanelError
    ) -> Reading[T]:
        kind = type(error).__name__
        note = Note(kind, error.code, self._clock(), state.token, error.retry_at)
        entries: list[tuple[str, Any, int]] = [(topic.key("note"), note, topic.lifetimes.refused)]
        if _forbids_copies(error):
            # Not merely hidden: a later outage must not bring back what we may not show.
            entries.append((topic.key("copy"), None, 1))
        self._write(topic.organization, *entries)
        told = note.error(topic.lifetimes)
        told.detail = error.detail
        try:
            reading = self._late(topic, _State(state.token, state.copy, note, state.value), told)
        except errors.PanelError:
            self._land(topic, kept, None, told)
            raise
        self._land(topic, kept, reading)
        return reading

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

    def _recall(self, topic: Topic[T]) -> _State[T]:
        [state] = self._recall_all([topic], self._parsed)
        return state

    def _recall_all(
        self, topics: Sequence[Topic[Any]], memory: Memory[_State[Any]]
    ) -> list[_State[Any]]:
        """Topics of one organization, as they were seen under its mark, or looked at now."""
        if not topics:
            return []
        # Read before the keys: a mark that is younger than what we saw would vouch for it.
        mark = self._mark_of(topics[0].organization)
        known = [memory.get((mark, topic.name)) if mark else None for topic in topics]
        if all(known):
            return [state for state in known if state]
        states = self._look(*topics, parsed=memory is self._parsed)
        if mark:
            until = self._clock() + REMEMBERED_SECONDS
            for topic, state in zip(topics, states, strict=True):
                memory.put((mark, topic.name), state, until)
        return states

    def _look(self, *topics: Topic[Any], parsed: bool = True) -> list[_State[Any]]:
        found = iter(self._get(*(topic.key(part) for topic in topics for part in PARTS)))
        return [
            self._state(topic, next(found), next(found), next(found), parsed) for topic in topics
        ]

    def _state(
        self, topic: Topic[V], token: object, copied: object, noted: object, parsed: bool
    ) -> _State[V]:
        token = token if isinstance(token, str) else ""
        usable = self._usable(topic, copied, parsed)
        copy, value = usable or (None, None)
        try:
            note = msgspec.convert(noted, Note)
        except msgspec.ValidationError:
            return _State(token, copy, None, value)
        outdated = note.token != token or (copy is not None and copy.at > note.at)
        return _State(token, copy, None if outdated else note, value)

    def _usable(
        self, topic: Topic[V], copied: object, parsed: bool
    ) -> tuple[Copy, V | None] | None:
        try:
            copy = msgspec.convert(copied, Copy)
            value = topic.parse(copy.body) if parsed else None
        except (msgspec.ValidationError, errors.PanelError, RecursionError):
            return None
        # The store forgets by its own clock, and late: age is ours to judge.
        kept = copy.at > self._clock() - topic.lifetimes.kept
        # Nobody needs the body any more, and it is not remembered.
        return (msgspec.structs.replace(copy, body=None), value) if kept else None

    def _get(self, *keys: str) -> list[Any]:
        if self._clock() < self._resting_until:
            return [None] * len(keys)
        try:
            return list(self._store.get_many(*keys))
        except Exception as error:  # noqa: BLE001 any trouble with the store counts as absent
            self._trouble(error)
            return [None] * len(keys)

    def _mark_of(self, organization: int) -> str | None:
        if self._clock() < self._resting_until:
            return None
        try:
            return self._marks.of(organization)
        except (OSError, redis.RedisError) as error:
            self._trouble(error)
            return None

    def _write(self, organization: int, *entries: tuple[str, Any, int]) -> bool:
        """Key, value and seconds of each; False when the store took not all of them."""
        try:
            self._marks.drop(organization)
            kept = [self._set(*entry) for entry in entries]
            self._marks.renew(organization)
        except (OSError, redis.RedisError) as error:
            # A store that hangs costs one wait here, not one for each entry.
            self._trouble(error)
            return False
        return all(kept)

    def _set(self, key: str, value: Any, seconds: int) -> bool:
        self._sweep_hourly()
        try:
            kept = bool(self._store.set(key, value, timeout=seconds))
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
            self._resting_until = self._clock() + REST_SECONDS


def _forbids_copies(error: errors.PanelError) -> bool:
    return isinstance(error, errors.Missing | errors.Refused)


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


def build(url: str, app: Flask, whose: str = "", clock: Callable[[], float] = time.time) -> Cache:
    """The cache behind `PANEL_CACHE_URL`: `file:PATH`, `redis://…` or `memory:` (one process).

    `whose` keeps installations apart that share one Redis.
    """
    prefix = f"panel:{blake2s(whose.encode(), digest_size=6).hexdigest()}:"
    scheme, _, rest = url.partition(":")
    config: dict[str, Any] = {"CACHE_KEY_PREFIX": prefix, "CACHE_SERIALIZER": _Json()}
    if scheme == "file":
        folder = Path(rest)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Threshold 0: beyond any other, cachelib lists the whole folder at every write.
        config |= {"CACHE_TYPE": "FileSystemCache", "CACHE_THRESHOLD": 0}
        config["CACHE_DIR"] = str(folder / "copies")
        return Cache(
            Store(app, config=config),
            flights.Files(folder / "flights"),
            clock,
            partial(sweep_files, folder, time.time),
            marks.Files(folder / "marks"),
        )
    if scheme == "memory":
        config |= {"CACHE_TYPE": "SimpleCache", "CACHE_THRESHOLD": 100_000}
        return Cache(Store(app, config=config), flights.Local(), clock)
    # A Redis that hangs must cost 0.3 s, not the library's patience with its retries.
    patience = {"socket_timeout": 0.3, "socket_connect_timeout": 0.3, "retry": None}
    config |= {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": url, "CACHE_OPTIONS": patience}
    client = redis.Redis.from_url(url, **patience)
    shared = flights.Shared(client, prefix), marks.Shared(client, prefix)
    return Cache(Store(app, config=config), shared[0], clock, marks=shared[1])


def sweep_files(folder: Path, clock: Callable[[], float]) -> int:
    """Remove what has expired, and count it: cachelib does so only when a key is read again.

    A copy's file begins with its expiry (cachelib 0.17, `file.py`); a lock and a mark are as old as
    their file.
    """
    removed = 0
    for path in [path for part in SWEPT for path in folder.glob(f"{part}/*")]:
        try:
            if _outlived(path, clock()):
                path.unlink()
                removed += 1
        except OSError:
            continue  # gone already: another process sweeps as well
    return removed


def _outlived(path: Path, now: float) -> bool:
    if path.parent.name != "copies":
        return path.lstat().st_mtime < now - TOKEN_SECONDS
    with path.open("rb") as file:
        head = file.read(4)
    expires = struct.unpack("I", head)[0] if len(head) == 4 else 0
    # What is too short to be a copy may be one that is being written: it gets an hour.
    return 0 < expires < now or (not expires and path.stat().st_mtime < now - SWEEP_SECONDS)
