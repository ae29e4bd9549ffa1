"""`setup` as a test runs it, in an account where only others have set something up."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from panel.cli.definitions import EVENTS
from panel.demo.chatwoot import Chatwoot, never
from panel.demo.world import Json
from tests.conftest import MakePanel, Panel, Worlds, panels_before

PANEL_URL = "https://panel.example.com"
HOOK_URL = f"{PANEL_URL}/sync/chatwoot"
FOREIGN_APP = {
    "id": 1,
    "title": "CRM",
    "content": [{"type": "frame", "url": "https://crm.example"}],
}
FOREIGN_HOOK = {"id": 2, "name": "ERP", "url": "https://erp.example/x", "subscriptions": EVENTS[:1]}
FOREIGN_KEY = {"id": 3, "attribute_key": "vip", "attribute_model": "contact_attribute"}
VERSION = "4.16.2"


@contextmanager
def account_of_others(worlds: Worlds, folder: Path) -> Iterator[MakePanel]:
    """Panels before that account; the test ends with the tokens and the version of the
    beginning."""
    chat = worlds.chat
    chat.definitions = {3: {**FOREIGN_KEY, "attribute_display_type": "text"}}
    chat.dashboard_apps, chat.webhooks = {1: deepcopy(FOREIGN_APP)}, {2: deepcopy(FOREIGN_HOOK)}
    chat.version = VERSION
    tokens = dict(chat.tokens)
    chat.forget()
    with panels_before(worlds, folder) as maker:
        yield maker
    chat.failures, chat.tokens, chat.version = never, tokens, VERSION
    chat.status, chat.api_enabled = "active", True
    chat.foreign_tokens, chat.bot_tokens = set(), set()


def setup(panel: Panel, *options: str) -> Result:
    answer = panel.app.test_cli_runner().invoke(args=["setup", *options])
    assert answer.exception is None or isinstance(answer.exception, SystemExit)
    return answer


def told(panel: Panel, *options: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(setup(panel, *options, "--json").stdout)
    return answer


def standing(chat: Chatwoot) -> tuple[dict[int, Json], ...]:
    return deepcopy((chat.definitions, chat.dashboard_apps, chat.webhooks))


def webhook(chat: Chatwoot, url: str = HOOK_URL) -> Json:
    (row,) = [row for row in chat.webhooks.values() if row["url"] == url]
    return row


def definition(chat: Chatwoot, key: str, model: str = "contact_attribute") -> Json:
    rows = chat.definitions.values()
    (row,) = [row for row in rows if (row["attribute_key"], row["attribute_model"]) == (key, model)]
    return row


@pytest.fixture
def panel(make: MakePanel) -> Panel:
    return make(PANEL_URL=PANEL_URL)
