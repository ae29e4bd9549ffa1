"""Ends seats: first the values in Chatwoot's contact and its conversations are cleared, then our
tables.

A try that fails in between finds the seat again.

A contact that Chatwoot no longer knows was deleted, or merged into another contact (its *base*),
which has taken over our values. A seat never moves to the base by itself. Our values there are
cleared, unless the base has a seat of its own.
"""

import logging
from collections.abc import Collection
from typing import Any

from panel.data.directory import Directory, Person
from panel.data.links import MATCHED, Links
from panel.errors import Missing
from panel.sync.contact_errors import work_on_each
from panel.sync.contact_writer import ContactWriter, Leaving, is_bare
from panel.sync.conversations import Conversations
from panel.upstream.chatwoot import ID_ATTRIBUTE, ROLE_ATTRIBUTE, Chatwoot, Contact, ValuesRefused

log = logging.getLogger(__name__)


def _nobody(_seat: Person) -> bool:
    return False


class Departures:
    """Every method raises `PanelError`; a returned text is Chatwoot's refusal."""

    def __init__(
        self,
        chatwoot: Chatwoot,
        directory: Directory,
        links: Links,
        writer: ContactWriter,
        conversations: Conversations,
    ) -> None:
        self._chatwoot = chatwoot
        self._directory = directory
        self._links = links
        self._writer = writer
        self._conversations = conversations

    def remove_person(self, person: Person, further: set[int]) -> str:
        """Clear a person whom the list no longer names; their other organizations stay."""
        numbers = sorted({person.contact, *further} - {0})
        refusals = [self.end_seat(person, number) for number in numbers]
        why = "; ".join(filter(None, refusals))
        if not why:
            self._directory.remove_people(person.organization, [person.key])
        return why

    def end_seat(self, person: Person, number: int) -> str:
        """Clear a contact that is no longer this person's; our table still has its seat."""

        def ends(seat: Person) -> bool:
            return (seat.organization, seat.key) == (person.organization, person.key)

        seats = self._directory.memberships_of(number)
        rest = [seat for _, seat in seats if not ends(seat)]
        stays = any(seat.organization == person.organization for seat in rest)
        why = self._clear_contact(number, 0 if stays else person.organization, ends)
        if not why and not stays:
            self._links.unmatch(number, person.organization)
        return why

    def end_phone_seats(self, person: Person) -> str:
        """End the seats of a person that rest on a phone alone, because others have the same number
        by now."""
        refusals = []
        further = self._directory.further_contacts_of(person.organization).get(person.key, set())
        for number in sorted({person.contact, *further} - {0}):
            if self._find_ties(person, number) == {"phone"}:
                refusals.append(self.end_seat(person, number))
                if not refusals[-1]:
                    self._directory.remove_contact(person.organization, person.key, number)
        return "; ".join(filter(None, refusals))

    def _find_ties(self, person: Person, number: int) -> set[str]:
        return {
            link.rests_on
            for link in self._links.find(0, number)
            if (link.organization, link.state) == (person.organization, MATCHED)
        }

    def clear_organization(self, organization: int) -> None:
        """Clear everything of an organization whose end is confirmed, by the hook and by the back
        office's 404."""

        def ends(seat: Person) -> bool:
            return seat.organization == organization

        people = self._directory.people_of(organization).values()
        further = self._directory.further_contacts_of(organization).values()
        contacts = {person.contact for person in people}.union(*further) - {0}
        work_on_each(
            lambda contact: self._clear_contact(contact, organization, ends, for_good=True),
            sorted(contacts),
        ).raise_trouble()
        self.clear_orphans(organization, contacts)
        self._directory.forget(organization)

    def clear_orphans(self, organization: int, besides: Collection[int]) -> None:
        """Clear contacts that name the organization without a seat; `besides`: contacts to leave
        alone.

        Versions before 2026-11-30 left some behind when they were killed. Visitors of a website or
        an API can write attributes: their values are claims, and stay. A contact without a key
        stays as well: it may be the company's own, for which `Contacts.make` looks.
        """
        for contact in self._chatwoot.list_members(organization):
            is_ours = not (contact.public or is_bare(contact)) and contact.id not in besides
            if is_ours and not self._writer.is_somebody(contact.id):
                log.warning(
                    "contact %d named organization %d and is nobody of it: cleared",
                    *(contact.id, organization),
                )
                self._clear_contact(contact.id, organization, _nobody)

    def clear_base(self, person: Person, number: int) -> int:
        """Clear our values in the base of a merged contact, where the base has no seat.

        Returns the base's number; 0 where the contact was deleted, or its base has a seat.
        """
        seats = self._directory.memberships_of(number)
        bases = self._find_bases(person, self._writer.make_right_attributes(number))
        for base in bases:
            for organization, _ in seats:
                self._conversations.clear_name(base.id, organization.id, for_good=False)
                # Opening the panel may have copied links to the base.
                self._links.unmatch(base.id, organization.id)
            self._writer.clear_stranger(base.id, person.identifier)
            log.warning(
                "contact %d of organization %d was merged into contact %d, which shows neither"
                " their e-mail nor their phone: what we wrote there is cleared. If it is theirs,"
                " pick the organization in the panel.",
                *(number, person.organization, base.id),
            )
        for organization, _ in seats:
            self._links.unmatch(number, organization.id)
        if bases:
            self._directory.note_merge(number, bases[0].id)
        return bases[0].id if bases else 0

    def _find_bases(self, person: Person, attributes: dict[str, Any]) -> list[Contact]:
        """Return the contacts without a seat that may be the base, the most similar first.

        A base without an identifier of its own has taken over ours. Others are found by the
        attributes that we wrote; a visitor can have written the same into their own contact.
        """
        claim = {
            key: attributes[key] for key in (ID_ATTRIBUTE, ROLE_ATTRIBUTE) if key in attributes
        }
        claimants = self._chatwoot.list_claimants(claim) if claim else []
        identifier = person.identifier
        owner = self._chatwoot.find_contact("identifier", identifier) if identifier else None
        candidates = {contact.id: contact for contact in (owner, *claimants) if contact}
        strangers = [
            contact for contact in candidates.values() if not self._writer.is_somebody(contact.id)
        ]

        def likeness(contact: Contact) -> int:
            return sum(contact.attributes.get(key) == value for key, value in attributes.items())

        return sorted(
            strangers, key=lambda contact: (contact is not owner, -likeness(contact), contact.id)
        )

    def _clear_contact(
        self, number: int, organization: int, leaving: Leaving, for_good: bool = False
    ) -> str:
        """Clear a seat's values in the contact and its conversations; with `organization` 0 in the
        contact alone."""
        try:
            self._writer.write(number, leaving=leaving)
            if organization:
                self._conversations.clear_name(number, organization, for_good)
                # A person who moves has two passes, which run in any order. So conversations get
                # the name of the organization that stays.
                self._writer.name_conversations(number, leaving)
        except ValuesRefused as error:
            return f"contact {number}: {error.detail}"
        except Missing:
            self._clear_left(number, leaving)
        return ""

    def _clear_left(self, number: int, leaving: Leaving) -> None:
        log.info("contact %d is gone, nothing to clear", number)
        seats = [seat for _, seat in self._directory.memberships_of(number) if leaving(seat)]
        if seats:
            self.clear_base(seats[0], number)
