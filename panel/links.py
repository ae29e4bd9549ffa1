"""The ties between Chatwoot and organizations: what a pass matched, an agent picked or refused.

The one owner of the table `links`: one row at most per subject (conversation, contact) and
organization.
"""

import time
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Engine, Float, String, Table, and_, delete, or_, select

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
)


@dataclass(frozen=True)
class Link:
    """`scope` with `subject`: which conversation (display id) or contact, in Chatwoot's numbers.

    `rests_on`: the key that a match was made by (`email`, `phone`, `identifier`), empty for a pick.
    """

    scope: str
    subject: int
    organization: int
    state: str
    rests_on: str = ""
    agent: int | None = None
    at: float = 0.0


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
                    index_elements=["scope", "subject", "organization"],
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

    def remove(self, conversation: int, contact: int, organization: int) -> None:
        """Undo: forget what agents said about this organization here. Matches stay."""
        here = or_(
            and_(links.c.scope == CONVERSATION, links.c.subject == conversation),
            and_(links.c.scope == CONTACT, links.c.subject == contact),
        )
        said = links.c.state.in_((PICKED, REFUSED))
        with transaction(self._engine) as connection:
            connection.execute(
                delete(links).where(here, said, links.c.organization == organization)
            )
