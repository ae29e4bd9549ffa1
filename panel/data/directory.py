"""The directory: organizations, their people, and the contacts of each, as passes saw them.

The one owner of its tables. A contact's attributes are computed from here, so a person of several
organizations comes out the same whichever pass ran last.
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
from panel.data.forgotten import Forgotten
from panel.data.matches import KEY_NAMES, Keys, Match
from panel.models.phones import list_spellings

# fmt: off
__all__ = [
    "COMPANY", "GUESSABLE", "KEY_NAMES", "Directory", "Keys", "Known", "Match", "Person",
    "further_contacts", "organizations", "people",
]
# fmt: on
# How identifiers of earlier versions begin. A visitor who counts finds them, whatever the number.
GUESSABLE = ("middag:user:", "middag:organization:")


class Directory:
    """Raises `Unreachable("database")` when the database cannot be asked.

    `erasures`: whose contact was deleted in Chatwoot, and is not made again. `forgotten`: whom an
    administrator had forgotten.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.erasures = Erasures(engine)
        self.forgotten = Forgotten(engine)

    def put_organization(self, known: Known) -> None:
        with transaction(self._engine) as connection:
            connection.execute(upsert(self._engine, organizations, vars(known)))

    def put_person(self, person: Person) -> None:
        with transaction(self._engine) as connection:
            connection.execute(upsert(self._engine, people, vars(person)))

    def get_person(self, organization: int, key: str) -> Person | None:
        with transaction(self._engine) as connection:
            row = connection.execute(select(people).where(*_match(organization, key))).mappings()
            return next((Person(**each) for each in row), None)

    def remove_people(self, organization: int, keys: list[str]) -> None:
        """With their further contacts; in Chatwoot, contacts stay."""
        with transaction(self._engine) as connection:
            for table in (further_contacts, people):
                here = and_(table.c.organization == organization, table.c.key.in_(keys))
                connection.execute(delete(table).where(here))

    def forget(self, organization: int) -> None:
        """The organization and its people; contacts in Chatwoot stay."""
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
        """The further contacts of people who have any, by the person's key."""
        here = select(further_contacts).where(further_contacts.c.organization == organization)
        found: dict[str, set[int]] = {}
        with transaction(self._engine) as connection:
            for row in connection.execute(here):
                found.setdefault(row.key, set()).add(row.contact)
        return found

    def add_contact(self, person: Person, contact: int) -> None:
        """A further one."""
        row = {"organization": person.organization, "key": person.key, "contact": contact}
        added = insert(self._engine.dialect.name, further_contacts).values(**row)
        with transaction(self._engine) as connection:
            connection.execute(added.on_conflict_do_nothing())

    def remove_contact(self, organization: int, key: str, contact: int) -> None:
        """The person stays, without this contact."""
        here = and_(*_match(organization, key, further_contacts))
        main = and_(*_match(organization, key), people.c.contact == contact)
        with transaction(self._engine) as connection:
            connection.execute(
                delete(further_contacts).where(here, further_contacts.c.contact == contact)
            )
            connection.execute(update(people).where(main).values(contact=0))

    def note_merge(self, contact: int, base: int) -> None:
        """Chatwoot merged `contact` into `base`, which is nobody of ours: no seat follows."""
        gone = people.c.contact == contact
        with transaction(self._engine) as connection:
            connection.execute(
                update(people)
                .where(gone)
                .values(contact=0, identifier=None, former_email=None, merged_into=base)
            )
            connection.execute(
                delete(further_contacts).where(further_contacts.c.contact == contact)
            )

    def memberships_of(self, contact: int) -> list[tuple[Known, Person]]:
        """Every organization of this contact with the seat in it, by ascending id.

        `Person.contact` is this contact, whether it is the person's first one or a further one.
        """
        joined = people.c.organization == organizations.c.id
        both = select(organizations, people).join(people, joined)
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
        found = {(known.id, person.key): (known, person) for known, person in seats}
        return [
            (found[each][0], replace(found[each][1], contact=contact)) for each in sorted(found)
        ]

    def find_seated(self, contacts: Collection[int]) -> set[int]:
        """Those of these contacts that are somebody of an organization."""
        with transaction(self._engine) as connection:
            return {
                number
                for table in (people, further_contacts)
                for number in connection.scalars(
                    select(table.c.contact).where(table.c.contact.in_(contacts))
                )
            }

    def list_unsettled(self, organization: int | None = None) -> list[Person]:
        """People of whom an administrator has to know: `former_email` or `merged_into` is set."""
        here = (
            select(people)
            .where(text(f"({HAS_OPEN_WORK})"))
            .order_by(people.c.organization, people.c.key)
        )
        if organization is not None:
            here = here.where(people.c.organization == organization)
        with transaction(self._engine) as connection:
            return [Person(**row) for row in connection.execute(here).mappings()]

    def list_absent(self) -> set[tuple[int, str]]:
        """(organization, key) of the people who have no contact."""
        absent = select(people.c.organization, people.c.key).where(people.c.contact == 0)
        with transaction(self._engine) as connection:
            return {(row.organization, row.key) for row in connection.execute(absent)}

    # -- who has a key ---------------------------------------------------------------------------

    def find_people(self, email: str, phone: str) -> list[Person]:
        """Who has this e-mail (lower case) or this phone (E.164), in whatever spelling."""
        spellings = list_spellings(phone) if phone else ()
        same = or_(
            and_(people.c.email == email, people.c.email != ""), people.c.phone.in_(spellings)
        )
        with transaction(self._engine) as connection:
            rows = connection.execute(select(people).where(same)).mappings()
            return [Person(**row) for row in rows]

    def find_unseated(self, contact: int, email: str, phone: str) -> set[int]:
        """Organizations of which the next pass would seat this contact, or end its seat.

        `email` in lower case and `phone` in E.164: what the contact shows.
        """
        found = [each for each in self.find_people(email, phone) if _may_seat(each, email)]
        rows = select(further_contacts).where(further_contacts.c.contact == contact)
        with transaction(self._engine) as connection:
            further = {(row.organization, row.key) for row in connection.execute(rows)}
        shown = {(each.organization, each.key) for each in found}
        main = {(each.organization, each.key) for each in found if each.contact == contact}
        return {organization for organization, _ in (shown - main) ^ further}

    def find_holders(self, phones: Collection[str], besides: int) -> list[Person]:
        """Collaborators of other organizations who have one of these phones (E.164)."""
        spellings = sorted({each for phone in phones for each in list_spellings(phone)})
        here = and_(people.c.phone.in_(spellings), people.c.role != COMPANY)
        if not spellings:
            return []
        with transaction(self._engine) as connection:
            rows = connection.execute(
                select(people).where(here, people.c.organization != besides)
            ).mappings()
            return [Person(**row) for row in rows]

    def find_matches(self, keys: Keys) -> list[Match]:
        """Who knows these keys, by ascending organization; a person's role before the company's."""
        if not keys.list_values():
            return []
        with transaction(self._engine) as connection:
            return matches.find_matches(connection, keys)

    def get_organizations(self, wanted: Collection[int]) -> dict[int, Known]:
        """Those of the organizations that a pass has seen, by id."""
        if not wanted:
            return {}
        with transaction(self._engine) as connection:
            here = select(organizations).where(organizations.c.id.in_(wanted))
            return {row["id"]: Known(**row) for row in connection.execute(here).mappings()}

    def count_guessable(self) -> int:
        """How many people have an identifier of an earlier version, which the next pass removes."""
        like = or_(*(people.c.identifier.like(f"{prefix}%") for prefix in GUESSABLE))
        with transaction(self._engine) as connection:
            return connection.scalar(select(func.count()).select_from(people).where(like)) or 0

    def list_organizations(self) -> list[int]:
        """The ids of every organization that a pass has seen."""
        with transaction(self._engine) as connection:
            return list(connection.scalars(select(organizations.c.id).order_by(organizations.c.id)))


def _match(organization: int, key: str, table: Table = people) -> tuple[ColumnElement[bool], ...]:
    return table.c.organization == organization, table.c.key == key


def _may_seat(person: Person, email: str) -> bool:
    """By the key that the contact shows? A phone seats who shows no other e-mail, and only its one
    owner."""
    by_email = bool(email) and person.email == email
    return by_email or (not person.phone_shared and not (email and person.email))
