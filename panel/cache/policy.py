"""Cache control: single flight, stale-while-revalidate, stale-if-error, negative entries.

The stored values are described in `entries`, their place in `backend`.

A read stores its copy under the token that it saw *before* it began, or wrote when there was none.
So an invalidation that arrives during a read leaves that copy invalidated. An invalidation of a
resource without recent reads has nothing to remove.

An answer may come from a cache between us and its origin. Then its copy has the age that this cache
gives it. A copy that is older than its reader or a touch allows is shown as late:
`cached_upstream`.
"""

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import msgspec

from panel import errors, metrics
from panel.bulkhead import Bulkhead
from panel.cache.backend import CacheBackend
from panel.cache.copies import CACHED_UPSTREAM, CopyWriter, forbids_copies, tell_age
from panel.cache.entries import (
    CacheControl,
    DatedBody,
    Entry,
    Reading,
    Resource,
    State,
    make_entry_key,
    make_token_key,
)
from panel.cache.states import StateMemory
from panel.cache.touches import Touches
from panel.deadline import READ_SECONDS, Deadline
from panel.locks import Locks

__all__ = ["Cache", "CacheControl"]
T = TypeVar("T")

FLIGHT_SECONDS = 2.5  # the wait for another reader's fetch; then the panel asks again later


Report = Callable[[errors.PanelError], None]


def _ignore(_error: errors.PanelError) -> None:
    """The default for reads whose failures are not reported."""


class Cache:
    """Shows a fresh copy, else fetches, else shows a late copy, else raises. Safe for threads."""

    def __init__(
        self,
        store: CacheBackend,
        locks: Locks,
        clock: Callable[[], float],
        bulkhead: Bulkhead | None = None,
    ) -> None:
        """`locks` reach as far as the store does. `bulkhead`: limits the readers who wait."""
        self.store = store
        self._bulkhead = bulkhead or Bulkhead()
        self.touches = Touches(store, clock)
        self.locks = locks
        self._clock = clock
        self._states = StateMemory(store, clock)
        self._copies = CopyWriter(store, self.touches, clock)

    def read(
        self,
        resource: Resource[T],
        control: CacheControl,
        fetch: Callable[[Deadline], Any],
        report: Report = _ignore,
    ) -> Reading[T]:
        """`fetch` returns a JSON document or raises `PanelError`; at most one runs per resource.

        A document that may come from a cache in between is returned as a `DatedBody`. Raises
        the error of `fetch` when no copy may stand in; `Busy` when this reader would wait too long.
        `report` is called once for each failure, however many readers waited for that read.
        """
        asked_at, by = self._clock(), Deadline(READ_SECONDS)
        # A copy from before the question is no answer to `NO_CACHE`; a refusal from before it is,
        # and is looked at below.
        if control is not CacheControl.NO_CACHE:
            [recalled] = self._states.recall([resource], with_value=True)
            reading = self._answer_from(resource, recalled, control, asked_at)
            if reading:
                return _count(resource, reading, "late" if reading.late else "hit")
        try:
            with self._bulkhead.enter():
                return self._wait_and_read(resource, control, fetch, report, asked_at, by)
        except errors.Busy as busy:
            [state] = self._states.load([resource], with_value=True)
            _count(resource, None, "busy")
            return self._answer_busy(resource, state, busy)

    def _wait_and_read(
        self,
        resource: Resource[T],
        control: CacheControl,
        fetch: Callable[[Deadline], Any],
        report: Report,
        asked_at: float,
        by: Deadline,
    ) -> Reading[T]:
        with self.locks.hold(resource.lock_key, FLIGHT_SECONDS) as alone:
            # A reader who waited here takes the result that came meanwhile, a failure too: in turn,
            # fifty openings of a broken section would take fifty deadlines.
            [state] = self._states.load([resource], with_value=True)
            reading = self._answer_from(resource, state, control, asked_at) or self._answer_shared(
                resource, state, asked_at
            )
            if reading:
                return _count(resource, reading, "shared")
            if not alone:
                raise errors.Busy(detail="somebody else's read takes long")
            since = asked_at if control is CacheControl.NO_CACHE else 0.0
            return self._fetch_and_store(resource, state, fetch, report, by, since)

    def peek(self, resource: Resource[T]) -> Reading[T] | None:
        """Return the copy that may be shown without a read; None when there is none."""
        [state] = self._states.recall([resource], with_value=True)
        return self._answer_from(resource, state, CacheControl.ONLY_IF_CACHED, self._clock())

    def look(self, resource: Resource[T]) -> tuple[State[T], Entry]:
        """Return the present state, and the entry behind it with parts that are too old to decide
        anything.

        The method serves explanations: it reads the cache alone, and remembers nothing.
        """
        [state] = self._states.load([resource], with_value=True)
        [value] = self.store.get(resource.entry_key)
        return state, Entry.parse(value)

    def changed(self, *versions: tuple[Resource[Any], str]) -> list[bool]:
        """Tell for each of these versions whether a panel that shows it has a reason to ask. The
        cache alone answers.

        All are resources of one organization: mostly, its generation tells that nothing was
        written.
        """
        states = self._states.recall([resource for resource, _ in versions], with_value=False)
        pairs = zip(versions, states, strict=True)
        return [self._is_news(resource, state, version) for (resource, version), state in pairs]

    def _is_news(self, resource: Resource[Any], state: State[Any], version: str) -> bool:
        now, life, failure = self._clock(), resource.lifetimes, state.failure
        if version != state.make_version(now, life):
            return True
        # A panel is not told to ask before the other side wants to be asked again.
        if failure and (failure.is_remembered(now, life) or failure.wait_until > now):
            return False
        return not self._is_fresh(resource, state, CacheControl.FRESH, now)

    def version(self, resource: Resource[T]) -> str:
        """Return the version that a section with the present state carries."""
        [state] = self._states.recall([resource], with_value=False)
        return state.make_version(self._clock(), resource.lifetimes)

    def touch(self, organization: int, *names: str) -> bool:
        """Invalidate sections of an organization, and those that are being read as well.

        Without names it notes a change that no section shows. False when the store did not take it.
        """
        self.touches.note(organization)
        keys = [make_token_key(organization, name) for name in names]
        return not keys or self.store.remove(organization, *keys)

    def forget(self, organization: int, *names: str) -> bool:
        """Remove the entries of these documents with their copies; False: the store did not."""
        keys = [make_entry_key(organization, name) for name in names]
        keys += [make_token_key(organization, name) for name in names]
        return self.store.remove(organization, *keys)

    # -- answers -------------------------------------------------------------------------------

    def _answer_from(
        self, resource: Resource[T], state: State[T], control: CacheControl, asked_at: float
    ) -> Reading[T] | None:
        """Return the answer that `control` accepts of this state; None: a read is needed."""
        life, failure = resource.lifetimes, state.failure
        if failure and (failure.is_remembered(self._clock(), life) or failure.at >= asked_at):
            return self._answer_late(resource, state, failure.make_error(life))
        if state.copy is None or state.value is None or state.is_invalidated:
            return None
        if self._is_fresh(resource, state, control, asked_at):
            return self._make_reading(resource, state)
        if control in (CacheControl.ONLY_IF_CACHED, CacheControl.STALE_WHILE_REVALIDATE):
            return self._make_reading(resource, state, late="aged", follow=True)
        return None

    def _is_fresh(
        self, resource: Resource[T], state: State[T], control: CacheControl, asked_at: float
    ) -> bool:
        if state.copy is None or state.is_invalidated or state.copy.age is None:
            return False
        if control is CacheControl.NO_CACHE:
            return state.copy.at >= asked_at
        if state.failure and state.failure.at > state.copy.at:
            return False  # a reader asked for a newer answer since, and none could be had
        return self._clock() < state.copy.at + resource.lifetimes.fresh_for(state.copy.empty)

    def _answer_shared(
        self, resource: Resource[T], stored_state: State[T], asked_at: float
    ) -> Reading[T] | None:
        """Return the result of a read in this process for which this reader waited.

        The store has it as well, unless the store is down: then fifty readers would fetch in turn.
        """
        state = self._states.find_shared(resource, stored_state)
        if state is None or state.read_at < asked_at:
            return None
        if state.failure:
            error = state.failure.make_error(resource.lifetimes)
            return self._answer_late(resource, state, error)
        return self._make_reading(resource, state)

    def _answer_late(
        self, resource: Resource[T], state: State[T], error: errors.PanelError
    ) -> Reading[T]:
        if state.copy is None or state.value is None or forbids_copies(error):
            raise error
        return self._make_reading(resource, state, late=error.code, retry_at=error.retry_at)

    def _answer_busy(self, resource: Resource[T], state: State[T], busy: errors.Busy) -> Reading[T]:
        """Return the kept copy, to be asked for again soon; raises `busy` without one."""
        if state.copy is None or state.value is None:
            raise busy
        return self._make_reading(resource, state, late=busy.code, follow=True)

    def _make_reading(
        self,
        resource: Resource[T],
        state: State[T],
        late: str | None = None,
        retry_at: float | None = None,
        follow: bool = False,
    ) -> Reading[T]:
        if state.copy is None or state.value is None:
            raise ValueError("a reading needs a copy")
        version = state.make_version(self._clock(), resource.lifetimes)
        return Reading(state.value, state.copy.at, version, late, retry_at, follow)

    # -- the holder of the lock -------------------------------------------------------------

    def _fetch_and_store(
        self,
        resource: Resource[T],
        state: State[T],
        fetch: Callable[[Deadline], Any],
        report: Report,
        by: Deadline,
        since: float,
    ) -> Reading[T]:
        """`since`: the moment after which the answer has to be made."""
        stored_token = state.token
        if not stored_token:
            # The token is written before the fetch: an invalidation from now on removes it.
            state = replace(state, token=secrets.token_hex(8))
            stored_token = self._copies.put_token(resource, state.token)
        try:
            answer = fetch(by)
            dated = answer if isinstance(answer, DatedBody) else DatedBody(answer)
            value = resource.parse(dated.body)
            # The copy is stored under the token from before the fetch: see the module.
            copy = self._copies.make(resource, dated, value, state.token)
            if copy.age != 0.0:
                touched_at = self._copies.find_touch(resource, state)
                if self._copies.is_outdated(resource, copy, max(since, touched_at)):
                    state = self._copies.keep_newer(resource, state, copy, value, touched_at)
                    raise errors.Blocked(CACHED_UPSTREAM, tell_age(copy.age))
        except errors.PanelError as error:
            _count(resource, None, "failed")
            report(error)
            return self._store_failure(resource, state, stored_token, error)
        self._copies.put(resource, Entry(copy))
        copy = msgspec.structs.replace(copy, body=None)
        result = State(state.token, copy, None, value)
        self._states.share(resource, stored_token, result)
        return _count(resource, self._make_reading(resource, result), "fetched")

    def _store_failure(
        self, resource: Resource[T], state: State[T], stored_token: str, error: errors.PanelError
    ) -> Reading[T]:
        result, failure = self._copies.keep_failure(resource, state, error)
        self._states.share(resource, stored_token, result)
        late_error = failure.make_error(resource.lifetimes)
        late_error.detail = error.detail
        return self._answer_late(resource, result, late_error)


def _count(resource: Resource[Any], reading: T, outcome: str) -> T:
    """Chatwoot's documents have one label: the names of its dashboard's sessions are secret."""
    document = resource.name.partition("-")[0]
    metrics.find_series(metrics.CACHE_READS, document, outcome).inc()
    return reading
