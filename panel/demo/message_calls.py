"""The built-in Chatwoot's calls about the messages of a conversation.

Source: messages_controller.rb, message_builder.rb and message.rb of v4.16.2; no call was recorded.
A list has twenty messages, the last ones or those before `before`. Errors of the builder are
answered with 422.
"""

from __future__ import annotations

from panel.demo.account import Account, Answer, Ask, Refusal, Route
from panel.demo.conversations import find_readable
from panel.demo.events import add_spoken, tell_message_created
from panel.demo.messages import list_messages, show_message

_PER_PAGE = 20
_LONGEST = 150_000


def index(account: Account, ask: Ask) -> Answer:
    row = find_readable(account, ask)
    messages = list_messages(account, row)
    before = ask.query.get("before", "")
    if before.isdigit():
        messages = [message for message in messages if message["id"] < int(before)]
    meta = {"labels": row["labels"], "additional_attributes": row["additional_attributes"]}
    return 200, {"meta": meta, "payload": messages[-_PER_PAGE:]}


def create(account: Account, ask: Ask) -> Answer:
    """Create an agent's message; `source_id` is stored, as for any message."""
    row = find_readable(account, ask)
    text = ask.body.get("content") or ""
    if ask.body.get("message_type") == "incoming":
        raise Refusal(422, {"error": "Incoming messages are only allowed in Api inboxes"})
    if len(text) > _LONGEST:
        raise Refusal(422, {"error": f"Content is too long (maximum is {_LONGEST} characters)"})
    fields = {
        "message_type": 1,
        "private": ask.body.get("private") is True,
        "source_id": ask.body.get("source_id"),
        "sender": {"id": ask.user["id"], "type": "user"},
    }
    message = add_spoken(account, row, text, **fields)
    tell_message_created(account, row, message)
    return 200, show_message(account, row, message)


ROUTES = (
    Route("GET", "/conversations/<int:conversation>/messages", index),
    Route("POST", "/conversations/<int:conversation>/messages", create, writes=True),
)
