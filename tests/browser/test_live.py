"""An open panel and changes: how often it asks, what it marks, and what it leaves as it is."""

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from panel.auth.seal import Seal
from tests.browser.conftest import Demo, OpenWindow, Panel, Seen


def change_orders(demo: Demo, number: int = 42) -> None:
    """An order changes, another one comes; the plugin rings for both."""
    first = demo.office.orders[number][0]
    demo.office.put("orders", number, {**first, "status": "refused-by-bank"})
    demo.office.put("orders", number, {**first, "id": 4299, "status": "pending"})
    demo.services.cache.touch(number, "orders")


def questions(seen: Seen) -> list[dict[str, list[str]]]:
    return [parse_qs(urlsplit(request.url).query) for request in seen.sent("/changes")]


@pytest.fixture
def clocked(demo: Demo, page: Page) -> Panel:
    """The healthy company, on a clock that the test moves."""
    page.clock.install()
    panel = demo.open(page)
    panel.expect_state("fresh")
    panel.settle()
    return panel


# -- what is marked ------------------------------------------------------------------------------


def test_new_and_changed_rows_are_marked_in_words_and_said_once(panel: Panel, demo: Demo) -> None:
    expect(panel.find("[data-news]")).to_have_count(0)
    changed = demo.office.orders[42][0]["id"]
    change_orders(demo)
    orders = panel.section("orders")
    expect(orders.locator("[data-row='4299'] [data-news]")).to_have_attribute("data-news", "new")
    expect(orders.locator(f"[data-row='{changed}'] [data-news]")).to_have_attribute(
        "data-news", "changed"
    )
    expect(panel.find("[data-news]")).to_have_count(2)
    expect(panel.find("#said")).to_have_text("Orders: new (1), changed (1)")
    word = "(chip) => getComputedStyle(chip, '::after').content"
    assert orders.locator("[data-row='4299'] [data-news]").evaluate(word) == '"new"'


def test_a_mark_outlasts_the_next_refresh_and_goes_by_itself(clocked: Panel, demo: Demo) -> None:
    change_orders(demo)
    clocked.page.clock.run_for(2_000)
    expect(clocked.find("[data-news]")).to_have_count(2)
    with clocked.page.expect_response("**/refresh"):
        clocked.refresh("orders")
    clocked.settle()
    expect(clocked.find("[data-news]")).to_have_count(2)
    clocked.page.clock.run_for(9_000)
    expect(clocked.find("[data-news]")).to_have_count(0)


def test_what_is_the_same_or_only_uncovered_is_not_news(panel: Panel) -> None:
    with panel.page.expect_response("**/refresh"):
        panel.refresh("orders")
    panel.settle()
    panel.uncover("orders")
    expect(panel.rows("orders")).to_have_count(4)
    with panel.page.expect_response("**/refresh"):
        panel.refresh("licenses")
    panel.settle()
    expect(panel.find("[data-news]")).to_have_count(0)
    expect(panel.find("#said")).to_have_text("Up to date")


def test_the_first_order_of_a_company_that_had_none_is_new(demo: Demo, page: Page) -> None:
    panel = demo.open(page, "empty")
    panel.expect_state("empty", "orders")
    demo.office.put("orders", 43, {**demo.office.orders[42][0], "id": 1, "organization_id": 43})
    demo.services.cache.touch(43, "orders")
    expect(panel.rows("orders")).to_have_count(1)
    expect(panel.section("orders").locator("[data-news=new]")).to_have_count(1)


def test_who_wants_no_motion_reads_the_mark_and_sees_none(
    demo: Demo, open_window: OpenWindow
) -> None:
    for wish, name in (("reduce", "none"), ("no-preference", "settle")):
        page = open_window(locale="en-US", reduced_motion=wish).page
        panel = demo.open(page)
        panel.expect_state("fresh")
        panel.settle()
        demo.office.put("orders", 42, {**demo.office.orders[42][0], "id": 4300 + len(wish)})
        demo.services.cache.touch(42, "orders")
        expect(panel.find("[data-news]")).to_have_count(1)
        marked = panel.find("[data-row]:has([data-news])")
        assert marked.evaluate("(row) => getComputedStyle(row).animationName") == name


def test_a_touched_section_keeps_focus_opened_rows_place_and_selection(
    demo: Demo, page: Page
) -> None:
    panel = demo.open(page, "many")
    panel.expect_state("fresh")
    panel.settle()
    orders = panel.section("orders")
    row_details = orders.locator("details.more:not(.closed)")
    row_details.locator("summary").click()
    row_details.locator("summary").focus()
    panel.frame.evaluate(
        """() => {
          document.scrollingElement.scrollTop = 500;
          const row = document.querySelectorAll("[data-section=orders] [data-row] .detail")[3];
          getSelection().selectAllChildren(row);
        }"""
    )
    selected = panel.frame.evaluate("getSelection().toString()")
    place = panel.frame.evaluate("document.scrollingElement.scrollTop")
    assert selected
    assert place > 100
    demo.office.put("orders", 44, {**demo.office.orders[44][0], "status": "on-hold"})
    demo.services.cache.touch(44, "orders")
    expect(orders.locator("[data-news]")).to_have_count(1)
    assert row_details.evaluate("(details) => details.open")
    expect(row_details.locator("summary")).to_be_focused()
    assert panel.frame.evaluate("document.scrollingElement.scrollTop") == place
    assert panel.frame.evaluate("getSelection().toString()") == selected


# -- how often it asks ---------------------------------------------------------------------------


def until_held(panel: Panel, routes: list[Route]) -> None:
    """Let two seconds pass on the panel's clock, then wait until the browser has reported the
    held request."""
    panel.page.clock.run_for(2_000)
    for _ in range(30):
        if routes:
            return
        panel.page.clock.run_for(100)
        panel.expect_root("ready")
    pytest.fail("nothing was asked")


def test_a_visible_panel_asks_every_other_second_one_question_at_a_time(
    clocked: Panel, seen: Seen
) -> None:
    routes: list[Route] = []
    clocked.page.route("**/changes*", lambda route: routes.append(route))  # noqa: PLW0108 (counted)
    until_held(clocked, routes)
    for _ in range(6):
        clocked.page.clock.run_for(2_000)  # in all, less than a request may take
        clocked.expect_root("ready")
    assert len(routes) == 1
    with clocked.page.expect_response("**/changes*"):
        routes.pop().continue_()
    until_held(clocked, routes)
    clocked.page.unroute_all(behavior="ignoreErrors")


def test_a_panel_in_another_tab_asks_nothing_and_catches_up_when_shown(
    clocked: Panel, demo: Demo, seen: Seen
) -> None:
    clocked.page.locator("[data-tab=messages]").click()
    expect(clocked.page.locator("iframe#dashboard-app--frame-0-0")).to_be_hidden()
    clocked.page.clock.run_for(100)  # the observer's turn
    seen.forget()
    change_orders(demo)
    clocked.page.clock.run_for(60_000)
    assert questions(seen) == []
    clocked.page.locator("[data-tab=app]").click()
    clocked.page.clock.run_for(100)
    expect(clocked.rows("orders")).to_have_count(5)
    assert questions(seen)


def test_a_panel_says_how_long_nobody_has_stirred_and_asks_at_once_when_somebody_does(
    clocked: Panel, seen: Seen
) -> None:
    with clocked.page.expect_response("**/changes*") as soon:
        clocked.page.clock.run_for(2_000)
    assert float(soon.value.headers["x-panel-next"]) < 2
    with clocked.page.expect_response("**/changes*") as late:
        clocked.page.clock.fast_forward("50:00")
    assert float(late.value.headers["x-panel-next"]) > 13
    assert int(parse_qs(urlsplit(late.value.url).query)["idle"][0]) >= 3000
    clocked.page.clock.run_for(2_000)
    clocked.settle()
    with clocked.page.expect_response("**/changes*") as stirred:
        clocked.section("orders").locator("h2").hover()
    assert parse_qs(urlsplit(stirred.value.url).query)["idle"] == ["0"]
    assert float(stirred.value.headers["x-panel-next"]) < 2


def test_a_panel_that_is_not_answered_asks_ever_more_slowly(clocked: Panel, seen: Seen) -> None:
    clocked.page.route("**/changes*", lambda route: route.abort())
    seen.forget()
    for _ in range(30):
        clocked.page.clock.run_for(2_000)
        clocked.settle()
    assert 2 <= len(questions(seen)) <= 10, "not forty in this minute"
    clocked.expect_root("ready")
    clocked.expect_state("fresh")
    clocked.page.unroute_all(behavior="wait")


# -- the morning after ---------------------------------------------------------------------------


def test_a_panel_that_was_left_open_overnight_works_in_the_morning(
    clocked: Panel, demo: Demo, seen: Seen
) -> None:
    access = demo.services.seals
    seal = access.open(f"Bearer {clocked.root.get_attribute('data-seal')}")
    other = Seal(seal.agent, seal.proof, seal.account, 999, seal.contact, seal.organization)
    clocked.page.locator("[data-tab=messages]").click()
    clocked.page.clock.fast_forward("10:00:00")
    # A seal is worth nothing after half an hour.
    stale = access.sign(other)
    clocked.root.evaluate("(panel, seal) => { panel.dataset.seal = seal; }", stale)
    change_orders(demo)
    clocked.page.locator("[data-tab=app]").click()
    clocked.page.clock.run_for(100)
    expect(clocked.rows("orders")).to_have_count(5)
    clocked.page.clock.run_for(4_000)
    clocked.expect_root("ready")
    expect(clocked.root).not_to_have_attribute("data-seal", stale)
    clocked.expect_state("fresh", "orders")
    with clocked.page.expect_response("**/refresh") as answer:
        clocked.refresh("orders")
    assert answer.value.status == 200
