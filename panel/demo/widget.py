"""The built-in Chatwoot's calls of visitors: the website's widget, the public API of an API inbox.

No visitor has to prove an identity. A call carries the website's token, which stands in its page,
and the token that the first call gave. A key in the call merges the visitor into the contact that
has it. `Visitor` in `tests/visitor.py` plays one over a socket.

The recorded calls hold none of these; the recorded webhooks show their effects. The table names the
evidence of each answer, where "by code" is the source of v4.16.2:

| Call | Rests on |
| --- | --- |
| `POST widget/config` | seen: `auth_token`; how the widget looks is left out |
| `PATCH widget/contact/set_user`, `PATCH`, `GET widget/contact` | seen: `id`; the rest by code |
| `POST widget/contact/destroy_custom_attributes` | seen: the whole contact row; columns by code |
| `POST widget/conversations` (pre-chat form) | its webhooks recorded; the answer by code |
| `POST widget/messages` | its webhook recorded; the answer by code |
| `POST widget/conversations/set_custom_attributes` | seen: it replaces all; the answer by code |
| `POST public/api/v1/inboxes/X/contacts` | seen: it tells name and e-mail; the rest by code |
| enforced identity validation | seen: 401 on 4.16.2, `PATCH widget/contact` open before 4.16 |
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from panel.demo.account import Account, Answer, Refusal
from panel.demo.contacts import check
from panel.demo.events import change_contact
from panel.demo.identification import build_contact, identify
from panel.demo.rails import SERVER_ERROR
from panel.demo.shapes import show_contact_row
from panel.demo.visitors import (
    NOT_FOUND,
    Session,
    VisitorCall,
    arrive,
    find_channel,
    find_contact,
    is_of,
    is_signed,
)
from panel.demo.widget_chat import send_message, set_attributes, start_conversation
from panel.demo.world import Call, Json

WIDGET, PUBLIC = "/api/v1/widget/", "/public/api/v1/inboxes/"
_UNSIGNED = Refusal(401, {"error": "HMAC failed: Invalid Identifier Hash Provided"})


def serves(path: str) -> bool:
    """Tell whether this is a call of a visitor."""
    return path.startswith((WIDGET, PUBLIC))


def respond(account: Account, call: Call) -> Answer:
    """Answer one call of a visitor; no token of an agent is needed."""
    body = call.body if isinstance(call.body, dict) else {}
    if call.path.startswith(PUBLIC):
        return _create_by_api(account, call, body)
    token = str(call.query.get("website_token") or body.get("website_token") or "")
    inbox = find_channel(account, "website_token", token)
    if account.status != "active":
        raise Refusal(401, {"error": "Account is suspended"})
    session = account.visitors.get(call.headers.get("x-auth-token", ""))
    if session is not None and session.inbox != inbox:
        session = None
    if (call.method, call.path) == ("POST", f"{WIDGET}config"):
        return _configure(account, inbox, call.headers["x-auth-token"] if session else None)
    handle = _CALLS.get((call.method, call.path.removeprefix(WIDGET)))
    if handle is None or session is None:
        raise NOT_FOUND
    return handle(VisitorCall(account, session, body))


def _configure(account: Account, inbox: int, token: str | None) -> Answer:
    """A visitor with a known token keeps their contact; any other gets a new one with a name."""
    if token is None or find_contact(account, account.visitors[token]) is None:
        token = arrive(account, inbox)
    contact = find_contact(account, account.visitors[token]) or {}
    keys = ("email", "id", "identifier", "name", "phone_number")
    config = {"auth_token": token, "website_token": account.channels[inbox]["website_token"]}
    return 200, {
        "website_channel_config": config | {"website_name": account.inboxes[inbox]["name"]},
        "contact": {key: contact[key] for key in keys} | {"pubsub_token": f"pubsub-{token}"},
        "global_config": {},
    }


def _set_user(call: VisitorCall) -> Answer:
    """The identity is signed, or (where signatures are not enforced) only stated.

    A visitor who already is another person gets a new contact and, for it, a new token.
    """
    account, identifier = call.account, call.contact["identifier"]
    _check_signature(call)
    more: Json = {}
    if identifier and identifier != call.body.get("identifier"):
        more["widget_auth_token"] = arrive(account, call.session.inbox)
        call = VisitorCall(account, account.visitors[more["widget_auth_token"]], call.body)
    if _wants_signature(call):
        account.signed_visitors.add(call.session)
        for row in account.conversations.values():
            row["hmac_verified"] |= is_of(row, call.session)
    return 200, _show_presence(identify(account, call.contact, call.body)) | more


def _update(call: VisitorCall) -> Answer:
    """The plain call asks for a signature since 4.16, where it names an identifier."""
    if call.body.get("identifier") and call.account.is_since(4, 16):
        _check_signature(call)
    return 200, _show_presence(identify(call.account, call.contact, call.body))


def _check_signature(call: VisitorCall) -> None:
    if _wants_signature(call) and not is_signed(call.account, call.session.inbox, call.body):
        raise _UNSIGNED


def _wants_signature(call: VisitorCall) -> bool:
    """A signature is checked where it is enforced or given; never for attributes alone."""
    enforced = call.account.channels[call.session.inbox]["hmac_mandatory"]
    only_attributes = call.body.get("custom_attributes") and not call.body.get("identifier")
    return bool(call.body.get("identifier_hash") or enforced) and not only_attributes


def _show_presence(contact: Json) -> Json:
    """Show for each key whether it has a value, and never the value."""
    has = {f"has_{key}": bool(contact[key]) for key in ("email", "name", "phone_number")}
    return {"id": contact["id"], **has}


def _show(call: VisitorCall) -> Answer:
    return 200, {**_show_presence(call.contact), "identifier": call.contact["identifier"]}


def _destroy_attributes(call: VisitorCall) -> Answer:
    """Remove attributes. The answer is the whole row, whatever the call names."""
    contact, names = call.contact, call.body.get("custom_attributes") or []
    attributes = {
        key: value for key, value in contact["custom_attributes"].items() if key not in names
    }
    check(call.account, contact, contact["id"])
    change_contact(call.account, contact, contact | {"custom_attributes": attributes})
    return 200, show_contact_row(contact, call.account.account_id)


def _create_by_api(account: Account, call: Call, body: Json) -> Answer:
    """The public API of an API inbox: the contact that has the identifier, or a new one.

    Where a signature is enforced, a wrong or missing one is an error that no code rescues.
    """
    name, _, rest = call.path.removeprefix(PUBLIC).partition("/")
    if (call.method, rest) != ("POST", "contacts"):
        raise NOT_FOUND
    inbox = find_channel(account, "inbox_identifier", name)
    is_signature_due = account.channels[inbox]["hmac_mandatory"] or body.get("identifier_hash")
    if is_signature_due and not is_signed(account, inbox, body):
        raise Refusal(500, SERVER_ERROR)
    session = Session(inbox, str(body.get("source_id") or uuid.uuid4()))
    contact = find_contact(account, session) or build_contact(account, inbox, session.source, body)
    body_shown = {key: contact[key] for key in ("id", "name", "email", "phone_number")}
    pubsub = f"pubsub-{time.time_ns()}"
    return 200, {"source_id": session.source, "pubsub_token": pubsub, **body_shown}


_CALLS: dict[tuple[str, str], Callable[[VisitorCall], Answer]] = {
    ("GET", "contact"): _show,
    ("PATCH", "contact"): _update,
    ("PATCH", "contact/set_user"): _set_user,
    ("POST", "contact/destroy_custom_attributes"): _destroy_attributes,
    ("POST", "conversations"): start_conversation,
    ("POST", "conversations/set_custom_attributes"): set_attributes,
    ("POST", "messages"): send_message,
}
