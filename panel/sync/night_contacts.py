"""Compares the contacts that a night reads in Chatwoot with our own tables."""

from collections.abc import Collection, Sequence

from panel.data.directory import Directory
from panel.data.sightings import Sighting, Sightings, make_digest
from panel.sync.contact_writer import is_bare, list_ours
from panel.sync.memberships import Memberships
from panel.sync.people import is_guessable, make_attributes
from panel.upstream.chatwoot import ID_ATTRIBUTE, Contact


class ContactComparison:
    """Reads our own tables alone. Raises `Unreachable("database")`."""

    def __init__(
        self, directory: Directory, memberships: Memberships, sightings: Sightings
    ) -> None:
        self._directory = directory
        self._memberships = memberships
        self._sightings = sightings

    def find_differing(self, contacts: Sequence[Contact], at: float) -> set[int]:
        """Return organizations that need a pass because of these contacts, which were read at
        `at`."""
        before = self._sightings.find([contact.id for contact in contacts])
        organizations: set[int] = set()
        for contact in contacts:
            organizations |= self._compare(contact, before.get(contact.id))
        self._sightings.note([_make_sighting(contact, at) for contact in contacts])
        return organizations

    def find_owners(self, contact: int) -> set[int]:
        """Return the organizations that this contact's attributes should name."""
        return {
            organization.id for organization, _ in self._memberships.find_for_attributes(contact)
        }

    def find_absent(self) -> set[int]:
        """Return organizations with a person who has no contact. A contact that was deleted in
        Chatwoot is not made again, so its person does not count."""
        deleted = self._directory.erasures.list_held_back()
        excused = {(person.organization, person.key) for _, person in deleted}
        return {organization for organization, _ in self._directory.list_absent() - excused}

    def _compare(self, contact: Contact, before: Sighting | None) -> set[int]:
        seats = self._memberships.find_for_attributes(contact.id)
        if not seats:
            return self._find_claimed(contact)
        is_told = list_ours(contact) == make_attributes(seats)
        is_same = not before or before.shown in (None, digest_shown(contact))
        if is_told and is_same and not is_guessable(contact.identifier):
            return set()
        return {organization.id for organization, _ in seats}

    def _find_claimed(self, contact: Contact) -> set[int]:
        """Return the known organizations that the contact names without a seat. A visitor's own
        claim stays as it is (`Departures.clear_orphans`)."""
        if contact.public or is_bare(contact):
            return set()
        claims = _read_numbers(contact.attributes.get(ID_ATTRIBUTE))
        return set(self._directory.get_organizations(claims))


def digest_shown(contact: Contact) -> str:
    """Return a digest of the fields that tell whose contact it is."""
    return make_digest([contact.email, contact.phone, contact.identifier, bool(contact.name)])


def _make_sighting(contact: Contact, at: float) -> Sighting:
    return Sighting(contact.id, make_digest(list_ours(contact)), digest_shown(contact), at)


def _read_numbers(claim: object) -> Collection[int]:
    words = claim.split(",") if isinstance(claim, str) else []
    return [int(word) for word in words if word.isdecimal() and len(word) < 10]
