"""The built-in Chatwoot's calls of a website's visitor about conversations.

Source: the widget's conversations and messages controllers of v4.16.2, and the recorded webhooks.
"""

from __future__ import annotations

from typing import Any

from panel.demo.account import Answer, Refusal
from panel.demo.conversations import check
from panel.demo.events import (
    add_spoken,
    change_conversation,
    tell_conversation_created,
    tell_message_created,
)
from panel.demo.identification import identify
from panel.demo.rails import SERVER_ERROR
from panel.demo.shapes import show_contact_event, show_contact_row
from panel.demo.visitors import VisitorCall
from panel.demo.world import Json

_BROWSER: Json = {
    "browser_name": "Unknown Browser",
    "browser_version": "0.0",
    "device_name": "Unknown",
    "platform_name": "Unknown",
    "platform_version": "0",
}


def start_conversation(call: VisitorCall) -> Answer:
    """The pre-chat form merges by its keys as well, and the answer holds the contact."""
    typed = call.body.get("contact")
    form = dict(typed) if isinstance(typed, dict) else {}
    contact = call.contact
    if any(contact[key] for key in ("email", "phone_number", "identifier")):
        form.pop("name", None)
    elif form.get("email") and not form.get("name"):
        form["name"] = form["email"].partition("@")[0]
    form.pop("identifier", None)
    contact = identify(call.account, contact, form, keep_name=True)
    talk = _open_conversation(call, contact)
    message = _speak(call, talk)
    tell_conversation_created(call.account, talk)
    tell_message_created(call.account, talk, message)
    talk_shown = {key: talk[key] for key in ("id", "inbox_id", "status", "custom_attributes")}
    row = show_contact_row(contact, call.account.account_id)
    return 200, {
        **talk_shown,
        "contact_last_seen_at": 0,
        "messages": [_show_message(call, talk, message, ("content_type",))],
        "contact": row,
    }


def _open_conversation(call: VisitorCall, contact: Json) -> Json:
    attributes = call.body.get("custom_attributes")
    message = _read_message(call)
    where = {"referer": message.get("referer_url"), "browser_language": None, "browser": _BROWSER}
    draft: dict[str, Any] = {
        "custom_attributes": dict(attributes) if isinstance(attributes, dict) else {},
        "additional_attributes": {**where, "initiated_at": {"timestamp": message.get("timestamp")}},
    }
    check(draft)
    return call.account.add_conversation(
        contact["id"],
        call.session.inbox,
        source_id=call.session.source,
        hmac_verified=call.session in call.account.signed_visitors,
        **draft,
    )


def _read_message(call: VisitorCall) -> Json:
    message = call.body.get("message")
    return message if isinstance(message, dict) else {}


def _speak(call: VisitorCall, talk: Json) -> Json:
    message = _read_message(call)
    answers = {"in_reply_to": message.get("reply_to")}
    text = str(message.get("content") or "")
    return add_spoken(call.account, talk, text, content_attributes=answers)


def send_message(call: VisitorCall) -> Answer:
    """Send it into the newest conversation; the first message opens one."""
    talk = call.conversation
    if talk is None:
        talk = _open_conversation(call, call.contact)
        tell_conversation_created(call.account, talk)
    message = _speak(call, talk)
    tell_message_created(call.account, talk, message)
    return 200, _show_message(call, talk, message, ("inbox_id", "private", "source_id"))


def _show_message(call: VisitorCall, talk: Json, message: Json, more: tuple[str, ...]) -> Json:
    keys = ("id", "content", "message_type", "content_attributes", "created_at", *more)
    sender = show_contact_event(call.account.contacts[talk["contact_id"]])
    body = {key: message[key] for key in keys}
    return {**body, "conversation_id": talk["id"], "sender": sender}


def set_attributes(call: VisitorCall) -> Answer:
    talk, attributes = call.conversation, call.body.get("custom_attributes")
    if talk is None:
        return 404, None
    if not isinstance(attributes, dict):
        raise Refusal(500, SERVER_ERROR)
    check(talk | {"custom_attributes": attributes})
    change_conversation(call.account, talk, custom_attributes=dict(attributes))
    return 204, None
