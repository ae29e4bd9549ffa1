"""The directory: organizations, their people, and the people's contacts, as passes saw them.

The one owner of its tables. A contact's attributes are computed from here, so a person of several
organizations gets the same attributes, whichever pass ran last.
"""

from collections.abc import Collection
from dataclasses import replace

from sqlalchemy import ColumnElement, Engine, Table, and_, delete, func, or_, select, text, update

from panel.data import matches
from panel.data.db import insert, transaction, upsert
from panel.data.directory_tables import (
    COMPANY,
    HAS_OPEN_WORK,
    Known,
    Person,
    further_contacts,
    organizations,
    people,
)
from panel.data.erasures import Erasures
from panel.data.forgotten import ForgottenSubjects
from panel.data.matches import KEY_NAMES, Keys, Match
from panel.models.phones import list_spellings

# fmt: off
__all__ = [
    "COMPANY", "GUESSABLE", "KEY_NAMES", "Directory", "Keys", "Known", "Match", "Person",
    "further_contacts", "organizations", "people",
]
# fmt: on

# The beginnings of earlier versions' identifiers, which a visitor can guess by counting.
GUESSABLE = ("middag:user:", "middag:organization:")


class Directory:
    """Raises `Unreachable("database")` when the database cannot be asked.

    `erasures`: people whose contact was deleted in Chatwoot, and is not made again. `forgotten`:
    people and organizations that an administrator had forgotten.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.erasures = Erasures(engine)
        self.forgotten = ForgottenSubjects(engine)

    def put_organization(self, company: Known) -> None:
        with transaction(self._engine) as connection:
            connection.execute(upsert(self._engine, organizations, vars(company)))

    def put_person(self, person: Person) -> None:
        with transaction(self._engine) as connection:
            connection.execute(upsert(self._engine, people, vars(person)))

    def get_person(self, organization: int, key: str) -> Person | None:
        with transaction(self._engine) as connection:
            row = connection.execute(select(people).where(*_match(organization, key))).mappings()
            return next((Person(**fields) for fields in row), None)

    def remove_people(self, organization: int, keys: list[str]) -> None:
        """Delete people and their further contacts; in Chatwoot, contacts stay."""
        with transaction(self._engine) as connection:
            for table in (further_contacts, people):
                of_people = and_(table.c.organization == organization, table.c.key.in_(keys))
                connection.execute(delete(table).where(of_people))

    def forget(self, organization: int) -> None:
        """Delete the organization and its people; contacts in Chatwoot stay."""
        with transaction(self._engine) as connection:
            for table in (further_contacts, people):
                connection.execute(delete(table).where(table.c.organization == organization))
            connection.execute(delete(organizations).where(organizations.c.id == organization))

    def people_of(self, organization: int) -> dict[str, Person]:
        where = people.c.organization == organization
        with transaction(self._engine) as connection:
            rows = connection.execute(select(people).where(where)).mappings()
            return {row["key"]: Person(**row) for row in rows}

    # -- contacts --------------------------------------------------------------------------------

    def further_contacts_of(self, organization: int) -> dict[str, set[int]]:
        """Return the further contacts of the people who have any, by the person's key."""
        query = select(further_contacts).where(further_contacts.c.organization == organization)
        contacts: dict[str, set[int]] = {}
        with transaction(self._engine) as connection:
            for row in connection.execute(query):
                contacts.setdefault(row.key, set()).add(row.contact)
        return contacts

    def add_contact(self, person: Person, contact: int) -> None:
        """Add a further contact of the person."""
        row = {"organization": person.organization, "key": person.key, "contact": contact}
        insertion = insert(self._engine.dialect.name, further_contacts).values(**row)
        with transaction(self._engine) as connection:
            connection.execute(insertion.on_conflict_do_nothing())

    def remove_contact(self, organization: int, key: str, contact: int) -> None:
        """Take this contact from the person, who stays."""
        is_further = and_(*_match(organization, key, further_contacts))
        is_main = and_(*_match(organization, key), people.c.contact == contact)
        with transaction(self._engine) as connection:
            connection.execute(
                delete(further_contacts).where(is_further, further_contacts.c.contact == contact)
            )
            connection.execute(update(people).where(is_main).values(contact=0))

    def note_merge(self, contact: int, base: int) -> None:
        """Note that Chatwoot merged `contact` into `base`, which has no seat: the seats of
        `contact` do not move there."""
        has_contact = people.c.contact == contact
        with transaction(self._engine) as connection:
            connection.execute(
                update(people)
                .where(has_contact)
                .values(contact=0, identifier=None, former_email=None, merged_into=base)
            )
            connection.execute(
                delete(further_contacts).where(further_contacts.c.contact == contact)
            )

    def memberships_of(self, contact: int) -> list[tuple[Known, Person]]:
        """Return all organizations of this contact, each with the seat there, by ascending id.

        `Person.contact` is this contact, whether it is the person's first one or a further one.
        """
        same_organization = people.c.organization == organizations.c.id
        both = select(organizations, people).join(people, same_organization)
        also = and_(
            further_contacts.c.organization == people.c.organization,
            further_contacts.c.key == people.c.key,
        )
        further = both.join(further_contacts, also).where(further_contacts.c.contact == contact)
        with transaction(self._engine) as connection:
            rows = list(connection.execute(both.where(people.c.contact == contact)))
            rows += connection.execute(further)
        width = len(organizations.c)
        seats = [(Known(*row[:width]), Person(*row[width:])) for row in rows]
        by_place = {(company.id, person.key): (company, person) for company, person in seats}
        return [
            (by_place[key][0], replace(by_place[key][1], contact=contact))
            for key in sorted(by_place)
        ]

    def find_seated(self, contacts: Collection[int]) -> set[int]:
        """Return the contacts among these that have a seat in any organization."""
        with transaction(self._engine) as connection:
            return {
                number
                for table in (people, further_contacts)
                for number in connection.scalars(
                    select(table.c.contact).where(table.c.contact.in_(contacts))
                )
            }

    def list_unsettled(self, organization: int | None = None) -> list[Person]:
        """Return people of whom an administrator has to know: `former_email` or `merged_into` is
        set."""
        query = (
            select(people)
            .where(text(f"({HAS_OPEN_WORK})"))
            .order_by(people.c.organization, people.c.key)
        )
        if organization is not None:
            query = query.where(people.c.organization == organization)
        with transaction(self._engine) as connection:
            return [Person(**row) for row in connection.execute(query).mappings()]

    def list_absent(self) -> set[tuple[int, str]]:
        """Return (organization, key) of the people who have no contact."""
        absent = select(people.c.organization, people.c.key).where(people.c.contact == 0)
        with transaction(self._engine) as connection:
            return {(row.organization, row.key) for row in connection.execute(absent)}

    # -- who has a key ---------------------------------------------------------------------------

    def find_people(self, email: str, phone: str) -> list[Person]:
        """Return the people with this e-mail (lower case) or with this phone (E.164) in any
        spelling."""
        spellings = list_spellings(phone) if phone else ()
        same = or_(
            and_(people.c.email == email, people.c.email != ""), people.c.phone.in_(spellings)
        )
        with transaction(self._engine) as connection:
            rows = connection.execute(select(people).where(same)).mappings()
            return [Person(**row) for row in rows]

    def find_unseated(self, contact: int, email: str, phone: str) -> set[int]:
        """Return the organizations whose next pass would seat this contact, or end its seat.

        `email` (lower case) and `phone` (E.164): the ones that the contact shows.
        """
        matching = [person for person in self.find_people(email, phone) if _may_seat(person, email)]
        rows = select(further_contacts).where(further_contacts.c.contact == contact)
        with transaction(self._engine) as connection:
            further = {(row.organization, row.key) for row in connection.execute(rows)}
        places = {(person.organization, person.key) for person in matching}
        own = [person for person in matching if person.contact == contact]
        main = {(person.organization, person.key) for person in own}
        return {organization for organization, _ in (places - main) ^ further}

    def find_holders(self, phones: Collection[str], besides: int) -> list[Person]:
        """Return collaborators of other organizations who have one of these phones (E.164)."""
        spellings = sorted({spelling for phone in phones for spelling in list_spellings(phone)})
        holders = and_(people.c.phone.in_(spellings), people.c.role != COMPANY)
        if not spellings:
            return []
        with transaction(self._engine) as connection:
            rows = connection.execute(
                select(people).where(holders, people.c.organization != besides)
            ).mappings()
            return [Person(**row) for row in rows]

    def find_matches(self, keys: Keys) -> list[Match]:
        """Return the matches of these keys, by ascending organization; a person's role before the
        company's."""
        if not keys.list_values():
            return []
        with transaction(self._engine) as connection:
            return matches.find_matches(connection, keys)

    def get_organizations(self, ids: Collection[int]) -> dict[int, Known]:
        """Return the organizations by id, without those that no pass has seen."""
        if not ids:
            return {}
        with transaction(self._engine) as connection:
            query = select(organizations).where(organizations.c.id.in_(ids))
            return {row["id"]: Known(**row) for row in connection.execute(query).mappings()}

    def count_guessable(self) -> int:
        """Return the number of people with an identifier of an earlier version, which the next pass
        removes."""
        like = or_(*(people.c.identifier.like(f"{prefix}%") for prefix in GUESSABLE))
        with transaction(self._engine) as connection:
            return connection.scalar(select(func.count()).select_from(people).where(like)) or 0

    def list_organizations(self) -> list[int]:
        """Return the ids of every organization that a pass has seen."""
        with transaction(self._engine) as connection:
            return list(connection.scalars(select(organizations.c.id).order_by(organizations.c.id)))


def _match(organization: int, key: str, table: Table = people) -> tuple[ColumnElement[bool], ...]:
    return table.c.organization == organization, table.c.key == key


def _may_seat(person: Person, email: str) -> bool:
    """Tell whether the contact's keys may seat the person. A phone seats only its one owner, and
    only where the contact shows no other e-mail."""
    by_email = bool(email) and person.email == email
    return by_email or (not person.phone_shared and not (email and person.email))
