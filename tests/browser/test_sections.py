"""A section on its own: refreshed, touched, with a seal that ends; nothing else moves."""

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import SECTIONS, Demo, Panel, Seen
from tests.browser.sections import asked

# -- refresh ---------------------------------------------------------------------------------------


def test_refreshing_one_section_asks_for_that_one_alone(
    panel: Panel, demo: Demo, seen: Seen
) -> None:
    for name in SECTIONS:
        demo.office.forget()
        with asked(seen, demo, panel) as requests, panel.page.expect_response("**/refresh"):
            panel.refresh(name)
        assert requests == [f"POST /sections/{name}/refresh"]
        assert len(demo.office.calls) == 1


def test_a_refresh_shows_what_is_new(panel: Panel, demo: Demo) -> None:
    expect(panel.rows("orders")).to_have_count(4)
    demo.office.put("orders", 42, {**demo.office.orders[42][0], "id": 4299})
    panel.refresh("orders")
    expect(panel.rows("orders")).to_have_count(5)
    expect(panel.section("orders").locator("[data-row='4299']")).to_be_visible()


def test_a_refreshed_section_keeps_its_rows_opened_list_focus_and_place(
    demo: Demo, page: Page
) -> None:
    panel = demo.open(page, "many")
    panel.expect_state("fresh")
    orders = panel.section("orders")
    orders.locator("details.more:not(.closed) > summary").click()
    expect(orders.locator("details:not(.closed) .rows")).to_be_visible()
    button = orders.locator("[data-action=refresh]")
    button.focus()
    marked = """(section) => {
      section.kept = true;
      section.querySelectorAll('[data-row]').forEach((row) => { row.kept = true; });
      document.scrollingElement.scrollTop = 700;
    }"""
    orders.evaluate(marked)
    panel.frame.wait_for_function("document.scrollingElement.scrollTop > 600")
    place = panel.frame.evaluate("document.scrollingElement.scrollTop")
    order = {**demo.office.orders[44][0], "status": "on-hold"}
    demo.office.put("orders", 44, order)
    with page.expect_response("**/refresh"):
        page.keyboard.press("Enter")
    panel.settle()
    expect(orders.locator(f"[data-row='{order['id']}']")).to_contain_text("On hold")
    predicate = "(section) => [...section.querySelectorAll('[data-row]')].every((row) => row.kept)"
    assert orders.evaluate("(section) => section.kept")
    assert orders.evaluate(predicate)
    assert orders.locator("details.more:not(.closed)").evaluate("(more) => more.open")
    expect(button).to_be_focused()
    assert panel.frame.evaluate("document.scrollingElement.scrollTop") == place


def test_a_list_that_was_closed_again_stays_closed(demo: Demo, page: Page) -> None:
    panel = demo.open(page, "many")
    panel.expect_state("fresh")
    summary = panel.section("orders").locator("details.more:not(.closed) > summary")
    summary.click()
    summary.click()
    with page.expect_response("**/refresh"):
        panel.refresh("orders")
    panel.settle()
    expect(panel.section("orders").locator("details:not(.closed) .rows")).to_be_hidden()


def test_an_impatient_agent_causes_one_request(panel: Panel, demo: Demo, seen: Seen) -> None:
    routes: list[Route] = []
    panel.page.route("**/refresh", lambda route: routes.append(route))  # noqa: PLW0108 (counted)
    demo.office.forget()
    with asked(seen, demo, panel) as requests:
        for _ in range(4):
            panel.refresh("orders")
        for route in routes:
            route.continue_()
    assert requests == ["POST /sections/orders/refresh"]
    assert len(demo.office.calls) == 1


def test_a_slow_refresh_keeps_the_rows_and_says_that_it_is_slow(panel: Panel) -> None:
    routes: list[Route] = []
    panel.page.route("**/refresh", lambda route: routes.append(route))  # noqa: PLW0108 (counted)
    places = [row.bounding_box() for row in panel.find("[data-row]").all()]
    panel.refresh("orders")
    expect(panel.section("orders").locator(".slow")).to_be_visible()
    expect(panel.rows("orders")).to_have_count(4)
    now = [row.bounding_box() for row in panel.find("[data-row]").all()]
    assert now == places, "nothing jumps while the agent reads"
    expect(panel.section("quotes").locator(".slow")).to_be_hidden()
    routes[0].continue_()
    panel.settle()
    expect(panel.section("orders").locator(".slow")).to_be_hidden()


# -- touched ---------------------------------------------------------------------------------------


def touch(demo: Demo, name: str) -> None:
    demo.services.cache.touch(42, name)


def test_a_touched_section_comes_anew_into_the_open_panel_and_only_that_one(
    panel: Panel, demo: Demo, seen: Seen
) -> None:
    demo.office.put("orders", 42, {**demo.office.orders[42][0], "id": 4299})
    demo.office.forget()
    with asked(seen, demo, panel) as requests:
        touch(demo, "orders")  # in here: the panel's own clock may be the first to ask
        panel.shown_again()
        expect(panel.rows("orders")).to_have_count(5)
    assert requests == ["GET /sections/orders"]
    assert len(demo.office.calls) == 1


def test_the_clock_of_a_visible_panel_finds_the_touch_by_itself(
    demo: Demo, page: Page, seen: Seen
) -> None:
    page.clock.install()
    panel = demo.open(page)
    panel.expect_state("fresh")
    panel.settle()
    demo.office.put("orders", 42, {**demo.office.orders[42][0], "id": 4299})
    touch(demo, "orders")
    with page.expect_response("**/changes*") as question:
        page.clock.run_for(16_000)
    expect(panel.rows("orders")).to_have_count(5)
    assert question.value.status == 204
    assert question.value.headers["hx-trigger"] == "touched-orders"
    assert float(question.value.headers["x-panel-next"]) > 0


def test_nothing_new_costs_a_question_and_no_call(panel: Panel, demo: Demo, seen: Seen) -> None:
    demo.office.forget()
    with asked(seen, demo, panel) as requests, panel.page.expect_response("**/changes*"):
        panel.shown_again()
    assert requests == []
    assert demo.office.calls == []


def test_a_touched_section_in_an_outage_stays_as_late(panel: Panel, demo: Demo) -> None:
    demo.office.fault("500", 42, "orders")
    touch(demo, "orders")
    panel.shown_again()
    panel.expect_state("late", "orders")
    expect(panel.rows("orders")).to_have_count(4)
    panel.expect_state("fresh", "organization", "quotes", "licenses")


# -- seals that end --------------------------------------------------------------------------------


def test_a_seal_that_no_longer_holds_is_renewed_in_place(
    demo: Demo, page: Page, seen: Seen
) -> None:
    page.clock.install()
    panel = demo.open(page)
    panel.expect_state("fresh")
    panel.settle()
    page.clock.run_for(6_000)
    panel.root.evaluate("(panel) => { panel.dataset.seal = 'outdated'; }")
    panel.section("orders").evaluate("(section) => { section.kept = true; }")
    with asked(seen, demo, panel) as requests, page.expect_response("**/contact"):
        panel.refresh("orders")
    assert requests.count("POST /contact") == 1
    expect(panel.root).not_to_have_attribute("data-seal", "outdated")
    panel.expect_state("fresh")
    assert panel.section("orders").evaluate("(section) => section.kept")
    with page.expect_response("**/refresh") as answer:
        panel.refresh("orders")
    assert answer.value.status == 200


def test_four_sections_that_are_refused_at_once_are_one_renewal_without_a_long_pause(
    panel: Panel, demo: Demo, seen: Seen
) -> None:
    panel.root.evaluate("(panel) => { panel.dataset.seal = 'outdated'; }")
    with (
        asked(seen, demo, panel) as requests,
        panel.page.expect_response("**/contact", timeout=7_000),
    ):
        panel.frame.evaluate(
            "document.querySelectorAll('[data-section] [data-action=refresh]')"
            ".forEach((button) => button.click())"
        )
    assert requests.count("POST /contact") == 1
    panel.expect_state("fresh")


def test_a_panel_that_is_shown_after_a_long_while_proves_itself_anew(
    demo: Demo, page: Page, seen: Seen
) -> None:
    page.clock.install()
    panel = demo.open(page)
    panel.expect_state("fresh")
    panel.settle()
    page.clock.fast_forward("21:00")
    panel.settle()
    with asked(seen, demo, panel) as requests, page.expect_response("**/contact"):
        panel.shown_again()
    assert requests.count("POST /contact") == 1
    panel.expect_root("ready")
    panel.expect_state("fresh")
