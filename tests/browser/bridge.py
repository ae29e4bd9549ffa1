"""The messages of Chatwoot's dashboard to the page, and the numbers that the page then shows."""

import json
from typing import Any

from playwright.sync_api import Page

from tests.browser.conftest import Panel

# In a text it stands for two million digits. The page makes them, because the browser's driver
# takes seconds for each such text.
TWO_MILLION_DIGITS = "(two million digits)"
POST = f"""(text) => {{
  const whole = text.replaceAll("{TWO_MILLION_DIGITS}", "4".repeat(2_000_000));
  document.querySelector("iframe").contentWindow.postMessage(whole, "*");
}}"""


def say(panel: Panel, context: dict[str, Any]) -> None:
    """Chatwoot's page posts into the frame that stands."""
    panel.page.evaluate(POST, json.dumps(context))


def say_in_app(page: Page, context: dict[str, Any]) -> None:
    """The mobile app posts into the page itself."""
    page.evaluate("(text) => window.postMessage(text)", json.dumps(context))


def numbers_of(panel: Panel) -> set[str]:
    return {
        f"{row.get_attribute('data-row')}"[:2]
        for row in panel.find("[data-section] [data-row]").all()
    }
