"""Kept copies of the outside worlds' answers: version, age, touch, one flight at a time.

The only importer of `flask_caching`. What is kept is said in `copies`, where in `store`.

A read stores its copy under the token that it saw *before* it began, or wrote when there was none.
So a touch that arrives during a read leaves that copy touched, and one of what nobody has read for
long has nothing to do.

What a process saw under an organization's mark (see `marks`) it need not read and parse again while
that mark stands, so most questions ask for the mark alone.
"""

import secrets
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
from flask import Flask
from flask_caching import Cache as FlaskCache

from panel import errors, locks
from panel.cache import generations
from panel.cache.backend import TOKEN_SECONDS, CacheBackend, JsonSerializer, sweep_files
from panel.cache.entries import PARTS, Copy, Note, Reading, Resource, State
from panel.cache.ttl_cache import TtlCache
from panel.deadline import READ_SECONDS, Deadline
from panel.locks import Locks

T = TypeVar("T")

MOST_LANDINGS = 64  # of the last moments: whoever waited for one takes it at once
REMEMBERED_SECONDS = 10.0  # if one of two writers dies, the other's mark may come too early
MOST_STATES = 4096  # without their values: for those who only ask what has changed
MOST_PARSED = 256  # with them: they may be large


class CacheControl(Enum):
    """What a reader accepts."""

    PEEK = "peek"  # the cache alone
    GLANCE = "glance"  # an aged copy at once; waits only for what is absent or touched
    FRESH = "fresh"  # waits for an answer within its time to live
    NEW = "new"  # waits for an answer that lands after the question


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

    def __init__(self, store: CacheBackend, flights: Locks, clock: Callable[[], float]) -> None:
        """`flights` reach as far as the store does."""
        self.store = store
        self.flights = flights
        self._clock = clock
        self._landings: dict[str, _Landing[Any]] = {}
        self._seen = TtlCache[State[Any]](MOST_STATES, clock)
        self._parsed = TtlCache[State[Any]](MOST_PARSED, clock)

    def read(
        self, topic: Resource[T], ask: CacheControl, fetch: Callable[[Deadline], Any]
    ) -> Reading[T]:
        """`fetch` returns a JSON document or raises `PanelError`; at most one runs per topic.

        Raises what `fetch` raised, when no copy may stand in for it.
        """
        asked, by = self._clock(), Deadline(READ_SECONDS)
        # What landed before the question is no answer to `NEW`, but for a refusal: seen below.
        found = ask is not CacheControl.NEW and self._settle(topic, self._recall(topic), ask, asked)
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

    def _landed(self, topic: Resource[T], state: State[T], asked: float) -> Reading[T] | None:
        landing = self._landings.get(topic.key("flight"))
        if landing is None or landing.at < asked or landing.token != state.token:
            return None
        if landing.error:
            raise landing.error
        return landing.reading

    def _land(
        self, topic: Resource[T], token: str, reading: Reading[T] | None, error: Any = None
    ) -> None:
        if len(self._landings) >= MOST_LANDINGS:
            self._landings.clear()
        self._landings[topic.key("flight")] = _Landing(self._clock(), token, reading, error)

    def peek(self, topic: Resource[T]) -> Reading[T] | None:
        """What may be shown without asking anyone; None when there is nothing of that sort."""
        return self._settle(topic, self._recall(topic), CacheControl.PEEK, self._clock())

    def changed(self, *shown: tuple[Resource[Any], str]) -> list[bool]:
        """Does a panel that shows these versions have a reason to ask? The cache alone answers.

        All are topics of one organization: mostly, its mark tells that nothing was written.
        """
        states = self._recall_all([topic for topic, _ in shown], self._seen)
        pairs = zip(shown, states, strict=True)
        return [self._is_news(topic, state, seen) for (topic, seen), state in pairs]

    def _is_news(self, topic: Resource[Any], state: State[Any], seen: str) -> bool:
        now = self._clock()
        if seen != state.version(now, topic.lifetimes):
            return True
        # Nobody is sent to ask before the other side wants to be asked again.
        note = state.note
        told = note and (note.lasts(now, topic.lifetimes) or note.wait_until > now)
        return not told and not self._is_fresh(topic, state, CacheControl.FRESH, now)

    def version(self, topic: Resource[T]) -> str:
        """The version that a section showing the present state carries."""
        [state] = self._recall_all([topic], self._seen)
        return state.version(self._clock(), topic.lifetimes)

    def touch(self, organization: int, *names: str) -> bool:
        """Mark sections of an organization as out of date; those that are being read as well.

        False when the store did not take it.
        """
        keys = [f"token:{organization}:{name}" for name in names]
        return not keys or self.store.remove(organization, *keys)

    def _settle(
        self, topic: Resource[T], state: State[T], ask: CacheControl, asked: float
    ) -> Reading[T] | None:
        """What `ask` accepts of this state; None means that somebody must fly."""
        life, note = topic.lifetimes, state.note
        if note and (note.lasts(self._clock(), life) or note.at >= asked):
            return self._late(topic, state, note.error(life))
        if state.copy is None or state.value is None or state.touched:
            return None
        if self._is_fresh(topic, state, ask, asked):
            return self._reading(topic, state)
        if ask in (CacheControl.PEEK, CacheControl.GLANCE):
            return self._reading(topic, state, late="aged", follow=True)
        return None

    def _is_fresh(
        self, topic: Resource[T], state: State[T], ask: CacheControl, asked: float
    ) -> bool:
        if state.copy is None or state.touched:
            return False
        if ask is CacheControl.NEW:
            return state.copy.at >= asked
        life = topic.lifetimes
        return self._clock() < state.copy.at + (life.empty if state.copy.empty else life.fresh)

    def _fly(
        self, topic: Resource[T], state: State[T], fetch: Callable[[Deadline], Any], by: Deadline
    ) -> Reading[T]:
        kept = state.token
        if not kept:
            # Before the flight: a touch that comes from now on removes this token.
            state = replace(state, token=secrets.token_hex(8))
            entry = (topic.key("token"), state.token, TOKEN_SECONDS)
            kept = state.token if self.store.put(topic.organization, entry) else ""
        try:
            body = fetch(by)
            value = topic.parse(body)
        except errors.PanelError as error:
            return self._crash(topic, state, kept, error)
        digest = blake2s(msgspec.json.encode(body), digest_size=8).hexdigest()
        # Under the token as it was before the flight: see the module.
        copy = Copy(body, self._clock(), state.token, digest, topic.is_empty(value))
        self.store.put(topic.organization, (topic.key("copy"), copy, topic.lifetimes.kept))
        reading = self._reading(topic, State(state.token, copy, None, value))
        self._land(topic, kept, reading)
        return reading

    def _crash(
        self, topic: Resource[T], state: State[T], kept: str, error: errors.PanelError
    ) -> Reading[T]:
        kind = type(error).__name__
        note = Note(kind, error.code, self._clock(), state.token, error.retry_at)
        entries: list[tuple[str, Any, int]] = [(topic.key("note"), note, topic.lifetimes.refused)]
        if _forbids_copies(error):
            # Not merely hidden: a later outage must not bring back what we may not show.
            entries.append((topic.key("copy"), None, 1))
        self.store.put(topic.organization, *entries)
        told = note.error(topic.lifetimes)
        told.detail = error.detail
        try:
            reading = self._late(topic, State(state.token, state.copy, note, state.value), told)
        except errors.PanelError:
            self._land(topic, kept, None, told)
            raise
        self._land(topic, kept, reading)
        return reading

    def _late(self, topic: Resource[T], state: State[T], error: errors.PanelError) -> Reading[T]:
        if state.copy is None or state.value is None or _forbids_copies(error):
            raise error
        return self._reading(topic, state, late=error.code, retry_at=error.retry_at)

    def _reading(
        self,
        topic: Resource[T],
        state: State[T],
        late: str | None = None,
        retry_at: float | None = None,
        follow: bool = False,
    ) -> Reading[T]:
        if state.copy is None or state.value is None:
            raise ValueError("a reading needs a copy")
        version = state.version(self._clock(), topic.lifetimes)
        return Reading(state.value, state.copy.at, version, late, retry_at, follow)

    def _recall(self, topic: Resource[T]) -> State[T]:
        [state] = self._recall_all([topic], self._parsed)
        return state

    def _recall_all(
        self, topics: Sequence[Resource[Any]], memory: TtlCache[State[Any]]
    ) -> list[State[Any]]:
        """Topics of one organization, as they were seen under its mark, or looked at now."""
        if not topics:
            return []
        # Read before the keys: a mark that is younger than what we saw would vouch for it.
        mark = self.store.generation_of(topics[0].organization)
        known = [memory.get((mark, topic.name)) if mark else None for topic in topics]
        if all(known):
            return [state for state in known if state]
        states = self._look(*topics, parsed=memory is self._parsed)
        if mark:
            until = self._clock() + REMEMBERED_SECONDS
            for topic, state in zip(topics, states, strict=True):
                memory.put((mark, topic.name), state, until)
        return states

    def _look(self, *topics: Resource[Any], parsed: bool = True) -> list[State[Any]]:
        found = iter(self.store.get(*(topic.key(part) for topic in topics for part in PARTS)))
        now = self._clock()
        # One iterator, three times: the values of `PARTS`, topic by topic.
        stored = zip(topics, zip(found, found, found, strict=True), strict=True)
        return [State.of(topic, values, now, parsed) for topic, values in stored]


def _forbids_copies(error: errors.PanelError) -> bool:
    return isinstance(error, errors.Missing | errors.Refused)


def build(url: str, app: Flask, whose: str = "", clock: Callable[[], float] = time.time) -> Cache:
    """The cache behind `PANEL_CACHE_URL`: `file:PATH`, `redis://…` or `memory:` (one process).

    `whose` keeps installations apart that share one Redis.
    """
    prefix = f"panel:{blake2s(whose.encode(), digest_size=6).hexdigest()}:"
    scheme, _, rest = url.partition(":")
    config: dict[str, Any] = {"CACHE_KEY_PREFIX": prefix, "CACHE_SERIALIZER": JsonSerializer()}
    if scheme == "file":
        folder = Path(rest)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Threshold 0: beyond any other, cachelib lists the whole folder at every write.
        config |= {"CACHE_TYPE": "FileSystemCache", "CACHE_THRESHOLD": 0}
        config["CACHE_DIR"] = str(folder / "copies")
        sweep = partial(sweep_files, folder, time.time)
        store = CacheBackend(
            FlaskCache(app, config=config),
            clock,
            sweep,
            generations.FileGenerations(folder / "marks"),
        )
        return Cache(store, locks.FileLocks(folder / "flights"), clock)
    if scheme == "memory":
        config |= {"CACHE_TYPE": "SimpleCache", "CACHE_THRESHOLD": 100_000}
        return Cache(
            CacheBackend(FlaskCache(app, config=config), clock), locks.ThreadLocks(), clock
        )
    # A Redis that hangs must cost 0.3 s, not the library's patience with its retries.
    patience = {"socket_timeout": 0.3, "socket_connect_timeout": 0.3, "retry": None}
    config |= {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": url, "CACHE_OPTIONS": patience}
    client = redis.Redis.from_url(url, **patience)
    store = CacheBackend(
        FlaskCache(app, config=config), clock, marks=generations.RedisGenerations(client, prefix)
    )
    return Cache(store, locks.RedisLocks(client, prefix), clock)
