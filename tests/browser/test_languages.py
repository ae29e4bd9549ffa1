"""The page follows Chatwoot's language, also where the browser speaks another one."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Demo, OpenWindow


@pytest.mark.parametrize(
    ("browser_language", "account", "words"),
    [
        ("en-US", "pt_BR", ("pt-BR", "Motivo para mostrar", "Pedidos")),
        ("pt-BR", "en", ("en", "Reason for showing it", "Orders")),
    ],
)
def test_everything_on_the_page_is_in_the_language_of_chatwoot_at_the_first_opening(
    demo: Demo,
    open_window: OpenWindow,
    browser_language: str,
    account: str,
    words: tuple[str, str, str],
) -> None:
    language, question, orders = words
    demo.chat.locale = account
    page = open_window(locale=browser_language).page
    panel = demo.open(page)
    panel.settle()
    assert panel.frame.evaluate("document.documentElement.lang") == language
    expect(panel.section("orders").locator("h2")).to_have_text(orders)
    panel.section("orders").locator("[data-action=reveal]").click()
    expect(panel.find("dialog[open]")).to_contain_text(question)
    demo.switch(page, "empty")
    panel.settle()
    expect(panel.section("orders").locator("h2")).to_have_text(orders)
