"""What stands in Chatwoot of a person or an organization because we wrote it there: it goes.

The contacts themselves stay: they are Chatwoot's, and whoever deletes them does so there.
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
    """Every method raises `PanelError`; before its end nothing of ours is removed that it needs."""

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
        """They are nobody's any more, in Chatwoot and in the directory; what was refused there."""
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
        """The names that agents' picks brought into conversations."""
        for contact, organization in self._list_said(subject):
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
        """Our attributes, after our tables have forgotten; `identifiers`: those that we wrote.

        Returns the contacts that there are.
        """
        there = []
        for number in sorted(contacts):
            try:
                self._writer.clear_stranger(number, identifiers.get(number))
            except Missing:
                continue
            there.append(number)
        return there

    def find_contacts(self, subject: Subject) -> set[int]:
        """Of an organization: those of its people, and those that agents picked."""
        if subject.is_person:
            return set(subject.contacts)
        number = subject.organization
        found = {each.contact for each in self._shared.directory.people_of(number).values()}
        found.update(*self._shared.directory.further_contacts_of(number).values())
        return (found | {contact for contact, _ in self._list_said(subject)}) - {0}

    def _list_said(self, subject: Subject) -> list[tuple[int, int]]:
        """(contact, organization) of every link about them."""
        mine = or_(
            links.c.contact.in_(sorted(subject.contacts)),
            links.c.subject.in_(sorted(subject.contacts)) & (links.c.scope == CONTACT),
        )
        mine = mine if subject.is_person else links.c.organization == subject.organization
        found: set[tuple[int, int]] = set()
        with transaction(self._shared.database) as connection:
            for row in connection.execute(select(links).where(mine)):
                found.add((row.contact, row.organization))
                if row.scope == CONTACT:
                    found.add((row.subject, row.organization))
        found |= {(each, seat[0]) for each in subject.contacts for seat in subject.seats}
        return sorted(each for each in found if each[0])

    def _list_picked_conversations(self, organization: int) -> list[int]:
        here = (links.c.scope == CONVERSATION) & (links.c.organization == organization)
        with transaction(self._shared.database) as connection:
            return sorted(connection.scalars(select(links.c.subject).where(here)))
