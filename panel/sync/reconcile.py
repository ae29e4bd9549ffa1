"""Reconciliation of one organization: read the back office, write the difference into Chatwoot.

Only the difference is written, so any order and repetition of passes ends in the same Chatwoot.
"""

import logging
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from panel.data.directory import COMPANY, Directory, Known, Person
from panel.data.links import CONTACT, Link, Links
from panel.data.search_index import BY_EMAIL, BY_ENTITLEMENT, BY_PHONE, SearchIndex, make_terms
from panel.errors import Missing, Unauthorized
from panel.locks import Locks
from panel.models.licenses import Entitlement
from panel.models.organizations import Collaborator, Organization
from panel.settings import Settings
from panel.sync.contact_errors import ContactErrors, work_on_each
from panel.sync.contact_writer import ContactWriter
from panel.sync.contacts import Contacts
from panel.sync.conversations import Conversations
from panel.sync.departures import Departures
from panel.sync.description import describe, keep_known
from panel.sync.people import (
    DesiredPerson,
    is_uncertain,
    list_people,
    list_phones,
    make_key,
    weigh,
)
from panel.sync.seats import Seats, Tools
from panel.upstream.chatwoot import Chatwoot, ValuesRefused
from panel.upstream.documents import COLLABORATORS, ENTITLEMENTS, ORGANIZATION, Listed
from panel.upstream.middag import BackOffice

log = logging.getLogger(__name__)

DELETED, RECONCILE = "organization.deleted", "reconcile"


class Reconciler:
    """Brings organizations in line. `locks` give one writer per contact, over processes too."""

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
        self._settings = settings
        self._office = office
        self._directory = directory
        self._terms = terms
        self._links = links
        writer = ContactWriter(chatwoot, directory, links, locks)
        conversations = Conversations(chatwoot, links)
        contacts = Contacts(chatwoot, directory)
        departures = Departures(chatwoot, directory, links, writer, conversations)
        self._tools = Tools(chatwoot, directory, links, contacts, writer, conversations, departures)

    def bring_in_line(self, organization: int, kinds: Collection[str]) -> None:
        """`kinds`: of the hooks that wait. Raises `TryLater`, or `GiveUp` with what was refused."""
        try:
            truth = self._office.fetch(ORGANIZATION, organization)
        except Missing as error:
            if DELETED in kinds and error.code == "unknown_organization":
                return self._clear_organization(organization)
            raise
        listed = self._office.fetch(COLLABORATORS, organization)
        owned = self._office.fetch(ENTITLEMENTS, organization)
        before = self._directory.people_of(organization)
        former = self._directory.get_organizations([organization]).get(organization)
        truth = keep_known(truth, former)
        known = describe(truth, owned, former, datetime.now(self._settings.timezone))
        wanted = self._list_wanted(truth, listed, before)
        self._directory.put_organization(known)
        self._put_terms(truth, known, wanted, listed, owned)
        seats = Seats(self._tools, known, wanted, changed=known != former)
        done = work_on_each(seats.bring, wanted)
        if is_whole(listed):
            done += self._remove_leavers(before, wanted, listed)
        self._withhold_picks(organization)
        if RECONCILE in kinds:
            self._clear_orphans(organization, before)
        done.raise_trouble()
        return None

    def restore_contact(self, contact: int) -> None:
        """Put back what somebody changed of our attributes in a contact and its conversations, as
        a pass does."""
        self._tools.writer.restore(contact)
        seats = self._tools.writer.find_memberships(contact)
        if seats:
            names = {str(known.id): known.name for known, _ in seats}
            self._tools.conversations.write_name(contact, names)

    # -- what the back office says ---------------------------------------------------------------

    def _list_wanted(
        self, truth: Organization, listed: Listed[Collaborator], before: dict[str, Person]
    ) -> list[DesiredPerson]:
        """The people of the list; whom a list that is not whole may have left out keep what is
        theirs, and nobody's role falls by it."""
        kept = [] if is_whole(listed) else [each for each in before.values() if each.key != COMPANY]
        phones = list_phones(truth, listed.rows)
        elsewhere = self._directory.find_holders(phones, truth.id)
        wanted = list_people(truth, listed.rows, kept, elsewhere)
        return wanted if is_whole(listed) else [_keep_role(each, before) for each in wanted]

    def _put_terms(
        self,
        truth: Organization,
        known: Known,
        wanted: list[DesiredPerson],
        listed: Listed[Collaborator],
        owned: Listed[Entitlement],
    ) -> None:
        """Of what was not told as a whole, no word is forgotten."""
        kept = [] if is_whole(listed) else [BY_EMAIL, BY_PHONE]
        kept += [] if owned.whole else [BY_ENTITLEMENT]
        words = _make_terms(truth, known, wanted, owned.rows)
        self._terms.replace_terms(truth.id, words, kept)

    # -- who left, and what was written too much -------------------------------------------------

    def _remove_leavers(
        self,
        before: dict[str, Person],
        wanted: list[DesiredPerson],
        listed: Listed[Collaborator],
    ) -> ContactErrors:
        """Who is not named any more, or is no member, or has no e-mail of their own. Of whom it
        cannot be read stays."""
        unread = {make_key(each) for each in listed.rows if is_uncertain(each)}
        gone = sorted(before.keys() - {each.key for each in wanted} - unread)
        further = self._further_of(before)
        departures = self._tools.departures
        return work_on_each(
            lambda key: departures.remove_person(before[key], further.get(key, set())), gone
        )

    def _further_of(self, before: dict[str, Person]) -> dict[str, set[int]]:
        organization = next((each.organization for each in before.values()), 0)
        return self._directory.further_contacts_of(organization) if organization else {}

    def _clear_orphans(self, organization: int, before: dict[str, Person]) -> None:
        further = self._further_of(before).values()
        known = {each.contact for each in before.values()}.union(*further)
        self._tools.departures.clear_orphans(organization, known)

    def _clear_organization(self, organization: int) -> None:
        self._withhold_picks(organization)
        self._tools.departures.clear_organization(organization)
        self._terms.forget(organization)
        self._links.forget(organization)

    def _withhold_picks(self, organization: int) -> None:
        """Take back what earlier versions wrote for picks that may not be disclosed; once each."""
        for link in self._links.list_unwithheld(organization):
            try:
                self._withhold_pick(link)
            except (Missing, Unauthorized, ValuesRefused) as error:
                log.info("a pick for %s %d is left as it is: %s", link.scope, link.subject, error)
            self._links.withhold(link)

    def _withhold_pick(self, link: Link) -> None:
        if link.scope == CONTACT:
            self._tools.writer.write(link.subject)
        # What a pass would write into this conversation anyway may stay.
        elif link.organization not in {
            each.id for each, _ in self._tools.writer.find_memberships(link.contact)
        }:
            self._tools.conversations.withhold_name(link.subject, link.organization)


def is_whole(listed: Listed[Collaborator]) -> bool:
    """Is who is not in the list not there? An empty list is no evidence that everybody left: a
    broken plugin answers so too. Nor is one that names fewer people than it counts, or has records
    that cannot be read."""
    return bool(listed.rows) and listed.whole


def _keep_role(wanted: DesiredPerson, before: dict[str, Person]) -> DesiredPerson:
    stored = before.get(wanted.key)
    return replace(wanted, role=min(wanted.role, stored.role, key=weigh)) if stored else wanted


def _make_terms(
    truth: Organization,
    known: Known,
    wanted: list[DesiredPerson],
    entitlements: tuple[Entitlement, ...],
) -> dict[str, str]:
    return make_terms(
        truth.id,
        [truth.name, truth.legal_name],
        truth.tax_id,
        [known.email, *(each.email for each in wanted)],
        [known.phone, *(each.phone for each in wanted)],
        [each.code for each in entitlements],
    )
