"""Who knows an e-mail or a phone: the people and companies of the directory, by their keys.

A phone is known in each of its spellings (`phones.SPELLINGS`). Every function works inside its
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

KEY_NAMES = ("email", "phone")  # no `identifier`: a visitor writes one unsigned
SWITCHBOARD = 2  # people at least, of whom we know one


@dataclass(frozen=True)
class Keys:
    """What tells who somebody is: `email` in lower case, `phone` in E.164."""

    email: str | None = None
    phone: str | None = None

    def list_values(self) -> dict[str, tuple[str, ...]]:
        """The keys that there are, each in every spelling."""
        emails = (self.email,) if self.email else ()
        phones = list_spellings(self.phone) if self.phone else ()
        return {name: each for name, each in (("email", emails), ("phone", phones)) if each}


@dataclass(frozen=True)
class Match:
    """An organization that knows one of the keys; `key`: which; `role`: of whom it is there.

    `people`: how many distinct persons have that key, over all organizations. `lacks`: for what
    that person has no rights, see `Person`.
    """

    organization: int
    key: str
    role: str
    people: int
    lacks: str | None = None


def find_matches(connection: Connection, keys: Keys) -> list[Match]:
    """Who knows these keys, by ascending organization; a person's role before the company's.

    One question: people and companies, each by its indexed columns.
    """
    wanted = keys.list_values()
    if not wanted:
        return []
    rows = list(connection.execute(_select_matches(tuple(wanted)), wanted).mappings())
    rows.sort(key=lambda row: (row["organization"], row["role"] == COMPANY))
    found: dict[tuple[int, str], Match] = {}
    for key, values in wanted.items():
        having = [row for row in rows if row[key] in values]
        owners = len(_name_people(having))
        if key == "phone" and any(_may_be_anybodys(row, keys.phone) for row in having):
            owners = max(owners, SWITCHBOARD)
        for row in having:
            match = Match(row["organization"], key, row["role"], owners, row["lacks"])
            found.setdefault((match.organization, key), match)
    return sorted(found.values(), key=lambda match: match.organization)


def _may_be_anybodys(row: RowMapping, phone: str | None) -> bool:
    """Others answer it; or the back office spells it otherwise, as a landline (in Argentina without
    the 9): a spelling of ours must prove no more than the back office's own."""
    other_spelling = row["phone"] != phone
    return row["phone_shared"] or (other_spelling and not is_personal_phone(row["phone"]))


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
    person = select(people.c.organization, people.c.key, people.c.role, people.c.lacks, *columns)
    own = [organizations.c[name] for name in (*KEY_NAMES, "phone_shared")]
    nothing = literal(None, Text)
    company = select(organizations.c.id, literal(COMPANY), literal(COMPANY), nothing, *own)
    return union_all(
        person.where(_match_any(people, names)), company.where(_match_any(organizations, names))
    )


def _match_any(table: Table, names: Iterable[str]) -> ColumnElement[bool]:
    return or_(*(table.c[name].in_(bindparam(name, expanding=True)) for name in names))
