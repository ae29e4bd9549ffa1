"""Who leaves: what a contact and its conversations say of a seat is cleared, Chatwoot first, our
tables after. A try that fails in between finds the seat again.

A contact that Chatwoot does not know any more was deleted, or merged into another one (its *base*)
which has taken over what we wrote. A seat never follows by itself: what stands in the base is
cleared, unless the base is somebody of ours.
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
    """Every method raises `PanelError`; a text that is returned says what Chatwoot refused."""

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
        """The list no longer names this person: this organization goes, others stay."""
        numbers = sorted({person.contact, *further} - {0})
        refused = [self.end_seat(person, number) for number in numbers]
        why = "; ".join(filter(None, refused))
        if not why:
            self._directory.remove_people(person.organization, [person.key])
        return why

    def end_seat(self, person: Person, number: int) -> str:
        """This contact is no longer this person's; our table still says so."""

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
        """Of somebody whose number others have as well by now: where nothing but the number ties a
        contact to them."""
        refused = []
        further = self._directory.further_contacts_of(person.organization).get(person.key, set())
        for number in sorted({person.contact, *further} - {0}):
            if self._find_ties(person, number) == {"phone"}:
                refused.append(self.end_seat(person, number))
                if not refused[-1]:
                    self._directory.remove_contact(person.organization, person.key, number)
        return "; ".join(filter(None, refused))

    def _find_ties(self, person: Person, number: int) -> set[str]:
        return {
            link.rests_on
            for link in self._links.find(0, number)
            if (link.organization, link.state) == (person.organization, MATCHED)
        }

    def clear_organization(self, organization: int) -> None:
        """Confirmed twice, by the hook and by the back office's own 404: everything of it goes."""

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
        """Contacts that name the organization, and are nobody of it; `besides`: not to look at.

        Versions before 2026-11-30 left some behind when they were killed. Visitors of a website or
        an API can write attributes: theirs are claims, and stay. So does what stands in a contact
        without a key: it may be the company's own, about which `Contacts.make` asks.
        """
        for contact in self._chatwoot.list_members(organization):
            is_ours = not (contact.public or is_bare(contact)) and contact.id not in besides
            if is_ours and not self._writer.is_somebody(contact.id):
                log.warning(
                    "contact %d named organization %d and is nobody of it: cleared",
                    *(contact.id, organization),
                )
                self._clear_contact(contact.id, organization, _nobody)

    def clear_base(self, person: Person, gone: int) -> int:
        """What the contact left in another one that it was merged into, which is nobody of ours.

        Returns its number, or 0: it was deleted then, or its base is somebody of ours.
        """
        seats = self._directory.memberships_of(gone)
        bases = self._find_bases(person, self._writer.make_right(gone))
        for base in bases:
            for known, _ in seats:
                self._conversations.clear_name(base.id, known.id, for_good=False)
                self._links.unmatch(base.id, known.id)  # an opening lets links follow
            self._writer.clear_stranger(base.id, person.identifier)
            log.warning(
                "contact %d of organization %d was merged into contact %d, which shows neither"
                " their e-mail nor their phone: what we wrote there is cleared. If it is theirs,"
                " pick the organization in the panel.",
                *(gone, person.organization, base.id),
            )
        for known, _ in seats:
            self._links.unmatch(gone, known.id)
        if bases:
            self._directory.note_merge(gone, bases[0].id)
        return bases[0].id if bases else 0

    def _find_bases(self, person: Person, told: dict[str, Any]) -> list[Contact]:
        """By our identifier, which a base has that had none; else by what we told the other one,
        the likest first: a visitor can have written the same into their own contact."""
        claim = {key: told[key] for key in (ID_ATTRIBUTE, ROLE_ATTRIBUTE) if key in told}
        named = self._chatwoot.list_claimants(claim) if claim else []
        identifier = person.identifier
        owner = self._chatwoot.find_contact("identifier", identifier) if identifier else None
        found = {each.id: each for each in (owner, *named) if each}
        strangers = [each for each in found.values() if not self._writer.is_somebody(each.id)]

        def likeness(contact: Contact) -> int:
            return sum(contact.attributes.get(key) == value for key, value in told.items())

        return sorted(strangers, key=lambda each: (each is not owner, -likeness(each), each.id))

    def _clear_contact(
        self, number: int, organization: int, leaving: Leaving, for_good: bool = False
    ) -> str:
        """Clear what the contact and its conversations say of a seat; `organization` 0: stays."""
        try:
            self._writer.write(number, leaving=leaving)
            if organization:
                self._conversations.clear_name(number, organization, for_good)
                # Whichever of two passes comes first when somebody moves: the rest is named.
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
