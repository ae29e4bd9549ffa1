"""The defaults of a new row of the built-in Chatwoot."""

from __future__ import annotations

import time
import uuid
from typing import Any

from panel.demo.world import Json


def agent_row(agent: int, account: int, name: str, email: str, role: str) -> Json:
    return {
        "id": agent,
        "account_id": account,
        "availability_status": "online",
        "auto_offline": True,
        "confirmed": True,
        "email": email,
        "provider": "email",
        "available_name": name,
        "name": name,
        "role": role,
        "thumbnail": "",
    }


def team_row(team: int, account: int, name: str) -> Json:
    """Chatwoot writes the names of teams in lower case."""
    return {
        "id": team,
        "name": name.lower(),
        "description": None,
        "allow_auto_assign": True,
        "icon": "",
        "icon_color": "",
        "account_id": account,
    }


def contact_row(contact: int, fields: Json) -> Json:
    row: Json = {
        "id": contact,
        "name": "",
        "email": None,
        "phone_number": None,
        "identifier": None,
        "blocked": False,
        "thumbnail": "",
        "availability_status": "offline",
        "additional_attributes": {},
        "custom_attributes": {},
        "contact_inboxes": [],
        "labels": [],
        "last_activity_at": None,
        "created_at": int(time.time()),
    }
    row |= fields
    kind = "lead" if row["email"] or row["phone_number"] else "visitor"
    return {"contact_type": kind, "updated_at": float(row["created_at"]), **row}


def conversation_row(conversation: int, contact: int, inbox: int, fields: Json) -> Json:
    now = int(time.time())
    row: Json = {
        "id": conversation,
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, f"conversation {conversation}")),
        "contact_id": contact,
        "inbox_id": inbox,
        "source_id": None,
        "team_id": None,
        "status": "open",
        "priority": None,
        "labels": [],
        "custom_attributes": {},
        "additional_attributes": {},
        "messages": [],
        "assignee_id": None,
        "hmac_verified": False,
        "created_at": now,
        "last_activity_at": now,
    }
    row |= fields
    return {"updated_at": float(row["created_at"]), **row}


def message_row(message: int, conversation: Json, text: str, fields: Json) -> Json:
    """`message_type`: 0 incoming, 1 outgoing, 2 activity; `sender`: its id and type, or None."""
    row: Json = {
        "id": message,
        "content": text,
        "content_type": "text",
        "content_attributes": {},
        "message_type": 0,
        "private": False,
        "source_id": None,
        "sender": {"id": conversation["contact_id"], "type": "contact"},
        "inbox_id": conversation["inbox_id"],
        "conversation_id": conversation["id"],
        "created_at": int(time.time()),
    }
    return row | fields


def mail_attributes(text: str, html: str | None, headers: dict[str, Any]) -> Json:
    """Return `content_attributes` of a mail: `headers` has from, to, cc, subject, date and
    message_id.

    The text and the HTML stand there three times each. (mail_presenter.rb, and a recording.)
    """
    body: Json = {"text_content": _three_times(text), "html_content": {}}
    if html is not None:
        body["html_content"] = _three_times(html)
    email: Json = {"bcc": None, "cc": None, "headers": None, "in_reply_to": None, "references": []}
    kind = "text/plain" if html is None else "multipart/alternative"
    shape = {"content_type": kind, "multipart": html is not None, "number_of_attachments": 0}
    mail = {**email, **headers, **shape, **body, "auto_reply": False}
    return {"email": mail, "cc_email": mail["cc"], "bcc_email": mail["bcc"]}


def _three_times(content: str) -> Json:
    return {"full": content, "reply": content, "quoted": content.rstrip()}
