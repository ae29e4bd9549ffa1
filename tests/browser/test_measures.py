"""The first screen in figures: where things stand, how long the page is, and what jumps."""

import pytest
from playwright.sync_api import Page, expect

from panel.demo.companies import Maker, calm, load
from panel.demo.scenarios import SCENARIOS
from panel.demo.worlds import find_today
from tests.browser.conftest import Demo, OpenWindow, Panel

LICENSES_ABOVE = 260
TWO_LINES = 88  # pixels, with their margins
COLD_SHIFT, WARM_SHIFT = 0.05, 0.02
PAGE_HEIGHT = "document.documentElement.scrollHeight"
TOP = "(section) => section.getBoundingClientRect().top + scrollY"
# As browsers report it: shifts within half a second of the reader's own act are their wish.
WATCH = """() => {
  window.shift = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
}"""
BOTTOM = "getBoundingClientRect().bottom"
EMPTY = f"(cards) => cards.map((card) => card.{BOTTOM} - card.lastElementChild.{BOTTOM})"
WIDE = [("expiring", 740), ("many", 948)]  # the customers whose columns change most
NEVER_SETTLES = {"hanging"}  # its sections wait for eight seconds, which the others' limits cover


def healthy(demo: Demo, page: Page, width: int, height: int) -> Panel:
    """A customer of whom nothing is due, verified, in a frame of this size."""
    row = SCENARIOS["proven"]
    maker = Maker(find_today(), row.organizations[0])
    load(demo.office, calm(maker, "Segura Cursos Ltda", "segura.example"))
    demo.prove("proven")
    return sized(demo, page, "proven", width, height)


def sized(demo: Demo, page: Page, scenario: str, width: int, height: int) -> Panel:
    page.set_viewport_size({"width": 1700, "height": 1000})
    page.goto(f"{demo.chatwoot_url}/?scenario={scenario}")
    resize(page, width, height)
    page.locator("[data-tab=app]").click()
    panel = Panel(page, page.frame_locator("iframe"), demo.panel_url)
    panel.settle()
    return panel


def resize(page: Page, width: int, height: int) -> None:
    """Give the frame this size, in place of its present one."""
    style = f"iframe {{ width: {width}px !important; height: {height}px !important }}"
    page.add_style_tag(content=style)


@pytest.mark.parametrize("scenario", ["healthy", "proven", "expiring", "many"])
def test_licenses_begin_in_the_first_screen_of_chatwoots_own_layout(
    demo: Demo, page: Page, scenario: str
) -> None:
    panel = sized(demo, page, scenario, 420, 598)
    assert panel.section("licenses").evaluate(TOP) < LICENSES_ABOVE


def test_a_healthy_customer_is_one_screen_at_740_pixels(demo: Demo, page: Page) -> None:
    panel = healthy(demo, page, 740, 598)
    assert panel.frame.evaluate(PAGE_HEIGHT) <= 720


@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
def test_four_lines_that_need_a_word_and_every_amount_fit_into_the_same_screen(
    demo: Demo, open_window: OpenWindow, locale: str
) -> None:
    demo.prove("healthy")
    panel = sized(demo, open_window(locale=locale).page, "healthy", 740, 598)
    assert panel.find("#attention a.line").count() == 4
    assert panel.find(".totals").count() == 3
    assert panel.frame.evaluate(PAGE_HEIGHT) <= 720


@pytest.mark.parametrize("width", [320, 740])
def test_the_page_ends_where_its_last_card_ends(demo: Demo, page: Page, width: int) -> None:
    panel = sized(demo, page, "healthy", width, 200)
    bottoms = panel.find(".card").evaluate_all(
        "(cards) => Math.max(...cards.map((card) => card.getBoundingClientRect().bottom))"
    )
    assert panel.frame.evaluate(PAGE_HEIGHT) - panel.frame.evaluate("scrollY") - bottoms <= 16


def test_a_healthy_customer_is_seen_without_scrolling_at_948_pixels(demo: Demo, page: Page) -> None:
    panel = healthy(demo, page, 948, 878)
    assert panel.frame.evaluate(PAGE_HEIGHT) <= 878


@pytest.mark.parametrize(
    ("scenario", "width"), [(name, 420) for name in sorted(set(SCENARIOS) - NEVER_SETTLES)] + WIDE
)
def test_nothing_jumps_on_a_cold_open_nor_on_a_warm_one(
    demo: Demo, open_window: OpenWindow, scenario: str, width: int
) -> None:
    page = open_window(locale="en-US").page
    page.add_init_script(f"({WATCH})()")
    panel = sized(demo, page, scenario, width, 598)
    assert panel.frame.evaluate("window.shift") <= COLD_SHIFT
    panel = sized(demo, page, scenario, width, 598)
    assert panel.frame.evaluate("window.shift") <= WARM_SHIFT


@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
def test_nothing_runs_out_of_the_heading_of_a_card(
    demo: Demo, open_window: OpenWindow, locale: str
) -> None:
    panel = sized(demo, open_window(locale=locale).page, "healthy", 320, 598)
    cut = "(headers) => headers.filter((each) => each.scrollWidth > each.clientWidth).length"
    for width in (320, 420, 740):
        resize(panel.page, width, 598)
        panel.section("organization").hover()
        panel.frame.wait_for_function("(width) => innerWidth === width", arg=width)
        assert panel.find(".card > header").evaluate_all(cut) == 0, width


@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
def test_the_head_has_two_lines_and_says_the_rest_when_it_is_opened(
    demo: Demo, open_window: OpenWindow, locale: str
) -> None:
    contact = demo.chat.contacts[SCENARIOS["healthy"].contact]
    contact["name"] = "Ana Carolina Albuquerque de Souza"
    panel = sized(demo, open_window(locale=locale).page, "healthy", 320, 598)
    head, who = panel.find(".head"), panel.find(".who")
    cut = "(who) => [...who.children].some((part) => part.scrollWidth > part.clientWidth)"
    for width in (320, 420):
        resize(panel.page, width, 598)
        panel.frame.wait_for_function("(width) => innerWidth === width", arg=width)
        assert head.evaluate("(head) => head.offsetHeight") <= TWO_LINES, width
        assert who.get_attribute("title") == " ".join((who.text_content() or "").split())
        panel.find("#confirm > summary").click()
        assert not who.evaluate(cut), width
        panel.find("#confirm > summary").click()
        expect(panel.find("#confirm[open]")).to_have_count(0)


def test_where_nothing_could_be_read_no_empty_place_is_held(demo: Demo, page: Page) -> None:
    panel = sized(demo, page, "error500", 420, 598)
    heights = panel.find(".card").evaluate_all("(cards) => cards.map((card) => card.offsetHeight)")
    assert max(heights) < 100
    assert panel.find("[data-outage]").count() == 1


def test_no_empty_place_is_held_below_the_window(demo: Demo, page: Page) -> None:
    panel = sized(demo, page, "expiring", 420, 598)
    assert max(panel.find(".card").evaluate_all(EMPTY)) < 8
    panel.find("body").evaluate("() => scrollTo(0, 300)")
    panel.refresh("orders")
    panel.settle()
    assert max(panel.find(".card").evaluate_all(EMPTY)) < 8


def test_whose_word_a_name_is_stays_in_sight_in_the_narrowest_frame(demo: Demo, page: Page) -> None:
    panel = sized(demo, page, "error500", 320, 598)
    expect(panel.find("[data-claimed]")).to_be_in_viewport()
