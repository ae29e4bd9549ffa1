"""The memberships of a contact in our own tables: its organizations, and the attributes it may
have."""

from collections.abc import Collection
from typing import Any

from panel.data.directory import Directory, Known, Person
from panel.data.links import PICKED, REFUSED, Link, Links
from panel.sync.people import make_attributes


class Memberships:
    """Reads our own tables alone. Raises `Unreachable("database")`."""

    def __init__(self, directory: Directory, links: Links) -> None:
        self._directory = directory
        self._links = links

    def find_seats(self, contact: int) -> list[tuple[Known, Person]]:
        """Return the contact's organizations, without those that an agent refused for it."""
        refusals = {
            link.organization for link in self._find_decisions(contact) if link.state == REFUSED
        }
        seats = self._directory.memberships_of(contact)
        return [seat for seat in seats if seat[0].id not in refusals]

    def find_picked(self, contact: int) -> list[tuple[Known, Person]]:
        """Return organizations that an agent picked for the contact and in which it has no seat;
        the role is `guest`.

        Only picks that may be disclosed count: a visitor's own word is no proof, and a visitor can
        read the attributes.
        """
        members = {companies.id for companies, _ in self._directory.memberships_of(contact)}
        picks = self._list_picked(contact) - members
        companies = self._directory.get_organizations(picks)
        return [
            (companies[number], Person(number, PICKED, contact, "guest"))
            for number in sorted(companies)
        ]

    def find_for_attributes(self, contact: int) -> list[tuple[Known, Person]]:
        """Return seats and picks, by ascending id: the organizations that the contact's attributes
        name."""
        both = [*self.find_seats(contact), *self.find_picked(contact)]
        return sorted(both, key=lambda seat: seat[0].id)

    def find_attributes(self, contact: int) -> dict[str, Any] | None:
        """Return the right values of our attributes of the contact.

        Returns None where our tables do not know them: the contact has no organization, or an agent
        picked one that no pass has seen.
        """
        seats = self.find_for_attributes(contact)
        if self._list_picked(contact) - {company.id for company, _ in seats} or not seats:
            return None
        return make_attributes(seats)

    def name_seats(self, contact: int) -> dict[str, str]:
        """Return the names of the contact's organizations, by id."""
        return {str(company.id): company.name for company, _ in self.find_seats(contact)}

    def name_organizations(self, organizations: Collection[int]) -> dict[str, str]:
        """Return the names of these organizations, by id, without those that no pass has seen."""
        companies = self._directory.get_organizations(organizations)
        return {str(number): organization.name for number, organization in companies.items()}

    def _list_picked(self, contact: int) -> set[int]:
        links = self._find_decisions(contact)
        return {link.organization for link in links if link.state == PICKED and link.disclosed}

    def _find_decisions(self, contact: int) -> list[Link]:
        return self._links.find(0, contact)
