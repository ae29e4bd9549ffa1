"""Recent: what changed since the customer was last spoken to, in one quiet line.

It comes from our own tables alone: nobody is asked. `WORDS` is the one table from a kind of hook to
what is said of it; a kind of a group that stands there under no row of its own says that the record
changed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from panel.data.recent import Heard, Recent, find_recent
from panel.errors import PanelError
from panel.services import services
from panel.upstream.chatwoot import Conversation
from panel.web.sections import SectionView

MOST_TOLD = 4
# In English, translated where they are drawn. `%(name)s`: what people call the record. Those
# without it are about the company: several of them are one.
WORDS: Mapping[str, str] = {
    "order.created": "order %(name)s created",
    "order.paid": "order %(name)s paid",
    "order.refunded": "order %(name)s refunded",
    "order.*": "order %(name)s changed",
    "quote.created": "quote %(name)s created",
    "quote.accepted": "quote %(name)s accepted",
    "quote.paid": "quote %(name)s paid",
    "quote.expired": "quote %(name)s expired",
    "quote.*": "quote %(name)s changed",
    "license.activated": "license %(name)s activated",
    "license.deactivated": "license %(name)s deactivated",
    "license.expired": "license %(name)s expired",
    "license.*": "license %(name)s changed",
    "entitlement.activated": "an entitlement activated",
    "entitlement.suspended": "an entitlement suspended",
    "entitlement.expired": "an entitlement expired",
    "entitlement.cancelled": "an entitlement cancelled",
    "entitlement.renewed": "an entitlement renewed",
    "entitlement.*": "an entitlement changed",
    "invoice.issued": "invoice %(name)s issued",
    "tax_invoice.issued": "tax invoice %(name)s issued",
    "tax_invoice.failed": "tax invoice %(name)s failed",
    "ticket.created": "ticket %(name)s created",
    "ticket.completed": "ticket %(name)s completed",
    "ticket.sla_breached": "ticket %(name)s past its deadline",
    "organization.created": "company created",
    "organization.verified": "company verified",
    "organization.*": "company data changed",
    "collaborator.added": "a person added",
    "collaborator.removed": "a person removed",
    "collaborator.*": "a person changed",
}
SECTIONS_OF_GROUPS = {"order": "orders", "quote": "quotes", "license": "licenses"}


@dataclass(frozen=True)
class HeardChange:
    """`row`: the id of the row that it touched, empty where it touched none; `is_shown`: the row
    stands in a section that is known already."""

    words: str
    name: str
    row: str = ""
    is_shown: bool = False


@dataclass(frozen=True)
class RecentChanges:
    """`more`: changes beyond those that are told; `rows`: of all of them."""

    since: float
    told: tuple[HeardChange, ...]
    more: int
    rows: tuple[str, ...]


def find_changes(
    organization: int, conversation: Conversation, views: Mapping[str, SectionView]
) -> RecentChanges | None:
    """Since the last answer of an agent, where nobody waits; else since the company was last
    opened here before the customer began to wait. None where nothing is known of.

    Chatwoot does not tell when the contact's conversation before this one was, nor the last answer
    while the customer waits. The agent who answered had the company open, as our access log knows.
    """
    waits = conversation.waiting_since
    otherwise = (conversation.created_at or waits) if waits else conversation.active_at
    if not otherwise:
        return None
    try:
        recent = find_recent(services().database, organization, waits, otherwise)
    except PanelError:
        return None  # a silent database: the sections are shown all the same
    return list_changes(recent, views)


def list_changes(recent: Recent, views: Mapping[str, SectionView]) -> RecentChanges | None:
    changes = list(_read_changes(recent.heard, views))
    if not changes:
        return None
    rows = tuple(dict.fromkeys(change.row for change in changes if change.row))
    told = tuple(changes[:MOST_TOLD])
    return RecentChanges(recent.since, told, len(changes) - len(told), rows)


def _read_changes(
    heard: Iterable[Heard], views: Mapping[str, SectionView]
) -> Iterable[HeardChange]:
    """Of each record only what was heard last; the newest first."""
    known: set[tuple[str, str]] = set()
    for hook in heard:
        group = hook.kind.partition(".")[0]
        words = WORDS.get(hook.kind) or WORDS.get(f"{group}.*", "")
        is_named = "%(name)s" in words
        key = (group, hook.subject) if is_named else ("", words)
        if words and key not in known and (hook.subject or not is_named):
            known.add(key)
            yield _make_change(words, SECTIONS_OF_GROUPS.get(group, ""), hook.subject, views)


def _make_change(
    words: str, section: str, subject: str, views: Mapping[str, SectionView]
) -> HeardChange:
    row = f"{section}-{subject}" if section and subject.isdigit() else ""
    record = _find_record(views.get(section), subject)
    product = getattr(record, "product", None)
    name = getattr(record, "number", None) or subject
    return HeardChange(words, f"{name} ({product})" if product else name, row, record is not None)


def _find_record(view: SectionView | None, subject: str) -> Any:
    shown = view.selection if view else None
    records = [item.record for item in (*shown.items, *shown.closed)] if shown else []
    return next((each for each in records if str(each.id) == subject), None)
