"""Links between Chatwoot and organizations: a pass matched them, or an agent picked or refused.

The one owner of the table `links`: for each subject (conversation, contact) and organization at
most one row of an agent, and one of a pass. Neither overwrites the other.
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
WITHHELD = "withheld"  # the `rests_on` of a pick that we do not write into Chatwoot
BY_AGENT, BY_PASS = "agent", "pass"
WORD_SECONDS = 2 * 365 * 86400.0  # the lifetime of an agent's row

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
# The query is built once: building it takes longer than running it.
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
    """`scope` with `subject`: a conversation (display id) or a contact, in Chatwoot's numbers.

    `rests_on`: the key of a match (`email`, `phone`, `identifier`); for a pick empty, or
    `WITHHELD`. `contact`, `email`, `phone`, `identifier`: those of the contact when the agent
    decided. `disclosed`: a pick that may be written into Chatwoot, where the visitor can read it.
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


def write(connection: Connection, rows: Iterable[Link]) -> None:
    """Write links; of two links about the same subject and organization the newest stays.

    A pick also ends the subject's other picks. Refusals and matches stay.
    """
    for link in rows:
        if link.state == PICKED:
            other_picks = and_(*_match_subject(link), links.c.state == PICKED)
            obsolete = and_(other_picks, links.c.organization != link.organization)
            connection.execute(delete(links).where(obsolete))
        connection.execute(upsert(connection.engine, links, _make_row(link)))


def take_back(connection: Connection, rows: Iterable[Link]) -> list[Link]:
    """Undo: delete these links, without those that a newer one has replaced meanwhile.

    Returns the deleted ones.
    """
    return [
        link
        for link in rows
        if connection.execute(delete(links).where(*_match_word(link))).rowcount
    ]


def withdraw_disclosed(
    connection: Connection, conversation: int, contact: int, organization: int
) -> list[str]:
    """Forbid the disclosure of these picks; returns the scopes of those that were disclosed.

    The next pass removes them from Chatwoot, if nobody did before.
    """
    subjects = {CONVERSATION: conversation, CONTACT: contact}
    disclosed = and_(links.c.organization == organization, links.c.disclosed)
    return [
        scope
        for scope, subject in subjects.items()
        if connection.execute(
            update(links)
            .where(links.c.scope == scope, links.c.subject == subject, disclosed)
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
        """Return every link of this conversation and of this contact, refused ones too; newest
        first."""
        parameters = {"conversation": conversation, "of_contact": contact}
        with transaction(self._engine) as connection:
            return [Link(**row) for row in connection.execute(_SELECT_LINKS, parameters).mappings()]

    def put(self, *rows: Link) -> None:
        """Write all of these links or none; see `write`."""
        with transaction(self._engine) as connection:
            write(connection, rows)

    def match(self, contact: int, organization: int, rests_on: str) -> None:
        """Write a pass's match; an equal one that exists is not touched."""
        values = _make_row(Link(CONTACT, contact, organization, MATCHED, rests_on))
        new = insert(self._engine.dialect.name, links).values(**values)
        statement = new.on_conflict_do_update(
            index_elements=PRIMARY_KEY,
            set_={"rests_on": rests_on, "at": values["at"]},
            where=links.c.rests_on != rests_on,
        )
        with transaction(self._engine) as connection:
            connection.execute(statement)

    def list_unwithheld(self, organization: int) -> list[Link]:
        """Return picks that may not be disclosed and that an earlier version may have written into
        Chatwoot."""
        picks = and_(links.c.organization == organization, links.c.state == PICKED)
        open_ones = and_(~links.c.disclosed, links.c.rests_on != WITHHELD)
        columns = [column for column in links.c if column.name != "said_by"]
        with transaction(self._engine) as connection:
            rows = connection.execute(select(*columns).where(picks, open_ones)).mappings()
            return [Link(**row) for row in rows]

    def withhold(self, link: Link) -> None:
        """Note that this pick is not in Chatwoot; a newer link about it is not touched."""
        with transaction(self._engine) as connection:
            statement = update(links).where(*_match_word(link))
            connection.execute(statement.values(rests_on=WITHHELD))

    def unmatch(self, subject: int, organization: int, scope: str = CONTACT) -> None:
        """Delete a pass's match; agents' links stay."""
        about = _match_subject(Link(scope, subject, organization, MATCHED))
        by_pass = and_(links.c.organization == organization, links.c.said_by == BY_PASS)
        with transaction(self._engine) as connection:
            connection.execute(delete(links).where(*about, by_pass))

    def forget(self, organization: int) -> None:
        """Delete every link to an organization that is gone for good."""
        with transaction(self._engine) as connection:
            connection.execute(delete(links).where(links.c.organization == organization))

    def prune(self, now: float) -> int:
        """Delete agents' old links; returns their number. Matches of passes are deleted with the
        person."""
        old = and_(links.c.said_by == BY_AGENT, links.c.at < now - WORD_SECONDS)
        with transaction(self._engine) as connection:
            return connection.execute(delete(links).where(old)).rowcount

    def follow_merge(self, old: int, new: int) -> None:
        """Move the links of contact `old` to `new`, into which Chatwoot merged it.

        Where both have a link, the newest one of agents stays, and the newest one of passes.
        """
        with transaction(self._engine) as connection:
            of_old = and_(links.c.scope == CONTACT, links.c.subject == old)
            for row in list(connection.execute(select(links).where(of_old)).mappings()):
                values = {**row, "subject": new, "contact": new}
                statement = insert(self._engine.dialect.name, links).values(**values)
                rest = {name: values[name] for name in values if name not in PRIMARY_KEY}
                older = links.c.at < row["at"]
                connection.execute(
                    statement.on_conflict_do_update(
                        index_elements=PRIMARY_KEY, set_=rest, where=older
                    )
                )
            connection.execute(delete(links).where(of_old))
            connection.execute(update(links).where(links.c.contact == old).values(contact=new))
