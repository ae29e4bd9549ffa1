"""Clears in Chatwoot all that we wrote there about a person or an organization.

The contacts themselves stay: they are Chatwoot's, and are deleted there.
"""

from collections.abc import Iterable, Mapping

from sqlalchemy import or_, select

from panel.data.db import transaction
from panel.data.links import CONTACT, CONVERSATION, links
from panel.errors import Missing
from panel.privacy.holdings import Subject
from panel.services import Services
from panel.sync.contact_writer import ContactWriter
from panel.sync.conversations import Conversations
from panel.sync.departures import Departures
from panel.sync.memberships import Memberships


class Clearing:
    """Every method raises `PanelError`. A method removes the rows of ours that it needs only when
    its work in Chatwoot is done."""

    def __init__(self, shared: Services) -> None:
        self._shared = shared
        chatwoot, directory = shared.chatwoot, shared.directory
        memberships = Memberships(directory, shared.links)
        self._conversations = Conversations(chatwoot, shared.links)
        self._writer = ContactWriter(chatwoot, memberships, self._conversations, shared.locks)
        self._departures = Departures(
            chatwoot, directory, shared.links, self._writer, self._conversations
        )

    def end_seats(self, subject: Subject) -> list[str]:
        """End all seats, in Chatwoot and in the directory; returns Chatwoot's refusals."""
        if not subject.is_person:
            self._departures.clear_organization(subject.organization)
            return []
        return [why for seat in sorted(subject.seats) if (why := self._end_seat(*seat))]

    def _end_seat(self, organization: int, key: str) -> str:
        person = self._shared.directory.get_person(organization, key)
        if person is None:
            return ""
        further = self._shared.directory.further_contacts_of(organization).get(key, set())
        return self._departures.remove_person(person, further)

    def clear_words(self, subject: Subject) -> None:
        """Clear the names that agents' picks brought into conversations."""
        for contact, organization in self._list_links(subject):
            try:
                self._conversations.clear_name(contact, organization, for_good=True)
            except Missing:
                continue  # the contact was deleted in Chatwoot already
        if not subject.is_person:
            for number in self._list_picked_conversations(subject.organization):
                try:
                    self._conversations.withhold_name(number, subject.organization)
                except Missing:
                    continue

    def clear_contacts(self, contacts: Iterable[int], identifiers: Mapping[int, str]) -> list[int]:
        """Clear our attributes, once our tables have no seats; `identifiers`: those that we wrote.

        Returns the contacts that still exist.
        """
        existing = []
        for number in sorted(contacts):
            try:
                self._writer.clear_stranger(number, identifiers.get(number))
            except Missing:
                continue
            existing.append(number)
        return existing

    def find_contacts(self, subject: Subject) -> set[int]:
        """Return a person's contacts; for an organization those of its people, and those for which
        agents picked it."""
        if subject.is_person:
            return set(subject.contacts)
        number = subject.organization
        contacts = {person.contact for person in self._shared.directory.people_of(number).values()}
        contacts.update(*self._shared.directory.further_contacts_of(number).values())
        return (contacts | {contact for contact, _ in self._list_links(subject)}) - {0}

    def _list_links(self, subject: Subject) -> list[tuple[int, int]]:
        """Return (contact, organization) of every link of the subject."""
        condition = or_(
            links.c.contact.in_(sorted(subject.contacts)),
            links.c.subject.in_(sorted(subject.contacts)) & (links.c.scope == CONTACT),
        )
        condition = condition if subject.is_person else links.c.organization == subject.organization
        pairs: set[tuple[int, int]] = set()
        with transaction(self._shared.database) as connection:
            for row in connection.execute(select(links).where(condition)):
                pairs.add((row.contact, row.organization))
                if row.scope == CONTACT:
                    pairs.add((row.subject, row.organization))
        pairs |= {(number, seat[0]) for number in subject.contacts for seat in subject.seats}
        return sorted(pair for pair in pairs if pair[0])

    def _list_picked_conversations(self, organization: int) -> list[int]:
        condition = (links.c.scope == CONVERSATION) & (links.c.organization == organization)
        with transaction(self._shared.database) as connection:
            return sorted(connection.scalars(select(links.c.subject).where(condition)))
