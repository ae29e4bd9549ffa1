"""The messages of Chatwoot's dashboard to the page, and the numbers that the page then shows."""

import json
from typing import Any

from playwright.sync_api import Page

from tests.browser.conftest import Panel


def say(panel: Panel, context: dict[str, Any]) -> None:
    """Chatwoot's page posts into the frame that stands."""
    panel.page.evaluate(
        "(text) => document.querySelector('iframe').contentWindow.postMessage(text, '*')",
        json.dumps(context),
    )


def say_in_app(page: Page, context: dict[str, Any]) -> None:
    """The mobile app posts into the page itself."""
    page.evaluate("(text) => window.postMessage(text)", json.dumps(context))


def numbers_of(panel: Panel) -> set[str]:
    return {
        f"{row.get_attribute('data-row')}"[:2]
        for row in panel.find("[data-section] [data-row]").all()
    }
