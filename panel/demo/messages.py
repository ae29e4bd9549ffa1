"""How the built-in Chatwoot's API shows a message, which it does twice in every conversation.

Source: Message#push_event_data of v4.16.2 and the recorded calls. A message is shown with its
content, its processed content, and (a mail) with its texts three times each.
"""

from __future__ import annotations

from panel.demo.account import Account
from panel.demo.rails import write_moment
from panel.demo.shapes import show_agent_event, show_contact_event
from panel.demo.world import Json

ACTIVITY = 2  # a message type: what Chatwoot notes about the conversation itself


def list_messages(account: Account, conversation: Json) -> list[Json]:
    """Return all messages, oldest first, as the API shows them."""
    return [show_message(account, conversation, row) for row in conversation["messages"]]


def find_last(account: Account, conversation: Json, activity: bool = True) -> Json | None:
    """Return the last message; without `activity`, the last one that a person wrote."""
    rows = conversation["messages"]
    messages = [row for row in rows if activity or row["message_type"] != ACTIVITY]
    return show_message(account, conversation, messages[-1]) if messages else None


def show_message(account: Account, conversation: Json, row: Json) -> Json:
    content = row["content_attributes"]
    sender = _show_sender(account, conversation, row["sender"])
    body = {
        "id": row["id"],
        "content": row["content"],
        "account_id": account.account_id,
        "inbox_id": conversation["inbox_id"],
        "conversation_id": conversation["id"],
        "message_type": row["message_type"],
        "created_at": row["created_at"],
        "updated_at": write_moment(row["created_at"]),
        "private": row["private"],
        "status": "sent",
        "source_id": row["source_id"],
        "content_type": row["content_type"],
        "content_attributes": content,
        "sender_type": {"contact": "Contact", "user": "User"}.get(sender.get("type", "")),
        "sender_id": sender.get("id"),
        "external_source_ids": {},
        "additional_attributes": {},
        "processed_message_content": _process(row["content"], content),
        "sentiment": {},
        "conversation": _show_place(account, conversation),
    }
    return {**body, "sender": sender} if sender else body


def _process(text: str, content: Json) -> str:
    """Return the new part of a mail; of any other message, all of it."""
    mail = content.get("email") or {}
    parts = [mail.get(name, {}).get("quoted") for name in ("text_content", "html_content")]
    return str(next((part for part in parts if part is not None), text))


def _show_place(account: Account, conversation: Json) -> Json:
    return {
        "assignee_id": conversation["assignee_id"],
        "unread_count": count_unread(conversation),
        "last_activity_at": conversation["last_activity_at"],
        "contact_inbox": {"source_id": find_source(account, conversation)},
    }


def count_unread(conversation: Json) -> int:
    """Count the customer's last messages, ten at most; no agent has read them."""
    incoming = [row for row in conversation["messages"] if row["message_type"] == 0]
    return min(len(incoming), 10)


def find_waiting(conversation: Json) -> int:
    """Return when the customer's wait began: 0 where an agent wrote last, notes aside."""
    waiting = 0
    for row in conversation["messages"]:
        if row["message_type"] == 0:
            waiting = waiting or row["created_at"]
        elif row["message_type"] == 1 and not row["private"]:
            waiting = 0
    return waiting


def find_source(account: Account, conversation: Json) -> str:
    """Return the contact's name in the channel of this conversation."""
    if conversation["source_id"]:
        return str(conversation["source_id"])
    contact = account.contacts.get(conversation["contact_id"], {})
    contact_inboxes = [
        str(row["source_id"])
        for row in contact.get("contact_inboxes", ())
        if row["inbox"]["id"] == conversation["inbox_id"]
    ]
    return contact_inboxes[0] if contact_inboxes else str(conversation["uuid"])


def _show_sender(account: Account, conversation: Json, sender: Json | None) -> Json:
    if sender is None:
        return {}
    if sender["type"] == "contact":
        return show_contact_event(account.contacts.get(conversation["contact_id"], sender))
    return show_agent_event(account.agents.get(sender["id"], sender))
