"""The identification of visitors: their keys merge them into the contact who has one of the keys.

Source: actions/contact_identify_action.rb and builders/contact_inbox_with_contact_builder.rb of
v4.16.2; a run showed that a key merges without any proof.
"""

from __future__ import annotations

import secrets
from typing import Any

from panel.demo.account import Account
from panel.demo.contacts import check, is_email, is_phone, join_contacts, merge_deeply
from panel.demo.events import change_contact, tell_contact_created
from panel.demo.world import Json

_KEYS = ("identifier", "email", "phone_number")  # in the order in which they merge
_MERGED = ("custom_attributes", "additional_attributes")
_USABLE = {"email": is_email, "phone_number": is_phone}


def identify(account: Account, contact: Json, stated_values: Json, keep_name: bool = False) -> Json:
    """Merge this contact into the one that has one of these keys; the other values are written over
    it.

    Values that are no e-mail or phone are left out. `keep_name`: the remaining contact keeps its
    name, as for the pre-chat form.
    """
    values = {key: stated_values[key] for key in ("name", *_KEYS) if stated_values.get(key)}
    for key in _KEYS:
        owner = find_owner(account, key, values.get(key))
        if owner is None:
            continue
        if not _may_join(owner, key, stated_values):
            del values[key]
        elif owner is not contact:
            join_contacts(account, owner, contact)
            contact = owner
        if owner is contact and keep_name:
            values.pop("name", None)
    change_contact(account, contact, _draft(account, contact, values, stated_values))
    return contact


def _may_join(owner: Json, key: str, values: Json) -> bool:
    """Tell whether the visitor is merged into the owner of this key. An owner with another
    identifier does not take part; nor, by phone, one with another e-mail."""
    identifier = values.get("identifier")
    if identifier and owner["identifier"] and owner["identifier"] != identifier:
        return False
    by_phone = key == "phone_number" and values.get("email") and owner["email"]
    return not by_phone or owner["email"] == values["email"]


def _draft(account: Account, contact: Json, values: Json, stated_values: Json) -> Json:
    usable = {key: value for key, value in values.items() if _USABLE.get(key, bool)(value)}
    if "email" in usable:
        usable["email"] = usable["email"].lower()
    columns = {
        key: merge_deeply(contact[key], stated_values[key])
        for key in _MERGED
        if isinstance(stated_values.get(key), dict) and stated_values[key]
    }
    draft = contact | usable | columns
    check(account, draft, contact["id"])
    return draft


def find_owner(account: Account, key: str, value: Any) -> Json | None:
    """Return the contact who has this value; an e-mail is compared without case."""
    key_value = value.lower() if key == "email" and isinstance(value, str) else value
    rows = [row for row in account.contacts.values() if key_value and row[key] == key_value]
    return rows[0] if rows else None


def build_contact(account: Account, inbox: int, source: str, values: Json) -> Json:
    """Return the contact who has one of the keys, or a new one, as it joins the inbox."""
    owners = (find_owner(account, key, values.get(key)) for key in _KEYS)
    contact = next((owner for owner in owners if owner), None)
    contact_inbox = {"inbox": account.inboxes[inbox], "source_id": source}
    if contact:
        contact["contact_inboxes"].append(contact_inbox)
        return contact
    name = values.get("name") or f"quiet-cloud-{secrets.randbelow(1000)}"
    fields = {key: values.get(key) or None for key in _KEYS} | {"name": name}
    fields |= {key: values.get(key) or {} for key in _MERGED}
    check(account, fields, None)
    contact = account.add_contact(None, **fields, contact_inboxes=[contact_inbox])
    tell_contact_created(account, contact)
    return contact
