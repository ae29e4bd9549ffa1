"""The seats of an organization's people: the contacts in Chatwoot of each person.

The first contact stands in `Person.contact`, further ones beside it: a person known by e-mail who
also writes by WhatsApp has two. A contact in our table keeps its seat, whatever keys it shows,
unless it has become somebody else's. A contact that was deleted in Chatwoot is not made again.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace

from panel.data.directory import Known, Person
from panel.errors import Missing, Unreachable
from panel.models.phones import identify_line, list_spellings
from panel.models.text import normalize_email
from panel.sync.contact_search import ContactSearch, find_key
from panel.sync.contacts import ContactLost, Place, keep_identifier
from panel.sync.people import DesiredPerson, is_guessable
from panel.sync.seat_writer import Seat, SeatWriter, Tools
from panel.upstream.chatwoot import Contact, ValuesRefused

log = logging.getLogger(__name__)


class Seats:
    """The seats of an organization in one pass; `changed`: the organization differs from what the
    last pass knew."""

    def __init__(
        self, tools: Tools, company: Known, people: Sequence[DesiredPerson], changed: bool
    ) -> None:
        self._tools = tools
        self._known = company
        self._changed = changed
        self._seat_writer = SeatWriter(tools)
        self._search = ContactSearch(tools.chatwoot, people)
        self._owners = {person.email: person.key for person in people if person.email}
        self._further = tools.directory.further_contacts_of(company.id)

    def bring(self, desired: DesiredPerson) -> str:
        """Find or make the person's contacts and write them; returns Chatwoot's refusals."""
        try:
            # Passes of two organizations of one person must not both find no contact and make one.
            with self._tools.writer.lock(f"person:{self._name_lock(desired)}"):
                seat = self._seat(desired)
            return self._seat_writer.write(desired, seat) if seat else ""
        except Missing:
            raise Unreachable("contact_moved", desired.key) from None
        except (ValuesRefused, ContactLost) as error:
            return f"{desired.key}: {error.detail}"

    def _name_lock(self, desired: DesiredPerson) -> str:
        phone = desired.own_phone
        return desired.email or (identify_line(phone) if phone else str(self._known.id))

    # -- the choice of contacts ----------------------------------------------------------------

    def _seat(self, desired: DesiredPerson) -> Seat | None:
        """Return the seat; None where the person has no contact, and the log tells an administrator
        why."""
        # The row is read here, because another organization's pass may have noted a merge
        # meanwhile.
        stored = self._tools.directory.get_person(self._known.id, desired.key)
        contacts = self._search.find(desired)
        present = self._look(stored, contacts)
        place = self._choose(desired, stored, present, contacts)
        remaining = stored
        if stored and stored.contact and (not place or place.contact.id != stored.contact):
            remaining = self._leave(stored, present is None)
        base = self._find_base(desired, remaining)
        if stored and not (place or base or present):
            remaining = self._note_erasure(stored)
        # No contact is made while the base of a merge exists: the base may be the person.
        place = place or (None if base else self._make(desired, remaining))
        if not place:
            if stored:
                self._put_further(desired, replace(stored, contact=0), ())
            return None
        person = replace(self._describe(desired, stored, place), merged_into=base)
        if person != stored:
            self._tools.directory.put_person(person)
        further = tuple(
            contact
            for contact in contacts
            if contact.id != place.contact.id and _may_be_told(contact, desired)
        )
        has_changed = self._put_further(desired, person, further) or person != stored
        return Seat(person, stored, place, further, has_changed or self._changed)

    def _look(self, stored: Person | None, contacts: Sequence[Contact]) -> Contact | None:
        """Return the stored contact as Chatwoot has it now; None where there is no seat, or no such
        contact in Chatwoot."""
        if not stored or not stored.contact:
            return None
        present = next((contact for contact in contacts if contact.id == stored.contact), None)
        return present or self._read(stored.contact)

    def _read(self, number: int) -> Contact | None:
        try:
            return self._tools.chatwoot.contact(number)
        except Missing:
            return None

    def _choose(
        self,
        desired: DesiredPerson,
        stored: Person | None,
        present: Contact | None,
        contacts: Sequence[Contact],
    ) -> Place | None:
        if stored and present and self._stays(present, desired, stored):
            return Place(present, keep_identifier(desired, stored))
        return Place(contacts[0]) if contacts else None

    def _stays(self, contact: Contact, desired: DesiredPerson, stored: Person) -> bool:
        """Tell whether the stored contact is still this person's."""
        if is_guessable(stored.identifier):
            return self._tools.contacts.is_theirs(contact, desired, stored)
        if find_key(desired, contact):
            return True
        email = normalize_email(contact.email) or ""
        if self._owners.get(email, desired.key) != desired.key or _rests_on_shared(
            contact, desired
        ):
            return False
        # The e-mail was corrected, in the back office or in Chatwoot.
        if stored.email and desired.email:
            return True
        return stored.email == desired.email and _is_same_line(stored.phone, desired.phone)

    def _leave(self, stored: Person, is_gone: bool) -> Person:
        """End the seat of the stored contact; returns the person without it. Raises
        `ValuesRefused`."""
        departures = self._tools.departures
        if not is_gone:
            if why := departures.end_seat(stored, stored.contact):
                raise ValuesRefused((why,))
        elif base := departures.clear_base(stored, stored.contact):
            return replace(stored, contact=0, identifier=None, merged_into=base)
        return replace(stored, contact=0)

    def _find_base(self, desired: DesiredPerson, stored: Person | None) -> int:
        """Return the base of the person's merged contact, while it exists and shows none of the
        person's keys; else 0."""
        number = stored.merged_into if stored else 0
        base = self._read(number) if number else None
        return 0 if base is None or find_key(desired, base) else number

    def _note_erasure(self, stored: Person) -> Person:
        """Note that the person's contact or its base was deleted, while no other contact shows
        their keys.

        Returns the person without the contact, as our table has them from now on.
        """
        number = stored.contact or stored.merged_into
        if not number:
            return stored
        directory = self._tools.directory
        directory.erasures.note(number, stored, time.time())
        absent = replace(stored, contact=0, identifier=None, former_email=None, merged_into=0)
        directory.put_person(absent)
        log.warning(
            "contact %d of organization %d was deleted in Chatwoot: nobody makes it again. If it"
            " shall be made: `flask --app app sync erased --allow %d`",
            *(number, stored.organization, number),
        )
        return absent

    def _make(self, desired: DesiredPerson, stored: Person | None) -> Place | None:
        by_phone = desired.own_phone and not desired.email
        # Chatwoot allows two contacts with one phone, so the search is repeated right before a
        # contact is made.
        if by_phone and (contacts := self._search.find_anew(desired)):
            return Place(contacts[0])
        return self._tools.contacts.make(self._known, desired, stored)

    def _describe(self, desired: DesiredPerson, stored: Person | None, place: Place) -> Person:
        former = (stored.former_email or stored.email) if stored else None
        email = normalize_email(place.contact.email)
        stays = stored is not None and stored.contact == place.contact.id
        return Person(
            organization=self._known.id,
            key=desired.key,
            contact=place.contact.id,
            role=desired.role,
            email=desired.email,
            phone=desired.phone,
            # Our table keeps an identifier of an earlier version until it is removed from the
            # contact.
            identifier=place.identifier or _read_guessable(stored),
            phone_shared=desired.phone_shared,
            former_email=former if stays and former != desired.email and email == former else None,
            lacks=desired.lacks,
        )

    def _put_further(
        self, desired: DesiredPerson, person: Person, further: Sequence[Contact]
    ) -> bool:
        """Store the further contacts; returns whether anything changed."""
        directory, before = self._tools.directory, self._further.get(desired.key, set())
        now = {contact.id for contact in further}
        for contact in further:
            if contact.id not in before:
                directory.add_contact(person, contact.id)
        for number in sorted(before - now):
            if number != person.contact:
                self._end_further(person, number)
            directory.remove_contact(person.organization, person.key, number)
        return before != now

    def _end_further(self, person: Person, number: int) -> None:
        """End the seat of a further contact that no longer shows the person's key, or is gone."""
        departures = self._tools.departures
        if self._read(number) is None:
            departures.clear_base(person, number)
        elif why := departures.end_seat(person, number):
            raise ValuesRefused((why,))


def _may_be_told(contact: Contact, desired: DesiredPerson) -> bool:
    """Tell whether this further contact may have the same attributes as the person's first one.

    Phone numbers can be guessed one after another. A visitor of a website can type one into the
    chat and then read the whole contact. The person has another contact, so this one may stay
    empty.
    """
    return find_key(desired, contact) == "email" or not (contact.has_inbox and contact.public)


def _rests_on_shared(contact: Contact, desired: DesiredPerson) -> bool:
    """Tell whether a shared number alone ties the contact to this person."""
    by_phone = desired.phone_shared and contact.phone in list_spellings(desired.phone or "")
    return bool(by_phone and desired.email and normalize_email(contact.email) != desired.email)


def _is_same_line(phone: str | None, other: str | None) -> bool:
    return phone == other or bool(phone and other and other in list_spellings(phone))


def _read_guessable(stored: Person | None) -> str | None:
    return stored.identifier if stored and is_guessable(stored.identifier) else None
