"""Tombstones of people and organizations that an administrator had forgotten. No pass learns of
them again, neither from the back office nor from a restored backup.

Tombstones stand among the `erasures`, under the same key, as marks that name nobody: an HMAC of the
e-mail, of the phone, of the place in the directory, of the organization's id. The `contact` of a
tombstone is 0 or a negated number; for a contact deleted in Chatwoot it is positive.
"""

import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

import msgspec
from sqlalchemy import Connection, Engine, and_, delete, func, or_, select

from panel.data.db import insert, transaction
from panel.data.erasures import KEY_BYTES, erasure_key, erasures, make_mark, read_mark_key
from panel.models.phones import identify_line

SEAT, EMAIL_MARK, PHONE_MARK, WHOLE = (
    "forgotten seat",
    "forgotten email",
    "forgotten phone",
    "forgotten organization",
)


@dataclass(frozen=True)
class Candidacy:
    """A person whom a pass would keep; `phone`: a number that is theirs alone, in E.164."""

    key: str
    email: str | None
    phone: str | None


@dataclass(frozen=True)
class Tombstones:
    """For a file beside the backups: the key, and (mark, contact, organization, at) of all
    marks."""

    # Any other text could not serve as a key, and would stay in the database.
    key: Annotated[str, msgspec.Meta(pattern=f"^[0-9a-f]{{{2 * KEY_BYTES}}}$")]
    marks: tuple[tuple[str, int, int, float], ...]


@dataclass(frozen=True)
class Allowance:
    """The number of marks that were deleted, and the organizations whose passes may learn of people
    again."""

    marks: int
    organizations: tuple[int, ...]


class OtherKey(Exception):
    """The tombstones of a file were made with another key than those that stand here."""


class ForgottenSubjects:
    """Raises `Unreachable("database")`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def note_person(
        self,
        emails: Collection[str],
        phones: Collection[str],
        seats: Collection[tuple[int, str]],
        contact: int = 0,
    ) -> None:
        """Forget a person. `emails` in lower case, `phones` in E.164, `seats`: (organization,
        key)."""
        with transaction(self._engine) as connection:
            key = read_mark_key(connection)
            marks = [(mark, 0) for mark in _make_keys(key, emails, phones)]
            marks += [(_make_seat(key, *seat), seat[0]) for seat in seats]
            self._put(connection, marks, contact)

    def note_organization(self, organization: int) -> None:
        with transaction(self._engine) as connection:
            mark = make_mark(read_mark_key(connection), WHOLE, str(organization))
            self._put(connection, [(mark, organization)], 0)

    def _put(self, connection: Connection, marks: Iterable[tuple[str, int]], contact: int) -> None:
        at = time.time()  # one moment for all marks, so that they are allowed together
        for mark, organization in marks:
            row = {"mark": mark, "contact": -contact, "organization": organization, "at": at}
            insertion = insert(self._engine.dialect.name, erasures).values(**row)
            connection.execute(insertion.on_conflict_do_nothing())

    def covers_organization(self, organization: int) -> bool:
        """Tell whether this organization was forgotten."""
        with transaction(self._engine) as connection:
            if not _is_anybody(connection):
                return False
            mark = make_mark(read_mark_key(connection), WHOLE, str(organization))
            return bool(_find(connection, [mark]))

    def find_covered(self, organization: int, people: Collection[Candidacy]) -> set[str]:
        """Return the keys of the people who were forgotten, by their place, e-mail or phone."""
        with transaction(self._engine) as connection:
            if not _is_anybody(connection):
                return set()
            key = read_mark_key(connection)
            marks = {person.key: set(_make_all(key, organization, person)) for person in people}
            known_marks = _find(connection, set().union(*marks.values()))
            return {name for name, own_marks in marks.items() if own_marks & known_marks}

    def allow_person(self, emails: Collection[str], phones: Collection[str]) -> Allowance:
        """Let passes learn of this person again, also where their contact was deleted in Chatwoot.
        Marks that were noted together are deleted together."""
        with transaction(self._engine) as connection:
            key = read_mark_key(connection)
            deleted = [make_mark(key, "email", value) for value in emails]
            deleted += [make_mark(key, "phone", identify_line(value)) for value in phones]
            same = erasures.c.mark.in_([*_make_keys(key, emails, phones), *deleted])
            moments = set(connection.scalars(select(erasures.c.at).where(same)))
            together = and_(erasures.c.at.in_(moments), erasures.c.contact <= 0)
            condition = or_(same, together)
            organizations = set(
                connection.scalars(select(erasures.c.organization).where(condition))
            )
            count = connection.execute(delete(erasures).where(condition)).rowcount
            return Allowance(count, tuple(sorted(organizations - {0})))

    def allow_organization(self, organization: int) -> Allowance:
        with transaction(self._engine) as connection:
            mark = make_mark(read_mark_key(connection), WHOLE, str(organization))
            deleted = connection.execute(delete(erasures).where(erasures.c.mark == mark))
            return Allowance(deleted.rowcount, (organization,))

    def count(self) -> int:
        """Return the number of marks."""
        with transaction(self._engine) as connection:
            tombstones = select(func.count()).select_from(erasures).where(erasures.c.contact <= 0)
            return connection.scalar(tombstones) or 0

    def dump(self) -> Tombstones:
        with transaction(self._engine) as connection:
            rows = connection.execute(select(erasures).where(erasures.c.contact <= 0))
            marks = tuple((row.mark, row.contact, row.organization, row.at) for row in rows)
            return Tombstones(read_mark_key(connection).hex(), marks)

    def load(self, dump: Tombstones) -> None:
        """Load the marks into a database that was restored, or is new. Raises `OtherKey`."""
        with transaction(self._engine) as connection:
            if read_mark_key(connection).hex() != dump.key:
                if connection.scalar(select(erasures.c.mark).limit(1)) is not None:
                    raise OtherKey
                connection.execute(erasure_key.update().values(key=dump.key))
            for mark, contact, organization, at in dump.marks:
                row = {"mark": mark, "contact": contact, "organization": organization, "at": at}
                insertion = insert(self._engine.dialect.name, erasures).values(**row)
                connection.execute(insertion.on_conflict_do_nothing())


def _is_anybody(connection: Connection) -> bool:
    """Tell whether there are tombstones. Mostly there are none, and then no mark has to be
    computed."""
    anybody = select(erasures.c.mark).where(erasures.c.contact <= 0).limit(1)
    return connection.scalar(anybody) is not None


def _find(connection: Connection, marks: Collection[str]) -> set[str]:
    matching = erasures.c.mark.in_(marks), erasures.c.contact <= 0
    return set(connection.scalars(select(erasures.c.mark).where(*matching)))


def _make_all(key: bytes, organization: int, candidate: Candidacy) -> Iterator[str]:
    yield from _make_keys(key, [candidate.email or ""], [candidate.phone or ""])
    yield _make_seat(key, organization, candidate.key)


def _make_keys(key: bytes, emails: Iterable[str], phones: Iterable[str]) -> Iterator[str]:
    yield from (make_mark(key, EMAIL_MARK, value) for value in emails if value)
    yield from (make_mark(key, PHONE_MARK, identify_line(value)) for value in phones if value)


def _make_seat(key: bytes, organization: int, name: str) -> str:
    return make_mark(key, SEAT, f"{organization}:{name}")
