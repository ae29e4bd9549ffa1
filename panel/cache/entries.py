"""What is kept of one answer of an outside world, and what a reader gets of it: plain values.

Three keys for each resource (a section of an organization):

    copy    `Copy`: the last good answer
    note    `Note`: how the last flight failed
    token   random text, removed by a touch; no two reads that found none write the same
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2s
from typing import Any, Generic, TypeVar

import msgspec

from panel import errors

T = TypeVar("T")

PARTS = ("token", "copy", "note")
ASK_AGAIN_SECONDS = 15.0  # open panels send nobody sooner after what has just failed
KINDS_OF_ERROR = {kind.__name__: kind for kind in vars(errors).values() if isinstance(kind, type)}


@dataclass(frozen=True)
class Lifetimes:
    """Seconds: how long an answer is fresh, an empty one, a copy showable, a refusal remembered."""

    fresh: int
    empty: int = 30
    kept: int = 24 * 3600
    refused: int = 30


@dataclass(frozen=True)
class Resource(Generic[T]):
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
        return max(self.retry_at or 0.0, self.at + ASK_AGAIN_SECONDS)

    def error(self, life: Lifetimes) -> errors.PanelError:
        kind = KINDS_OF_ERROR.get(self.kind, errors.Unreadable)
        again = self.at + life.refused if issubclass(kind, errors.GiveUp) else self.retry_at
        error: errors.PanelError = kind(self.code, retry_at=again)
        return error


@dataclass(frozen=True)
class State(Generic[T]):
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
        if self.note and self.note.lasts(now, life):
            return self._digest(self.note.code)
        return self._untold

    @cached_property  # asked for every second, where nothing changes
    def _untold(self) -> str:
        return self._digest("")

    def _digest(self, told: str) -> str:
        seen = f"{self.token}/{self.copy.print if self.copy else ''}/{told}"
        return blake2s(seen.encode(), digest_size=8).hexdigest()

    @classmethod
    def of(
        cls, resource: Resource[T], stored: tuple[object, object, object], now: float, parsed: bool
    ) -> "State[T]":
        """What is `stored` for each of `PARTS`; `parsed` False: nobody needs the value."""
        said, copied, noted = stored
        token = said if isinstance(said, str) else ""
        copy, value = _usable(resource, copied, now, parsed) or (None, None)
        try:
            note = msgspec.convert(noted, Note)
        except msgspec.ValidationError:
            return cls(token, copy, None, value)
        outdated = note.token != token or (copy is not None and copy.at > note.at)
        return cls(token, copy, None if outdated else note, value)


def _usable(
    resource: Resource[T], copied: object, now: float, parsed: bool
) -> tuple[Copy, T | None] | None:
    try:
        copy = msgspec.convert(copied, Copy)
        value = resource.parse(copy.body) if parsed else None
    except (msgspec.ValidationError, errors.PanelError, RecursionError):
        return None
    # The store forgets by its own clock, and late: age is ours to judge.
    kept = copy.at > now - resource.lifetimes.kept
    # Nobody needs the body any more, and it is not remembered.
    return (msgspec.structs.replace(copy, body=None), value) if kept else None
