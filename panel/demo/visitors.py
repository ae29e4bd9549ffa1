"""The present identity of a visitor of the built-in Chatwoot, and the body of their call.

Their token stands for a `contact_inbox`, which follows the contact that it is in. Source: the
widget's base controller and its tokens, v4.16.2.
"""

from __future__ import annotations

import hmac
import secrets
import uuid
from dataclasses import dataclass
from hashlib import sha256

from panel.demo.account import Account, Refusal
from panel.demo.identification import build_contact
from panel.demo.world import Json

NOT_FOUND = Refusal(404, {"error": "Resource could not be found"})


@dataclass(frozen=True)
class Session:
    """The `contact_inbox` behind a visitor's token, which follows the contact it is in."""

    inbox: int
    source: str


@dataclass(frozen=True)
class VisitorCall:
    """A call of a visitor: their present identity, and the body."""

    account: Account
    session: Session
    body: Json

    @property
    def contact(self) -> Json:
        """Return the contact that holds this visitor's `contact_inbox`: by a merge, another one."""
        contact = find_contact(self.account, self.session)
        if contact is None:
            raise NOT_FOUND
        return contact

    @property
    def conversation(self) -> Json | None:
        """Return the newest conversation of this browser."""
        rows = self.account.conversations.values()
        own = [row for row in rows if is_of(row, self.session)]
        return max(own, key=lambda row: int(row["id"])) if own else None


def find_channel(account: Account, key: str, value: str) -> int:
    numbers = [number for number, row in account.channels.items() if value and row[key] == value]
    if not numbers:
        raise NOT_FOUND
    return numbers[0]


def find_contact(account: Account, session: Session) -> Json | None:
    for contact in account.contacts.values():
        for contact_inbox in contact["contact_inboxes"]:
            place = contact_inbox["inbox"]["id"], contact_inbox["source_id"]
            if place == (session.inbox, session.source):
                return contact
    return None


def is_of(conversation: Json, session: Session) -> bool:
    place = conversation["inbox_id"], conversation["source_id"]
    return place == (session.inbox, session.source)


def arrive(account: Account, inbox: int) -> str:
    """Add a browser that was never here; returns its token."""
    session, token = Session(inbox, str(uuid.uuid4())), secrets.token_urlsafe(24)
    build_contact(account, inbox, session.source, {})
    account.visitors[token] = session
    return token


def is_signed(account: Account, inbox: int, body: Json) -> bool:
    key = account.channels[inbox]["hmac_token"].encode()
    right = hmac.new(key, str(body.get("identifier") or "").encode(), sha256).hexdigest()
    return hmac.compare_digest(right, str(body.get("identifier_hash")))
