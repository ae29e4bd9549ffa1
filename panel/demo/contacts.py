"""The built-in Chatwoot's calls about contacts, with the real one's traps.

Source: controllers/api/v1/accounts/contacts_controller.rb, models/contact.rb, actions of v4.15.1:
no upsert; unique e-mail (without case), identifier and phone; the whole record is validated on
every update; custom attributes are merged shallowly; `identifier: ""` runs into the database.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

from panel.demo.account import Account, Answer, Ask, Refusal, Route, found, invalid
from panel.demo.contact_lists import shown
from panel.demo.conversations import shown as shown_conversation
from panel.demo.world import Json

_LAST_CONVERSATIONS = 20
_FIELDS = ("name", "email", "phone_number", "identifier", "blocked")
_MERGED = ("custom_attributes", "additional_attributes")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_E164 = re.compile(r"\+[1-9]\d{1,14}\Z")


def create(account: Account, ask: Ask) -> Answer:
    draft = _changed({"custom_attributes": {}, "additional_attributes": {}}, ask.body)
    check(account, draft, None)
    contact = account.add_contact(None, **draft)
    joined = _joined(account, contact, ask.body)
    return 200, {"payload": {"contact": shown(contact), "contact_inbox": joined}}


def _joined(account: Account, contact: Json, body: Json) -> Json:
    """Link the new contact to the inbox that the call names, if any."""
    if not body.get("inbox_id"):
        return {"inbox": None, "source_id": None}
    inbox = found(account.inboxes, int(body["inbox_id"]))
    joined = {"inbox": inbox, "source_id": body.get("source_id") or str(uuid.uuid4())}
    contact["contact_inboxes"].append(joined)
    return joined


def show(account: Account, ask: Ask) -> Answer:
    return 200, {"payload": shown(found(account.contacts, ask.ids["contact"]))}


def update(account: Account, ask: Ask) -> Answer:
    contact = found(account.contacts, ask.ids["contact"])
    draft = _changed(contact, ask.body)
    check(account, draft, contact["id"])
    contact.update(draft)
    return 200, {"payload": shown(contact)}


def _changed(contact: Json, body: Json) -> Json:
    """The record after the change: fields replaced, the two JSON columns merged shallowly."""
    fields = {key: body[key] for key in _FIELDS if key in body}
    if fields.get("identifier") == "":
        raise Refusal(500, {"status": 500, "error": "Internal Server Error"})
    for key in ("email", "phone_number"):
        if key in fields:
            fields[key] = (fields[key] or "").strip() or None
    if fields.get("email"):
        fields["email"] = fields["email"].lower()
    merged = {key: contact[key] | body[key] for key in _MERGED if isinstance(body.get(key), dict)}
    return contact | fields | merged


def check(account: Account, draft: Json, own: int | None) -> None:
    """Chatwoot validates the whole record, also what the call does not touch."""
    others = [row for row in account.contacts.values() if row["id"] != own]
    faults: dict[str, str] = {}
    email, phone, identifier = (draft.get(k) for k in ("email", "phone_number", "identifier"))
    if email and not _EMAIL.fullmatch(email):
        faults["email"] = "Invalid email"
    if phone and not _E164.search(phone):
        faults["phone_number"] = "Phone number should be in e164 format"
    if email and any((row["email"] or "").lower() == email.lower() for row in others):
        faults["email"] = "Email has already been taken"
    if identifier and any(row["identifier"] == identifier for row in others):
        faults["identifier"] = "Identifier has already been taken"
    if phone and any(row["phone_number"] == phone for row in others):
        faults.setdefault("phone_number", "Phone number has already been taken")
    for key in ("name", "email", "identifier"):
        if len(draft.get(key) or "") > 255:
            faults[key] = f"{key.capitalize()} is too long (maximum is 255 characters)"
    if faults:
        raise invalid(", ".join(faults.values()), *faults)


def delete(account: Account, ask: Ask) -> Answer:
    contact = found(account.contacts, ask.ids["contact"])
    if contact["availability_status"] == "online":
        raise Refusal(422, {"message": f"{contact['name']} is currently online"})
    del account.contacts[contact["id"]]
    for number, conversation in list(account.conversations.items()):
        if conversation["contact_id"] == contact["id"]:
            del account.conversations[number]
    return 200, None


def destroy_attributes(account: Account, ask: Ask) -> Answer:
    contact = found(account.contacts, ask.ids["contact"])
    gone = set(ask.body.get("custom_attributes") or [])
    kept = {key: value for key, value in contact["custom_attributes"].items() if key not in gone}
    check(account, contact, contact["id"])
    contact["custom_attributes"] = kept
    return 200, {"payload": shown(contact)}


def conversations(account: Account, ask: Ask) -> Answer:
    contact = found(account.contacts, ask.ids["contact"])
    rows = [
        row
        for row in account.conversations.values()
        if row["contact_id"] == contact["id"] and account.may_see(ask.user, row["inbox_id"])
    ]
    rows.sort(key=lambda row: row["last_activity_at"], reverse=True)
    last = rows[:_LAST_CONVERSATIONS]
    return 200, {"payload": [shown_conversation(account, row) for row in last]}


def merge(account: Account, ask: Ask) -> Answer:
    """The base survives and its values win; conversations move; the other one is gone."""
    base = found(account.contacts, int(ask.body.get("base_contact_id") or 0))
    other = found(account.contacts, int(ask.body.get("mergee_contact_id") or 0))
    if base is not other:
        join_contacts(account, base, other)
    return 200, shown(base)


def join_contacts(account: Account, base: Json, other: Json) -> None:
    """The base survives and its values win."""
    for conversation in account.conversations.values():
        if conversation["contact_id"] == other["id"]:
            conversation["contact_id"] = base["id"]
    del account.contacts[other["id"]]
    base.update({key: base[key] or other[key] for key in _FIELDS})
    base.update({key: _deep(other[key], base[key]) for key in _MERGED})
    base["contact_inboxes"] = base["contact_inboxes"] + other["contact_inboxes"]


def _deep(under: Any, over: Any) -> Any:
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    both = {key: _deep(under[key], over[key]) for key in under.keys() & over.keys()}
    return under | over | both


ROUTES = (
    Route("POST", "/contacts", create, writes=True),
    Route("GET", "/contacts/<int:contact>", show),
    Route("PUT", "/contacts/<int:contact>", update, writes=True),
    Route("PATCH", "/contacts/<int:contact>", update, writes=True),
    Route("DELETE", "/contacts/<int:contact>", delete, admin=True, writes=True),
    Route(
        "POST", "/contacts/<int:contact>/destroy_custom_attributes", destroy_attributes, writes=True
    ),
    Route("GET", "/contacts/<int:contact>/conversations", conversations),
    Route("POST", "/actions/contact_merge", merge, writes=True),
)
