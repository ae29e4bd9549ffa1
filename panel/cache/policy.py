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

    ONLY_IF_CACHED = "only-if-cached"  # the cache alone
    STALE_WHILE_REVALIDATE = (
        "stale-while-revalidate"  # an aged copy at once; waits only for what is absent or touched
    )
    FRESH = "fresh"  # waits for an answer within its time to live
    NO_CACHE = "no-cache"  # waits for an answer that lands after the question


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
        self, resource: Resource[T], control: CacheControl, fetch: Callable[[Deadline], Any]
    ) -> Reading[T]:
        """`fetch` returns a JSON document or raises `PanelError`; at most one runs per resource.

        Raises what `fetch` raised, when no copy may stand in for it.
        """
        asked, by = self._clock(), Deadline(READ_SECONDS)
        # What landed before the question is no answer to `NO_CACHE`, but for a refusal: seen below.
        found = control is not CacheControl.NO_CACHE and self._settle(
            resource, self._recall(resource), control, asked
        )
        if found:
            return found
        with self.flights.hold(resource.key("flight"), by.left()) as alone:
            # Whoever waited here takes what landed meanwhile, a failure too: asking again one
            # after the other would let fifty openings of a broken section take fifty deadlines.
            [state] = self._look(resource)
            landed = self._settle(resource, state, control, asked) or self._landed(
                resource, state, asked
            )
            if landed:
                return landed
            if not alone:
                hangs = errors.Unreachable("timeout", "another read of this section hangs")
                return self._late(resource, state, hangs)
            return self._fly(resource, state, fetch, by)

    def _landed(self, resource: Resource[T], state: State[T], asked: float) -> Reading[T] | None:
        landing = self._landings.get(resource.key("flight"))
        if landing is None or landing.at < asked or landing.token != state.token:
            return None
        if landing.error:
            raise landing.error
        return landing.reading

    def _land(
        self, resource: Resource[T], token: str, reading: Reading[T] | None, error: Any = None
    ) -> None:
        if len(self._landings) >= MOST_LANDINGS:
            self._landings.clear()
        self._landings[resource.key("flight")] = _Landing(self._clock(), token, reading, error)

    def peek(self, resource: Resource[T]) -> Reading[T] | None:
        """What may be shown without asking anyone; None when there is nothing of that sort."""
        return self._settle(
            resource, self._recall(resource), CacheControl.ONLY_IF_CACHED, self._clock()
        )

    def changed(self, *shown: tuple[Resource[Any], str]) -> list[bool]:
        """Does a panel that shows these versions have a reason to ask? The cache alone answers.

        All are resources of one organization: mostly, its mark tells that nothing was written.
        """
        states = self._recall_all([resource for resource, _ in shown], self._seen)
        pairs = zip(shown, states, strict=True)
        return [self._is_news(resource, state, seen) for (resource, seen), state in pairs]

    def _is_news(self, resource: Resource[Any], state: State[Any], seen: str) -> bool:
        now = self._clock()
        if seen != state.version(now, resource.lifetimes):
            return True
        # Nobody is sent to ask before the other side wants to be asked again.
        note = state.note
        told = note and (note.lasts(now, resource.lifetimes) or note.wait_until > now)
        return not told and not self._is_fresh(resource, state, CacheControl.FRESH, now)

    def version(self, resource: Resource[T]) -> str:
        """The version that a section showing the present state carries."""
        [state] = self._recall_all([resource], self._seen)
        return state.version(self._clock(), resource.lifetimes)

    def touch(self, organization: int, *names: str) -> bool:
        """Mark sections of an organization as out of date; those that are being read as well.

        False when the store did not take it.
        """
        keys = [f"token:{organization}:{name}" for name in names]
        return not keys or self.store.remove(organization, *keys)

    def _settle(
        self, resource: Resource[T], state: State[T], control: CacheControl, asked: float
    ) -> Reading[T] | None:
        """What `control` accepts of this state; None means that somebody must fly."""
        life, note = resource.lifetimes, state.note
        if note and (note.lasts(self._clock(), life) or note.at >= asked):
            return self._late(resource, state, note.error(life))
        if state.copy is None or state.value is None or state.touched:
            return None
        if self._is_fresh(resource, state, control, asked):
            return self._reading(resource, state)
        if control in (CacheControl.ONLY_IF_CACHED, CacheControl.STALE_WHILE_REVALIDATE):
            return self._reading(resource, state, late="aged", follow=True)
        return None

    def _is_fresh(
        self, resource: Resource[T], state: State[T], control: CacheControl, asked: float
    ) -> bool:
        if state.copy is None or state.touched:
            return False
        if control is CacheControl.NO_CACHE:
            return state.copy.at >= asked
        life = resource.lifetimes
        return self._clock() < state.copy.at + (life.empty if state.copy.empty else life.fresh)

    def _fly(
        self, resource: Resource[T], state: State[T], fetch: Callable[[Deadline], Any], by: Deadline
    ) -> Reading[T]:
        kept = state.token
        if not kept:
            # Before the flight: a touch that comes from now on removes this token.
            state = replace(state, token=secrets.token_hex(8))
            entry = (resource.key("token"), state.token, TOKEN_SECONDS)
            kept = state.token if self.store.put(resource.organization, entry) else ""
        try:
            body = fetch(by)
            value = resource.parse(body)
        except errors.PanelError as error:
            return self._crash(resource, state, kept, error)
        digest = blake2s(msgspec.json.encode(body), digest_size=8).hexdigest()
        # Under the token as it was before the flight: see the module.
        copy = Copy(body, self._clock(), state.token, digest, resource.is_empty(value))
        self.store.put(resource.organization, (resource.key("copy"), copy, resource.lifetimes.kept))
        reading = self._reading(resource, State(state.token, copy, None, value))
        self._land(resource, kept, reading)
        return reading

    def _crash(
        self, resource: Resource[T], state: State[T], kept: str, error: errors.PanelError
    ) -> Reading[T]:
        kind = type(error).__name__
        note = Note(kind, error.code, self._clock(), state.token, error.retry_at)
        entries: list[tuple[str, Any, int]] = [
            (resource.key("note"), note, resource.lifetimes.refused)
        ]
        if _forbids_copies(error):
            # Not merely hidden: a later outage must not bring back what we may not show.
            entries.append((resource.key("copy"), None, 1))
        self.store.put(resource.organization, *entries)
        told = note.error(resource.lifetimes)
        told.detail = error.detail
        try:
            reading = self._late(resource, State(state.token, state.copy, note, state.value), told)
        except errors.PanelError:
            self._land(resource, kept, None, told)
            raise
        self._land(resource, kept, reading)
        return reading

    def _late(self, resource: Resource[T], state: State[T], error: errors.PanelError) -> Reading[T]:
        if state.copy is None or state.value is None or _forbids_copies(error):
            raise error
        return self._reading(resource, state, late=error.code, retry_at=error.retry_at)

    def _reading(
        self,
        resource: Resource[T],
        state: State[T],
        late: str | None = None,
        retry_at: float | None = None,
        follow: bool = False,
    ) -> Reading[T]:
        if state.copy is None or state.value is None:
            raise ValueError("a reading needs a copy")
        version = state.version(self._clock(), resource.lifetimes)
        return Reading(state.value, state.copy.at, version, late, retry_at, follow)

    def _recall(self, resource: Resource[T]) -> State[T]:
        [state] = self._recall_all([resource], self._parsed)
        return state

    def _recall_all(
        self, resources: Sequence[Resource[Any]], memory: TtlCache[State[Any]]
    ) -> list[State[Any]]:
        """Resources of one organization, as they were seen under its mark, or looked at now."""
        if not resources:
            return []
        # Read before the keys: a mark that is younger than what we saw would vouch for it.
        mark = self.store.generation_of(resources[0].organization)
        known = [memory.get((mark, resource.name)) if mark else None for resource in resources]
        if all(known):
            return [state for state in known if state]
        states = self._look(*resources, parsed=memory is self._parsed)
        if mark:
            until = self._clock() + REMEMBERED_SECONDS
            for resource, state in zip(resources, states, strict=True):
                memory.put((mark, resource.name), state, until)
        return states

    def _look(self, *resources: Resource[Any], parsed: bool = True) -> list[State[Any]]:
        found = iter(
            self.store.get(*(resource.key(part) for resource in resources for part in PARTS))
        )
        now = self._clock()
        # One iterator, three times: the values of `PARTS`, resource by resource.
        stored = zip(resources, zip(found, found, found, strict=True), strict=True)
        return [State.of(resource, values, now, parsed) for resource, values in stored]


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
