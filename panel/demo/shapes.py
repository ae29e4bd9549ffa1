"""The forms in which the built-in Chatwoot shows people, teams and inboxes: which keys stand where.

Source: the recorded calls and deliveries, and models and views of v4.16.2. A contact is shown in
four ways: by the API, in messages and events, in webhooks, and (to a visitor) as its whole row.
"""

from __future__ import annotations

from panel.demo.rails import write_moment
from panel.demo.world import Json

_CONTACT = (
    *("additional_attributes", "availability_status", "email", "id", "name", "phone_number"),
    *("blocked", "identifier", "thumbnail", "custom_attributes"),
)
_CONTACT_EVENT = (
    *("additional_attributes", "custom_attributes", "email", "id", "identifier", "name"),
    *("phone_number", "thumbnail", "blocked"),
)
_CONTACT_COLUMNS = (
    *("id", "name", "email", "phone_number", "additional_attributes", "identifier"),
    *("custom_attributes", "contact_type", "blocked"),
)


def show_contact(contact: Json, inboxes: bool = True) -> Json:
    """Show a contact as the API does: without labels; without a last activity where there was
    none."""
    body = {key: contact[key] for key in _CONTACT}
    names = ("last_activity_at", "created_at")
    moments = {key: int(contact[key]) for key in names if contact[key]}
    extra = {"contact_inboxes": [show_contact_inbox(row) for row in contact["contact_inboxes"]]}
    return {**body, **moments, **(extra if inboxes else {})}


def show_contact_inbox(contact_inbox: Json) -> Json:
    """Show the contact's name in an inbox."""
    inbox = contact_inbox["inbox"]
    slim = {key: inbox[key] for key in ("id", "name", "channel_type")}
    placed = {"avatar_url": "", "channel_id": inbox.get("channel_id", 1), "provider": None}
    return {"source_id": contact_inbox["source_id"], "inbox": {**slim, **placed}}


def show_contact_event(contact: Json) -> Json:
    """Show a contact as messages and events do: without moments and inboxes."""
    return {**{key: contact.get(key) for key in _CONTACT_EVENT}, "type": "contact"}


def show_contact_webhook(contact: Json, account: Json) -> Json:
    body = {key: contact.get(key) for key in _CONTACT_EVENT}
    return {"account": account, "avatar": contact.get("thumbnail"), **body}


def show_contact_row(contact: Json, account: int) -> Json:
    """Show all columns, as two calls of the widget do to a visitor."""
    active = contact["last_activity_at"]
    return {
        **{key: contact[key] for key in _CONTACT_COLUMNS},
        "account_id": account,
        "last_activity_at": write_moment(active) if active else None,
        "created_at": write_moment(contact["created_at"]),
        "updated_at": write_moment(contact["updated_at"]),
        **dict.fromkeys(("middle_name", "last_name"), ""),
        "company_id": None,
        "location": contact["additional_attributes"].get("city"),
        "country_code": contact["additional_attributes"].get("country"),
    }


def show_agent_event(agent: Json) -> Json:
    return {
        "id": agent["id"],
        "name": agent.get("name"),
        "available_name": agent.get("available_name"),
        "avatar_url": "",
        "type": "user",
        "availability_status": agent.get("availability_status"),
        "thumbnail": "",
    }


def show_team_event(team: Json) -> Json:
    return {key: team[key] for key in ("id", "name", "icon", "icon_color")}
