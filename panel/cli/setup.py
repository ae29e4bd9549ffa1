"""Setup of Chatwoot: the attribute definitions, dashboard app and webhook that the panel needs.

A plan is made by comparing, then carried out; a second run finds nothing to do. What is not ours is
never touched: definitions are ours by their key, the app by its title, the webhook by its address.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from panel.auth.tokens import make_launch_url
from panel.data.directory import Directory
from panel.errors import Unauthorized
from panel.settings import Settings
from panel.sync.people import is_guessable
from panel.upstream.chatwoot import Chatwoot

CONTACT_MODEL, CONVERSATION_MODEL = 1, 0  # Chatwoot's numbers of the attribute models (§3.6)
TEXT, NUMBER, DATE, LIST = 0, 1, 5, 6
MODELS = {CONTACT_MODEL: "contact_attribute", CONVERSATION_MODEL: "conversation_attribute"}
TYPES = {TEXT: "text", NUMBER: "number", DATE: "date", LIST: "list"}
TITLE = "MIDDAG"
EVENTS = ["conversation_created", "contact_created", "contact_updated", "message_created"]
WEBHOOK_PATH = "/sync/chatwoot"
SIGNABLE = ("Channel::WebWidget", "Channel::Api")  # where a visitor's identifier can be signed
GUESSABLE_PART = "middag:"  # in every identifier of earlier versions, in none of today's


@dataclass(frozen=True)
class Definition:
    """One custom attribute of design §4.5, as Chatwoot's settings show it."""

    model: int
    key: str
    name: str
    type: int = TEXT
    values: tuple[str, ...] = ()


DEFINITIONS = (
    Definition(CONTACT_MODEL, "middag_organization_id", "MIDDAG organization id"),
    Definition(CONTACT_MODEL, "middag_organization", "MIDDAG organization"),
    Definition(CONTACT_MODEL, "middag_role", "MIDDAG role"),
    Definition(
        CONTACT_MODEL,
        "middag_billing_entity",
        "MIDDAG billing entity",
        LIST,
        ("middag_br", "middag_global"),
    ),
    Definition(CONTACT_MODEL, "middag_plan", "MIDDAG plan"),
    Definition(
        CONTACT_MODEL,
        "middag_entitlement_status",
        "MIDDAG entitlements",
        LIST,
        ("suspended", "active", "expired", "cancelled", "none"),
    ),
    Definition(CONTACT_MODEL, "middag_active_entitlements", "MIDDAG active entitlements", NUMBER),
    Definition(CONTACT_MODEL, "middag_next_expiry", "MIDDAG next expiry", DATE),
    Definition(CONVERSATION_MODEL, "middag_organization_id", "MIDDAG organization id"),
    Definition(CONVERSATION_MODEL, "middag_organization", "MIDDAG organization"),
)


@dataclass(frozen=True)
class Exposure:
    """What a visitor of the website can still find out, for an administrator.

    `open_inboxes`: names of inboxes where a visitor may say to be anybody, as far as Chatwoot
    tells; `identifiers`: how many contacts there have one of the form of earlier versions;
    `waiting`: how many such stand in our own table, where there is one.
    """

    open_inboxes: tuple[str, ...]
    identifiers: int
    waiting: int | None


@dataclass(frozen=True)
class Step:
    """`verb`: create, correct or remove; `by_hand`: what to click where we may not write."""

    verb: str
    what: str
    by_hand: str
    method: str
    path: str
    body: Any = None
    tells_secret: bool = False


class Setup:
    """Raises `PanelError`; `Unauthorized` where the token is no administrator's.

    `directory`: none where there is no database of this version; setup is done without one, too.
    """

    def __init__(self, settings: Settings, chatwoot: Chatwoot, directory: Directory | None) -> None:
        self._settings = settings
        self._chatwoot = chatwoot
        self._directory = directory

    def plan(self) -> list[Step]:
        """What is missing or wrong. What may not even be read is planned as missing."""
        self._chatwoot.agents()  # any role may list them: who may not has no valid token
        first = (*self._plan_definitions(), *self._plan_app(), *self._plan_identifiers())
        # Last: whatever fails after it would keep its secret from being shown.
        return [*first, *self._plan_webhook()]

    def plan_removal(self) -> list[Step]:
        """Everything of ours that stands in Chatwoot. Values stay in the contacts."""
        self._chatwoot.agents()
        paths = ("custom_attribute_definitions", "dashboard_apps", "webhooks")
        return [step for path in paths for step in self._plan_removal_of(path)]

    def find_exposure(self, steps: list[Step]) -> Exposure:
        """What is left after these steps; what a token may not read is not counted."""
        rows = [row for row in self._list_rows("inboxes") if row.get("channel_type") in SIGNABLE]
        names = [str(row.get("name")) for row in rows if row.get("hmac_mandatory") is not True]
        waiting = self._directory.count_guessable() if self._directory else None
        removed = sum(step.path.startswith("contacts/") for step in steps)
        left = self._chatwoot.count_identifiers(GUESSABLE_PART) - removed
        return Exposure(tuple(names), left, waiting)

    def carry_out(self, step: Step) -> str:
        """Do it; returns the webhook's secret where Chatwoot made one, else nothing."""
        answer = self._chatwoot.administer(step.method, step.path, step.body)
        if not step.tells_secret:
            return ""
        webhook = answer.get("payload", {}).get("webhook", {}) if isinstance(answer, dict) else {}
        return str(webhook.get("secret") or "")

    # -- what stands there -----------------------------------------------------------------------

    def _list_rows(self, path: str) -> list[dict[str, Any]]:
        try:
            answer = self._chatwoot.administer("GET", path)
        except Unauthorized:
            return []
        if isinstance(answer, dict):
            payload = answer.get("payload", {})
            answer = payload.get("webhooks", []) if isinstance(payload, dict) else payload
        return [row for row in answer if isinstance(row, dict)] if isinstance(answer, list) else []

    def _list_definitions(self) -> list[dict[str, Any]]:
        paths = (f"custom_attribute_definitions?attribute_model={number}" for number in MODELS)
        return [row for path in paths for row in self._list_rows(path)]

    def _plan_definitions(self) -> Iterator[Step]:
        present = {
            (row.get("attribute_model"), row.get("attribute_key")): row
            for row in self._list_definitions()
        }
        for wanted in DEFINITIONS:
            row = present.get((MODELS[wanted.model], wanted.key))
            if row is None:
                yield _make_step("create", wanted, "POST", "custom_attribute_definitions")
            elif _differs(row, wanted):
                path = f"custom_attribute_definitions/{row['id']}"
                yield _make_step("correct", wanted, "PATCH", path)

    def _plan_app(self) -> Iterator[Step]:
        url = make_launch_url(self._settings, self._settings.panel_url)
        content = [{"type": "frame", "url": url}]
        by_hand = f"Settings > Integrations > Dashboard apps > Add: {TITLE}, with the address that"
        by_hand += " `flask --app app launch-url` prints"
        body = {"dashboard_app": {"title": TITLE, "content": content}}
        what = f"dashboard app {TITLE}"
        rows = [row for row in self._list_rows("dashboard_apps") if self._is_our_app(row)]
        if not rows:
            yield Step("create", what, by_hand, "POST", "dashboard_apps", body)
        elif rows[0].get("content") != content:
            path = f"dashboard_apps/{rows[0]['id']}"
            yield Step("correct", what, by_hand, "PATCH", path, body)

    def _plan_webhook(self) -> Iterator[Step]:
        url = f"{self._settings.panel_url}{WEBHOOK_PATH}"
        by_hand = f"Settings > Integrations > Webhooks > Add: {url} with {', '.join(EVENTS)}"
        body = {"webhook": {"url": url, "name": TITLE, "subscriptions": EVENTS}}
        rows = [row for row in self._list_rows("webhooks") if row.get("url") == url]
        what = f"webhook to {url}"
        if not rows:
            yield Step("create", what, by_hand, "POST", "webhooks", body, tells_secret=True)
        elif sorted(rows[0].get("subscriptions") or []) != sorted(EVENTS):
            path = f"webhooks/{rows[0]['id']}"
            yield Step("correct", what, by_hand, "PATCH", path, body)

    def _plan_identifiers(self) -> Iterator[Step]:
        """Guessable ones that no pass comes to: of who left, or a visitor wrote them."""
        if not self._directory:
            return
        listed = self._chatwoot.list_identifiers(GUESSABLE_PART)
        guessable = {number for number, text in listed.items() if is_guessable(text)}
        for number in sorted(guessable - self._directory.find_seated(guessable)):
            by_hand = f"set the identifier of contact {number} to null, through Chatwoot's API"
            what, path = f"guessable identifier of contact {number}", f"contacts/{number}"
            yield Step("remove", what, by_hand, "PUT", path, {"identifier": None})

    def _plan_removal_of(self, path: str) -> Iterator[Step]:
        listed = self._list_definitions() if path.startswith("custom") else self._list_rows(path)
        for row in listed:
            name = row.get("attribute_key") or row.get("title") or row.get("url")
            if self._is_ours(row):
                where = f"{path}/{row['id']}"
                yield Step("remove", f"{path}: {name}", f"remove {name} by hand", "DELETE", where)

    def _is_ours(self, row: dict[str, Any]) -> bool:
        if "attribute_key" in row:
            ours = {(MODELS[each.model], each.key) for each in DEFINITIONS}
            return (row.get("attribute_model"), row["attribute_key"]) in ours
        webhook = f"{self._settings.panel_url}{WEBHOOK_PATH}"
        return self._is_our_app(row) or row.get("url") == webhook

    def _is_our_app(self, row: dict[str, Any]) -> bool:
        """By title and address: somebody else's app may have our name."""
        content = row.get("content") if isinstance(row.get("content"), list) else []
        urls = [str(item.get("url")) for item in content or () if isinstance(item, dict)]
        ours = [url for url in urls if url.startswith(f"{self._settings.panel_url}/")]
        return row.get("title") == TITLE and bool(ours)


def _make_step(verb: str, wanted: Definition, method: str, path: str) -> Step:
    model = MODELS[wanted.model].removesuffix("_attribute")
    body = {
        "attribute_model": wanted.model,
        "attribute_key": wanted.key,
        "attribute_display_name": wanted.name,
        "attribute_display_type": wanted.type,
        "attribute_values": list(wanted.values),
    }
    by_hand = f"Settings > Custom attributes > {model.title()} > Add: key {wanted.key}, "
    by_hand += f"type {TYPES[wanted.type]}"
    by_hand += f" with the values {', '.join(wanted.values)}" if wanted.values else ""
    what = f"{model} attribute {wanted.key}"
    return Step(verb, what, by_hand, method, path, {"custom_attribute_definition": body})


def _differs(row: dict[str, Any], wanted: Definition) -> bool:
    values = list(row.get("attribute_values") or [])
    return row.get("attribute_display_type") != TYPES[wanted.type] or values != list(wanted.values)
