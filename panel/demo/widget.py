"""The built-in Chatwoot's calls of visitors: the website's widget, the public API of an API inbox.

Nobody is asked who they are. A call shows the website's token, which stands in its page, and the
token that the first call gave; what a visitor says of themselves merges them into the contact that
has it. `Visitor` in `tests/visitor.py` plays one over a socket.

The recorded calls hold none of these. What each answer rests on:

| Call | Rests on |
| --- | --- |
| `POST widget/config` | seen: it answers `auth_token`; most of the rest is left out |
| `PATCH widget/contact/set_user`, unsigned | seen: 200 with `id`; the other fields by code |
| `PATCH widget/contact` | seen: an e-mail or a phone typed merges; fields by code |
| `POST widget/contact/destroy_custom_attributes` | seen: the whole contact row; columns by code |
| `POST widget/conversations` (pre-chat form) | the whole contact row by code (chatwoot.md §3.4) |
| `POST widget/conversations/set_custom_attributes` | replaces the whole object (chatwoot.md §3.5) |
| `POST public/api/v1/inboxes/X/contacts` | seen: it tells name and e-mail; fields by code |
| enforced identity validation | seen: 401 on 4.16.2, `PATCH widget/contact` open before 4.16 |
| order of merging, different identifiers | by code (contact_identify_action.rb), §3.3 |
"""

from __future__ import annotations

import hmac
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from panel.demo.account import Account, Answer, Refusal
from panel.demo.contacts import check, join_contacts
from panel.demo.world import Call, Json

WIDGET, PUBLIC = "/api/v1/widget/", "/public/api/v1/inboxes/"
_KEYS = ("identifier", "email", "phone_number")  # in the order in which they merge
_CLOSED_SINCE = (4, 16)  # the version that asks for a signature in `PATCH widget/contact`
_UNSIGNED = Refusal(401, {"error": "HMAC failed: Invalid Identifier Hash Provided"})
_NOT_FOUND = Refusal(404, {"error": "Resource could not be found"})


@dataclass(frozen=True)
class Session:
    """A visitor's token is worth this: a `contact_inbox`. It follows the contact that it is in."""

    inbox: int
    source: str


@dataclass(frozen=True)
class Said:
    """One call of a visitor: who they are by now, and what they send."""

    account: Account
    session: Session
    body: Json

    @property
    def contact(self) -> Json:
        """The contact that holds this visitor's `contact_inbox`: by a merge, another one."""
        rows = self.account.contacts.values()
        mine = [row for row in rows if any(_is_joined(self, each) for each in _joined(row))]
        if not mine:
            raise _NOT_FOUND
        return mine[0]


def serves(path: str) -> bool:
    """Is this a call of a visitor?"""
    return path.startswith((WIDGET, PUBLIC))


def respond(account: Account, call: Call) -> Answer:
    """Answer one call of a visitor; no token of an agent is asked for."""
    body = call.body if isinstance(call.body, dict) else {}
    if call.path.startswith(PUBLIC):
        return _create_by_api(account, call, body)
    token = str(call.query.get("website_token") or body.get("website_token") or "")
    inbox = _find_channel(account, "website_token", token)
    if (call.method, call.path) == ("POST", f"{WIDGET}config"):
        return _configure(account, inbox)
    session = account.visitors.get(call.headers.get("x-auth-token", ""))
    handle = _CALLS.get((call.method, call.path.removeprefix(WIDGET)))
    if handle is None or session is None or session.inbox != inbox:
        raise _NOT_FOUND
    return handle(Said(account, session, body))


def _find_channel(account: Account, key: str, value: str) -> int:
    known = [number for number, row in account.channels.items() if value and row[key] == value]
    if not known:
        raise Refusal(404, {"error": "web widget does not exist"})
    return known[0]


def _configure(account: Account, inbox: int) -> Answer:
    """A new visitor: a contact with a name of two words and a number, and nothing else."""
    session = Session(inbox, str(uuid.uuid4()))
    _join(account, session, account.add_contact(name=f"quiet-cloud-{secrets.randbelow(1000)}"))
    token = secrets.token_urlsafe(24)
    account.visitors[token] = session
    config = {"auth_token": token, "website_token": account.channels[inbox]["website_token"]}
    return 200, {"website_channel_config": config}


def _join(account: Account, session: Session, contact: Json) -> None:
    joined = {"inbox": account.inboxes[session.inbox], "source_id": session.source}
    contact["contact_inboxes"].append(joined)


def _joined(row: Json) -> list[Json]:
    rows: list[Json] = row["contact_inboxes"]
    return rows


def _is_joined(said: Said, joined: Json) -> bool:
    session = said.session
    return (joined["inbox"]["id"], joined["source_id"]) == (session.inbox, session.source)


# -- who the visitor says they are ---------------------------------------------------------------


def _set_user(said: Said) -> Answer:
    """Signed, or (where that is not enforced) just said."""
    contact, identifier = said.contact, said.body.get("identifier")
    signed = _is_signed(said)
    if said.account.channels[said.session.inbox]["hmac_mandatory"] and not signed:
        raise _UNSIGNED
    if contact["identifier"] and contact["identifier"] != identifier:
        # Somebody else at the same browser: a new contact.
        contact["contact_inboxes"] = [
            each for each in _joined(contact) if not _is_joined(said, each)
        ]
        contact = said.account.add_contact(name="")
        _join(said.account, said.session, contact)
    if signed:
        said.account.signed_visitors.add(said.session)
    return 200, _told(_identify(said.account, contact, said.body))


def _update(said: Said) -> Answer:
    version = tuple(int(part) for part in said.account.version.split(".")[:2])
    mandatory = said.account.channels[said.session.inbox]["hmac_mandatory"]
    names_somebody = said.body.get("identifier") and not _is_signed(said)
    if mandatory and names_somebody and version >= _CLOSED_SINCE:
        raise _UNSIGNED
    return 200, _told(_identify(said.account, said.contact, said.body))


def _is_signed(said: Said) -> bool:
    key = said.account.channels[said.session.inbox]["hmac_token"].encode()
    right = hmac.new(key, str(said.body.get("identifier")).encode(), sha256).hexdigest()
    return hmac.compare_digest(right, str(said.body.get("identifier_hash")))


def _identify(account: Account, contact: Json, said: Json) -> Json:
    """The contact that has one of these keys takes this one in: identifier, e-mail, phone."""
    values = {key: said[key] for key in _KEYS if said.get(key)}
    if "email" in values:
        values["email"] = str(values["email"]).lower()
    for key in list(values):
        owner = _find_owner(account, key, values[key])
        if owner is None or owner is contact:
            continue
        other = owner["identifier"] not in (None, values.get("identifier"))
        if key != "identifier" and "identifier" in values and other:
            del values[key]  # it is somebody else's, who has another identifier
            continue
        join_contacts(account, owner, contact)
        contact = owner
    if said.get("name"):
        values["name"] = said["name"]
    draft = contact | values
    if isinstance(said.get("custom_attributes"), dict):
        draft["custom_attributes"] = contact["custom_attributes"] | said["custom_attributes"]
    check(account, draft, contact["id"])
    contact.update(draft)
    return contact


def _find_owner(account: Account, key: str, value: Any) -> Json | None:
    rows = [row for row in account.contacts.values() if row[key] == value]
    return rows[0] if rows else None


def _told(contact: Json) -> Json:
    return {key: contact[key] for key in ("id", "name", "email", "phone_number", "identifier")}


def _show(said: Said) -> Answer:
    return 200, _told(said.contact)


def _destroy_attributes(said: Said) -> Answer:
    """Whatever it is asked to remove, it answers with the whole row."""
    contact, gone = said.contact, said.body.get("custom_attributes") or []
    kept = {key: value for key, value in contact["custom_attributes"].items() if key not in gone}
    contact["custom_attributes"] = kept
    return 200, _row(said.account, contact)


def _row(account: Account, contact: Json) -> Json:
    """The contact as it stands in the table."""
    hidden = ("labels", "contact_inboxes", "thumbnail", "availability_status")
    shown = {key: value for key, value in contact.items() if key not in hidden}
    return {**shown, "account_id": account.account_id, "contact_type": "lead"}


# -- conversations -------------------------------------------------------------------------------


def _start(said: Said) -> Answer:
    """The pre-chat form: what is typed there merges as well, and the answer holds the contact."""
    form = said.body.get("contact")
    contact = _identify(said.account, said.contact, form if isinstance(form, dict) else {})
    told = said.body.get("custom_attributes")
    signed = said.session in said.account.signed_visitors
    talk = said.account.add_conversation(
        contact["id"],
        said.session.inbox,
        custom_attributes=told if isinstance(told, dict) else {},
        hmac_verified=signed,
    )
    message = said.body.get("message")
    content = str((message if isinstance(message, dict) else {}).get("content") or "")
    talk["messages"].append(
        {
            "id": said.account.next_id(said.account.conversations),
            "content": content,
            "content_type": "text",
            "message_type": 0,
            "private": False,
            "sender": {"id": contact["id"], "name": contact["name"], "type": "contact"},
            "inbox_id": said.session.inbox,
            "conversation_id": talk["id"],
            "created_at": int(time.time()),
        }
    )
    shown = {key: talk[key] for key in ("id", "inbox_id", "status", "custom_attributes")}
    return 200, {**shown, "messages": talk["messages"], "contact": _row(said.account, contact)}


def _last_conversation(said: Said) -> Json:
    mine = said.contact["id"]
    talks = [row for row in said.account.conversations.values() if row["contact_id"] == mine]
    if not talks:
        raise _NOT_FOUND
    return max(talks, key=lambda row: row["id"])


def _set_conversation_attributes(said: Said) -> Answer:
    talk, sent = _last_conversation(said), said.body.get("custom_attributes")
    talk["custom_attributes"] = dict(sent) if isinstance(sent, dict) else {}
    return 200, None


def _create_by_api(account: Account, call: Call, body: Json) -> Answer:
    """The public API of an API inbox: the contact that has the identifier, or a new one."""
    name, _, rest = call.path.removeprefix(PUBLIC).partition("/")
    if (call.method, rest) != ("POST", "contacts"):
        raise _NOT_FOUND
    inbox = _find_channel(account, "inbox_identifier", name)
    session = Session(inbox, str(body.get("source_id") or uuid.uuid4()))
    said = Said(account, session, body)
    if account.channels[inbox]["hmac_mandatory"] and not _is_signed(said):
        raise _UNSIGNED
    contact = account.add_contact(name="")
    _join(account, session, contact)
    contact = _identify(account, contact, body)
    told = {key: contact[key] for key in ("id", "name", "email", "phone_number")}
    return 200, {"source_id": session.source, "pubsub_token": secrets.token_urlsafe(12), **told}


_CALLS: dict[tuple[str, str], Callable[[Said], Answer]] = {
    ("GET", "contact"): _show,
    ("PATCH", "contact"): _update,
    ("PATCH", "contact/set_user"): _set_user,
    ("POST", "contact/destroy_custom_attributes"): _destroy_attributes,
    ("POST", "conversations"): _start,
    ("POST", "conversations/set_custom_attributes"): _set_conversation_attributes,
}
