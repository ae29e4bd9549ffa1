"""Reconciliation of one organization: read the back office, write the difference into Chatwoot.

Only the difference is written, so any order and repetition of passes ends in the same Chatwoot. A
contact's attributes are computed from the directory, behind one lock per contact: Chatwoot merges
them key by key without a lock of its own (contracts/chatwoot.md §3.3).
"""

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from panel.data.directory import COMPANY, Directory, Known, Person
from panel.data.links import CONTACT, Link, Links
from panel.data.search_index import SearchIndex, make_terms
from panel.errors import Missing, PanelError, TryLater, Unauthorized, Unreachable, Unreadable
from panel.locks import Locks
from panel.models import Entitlement, Organization, normalize_email
from panel.phones import is_switchboard, normalize_phone
from panel.settings import Settings
from panel.sync.contact_errors import work_on_each
from panel.sync.contacts import ContactLost, Contacts, choose_identifier
from panel.sync.conversations import Conversations
from panel.sync.memberships import Memberships
from panel.sync.people import (
    OUR_ATTRIBUTES,
    STATUSES_BY_WEIGHT,
    DesiredPerson,
    is_guessable,
    list_people,
    make_attributes,
    make_key,
)
from panel.sync.progress import Progress
from panel.upstream.chatwoot import LONGEST_NAME, Chatwoot, Contact, ValuesRefused
from panel.upstream.middag import COLLABORATORS, ENTITLEMENTS, ORGANIZATION, BackOffice

log = logging.getLogger(__name__)

DELETED = "organization.deleted"
CONTACT_LOCK_SECONDS = 30.0  # seconds for a contact that another pass is writing

Leaving = Callable[[Person], bool]


def _nobody(_seat: Person) -> bool:
    return False


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
        self._chatwoot = chatwoot
        self._directory = directory
        self._terms = terms
        self._links = links
        self._locks = locks
        self._progress = Progress()
        self._contacts = Contacts(chatwoot, directory)
        self._conversations = Conversations(chatwoot, links)
        self._memberships = Memberships(directory, links)

    def bring_in_line(self, organization: int, kinds: Collection[str]) -> None:
        """`kinds`: of the hooks that wait. Raises `TryLater`, or `GiveUp` with what was refused.

        A try that follows one which failed goes on behind whom that one reached.
        """
        before = self._progress.count(organization)
        try:
            self._bring_in_line(organization, kinds)
        except (TryLater, Unreadable, Unauthorized) as error:  # it is tried again
            error.has_progressed = self._progress.count(organization) > before
            raise
        except PanelError:
            self._progress.forget(organization)
            raise
        self._progress.forget(organization)

    def _bring_in_line(self, organization: int, kinds: Collection[str]) -> None:
        try:
            truth = self._office.fetch(ORGANIZATION, organization)
        except Missing as error:
            if DELETED in kinds and error.code == "unknown_organization":
                return self._clear_organization(organization)
            raise
        listed = self._office.fetch(COLLABORATORS, organization)
        people = listed.rows
        entitlements = self._office.fetch(ENTITLEMENTS, organization).rows
        known = self._describe(truth, entitlements)
        wanted = list_people(truth, people)
        self._directory.put_organization(known)
        self._terms.replace_terms(organization, _make_terms(truth, known, wanted, entitlements))
        before = self._directory.people_of(organization)

        def bring(person: DesiredPerson) -> str:
            why = self._bring_person(known, person, before)
            if not why:
                self._progress.note(known, person)
            return why

        people_done = work_on_each(bring, self._progress.list_left(known, wanted))
        # An empty list is no evidence that everybody left: a broken plugin answers so too.
        # Nor is one that names fewer people than it counts.
        whole = people and not listed.cut
        named = {COMPANY, *(make_key(each) for each in people)}
        gone = sorted(set(before) - named) if whole else []
        leavers_done = work_on_each(lambda key: self._remove_person(before[key]), gone)
        self._withhold_picks(organization)
        (people_done + leavers_done).raise_trouble()
        return None

    def _describe(self, truth: Organization, entitlements: tuple[Entitlement, ...]) -> Known:
        now = datetime.now(UTC)
        active = [each for each in entitlements if each.status.value == "active"]
        ahead = [each.expires for each in active if each.expires and each.expires > now]
        statuses = {each.status.value for each in entitlements}
        return Known(
            id=truth.id,
            name=truth.name[:LONGEST_NAME],
            billing_entity=truth.billing_entity,
            plan=truth.plan,
            tax_id=truth.tax_id,
            email=normalize_email(truth.email),
            phone=normalize_phone(truth.phone, truth.country),
            phone_shared=is_switchboard(truth.phone, truth.country),
            city=truth.city,
            entitlement_status=next((one for one in STATUSES_BY_WEIGHT if one in statuses), "none"),
            active_entitlements=len(active),
            next_expiry=min(ahead).astimezone(self._settings.timezone).date() if ahead else None,
        )

    def repair(self, contact: int) -> None:
        """Put back what somebody changed of our attributes on a contact and its conversations.

        Raises as `bring_in_line`; `Missing` when the contact is gone.
        """
        self._update_contact(contact)
        self._name_conversations(contact)

    # -- one person ------------------------------------------------------------------------------

    def _bring_person(self, known: Known, wanted: DesiredPerson, before: dict[str, Person]) -> str:
        """Find or make the contact, tell it what it may know; returns why that could not be."""
        stored = before.get(wanted.key)
        try:
            return self._place_person(known, wanted, stored)
        except Missing:
            if not (stored and stored.contact):
                raise Unreachable("contact_moved", wanted.key) from None
            # Merged into another, or deleted: found anew, or made anew.
            gone = replace(stored, contact=0, identifier=stored.identifier or None)
            return self._bring_person(known, wanted, {wanted.key: gone})
        except (ValuesRefused, ContactLost) as error:
            return f"{wanted.key}: {error.detail}"

    def _place_person(self, known: Known, wanted: DesiredPerson, stored: Person | None) -> str:
        # Two organizations of one person must not both find nobody and create somebody.
        with self._lock(f"person:{wanted.email or wanted.phone or known.id}"):
            place = self._contacts.find(wanted, stored)
            if stored and stored.contact and (not place or place.contact != stored.contact):
                if why := self._end_membership(stored):
                    return why
                stored = replace(stored, contact=0)
            place = place or self._contacts.make(known, wanted, stored)
            if not place:
                return ""
            number, keys = place.contact, (wanted.email, wanted.phone)
            seat = Person(
                known.id,
                wanted.key,
                number,
                wanted.role,
                *keys,
                place.identifier,
                wanted.phone_shared,
            )
            # An identifier of an earlier version stays noted until it is gone from the contact.
            noted = replace(seat, identifier=seat.identifier or _read_guessable(stored))
            if noted != stored:
                self._directory.put_person(noted)
        try:
            contact = self._update_contact(
                number, wanted, identifier=seat.identifier, present=place.made
            )
        except ValuesRefused as error:
            return f"contact {number}: {error.detail}"
        if seat != noted:
            self._directory.put_person(seat)
        self._links.match(number, known.id, _find_key(contact, wanted))
        self._name_conversations(number)
        return ""

    def _name_conversations(self, contact: int) -> None:
        seats = self._memberships.name_seats(contact)
        self._conversations.write_name(contact, seats, self._memberships.name_organizations)

    def _update_contact(
        self,
        number: int,
        wanted: DesiredPerson | None = None,
        leaving: Leaving = _nobody,
        identifier: str | None = None,
        present: Contact | None = None,
    ) -> Contact:
        """Write the difference: attributes, an empty name, the identifier. One writer per contact.

        `present`: the contact as it is, where Chatwoot has just told. Returns the contact as it
        was before. Organizations that an agent refused for it are left
        out: what is written here can be read by whoever it is (design §4.5).
        """
        with self._lock(f"contact:{number}"):
            contact = present or self._chatwoot.contact(number)
            seats = self._memberships.find_told(number)
            right = make_attributes([each for each in seats if not leaving(each[1])])
            changed = {k: v for k, v in right.items() if contact.attributes.get(k) != v}
            # Never an e-mail or a phone: whoever typed somebody's one into the website's chat would
            # be told the other by Chatwoot (contracts/chatwoot-real.md 1).
            fields: dict[str, Any] = choose_identifier(contact, identifier)
            if wanted and not contact.name:
                fields["name"] = wanted.name[:LONGEST_NAME]
            if changed:
                fields["custom_attributes"] = changed
            self._send_update(number, fields)
            gone = [key for key in OUR_ATTRIBUTES if key in contact.attributes and key not in right]
            if gone:
                self._chatwoot.clear_contact(number, gone)
            return contact

    def _send_update(self, number: int, fields: dict[str, Any]) -> None:
        while fields:
            try:
                return self._chatwoot.update_contact(number, fields)
            except ValuesRefused as taken:
                fields = _leave_out(fields, taken)
        return None

    def _find_memberships(self, number: int) -> list[tuple[Known, Person]]:
        return self._memberships.find_seats(number)

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
            self._update_contact(link.subject)
        # What a pass would write into this conversation anyway may stay.
        elif link.organization not in {each.id for each, _ in self._find_memberships(link.contact)}:
            self._conversations.withhold_name(link.subject, link.organization)

    # -- who left --------------------------------------------------------------------------------

    def _remove_person(self, person: Person) -> str:
        """The list no longer names this person: this organization goes, others stay."""
        why = self._end_membership(person)
        if not why:
            self._directory.remove_people(person.organization, [person.key])
        return why

    def _end_membership(self, person: Person) -> str:
        """Tell the contact that this seat ends. Chatwoot first, our tables after: a try that fails
        in between finds the seat again."""

        def ends(seat: Person) -> bool:
            return (seat.organization, seat.key) == (person.organization, person.key)

        rest = [
            seat for _, seat in self._directory.memberships_of(person.contact) if not ends(seat)
        ]
        stays = any(seat.organization == person.organization for seat in rest)
        why = self._clear_contact(person.contact, 0 if stays else person.organization, ends)
        if not why and not stays:
            self._links.unmatch(person.contact, person.organization)
        return why

    def _clear_organization(self, organization: int) -> None:
        """Confirmed twice, by the hook and by the back office's own 404: everything of it goes."""

        def ends(seat: Person) -> bool:
            return seat.organization == organization

        self._withhold_picks(organization)
        people = self._directory.people_of(organization).values()
        contacts = {person.contact for person in people if person.contact}
        work_on_each(
            lambda contact: self._clear_contact(contact, organization, ends, for_good=True),
            sorted(contacts),
        ).raise_trouble()
        self._directory.forget(organization)
        self._terms.forget(organization)
        self._links.forget(organization)

    def _clear_contact(
        self, contact: int, organization: int, leaving: Leaving, for_good: bool = False
    ) -> str:
        """Clear what the contact and its conversations say of a seat; `organization` 0: stays."""
        try:
            self._update_contact(contact, leaving=leaving)
            if organization:
                self._conversations.clear_name(contact, organization, for_good)
        except ValuesRefused as error:
            return f"contact {contact}: {error.detail}"
        except Missing:
            log.info("contact %d is gone, nothing to clear", contact)
        return ""

    @contextmanager
    def _lock(self, key: str) -> Iterator[None]:
        """One holder per key; a pass that cannot have it in time is tried again later."""
        with self._locks.hold(key, CONTACT_LOCK_SECONDS) as alone:
            if not alone:
                raise Unreachable("contact_busy", "another pass writes this contact")
            yield


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


def _read_guessable(stored: Person | None) -> str | None:
    return stored.identifier if stored and is_guessable(stored.identifier) else None


def _find_key(contact: Contact, wanted: DesiredPerson) -> str:
    """The key that ties this contact to the person, by what the contact shows now (§4.6)."""
    if wanted.email and contact.email == wanted.email:
        return "email"
    return "phone" if wanted.phone and contact.phone == wanted.phone else "identifier"


def _leave_out(fields: dict[str, Any], taken: ValuesRefused) -> dict[str, Any]:
    """The fields less those that Chatwoot names; raises `taken` when it names none of them."""
    rest = {key: value for key, value in fields.items() if key not in taken.attributes}
    if len(rest) == len(fields):
        raise taken
    log.info("left out, because Chatwoot refuses it: %s", ", ".join(taken.attributes))
    return rest
