"""Signing in in a real browser, and what the page shows afterwards."""

from playwright.sync_api import expect

from tests.browser.conftest import Panel


def expect_code(panel: Panel, code: str) -> None:
    expect(panel.root).to_have_attribute("data-code", code)


def expect_customer(panel: Panel) -> None:
    panel.expect_root("ready")
    panel.expect_state("fresh")
