"""The explanation of a conversation, an organization or a hook: facts, for programs and people."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from panel.data import history
from panel.data.audit_log import AuditEntry
from panel.data.history import HookRow, PassState, Span
from panel.errors import Missing, PanelError
from panel.explain.documents import SectionFacts, list_sections
from panel.explain.identity import Identity, describe_failure, identify
from panel.services import Services
from panel.sync.events import find_kind

USUAL_SPAN_SECONDS = 7 * 86400.0
# The span around a moment that somebody complains of: the events before it, and a margin for clocks
# that differ.
BEFORE_SECONDS, AFTER_SECONDS = 2 * 3600.0, 900.0
MOST_EXPLAINED = 3  # whose sections are explained
T = TypeVar("T")


@dataclass(frozen=True)
class Question:
    """A question about a conversation, an organization or a hook. `agent` 0: any; `at`: the moment
    in question, 0: now."""

    conversation: int = 0
    organization: int = 0
    hook: str = ""
    agent: int = 0
    at: float = 0.0

    @property
    def span(self) -> Span:
        if self.at:
            return Span(self.at - BEFORE_SECONDS, self.at + AFTER_SECONDS)
        now = time.time()
        return Span(now - USUAL_SPAN_SECONDS, now + 1)


@dataclass(frozen=True)
class JournalEvent:
    """Something that happened (epoch seconds)."""

    at: float
    what: str


@dataclass(frozen=True)
class OrganizationFacts:
    """The facts of an organization; `name` is as the last pass saw it."""

    organization: int
    name: str
    known: bool
    passes: PassState
    sections: tuple[SectionFacts, ...]


@dataclass(frozen=True)
class Explanation:
    """`troubles`: the sides that could not be asked. `journal`: the newest first."""

    question: Question
    identity: Identity | None = None
    hook: HookRow | None = None
    organizations: tuple[OrganizationFacts, ...] = ()
    journal: tuple[JournalEvent, ...] = ()
    troubles: tuple[str, ...] = field(default=())

    @property
    def is_answered(self) -> bool:
        """Tell whether the subject of the question was found and all sides could be asked."""
        question = self.question
        subject = self.identity if question.conversation else self.hook if question.hook else True
        return subject is not None and not self.troubles


def explain_shown(shared: Services, question: Question) -> Explanation:
    """Explain what the panel shows, or did. A `PanelError` becomes one of the explanation's
    troubles."""
    return _Inquiry(shared, question).run()


class _Inquiry:
    def __init__(self, shared: Services, question: Question) -> None:
        self._shared = shared
        self._asked = question
        self._troubles: list[str] = []

    def run(self) -> Explanation:
        question = self._asked
        identity = self._try(self._identify) if question.conversation else None
        hook = self._try(self._find_hook) if question.hook else None
        numbers = [question.organization, hook.organization if hook else 0]
        numbers += [item.organization for item in identity.customers] if identity else []
        ids = [item for item in dict.fromkeys(numbers) if item][:MOST_EXPLAINED]
        organizations = [self._try(partial(self._examine, item)) for item in ids]
        events = self._try(lambda: sorted(self._list_events(ids), key=lambda item: -item.at))
        return Explanation(
            question,
            identity,
            hook,
            tuple(item for item in organizations if item),
            tuple(events or ()),
            tuple(dict.fromkeys(self._troubles)),
        )

    def _try(self, ask: Callable[[], T]) -> T | None:
        try:
            return ask()
        except PanelError as error:
            self._troubles.append(describe_failure(error))
            return None

    def _identify(self) -> Identity:
        try:
            return identify(self._shared, self._asked.conversation, self._asked.agent)
        except Missing as error:
            error.detail = f"there is no conversation {self._asked.conversation}"
            raise

    def _find_hook(self) -> HookRow:
        hook = history.find_hook(self._shared.database, self._asked.hook)
        if hook is None:
            raise Missing("unknown_hook", "no hook with this id is kept")
        return hook

    def _examine(self, number: int) -> OrganizationFacts:
        company = self._shared.directory.get_organizations([number]).get(number)
        return OrganizationFacts(
            number,
            company.name if company else "",
            company is not None,
            history.read_pass_state(self._shared.database, number),
            tuple(list_sections(self._shared, number)),
        )

    def _list_events(self, organizations: list[int]) -> Iterator[JournalEvent]:
        engine, question = self._shared.database, self._asked
        for number in organizations:
            for hook in history.list_hooks(engine, number, question.span):
                yield from _tell_hook(hook)
        about = organizations[0] if organizations else 0
        if question.conversation or about:
            of = {
                "conversation": question.conversation,
                "organization": about,
                "agent": question.agent,
            }
            for entry in history.list_access(engine, question.span, **of):
                yield JournalEvent(entry.at, _tell_access(entry))


def _tell_hook(hook: HookRow) -> Iterator[JournalEvent]:
    kind = find_kind(hook.kind)
    sections = ", ".join(kind.touches) if kind and kind.touches else "no section"
    words = f"hook {hook.kind} of organization {hook.organization} came, id {hook.hook_id}"
    yield JournalEvent(hook.received_at, f"{words}; it touches {sections}")
    if hook.finished_at and hook.finished_at > hook.received_at:
        why = f": {hook.side or ''} {hook.reason}".replace("  ", " ") if hook.reason else ""
        yield JournalEvent(hook.finished_at, f"hook {hook.hook_id} {hook.status}{why}")


def _tell_access(entry: AuditEntry) -> str:
    how = " by ".join(part for part in (entry.link, entry.source) if part)
    where = f"organization {entry.organization}" if entry.organization else ""
    # A reason is free text of an agent, which may name somebody: `access` shows it.
    note = entry.note if entry.what == "shown" else ""
    words = (f"agent {entry.agent}: {entry.what} {where}".rstrip(), how, note)
    return ", ".join(part for part in words if part)
