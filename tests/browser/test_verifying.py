"""The dialog in which an agent verifies somebody: keyboard, short screens, no barriers."""

import pytest
from playwright.sync_api import Locator, expect

from panel.data.verification_tries import MOST_TRIES
from tests.browser.bridge import say
from tests.browser.conftest import Demo, OpenWindow, Panel, Seen
from tests.browser.test_barriers import find_barriers

# The focus is in the dialog, or has left the page for the browser's own buttons.
IS_KEPT = """() => document.querySelector("dialog.verify").contains(document.activeElement)
  || !document.hasFocus()"""


def open_dialog(panel: Panel) -> Locator:
    panel.find("[data-action=verify]").press("Enter")
    dialog = panel.find("dialog.verify[open]")
    expect(panel.find("#answer")).to_be_focused()
    return dialog


def test_by_keyboard_somebody_is_verified_and_it_is_undone(panel: Panel, demo: Demo) -> None:
    open_dialog(panel)
    for _ in range(12):
        panel.page.keyboard.press("Tab")
        panel.frame.wait_for_function(IS_KEPT)
    panel.find("#answer").press("Escape")
    expect(panel.find("dialog.verify[open]")).to_have_count(0)
    expect(panel.find("[data-action=verify]")).to_be_focused()
    open_dialog(panel)
    panel.find("#answer").fill("ZZZZ-9999")
    panel.find("#answer").press("Enter")
    expect(panel.find("#verify-said")).to_contain_text("This matches nothing of this company.")
    expect(panel.find("#answer")).to_be_focused()
    panel.find("#answer").fill(demo.office.licenses[42][0]["license_key"][-9:])
    panel.find("#answer").press("Enter")
    expect(panel.root).to_have_attribute("data-trust", "proven")
    expect(panel.find("#panel h1")).to_be_focused()
    expect(panel.find(".who")).to_contain_text("verified by license key, Bruno Lima")
    panel.settle()
    expect(panel.find("[data-masked]")).to_have_count(0)
    panel.find("[data-action=unverify]").press("Enter")
    expect(panel.root).to_have_attribute("data-trust", "unproven")
    panel.settle()
    assert panel.find("[data-masked]").count() > 8


def test_a_panel_in_a_second_tab_shows_nothing_more_once_it_was_undone(
    panel: Panel, demo: Demo, open_window: OpenWindow
) -> None:
    open_dialog(panel)
    panel.find("[data-action=called]").click()
    expect(panel.root).to_have_attribute("data-trust", "proven")
    second = demo.open(open_window(locale="en-US").page)
    expect(second.root).to_have_attribute("data-trust", "proven")
    second.settle()
    panel.find("[data-action=unverify]").click()
    expect(panel.root).to_have_attribute("data-trust", "unproven")
    second.shown_again()
    expect(second.root).to_have_attribute("data-trust", "unproven", timeout=15_000)
    second.settle()
    assert second.find("[data-masked]").count() > 8


def test_what_an_agent_types_survives_a_change_of_the_contact_which_shows_afterwards(
    panel: Panel, demo: Demo, seen: Seen
) -> None:
    open_dialog(panel)
    panel.find("#answer").fill("ZZZZ-99")
    seen.forget()
    changed = demo.context("healthy")
    changed["data"]["contact"] = dict(changed["data"]["contact"], email="bruno@novo.example")
    say(panel, changed)
    say(panel, {"event": "heard"})  # messages arrive in order
    panel.frame.evaluate("new Promise((done) => setTimeout(done))")
    expect(panel.find("#answer")).to_have_value("ZZZZ-99")
    assert seen.sent("/contact") == []
    with panel.page.expect_response("**/contact"):
        panel.find("dialog.verify [data-action=close]").click()
    panel.settle()


@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
def test_the_dialog_holds_no_barrier_and_scrolls_on_a_short_screen(
    demo: Demo, open_window: OpenWindow, locale: str
) -> None:
    page = open_window(locale=locale).page
    panel = demo.open(page)
    page.add_style_tag(content="iframe { width: 320px !important; height: 160px !important }")
    panel.settle()
    dialog = open_dialog(panel)
    box = dialog.evaluate("(dialog) => dialog.getBoundingClientRect().toJSON()")
    assert (box["top"] >= 0, box["bottom"] <= 160) == (True, True), box  # 1280×640 at 400 %
    panel.find("dialog.verify [data-action=close]").scroll_into_view_if_needed()
    expect(panel.find("dialog.verify [data-action=close]")).to_be_in_viewport()
    for _ in range(MOST_TRIES):
        panel.find("#answer").fill("ZZZZ-9999")
        panel.find("[data-action=check]").click()
        expect(panel.find("#answer")).to_have_value("")  # the dialog came anew
    expect(panel.find("#answer")).to_be_disabled()
    assert find_barriers(panel) == []
