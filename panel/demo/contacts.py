"""The built-in Chatwoot's calls about contacts, with the real one's traps.

Source: controllers/api/v1/accounts/contacts_controller.rb, models/contact.rb, actions of v4.16.2:
no upsert; unique e-mail (without case), identifier and phone; the whole record is validated on
every update; custom attributes are merged shallowly by a call and deeply by a merge, and have no
limits; a second `identifier: ""` runs into the database.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

from panel.demo.account import Account, Answer, Ask, Refusal, Route, find_row, invalid
from panel.demo.conversations import shown as show_conversation
from panel.demo.events import change_contact, tell_contact_created
from panel.demo.rails import SERVER_ERROR
from panel.demo.shapes import show_contact, show_contact_inbox
from panel.demo.world import Json

_LAST_CONVERSATIONS = 20
_LONGEST = 255
_FIELDS = ("name", "email", "phone_number", "identifier", "blocked")
_KEYS = ("identifier", "name", "email", "phone_number")  # what a merge takes over
_MERGED = ("custom_attributes", "additional_attributes")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_E164 = re.compile(r"\+[1-9]\d{1,14}\Z")


def create(account: Account, ask: Ask) -> Answer:
    draft = _apply({"custom_attributes": {}, "additional_attributes": {}}, ask.body)
    check(account, draft, None)
    contact = account.add_contact(None, **draft)
    contact_inbox = _join(account, contact, ask.body)
    tell_contact_created(account, contact)
    return 200, {"payload": {"contact": show_contact(contact), "contact_inbox": contact_inbox}}


def _join(account: Account, contact: Json, body: Json) -> Json:
    """Link the new contact to the inbox that the call names, if any."""
    if not body.get("inbox_id"):
        return {"inbox": None, "source_id": None}
    inbox = find_row(account.inboxes, int(body["inbox_id"]))
    contact_inbox = {"inbox": inbox, "source_id": body.get("source_id") or str(uuid.uuid4())}
    contact["contact_inboxes"].append(contact_inbox)
    return show_contact_inbox(contact_inbox)


def _answer(ask: Ask, contact: Json) -> Answer:
    inboxes = ask.query.get("include_contact_inboxes", "true") == "true"
    return 200, {"payload": show_contact(contact, inboxes)}


def show(account: Account, ask: Ask) -> Answer:
    return _answer(ask, find_row(account.contacts, ask.ids["contact"]))


def update(account: Account, ask: Ask) -> Answer:
    contact = find_row(account.contacts, ask.ids["contact"])
    draft = _apply(contact, ask.body)
    check(account, draft, contact["id"])
    change_contact(account, contact, draft)
    return _answer(ask, contact)


def _apply(contact: Json, body: Json) -> Json:
    """Return the changed record: fields replaced, the two JSON columns merged shallowly."""
    fields = {key: body[key] for key in _FIELDS if key in body}
    if "email" in fields:
        fields["email"] = (fields["email"] or "").lower() or None
    columns = {key: contact[key] | body[key] for key in _MERGED if isinstance(body.get(key), dict)}
    return contact | fields | columns


def check(account: Account, draft: Json, own: int | None) -> None:
    """Check the whole record as Chatwoot does, also fields that the call does not touch."""
    other_rows = [row for row in account.contacts.values() if row["id"] != own]
    if draft.get("identifier") == "" and any(row["identifier"] == "" for row in other_rows):
        # Chatwoot has no rule against it, but the database's unique index has.
        raise Refusal(500, SERVER_ERROR)
    faults = [*_find_long(draft), *_find_taken_or_wrong(draft, other_rows)]
    if faults:
        attributes = dict.fromkeys(attribute for attribute, _ in faults)
        raise invalid(", ".join(words for _, words in faults), *attributes)


def _find_long(draft: Json) -> list[tuple[str, str]]:
    names = ("name", "email", "phone_number", "identifier")
    long = [name for name in names if len(draft.get(name) or "") > _LONGEST]
    words = f"is too long (maximum is {_LONGEST} characters)"
    return [(name, f"{_label(name)} {words}") for name in long]


def _find_taken_or_wrong(draft: Json, rows: list[Json]) -> list[tuple[str, str]]:
    """Return the wrong fields in the order of Chatwoot's rules."""
    faults = []
    email, phone = draft.get("email"), draft.get("phone_number")
    for name in ("email", "identifier", "phone_number"):
        value = _fold(name, draft.get(name))
        if value and any(_fold(name, row[name]) == value for row in rows):
            faults.append((name, f"{_label(name)} has already been taken"))
        if name == "email" and email and not is_email(email):
            faults.append((name, "Email Invalid email"))
        if name == "phone_number" and phone and not is_phone(phone):
            faults.append((name, "Phone number should be in e164 format"))
    return faults


def is_email(text: str) -> bool:
    return _EMAIL.fullmatch(text) is not None


def is_phone(text: str) -> bool:
    """Tell whether the text ends in a number of E.164, whatever stands before it."""
    return _E164.search(text) is not None


def _fold(name: str, value: str | None) -> str:
    return (value or "").lower() if name == "email" else value or ""


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def delete(account: Account, ask: Ask) -> Answer:
    contact = find_row(account.contacts, ask.ids["contact"])
    if contact["availability_status"] == "online":
        raise Refusal(422, {"message": f"{contact['name']} is currently online"})
    del account.contacts[contact["id"]]
    for number, conversation in list(account.conversations.items()):
        if conversation["contact_id"] == contact["id"]:
            del account.conversations[number]
    return 200, None


def destroy_attributes(account: Account, ask: Ask) -> Answer:
    contact = find_row(account.contacts, ask.ids["contact"])
    names = set(ask.body.get("custom_attributes") or [])
    attributes = {
        key: value for key, value in contact["custom_attributes"].items() if key not in names
    }
    check(account, contact, contact["id"])
    change_contact(account, contact, contact | {"custom_attributes": attributes})
    return 200, {"payload": show_contact(contact)}


def conversations(account: Account, ask: Ask) -> Answer:
    contact = find_row(account.contacts, ask.ids["contact"])
    rows = [
        row
        for row in account.conversations.values()
        if row["contact_id"] == contact["id"] and account.may_see(ask.user, row["inbox_id"])
    ]
    rows.sort(key=lambda row: row["last_activity_at"], reverse=True)
    last = rows[:_LAST_CONVERSATIONS]
    return 200, {"payload": [show_conversation(account, row, ask.user) for row in last]}


def merge(account: Account, ask: Ask) -> Answer:
    """Merge two contacts. The base survives and its values win; conversations move; the other
    contact is deleted."""
    base = find_row(account.contacts, int(ask.body.get("base_contact_id") or 0))
    other = find_row(account.contacts, int(ask.body.get("mergee_contact_id") or 0))
    if base is not other:
        join_contacts(account, base, other)
    return 200, show_contact(base, inboxes=False)


def join_contacts(account: Account, base: Json, other: Json) -> None:
    """Merge two rows. The base survives and its values win, key by key down to the last level."""
    draft = base | {key: base[key] or other[key] for key in _KEYS}
    draft |= {key: merge_deeply(other[key], base[key]) for key in _MERGED}
    del account.contacts[other["id"]]
    try:
        check(account, draft, base["id"])
    except Refusal:
        account.contacts[other["id"]] = other
        raise
    for conversation in account.conversations.values():
        if conversation["contact_id"] == other["id"]:
            conversation["contact_id"] = base["id"]
    base["contact_inboxes"] = base["contact_inboxes"] + other["contact_inboxes"]
    change_contact(account, base, draft | {"contact_inboxes": base["contact_inboxes"]})


def merge_deeply(under: Any, over: Any) -> Any:
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    both = {key: merge_deeply(under[key], over[key]) for key in under.keys() & over.keys()}
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
