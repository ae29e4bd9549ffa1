"""Matches of an e-mail or a phone: the people and companies of the directory that have it.

A phone matches in each of its spellings (`phones.SPELLINGS`). Every function works inside its
caller's transaction.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    RowMapping,
    Table,
    Text,
    bindparam,
    literal,
    or_,
    select,
    union_all,
)

from panel.data.directory_tables import COMPANY, organizations, people
from panel.models.phones import is_personal_phone, list_spellings

KEY_NAMES = ("email", "phone")  # not `identifier`, which a visitor can write without a signature
SWITCHBOARD = 2  # the least number of people who share a phone, although we know only one


@dataclass(frozen=True)
class Keys:
    """The keys of a contact: `email` in lower case, `phone` in E.164."""

    email: str | None = None
    phone: str | None = None

    def list_values(self) -> dict[str, tuple[str, ...]]:
        """Return the keys that have a value, each in every spelling."""
        emails = (self.email,) if self.email else ()
        phones = list_spellings(self.phone) if self.phone else ()
        return {
            name: spellings
            for name, spellings in (("email", emails), ("phone", phones))
            if spellings
        }


@dataclass(frozen=True)
class Match:
    """An organization that has one of the keys; `key`: which one; `role`: of its owner there.

    `people`: the number of distinct persons with that key, over all organizations. `lacks`: the
    rights that the owner lacks, see `Person`.
    """

    organization: int
    key: str
    role: str
    people: int
    lacks: str | None = None


def find_matches(connection: Connection, keys: Keys) -> list[Match]:
    """Return the matches of these keys, by ascending organization, a person's role before the
    company's.

    A single query reads people and companies by their indexed columns.
    """
    spellings = keys.list_values()
    if not spellings:
        return []
    rows = list(connection.execute(_select_matches(tuple(spellings)), spellings).mappings())
    rows.sort(key=lambda row: (row["organization"], row["role"] == COMPANY))
    by_organization: dict[tuple[int, str], Match] = {}
    for key, values in spellings.items():
        having = [row for row in rows if row[key] in values]
        owners = len(_name_people(having))
        if key == "phone" and any(_may_be_anybodys(row, keys.phone) for row in having):
            owners = max(owners, SWITCHBOARD)
        for row in having:
            match = Match(row["organization"], key, row["role"], owners, row["lacks"])
            by_organization.setdefault((match.organization, key), match)
    return sorted(by_organization.values(), key=lambda match: match.organization)


def _may_be_anybodys(row: RowMapping, phone: str | None) -> bool:
    """Tell whether several people may have the phone: others are known to answer it, or the back
    office writes it as a landline (in Argentina without the 9). The back office's own spelling
    decides, because the other spellings are only guesses of ours."""
    other_spelling = row["phone"] != phone
    return row["phone_shared"] or (other_spelling and not is_personal_phone(row["phone"]))


def _name_people(rows: list[RowMapping]) -> set[object]:
    """Return the distinct persons of these rows, named by e-mail, else by organization and key.

    A company counts as a person only where none of its collaborators has the key.
    """
    with_people = {row["organization"] for row in rows if row["role"] != COMPANY}
    people: dict[object, object] = {}
    for row in rows:
        if row["role"] != COMPANY or row["organization"] not in with_people:
            own = (row["organization"], row["key"])
            people[own] = people.get(own) or row["email"]
    return {email or own for own, email in people.items()}


@cache
def _select_matches(names: tuple[str, ...]) -> CompoundSelect[Any]:
    """Make the query. The result is remembered, because building a query takes longer than running
    it."""
    columns = [people.c[name] for name in (*KEY_NAMES, "phone_shared")]
    person = select(people.c.organization, people.c.key, people.c.role, people.c.lacks, *columns)
    own = [organizations.c[name] for name in (*KEY_NAMES, "phone_shared")]
    null = literal(None, Text)
    company = select(organizations.c.id, literal(COMPANY), literal(COMPANY), null, *own)
    return union_all(
        person.where(_match_any(people, names)), company.where(_match_any(organizations, names))
    )


def _match_any(table: Table, names: Iterable[str]) -> ColumnElement[bool]:
    return or_(*(table.c[name].in_(bindparam(name, expanding=True)) for name in names))
