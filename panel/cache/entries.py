"""The cache entry of one upstream answer, and what a reader gets of it; plain values.

A resource is a document of an organization. A resource has two keys:

    entry   `Entry`: the last good answer and the last failure; the holder of the lock writes it
    token   random text; an invalidation removes it without waiting for the lock
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from hashlib import blake2s
from typing import Any, Generic, TypeVar

import msgspec

from panel import errors

T = TypeVar("T")

CLOCK_SKEW_SECONDS = 60.0  # by how much the clocks of two machines may differ
ASK_AGAIN_SECONDS = 15.0  # open panels are not told to ask sooner after a failure


class CacheControl(Enum):
    """The answers that a reader accepts."""

    # Use the cache alone.
    ONLY_IF_CACHED = "only-if-cached"
    # Take an aged copy at once; wait only for an absent or invalidated one.
    STALE_WHILE_REVALIDATE = "stale-while-revalidate"
    # Wait for an answer within its time to live.
    FRESH = "fresh"
    # Wait for an answer that comes after the question.
    NO_CACHE = "no-cache"


@dataclass(frozen=True)
class Lifetimes:
    """Times to live in seconds: `fresh` of an answer, `empty` of one without records, `kept` of a
    copy that may be shown late, `refused` of a refusal."""

    fresh: int
    empty: int = 30
    kept: int = 24 * 3600
    refused: int = 30

    def fresh_for(self, empty: bool) -> int:
        return self.empty if empty else self.fresh


@dataclass(frozen=True)
class Resource(Generic[T]):
    """A document to read. `parse` turns its body into a value or raises; `is_empty` judges that
    value.

    `token_name`: another resource whose token this one shares, so that its touch invalidates both.
    """

    name: str
    organization: int
    lifetimes: Lifetimes
    parse: Callable[[Any], T]
    is_empty: Callable[[T], bool] = lambda _value: False
    token_name: str = ""

    @property
    def entry_key(self) -> str:
        return make_entry_key(self.organization, self.name)

    @property
    def token_key(self) -> str:
        return make_token_key(self.organization, self.token_name or self.name)

    @property
    def lock_key(self) -> str:
        # Its prefix stays: during an update, processes of both versions share the lock.
        return f"flight:{self.organization}:{self.name}"


def make_entry_key(organization: int, name: str) -> str:
    return f"entry:{organization}:{name}"


def make_token_key(organization: int, name: str) -> str:
    return f"token:{organization}:{name}"


@dataclass(frozen=True)
class DatedBody:
    """A JSON document, and how old it was when it arrived.

    `age`: seconds; 0: from its origin; None: from a cache in between that does not tell.
    """

    body: Any
    age: float | None = 0.0


@dataclass(frozen=True)
class Reading(Generic[T]):
    """The value from which a section is drawn, and how far it can be relied on.

    `read_at`: epoch seconds; `late`: None, or the short code of the reason why there is nothing
    newer (yet); `retry_at`: when asking again makes sense; `follow`: the reader should ask once
    more.
    """

    value: T
    read_at: float
    version: str
    late: str | None = None
    retry_at: float | None = None
    follow: bool = False


class Copy(msgspec.Struct, frozen=True):
    """The last good answer: when it was made, under which token, and a digest of its body.

    `age`: as in `DatedBody`; `at` is so much earlier than the arrival.
    """

    body: Any
    at: float
    token: str
    digest: str
    empty: bool
    age: float | None = 0.0

    @property
    def came_at(self) -> float:
        return self.at + (self.age or 0.0)

    def expires_at(self, life: Lifetimes) -> float:
        return self.at + life.kept


class Failure(msgspec.Struct, frozen=True):
    """A negative cache entry: the failure of the last read.

    Readers who waited for that read get it. Later readers get it too, if asking again would fail
    too. `detail`: of the error, for an administrator: a status and a short word.
    """

    kind: str
    code: str
    at: float
    token: str
    retry_at: float | None = None
    detail: str = ""

    @property
    def is_final(self) -> bool:
        return issubclass(errors.ERRORS_BY_NAME.get(self.kind, errors.TryLater), errors.GiveUp)

    @property
    def wait_until(self) -> float:
        return max(self.retry_at or 0.0, self.at + ASK_AGAIN_SECONDS)

    def expires_at(self, life: Lifetimes) -> float:
        return self.at + life.refused

    def is_remembered(self, now: float, life: Lifetimes) -> bool:
        return self.is_final and now < self.expires_at(life)

    def make_error(self, life: Lifetimes) -> errors.PanelError:
        kind = errors.ERRORS_BY_NAME.get(self.kind, errors.Unreadable)
        again = self.expires_at(life) if issubclass(kind, errors.GiveUp) else self.retry_at
        return kind(self.code, retry_at=again)


class Entry(msgspec.Struct, frozen=True):
    """The stored value of a resource's entry key."""

    copy: Copy | None = None
    failure: Failure | None = None

    def seconds_left(self, now: float, life: Lifetimes) -> int:
        """Return how long the store has to keep it: until both of its parts have expired."""
        parts = [part.expires_at(life) for part in (self.copy, self.failure) if part]
        # A copy that was planted may claim to come from the future.
        seconds = min(max(parts, default=now) - now, max(life.kept, life.refused))
        return max(1, math.ceil(seconds))

    def without_future(self, now: float) -> "Entry":
        """Leave out a part that seems to come from the future. The clock was set back after it was
        written, so its age is unknown, and it would count as young until the clock reaches its
        moment."""
        latest = now + CLOCK_SKEW_SECONDS
        copy = self.copy if self.copy and self.copy.at <= latest else None
        failure = self.failure if self.failure and self.failure.at <= latest else None
        return Entry(copy, failure)

    @classmethod
    def parse(cls, value: object) -> "Entry":
        """Any other shape (planted, cut off, of another version) counts as absent."""
        try:
            return msgspec.convert(value, cls)
        except (msgspec.ValidationError, RecursionError):
            return cls()


@dataclass(frozen=True)
class State(Generic[T]):
    """A snapshot of both keys; `copy` and `failure` are None when absent, unusable or outdated.

    `value` is None without a copy, and where the reader did not need it.
    """

    token: str
    copy: Copy | None
    failure: Failure | None
    value: T | None

    @property
    def is_parsed(self) -> bool:
        return self.copy is None or self.value is not None

    @property
    def is_invalidated(self) -> bool:
        # Without a token the state of the copy is unknown, so it counts as invalidated: this costs
        # one read.
        return self.copy is not None and (not self.token or self.copy.token != self.token)

    @property
    def read_at(self) -> float:
        """Return when the last read ended, well or not."""
        copy_at = self.copy.came_at if self.copy else 0.0
        return max(copy_at, self.failure.at if self.failure else 0.0)

    def make_version(self, now: float, life: Lifetimes) -> str:
        """Return an opaque text, the same for everyone who would be shown the same thing."""
        if self.failure and self.failure.is_remembered(now, life):
            return self._digest(self.failure.code)
        return self._version_without_failure

    @cached_property  # every open panel asks for it each second, and mostly nothing has changed
    def _version_without_failure(self) -> str:
        return self._digest("")

    def _digest(self, failure: str) -> str:
        text = f"{self.token}/{self.copy.digest if self.copy else ''}/{failure}"
        return blake2s(text.encode(), digest_size=8).hexdigest()

    @classmethod
    def make(
        cls, resource: Resource[T], token: object, stored: object, now: float, with_value: bool
    ) -> "State[T]":
        """Make the state from the stored values; `with_value` False: the reader needs no value."""
        token = token if isinstance(token, str) else ""
        entry = Entry.parse(stored).without_future(now)
        copy, value = _parse_copy(resource, entry.copy, now, with_value) or (None, None)
        failure = entry.failure
        if failure and _is_outdated(failure, token, copy, now, resource.lifetimes):
            failure = None
        return cls(token, copy, failure, value)


def _is_outdated(
    failure: Failure, token: str, copy: Copy | None, now: float, life: Lifetimes
) -> bool:
    if failure.token != token or (copy is not None and copy.came_at > failure.at):
        return True
    # Beside a copy the store keeps the failure for longer, so its age is checked here.
    return now >= failure.expires_at(life)


def _parse_copy(
    resource: Resource[T], copy: Copy | None, now: float, with_value: bool
) -> tuple[Copy, T | None] | None:
    """Return a usable copy without its body, which is not needed again, and its value."""
    # The store removes expired copies by its own clock, and late, so their age is checked here.
    if copy is None or now >= copy.expires_at(resource.lifetimes):
        return None
    try:
        value = resource.parse(copy.body) if with_value else None
    except (errors.PanelError, RecursionError):
        return None
    return msgspec.structs.replace(copy, body=None), value
