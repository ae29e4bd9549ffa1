"""The writer of copies: makes a copy of an answer, judges its age, stores it under a token."""

import math
from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2s
from typing import Any, TypeVar

import msgspec

from panel import errors, exact_json
from panel.cache.backend import TOKEN_SECONDS, CacheBackend
from panel.cache.entries import Copy, DatedBody, Entry, Failure, Resource, State
from panel.cache.touches import AGE_SECONDS, Touches

T = TypeVar("T")
CACHED_UPSTREAM = "cached_upstream"
LONGEST_DETAIL = 200  # of a failure that is kept
NEVER = math.inf  # no answer is newer than this


class CopyWriter:
    """Writes the entries of a resource; only the holder of its lock may call it."""

    def __init__(self, store: CacheBackend, touches: Touches, clock: Callable[[], float]) -> None:
        self._store = store
        self._touches = touches
        self._clock = clock

    def make(self, resource: Resource[T], dated: DatedBody, value: T, token: str) -> Copy:
        digest = blake2s(exact_json.encode(dated.body), digest_size=8).hexdigest()
        made_at = self._clock() - (dated.age or 0.0)
        return Copy(dated.body, made_at, token, digest, resource.is_empty(value), dated.age)

    def find_touch(self, resource: Resource[T], state: State[T]) -> float:
        """Return the moment after which an answer shows the touched change, else 0."""
        if state.copy and not state.is_invalidated:
            return 0.0
        moment = self._touches.find(resource.organization) or 0.0
        if state.copy is None:
            return moment
        # The touch that invalidated a copy is younger than the copy, unless the copy was outdated
        # when it came.
        copy = state.copy
        is_known = moment >= (copy.came_at if copy.token else copy.at - AGE_SECONDS)
        return moment if is_known else NEVER

    def is_outdated(self, resource: Resource[T], copy: Copy, since: float) -> bool:
        """Tell whether a copy from a cache in between is too old, or of unknown age."""
        least = max(since, self._clock() - resource.lifetimes.fresh_for(copy.empty))
        return copy.age is None or copy.at - AGE_SECONDS < least

    def keep_newer(
        self, resource: Resource[T], state: State[T], copy: Copy, value: T, touched_at: float
    ) -> State[T]:
        """Return the state with the newer of two copies: its own, and this outdated one."""
        old = state.copy
        if old and (copy.digest == old.digest if copy.age is None else copy.at <= old.at):
            return state
        if old and copy.age is None:
            # When the old copy came, that cache had no copy, or the same one: so it cannot be
            # older.
            copy = msgspec.structs.replace(copy, at=old.at)
        if touched_at:
            copy = msgspec.structs.replace(copy, token="")  # it stays invalidated
        self.put(resource, Entry(copy))
        return replace(state, copy=msgspec.structs.replace(copy, body=None), value=value)

    def keep_failure(
        self, resource: Resource[T], state: State[T], error: errors.PanelError
    ) -> tuple[State[T], Failure]:
        """Return the state after a failed read, and the failure as it is stored."""
        kind, detail = type(error).__name__, error.detail[:LONGEST_DETAIL]
        failure = Failure(kind, error.code, self._clock(), state.token, error.retry_at, detail)
        result = replace(state, failure=failure)
        if not forbids_copies(error):
            self.put_beside(resource, failure)
            return result, failure
        # The copy is removed and not merely hidden: a later outage must not bring back a value that
        # we may not show.
        self.put(resource, Entry(None, failure))
        return replace(result, copy=None, value=None), failure

    def put_beside(self, resource: Resource[Any], failure: Failure) -> None:
        # Read the copy as it is now: if our lock was lost meanwhile, another writer may have
        # removed it.
        [value] = self._store.get(resource.entry_key)
        # While the store cannot be read nothing is overwritten: a failure destroys no copy.
        if not self._store.is_resting:
            copy = Entry.parse(value).copy
            # A copy that may not be shown any more must not live on from failure to failure.
            expired = copy and self._clock() >= copy.expires_at(resource.lifetimes)
            self.put(resource, Entry(None if expired else copy, failure))

    def put(self, resource: Resource[Any], entry: Entry) -> bool:
        seconds = entry.seconds_left(self._clock(), resource.lifetimes)
        return self._store.put(resource.organization, resource.entry_key, entry, seconds)

    def put_token(self, resource: Resource[Any], token: str) -> str:
        """Return the token as the store has it: empty, when the store did not take it."""
        is_kept = self._store.put(resource.organization, resource.token_key, token, TOKEN_SECONDS)
        return token if is_kept else ""


def tell_age(age: float | None) -> str:
    """Describe the age for the log."""
    return "a cache answered" + ("" if age is None else f", {age:.0f} s old")


def forbids_copies(error: errors.PanelError) -> bool:
    """Tell whether no kept copy may be shown after this error."""
    return isinstance(error, errors.Missing | errors.Refused)
