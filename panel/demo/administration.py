"""The built-in Chatwoot's calls about attribute definitions, dashboard apps and webhooks.

Source: the controllers and models of v4.15.1. Writing dashboard apps is left to administrators,
as Chatwoot does since 4.16; before, any agent could.
"""

from __future__ import annotations

import re
import secrets
import time
from typing import Any

from panel.demo import contact_lists, conversations
from panel.demo.account import Account, Answer, Ask, Refusal, Route, found, invalid, rooted
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
_EVENTS = {
    *("conversation_created", "conversation_updated", "conversation_status_changed"),
    *("message_created", "message_updated", "contact_created", "contact_updated"),
    *("webwidget_triggered", "inbox_created", "inbox_updated"),
    *("conversation_typing_on", "conversation_typing_off"),
}


def definitions(account: Account, ask: Ask) -> Answer:
    rows = list(account.definitions.values())
    if ask.query.get("attribute_model"):
        model = _named(ask.query["attribute_model"], _MODELS)
        rows = [row for row in rows if row["attribute_model"] == model]
    return 200, rows


def show_definition(account: Account, ask: Ask) -> Answer:
    return 200, found(account.definitions, ask.ids["definition"])


def create_definition(account: Account, ask: Ask) -> Answer:
    body = rooted(ask.body, "custom_attribute_definition")
    row = _defined(dict(_DEFINITION_FIELDS), body)
    row["attribute_model"] = _named(body.get("attribute_model", 0), _MODELS)
    _check_definition(account, row, None)
    row |= {"id": account.next_id(account.definitions), "created_at": _now(), "updated_at": _now()}
    account.definitions[row["id"]] = row
    return 200, row


def update_definition(account: Account, ask: Ask) -> Answer:
    row = found(account.definitions, ask.ids["definition"])
    draft = _defined(dict(row), rooted(ask.body, "custom_attribute_definition"))
    _check_definition(account, draft, row["id"])
    row.update(draft | {"updated_at": _now()})
    return 200, row


def delete_definition(account: Account, ask: Ask) -> Answer:
    del account.definitions[found(account.definitions, ask.ids["definition"])["id"]]
    return 204, None


def _defined(row: Json, body: Json) -> Json:
    row |= {key: body[key] for key in _DEFINITION_FIELDS if key in body}
    kind = body.get("attribute_display_type", row.get("attribute_display_type", 0))
    return row | {"attribute_display_type": _named(kind, _TYPES)}


def _named(value: Any, names: tuple[str, ...]) -> str:
    """An enum value by name or number; Rails raises on any other, which is a 500."""
    if value in names:
        return str(value)
    if str(value).isdecimal() and int(value) < len(names):
        return names[int(value)]
    raise Refusal(500, {"status": 500, "error": "Internal Server Error"})


def _check_definition(account: Account, row: Json, own: int | None) -> None:
    key, model = row["attribute_key"], row["attribute_model"]
    if not row["attribute_display_name"]:
        raise invalid("Attribute display name can't be blank", "attribute_display_name")
    if not key or not re.fullmatch(r"[\w.\-]+", key):
        raise invalid("Attribute key is invalid", "attribute_key")
    if key in _RESERVED.get(model, ()):
        raise invalid("Attribute key is reserved", "attribute_key")
    others = [other for other in account.definitions.values() if other["id"] != own]
    if any((other["attribute_key"], other["attribute_model"]) == (key, model) for other in others):
        raise invalid("Attribute key has already been taken", "attribute_key")


def apps(account: Account, _ask: Ask) -> Answer:
    return 200, list(account.dashboard_apps.values())


def show_app(account: Account, ask: Ask) -> Answer:
    return 200, found(account.dashboard_apps, ask.ids["app"])


def create_app(account: Account, ask: Ask) -> Answer:
    row = _app({"title": None, "content": []}, rooted(ask.body, "dashboard_app"))
    row |= {"id": account.next_id(account.dashboard_apps), "created_at": _now()}
    account.dashboard_apps[row["id"]] = row
    return 200, row


def update_app(account: Account, ask: Ask) -> Answer:
    row = found(account.dashboard_apps, ask.ids["app"])
    row.update(_app(dict(row), rooted(ask.body, "dashboard_app")))
    return 200, row


def delete_app(account: Account, ask: Ask) -> Answer:
    del account.dashboard_apps[found(account.dashboard_apps, ask.ids["app"])["id"]]
    return 204, None


def _app(row: Json, body: Json) -> Json:
    """Only title, content[].type and content[].url are taken over."""
    if isinstance(body.get("content"), list):
        row["content"] = [{k: item.get(k) for k in ("type", "url")} for item in body["content"]]
    row["title"] = body.get("title", row["title"])
    if not row["title"]:
        raise invalid("Title can't be blank", "title")
    frames = [
        i["type"] == "frame" and re.match("https?://", i["url"] or "") for i in row["content"]
    ]
    if not frames or not all(frames):
        raise invalid("Content : Invalid data", "content")
    return row


def webhooks(account: Account, _ask: Ask) -> Answer:
    return 200, {"payload": {"webhooks": list(account.webhooks.values())}}


def create_webhook(account: Account, ask: Ask) -> Answer:
    row = _webhook(account, {"name": None, "url": None}, rooted(ask.body, "webhook"), None)
    row |= {"id": account.next_id(account.webhooks), "account_id": account.account_id}
    row["secret"] = secrets.token_urlsafe(24)
    account.webhooks[row["id"]] = row
    return 200, {"payload": {"webhook": row}}


def update_webhook(account: Account, ask: Ask) -> Answer:
    row = found(account.webhooks, ask.ids["webhook"])
    row.update(_webhook(account, dict(row), rooted(ask.body, "webhook"), row["id"]))
    return 200, {"payload": {"webhook": row}}


def delete_webhook(account: Account, ask: Ask) -> Answer:
    del account.webhooks[found(account.webhooks, ask.ids["webhook"])["id"]]
    return 200, None


def _webhook(account: Account, row: Json, body: Json, own: int | None) -> Json:
    row |= {key: body[key] for key in ("name", "url", "subscriptions") if key in body}
    others = [other["url"] for other in account.webhooks.values() if other["id"] != own]
    if not re.match("https?://", row["url"] or ""):
        raise invalid("Url is invalid", "url")
    if row["url"] in others:
        raise invalid("Url has already been taken", "url")
    if not row.get("subscriptions") or not set(row["subscriptions"]) <= _EVENTS:
        raise invalid("Invalid events", "subscriptions")
    return row


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())


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
