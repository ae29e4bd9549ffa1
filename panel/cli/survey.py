"""The survey before setup: Chatwoot's version, the rows of its settings, and their owners.

A definition is ours by its key. A dashboard app is ours by its address, `<panel>/` or, with the
launch key, `<panel>/#k=<key>`; a webhook by our name and `<panel>/sync/chatwoot`. Where PANEL_URL
has changed, such rows stand at a former address. But two panels may share an account, although they
overwrite each other's attributes, so `_is_former` asks for more than the form of an address.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from panel.auth.tokens import derive_launch_key
from panel.cli.definitions import DEFINITIONS, MODELS, TITLE, WEBHOOK_PATH
from panel.errors import PanelError
from panel.settings import Settings
from panel.sync.installation_mark import Mark, find_marked, read_mark
from panel.upstream.chatwoot import Chatwoot

SettingRow = dict[str, Any]
LAUNCH_ADDRESS = re.compile(r"(https?://[^#?\s]+)/(?:#k=([\w-]+))?")
VERSION_NUMBER = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")


class StepFailed(Exception):
    """Chatwoot could not be asked; `step`: the purpose in a few words."""

    def __init__(self, step: str, error: PanelError) -> None:
        super().__init__(step)
        self.step = step
        self.error = error


@contextmanager
def name_step(step: str) -> Iterator[None]:
    """Raise `StepFailed` in place of a `PanelError` of the block."""
    try:
        yield
    except PanelError as error:
        raise StepFailed(step, error) from error


@dataclass(frozen=True)
class Tab:
    """A dashboard app, and the address that it leads to: see `_read_place`."""

    row: SettingRow
    place: str
    key: str


@dataclass(frozen=True)
class Survey:
    """The rows of Chatwoot's settings. `apps` and `webhooks` lead to PANEL_URL, the former ones do
    not.

    `version`: of Chatwoot, () where it does not say; `former`: former addresses of this panel,
    `others`: addresses of other panels; `unlisted`: the rows that the token may not read.
    """

    version: tuple[int, ...]
    definitions: list[SettingRow]
    apps: list[SettingRow]
    webhooks: list[SettingRow]
    former_apps: list[SettingRow]
    former_webhooks: list[SettingRow]
    former: list[str]
    others: list[str]
    unlisted: list[str]

    @property
    def mark(self) -> Mark | None:
        """Return the mark of the installation that writes into the account; None without a mark."""
        return read_mark(find_marked(self.definitions))

    @property
    def webhook(self) -> SettingRow | None:
        """Return the present webhook that setup keeps."""
        return next(iter((*self.webhooks, *self.former_webhooks)), None)


def survey_account(chatwoot: Chatwoot, settings: Settings) -> Survey:
    """Read Chatwoot's settings, past every cache. Raises `StepFailed`."""
    with name_step("checking CHATWOOT_API_TOKEN"):
        chatwoot.check_token()
    base, unlisted = settings.panel_url, list[str]()
    apps = _list_rows(chatwoot, "dashboard_apps", unlisted)
    webhooks = _list_rows(chatwoot, "webhooks", unlisted)
    tabs = [Tab(row, *_read_place(row)) for row in apps]
    tab_places = {tab.place for tab in tabs if tab.key and tab.row.get("title") == TITLE}
    places = (tab_places | {_read_base(row) for row in webhooks}) - {"", base}
    former = {place for place in places if _is_former(place, tabs, webhooks, settings)}
    return Survey(
        version=_read_version(chatwoot),
        definitions=_list_definitions(chatwoot, unlisted),
        apps=[row for row in apps if _leads_to(row, base)],
        webhooks=[row for row in webhooks if row.get("url") == f"{base}{WEBHOOK_PATH}"],
        former_apps=[
            tab.row
            for tab in tabs
            if tab.place in former and (tab.key or tab.row.get("title") == TITLE)
        ],
        former_webhooks=[row for row in webhooks if _read_base(row) in former],
        former=sorted(former),
        others=sorted(places - former),
        unlisted=unlisted,
    )


def _is_former(place: str, tabs: list[Tab], webhooks: list[SettingRow], settings: Settings) -> bool:
    """Tell whether this panel was at this address: the tab there has a launch key of ours, or the
    webhook has our secret.

    An address without a tab counts as ours too, because no panel is in use there. Any other address
    is another panel's.
    """
    keys = [tab.key for tab in tabs if tab.place == place]
    ours = {derive_launch_key(secret) for secret in settings.secrets}
    secrets = {row.get("secret") for row in webhooks if _read_base(row) == place}
    own_secret = settings.chatwoot_webhook_secret
    return (
        not keys or any(key in ours for key in keys) or bool(own_secret and own_secret in secrets)
    )


def _read_version(chatwoot: Chatwoot) -> tuple[int, ...]:
    try:
        return parse_version(chatwoot.version())
    except PanelError:
        return ()  # a proxy may let only /api/v1 pass


def parse_version(text: str) -> tuple[int, ...]:
    """Return the version's three numbers, without a fork's additions; () where the text has
    none."""
    match = VERSION_NUMBER.match(text)
    return tuple(int(part or 0) for part in match.groups()) if match else ()


def _list_definitions(chatwoot: Chatwoot, unlisted: list[str]) -> list[SettingRow]:
    paths = (f"custom_attribute_definitions?attribute_model={number}" for number in MODELS)
    rows = [row for path in paths for row in _list_rows(chatwoot, path, unlisted)]
    ours = {(MODELS[definition.model], definition.key) for definition in DEFINITIONS}
    return [row for row in rows if (row.get("attribute_model"), row.get("attribute_key")) in ours]


def _list_rows(chatwoot: Chatwoot, path: str, unlisted: list[str]) -> list[SettingRow]:
    name = path.partition("?")[0].replace("_", " ")
    with name_step(f"listing {name}"):
        try:
            answer = chatwoot.administer("GET", path)
        except PanelError as error:
            if error.code != "not_permitted":
                raise
            unlisted.append(name)
            return []
    return read_rows(answer)


def read_rows(answer: Any) -> list[SettingRow]:
    """Return the rows of a list, which Chatwoot wraps in several ways."""
    if isinstance(answer, dict):
        payload = answer.get("payload", {})
        answer = payload.get("webhooks", []) if isinstance(payload, dict) else payload
    return [row for row in answer if isinstance(row, dict)] if isinstance(answer, list) else []


def read_secret(answer: Any) -> str:
    """Return the webhook's secret in the answer to its creation; Chatwoot before 4.11.2 has
    none."""
    payload = answer.get("payload") if isinstance(answer, dict) else None
    webhook = payload.get("webhook") if isinstance(payload, dict) else None
    return str(webhook.get("secret") or "") if isinstance(webhook, dict) else ""


def _read_place(app: SettingRow) -> tuple[str, str]:
    """Return the address of a tab and its launch key; each is empty where the tab has none of a
    panel."""
    matches = [LAUNCH_ADDRESS.fullmatch(url) for url in list_addresses(app)]
    return (matches[0][1], matches[0][2] or "") if len(matches) == 1 and matches[0] else ("", "")


def _read_base(webhook: SettingRow) -> str:
    """Return the panel's address in a webhook with our name; empty for any other webhook."""
    url = str(webhook.get("url"))
    is_ours = webhook.get("name") == TITLE and url.endswith(WEBHOOK_PATH)
    return url.removesuffix(WEBHOOK_PATH) if is_ours else ""


def _leads_to(app: SettingRow, base: str) -> bool:
    """Tell whether the app leads to this address, by title and address, or by the launch key. The
    title alone proves nothing, since another app may have the same."""
    is_titled = app.get("title") == TITLE
    addresses = list_addresses(app)
    return _read_place(app)[0] == base or (
        is_titled and any(url.startswith(f"{base}/") for url in addresses)
    )


def list_addresses(app: SettingRow) -> list[str]:
    """Return the addresses that a dashboard app shows."""
    content = app.get("content")
    items = content if isinstance(content, list) else []
    return [str(item.get("url")) for item in items if isinstance(item, dict)]
