"""The tries to verify a contact for an organization: at most five in 24 hours.

The one owner of the table `verification_tries`. Tries are counted over all conversations, agents
and processes. The values that were tried are not kept. A keyed digest of the last search is kept,
to tell whether somebody is still typing the same.
"""

import hmac
import time
from collections.abc import Sequence
from hashlib import sha256

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Float,
    String,
    Table,
    Text,
    and_,
    delete,
    select,
    update,
)

from panel.data.db import insert, metadata, transaction

MOST_TRIES = 5
TRIES_SECONDS = 24 * 3600.0  # the span in which `MOST_TRIES` are allowed

verification_tries = Table(
    "verification_tries",
    metadata,
    Column("contact", BigInteger, primary_key=True, autoincrement=False),
    Column("organization", BigInteger, primary_key=True, autoincrement=False),
    Column("times", Text, nullable=False),
    Column("last", Float, nullable=False),
    Column("searched", String(64), nullable=False),
)


def take_try(connection: Connection, contact: int, organization: int) -> float | None:
    """Count a try. Returns None when the try is allowed, else the moment of the next allowed one
    (epoch seconds)."""
    now, key = time.time(), {"contact": contact, "organization": organization}
    # The INSERT locks the row before it is read, so two tries at once cannot both be the fifth.
    locked = insert(connection.dialect.name, verification_tries).values(
        **key, times="", last=now, searched=""
    )
    locked = locked.on_conflict_do_update(index_elements=list(key), set_={"last": now})
    times = _list_recent(connection.scalar(locked.returning(verification_tries.c.times)), now)
    if len(times) >= MOST_TRIES:
        return times[-MOST_TRIES] + TRIES_SECONDS
    text = " ".join(f"{moment:.3f}" for moment in [*times, now])
    condition = _match_tries(contact, organization)
    connection.execute(update(verification_tries).where(condition).values(times=text))
    return None


def note_search(
    connection: Connection, contact: int, organization: int, digests: Sequence[str]
) -> bool:
    """`digests`: of the beginnings of the searched text, the whole text last.

    Returns True when the search before was such a beginning: typing on sends many searches, which
    count as a single try.
    """
    condition = _match_tries(contact, organization)
    typed_on = and_(condition, verification_tries.c.searched.in_(digests))
    statement = update(verification_tries).values(searched=digests[-1])
    if connection.execute(statement.where(typed_on)).rowcount:
        return True
    connection.execute(statement.where(condition))
    return False


def digest_beginnings(secret: str, text: str) -> list[str]:
    """Return keyed digests of every beginning of the text, the whole text last."""
    beginnings = (text[:length].encode() for length in range(1, len(text) + 1))
    return [hmac.new(secret.encode(), beginning, sha256).hexdigest() for beginning in beginnings]


def _match_tries(contact: int, organization: int) -> ColumnElement[bool]:
    return and_(
        verification_tries.c.contact == contact, verification_tries.c.organization == organization
    )


def delete_tries(connection: Connection, contact: int) -> None:
    """Delete the contact's tries, in the transaction that notes its erasure."""
    condition = verification_tries.c.contact == contact
    connection.execute(delete(verification_tries).where(condition))


class VerificationTries:
    """Raises `Unreachable("database")`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def count_left(self, contact: int, organization: int) -> int:
        condition = _match_tries(contact, organization)
        with transaction(self._engine) as connection:
            times = connection.scalar(select(verification_tries.c.times).where(condition))
        return max(0, MOST_TRIES - len(_list_recent(times, time.time())))

    def prune(self) -> None:
        old = verification_tries.c.last < time.time() - TRIES_SECONDS
        with transaction(self._engine) as connection:
            connection.execute(delete(verification_tries).where(old))


def _list_recent(times: str | None, now: float) -> list[float]:
    return [moment for moment in map(float, (times or "").split()) if moment > now - TRIES_SECONDS]
