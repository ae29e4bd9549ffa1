"""Sightings: digests of our contacts in Chatwoot as they were last seen or written.

So a pass reads no contact whose attributes are right, and a night knows which contacts its pages
have missed. Times are epoch seconds.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2s
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Engine,
    Float,
    String,
    Table,
    and_,
    delete,
    select,
    union,
)

from panel.data.db import insert, metadata, transaction
from panel.data.directory import further_contacts, people

# A night may read a contact a little later than the night before did.
FRESH_SECONDS = 26 * 3600.0
UNSEEN_SECONDS = 30 * 86400.0
BEING_TOLD = ""  # in place of a digest, from when a pass begins to write the contact until it ends

sightings = Table(
    "sightings",
    metadata,
    Column("contact", BigInteger, primary_key=True, autoincrement=False),
    Column("told", String(32), nullable=False),
    Column("shown", String(32)),
    Column("seen_at", Float, nullable=False),
)


@dataclass(frozen=True)
class Sighting:
    """`told`: the digest of our attributes; `shown`: the digest of the identifying fields, None
    where a pass has written since these were read."""

    contact: int
    told: str
    shown: str | None
    seen_at: float


def make_digest(value: object) -> str:
    """Return a digest that is the same for equal values; keys of mappings are sorted.

    The digest of a dataclass has the names of the class and its fields in it. Renaming them would
    make every stored digest outdated.
    """
    text = json.dumps(value, sort_keys=True, default=repr)
    return blake2s(text.encode(), digest_size=16).hexdigest()


class Sightings:
    """Raises `Unreachable("database")`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def note(self, rows: Sequence[Sighting]) -> None:
        """Note sightings. A later sighting that is stored already stays, because a page may be
        older than a write.

        An unsettled one stays too: the contact's attributes may be right while its conversations
        are not.
        """
        self._note(rows, sightings.c.told != BEING_TOLD)

    def _note(self, rows: Sequence[Sighting], *only: ColumnElement[bool]) -> None:
        if not rows:
            return
        upsert = insert(self._engine.dialect.name, sightings)
        new = {name: upsert.excluded[name] for name in ("told", "shown", "seen_at")}
        older = sightings.c.seen_at <= upsert.excluded.seen_at
        statement = upsert.on_conflict_do_update(
            index_elements=["contact"], set_=new, where=and_(older, *only)
        )
        with transaction(self._engine) as connection:
            connection.execute(statement, [asdict(row) for row in rows])

    def unsettle(self, contact: int, at: float) -> None:
        """Note that a pass, which began at this moment, is about to write the contact. If the
        process dies before `settle`, the next pass looks at the contact."""
        self._note([Sighting(contact, BEING_TOLD, None, at)])

    def settle(self, contact: int, attributes: Mapping[str, Any], at: float) -> None:
        """Note that the contact has these attributes, and its conversations their names.

        `at`: when the pass began. The mark of a pass that began later and has not ended stays.
        """
        self._note([Sighting(contact, make_digest(attributes), None, at)])

    def find(self, contacts: Sequence[int]) -> dict[int, Sighting]:
        """Return the sightings of these contacts, by contact."""
        with transaction(self._engine) as connection:
            query = select(sightings).where(sightings.c.contact.in_(contacts))
            return {row.contact: Sighting(**row._mapping) for row in connection.execute(query)}

    def list_missed(self, since: float, after: int, most: int) -> list[int]:
        """Return contacts of the directory that were not seen since then: by number, those beyond
        `after`."""
        ours = union(
            select(people.c.contact).where(people.c.contact > after),
            select(further_contacts.c.contact).where(further_contacts.c.contact > after),
        ).subquery()
        sighting = select(sightings.c.contact).where(
            sightings.c.contact == ours.c.contact, sightings.c.seen_at >= since
        )
        query = (
            select(ours.c.contact).where(~sighting.exists()).order_by(ours.c.contact).limit(most)
        )
        with transaction(self._engine) as connection:
            return list(connection.scalars(query))

    def prune(self, now: float) -> None:
        """Forget contacts that were not seen for long: such contacts are gone, or have no seat."""
        with transaction(self._engine) as connection:
            old = sightings.c.seen_at < now - UNSEEN_SECONDS
            connection.execute(delete(sightings).where(old))
