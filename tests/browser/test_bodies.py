"""The panel for every body: by keyboard alone, by a screen reader, at 400 % zoom, in the reader's
own colours."""

import pytest
from playwright.sync_api import Page, expect

from panel.demo.worlds import AGENT_TOKEN
from tests.browser.bridge import say_in_app
from tests.browser.conftest import SECTIONS, Demo, MakeDemo, OpenWindow, Panel

# The texts of the status region, in order, as a screen reader hears of them.
LISTEN = """() => {
  window.heard = [];
  const status = document.querySelector("#said");
  if (!status) return; // this is Chatwoot's page
  new MutationObserver(() => status.textContent && heard.push(status.textContent))
    .observe(status, { childList: true, characterData: true, subtree: true });
}"""
ROOM_AROUND = """(dialog) => {
  const { top, bottom } = dialog.getBoundingClientRect();
  return [top, innerHeight - bottom];
}"""
LIVE_REGIONS = """() => [...document.querySelectorAll(
    "[role=alert], [role=status], [role=log], [aria-live]")].map((node) => node.id)"""


def listen(demo: Demo, page: Page, scenario: str) -> Panel:
    """Open another conversation, in a frame where every announced text is recorded from the
    start."""
    page.add_init_script(f"addEventListener('DOMContentLoaded', {LISTEN})")
    return demo.open(page, scenario)


def heard(panel: Panel) -> list[str]:
    return list(panel.frame.evaluate("window.heard"))


# -- heard ---------------------------------------------------------------------------------------


def test_an_outage_of_all_sections_is_one_sentence_without_a_clock(demo: Demo, page: Page) -> None:
    panel = listen(demo, page, "error500")
    panel.expect_state("failed")
    status = panel.find("#said")
    expect(status).to_contain_text("Could not be read: ")
    for section in panel.find("[data-section] h2").all():
        expect(status).to_contain_text(section.inner_text())
    # The outage lasts: the section fails again and again, and the failure was announced already.
    with page.expect_response("**/sections/orders"):
        panel.frame.evaluate("document.body.dispatchEvent(new Event('touched-orders'))")
    panel.settle()
    assert len(set(heard(panel))) == 1
    assert ":" not in heard(panel)[0].replace("read: ", ""), "no clock"


def test_nothing_is_said_where_nothing_happened_and_one_region_alone_speaks(panel: Panel) -> None:
    assert panel.frame.evaluate(LIVE_REGIONS) == ["said"]
    expect(panel.find("#said")).to_have_text("")
    assert panel.find("[data-section] #said").count() == 0


@pytest.mark.parametrize(
    "scenario", ["error500", "forbidden", "two", "unlinked", "chatwoot-down", "contradictions"]
)
def test_no_state_has_a_live_region_but_the_one_outside(
    demo: Demo, page: Page, scenario: str
) -> None:
    panel = demo.open(page, scenario)
    panel.settle()
    assert panel.frame.evaluate(LIVE_REGIONS) == ["said"]


def test_a_refresh_without_news_says_that_all_is_up_to_date(panel: Panel) -> None:
    with panel.page.expect_response("**/refresh"):
        panel.refresh("orders")
    expect(panel.find("#said")).to_have_text("Up to date")


def test_a_page_instead_of_sections_is_told_by_its_heading(demo: Demo, page: Page) -> None:
    panel = demo.open(page, "chatwoot-down")
    panel.expect_root("failed")
    expect(panel.find("#said")).to_have_text(panel.find("h1").inner_text())


# -- the keyboard's place ------------------------------------------------------------------------


def test_the_question_before_uncovering_is_a_dialog_that_takes_and_gives_back_the_keyboard(
    panel: Panel,
) -> None:
    button = panel.section("orders").locator("[data-action=reveal]")
    button.focus()
    panel.page.keyboard.press("Enter")
    dialog = panel.section("orders").get_by_role("dialog")
    expect(dialog).to_be_visible()
    expect(dialog.locator("select")).to_be_focused()
    for _ in range(12):
        panel.page.keyboard.press("Tab")
        inside = (
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
        assert panel.frame.evaluate(inside)
    dialog.locator("select").focus()
    panel.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()
    button.click()
    dialog.locator("[data-action=close]").click()
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()


def test_at_400_percent_zoom_a_dialog_scrolls_to_its_end(
    demo: Demo, open_window: OpenWindow
) -> None:
    page = open_window(locale="en-US", viewport={"width": 320, "height": 900}).page
    panel = demo.open(page)
    panel.expect_state("fresh")
    page.add_style_tag(content="iframe { width: 320px !important; height: 160px !important }")
    for opener in ("[data-section=orders] [data-action=reveal]", "[data-action=shortcuts]"):
        panel.find(opener).evaluate("(button) => button.click()")
        dialog = panel.find("dialog[open]")
        box = dialog.evaluate(ROOM_AROUND)
        assert min(box) >= 0, f"{opener} reaches beyond the page: {box}"
        last = dialog.locator("[data-action=close]")
        last.scroll_into_view_if_needed()
        expect(last).to_be_in_viewport()
        last.click()


def test_the_keyboard_stays_in_the_panel_after_signing_in(demo_with: MakeDemo, page: Page) -> None:
    panel = demo_with("access-token").open(page)
    panel.find("#token").fill(AGENT_TOKEN)
    panel.page.keyboard.press("Enter")
    panel.expect_root("ready")
    expect(panel.find("#panel h1").first).to_be_focused()


def test_the_keyboard_stays_in_the_panel_after_trying_again(demo: Demo, page: Page) -> None:
    panel = demo.open(page, "chatwoot-down")
    panel.expect_root("failed")
    with page.expect_response("**/contact"):
        panel.find("[data-action=ask]").press("Enter")
    expect(panel.find("#panel h1")).to_be_focused()
    demo.chat.unreachable.clear()
    panel.find("[data-action=ask]").press("Enter")
    panel.expect_root("ready")
    expect(panel.find("#panel h1").first).to_be_focused()


def test_the_keyboard_stays_in_a_section_that_is_tried_again(demo: Demo, page: Page) -> None:
    panel = demo.open(page, "error500")
    panel.expect_state("failed")
    panel.settle()
    expect(panel.find(".sections")).to_be_visible()
    demo.office.heal()
    panel.section("orders").locator("[data-action=retry]").press("Enter")
    panel.expect_state("fresh", "orders")
    expect(panel.find("[data-section=orders] :focus")).to_have_count(1)


# -- shortcuts -----------------------------------------------------------------------------------


def enter(panel: Panel) -> None:
    panel.find("body").evaluate("(body) => { body.tabIndex = -1; body.focus(); }")


def test_single_keys_refresh_search_and_walk_and_are_listed(panel: Panel) -> None:
    enter(panel)
    for name in SECTIONS[:2]:
        panel.page.keyboard.press("n")
        expect(panel.section(name).locator("h2")).to_be_focused()
    with panel.page.expect_response("**/refresh"):
        panel.page.keyboard.press("r")
    panel.page.keyboard.press("/")
    expect(panel.find("#query")).to_be_focused()
    panel.page.keyboard.press("n")
    expect(panel.find("#query")).to_have_value("n")
    enter(panel)
    panel.page.keyboard.press("?")
    dialog = panel.find("#shortcuts")
    expect(dialog).to_be_visible()
    expect(dialog.locator("kbd")).to_have_text(["R", "/", "N", "?"])
    panel.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_keys_with_alt_ctrl_or_cmd_are_chatwoots_or_the_browsers(panel: Panel) -> None:
    enter(panel)
    for key in ("Alt+n", "Control+n", "Meta+n"):
        assert panel.frame.evaluate(
            """(key) => {
              const [name, letter] = key.split("+");
              const held = { Alt: "altKey", Control: "ctrlKey", Meta: "metaKey" }[name];
              const event = new KeyboardEvent("keydown",
                { key: letter, bubbles: true, cancelable: true, [held]: true });
              return document.body.dispatchEvent(event);
            }""",
            key,
        )
    assert panel.frame.evaluate("document.activeElement === document.body")


def test_shortcuts_can_be_switched_off_and_stay_off(demo: Demo, page: Page) -> None:
    """In the mobile app's page: in a frame of another site this browser keeps nothing."""
    panel = demo.open_in_app(page)
    say_in_app(page, demo.context("healthy"))
    panel.expect_state("fresh")
    panel.find("[data-action=shortcuts]").press("Enter")
    panel.find("#shortcuts input").uncheck()
    panel.find("#shortcuts [data-action=close]").click()
    enter(panel)
    panel.page.keyboard.press("n")
    assert panel.frame.evaluate("document.activeElement === document.body")
    page.reload()
    enter(panel)
    panel.page.keyboard.press("n")
    assert panel.frame.evaluate("document.activeElement === document.body")


def test_a_reader_with_colours_of_their_own_sees_where_the_banner_ends(
    demo: Demo, open_window: OpenWindow
) -> None:
    page = open_window(locale="en-US", forced_colors="active").page
    panel = demo.open(page)
    panel.expect_state("fresh")
    expect(panel.find("[data-banner=unproven]")).to_have_css("border-top-style", "solid")
    dot = panel.find("#attention .dot.ruby").first
    expect(dot).to_have_css("background-color", "rgb(229, 70, 102)")
