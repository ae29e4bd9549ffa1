"""The audit log: what an agent was shown or decided, and how the agent was proven; ids only, no
names.

The one owner of the table `access_log`. Kept for `PANEL_KEEP_DAYS`.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Float,
    Integer,
    String,
    Table,
    delete,
    literal,
    or_,
    select,
)

from panel.data.db import metadata, transaction
from panel.errors import PanelError

log = logging.getLogger(__name__)

SHOWN, UNCOVERED, SEARCHED, NOTED = "shown", "uncovered", "searched", "noted"
TRIED, VERIFIED, UNVERIFIED, PHONE_SHOWN = "tried", "verified", "unverified", "phone_shown"
SIGNED_IN, SIGNED_OUT = "signed_in", "signed_out"
EXPLAINED = "explained"  # an explanation was shown to an administrator, by `GET /why`
LONGEST_NOTE = 200
# The ids of a row; notes are left out, for they may hold anything.
IDS = ("what", "agent", "conversation", "organization")

access_log = Table(
    "access_log",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", Float, nullable=False, index=True),
    Column("what", String(16), nullable=False),
    Column("agent", BigInteger, nullable=False, index=True),
    Column("conversation", BigInteger, nullable=False),
    Column("organization", BigInteger, nullable=False, index=True),
    Column("proof", String(20), nullable=False),
    Column("link", String(12), nullable=False),
    Column("source", String(24), nullable=False),
    Column("note", String(LONGEST_NOTE), nullable=False),
)
# Built once: a statement with its values would be built at every opening.
_INSERT = access_log.insert()


@dataclass(frozen=True)
class AuditEntry:
    """One row. `what`: `shown`, `uncovered`, `searched`, `noted`, `pick`, `refuse`, `undo`,
    `tried`, `verified`, `unverified`, `phone_shown`, `signed_in`, `signed_out`, `explained`.

    A field that has no value is 0 or empty. `link` with `source`: how the organization was found
    (`matched` by `email`); `note`: the state and version of each section that was shown, the scope
    of a pick, the section and reason of an uncovering, the record of a note (`orders 4217`), the
    number of hits of a search and their ids, the kind of an answer and whether it was right, the
    kind of a verification.
    """

    what: str
    agent: int
    conversation: int = 0
    organization: int = 0
    proof: str = ""
    link: str = ""
    source: str = ""
    note: str = ""
    at: float = 0.0


def note_found(organizations: Sequence[int], more: bool) -> str:
    """Return a note such as `found 2: 42 45`. Ids that do not fit are replaced by `…`; no id is
    cut. The query itself is never kept."""
    note = f"found {len(organizations)}{'+' if more else ''}:"
    for number in organizations:
        longer = f"{note} {number}"
        if len(longer) > LONGEST_NOTE - len(" …"):
            return f"{note} …"
        note = longer
    return note


def _is_about(organization: int) -> ColumnElement[bool]:
    """Make the condition for rows that concern the organization: a search names its hits in the
    note."""
    words = literal(" ") + access_log.c.note + " "
    is_hit = (access_log.c.what == SEARCHED) & words.like(f"% {organization} %")
    return (access_log.c.organization == organization) | is_hit


def write_entry(connection: Connection, entry: AuditEntry) -> None:
    """Write one row, in the transaction of the change that it records."""
    values = {**vars(entry), "at": entry.at or time.time(), "note": entry.note[:LONGEST_NOTE]}
    connection.execute(_INSERT, values)


class AuditLog:
    """`engine` may be one of `db.connect_without_sync`: only decisions wait for the disk."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, entry: AuditEntry) -> None:
        """Write one row. Raises `Unreachable("database")`."""
        with transaction(self._engine) as connection:
            write_entry(connection, entry)

    def try_record(self, entry: AuditEntry) -> None:
        """Write one row for a caller that goes on without the database too; a missing row is
        logged."""
        try:
            self.record(entry)
        except PanelError as error:
            fields = {name: getattr(entry, name) for name in IDS} | {"code": error.code}
            log.warning("the access log did not keep a row", extra={"fields": fields})

    def list_entries(
        self, agent: int | None = None, organization: int | None = None, since: float = 0.0
    ) -> Iterator[AuditEntry]:
        """Yield entries while they are read, the newest first. Raises `Unreachable("database")`."""
        conditions = [access_log.c.at >= since]
        if agent is not None:
            conditions.append(access_log.c.agent == agent)
        if organization is not None:
            conditions.append(_is_about(organization))
        columns = [column for column in access_log.c if column.name != "id"]
        newest = select(*columns).where(*conditions).order_by(access_log.c.id.desc())
        with transaction(self._engine) as connection:
            some = connection.execution_options(yield_per=1000)
            for row in some.execute(newest).mappings():
                yield AuditEntry(**row)

    def find_uncovered(
        self, organization: int, conversation: int, agent: int, since: float
    ) -> frozenset[str]:
        """Return the names of the sections that anybody uncovered in this conversation, or this
        agent in any conversation. Raises `Unreachable("database")`."""
        notes = select(access_log.c.note).where(
            access_log.c.what == UNCOVERED,
            access_log.c.organization == organization,
            access_log.c.at >= since,
            or_(access_log.c.conversation == conversation, access_log.c.agent == agent),
        )
        with transaction(self._engine) as connection:
            return frozenset(note.partition(":")[0] for note in connection.scalars(notes))

    def prune(self, before: float) -> int:
        """Delete the rows that are older than this moment; returns their number."""
        with transaction(self._engine) as connection:
            return connection.execute(delete(access_log).where(access_log.c.at < before)).rowcount
