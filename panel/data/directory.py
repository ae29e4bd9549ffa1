"""The directory: organizations, their people, and the Chatwoot contact of each, as passes saw them.

The one owner of the tables `organizations` and `people`. A contact's attributes are computed from
here, so a person of several organizations comes out the same whichever pass ran last.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    CompoundSelect,
    Date,
    Engine,
    Integer,
    RowMapping,
    String,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
)

from panel.data.db import metadata, transaction, upsert

organizations = Table(
    "organizations",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("name", Text, nullable=False),
    Column("billing_entity", Text),
    Column("plan", Text),
    Column("tax_id", Text),
    Column("email", Text, index=True),
    Column("phone", String(16), index=True),
    Column("city", Text),
    Column("entitlement_status", String(12), nullable=False),
    Column("active_entitlements", Integer, nullable=False),
    Column("next_expiry", Date),
    Column("phone_shared", Boolean, nullable=False, default=False, server_default=true()),
)

people = Table(
    "people",
    metadata,
    Column("organization", BigInteger, primary_key=True),
    Column("key", String(32), primary_key=True),
    Column("contact", BigInteger, nullable=False, index=True),
    Column("role", String(16), nullable=False),
    Column("email", Text, index=True),
    Column("phone", String(16), index=True),
    Column("identifier", Text, index=True),
    Column("phone_shared", Boolean, nullable=False, default=False, server_default=true()),
)

KEY_NAMES = ("email", "phone")  # no `identifier`: a visitor writes one unsigned
SWITCHBOARD = 2  # people at least, of whom we know one
COMPANY = "organization"  # the role of the company's own contact
# How identifiers of earlier versions begin. A visitor who counts finds them, whatever the number.
GUESSABLE = ("middag:user:", "middag:organization:")


@dataclass(frozen=True)
class Known:
    """An organization as the last pass saw it: what its people's contacts may be told.

    `phone_shared`: others answer that number as well, as far as the back office shows.
    """

    id: int
    name: str
    billing_entity: str | None
    plan: str | None
    tax_id: str | None
    email: str | None
    phone: str | None
    city: str | None
    entitlement_status: str
    active_entitlements: int
    next_expiry: date | None
    phone_shared: bool = False


@dataclass(frozen=True)
class Person:
    """One person of an organization. `key`: `organization` for the company's own contact, else
    `collaborator:<id>`; `contact` is the number in Chatwoot, 0 until there is one; `phone` in
    E.164; `identifier`: the random one that we wrote where there is neither e-mail nor phone."""

    organization: int
    key: str
    contact: int
    role: str
    email: str | None = None
    phone: str | None = None
    identifier: str | None = None
    phone_shared: bool = False


@dataclass(frozen=True)
class Keys:
    """What tells who somebody is: `email` in lower case, `phone` in E.164."""

    email: str | None = None
    phone: str | None = None


@dataclass(frozen=True)
class Match:
    """An organization that knows one of the keys; `key`: which; `role`: of whom it is there.

    `people`: how many distinct persons have that key, over all organizations.
    """

    organization: int
    key: str
    role: str
    people: int


class Directory:
    """Raises `Unreachable("database")` when the database cannot be asked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put_organization(self, known: Known) -> None:
        with transaction(self._engine) as connection:
            connection.execute(upsert(self._engine, organizations, vars(known)))

    def put_person(self, person: Person) -> None:
        with transaction(self._engine) as connection:
            connection.execute(upsert(self._engine, people, vars(person)))

    def remove_people(self, organization: int, keys: list[str]) -> None:
        here = people.c.organization == organization
        with transaction(self._engine) as connection:
            connection.execute(delete(people).where(here, people.c.key.in_(keys)))

    def forget(self, organization: int) -> None:
        """The organization and its people; contacts in Chatwoot stay."""
        with transaction(self._engine) as connection:
            connection.execute(delete(people).where(people.c.organization == organization))
            connection.execute(delete(organizations).where(organizations.c.id == organization))

    def people_of(self, organization: int) -> dict[str, Person]:
        where = people.c.organization == organization
        with transaction(self._engine) as connection:
            rows = connection.execute(select(people).where(where)).mappings()
            return {row["key"]: Person(**row) for row in rows}

    def memberships_of(self, contact: int) -> list[tuple[Known, Person]]:
        """Every organization of this contact with the seat in it, by ascending id."""
        both = select(organizations, people).join(
            people, people.c.organization == organizations.c.id
        )
        with transaction(self._engine) as connection:
            rows = connection.execute(
                both.where(people.c.contact == contact).order_by(organizations.c.id)
            ).all()
        width = len(organizations.c)
        return [(Known(*row[:width]), Person(*row[width:])) for row in rows]

    def find_people(self, email: str, phone: str) -> list[Person]:
        """Who has this e-mail (lower case) or this phone (E.164)."""
        same = or_(
            and_(people.c.email == email, people.c.email != ""),
            and_(people.c.phone == phone, people.c.phone != ""),
        )
        with transaction(self._engine) as connection:
            rows = connection.execute(select(people).where(same)).mappings()
            return [Person(**row) for row in rows]

    def find_matches(self, keys: Keys) -> list[Match]:
        """Who knows these keys, by ascending organization; a person's role before the company's.

        One question: people and companies, each by its indexed columns.
        """
        wanted = {name: value for name, value in vars(keys).items() if value}
        if not wanted:
            return []
        with transaction(self._engine) as connection:
            rows = list(connection.execute(_select_matches(tuple(wanted)), wanted).mappings())
        rows.sort(key=lambda row: (row["organization"], row["role"] == COMPANY))
        found: dict[tuple[int, str], Match] = {}
        for key, value in wanted.items():
            having = [row for row in rows if row[key] == value]
            people = len(_name_people(having))
            if key == "phone" and any(row["phone_shared"] for row in having):
                people = max(people, SWITCHBOARD)
            for row in having:
                match = Match(row["organization"], key, row["role"], people)
                found.setdefault((match.organization, key), match)
        return sorted(found.values(), key=lambda match: match.organization)

    def get_organizations(self, wanted: Collection[int]) -> dict[int, Known]:
        """Those of the organizations that a pass has seen, by id."""
        if not wanted:
            return {}
        with transaction(self._engine) as connection:
            here = select(organizations).where(organizations.c.id.in_(wanted))
            return {row["id"]: Known(**row) for row in connection.execute(here).mappings()}

    def find_seated(self, contacts: Collection[int]) -> set[int]:
        """Those of these contacts that are somebody of an organization."""
        here = select(people.c.contact).where(people.c.contact.in_(contacts))
        with transaction(self._engine) as connection:
            return set(connection.scalars(here))

    def count_guessable(self) -> int:
        """How many people have an identifier of an earlier version, which the next pass removes."""
        like = or_(*(people.c.identifier.like(f"{prefix}%") for prefix in GUESSABLE))
        with transaction(self._engine) as connection:
            return connection.scalar(select(func.count()).select_from(people).where(like)) or 0

    def list_organizations(self) -> list[int]:
        """The ids of every organization that a pass has seen."""
        with transaction(self._engine) as connection:
            return list(connection.scalars(select(organizations.c.id).order_by(organizations.c.id)))


def _name_people(rows: list[RowMapping]) -> set[object]:
    """The distinct persons of these rows: by e-mail, else by organization and key.

    A company counts where none of its collaborators stands there: else its number is theirs.
    """
    theirs = {row["organization"] for row in rows if row["role"] != COMPANY}
    people: dict[object, object] = {}
    for row in rows:
        if row["role"] != COMPANY or row["organization"] not in theirs:
            own = (row["organization"], row["key"])
            people[own] = people.get(own) or row["email"]
    return {email or own for own, email in people.items()}


@cache
def _select_matches(names: tuple[str, ...]) -> CompoundSelect[Any]:
    """Made once: building it takes longer than asking it."""
    columns = [people.c[name] for name in (*KEY_NAMES, "phone_shared")]
    person = select(people.c.organization, people.c.key, people.c.role, *columns)
    own = [organizations.c[name] for name in (*KEY_NAMES, "phone_shared")]
    company = select(organizations.c.id, literal(COMPANY), literal(COMPANY), *own)
    return union_all(
        person.where(_match_any(people, names)), company.where(_match_any(organizations, names))
    )


def _match_any(table: Table, names: Iterable[str]) -> ColumnElement[bool]:
    return or_(*(table.c[name] == bindparam(name) for name in names))
