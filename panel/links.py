"""The ties between Chatwoot and organizations: what a pass matched, an agent picked or refused.

The one owner of the table `links`: one row at most per subject (conversation, contact) and
organization.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Float,
    String,
    Table,
    Text,
    and_,
    delete,
    or_,
    select,
    update,
)

from panel.db import insert, metadata, transaction, upsert

CONVERSATION, CONTACT = "conversation", "contact"
PICKED, MATCHED, REFUSED = "picked", "matched", "refused"

links = Table(
    "links",
    metadata,
    Column("scope", String(12), primary_key=True),
    Column("subject", BigInteger, primary_key=True),
    Column("organization", BigInteger, primary_key=True),
    Column("state", String(8), nullable=False),
    Column("rests_on", String(12), nullable=False, default=""),
    Column("agent", BigInteger),
    Column("at", Float, nullable=False),
    Column("contact", BigInteger, nullable=False, default=0, index=True),
    Column("email", Text),
    Column("phone", Text),
    Column("identifier", Text),
)

KEYS = ["scope", "subject", "organization"]


@dataclass(frozen=True)
class Link:
    """`scope` with `subject`: which conversation (display id) or contact, in Chatwoot's numbers.

    `rests_on`: the key that a match was made by (`email`, `phone`, `identifier`), empty for a pick.
    `contact`, `email`, `phone`, `identifier`: who the contact was when an agent said it.
    """

    scope: str
    subject: int
    organization: int
    state: str
    rests_on: str = ""
    agent: int | None = None
    at: float = 0.0
    contact: int = 0
    email: str | None = None
    phone: str | None = None
    identifier: str | None = None


class Links:
    """Raises `Unreachable("database")` when the database cannot be asked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of(self, conversation: int, contact: int) -> list[Link]:
        """Every link of this conversation and of this contact, refused ones too; newest first."""
        here = or_(
            and_(links.c.scope == CONVERSATION, links.c.subject == conversation),
            and_(links.c.scope == CONTACT, links.c.subject == contact),
        )
        with transaction(self._engine) as connection:
            rows = connection.execute(select(links).where(here).order_by(links.c.at.desc()))
            return [Link(**row) for row in rows.mappings()]

    def put(self, link: Link) -> None:
        """Write what an agent said; the newest word about this subject and organization stands."""
        values = {**vars(link), "at": link.at or time.time()}
        with transaction(self._engine) as connection:
            connection.execute(upsert(self._engine, links, values))

    def match(self, contact: int, organization: int, rests_on: str) -> None:
        """Write what a pass found; an agent's word about them is never overwritten."""
        values = {
            "scope": CONTACT,
            "subject": contact,
            "organization": organization,
            "state": MATCHED,
            "rests_on": rests_on,
            "at": time.time(),
        }
        with transaction(self._engine) as connection:
            statement = insert(self._engine, links).values(**values)
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=KEYS,
                    set_={"rests_on": rests_on, "at": values["at"]},
                    where=and_(links.c.state == MATCHED, links.c.rests_on != rests_on),
                )
            )

    def unmatch(self, subject: int, organization: int, scope: str = CONTACT) -> None:
        """The pass no longer finds them together. What agents said stays."""
        row = and_(links.c.scope == scope, links.c.subject == subject)
        matched = and_(links.c.organization == organization, links.c.state == MATCHED)
        with transaction(self._engine) as connection:
            connection.execute(delete(links).where(row, matched))

    def forget(self, organization: int) -> None:
        """The organization is gone for good: so is every tie to it."""
        with transaction(self._engine) as connection:
            connection.execute(delete(links).where(links.c.organization == organization))

    def take_back(self, said: Iterable[Link]) -> None:
        """Undo: these rows go, unless somebody has said something newer meanwhile."""
        with transaction(self._engine) as connection:
            for link in said:
                row = and_(links.c.scope == link.scope, links.c.subject == link.subject)
                same = and_(links.c.organization == link.organization, links.c.at == link.at)
                connection.execute(delete(links).where(row, same))

    def merged(self, old: int, new: int) -> None:
        """Chatwoot merged contact `old` into `new`: the ties follow.

        Where both have one, the newest word stands, and an agent's before a pass's.
        """
        with transaction(self._engine) as connection:
            of_old = and_(links.c.scope == CONTACT, links.c.subject == old)
            for row in list(connection.execute(select(links).where(of_old)).mappings()):
                values = {**row, "subject": new, "contact": new}
                moved = insert(self._engine, links).values(**values)
                rest = {name: values[name] for name in values if name not in KEYS}
                matched = links.c.state == MATCHED
                newer = or_(matched, links.c.at < row["at"])
                if row["state"] == MATCHED:
                    newer = and_(matched, links.c.at < row["at"])
                connection.execute(
                    moved.on_conflict_do_update(index_elements=KEYS, set_=rest, where=newer)
                )
            connection.execute(delete(links).where(of_old))
            connection.execute(update(links).where(links.c.contact == old).values(contact=new))
