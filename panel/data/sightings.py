"""What each contact of ours in Chatwoot showed when it was seen or written last, as digests.

So a pass reads no contact of which nothing is to be told otherwise, and a night knows which ones
its pages have missed. Times are epoch seconds.
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
BEING_TOLD = ""  # instead of a digest: a pass has begun to tell the contact, and has not ended

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
    """`told`: digest of our attributes; `shown`: of what tells whose it is, None where a pass wrote
    since it was read."""

    contact: int
    told: str
    shown: str | None
    seen_at: float


def make_digest(value: object) -> str:
    """The same for equal values; keys of mappings are sorted."""
    text = json.dumps(value, sort_keys=True, default=repr)
    return blake2s(text.encode(), digest_size=16).hexdigest()


class Sightings:
    """Raises `Unreachable("database")`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def note(self, seen: Sequence[Sighting]) -> None:
        """What was seen later stands already, and stays: a page may be older than a write.

        So does what is unsettled: that a contact is told says nothing of its conversations.
        """
        self._note(seen, sightings.c.told != BEING_TOLD)

    def _note(self, seen: Sequence[Sighting], *only: ColumnElement[bool]) -> None:
        if not seen:
            return
        made = insert(self._engine.dialect.name, sightings)
        new = {name: made.excluded[name] for name in ("told", "shown", "seen_at")}
        older = sightings.c.seen_at <= made.excluded.seen_at
        statement = made.on_conflict_do_update(
            index_elements=["contact"], set_=new, where=and_(older, *only)
        )
        with transaction(self._engine) as connection:
            connection.execute(statement, [asdict(each) for each in seen])

    def unsettle(self, contact: int, at: float) -> None:
        """A pass that began to tell the contact at this moment is about to write: whoever dies
        before `settle` leaves a contact that the next pass looks at."""
        self._note([Sighting(contact, BEING_TOLD, None, at)])

    def settle(self, contact: int, told: Mapping[str, Any], at: float) -> None:
        """The contact has these attributes, and its conversations their names; `at`: as above. A
        pass that began later, and is not through, has the last word."""
        self._note([Sighting(contact, make_digest(told), None, at)])

    def find(self, contacts: Sequence[int]) -> dict[int, Sighting]:
        """By contact."""
        with transaction(self._engine) as connection:
            here = select(sightings).where(sightings.c.contact.in_(contacts))
            return {row.contact: Sighting(**row._mapping) for row in connection.execute(here)}

    def list_missed(self, since: float, after: int, most: int) -> list[int]:
        """Contacts of the directory that were not seen since then, by number, beyond `after`."""
        ours = union(
            select(people.c.contact).where(people.c.contact > after),
            select(further_contacts.c.contact).where(further_contacts.c.contact > after),
        ).subquery()
        seen = select(sightings.c.contact).where(
            sightings.c.contact == ours.c.contact, sightings.c.seen_at >= since
        )
        query = select(ours.c.contact).where(~seen.exists()).order_by(ours.c.contact).limit(most)
        with transaction(self._engine) as connection:
            return list(connection.scalars(query))

    def prune(self, now: float) -> None:
        """Forget contacts that nobody has seen for long: they are gone, or nobody of ours."""
        with transaction(self._engine) as connection:
            old = sightings.c.seen_at < now - UNSEEN_SECONDS
            connection.execute(delete(sightings).where(old))
