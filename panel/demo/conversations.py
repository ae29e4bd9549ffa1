"""The built-in Chatwoot's calls about conversations; an id here is the display id.

Source: controllers/api/v1/accounts/conversations_controller.rb, _conversation.json.jbuilder and
jsonb_attributes_length_validator.rb of v4.16.2. Writing custom attributes replaces the whole
object; the newer `merge` flag is honoured only where `account.merge` says that this Chatwoot knows
it. Every write checks all attributes, also those that it does not touch.
"""

from __future__ import annotations

from typing import Any

from panel.demo.account import Account, Answer, Ask, Refusal, Route, find_row, invalid
from panel.demo.events import change_conversation
from panel.demo.filters import CHOICE, EXACT, LABELS, MOMENT, TEXT, Column, choose_rows
from panel.demo.messages import count_unread, find_last, find_waiting, list_messages
from panel.demo.rails import SERVER_ERROR
from panel.demo.shapes import show_contact
from panel.demo.world import Json

_PER_PAGE = 25
_LONGEST_TEXT, _LARGEST_NUMBER = 1500, 9_999_999_999
# The order is that of lib/filters/filter_keys.yml, in which a refusal lists them.
_COLUMNS = {
    "status": Column(EXACT, lambda row: row["status"], every_value=True),
    "assignee_id": Column(CHOICE, lambda row: row["assignee_id"], every_value=True),
    "inbox_id": Column(CHOICE, lambda row: row["inbox_id"], every_value=True),
    "team_id": Column(CHOICE, lambda row: row["team_id"], every_value=True),
    "contact_id": Column(EXACT, lambda row: row["contact_id"], every_value=True),
    "priority": Column(EXACT, lambda row: row["priority"], every_value=True),
    "display_id": Column(TEXT, lambda row: row["id"], every_value=True),
    "campaign_id": Column(CHOICE, lambda row: row.get("campaign_id"), every_value=True),
    "labels": Column(LABELS, lambda row: row["labels"]),
    "browser_language": Column(EXACT, lambda row: _more(row, "browser_language")),
    "conversation_language": Column(EXACT, lambda row: _more(row, "conversation_language")),
    "referer": Column(TEXT, lambda row: _more(row, "referer")),
    "created_at": Column(MOMENT, lambda row: row["created_at"]),
    "last_activity_at": Column(MOMENT, lambda row: row["last_activity_at"]),
    "mail_subject": Column(TEXT, lambda row: _more(row, "mail_subject")),
}
STANDARD_KEYS = {*_COLUMNS, "country_code"} - {
    *("contact_id", "conversation_language", "mail_subject"),
}


def _more(row: Json, key: str) -> Any:
    return row["additional_attributes"].get(key)


def shown(account: Account, row: Json, user: Json | None = None, messages: bool = False) -> Json:
    """Return a conversation as `user` sees it: its last message, or (for the page) all."""
    last = find_last(account, row)
    hidden_keys = {"contact_id", "team_id", "assignee_id", "hmac_verified", "source_id"}
    return {
        "meta": _show_meta(account, row, user),
        **{key: value for key, value in row.items() if key not in hidden_keys},
        "messages": list_messages(account, row) if messages else [last] if last else [],
        "account_id": account.account_id,
        "agent_last_seen_at": 0,
        "assignee_last_seen_at": 0,
        "can_reply": True,
        "contact_last_seen_at": 0,
        "muted": False,
        "snoozed_until": None,
        "updated_at": float(row["updated_at"]),
        "timestamp": row["last_activity_at"],
        "first_reply_created_at": 0,
        "unread_count": count_unread(row),
        "last_non_activity_message": find_last(account, row, activity=False),
        "waiting_since": find_waiting(row),
        "sla_policy_id": None,
    }


def _show_meta(account: Account, row: Json, user: Json | None) -> Json:
    """Return its people; an assignee and a team stand there only where the row has them."""
    meta = {
        "sender": show_contact(account.contacts[row["contact_id"]], inboxes=False),
        "channel": account.inboxes.get(row["inbox_id"], {}).get("channel_type"),
    }
    assignee = account.agents.get(row["assignee_id"] or 0)
    if assignee:
        meta |= {"assignee": assignee, "assignee_type": "User"}
    team = account.teams.get(row["team_id"] or 0)
    if team:
        members = account.team_members[team["id"]]
        meta["team"] = {**team, "is_member": user is not None and user["id"] in members}
    return {**meta, "hmac_verified": row["hmac_verified"]}


def find_readable(account: Account, ask: Ask) -> Json:
    """Return the conversation of the call, if the user may read it."""
    row = find_row(account.conversations, ask.ids["conversation"])
    if not account.may_read(ask.user, row):
        raise Refusal(401, {"error": "You are not authorized to do this action"})
    return row


def _visible(account: Account, ask: Ask) -> list[Json]:
    rows = [r for r in account.conversations.values() if account.may_see(ask.user, r["inbox_id"])]
    return sorted(rows, key=lambda row: row["last_activity_at"], reverse=True)


def _page(account: Account, rows: list[Json], ask: Ask) -> list[Json]:
    start = (ask.page - 1) * _PER_PAGE
    return [shown(account, row, ask.user) for row in rows[start : start + _PER_PAGE]]


def _meta(rows: list[Json], ask: Ask) -> Json:
    own = sum(row["assignee_id"] == ask.user["id"] for row in rows)
    assigned = sum(row["assignee_id"] is not None for row in rows)
    return {
        "mine_count": own,
        "assigned_count": assigned,
        "unassigned_count": len(rows) - assigned,
        "all_count": len(rows),
    }


def index(account: Account, ask: Ask) -> Answer:
    status, inbox = ask.query.get("status", "open"), ask.query.get("inbox_id")
    rows = [
        row
        for row in _visible(account, ask)
        if status in ("all", row["status"]) and inbox in (None, str(row["inbox_id"]))
    ]
    return 200, {"data": {"meta": _meta(rows, ask), "payload": _page(account, rows, ask)}}


def matching(account: Account, ask: Ask) -> Answer:
    definitions = [
        row
        for row in account.definitions.values()
        if row["attribute_model"] == "conversation_attribute"
    ]
    columns = {key: column for key, column in _COLUMNS.items() if _knows(account, key)}
    rows = choose_rows(_visible(account, ask), ask.body.get("payload"), columns, definitions)
    counts = _meta(rows, ask)
    del counts["assigned_count"]
    return 200, {"meta": counts, "payload": _page(account, rows, ask)}


def _knows(account: Account, key: str) -> bool:
    """The file filter_keys.yml has the contact since v4.14.2."""
    return key != "contact_id" or account.is_since(4, 14, 2)


def show(account: Account, ask: Ask) -> Answer:
    return 200, shown(account, find_readable(account, ask), ask.user)


def write_attributes(account: Account, ask: Ask) -> Answer:
    row = find_readable(account, ask)
    attributes = ask.body.get("custom_attributes")
    if not isinstance(attributes, dict):
        raise Refusal(500, SERVER_ERROR)
    keep = account.merge and ask.body.get("merge") is True
    return _save(account, row, row["custom_attributes"] | attributes if keep else dict(attributes))


def destroy_attributes(account: Account, ask: Ask) -> Answer:
    row = find_readable(account, ask)
    names = set(ask.body.get("custom_attributes") or [])
    attributes = {key: value for key, value in row["custom_attributes"].items() if key not in names}
    return _save(account, row, attributes)


def _save(account: Account, row: Json, attributes: Json) -> Answer:
    check(row | {"custom_attributes": attributes})
    change_conversation(account, row, custom_attributes=attributes)
    return 200, {"custom_attributes": attributes}


def check(draft: Json) -> None:
    """Check today's limits, which an older row may break: then no change of it can be saved."""
    faults = [
        (column, f"{column.replace('_', ' ').capitalize()} {key} {words}")
        for column in ("additional_attributes", "custom_attributes")
        for key, value in draft[column].items()
        if (words := _find_fault(value))
    ]
    if faults:
        attributes = dict.fromkeys(column for column, _ in faults)
        raise invalid(", ".join(words for _, words in faults), *attributes)


def _find_fault(value: Any) -> str:
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        return f"length should be < {_LONGEST_TEXT}"
    if isinstance(value, int) and value > _LARGEST_NUMBER:
        return f"value should be < {_LARGEST_NUMBER}"
    return ""


ROUTES = (
    Route("GET", "/conversations", index),
    Route("POST", "/conversations/filter", matching),
    Route("GET", "/conversations/<int:conversation>", show),
    Route(
        "POST",
        "/conversations/<int:conversation>/custom_attributes",
        write_attributes,
        writes=True,
    ),
    Route(
        "POST",
        "/conversations/<int:conversation>/destroy_custom_attributes",
        destroy_attributes,
        writes=True,
    ),
)
