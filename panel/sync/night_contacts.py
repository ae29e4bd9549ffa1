"""Contacts as a night finds them in Chatwoot, compared with what our own tables say of them."""

from collections.abc import Collection, Sequence

from panel.data.directory import Directory
from panel.data.sightings import Sighting, Sightings, make_digest
from panel.sync.contact_writer import is_bare, list_ours
from panel.sync.memberships import Memberships
from panel.sync.people import is_guessable, make_attributes
from panel.upstream.chatwoot import ID_ATTRIBUTE, Contact


class ContactComparison:
    """Raises `Unreachable("database")`; nobody outside is asked."""

    def __init__(
        self, directory: Directory, memberships: Memberships, sightings: Sightings
    ) -> None:
        self._directory = directory
        self._memberships = memberships
        self._sightings = sightings

    def find_differing(self, contacts: Sequence[Contact], at: float) -> set[int]:
        """Organizations that need a pass because of these contacts, which were read at `at`."""
        before = self._sightings.find([each.id for each in contacts])
        wanted: set[int] = set()
        for each in contacts:
            wanted |= self._compare(each, before.get(each.id))
        self._sightings.note([_make_sighting(each, at) for each in contacts])
        return wanted

    def find_owners(self, contact: int) -> set[int]:
        """The organizations that tell this contact something; none where it is nobody."""
        return {known.id for known, _ in self._memberships.find_told(contact)}

    def find_absent(self) -> set[int]:
        """Organizations of which somebody has no contact. One that was deleted in Chatwoot is not
        made again, so its person's organization needs no pass because of it."""
        deleted = self._directory.erasures.list_held_back()
        left = {(person.organization, person.key) for _, person in deleted}
        return {organization for organization, _ in self._directory.list_absent() - left}

    def _compare(self, contact: Contact, before: Sighting | None) -> set[int]:
        seats = self._memberships.find_told(contact.id)
        if not seats:
            return self._find_claimed(contact)
        is_told = list_ours(contact) == make_attributes(seats)
        is_same = not before or before.shown in (None, digest_shown(contact))
        if is_told and is_same and not is_guessable(contact.identifier):
            return set()
        return {known.id for known, _ in seats}

    def _find_claimed(self, contact: Contact) -> set[int]:
        """Of a contact that names an organization and is nobody of it. What a visitor can have
        written is a claim, and stays (`Departures.clear_orphans`)."""
        if contact.public or is_bare(contact):
            return set()
        claimed = _read_numbers(contact.attributes.get(ID_ATTRIBUTE))
        return set(self._directory.get_organizations(claimed))


def digest_shown(contact: Contact) -> str:
    """Of what says whose contact it is."""
    return make_digest([contact.email, contact.phone, contact.identifier, bool(contact.name)])


def _make_sighting(contact: Contact, at: float) -> Sighting:
    return Sighting(contact.id, make_digest(list_ours(contact)), digest_shown(contact), at)


def _read_numbers(claim: object) -> Collection[int]:
    words = claim.split(",") if isinstance(claim, str) else []
    return [int(word) for word in words if word.isdecimal() and len(word) < 10]
