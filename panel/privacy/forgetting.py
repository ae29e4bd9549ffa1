"""Forgetting a person or an organization for good: Chatwoot, our tables, the cache, the engine.

The tombstone comes first, so that no pass learns of the subject again meanwhile. Our tables come
after Chatwoot, because they know which values we wrote there: a run that fails in between can be
repeated.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import delete, func, select, update

from panel.data.db import compact, transaction
from panel.errors import Missing, PanelError
from panel.models.text import normalize_email
from panel.privacy.clearing import Clearing
from panel.privacy.holdings import HOLDINGS, Subject
from panel.privacy.subjects import list_conversations
from panel.services import Services
from panel.sync.pass_queue import PassQueue
from panel.upstream.documents import COLLABORATORS, EVERY_DOCUMENT, ORGANIZATION

log = logging.getLogger(__name__)


@dataclass
class ForgetReport:
    """The result. `rows`: the number of removed rows, and `emptied` that of emptied rows, by table;
    `cleared`: contacts that still exist in Chatwoot, now without our values; `refused`: Chatwoot's
    refusals; `warnings`: sentences for the administrator."""

    rows: dict[str, int] = field(default_factory=dict)
    emptied: dict[str, int] = field(default_factory=dict)
    copies: int = 0
    workflows: int = 0
    cleared: list[int] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def count_rows(shared: Services, subject: Subject) -> dict[str, int]:
    """Return the number of rows that forgetting would remove or empty, by table. Nothing is
    changed."""
    with transaction(shared.database) as connection:
        counts = {
            holding.table.name: connection.scalar(
                select(func.count()).select_from(holding.table).where(holding.choose(subject))
            )
            or 0
            for holding in HOLDINGS
        }
    return {name: count for name, count in counts.items() if count}


def forget(shared: Services, queue: PassQueue, subject: Subject) -> ForgetReport:
    """Forget a subject. Raises `PanelError`: then our tables are unchanged, and the command has to
    be repeated."""
    report, clearing = ForgetReport(), Clearing(shared)
    _put_tombstone(shared, subject)
    contacts = clearing.find_contacts(subject)
    conversations = list_conversations(shared, contacts)
    identifiers = _find_identifiers(shared, subject)
    # Rows are counted before Chatwoot is cleared, because that removes the first ones.
    counts = count_rows(shared, subject)
    clearing.clear_words(subject)
    report.refused = clearing.end_seats(subject)
    _remove_rows(shared, subject, report, counts)
    report.cleared = clearing.clear_contacts(contacts, identifiers)
    are_removed = _remove_copies(shared, subject, conversations, contacts)
    documents = len(subject.organizations) * len(EVERY_DOCUMENT) + len(conversations)
    report.copies = documents if are_removed else 0
    if not subject.is_person:
        report.workflows = queue.delete_finished_of(subject.organization)
    report.warnings = list(_find_warnings(shared, subject, report.cleared))
    if not are_removed:
        report.warnings.append(
            "The cache could not be asked, so kept answers are left in it for up to 25 hours: run "
            "it again when the cache works."
        )
    if not compact(shared.database):
        report.warnings.append(
            "The database file could not be compacted, as others were writing: what was removed "
            "is overwritten; run it again to give the space back."
        )
    ids = {"organizations": sorted(subject.organizations), "contacts": sorted(contacts)}
    log.warning("somebody was forgotten: %s", ids)
    return report


def _put_tombstone(shared: Services, subject: Subject) -> None:
    tombstones = shared.directory.forgotten
    if not subject.is_person:
        tombstones.note_organization(subject.organization)
        return
    numbers = sorted(subject.contacts) or [0]
    tombstones.note_person(subject.emails, subject.phones, subject.seats, numbers[0])


def _find_identifiers(shared: Services, subject: Subject) -> dict[int, str]:
    """Return the random identifiers that we wrote, by contact."""
    identifiers: dict[int, str] = {}
    for organization in subject.organizations:
        for key, person in shared.directory.people_of(organization).items():
            theirs = not subject.is_person or (organization, key) in subject.seats
            if theirs and person.contact and person.identifier:
                identifiers[person.contact] = person.identifier
    return identifiers


def _remove_rows(
    shared: Services, subject: Subject, report: ForgetReport, counts: dict[str, int]
) -> None:
    with transaction(shared.database) as connection:
        for holding in HOLDINGS:
            condition, name = holding.choose(subject), holding.table.name
            if holding.emptied:
                connection.execute(update(holding.table).where(condition).values(**holding.emptied))
            else:
                connection.execute(delete(holding.table).where(condition))
            if counts.get(name):
                (report.emptied if holding.emptied else report.rows)[name] = counts[name]


def _remove_copies(
    shared: Services, subject: Subject, conversations: set[int], contacts: set[int]
) -> bool:
    """Remove kept answers of the back office and of Chatwoot; False when some may be left.

    A conversation's copy holds its contact, with the name of the organization that we wrote there.
    """
    of_office = [shared.back_office.forget_copies(number) for number in subject.organizations]
    of_chatwoot = shared.chatwoot.forget_copies(conversations, contacts)
    return of_chatwoot and all(of_office)


def _find_warnings(shared: Services, subject: Subject, existing: list[int]) -> Iterator[str]:
    for organization in sorted(subject.organizations):
        try:
            if _is_listed(shared, subject, organization):
                yield (
                    f"MIDDAG Account still has them (organization {organization}): delete them "
                    "there. Until then a panel that is opened reads them from there."
                )
        except PanelError as error:
            yield f"Whether MIDDAG Account still has them is not known now: {error.code}."
    if existing:
        numbers = ", ".join(map(str, existing))
        yield f"In Chatwoot there still are the contacts {numbers}: delete them there if need be."


def _is_listed(shared: Services, subject: Subject, organization: int) -> bool:
    try:
        if not subject.is_person:
            shared.back_office.fetch(ORGANIZATION, organization)
            return True
        rows = shared.back_office.fetch(COLLABORATORS, organization).rows
    except Missing:
        return False
    return any(normalize_email(person.email) in subject.emails for person in rows)
