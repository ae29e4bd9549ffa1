"""The built-in Chatwoot's calls about attribute definitions, dashboard apps and webhooks.

Source: the controllers and models of v4.16.2. Only administrators may write dashboard apps, as in
Chatwoot since 4.16; before, any agent could. Webhooks have a secret, which every list shows, since
4.11.2.
"""

from __future__ import annotations

import re
import secrets
import time
from typing import Any

from panel.demo import contact_lists, conversations
from panel.demo.account import Account, Answer, Ask, Refusal, Route, find_row, invalid, unwrap
from panel.demo.rails import SERVER_ERROR, write_moment
from panel.demo.world import Json

_MODELS = ("conversation_attribute", "contact_attribute", "company_attribute")
_TYPES = ("text", "number", "currency", "percent", "link", "date", "list", "checkbox")
_DEFINITION_FIELDS: Json = {
    "attribute_key": None,
    "attribute_display_name": None,
    "attribute_description": None,
    "attribute_values": [],
    "regex_pattern": None,
    "regex_cue": None,
    "default_value": None,
}
_RESERVED = {
    "contact_attribute": contact_lists.STANDARD_KEYS,
    "conversation_attribute": conversations.STANDARD_KEYS,
}
DEFAULT_EVENTS = (
    *("conversation_status_changed", "conversation_updated", "conversation_created"),
    *("contact_created", "contact_updated", "message_created", "message_updated"),
    "webwidget_triggered",
)
_EVENTS = {
    *(*DEFAULT_EVENTS, "inbox_created", "inbox_updated"),
    *("conversation_typing_on", "conversation_typing_off"),
}
_KEY_FORMAT = "must only contain letters, numbers, underscores, hyphens, and dots"
_KEY_RESERVED = "The provided key is not allowed as it might conflict with default attributes."


def definitions(account: Account, ask: Ask) -> Answer:
    rows = list(account.definitions.values())
    if ask.query.get("attribute_model"):
        model = _find_name(ask.query["attribute_model"], _MODELS)
        rows = [row for row in rows if row["attribute_model"] == model]
    return 200, rows


def show_definition(account: Account, ask: Ask) -> Answer:
    return 200, find_row(account.definitions, ask.ids["definition"])


def create_definition(account: Account, ask: Ask) -> Answer:
    body = unwrap(ask.body, "custom_attribute_definition")
    row = _apply_definition(dict(_DEFINITION_FIELDS), body)
    row["attribute_model"] = _read_enum(body.get("attribute_model", 0), _MODELS)
    _check_definition(account, row, None)
    row |= {"id": account.next_id(account.definitions), "created_at": _now(), "updated_at": _now()}
    account.definitions[row["id"]] = row
    return 200, row


def update_definition(account: Account, ask: Ask) -> Answer:
    row = find_row(account.definitions, ask.ids["definition"])
    draft = _apply_definition(dict(row), unwrap(ask.body, "custom_attribute_definition"))
    _check_definition(account, draft, row["id"])
    row.update(draft | {"updated_at": _now()})
    return 200, row


def delete_definition(account: Account, ask: Ask) -> Answer:
    del account.definitions[find_row(account.definitions, ask.ids["definition"])["id"]]
    return 204, None


def _apply_definition(row: Json, body: Json) -> Json:
    row |= {key: body[key] for key in _DEFINITION_FIELDS if key in body}
    kind = body.get("attribute_display_type", row.get("attribute_display_type", 0))
    return row | {"attribute_display_type": _read_enum(kind, _TYPES)}


def _read_enum(value: Any, names: tuple[str, ...]) -> str:
    """Return an enum value by name or number; Rails raises on any other, which is a 500."""
    name = _find_name(value, names)
    if name is None:
        raise Refusal(500, SERVER_ERROR)
    return name


def _find_name(value: Any, names: tuple[str, ...]) -> str | None:
    if value in names:
        return str(value)
    number = str(value)
    return names[int(number)] if number.isdecimal() and int(number) < len(names) else None


def _check_definition(account: Account, row: Json, own: int | None) -> None:
    key, model = row["attribute_key"] or "", row["attribute_model"]
    rows = [other for other in account.definitions.values() if other["id"] != own]
    keys = {(other["attribute_key"], other["attribute_model"]) for other in rows}
    rules = [
        ("attribute_display_name", row["attribute_display_name"], "can't be blank"),
        ("attribute_key", key, "can't be blank"),
        ("attribute_key", (key, model) not in keys, "has already been taken"),
        ("attribute_key", re.fullmatch(r"[\w.\-]+", key), _KEY_FORMAT),
        ("attribute_key", own or key not in _RESERVED.get(model, ()), _KEY_RESERVED),
    ]
    check_rules(rules)


def check_rules(rules: list[tuple[str, Any, str]]) -> None:
    """Refuse the call where a rule does not hold. A rule is an attribute, whether it holds, and
    Chatwoot's sentence otherwise."""
    faults = [(name, words) for name, holds, words in rules if not holds]
    if faults:
        sentences = [f"{name.replace('_', ' ').capitalize()} {words}" for name, words in faults]
        raise invalid(", ".join(sentences), *dict.fromkeys(name for name, _ in faults))


def apps(account: Account, _ask: Ask) -> Answer:
    return 200, list(account.dashboard_apps.values())


def show_app(account: Account, ask: Ask) -> Answer:
    return 200, find_row(account.dashboard_apps, ask.ids["app"])


def create_app(account: Account, ask: Ask) -> Answer:
    row = _app({"title": None, "content": []}, unwrap(ask.body, "dashboard_app"))
    row |= {"id": account.next_id(account.dashboard_apps), "created_at": _now()}
    account.dashboard_apps[row["id"]] = row
    return 200, row


def update_app(account: Account, ask: Ask) -> Answer:
    row = find_row(account.dashboard_apps, ask.ids["app"])
    row.update(_app(dict(row), unwrap(ask.body, "dashboard_app")))
    return 200, row


def delete_app(account: Account, ask: Ask) -> Answer:
    del account.dashboard_apps[find_row(account.dashboard_apps, ask.ids["app"])["id"]]
    return 204, None


def _app(row: Json, body: Json) -> Json:
    """Only title, content[].type and content[].url are stored."""
    if isinstance(body.get("content"), list):
        row["content"] = [{k: item.get(k) for k in ("type", "url")} for item in body["content"]]
    row["title"] = body.get("title", row["title"])
    frames = [
        i["type"] == "frame" and re.match("https?://", i["url"] or "") for i in row["content"]
    ]
    check_rules([("content", frames and all(frames), ": Invalid data")])
    if row["title"] is None:
        raise Refusal(500, SERVER_ERROR)
    return row


def webhooks(account: Account, _ask: Ask) -> Answer:
    rows = [_show_webhook(account, row) for row in account.webhooks.values()]
    return 200, {"payload": {"webhooks": rows}}


def _show_webhook(account: Account, row: Json) -> Json:
    """Show a webhook with its secret, which administrators see at any time."""
    hidden_keys = () if account.is_since(4, 11, 2) else ("secret",)
    return {key: value for key, value in row.items() if key not in hidden_keys}


def create_webhook(account: Account, ask: Ask) -> Answer:
    blank = {"name": None, "url": None, "subscriptions": list(DEFAULT_EVENTS)}
    row = _webhook(account, blank, unwrap(ask.body, "webhook"), None)
    row |= {"id": account.next_id(account.webhooks), "account_id": account.account_id}
    row["secret"] = secrets.token_urlsafe(24)
    account.webhooks[row["id"]] = row
    return 200, {"payload": {"webhook": _show_webhook(account, row)}}


def update_webhook(account: Account, ask: Ask) -> Answer:
    row = find_row(account.webhooks, ask.ids["webhook"])
    row.update(_webhook(account, dict(row), unwrap(ask.body, "webhook"), row["id"]))
    return 200, {"payload": {"webhook": _show_webhook(account, row)}}


def delete_webhook(account: Account, ask: Ask) -> Answer:
    del account.webhooks[find_row(account.webhooks, ask.ids["webhook"])["id"]]
    return 200, None


def _webhook(account: Account, row: Json, body: Json, own: int | None) -> Json:
    row |= {key: body[key] for key in ("name", "url", "subscriptions") if key in body}
    urls = [other["url"] for other in account.webhooks.values() if other["id"] != own]
    events = row["subscriptions"]
    is_known = isinstance(events, list) and events and set(events) <= _EVENTS
    check_rules(
        [
            ("url", row["url"] not in urls, "has already been taken"),
            ("url", re.match("https?://", row["url"] or ""), "is invalid"),
            ("subscriptions", is_known, "Invalid events"),
        ]
    )
    return row


def _now() -> str:
    return write_moment(time.time())


_DEFINITIONS = "/custom_attribute_definitions"
_DEFINITION = f"{_DEFINITIONS}/<int:definition>"
_APP = "/dashboard_apps/<int:app>"
_WEBHOOK = "/webhooks/<int:webhook>"
ROUTES = (
    Route("GET", _DEFINITIONS, definitions),
    Route("POST", _DEFINITIONS, create_definition, admin=True, writes=True),
    Route("GET", _DEFINITION, show_definition),
    Route("PUT", _DEFINITION, update_definition, admin=True, writes=True),
    Route("PATCH", _DEFINITION, update_definition, admin=True, writes=True),
    Route("DELETE", _DEFINITION, delete_definition, admin=True, writes=True),
    Route("GET", "/dashboard_apps", apps),
    Route("POST", "/dashboard_apps", create_app, admin=True, writes=True),
    Route("GET", _APP, show_app),
    Route("PUT", _APP, update_app, admin=True, writes=True),
    Route("PATCH", _APP, update_app, admin=True, writes=True),
    Route("DELETE", _APP, delete_app, admin=True, writes=True),
    Route("GET", "/webhooks", webhooks, admin=True),
    Route("POST", "/webhooks", create_webhook, admin=True, writes=True),
    Route("PUT", _WEBHOOK, update_webhook, admin=True, writes=True),
    Route("PATCH", _WEBHOOK, update_webhook, admin=True, writes=True),
    Route("DELETE", _WEBHOOK, delete_webhook, admin=True, writes=True),
)
