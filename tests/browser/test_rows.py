"""Rows opened in place: by keyboard, over a refresh, without a jump, and without a barrier."""

from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from panel.services import register
from tests.browser.conftest import Demo, OpenWindow, Panel, Seen
from tests.browser.test_barriers import find_barriers

TOPS = """() => [...document.querySelectorAll("h1, h2, [data-row]")].map(
  (each) => [each.id || each.innerText, Math.round(each.getBoundingClientRect().top + scrollY)])"""


def opener(panel: Panel, name: str, number: int) -> str:
    return f"[data-section={name}] [data-row='{number}'] [data-action=open]"


def open_row(panel: Panel, name: str, number: int) -> None:
    panel.find(opener(panel, name, number)).click()
    expect(told(panel, name, number)).to_have_attribute("data-state", "fresh")
    panel.settle()


def told(panel: Panel, name: str, number: int):  # type: ignore[no-untyped-def]
    return panel.find(f"[data-section={name}] [data-row='{number}'] .told")


def touch(panel: Panel, demo: Demo, name: str) -> None:
    demo.services.cache.touch(42, name)
    panel.shown_again()


def test_a_row_opens_by_keyboard_and_keeps_the_focus(proven: Panel, demo: Demo, seen: Seen) -> None:
    button = proven.find(opener(proven, "orders", 4201))
    before = proven.frame.evaluate(TOPS)
    count = len(seen.sent("/rows/"))
    button.focus()
    proven.page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(told(proven, "orders", 4201)).to_contain_text("Subtotal")
    proven.settle()
    expect(button).to_be_focused()
    above = [row for row in before if row[0].startswith("licenses") or row[0] == "orders-4217"]
    after = proven.frame.evaluate(TOPS)
    assert [row for row in above if row not in after] == [], "nothing above it moves"
    for expanded in ("false", "true"):
        proven.page.keyboard.press("Space")
        expect(button).to_have_attribute("aria-expanded", expanded)
        expect(told(proven, "orders", 4201)).to_be_visible(visible=expanded == "true")
    assert len(seen.sent("/rows/")) == count + 1, "it is asked for once"


def test_an_opened_row_stays_open_over_a_refresh_and_is_read_anew(
    proven: Panel, demo: Demo
) -> None:
    open_row(proven, "orders", 4201)
    demo.office.orders[42][0]["line_items"] = [{"product_name": "Another product"}]
    proven.refresh("orders")
    expect(told(proven, "orders", 4201)).to_contain_text("Another product")
    expect(proven.find(opener(proven, "orders", 4201))).to_have_attribute("aria-expanded", "true")


def test_an_opened_row_that_a_hook_moves_behind_the_line_stays_in_sight(
    proven: Panel, demo: Demo
) -> None:
    open_row(proven, "orders", 4201)
    demo.office.put("orders", 42, {**demo.office.orders[42][0], "status": "completed"})
    touch(proven, demo, "orders")
    expect(proven.find("#closed-orders #orders-4201")).to_have_count(1)
    expect(told(proven, "orders", 4201)).to_be_visible()
    expect(told(proven, "orders", 4201)).to_contain_text("Plugin")


def test_opening_a_row_is_no_news(proven: Panel, demo: Demo) -> None:
    open_row(proven, "orders", 4201)
    proven.refresh("orders")
    proven.settle()
    expect(proven.find("[data-news]")).to_have_count(0)


def test_a_failed_row_says_so_in_its_place_and_heals_by_its_own_button(
    proven: Panel, demo: Demo, seen: Seen
) -> None:
    demo.office.fault("500", 42)
    button = proven.find(opener(proven, "orders", 4201))
    button.click()
    expect(told(proven, "orders", 4201)).to_have_attribute("data-state", "failed")
    expect(proven.find("#said")).to_have_text("Could not be read.")
    expect(proven.section("orders")).to_have_attribute("data-state", "fresh")
    demo.office.heal()
    told(proven, "orders", 4201).locator("[data-action=read-again]").focus()
    proven.page.keyboard.press("Enter")
    expect(told(proven, "orders", 4201)).to_have_attribute("data-state", "fresh")
    expect(button).to_be_focused()


def test_a_lost_connection_is_told_in_the_row(panel: Panel, seen: Seen) -> None:
    panel.page.route("**/rows/**", lambda route: route.abort())
    panel.find(opener(panel, "orders", 4201)).click()
    expect(panel.find("#orders-4201 .details [data-lost-part]")).to_be_visible()
    expect(panel.find("[data-lost-part]")).to_have_count(1)
    seen.errors.clear()


def test_what_is_uncovered_is_uncovered_in_opened_rows_and_hidden_when_it_ends(
    panel: Panel, demo: Demo
) -> None:
    open_row(panel, "orders", 4201)
    expect(told(panel, "orders", 4201).locator("[data-masked]")).not_to_have_count(0)
    panel.uncover("orders")
    expect(told(panel, "orders", 4201).locator(".money")).not_to_have_count(0)
    panel.frame.evaluate(
        "document.querySelector('[data-section=orders]').removeAttribute('data-seal')"
    )
    panel.refresh("orders")
    expect(told(panel, "orders", 4201).locator("[data-masked]")).not_to_have_count(0)
    expect(panel.section("orders").locator(".money")).to_have_count(0)


def test_notes_are_uncovered_from_their_row_where_nothing_else_of_the_section_is_hidden(
    demo: Demo, page: Page
) -> None:
    shared = demo.services
    settings = replace(shared.settings, mask="secrets")
    register(demo.house.panel, replace(shared, settings=settings))  # type: ignore[arg-type]
    panel = demo.open(page)
    panel.settle()
    expect(panel.section("quotes").locator("[data-action=reveal]")).to_have_count(0)
    open_row(panel, "quotes", 4202)
    notes = told(panel, "quotes", 4202).locator(".typed")
    expect(notes.locator("[data-masked]")).to_have_count(1)
    panel.uncover("quotes")
    expect(notes).to_contain_text("Renovação anual do Tema Campus, com instalação.")
    expect(panel.find("#quotes-4202 .details [data-action=reveal]")).to_have_count(0)
    expect(panel.find(opener(panel, "quotes", 4202))).to_have_attribute("aria-expanded", "true")


@pytest.mark.parametrize(("locale", "scheme"), [("en-US", "light"), ("pt-BR", "dark")])
def test_opened_rows_hold_no_barrier_and_nothing_is_wider_than_the_frame(
    demo: Demo, open_window: OpenWindow, locale: str, scheme: str
) -> None:
    page: Page = open_window(locale=locale, color_scheme=scheme).page
    panel = demo.open(page, "healthy", width=320)
    panel.settle()
    for name, number in (
        ("licenses", 4203),
        ("orders", 4217),
        ("quotes", 4202),
        ("organization", 42),
    ):
        open_row(panel, name, number)
    # From the top: a control that the head or the edge covers while scrolled is no small target.
    panel.frame.evaluate("scrollTo(0, 0)")
    assert find_barriers(panel) == []
    assert panel.frame.evaluate("document.documentElement.scrollWidth") <= 320
