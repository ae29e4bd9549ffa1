"""Erasures: contacts that were deleted in Chatwoot. No pass makes them again by itself.

The person is kept as marks: an HMAC of the e-mail, one of the phone, one of the directory's key.
A mark recognizes the person and names nobody. The key of the HMACs is random and stands beside
them, so that no change of the secrets in the settings brings an erased contact back. The tombstones
of `forgotten` stand in the same table; their `contact` is never positive.
"""

import hmac
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    String,
    Table,
    delete,
    select,
)

from panel.data.db import insert, metadata, transaction
from panel.data.directory_tables import Person, people
from panel.data.verification_tries import delete_tries
from panel.data.verifications import delete_of_contact
from panel.models.phones import identify_line

KEY_ROW = 1
KEY_BYTES = 32

erasures = Table(
    "erasures",
    metadata,
    Column("mark", String(64), primary_key=True),
    Column("contact", BigInteger, primary_key=True, autoincrement=False),
    Column("organization", BigInteger, nullable=False),
    Column("at", Float, nullable=False),
)

erasure_key = Table(
    "erasure_key",
    metadata,
    Column("row", Integer, primary_key=True, autoincrement=False),
    Column("key", String(64), nullable=False),
)


@dataclass(frozen=True)
class Erasure:
    """`contact`: its number in Chatwoot; `organizations`: those that had a seat for it; `at`: when
    a pass found it gone (epoch seconds)."""

    contact: int
    organizations: tuple[int, ...]
    at: float


class Erasures:
    """Raises `Unreachable("database")`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def note(self, contact: int, person: Person, at: float) -> None:
        """Note that the person's contact is gone. A second call changes nothing.

        The person's verifications go too.
        """
        with transaction(self._engine) as connection:
            delete_of_contact(connection, contact)
            delete_tries(connection, contact)
            key = read_mark_key(connection)
            for mark in _make_marks(key, person):
                row = {"organization": person.organization, "at": at}
                insertion = insert(self._engine.dialect.name, erasures).values(
                    mark=mark, contact=contact, **row
                )
                connection.execute(insertion.on_conflict_do_nothing())

    def find(self, person: Person) -> int:
        """Return the person's contact that was deleted last; 0: none was."""
        with transaction(self._engine) as connection:
            return self._find(connection, person)

    def list_held_back(self, organization: int | None = None) -> list[tuple[int, Person]]:
        """Return people who have no contact because theirs was deleted, each after its number."""
        query = select(people).where(people.c.contact == 0, people.c.merged_into == 0)
        query = query.order_by(people.c.organization, people.c.key)
        if organization is not None:
            query = query.where(people.c.organization == organization)
        with transaction(self._engine) as connection:
            absent = [Person(**row) for row in connection.execute(query).mappings()]
            pairs = [(self._find(connection, person), person) for person in absent]
        return [(contact, person) for contact, person in pairs if contact]

    def list_erasures(self) -> list[Erasure]:
        """Return the contacts that were deleted, the newest first."""
        columns = (erasures.c.contact, erasures.c.organization, erasures.c.at)
        deleted = select(*columns).where(erasures.c.contact > 0)
        organizations: dict[int, set[int]] = {}
        times: dict[int, float] = {}
        with transaction(self._engine) as connection:
            for row in connection.execute(deleted):
                organizations.setdefault(row.contact, set()).add(row.organization)
                times[row.contact] = min(times.get(row.contact, row.at), row.at)
        newest = sorted(times, key=lambda contact: (-times[contact], contact))
        return [
            Erasure(contact, tuple(sorted(organizations[contact])), times[contact])
            for contact in newest
        ]

    def allow(self, contacts: Collection[int]) -> None:
        """Let passes make contacts again for the people of these deleted contacts.

        All their marks are deleted, also those of another contact: a person may have been erased
        twice.
        """
        with transaction(self._engine) as connection:
            their_marks = select(erasures.c.mark).where(erasures.c.contact.in_(contacts))
            connection.execute(delete(erasures).where(erasures.c.mark.in_(their_marks)))

    def _find(self, connection: Connection, person: Person) -> int:
        # Mostly there are no erasures, and then no mark has to be computed.
        if connection.scalar(select(erasures.c.contact).limit(1)) is None:
            return 0
        marks = list(_make_marks(read_mark_key(connection), person))
        same = select(erasures.c.contact).where(erasures.c.mark.in_(marks))
        deleted = same.where(erasures.c.contact > 0)
        newest = deleted.order_by(erasures.c.at.desc(), erasures.c.contact.desc())
        return connection.scalar(newest.limit(1)) or 0


def read_mark_key(connection: Connection) -> bytes:
    """Return the key of the marks; the first call makes it.

    Several processes may make a key at once: the first one that is stored stays.
    """
    new = insert(connection.dialect.name, erasure_key).values(
        row=KEY_ROW, key=secrets.token_hex(KEY_BYTES)
    )
    key = connection.scalar(select(erasure_key.c.key))
    if key is None:
        connection.execute(new.on_conflict_do_nothing())
        key = connection.scalar(select(erasure_key.c.key))
    return bytes.fromhex(str(key))


def make_mark(key: bytes, kind: str, value: str) -> str:
    """Return the mark of a value, which recognizes the value and does not reveal it."""
    return hmac.new(key, f"{kind}:{value}".encode(), sha256).hexdigest()


def _make_marks(key: bytes, person: Person) -> Iterator[str]:
    """Yield the marks of a person's place, e-mail and phone. A phone that several people share gets
    no mark, because it identifies none of them."""
    phone = None if person.phone_shared else person.phone
    values = {
        "seat": f"{person.organization}:{person.key}",
        "email": person.email,
        "phone": identify_line(phone) if phone else None,
    }
    for kind, value in values.items():
        if value:
            yield make_mark(key, kind, value)
