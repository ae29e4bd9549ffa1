"""Forgetting a person or an organization for good: Chatwoot, our tables, the cache, the engine.

The tombstone comes first, so that no pass learns of them again meanwhile. Our tables come after
Chatwoot, for they know what stands there: a run that fails in between is done again.
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
from panel.services import Services
from panel.sync.pass_queue import PassQueue
from panel.upstream.documents import COLLABORATORS, EVERY_DOCUMENT, ORGANIZATION

log = logging.getLogger(__name__)


@dataclass
class ForgetReport:
    """What was done. `rows`: removed ones, and `emptied` ones, by table; `cleared`: contacts in
    Chatwoot that are there still, without anything of ours; `refused`: what Chatwoot refused;
    `warnings`: what an administrator has to do."""

    rows: dict[str, int] = field(default_factory=dict)
    emptied: dict[str, int] = field(default_factory=dict)
    copies: int = 0
    workflows: int = 0
    cleared: list[int] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def count_rows(shared: Services, subject: Subject) -> dict[str, int]:
    """By table, what forgetting would remove or empty; nothing is changed."""
    with transaction(shared.database) as connection:
        counted = {
            each.table.name: connection.scalar(
                select(func.count()).select_from(each.table).where(each.choose(subject))
            )
            or 0
            for each in HOLDINGS
        }
    return {name: count for name, count in counted.items() if count}


def forget(shared: Services, queue: PassQueue, subject: Subject) -> ForgetReport:
    """Raises `PanelError`: our tables are as they were then, and it has to be done again."""
    report, clearing = ForgetReport(), Clearing(shared)
    _put_tombstone(shared, subject)
    contacts = clearing.find_contacts(subject)
    identifiers = _find_identifiers(shared, subject)
    # Counted before Chatwoot is cleared, for that removes the first rows.
    expected = count_rows(shared, subject)
    clearing.clear_words(subject)
    report.refused = clearing.end_seats(subject)
    _remove_rows(shared, subject, report, expected)
    report.cleared = clearing.clear_contacts(contacts, identifiers)
    report.copies = _remove_copies(shared, subject)
    if not subject.is_person:
        report.workflows = queue.delete_finished_of(subject.organization)
    report.warnings = list(_find_warnings(shared, subject, report.cleared))
    if not compact(shared.database):
        report.warnings.append(
            "The database file could not be compacted, as others were writing: what was removed "
            "is overwritten; run it again to give the space back."
        )
    ids = {"organizations": sorted(subject.organizations), "contacts": sorted(contacts)}
    log.warning("somebody was forgotten: %s", ids)
    return report


def _put_tombstone(shared: Services, subject: Subject) -> None:
    forgotten = shared.directory.forgotten
    if not subject.is_person:
        forgotten.note_organization(subject.organization)
        return
    numbers = sorted(subject.contacts) or [0]
    forgotten.note_person(subject.emails, subject.phones, subject.seats, numbers[0])


def _find_identifiers(shared: Services, subject: Subject) -> dict[int, str]:
    """The random ones that we wrote, by contact."""
    found: dict[int, str] = {}
    for organization in subject.organizations:
        for key, person in shared.directory.people_of(organization).items():
            theirs = not subject.is_person or (organization, key) in subject.seats
            if theirs and person.contact and person.identifier:
                found[person.contact] = person.identifier
    return found


def _remove_rows(
    shared: Services, subject: Subject, report: ForgetReport, expected: dict[str, int]
) -> None:
    with transaction(shared.database) as connection:
        for each in HOLDINGS:
            here, name = each.choose(subject), each.table.name
            if each.emptied:
                connection.execute(update(each.table).where(here).values(**each.emptied))
            else:
                connection.execute(delete(each.table).where(here))
            if expected.get(name):
                (report.emptied if each.emptied else report.rows)[name] = expected[name]


def _remove_copies(shared: Services, subject: Subject) -> int:
    """Kept answers, of the back office and of Chatwoot; returns for how many documents."""
    for organization in subject.organizations:
        shared.back_office.forget_copies(organization)
    shared.chatwoot.forget_copies(subject.conversations, subject.contacts)
    return len(subject.organizations) * len(EVERY_DOCUMENT) + len(subject.conversations)


def _find_warnings(shared: Services, subject: Subject, there: list[int]) -> Iterator[str]:
    for organization in sorted(subject.organizations):
        try:
            if _is_listed(shared, subject, organization):
                yield (
                    f"MIDDAG Account still has them (organization {organization}): delete them "
                    "there. Until then a panel that is opened reads them from there."
                )
        except PanelError as error:
            yield f"Whether MIDDAG Account still has them is not known now: {error.code}."
    if there:
        numbers = ", ".join(map(str, there))
        yield f"In Chatwoot there still are the contacts {numbers}: delete them there if need be."


def _is_listed(shared: Services, subject: Subject, organization: int) -> bool:
    try:
        if not subject.is_person:
            shared.back_office.fetch(ORGANIZATION, organization)
            return True
        rows = shared.back_office.fetch(COLLABORATORS, organization).rows
    except Missing:
        return False
    return any(normalize_email(each.email) in subject.emails for each in rows)
