"""Recent changes: the events since the customer last had an answer, in one quiet line.

The line is read from our own tables alone. The table `WORDS` gives the words of each kind of hook.
A kind of a group without a row of its own says that the record changed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from panel.data.recent import Recent, RecentHook, find_recent
from panel.errors import PanelError
from panel.services import services
from panel.upstream.chatwoot import Conversation
from panel.web.sections import SectionView

MOST_TOLD = 4
# The texts are English, and are translated when they are rendered. `%(name)s`: the name by which
# people call the record. Texts without a name are about the company: several of these make one
# line.
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
    "organization.verified": "company's tax ID check changed",
    "organization.*": "company data changed",
    "collaborator.added": "a person added",
    "collaborator.removed": "a person removed",
    "collaborator.*": "a person changed",
}
SECTIONS_OF_GROUPS = {"order": "orders", "quote": "quotes", "license": "licenses"}


@dataclass(frozen=True)
class RecentChange:
    """`row`: the id of the row that changed, empty where no row did; `is_shown`: the row stands in
    a section that is rendered already."""

    words: str
    name: str
    row: str = ""
    is_shown: bool = False


@dataclass(frozen=True)
class RecentChanges:
    """`more`: the number of changes beyond those in the line; `rows`: the rows of all changes."""

    since: float
    told: tuple[RecentChange, ...]
    more: int
    rows: tuple[str, ...]


def find_changes(
    organization: int, conversation: Conversation, views: Mapping[str, SectionView]
) -> RecentChanges | None:
    """Find the changes since the customer last had an answer; None where no such moment is known.

    Where the customer is not waiting, the moment is that of an agent's last answer. Where the
    customer is waiting, it is the last opening of the company here from before the wait.

    Chatwoot does not tell the time of the contact's conversation before this one, nor of the last
    answer while the customer waits. The agent who answered had the company open, which our access
    log tells.
    """
    waits = conversation.waiting_since
    otherwise = (conversation.created_at or waits) if waits else conversation.active_at
    if not otherwise:
        return None
    try:
        recent = find_recent(services().database, organization, waits, otherwise)
    except PanelError:
        return None  # without the database the sections are shown all the same
    return list_changes(recent, views)


def list_changes(recent: Recent, views: Mapping[str, SectionView]) -> RecentChanges | None:
    changes = list(_read_changes(recent.hooks, views))
    if not changes:
        return None
    rows = tuple(dict.fromkeys(change.row for change in changes if change.row))
    first = tuple(changes[:MOST_TOLD])
    return RecentChanges(recent.since, first, len(changes) - len(first), rows)


def _read_changes(
    hooks: Iterable[RecentHook], views: Mapping[str, SectionView]
) -> Iterable[RecentChange]:
    """Keep the latest change of each record; the newest comes first."""
    keys: set[tuple[str, str]] = set()
    for hook in hooks:
        group = hook.kind.partition(".")[0]
        words = WORDS.get(hook.kind) or WORDS.get(f"{group}.*", "")
        is_named = "%(name)s" in words
        key = (group, hook.subject) if is_named else ("", words)
        if words and key not in keys and (hook.subject or not is_named):
            keys.add(key)
            yield _make_change(words, SECTIONS_OF_GROUPS.get(group, ""), hook.subject, views)


def _make_change(
    words: str, section: str, subject: str, views: Mapping[str, SectionView]
) -> RecentChange:
    row = f"{section}-{subject}" if section and subject.isdigit() else ""
    record = _find_record(views.get(section), subject)
    product = getattr(record, "product", None)
    name = getattr(record, "number", None) or subject
    return RecentChange(words, f"{name} ({product})" if product else name, row, record is not None)


def _find_record(view: SectionView | None, subject: str) -> Any:
    selection = view.selection if view else None
    records = [item.record for item in (*selection.items, *selection.closed)] if selection else []
    return next((record for record in records if str(record.id) == subject), None)
