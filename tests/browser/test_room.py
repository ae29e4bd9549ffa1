"""The room that a cold open holds for a section, and when a card gives the rest of it back."""

import pytest
from playwright.sync_api import Page, expect

from panel.demo.scenarios import SCENARIOS
from tests.browser.conftest import Demo, OpenWindow, Panel
from tests.browser.test_measures import COLD_SHIFT, EMPTY, TOP, WATCH, resize, sized

GAP = 8  # pixels below the last line of a card that has given its room back
# The sections that were hidden for a frame. How far a browser counts them as moved depends on its
# frames, and so on the load of the machine.
NOTE_REDRAWN = """
const animate = Element.prototype.animate;
window.redrawn = [];
Element.prototype.animate = function (...given) {
  window.redrawn.push(this.dataset.section);
  return animate.apply(this, given);
};
"""
HELD = 240  # pixels, for the licenses
CUSTOMER = "proven"  # two licenses, two open orders


def fail(demo: Demo, section: str, fault: str, scenario: str = CUSTOMER) -> None:
    demo.office.fault(fault, SCENARIOS[scenario].organizations[0], section)


def open_cold(demo: Demo, page: Page, scenario: str = CUSTOMER, width: int = 420) -> Panel:
    """The panel as it stands while a section loads."""
    page.add_init_script(f"({WATCH})()")
    page.set_viewport_size({"width": 1700, "height": 1000})
    page.goto(f"{demo.chatwoot_url}/?scenario={scenario}")
    resize(page, width, 598)
    page.locator("[data-tab=app]").click()
    return Panel(page, page.frame_locator("iframe"), demo.panel_url)


def gap(panel: Panel, section: str) -> float:
    return float(panel.section(section).evaluate(f"(card) => ({EMPTY})([card])[0]"))


def test_a_card_gives_its_room_back_while_the_next_one_still_loads(demo: Demo, page: Page) -> None:
    fail(demo, "orders", "slow")
    panel = open_cold(demo, page)
    panel.expect_state("fresh", "licenses")
    expect(panel.section("orders")).to_have_attribute("data-state", "loading")
    assert gap(panel, "licenses") < GAP
    panel.settle()
    assert gap(panel, "orders") < GAP, "what was out of sight has not been read"
    assert panel.frame.evaluate("window.shift") <= COLD_SHIFT


def test_a_card_that_grows_draws_the_skeletons_below_it_anew(demo: Demo, page: Page) -> None:
    for section in ("orders", "quotes", "organization"):
        fail(demo, section, "slow", "expiring")
    page.add_init_script(NOTE_REDRAWN)
    panel = open_cold(demo, page, "expiring", 740)
    panel.expect_state("fresh", "licenses")
    panel.expect_state("loading", "orders", "quotes", "organization")
    assert panel.section("licenses").evaluate("(card) => card.offsetHeight") > HELD
    assert "quotes" in panel.frame.evaluate("window.redrawn")


def test_what_the_agent_has_read_stays_until_the_panel_is_out_of_sight(
    demo: Demo, page: Page
) -> None:
    fail(demo, "licenses", "slow")
    panel = open_cold(demo, page)
    panel.expect_state("fresh", "orders")
    expect(panel.section("licenses")).to_have_attribute("data-state", "loading")
    before = panel.section("orders").evaluate(TOP)
    panel.settle()
    assert panel.section("orders").evaluate(TOP) == before
    assert gap(panel, "licenses") > GAP
    page.locator("[data-tab=messages]").click()
    page.locator("[data-tab=app]").click()
    panel.frame.wait_for_function(
        f"(top) => ({TOP})(document.querySelector('#orders')) < top", arg=before
    )
    assert gap(panel, "licenses") < GAP


def test_a_section_that_failed_holds_no_empty_place(demo: Demo, page: Page) -> None:
    fail(demo, "orders", "500")
    panel = sized(demo, page, CUSTOMER, 420, 598)
    expect(panel.find("[data-outage]")).to_be_visible()
    expect(panel.section("orders").locator(".cause").first).to_be_hidden()
    assert gap(panel, "orders") < GAP


@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
def test_no_button_in_the_heading_of_a_card_is_cut(
    demo: Demo, open_window: OpenWindow, locale: str
) -> None:
    panel = sized(demo, open_window(locale=locale).page, "healthy", 320, 598)
    cut = """(buttons) => buttons.filter((button) => button.scrollWidth > button.clientWidth
      || button.offsetHeight > button.parentElement.clientHeight).length"""
    buttons = panel.find(".card > header .reveal")
    expect(buttons).to_have_count(4)
    assert buttons.evaluate_all(cut) == 0
