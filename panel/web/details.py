"""The details of a row: the known facts about a record that an agent opened, and how they are
read."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context  # the id of the request
from dataclasses import dataclass, field, replace
from typing import Any

from panel.auth.background_checks import ACCESS_UNCHECKED
from panel.cache.policy import CacheControl
from panel.customer.disclosure import VALUE_KINDS
from panel.errors import Busy, PanelError, Refused
from panel.upstream.documents import Document
from panel.upstream.middag import BackOffice
from panel.web.groups import Moment
from panel.web.sections import Section

# The states of parts, the worst first. A part that is gone, or that this back office does not
# offer, is no trouble.
WORST_FIRST = ("failed", "denied", "loading", "late", "fresh")
UNTOLD = "untold"


Wanted = dict[str, Document[Any]]


@dataclass(frozen=True)
class DetailPart:
    """An answer of the back office. Its state is one that a section may have, or `UNTOLD`."""

    state: str
    value: Any = None
    code: str = ""
    read_at: float | None = None
    retry_at: float | None = None
    follow: bool = False
    error: PanelError | None = None


@dataclass(frozen=True)
class Details:
    """An opened row. `record`: as its list has it; `related`: rows of other sections, by section.

    `masked`: the kinds of value that may not be drawn; all kinds by default.
    """

    section: Section
    record: Any
    parts: Mapping[str, DetailPart]
    related: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    masked: frozenset[str] = VALUE_KINDS

    @property
    def worst(self) -> DetailPart:
        parts = [part for part in self.parts.values() if part.state != UNTOLD]
        parts.sort(key=lambda part: WORST_FIRST.index(part.state))
        return parts[0] if parts else DetailPart("fresh")

    @property
    def state(self) -> str:
        return self.worst.state

    @property
    def code(self) -> str:
        return self.worst.code

    @property
    def read_at(self) -> float | None:
        """Return the time at which the oldest part was read."""
        return min((part.read_at for part in self.parts.values() if part.read_at), default=None)

    @property
    def follow(self) -> bool:
        """Tell whether the row asks for itself once more."""
        return self.worst.follow

    @property
    def tells_code(self) -> bool:
        """Tell whether the agent reads a code, with the id of the request beside it."""
        return self.state in ("late", "failed", "denied") and not self.follow

    @property
    def is_partly_told(self) -> bool:
        """Tell whether there is anything that only an opened row shows."""
        return any(part.value is not None for name, part in self.parts.items() if name != "copy")

    @property
    def hides(self) -> bool:
        """Tell whether a value here is masked that the agent may uncover."""
        return bool(self.masked & self.section.reveals)

    def find(self, name: str) -> tuple[Any, ...]:
        """Return the related rows of a section, or none."""
        return self.related.get(name, ())

    def get(self, name: str) -> Any:
        """Return the value of a part, or None."""
        part = self.parts.get(name)
        return part.value if part else None


@dataclass(frozen=True)
class Reader:
    """Reads documents of one organization through the cache. Its methods raise nothing."""

    office: BackOffice
    organization: int
    control: CacheControl
    moment: Moment

    def read(self, document: Document[Any], control: CacheControl | None = None) -> DetailPart:
        try:
            reading = self.office.read(document, self.organization, control or self.control)
        except Busy as busy:
            return DetailPart("loading", code=busy.code, follow=True, error=busy)
        except PanelError as error:
            return _make_failed(error)
        state = "late" if reading.late else "fresh"
        freshness = (reading.late or "", reading.read_at, reading.retry_at, reading.follow)
        return DetailPart(state, reading.value, *freshness)

    def read_copy(self, document: Document[Any]) -> DetailPart:
        """Read the copy that the section shows; the section itself updates an aged copy."""
        part = self.read(document, CacheControl.STALE_WHILE_REVALIDATE)
        if part.follow and part.value is not None:
            return replace(part, state="fresh", code="", follow=False)
        return part

    def read_all(self, documents: Mapping[str, Document[Any]]) -> dict[str, DetailPart]:
        """Read all documents at once: an agent waits for the slowest, and not for their sum."""
        if len(documents) < 2:
            return {name: self.read(document) for name, document in documents.items()}
        with ThreadPoolExecutor(len(documents)) as pool:
            calls = {
                name: pool.submit(copy_context().run, self.read, document)
                for name, document in documents.items()
            }
            return {name: call.result() for name, call in calls.items()}

    def list_rows(self, document: Document[Any]) -> tuple[Any, ...]:
        """Return the rows that another section shows by now; none where there is no kept copy."""
        try:
            reading = self.office.peek(document, self.organization)
        except PanelError:
            return ()
        return reading.value.rows if reading else ()


def _make_failed(error: PanelError) -> DetailPart:
    state = "denied" if isinstance(error, Refused) else "failed"
    return DetailPart(state, code=error.code, retry_at=error.retry_at, error=error)


def mark_unchecked(details: Details) -> Details:
    """Mark details that are shown before Chatwoot confirmed that the agent may see them."""
    parts = {**details.parts, "access": DetailPart("late", code=ACCESS_UNCHECKED)}
    return replace(details, parts=parts)
