"""Verifications: evidence that the person of a conversation belongs to a company.

The one owner of the table `verifications`: of each conversation, organization and kind the newest
row. A row holds for the contact with the keys that it had then, until the conversation is resolved,
and for a day at most. An agent's word holds only while they are an agent. A verification that is
taken back is deleted; the access log keeps the history.
"""

import hmac
import logging
import secrets
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from hashlib import sha256

import msgspec
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
    and_,
    bindparam,
    delete,
    select,
    true,
)

from panel.data.db import metadata, transaction, upsert
from panel.models.phones import normalize_phone
from panel.models.text import normalize_email
from panel.upstream.chatwoot import Contact

log = logging.getLogger(__name__)

HOLDS_SECONDS = 24 * 3600.0
# The kinds that are an agent's word alone: that they called, or that they know the person.
BY_CALL, BY_ACQUAINTANCE = AGENTS_WORDS = ("call", "known")
TOKEN_BYTES = 8
LONGEST_REASON = 200

verifications = Table(
    "verifications",
    metadata,
    Column("conversation", BigInteger, primary_key=True, autoincrement=False),
    Column("organization", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(8), primary_key=True),
    Column("token", String(2 * TOKEN_BYTES), nullable=False),
    Column("opens", Boolean, nullable=False),
    Column("note", String(LONGEST_REASON), nullable=False),
    Column("contact", BigInteger, nullable=False, index=True),
    Column("digest", String(64), nullable=False),
    Column("agent", BigInteger, nullable=False),
    Column("agent_proven", Boolean, nullable=False),
    Column("at", Float, nullable=False),
    Column("until", Float, nullable=False),
)

_HERE = verifications.c.conversation == bindparam("conversation")
_LASTING = verifications.c.until > bindparam("now")
# Built once: building a statement takes longer than running it, and every section runs this one.
_SELECT_LASTING = select(verifications).where(_HERE, _LASTING).order_by(verifications.c.at.desc())
_SELECT_TOKEN = select(verifications).where(
    _HERE,
    _LASTING,
    verifications.c.organization == bindparam("organization"),
    verifications.c.token == bindparam("token"),
    verifications.c.opens == true(),
)


@dataclass(frozen=True)
class Verification:
    """The right answer of a person, or an agent's statement about them.

    `opens`: the verification lifts the mask; else it is a hint. `note`: the number of the order or
    quote that they know, or the reason of an agent who knows them. `digest`: see `digest_keys`.
    `agent_proven` False: the agent's id comes from their browser alone. `token` stands in seals.
    """

    conversation: int
    organization: int
    kind: str
    token: str
    opens: bool
    note: str
    contact: int
    digest: str
    agent: int
    agent_proven: bool
    at: float
    until: float

    @property
    def witness(self) -> int:
        """Return the agent on whose word it rests alone; 0 where the server compared an answer."""
        return self.agent if self.kind in AGENTS_WORDS else 0


def make_token() -> str:
    """A random token, so that the seal of a verification that was taken back fits no later one."""
    return secrets.token_hex(TOKEN_BYTES)


def digest_keys(secret: str, contact: Contact, addresses: Collection[tuple[int, str]]) -> str:
    """The digest of all the contact's keys; `addresses`: inbox and source, as Chatwoot has them.

    A merge adds the other contact's address, so the digest changes even where e-mail and phone stay
    the same.
    """
    email, phone = normalize_email(contact.email), normalize_phone(contact.phone)
    keys = (contact.id, email, phone, contact.phone, contact.identifier, sorted(addresses, key=str))
    return hmac.new(secret.encode(), msgspec.json.encode(keys), sha256).hexdigest()


def write_verifications(connection: Connection, rows: Iterable[Verification]) -> None:
    """Write rows; a row replaces that of its kind, and the conversation's rows with another
    digest."""
    for row in rows:
        of_conversation = verifications.c.conversation == row.conversation
        connection.execute(
            delete(verifications).where(of_conversation, verifications.c.digest != row.digest)
        )
        connection.execute(upsert(connection.engine, verifications, vars(row)))


def delete_opening(connection: Connection, conversation: int, organization: int) -> int:
    """Delete the verifications that open, and leave the hints; returns how many."""
    opening = and_(
        verifications.c.conversation == conversation,
        verifications.c.organization == organization,
        verifications.c.opens == true(),
    )
    return connection.execute(delete(verifications).where(opening)).rowcount


def delete_of_contact(connection: Connection, contact: int) -> None:
    """Delete the contact's verifications, in the transaction that notes its erasure."""
    connection.execute(delete(verifications).where(verifications.c.contact == contact))


class Verifications:
    """Raises `Unreachable("database")`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, conversation: int) -> list[Verification]:
        """Verifications that may still hold, newest first; the caller compares their digest."""
        parameters = {"conversation": conversation, "now": time.time()}
        with transaction(self._engine) as connection:
            rows = connection.execute(_SELECT_LASTING, parameters).mappings()
            return [Verification(**row) for row in rows]

    def find_opening(self, conversation: int, organization: int, token: str) -> Verification | None:
        """Return the verification with this token; None where it was taken back or has ended."""
        parameters = {"conversation": conversation, "organization": organization, "token": token}
        with transaction(self._engine) as connection:
            rows = connection.execute(_SELECT_TOKEN, {**parameters, "now": time.time()})
            row = rows.mappings().first()
            return Verification(**row) if row else None

    def end(self, conversation: int) -> None:
        """End a conversation's verifications: it was resolved, or has another contact, or other
        keys."""
        self._delete(
            verifications.c.conversation == conversation,
            conversation,
            "a verification ended: resolved, or other keys",
        )

    def end_words(self, conversation: int, agents: Collection[int]) -> None:
        """End what rests in a conversation on the word of these agents, who are agents no more."""
        condition = and_(
            verifications.c.conversation == conversation,
            verifications.c.agent.in_(sorted(agents)),
            verifications.c.kind.in_(AGENTS_WORDS),
        )
        self._delete(
            condition, conversation, "a verification ended: its agent has left the account"
        )

    def _delete(self, condition: ColumnElement[bool], conversation: int, message: str) -> None:
        with transaction(self._engine) as connection:
            count = connection.execute(delete(verifications).where(condition)).rowcount
        if count:
            log.info(message, extra={"fields": {"conversation": conversation}})

    def prune(self) -> None:
        with transaction(self._engine) as connection:
            connection.execute(delete(verifications).where(verifications.c.until < time.time()))
