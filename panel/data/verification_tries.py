"""The tries to verify a contact for an organization: at most five in 24 hours.

The one owner of the table `verification_tries`. They are counted over all conversations, agents and
processes. What was tried stands nowhere; of the last search there is a keyed digest, which tells
whether somebody is still typing the same.
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
TRIES_SECONDS = 24 * 3600.0  # in which there may be that many

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
    """One more try; None: it may be made. Else when the next one may be (epoch seconds)."""
    now, who = time.time(), {"contact": contact, "organization": organization}
    # It locks the row before it is read: two who try at once must not both be the fifth.
    locked = insert(connection.dialect.name, verification_tries).values(
        **who, times="", last=now, searched=""
    )
    locked = locked.on_conflict_do_update(index_elements=list(who), set_={"last": now})
    times = _list_recent(connection.scalar(locked.returning(verification_tries.c.times)), now)
    if len(times) >= MOST_TRIES:
        return times[-MOST_TRIES] + TRIES_SECONDS
    text = " ".join(f"{each:.3f}" for each in [*times, now])
    here = _match_tries(contact, organization)
    connection.execute(update(verification_tries).where(here).values(times=text))
    return None


def note_search(
    connection: Connection, contact: int, organization: int, digests: Sequence[str]
) -> bool:
    """`digests`: of what was searched for, and of each of its beginnings; the whole comes last.

    True: the search before it was such a beginning. Whoever types is searched for again and again,
    and that is one try.
    """
    here = _match_tries(contact, organization)
    typed_on = and_(here, verification_tries.c.searched.in_(digests))
    noted = update(verification_tries).values(searched=digests[-1])
    if connection.execute(noted.where(typed_on)).rowcount:
        return True
    connection.execute(noted.where(here))
    return False


def digest_beginnings(secret: str, typed: str) -> list[str]:
    """Keyed digests of every beginning of the text, the whole last."""
    beginnings = (typed[:length].encode() for length in range(1, len(typed) + 1))
    return [hmac.new(secret.encode(), each, sha256).hexdigest() for each in beginnings]


def _match_tries(contact: int, organization: int) -> ColumnElement[bool]:
    return and_(
        verification_tries.c.contact == contact, verification_tries.c.organization == organization
    )


def delete_tries(connection: Connection, contact: int) -> None:
    """In the transaction that notes that the contact was erased."""
    mine = verification_tries.c.contact == contact
    connection.execute(delete(verification_tries).where(mine))


class VerificationTries:
    """Raises `Unreachable("database")`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def count_left(self, contact: int, organization: int) -> int:
        here = _match_tries(contact, organization)
        with transaction(self._engine) as connection:
            times = connection.scalar(select(verification_tries.c.times).where(here))
        return max(0, MOST_TRIES - len(_list_recent(times, time.time())))

    def prune(self) -> None:
        old = verification_tries.c.last < time.time() - TRIES_SECONDS
        with transaction(self._engine) as connection:
            connection.execute(delete(verification_tries).where(old))


def _list_recent(times: str | None, now: float) -> list[float]:
    return [each for each in map(float, (times or "").split()) if each > now - TRIES_SECONDS]
