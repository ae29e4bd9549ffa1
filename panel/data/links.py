"""Links between Chatwoot and organizations: what a pass matched, an agent picked or refused.

The one owner of the table `links`: of each subject (conversation, contact) and organization one
row at most that an agent said, and one that a pass found. Neither overwrites the other.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Float,
    String,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    false,
    or_,
    select,
    update,
)

from panel.data.db import insert, metadata, transaction, upsert

CONVERSATION, CONTACT = "conversation", "contact"
PICKED, MATCHED, REFUSED = "picked", "matched", "refused"
WITHHELD = "withheld"  # `rests_on` of a pick of which Chatwoot says nothing any more
BY_AGENT, BY_PASS = "agent", "pass"
WORD_SECONDS = 2 * 365 * 86400.0  # how long the word of an agent is kept

links = Table(
    "links",
    metadata,
    Column("scope", String(12), primary_key=True),
    Column("subject", BigInteger, primary_key=True),
    Column("organization", BigInteger, primary_key=True),
    Column("said_by", String(5), primary_key=True),
    Column("state", String(8), nullable=False),
    Column("rests_on", String(12), nullable=False, default=""),
    Column("agent", BigInteger),
    Column("at", Float, nullable=False),
    Column("contact", BigInteger, nullable=False, default=0, index=True),
    Column("email", Text),
    Column("phone", Text),
    Column("identifier", Text),
    Column("disclosed", Boolean, nullable=False, default=False, server_default=false()),
)

PRIMARY_KEY = [column.name for column in links.primary_key]
# Made once: building it takes longer than asking it.
_SELECT_LINKS = (
    select(*(column for column in links.c if column.name != "said_by"))
    .where(
        or_(
            and_(links.c.scope == CONVERSATION, links.c.subject == bindparam("conversation")),
            and_(links.c.scope == CONTACT, links.c.subject == bindparam("of_contact")),
        )
    )
    .order_by(links.c.at.desc())
)


@dataclass(frozen=True)
class Link:
    """`scope` with `subject`: which conversation (display id) or contact, in Chatwoot's numbers.

    `rests_on`: the key that a match was made by (`email`, `phone`, `identifier`); of a pick
    nothing, or `WITHHELD`.
    `contact`, `email`, `phone`, `identifier`: who the contact was when an agent said it.
    `disclosed`: a pick that may be written into Chatwoot, where the visitor can read it.
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
    disclosed: bool = False

    @property
    def said_by(self) -> str:
        return BY_PASS if self.state == MATCHED else BY_AGENT


def write(connection: Connection, said: Iterable[Link]) -> None:
    """The newest word about a subject and organization stands.

    Of the picks of a subject too: a pick ends its other picks, and leaves refusals and matches.
    """
    for link in said:
        if link.state == PICKED:
            picked = and_(*_match_subject(link), links.c.state == PICKED)
            others = and_(picked, links.c.organization != link.organization)
            connection.execute(delete(links).where(others))
        connection.execute(upsert(connection.engine, links, _make_row(link)))


def take_back(connection: Connection, said: Iterable[Link]) -> list[Link]:
    """Undo: these words go, but for those over which somebody has said something newer meanwhile.

    Returns those that went.
    """
    return [
        link
        for link in said
        if connection.execute(delete(links).where(*_match_word(link))).rowcount
    ]


def withdraw_disclosed(
    connection: Connection, conversation: int, contact: int, organization: int
) -> list[str]:
    """Picks that may not be disclosed any more; returns their scopes, where there were any.

    The next pass takes back what stands in Chatwoot of them, if nobody did before.
    """
    subjects = {CONVERSATION: conversation, CONTACT: contact}
    here = and_(links.c.organization == organization, links.c.disclosed)
    return [
        scope
        for scope, subject in subjects.items()
        if connection.execute(
            update(links)
            .where(links.c.scope == scope, links.c.subject == subject, here)
            .values(disclosed=False)
        ).rowcount
    ]


def _match_subject(link: Link) -> list[ColumnElement[bool]]:
    return [links.c.scope == link.scope, links.c.subject == link.subject]


def _match_word(link: Link) -> list[ColumnElement[bool]]:
    key = [getattr(links.c, name) == getattr(link, name) for name in PRIMARY_KEY]
    return [*key, links.c.at == link.at]


def _make_row(link: Link) -> dict[str, Any]:
    return {**vars(link), "said_by": link.said_by, "at": link.at or time.time()}


class Links:
    """Raises `Unreachable("database")` when the database cannot be asked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, conversation: int, contact: int) -> list[Link]:
        """Every link of this conversation and of this contact, refused ones too; newest first."""
        here = {"conversation": conversation, "of_contact": contact}
        with transaction(self._engine) as connection:
            return [Link(**row) for row in connection.execute(_SELECT_LINKS, here).mappings()]

    def put(self, *said: Link) -> None:
        """All of it or none; see `write`."""
        with transaction(self._engine) as connection:
            write(connection, said)

    def match(self, contact: int, organization: int, rests_on: str) -> None:
        """Write what a pass found; a match that stands already is not touched."""
        values = _make_row(Link(CONTACT, contact, organization, MATCHED, rests_on))
        found = insert(self._engine.dialect.name, links).values(**values)
        changed = found.on_conflict_do_update(
            index_elements=PRIMARY_KEY,
            set_={"rests_on": rests_on, "at": values["at"]},
            where=links.c.rests_on != rests_on,
        )
        with transaction(self._engine) as connection:
            connection.execute(changed)

    def list_unwithheld(self, organization: int) -> list[Link]:
        """Picks that may not be disclosed, and that an earlier version may have written down."""
        said = and_(links.c.organization == organization, links.c.state == PICKED)
        open_ones = and_(~links.c.disclosed, links.c.rests_on != WITHHELD)
        columns = [column for column in links.c if column.name != "said_by"]
        with transaction(self._engine) as connection:
            rows = connection.execute(select(*columns).where(said, open_ones)).mappings()
            return [Link(**row) for row in rows]

    def withhold(self, link: Link) -> None:
        """Chatwoot says nothing of this pick; a newer word about it is not touched."""
        with transaction(self._engine) as connection:
            here = update(links).where(*_match_word(link))
            connection.execute(here.values(rests_on=WITHHELD))

    def unmatch(self, subject: int, organization: int, scope: str = CONTACT) -> None:
        """The pass no longer finds them together. What agents said stays."""
        about = _match_subject(Link(scope, subject, organization, MATCHED))
        found = and_(links.c.organization == organization, links.c.said_by == BY_PASS)
        with transaction(self._engine) as connection:
            connection.execute(delete(links).where(*about, found))

    def forget(self, organization: int) -> None:
        """The organization is gone for good: so is every tie to it."""
        with transaction(self._engine) as connection:
            connection.execute(delete(links).where(links.c.organization == organization))

    def prune(self, now: float) -> int:
        """Delete what agents said long ago; returns how many words. What passes match goes with the
        person."""
        old = and_(links.c.said_by == BY_AGENT, links.c.at < now - WORD_SECONDS)
        with transaction(self._engine) as connection:
            return connection.execute(delete(links).where(old)).rowcount

    def follow_merge(self, old: int, new: int) -> None:
        """Chatwoot merged contact `old` into `new`: the ties follow.

        Where both have one, the newest word of agents stands, and the newest of passes.
        """
        with transaction(self._engine) as connection:
            of_old = and_(links.c.scope == CONTACT, links.c.subject == old)
            for row in list(connection.execute(select(links).where(of_old)).mappings()):
                values = {**row, "subject": new, "contact": new}
                moved = insert(self._engine.dialect.name, links).values(**values)
                rest = {name: values[name] for name in values if name not in PRIMARY_KEY}
                older = links.c.at < row["at"]
                connection.execute(
                    moved.on_conflict_do_update(index_elements=PRIMARY_KEY, set_=rest, where=older)
                )
            connection.execute(delete(links).where(of_old))
            connection.execute(update(links).where(links.c.contact == old).values(contact=new))
