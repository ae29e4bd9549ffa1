"""The explanation of a panel, in its dialog, for an administrator who has signed in."""

import pytest
from playwright.sync_api import expect

from panel.demo.worlds import AGENT
from tests.browser.conftest import MakeDemo, OpenWindow
from tests.browser.test_barriers import find_barriers
from tests.browser.test_next_steps import signed_in

WORDS = {"en-US": "Why this?", "pt-BR": "Por que aparece isto?"}


@pytest.mark.parametrize(("locale", "scheme"), [("en-US", "light"), ("pt-BR", "dark")])
def test_an_administrator_reads_why_and_goes_on_by_keyboard(
    demo_with: MakeDemo, open_window: OpenWindow, locale: str, scheme: str
) -> None:
    demo = demo_with("access-token")
    demo.chat.agents[AGENT]["role"] = "administrator"
    page = open_window(locale=locale, color_scheme=scheme).page
    panel = signed_in(demo, page)
    page.add_style_tag(content="iframe { width: 320px !important }")
    button = panel.find("[data-action=why]")
    expect(button).to_have_text(WORDS[locale])
    button.press("Enter")
    lines = panel.find("#why[open] pre")
    expect(lines).to_contain_text("shown      organization 42, claimed by contact attribute")
    expect(lines).to_have_attribute("lang", "en")
    expect(panel.find("#why > p")).to_have_count(0 if locale == "en-US" else 1)
    assert find_barriers(panel) == []
    assert panel.frame.evaluate("document.documentElement.scrollWidth") <= 320
    page.keyboard.press("Escape")
    expect(panel.find("#why[open]")).to_have_count(0)
    expect(button).to_be_focused()
    panel.expect_root("ready")
