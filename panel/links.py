"""The ties between Chatwoot and organizations: what a pass matched, an agent picked or refused.

The one owner of the table `links`: one row at most per subject (conversation, contact) and
organization.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    String,
    Table,
    and_,
    delete,
    or_,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from panel.db import metadata
from panel.errors import Unreachable

CONVERSATION, CONTACT = "conversation", "contact"
PICKED, MATCHED, REFUSED = "picked", "matched", "refused"

links = Table(
    "links",
    metadata,
    Column("scope", String(12), primary_key=True),
    Column("subject", Integer, primary_key=True),
    Column("organization", Integer, primary_key=True),
    Column("state", String(8), nullable=False),
    Column("rests_on", String(12), nullable=False, default=""),
    Column("agent", Integer),
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
        with self._begin() as connection:
            rows = connection.execute(select(links).where(here).order_by(links.c.at.desc()))
            return [Link(**row) for row in rows.mappings()]

    def put(self, link: Link) -> None:
        """Write the link; the newest word about this subject and organization stands."""
        values = {**vars(link), "at": link.at or time.time()}
        insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        keys = ["scope", "subject", "organization"]
        rest = {key: value for key, value in values.items() if key not in keys}
        with self._begin() as connection:
            statement = insert(links).values(**values)
            connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=rest))

    def remove(self, conversation: int, contact: int, organization: int) -> None:
        """Undo: forget what agents said about this organization here. Matches stay."""
        here = or_(
            and_(links.c.scope == CONVERSATION, links.c.subject == conversation),
            and_(links.c.scope == CONTACT, links.c.subject == contact),
        )
        said = links.c.state.in_((PICKED, REFUSED))
        with self._begin() as connection:
            connection.execute(
                delete(links).where(here, said, links.c.organization == organization)
            )

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise Unreachable("database", type(error).__name__) from error
