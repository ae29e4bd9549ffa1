"""The built-in Chatwoot's calls about conversations; an id here is the display id.

Source: controllers/api/v1/accounts/conversations_controller.rb and _conversation.json.jbuilder of
v4.15.1. Writing custom attributes replaces the whole object; the newer `merge` flag is honoured
only where `account.merge` says that this Chatwoot knows it.
"""

from __future__ import annotations

from panel.demo.account import Account, Answer, Ask, Refusal, Route, found
from panel.demo.filters import Column, chosen
from panel.demo.messages import count_unread, find_last, list_messages
from panel.demo.world import Json

_PER_PAGE = 25
_LONGEST_VALUE = 1500
_COLUMNS = {
    "status": Column("exact", lambda row: row["status"], every_value=True),
    "inbox_id": Column("exact", lambda row: row["inbox_id"], every_value=True),
    "assignee_id": Column("exact", lambda row: row["assignee_id"], every_value=True),
    "priority": Column("exact", lambda row: row["priority"], every_value=True),
    "display_id": Column("text", lambda row: row["id"], every_value=True),
    "labels": Column("labels", lambda row: row["labels"]),
    "created_at": Column("date", lambda row: row["created_at"]),
    "last_activity_at": Column("date", lambda row: row["last_activity_at"]),
}


STANDARD_KEYS = {*_COLUMNS, "team_id", "referer"}


def shown(account: Account, row: Json, messages: bool = False) -> Json:
    """A conversation as the API shows it: its last message, or (for the page) all of them."""
    last = find_last(account, row)
    hidden = {"contact_id", "team_id", "assignee_id", "hmac_verified", "messages"}
    return {
        "meta": _meta_of(account, row),
        **{key: value for key, value in row.items() if key not in hidden},
        "messages": list_messages(account, row) if messages else [last] if last else [],
        "account_id": account.account_id,
        "agent_last_seen_at": 0,
        "assignee_last_seen_at": 0,
        "can_reply": True,
        "contact_last_seen_at": 0,
        "muted": False,
        "snoozed_until": None,
        "updated_at": float(row["last_activity_at"]),
        "timestamp": row["last_activity_at"],
        "first_reply_created_at": 0,
        "unread_count": count_unread(row),
        "last_non_activity_message": find_last(account, row, activity=False),
        "waiting_since": row["last_activity_at"],
        "sla_policy_id": None,
    }


def _meta_of(account: Account, row: Json) -> Json:
    """Who talks to whom; an assignee and a team stand there only where the row has them."""
    contact = account.contacts.get(row["contact_id"], {"id": row["contact_id"]})
    meta = {
        "sender": {key: value for key, value in contact.items() if key != "labels"},
        "channel": account.inboxes.get(row["inbox_id"], {}).get("channel_type"),
    }
    assignee = account.agents.get(row["assignee_id"] or 0)
    if assignee:
        meta |= {"assignee": assignee, "assignee_type": "User"}
    team = account.teams.get(row["team_id"] or 0)
    if team:
        # Whether who asks is a member is left at no: nothing is decided by it.
        meta["team"] = {**team, "is_member": False}
    return {**meta, "hmac_verified": row["hmac_verified"]}


def _seen(account: Account, ask: Ask) -> Json:
    row = found(account.conversations, ask.ids["conversation"])
    if not account.may_read(ask.user, row):
        raise Refusal(401, {"error": "You are not authorized to do this action"})
    return row


def _visible(account: Account, ask: Ask) -> list[Json]:
    rows = [r for r in account.conversations.values() if account.may_see(ask.user, r["inbox_id"])]
    return sorted(rows, key=lambda row: row["last_activity_at"], reverse=True)


def _page(account: Account, rows: list[Json], ask: Ask) -> list[Json]:
    start = (ask.page - 1) * _PER_PAGE
    return [shown(account, row) for row in rows[start : start + _PER_PAGE]]


def _meta(rows: list[Json], ask: Ask) -> Json:
    mine = sum(row["assignee_id"] == ask.user["id"] for row in rows)
    assigned = sum(row["assignee_id"] is not None for row in rows)
    return {
        "mine_count": mine,
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
    rows = chosen(_visible(account, ask), ask.body.get("payload"), _COLUMNS, definitions)
    return 200, {"meta": _meta(rows, ask), "payload": _page(account, rows, ask)}


def show(account: Account, ask: Ask) -> Answer:
    return 200, shown(account, _seen(account, ask))


def write_attributes(account: Account, ask: Ask) -> Answer:
    row = _seen(account, ask)
    sent = ask.body.get("custom_attributes")
    if not isinstance(sent, dict):
        sent = {}
    if any(len(value) > _LONGEST_VALUE for value in sent.values() if isinstance(value, str)):
        message = "Custom attributes length should be < 1500"
        raise Refusal(422, {"message": message, "attributes": ["custom_attributes"]})
    keep = account.merge and ask.body.get("merge") is True
    row["custom_attributes"] = row["custom_attributes"] | sent if keep else dict(sent)
    return 200, {"custom_attributes": row["custom_attributes"]}


def destroy_attributes(account: Account, ask: Ask) -> Answer:
    row = _seen(account, ask)
    gone = set(ask.body.get("custom_attributes") or [])
    kept = {key: value for key, value in row["custom_attributes"].items() if key not in gone}
    row["custom_attributes"] = kept
    return 200, {"custom_attributes": kept}


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
