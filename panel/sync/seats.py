"""The seats of an organization's people: which contacts in Chatwoot are each of them.

The first contact stands in `Person.contact`, further ones beside it: who is known by e-mail and
writes by WhatsApp has two. A contact that stands in our table stays, whatever it shows, unless it
is somebody else's by now. One that was deleted in Chatwoot is not made again.
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
    """One pass of one organization; `changed`: it differs from what the last pass knew of it."""

    def __init__(
        self, tools: Tools, known: Known, wanted: Sequence[DesiredPerson], changed: bool
    ) -> None:
        self._tools = tools
        self._known = known
        self._changed = changed
        self._seat_writer = SeatWriter(tools)
        self._search = ContactSearch(tools.chatwoot, wanted)
        self._owners = {each.email: each.key for each in wanted if each.email}
        self._further = tools.directory.further_contacts_of(known.id)

    def bring(self, wanted: DesiredPerson) -> str:
        """Find or make the contacts, tell them what they may know; returns what was refused."""
        try:
            # Two organizations of one person must not both find nobody and create somebody.
            with self._tools.writer.lock(f"person:{self._name_lock(wanted)}"):
                seat = self._seat(wanted)
            return self._seat_writer.write(wanted, seat) if seat else ""
        except Missing:
            raise Unreachable("contact_moved", wanted.key) from None
        except (ValuesRefused, ContactLost) as error:
            return f"{wanted.key}: {error.detail}"

    def _name_lock(self, wanted: DesiredPerson) -> str:
        phone = wanted.own_phone
        return wanted.email or (identify_line(phone) if phone else str(self._known.id))

    # -- which contacts --------------------------------------------------------------------------

    def _seat(self, wanted: DesiredPerson) -> Seat | None:
        """None where there is no contact, and an administrator knows why."""
        # Read here: another organization's pass may have noted a merge meanwhile.
        stored = self._tools.directory.get_person(self._known.id, wanted.key)
        found = self._search.find(wanted)
        present = self._look(stored, found)
        place = self._choose(wanted, stored, present, found)
        left = stored
        if stored and stored.contact and (not place or place.contact.id != stored.contact):
            left = self._leave(stored, present is None)
        base = self._find_base(wanted, left)
        if stored and not (place or base or present):
            left = self._note_erasure(stored)
        # Nobody is made twice because of a merge: while the base is there, it may be them.
        place = place or (None if base else self._make(wanted, left))
        if not place:
            if stored:
                self._put_further(wanted, replace(stored, contact=0), ())
            return None
        person = replace(self._describe(wanted, stored, place), merged_into=base)
        if person != stored:
            self._tools.directory.put_person(person)
        further = tuple(
            each for each in found if each.id != place.contact.id and _may_be_told(each, wanted)
        )
        changed = self._put_further(wanted, person, further) or person != stored
        return Seat(person, stored, place, further, changed or self._changed)

    def _look(self, stored: Person | None, found: Sequence[Contact]) -> Contact | None:
        """The stored contact as it is; none where there is no seat, or Chatwoot has it no more."""
        if not stored or not stored.contact:
            return None
        listed = next((each for each in found if each.id == stored.contact), None)
        return listed or self._read(stored.contact)

    def _read(self, number: int) -> Contact | None:
        try:
            return self._tools.chatwoot.contact(number)
        except Missing:
            return None

    def _choose(
        self,
        wanted: DesiredPerson,
        stored: Person | None,
        present: Contact | None,
        found: Sequence[Contact],
    ) -> Place | None:
        if stored and present and self._stays(present, wanted, stored):
            return Place(present, keep_identifier(wanted, stored))
        return Place(found[0]) if found else None

    def _stays(self, contact: Contact, wanted: DesiredPerson, stored: Person) -> bool:
        """Is the stored contact this person's still?"""
        if is_guessable(stored.identifier):
            return self._tools.contacts.is_theirs(contact, wanted, stored)
        if find_key(wanted, contact):
            return True
        shown = normalize_email(contact.email) or ""
        if self._owners.get(shown, wanted.key) != wanted.key or _rests_on_shared(contact, wanted):
            return False
        if stored.email and wanted.email:  # corrected in the back office, or in Chatwoot
            return True
        return stored.email == wanted.email and _is_same_line(stored.phone, wanted.phone)

    def _leave(self, stored: Person, is_gone: bool) -> Person:
        """The person without the contact that was theirs; raises what Chatwoot refuses."""
        departures = self._tools.departures
        if not is_gone:
            if why := departures.end_seat(stored, stored.contact):
                raise ValuesRefused((why,))
        elif base := departures.clear_base(stored, stored.contact):
            return replace(stored, contact=0, identifier=None, merged_into=base)
        return replace(stored, contact=0)

    def _find_base(self, wanted: DesiredPerson, stored: Person | None) -> int:
        """The contact that took theirs in, while it is there and shows none of their keys."""
        number = stored.merged_into if stored else 0
        base = self._read(number) if number else None
        return 0 if base is None or find_key(wanted, base) else number

    def _note_erasure(self, stored: Person) -> Person:
        """Their contact is gone, or the one that took it in, and no other shows their keys.

        Returns the person without it, as our table has them from now on.
        """
        number = stored.contact or stored.merged_into
        if not number:
            return stored
        directory = self._tools.directory
        directory.erasures.note(number, stored, time.time())
        left = replace(stored, contact=0, identifier=None, former_email=None, merged_into=0)
        directory.put_person(left)
        log.warning(
            "contact %d of organization %d was deleted in Chatwoot: nobody makes it again. If it"
            " shall be made: `flask --app app sync erased --allow %d`",
            *(number, stored.organization, number),
        )
        return left

    def _make(self, wanted: DesiredPerson, stored: Person | None) -> Place | None:
        by_phone = wanted.own_phone and not wanted.email
        # Chatwoot's database lets a phone be there twice: what was found may be old by now.
        if by_phone and (found := self._search.find_anew(wanted)):
            return Place(found[0])
        return self._tools.contacts.make(self._known, wanted, stored)

    def _describe(self, wanted: DesiredPerson, stored: Person | None, place: Place) -> Person:
        former = (stored.former_email or stored.email) if stored else None
        shown = normalize_email(place.contact.email)
        stays = stored is not None and stored.contact == place.contact.id
        return Person(
            organization=self._known.id,
            key=wanted.key,
            contact=place.contact.id,
            role=wanted.role,
            email=wanted.email,
            phone=wanted.phone,
            # One of an earlier version stays noted until it is gone from the contact.
            identifier=place.identifier or _read_guessable(stored),
            phone_shared=wanted.phone_shared,
            former_email=former if stays and former != wanted.email and shown == former else None,
            lacks=wanted.lacks,
        )

    def _put_further(
        self, wanted: DesiredPerson, person: Person, further: Sequence[Contact]
    ) -> bool:
        """Did anything change?"""
        directory, before = self._tools.directory, self._further.get(wanted.key, set())
        now = {each.id for each in further}
        for each in further:
            if each.id not in before:
                directory.add_contact(person, each.id)
        for number in sorted(before - now):
            if number != person.contact:
                self._end_further(person, number)
            directory.remove_contact(person.organization, person.key, number)
        return before != now

    def _end_further(self, person: Person, number: int) -> None:
        """A contact that no longer shows their key, or is gone."""
        departures = self._tools.departures
        if self._read(number) is None:
            departures.clear_base(person, number)
        elif why := departures.end_seat(person, number):
            raise ValuesRefused((why,))


def _may_be_told(contact: Contact, wanted: DesiredPerson) -> bool:
    """May this further contact know what the person's first one knows?

    Phones can be counted through. A visitor of a website types one into the chat and can then read
    the whole contact; the person has a contact already, so nobody misses this one.
    """
    return find_key(wanted, contact) == "email" or not (contact.joined and contact.public)


def _rests_on_shared(contact: Contact, wanted: DesiredPerson) -> bool:
    """Was it taken for this person by a number that several people have?"""
    by_phone = wanted.phone_shared and contact.phone in list_spellings(wanted.phone or "")
    return bool(by_phone and wanted.email and normalize_email(contact.email) != wanted.email)


def _is_same_line(one: str | None, other: str | None) -> bool:
    return one == other or bool(one and other and other in list_spellings(one))


def _read_guessable(stored: Person | None) -> str | None:
    return stored.identifier if stored and is_guessable(stored.identifier) else None
