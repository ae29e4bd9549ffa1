"""The kept copies of an organization's documents, and the state in which sections show them now."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from panel.cache.entries import Entry, State
from panel.errors import PanelError, Refused
from panel.services import Services
from panel.upstream.documents import Document, is_empty
from panel.web.sections import SECTIONS

FRESH, EMPTY, AGED, LATE = "fresh", "empty", "aged", "late"
NOTHING_KEPT, BROKEN = "nothing kept", "failed"
TOUCHED = "outdated by a hook"
MOST_UNREAD = 10


@dataclass(frozen=True)
class SectionFacts:
    """`state`: the one that a panel shows which opens now; `code`: the reason why it is late or
    failed.

    `copy_at`: when the copy was made; `answer` at `answered_at`: the back office's last answer, as
    long as that is remembered; `next_try`: before this moment only an agent's click makes a
    request, 0: the next opening makes one. `unread`: records and fields that could not be read.
    Times are epoch seconds.
    """

    section: str
    state: str
    code: str = ""
    copy_at: float = 0.0
    version: str = ""
    answer: str = ""
    answered_at: float = 0.0
    next_try: float = 0.0
    unread: tuple[str, ...] = ()


def list_sections(shared: Services, organization: int) -> list[SectionFacts]:
    """Return the sections in the order of the panel; the cache alone is asked."""
    return [
        _examine(shared, name, section.document, organization) for name, section in SECTIONS.items()
    ]


def _examine(
    shared: Services, name: str, document: Document[Any], organization: int
) -> SectionFacts:
    resource = shared.back_office.resource(document, organization)
    state, entry = shared.cache.look(resource)
    word, code = _judge(shared, document, organization, state)
    answer, answered_at = _find_answer(entry)
    life = resource.lifetimes
    wait = state.failure.wait_until if state.failure else 0.0
    if word in (FRESH, EMPTY) and state.copy:
        wait = state.copy.at + life.fresh_for(state.copy.empty)
    return SectionFacts(
        name,
        word,
        code,
        state.copy.at if state.copy else 0.0,
        shared.cache.version(resource),
        answer,
        answered_at,
        wait,
        tuple(_list_unread(state.value)),
    )


def _judge(
    shared: Services, document: Document[Any], organization: int, state: State[Any]
) -> tuple[str, str]:
    try:
        reading = shared.back_office.peek(document, organization)
    except PanelError as error:
        return ("denied" if isinstance(error, Refused) else BROKEN), error.code
    if reading is None:
        return (TOUCHED if state.is_invalidated else NOTHING_KEPT), ""
    if reading.late:
        return (AGED, "") if reading.follow else (LATE, reading.late)
    return (EMPTY if is_empty(reading.value) else FRESH), ""


def _find_answer(entry: Entry) -> tuple[str, float]:
    copy, failure = entry.copy, entry.failure
    if failure and (copy is None or failure.at >= copy.came_at):
        words = f"{failure.code} ({failure.detail})" if failure.detail else failure.code
        return words, failure.at
    return ("a good answer (status 200)", copy.came_at) if copy else ("", 0.0)


def _list_unread(value: Any) -> Iterator[str]:
    """Return the records and fields that could not be read, never their content."""
    oddities = getattr(value, "oddities", ())
    for oddity in oddities[:MOST_UNREAD]:
        yield f"{oddity.record}, {oddity.field}: {oddity.reason}"
    if len(oddities) > MOST_UNREAD:
        yield f"and {len(oddities) - MOST_UNREAD} more"
