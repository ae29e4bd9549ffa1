"""Private notes that agents had written into conversations; a repeated request writes none twice.

The one owner of the table `private_notes`. The row is written before Chatwoot is asked. If the
process dies, the next one knows that the note may exist already. Times are epoch seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2s
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Float,
    String,
    Table,
    and_,
    delete,
    select,
    update,
)

from panel.data.audit_log import AuditEntry, write_entry
from panel.data.db import insert, metadata, transaction

# The claim's lifetime, in which no other request writes. The lifetime is longer than our wait for
# Chatwoot, and longer than Chatwoot's work on a call.
NOTE_LEASE_SECONDS = 30.0

private_notes = Table(
    "private_notes",
    metadata,
    Column("conversation", BigInteger, primary_key=True, autoincrement=False),
    Column("mark", String(48), primary_key=True),
    Column("begun_at", Float, nullable=False),
    Column("leased_until", Float, nullable=False),
    Column("written_at", Float),
)


@dataclass(frozen=True)
class NoteClaim:
    """`is_mine`: the caller shall write the note now; otherwise the note exists, or another request
    is writing it.

    `begun_at`: the moment of an earlier try that may have succeeded; None at the first try.
    """

    is_mine: bool
    written_at: float | None = None
    begun_at: float | None = None


def make_mark(conversation: int, section: str, record: int, text: str) -> str:
    """Return the note's `source_id`, which Chatwoot keeps beside the note: the same for the same
    note."""
    content = f"{conversation} {section} {record} {text}".encode()
    return f"middag-note:{blake2s(content, digest_size=16).hexdigest()}"


class PrivateNotes:
    """Raises `Unreachable("database")`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def claim(self, entry: AuditEntry, mark: str, now: float) -> NoteClaim:
        """Tell whether the caller may write this note. A permitted try gets its row in the access
        log."""
        leased_until = now + NOTE_LEASE_SECONDS
        row = {"conversation": entry.conversation, "mark": mark, "begun_at": now}
        new = insert(self._engine.dialect.name, private_notes).on_conflict_do_nothing()
        new = new.values(**row, leased_until=leased_until).returning(private_notes.c.mark)
        with transaction(self._engine) as connection:
            # `rowcount` cannot tell: for an INSERT, SQLAlchemy returns -1 on PostgreSQL.
            is_new = connection.scalar(new) is not None
            claim = NoteClaim(True) if is_new else _retake(connection, row, leased_until)
            if claim.is_mine:
                write_entry(connection, entry)
        return claim

    def settle(self, conversation: int, mark: str, now: float) -> None:
        """Note that the note stands in the conversation."""
        condition = _match(conversation, mark)
        with transaction(self._engine) as connection:
            connection.execute(update(private_notes).where(condition).values(written_at=now))

    def release(self, conversation: int, mark: str) -> None:
        """Delete the row after Chatwoot's refusal: there is no note, and any request may try
        again."""
        with transaction(self._engine) as connection:
            connection.execute(delete(private_notes).where(_match(conversation, mark)))

    def prune(self, before: float) -> None:
        """Delete rows that are older than this."""
        with transaction(self._engine) as connection:
            connection.execute(delete(private_notes).where(private_notes.c.begun_at < before))


def _retake(connection: Connection, row: Mapping[str, Any], leased_until: float) -> NoteClaim:
    """Take the note over from a request that did not end in time.

    The condition stands in the UPDATE, so only one of two processes that read the same row takes
    it.
    """
    condition = _match(row["conversation"], row["mark"])
    present = connection.execute(select(private_notes).where(condition)).one_or_none()
    unwritten = private_notes.c.written_at.is_(None)
    free = update(private_notes).where(
        condition, unwritten, private_notes.c.leased_until < row["begun_at"]
    )
    if present and connection.execute(free.values(leased_until=leased_until)).rowcount:
        return NoteClaim(True, begun_at=present.begun_at)
    return NoteClaim(False, present.written_at if present else None)


def _match(conversation: int, mark: str) -> ColumnElement[bool]:
    return and_(private_notes.c.conversation == conversation, private_notes.c.mark == mark)
