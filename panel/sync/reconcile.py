"""Reconciliation of one organization: read the back office, write the difference into Chatwoot.

Only the difference is written, so any order and repetition of passes ends in the same Chatwoot.
"""

import logging
import time
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from panel.data.directory import Directory, Known
from panel.data.forgotten import Candidacy
from panel.data.links import CONTACT, Link, Links
from panel.data.search_index import BY_EMAIL, BY_ENTITLEMENT, BY_PHONE, SearchIndex
from panel.errors import Missing, PanelError, TryLater, Unauthorized, Unreadable
from panel.locks import Locks
from panel.models.organizations import Organization
from panel.settings import Settings
from panel.sync.contact_errors import ContactErrors, work_on_each
from panel.sync.contact_writer import ContactWriter
from panel.sync.contacts import Contacts
from panel.sync.conversations import Conversations
from panel.sync.departures import Departures
from panel.sync.description import describe, keep_known
from panel.sync.events import find_kind
from panel.sync.memberships import Memberships
from panel.sync.people import (
    DesiredPerson,
    list_phones,
    list_sharers,
)
from panel.sync.plan import BackOfficeAnswers, Notes, Plan, list_desired_people, make_words
from panel.sync.progress import Progress
from panel.sync.seat_writer import Tools
from panel.sync.seats import Seats
from panel.sync.settled import SettledPeople
from panel.upstream.chatwoot import Chatwoot, ValuesRefused
from panel.upstream.documents import COLLABORATORS, ENTITLEMENTS, ORGANIZATION
from panel.upstream.middag import BackOffice

log = logging.getLogger(__name__)

DELETED, RECONCILE = "organization.deleted", "reconcile"


class Reconciler:
    """Brings organizations in line. `locks` give one writer per contact, over processes too.

    Without notes (`keep_notes`) every pass reads every contact.
    """

    def __init__(
        self,
        settings: Settings,
        office: BackOffice,
        chatwoot: Chatwoot,
        directory: Directory,
        terms: SearchIndex,
        links: Links,
        locks: Locks,
    ) -> None:
        self._notes: Notes | None = None
        self._settings = settings
        self._office = office
        self._directory = directory
        self._terms = terms
        self._links = links
        self._progress = Progress()
        self._memberships = Memberships(directory, links)
        self._conversations = Conversations(chatwoot, links)
        contacts = Contacts(chatwoot, directory)
        writer = ContactWriter(chatwoot, self._memberships, self._conversations, locks)
        departures = Departures(chatwoot, directory, links, writer, self._conversations)
        self._tools = Tools(chatwoot, directory, links, contacts, writer, departures)

    def keep_notes(self, notes: Notes) -> None:
        """Use these notes; called before the first pass."""
        self._notes = notes
        self._tools.writer.sightings = notes.sightings

    def bring_in_line(self, organization: int, kinds: Collection[str]) -> None:
        """Run a pass; `kinds`: those of the waiting hooks. Raises `TryLater`, or `GiveUp` with the
        refusals.

        After a failed try, the next one goes on behind the last person that was reached.
        """
        before = self._progress.count(organization)
        try:
            self._read_and_bring(organization, kinds)
        except (TryLater, Unreadable, Unauthorized) as error:  # the pass is tried again
            error.has_progressed = self._progress.count(organization) > before
            raise
        except PanelError:
            self._progress.forget(organization)
            raise
        self._progress.forget(organization)

    def _read_and_bring(self, organization: int, kinds: Collection[str]) -> None:
        if self._directory.forgotten.covers_organization(organization):
            log.info("organization %d was forgotten: nothing is learned of it", organization)
            return None
        try:
            truth = self._office.fetch(ORGANIZATION, organization)
        except Missing as error:
            if DELETED in kinds and error.code == "unknown_organization":
                return self._clear_organization(organization)
            raise
        self._bring_in_line(self._read(truth), kinds)
        return None

    def has_changed(self, organization: int) -> bool:
        """Tell whether the back office's answers differ from those of the last good pass.

        If they do not, that is noted. Raises `PanelError`; nothing is written into Chatwoot.
        """
        if self._directory.forgotten.covers_organization(organization):
            return False
        started_at = time.time()
        answers = self._read(self._office.fetch(ORGANIZATION, organization))
        digest = self._plan(answers).digest(answers)
        if self._notes is None or self._notes.readings.find_digest(organization) != digest:
            return True
        self._notes.readings.note_read(organization, digest, started_at)
        return False

    def _read(self, truth: Organization) -> BackOfficeAnswers:
        people = self._office.fetch(COLLABORATORS, truth.id)
        owned = self._office.fetch(ENTITLEMENTS, truth.id)
        self._office.keep_stopped(truth.id, owned.rows)
        return BackOfficeAnswers(
            truth,
            people,
            owned,
            self._directory.people_of(truth.id),
        )

    def _plan(self, answers: BackOfficeAnswers) -> Plan:
        organization, people = answers.truth.id, answers.people.rows
        former = self._directory.get_organizations([organization]).get(organization)
        truth = keep_known(answers.truth, former)
        company = describe(truth, answers.owned, former, datetime.now(self._settings.timezone))
        elsewhere = self._directory.find_holders(list_phones(truth, people), organization)
        desired = list_desired_people(truth, answers, elsewhere)
        company, desired = self._leave_out_forgotten(company, desired)
        words = make_words(truth, company, desired, answers.owned.rows)
        return Plan(truth, former, company, desired, elsewhere, words)

    def _leave_out_forgotten(
        self, company: Known, people: list[DesiredPerson]
    ) -> tuple[Known, list[DesiredPerson]]:
        """Leave out people who were forgotten, and their keys from the company's own."""
        candidates = [Candidacy(person.key, person.email, person.own_phone) for person in people]
        own = Candidacy("", company.email, None if company.phone_shared else company.phone)
        covered = self._directory.forgotten.find_covered(company.id, [*candidates, own])
        if own.key in covered:
            company = replace(company, email=None, phone=None)
        return company, [person for person in people if person.key not in covered]

    def _bring_in_line(self, answers: BackOfficeAnswers, kinds: Collection[str]) -> None:
        started_at, plan = time.time(), self._plan(answers)
        company, people = plan.company, plan.people
        self._directory.put_organization(company)
        self._put_terms(plan, answers)
        outcome = self._bring_people(plan, answers, kinds)
        if answers.is_whole:
            outcome += self._remove_leavers(answers, people)
        sharers = list_sharers(plan.truth, answers.people.rows, plan.elsewhere)
        outcome += work_on_each(self._tools.departures.end_phone_seats, sharers)
        self._withhold_picks(company.id)
        if RECONCILE in kinds:
            self._clear_orphans(answers)
        outcome.raise_trouble()
        if self._notes:
            after = replace(answers, before=self._directory.people_of(company.id))
            digest = self._plan(after).digest(after)
            self._notes.readings.note_read(company.id, digest, started_at)

    def _bring_people(
        self, plan: Plan, answers: BackOfficeAnswers, kinds: Collection[str]
    ) -> ContactErrors:
        company = plan.company
        seats = Seats(self._tools, company, plan.people, changed=company != plan.former)

        def bring(person: DesiredPerson) -> str:
            why = seats.bring(person)
            if not why:
                self._progress.note(company, person)
            return why

        rest = self._progress.list_left(company, plan.people)
        if self._notes and _is_about_values(kinds):
            further = self._directory.further_contacts_of(company.id)
            settled_people = SettledPeople(
                self._notes.sightings, self._tools.writer, answers.before, further
            )
            rest = [person for person in rest if not settled_people.covers(person)]
        return work_on_each(bring, rest)

    def repair(self, contact: int) -> None:
        """Put back our attributes that somebody changed in a contact and its conversations, as a
        pass does. Raises as `bring_in_line`; `Missing` when the contact is gone."""
        self._tools.writer.repair(contact)

    def _put_terms(self, plan: Plan, answers: BackOfficeAnswers) -> None:
        """Replace the search's words; the words of an incomplete list are kept."""
        kinds = [] if answers.is_whole else [BY_EMAIL, BY_PHONE]
        kinds += [BY_ENTITLEMENT] if answers.owned.cut else []
        self._terms.replace_terms(plan.company.id, plan.words, kinds)

    # -- people who left, and values that are removed ------------------------------------------

    def _remove_leavers(
        self, answers: BackOfficeAnswers, people: list[DesiredPerson]
    ) -> ContactErrors:
        """Remove people whom the list no longer names, people who are no members, and people
        without an e-mail of their own."""
        keys = sorted(answers.before.keys() - {person.key for person in people})
        further = self._directory.further_contacts_of(answers.truth.id)
        departures = self._tools.departures
        return work_on_each(
            lambda key: departures.remove_person(answers.before[key], further.get(key, set())), keys
        )

    def _clear_orphans(self, answers: BackOfficeAnswers) -> None:
        further = self._directory.further_contacts_of(answers.truth.id).values()
        members = {person.contact for person in answers.before.values()}.union(*further)
        self._tools.departures.clear_orphans(answers.truth.id, members)

    def _clear_organization(self, organization: int) -> None:
        self._withhold_picks(organization)
        self._tools.departures.clear_organization(organization)
        self._terms.forget(organization)
        self._links.forget(organization)
        self._office.forget_copies(organization)
        if self._notes:
            self._notes.readings.forget(organization)

    def _withhold_picks(self, organization: int) -> None:
        """Remove from Chatwoot the undisclosed picks that earlier versions wrote; once for each
        pick."""
        for link in self._links.list_unwithheld(organization):
            try:
                self._withhold_pick(link)
            except (Missing, Unauthorized, ValuesRefused) as error:
                log.info("a pick for %s %d is left as it is: %s", link.scope, link.subject, error)
            self._links.withhold(link)

    def _withhold_pick(self, link: Link) -> None:
        if link.scope == CONTACT:
            self._tools.writer.write(link.subject)
        # A contact with a seat keeps the name: a pass would write the same name.
        elif link.organization not in {
            organization.id for organization, _ in self._memberships.find_seats(link.contact)
        }:
            self._conversations.withhold_name(link.subject, link.organization)


def _is_about_values(kinds: Collection[str]) -> bool:
    """Tell whether all hooks are the plugin's. An event of Chatwoot may be about a contact that a
    pass has to find."""
    return bool(kinds) and all(find_kind(kind) and kind != DELETED for kind in kinds)
