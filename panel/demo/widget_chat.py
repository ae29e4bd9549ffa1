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
from panel.demo.visitors import Said
from panel.demo.world import Json

_BROWSER: Json = {
    "browser_name": "Unknown Browser",
    "browser_version": "0.0",
    "device_name": "Unknown",
    "platform_name": "Unknown",
    "platform_version": "0",
}


def start_conversation(said: Said) -> Answer:
    """The pre-chat form merges by its keys as well, and the answer holds the contact."""
    typed = said.body.get("contact")
    form = dict(typed) if isinstance(typed, dict) else {}
    contact = said.contact
    if any(contact[key] for key in ("email", "phone_number", "identifier")):
        form.pop("name", None)
    elif form.get("email") and not form.get("name"):
        form["name"] = form["email"].partition("@")[0]
    form.pop("identifier", None)
    contact = identify(said.account, contact, form, keep_name=True)
    talk = _open_conversation(said, contact)
    message = _speak(said, talk)
    tell_conversation_created(said.account, talk)
    tell_message_created(said.account, talk, message)
    shown = {key: talk[key] for key in ("id", "inbox_id", "status", "custom_attributes")}
    row = show_contact_row(contact, said.account.account_id)
    return 200, {
        **shown,
        "contact_last_seen_at": 0,
        "messages": [_show_message(said, talk, message, ("content_type",))],
        "contact": row,
    }


def _open_conversation(said: Said, contact: Json) -> Json:
    told = said.body.get("custom_attributes")
    sent = _read_message(said)
    where = {"referer": sent.get("referer_url"), "browser_language": None, "browser": _BROWSER}
    draft: dict[str, Any] = {
        "custom_attributes": dict(told) if isinstance(told, dict) else {},
        "additional_attributes": {**where, "initiated_at": {"timestamp": sent.get("timestamp")}},
    }
    check(draft)
    return said.account.add_conversation(
        contact["id"],
        said.session.inbox,
        source_id=said.session.source,
        hmac_verified=said.session in said.account.signed_visitors,
        **draft,
    )


def _read_message(said: Said) -> Json:
    sent = said.body.get("message")
    return sent if isinstance(sent, dict) else {}


def _speak(said: Said, talk: Json) -> Json:
    sent = _read_message(said)
    answers = {"in_reply_to": sent.get("reply_to")}
    text = str(sent.get("content") or "")
    return add_spoken(said.account, talk, text, content_attributes=answers)


def send_message(said: Said) -> Answer:
    """Send it into the newest conversation; the first message opens one."""
    talk = said.conversation
    if talk is None:
        talk = _open_conversation(said, said.contact)
        tell_conversation_created(said.account, talk)
    message = _speak(said, talk)
    tell_message_created(said.account, talk, message)
    return 200, _show_message(said, talk, message, ("inbox_id", "private", "source_id"))


def _show_message(said: Said, talk: Json, message: Json, more: tuple[str, ...]) -> Json:
    keys = ("id", "content", "message_type", "content_attributes", "created_at", *more)
    sender = show_contact_event(said.account.contacts[talk["contact_id"]])
    shown = {key: message[key] for key in keys}
    return {**shown, "conversation_id": talk["id"], "sender": sender}


def set_attributes(said: Said) -> Answer:
    talk, sent = said.conversation, said.body.get("custom_attributes")
    if talk is None:
        return 404, None
    if not isinstance(sent, dict):
        raise Refusal(500, SERVER_ERROR)
    check(talk | {"custom_attributes": sent})
    change_conversation(said.account, talk, custom_attributes=dict(sent))
    return 204, None
