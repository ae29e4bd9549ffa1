"""Writes the contacts of a seated person, and notes the result in our tables."""

import logging
import time
from dataclasses import dataclass, replace

from panel.data.directory import Directory, Person
from panel.data.links import Links
from panel.models.text import normalize_email
from panel.sync.contact_search import find_key
from panel.sync.contact_writer import ContactWriter, list_ours
from panel.sync.contacts import Contacts, Place, read_own
from panel.sync.departures import Departures
from panel.sync.people import DesiredPerson
from panel.upstream.chatwoot import Chatwoot, Contact, ValuesRefused

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tools:
    """The parts that every pass works with."""

    chatwoot: Chatwoot
    directory: Directory
    links: Links
    contacts: Contacts
    writer: ContactWriter
    departures: Departures


@dataclass(frozen=True)
class Seat:
    """A person with their contacts, as our table has them now, and had them before (`stored`).

    `changed`: something differs from the last pass, so contacts are read again.
    """

    person: Person
    stored: Person | None
    place: Place
    further: tuple[Contact, ...]
    changed: bool


class SeatWriter:
    """Every method raises `PanelError`."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def write(self, desired: DesiredPerson, seat: Seat) -> str:
        """Write all contacts of the person; returns Chatwoot's refusals."""
        person, place = seat.person, seat.place
        refusals = [self._tell_contact(desired, seat, place.contact, place.identifier)]
        refusals += [self._tell_contact(desired, seat, contact, None) for contact in seat.further]
        person = self._correct_email(seat)
        row = replace(person, identifier=read_own(person))
        if row != seat.person and not refusals[0]:
            self._tools.directory.put_person(row)
        return "; ".join(filter(None, refusals))

    def _tell_contact(
        self, desired: DesiredPerson, seat: Seat, contact: Contact, identifier: str | None
    ) -> str:
        tools, number, at = self._tools, contact.id, time.time()
        is_new, attributes = seat.place.is_new and contact is seat.place.contact, list_ours(contact)
        try:
            if seat.changed or not tools.writer.is_in_line(contact, desired.name, identifier):
                present = contact if is_new else None
                attributes = tools.writer.write(
                    number, name=desired.name, identifier=identifier, present=present, at=at
                ).attributes
        except ValuesRefused as error:
            return f"contact {number}: {error.detail}"
        tools.links.match(
            number, seat.person.organization, self._name_evidence(desired, seat, contact)
        )
        if not is_new:  # a new contact has no conversations
            tools.writer.name_conversations(number)
        tools.writer.settle(number, attributes, at)
        return ""

    def _name_evidence(self, desired: DesiredPerson, seat: Seat, contact: Contact) -> str:
        """Return the evidence that ties this contact to the person: a key that the contact shows,
        or the e-mail that the back office had before."""
        email = normalize_email(contact.email)
        former = bool(email) and email == seat.person.former_email
        return "email" if former else find_key(desired, contact) or "identifier"

    def _correct_email(self, seat: Seat) -> Person:
        """Write the back office's new e-mail, or log why an administrator has to."""
        person, writer = seat.person, self._tools.writer
        if not (person.former_email and person.email):
            _report_email_by_hand(seat)
            return person
        is_taken = any(normalize_email(contact.email) == person.email for contact in seat.further)
        if not is_taken and writer.correct_email(person.contact, person.former_email, person.email):
            return replace(person, former_email=None)
        if not (seat.stored and seat.stored.former_email):
            log.warning(
                "contact %d of organization %d keeps its former e-mail: another contact has the new"
                " one, or a website's visitor could read it. Correct or merge it in Chatwoot.",
                *(person.contact, person.organization),
            )
        return person


def _report_email_by_hand(seat: Seat) -> None:
    """Log once that the back office has a new e-mail, while the contact shows an e-mail that
    somebody else wrote."""
    before = seat.stored.email if seat.stored else None
    email = normalize_email(seat.place.contact.email)
    if before and email not in {before, seat.person.email} and before != seat.person.email:
        log.warning(
            "contact %d of organization %d keeps the e-mail that somebody wrote in Chatwoot; the"
            " back office has a new one.",
            *(seat.person.contact, seat.person.organization),
        )
