"""What our own tables say about a contact: its organizations, and what it may be told of them."""

from collections.abc import Collection
from typing import Any

from panel.data.directory import Directory, Known, Person
from panel.data.links import PICKED, REFUSED, Link, Links
from panel.sync.people import make_attributes


class Memberships:
    """Raises `Unreachable("database")`; nobody outside is asked."""

    def __init__(self, directory: Directory, links: Links) -> None:
        self._directory = directory
        self._links = links

    def find_seats(self, contact: int) -> list[tuple[Known, Person]]:
        """The contact's organizations, without those that an agent refused for it."""
        refused = {link.organization for link in self._find_said(contact) if link.state == REFUSED}
        seats = self._directory.memberships_of(contact)
        return [each for each in seats if each[0].id not in refused]

    def find_picked(self, contact: int) -> list[tuple[Known, Person]]:
        """What an agent picked for the contact, where no list of people names it: as a guest.

        Only where it may be disclosed: who the visitor says they are is no proof, and they can read
        what is written here.
        """
        seated = {known.id for known, _ in self._directory.memberships_of(contact)}
        picked = self._list_picked(contact) - seated
        known = self._directory.get_organizations(picked)
        return [(known[each], Person(each, PICKED, contact, "guest")) for each in sorted(known)]

    def find_told(self, contact: int) -> list[tuple[Known, Person]]:
        """Both of them, by ascending id: of these the contact is told."""
        both = [*self.find_seats(contact), *self.find_picked(contact)]
        return sorted(both, key=lambda each: each[0].id)

    def find_attributes(self, contact: int) -> dict[str, Any] | None:
        """What the contact's attributes of ours should say.

        None where that is not known here: nobody of ours, or an agent picked an organization that
        no pass has seen.
        """
        seats = self.find_told(contact)
        if self._list_picked(contact) - {known.id for known, _ in seats} or not seats:
            return None
        return make_attributes(seats)

    def name_seats(self, contact: int) -> dict[str, str]:
        """The names of the contact's organizations, by id."""
        return {str(known.id): known.name for known, _ in self.find_seats(contact)}

    def name_organizations(self, organizations: Collection[int]) -> dict[str, str]:
        """The names of those that a pass has seen, by id."""
        known = self._directory.get_organizations(organizations)
        return {str(number): each.name for number, each in known.items()}

    def _list_picked(self, contact: int) -> set[int]:
        said = self._find_said(contact)
        return {link.organization for link in said if link.state == PICKED and link.disclosed}

    def _find_said(self, contact: int) -> list[Link]:
        return self._links.find(0, contact)
