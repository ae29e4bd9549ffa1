"""The built-in Chatwoot's calls that find contacts: list, search and filter, 15 a page.

Source: controllers/api/v1/accounts/contacts_controller.rb of v4.16.2. Search is a loose substring
over all contacts; list and filter see only those with an e-mail, a phone or an identifier.
"""

from __future__ import annotations

from panel.demo.account import Account, Answer, Ask, Refusal, Route
from panel.demo.filters import EXACT, FLAG, LABELS, MOMENT, PHONE, TEXT, Column, choose_rows
from panel.demo.shapes import show_contact
from panel.demo.world import Json

PER_PAGE = 15
# The order is that of lib/filters/filter_keys.yml, in which a refusal lists them.
_COLUMNS = {
    "name": Column(TEXT, lambda row: row["name"]),
    "phone_number": Column(PHONE, lambda row: row["phone_number"]),
    "email": Column(TEXT, lambda row: row["email"]),
    "identifier": Column(EXACT, lambda row: row["identifier"]),
    "country_code": Column(EXACT, lambda row: row["additional_attributes"].get("country_code")),
    "city": Column(TEXT, lambda row: row["additional_attributes"].get("city")),
    "company_name": Column(TEXT, lambda row: row["additional_attributes"].get("company_name")),
    "labels": Column(LABELS, lambda row: row["labels"]),
    "created_at": Column(MOMENT, lambda row: row["created_at"]),
    "last_activity_at": Column(MOMENT, lambda row: row["last_activity_at"]),
    "blocked": Column(FLAG, lambda row: row["blocked"]),
}
STANDARD_KEYS = {*_COLUMNS, "referer"} - {"labels"}


def _list_resolved(account: Account) -> list[Json]:
    """Return the resolved contacts: the others are invisible to list and filter, not to search."""
    keys = ("email", "phone_number", "identifier")
    return [row for row in account.contacts.values() if any(row[key] for key in keys)]


def _page(rows: list[Json], ask: Ask) -> list[Json]:
    start = (ask.page - 1) * PER_PAGE
    inboxes = ask.query.get("include_contact_inboxes", "true") == "true"
    return [show_contact(row, inboxes) for row in rows[start : start + PER_PAGE]]


def index(account: Account, ask: Ask) -> Answer:
    rows = _sort(_list_resolved(account), ask.query.get("sort", ""))
    meta = {"count": len(rows), "current_page": ask.asked_page}
    return 200, {"meta": meta, "payload": _page(rows, ask)}


def _sort(rows: list[Json], sort: str) -> list[Json]:
    key = sort.removeprefix("-")
    if key not in ("name", "email", "phone_number", "last_activity_at", "created_at"):
        return rows
    rows_with_value = [row for row in rows if row[key] is not None]
    rows_with_value.sort(key=lambda row: row[key], reverse=sort.startswith("-"))
    return rows_with_value + [row for row in rows if row[key] is None]


def search(account: Account, ask: Ask) -> Answer:
    text = ask.query.get("q", "").strip()
    if not text:
        raise Refusal(422, {"error": "Specify search string with parameter q"})
    rows = [row for row in account.contacts.values() if _resembles(row, text)]
    page = _page(rows, ask)
    more = len(rows) > ask.page * PER_PAGE
    return 200, {
        "meta": {"count": len(page), "current_page": ask.asked_page, "has_more": more},
        "payload": page,
    }


def _resembles(row: Json, text: str) -> bool:
    """Tell whether a row contains the text. The identifier is compared with case, the other fields
    without."""
    loose = (row["name"], row["email"], row["phone_number"])
    found_loose = any(text.lower() in (value or "").lower() for value in loose)
    return found_loose or text in (row["identifier"] or "")


def matching(account: Account, ask: Ask) -> Answer:
    definitions = [
        row for row in account.definitions.values() if row["attribute_model"] == "contact_attribute"
    ]
    rows = choose_rows(_list_resolved(account), ask.body.get("payload"), _COLUMNS, definitions)
    meta = {"count": len(rows), "current_page": ask.asked_page}
    return 200, {"meta": meta, "payload": _page(rows, ask)}


ROUTES = (
    Route("GET", "/contacts", index),
    Route("GET", "/contacts/search", search),
    Route("POST", "/contacts/filter", matching),
)
