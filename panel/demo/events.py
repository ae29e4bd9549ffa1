"""The events of the built-in Chatwoot: the bodies of its webhooks, and the changes that send one.

Source: the recorded deliveries; webhook_listener.rb and the presenters of v4.16.2. Chatwoot sends
them by several workers, in any order; here they come in the order of the changes.
"""

from __future__ import annotations

import time
from typing import Any

from panel.demo.account import Account
from panel.demo.messages import ACTIVITY, count_unread, find_source, show_message
from panel.demo.rails import write_moment
from panel.demo.shapes import (
    show_agent_event,
    show_contact_event,
    show_contact_webhook,
    show_team_event,
)
from panel.demo.world import Json

# The order is that of the columns, in which `changed_attributes` names them.
_CONTACT_CHANGES = (
    *("name", "email", "phone_number", "updated_at", "additional_attributes", "identifier"),
    *("custom_attributes", "last_activity_at", "contact_type", "blocked"),
)
_CONVERSATION_CHANGES = ("status", "assignee_id", "updated_at", "team_id", "custom_attributes")
_MOMENTS = ("updated_at", "last_activity_at")
_MESSAGE_TYPES = ("incoming", "outgoing", "activity", "template")


def tell_contact_created(account: Account, contact: Json) -> None:
    account.publish({**show_contact_webhook(contact, _place(account)), "event": "contact_created"})


def change_contact(account: Account, contact: Json, draft: Json) -> None:
    """Write the draft into the row; without a change no event is sent.

    A visitor who can be reached is a lead from now on.
    """
    if draft["contact_type"] == "visitor" and (draft["email"] or draft["phone_number"]):
        draft = {**draft, "contact_type": "lead"}
    changes = _write(contact, draft, _CONTACT_CHANGES)
    if changes:
        body = show_contact_webhook(contact, _place(account))
        account.publish({**body, "event": "contact_updated", "changed_attributes": changes})


def change_conversation(account: Account, conversation: Json, **fields: Any) -> None:
    """Write `custom_attributes`, `status`, `assignee_id` or `team_id`."""
    changes = _write(conversation, conversation | fields, _CONVERSATION_CHANGES)
    names = ["conversation_updated"] if changes else []
    if any("status" in row for row in changes):
        names.insert(0, "conversation_status_changed")
    for name in names:
        body = _show_conversation(account, conversation)
        account.publish({**body, "event": name, "changed_attributes": changes})


def tell_conversation_created(account: Account, conversation: Json) -> None:
    account.publish({**_show_conversation(account, conversation), "event": "conversation_created"})


def add_spoken(account: Account, conversation: Json, text: str, **fields: Any) -> Json:
    """Add a message that is sent just now, which makes the contact active."""
    message = account.add_message(conversation["id"], text, **fields)
    conversation["last_activity_at"] = message["created_at"]
    return message


def tell_message_created(account: Account, conversation: Json, message: Json) -> None:
    """Send the event of a new message, by which its contact becomes active."""
    contact = account.contacts[conversation["contact_id"]]
    if message["message_type"] == 0:
        change_contact(account, contact, contact | {"last_activity_at": time.time()})
    account.publish({**_show_message(account, conversation, message), "event": "message_created"})


def _write(row: Json, draft: Json, columns: tuple[str, ...]) -> list[Json]:
    """Update the row; returns the changes, with the time of the change before them."""
    before = dict(row)
    row.update(draft)
    if all(before.get(key) == row.get(key) for key in columns):
        return []
    row["updated_at"] = time.time()
    keys = [key for key in columns if before.get(key) != row.get(key)]
    return [
        {key: {"previous_value": _show(key, before), "current_value": _show(key, row)}}
        for key in keys
    ]


def _show(key: str, row: Json) -> Any:
    value = row.get(key)
    return write_moment(value) if key in _MOMENTS and value else value


def _place(account: Account) -> Json:
    return {"id": account.account_id, "name": account.name}


def _show_conversation(account: Account, row: Json) -> Json:
    """Show it with the last message that was written to or by the contact."""
    messages = [m for m in row["messages"] if m["message_type"] != ACTIVITY and not m["private"]]
    assignee = account.agents.get(row["assignee_id"] or 0)
    team = account.teams.get(row["team_id"] or 0)
    meta = {
        "sender": show_contact_event(account.contacts[row["contact_id"]]),
        "assignee": show_agent_event(assignee) if assignee else None,
        "assignee_type": "User" if assignee else None,
        "team": show_team_event(team) if team else None,
        "hmac_verified": row["hmac_verified"],
    }
    names = ("id", "inbox_id", "labels", "status", "custom_attributes", "priority")
    return {
        **{key: row[key] for key in (*names, "additional_attributes", "created_at")},
        "can_reply": True,
        "channel": account.inboxes.get(row["inbox_id"], {}).get("channel_type"),
        "contact_inbox": _show_contact_inbox(account, row),
        "messages": [show_message(account, row, messages[-1])] if messages else [],
        "meta": meta,
        "snoozed_until": None,
        "unread_count": count_unread(row),
        "first_reply_created_at": None,
        "waiting_since": row["created_at"],
        "agent_last_seen_at": 0,
        "contact_last_seen_at": 0,
        "last_activity_at": row["last_activity_at"],
        "timestamp": row["last_activity_at"],
        "updated_at": float(row["updated_at"]),
        "account": _place(account),
    }


def _show_contact_inbox(account: Account, row: Json) -> Json:
    moment = write_moment(row["created_at"])
    return {
        "id": row["id"],
        "contact_id": row["contact_id"],
        "inbox_id": row["inbox_id"],
        "source_id": find_source(account, row),
        "created_at": moment,
        "updated_at": moment,
        "hmac_verified": row["hmac_verified"],
        "pubsub_token": f"pubsub-{row['id']}",
    }


def _show_message(account: Account, conversation: Json, row: Json) -> Json:
    inbox = account.inboxes[conversation["inbox_id"]]
    contact = account.contacts[conversation["contact_id"]]
    sender = row["sender"] or {"type": None}
    person = show_contact_webhook(contact, _place(account)) if sender["type"] == "contact" else None
    if sender["type"] == "user":
        agent = account.agents[sender["id"]]
        person = {**{key: agent[key] for key in ("id", "name", "email")}, "type": "user"}
    return {
        "account": _place(account),
        "additional_attributes": {},
        "content_attributes": row["content_attributes"],
        "content_type": row["content_type"],
        "content": row["content"],
        "conversation": _show_conversation(account, conversation),
        "created_at": write_moment(row["created_at"]),
        "id": row["id"],
        "inbox": {"id": inbox["id"], "name": inbox["name"]},
        "message_type": _MESSAGE_TYPES[row["message_type"]],
        "private": row["private"],
        "sender": person,
        "source_id": row["source_id"],
    }
