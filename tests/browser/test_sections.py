"""Each section on its own: refreshed, late, failed, healed, touched; nothing else moves."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from panel.web.sections import SECTIONS as TABLE
from tests.browser.conftest import SECTIONS, Demo, Panel, Seen

EMPTY_TEXTS = [text for row in TABLE.values() for text in (row.empty, row.none_shown) if text]


@contextmanager
def asked(seen: Seen, demo: Demo, panel: Panel) -> Iterator[list[str]]:
    """What the panel asked of us meanwhile: method and path.

    Without its clock's questions, and the head's, which reads copies that are kept.
    """
    before, found = len(seen.sent()), list[str]()
    yield found
    panel.settle()
    for sent in seen.sent()[before:]:
        path = urlsplit(sent.url).path
        if sent.url.startswith(demo.panel_url) and path not in ("/changes", "/attention"):
            found.append(f"{sent.method} {path}")


def refresh_all(panel: Panel) -> None:
    for name in SECTIONS:
        panel.refresh(name)
    panel.settle()


# -- refresh -----------------------------------------------------------------------------------


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
    changed = {**demo.office.orders[44][0], "status": "on-hold"}
    demo.office.put("orders", 44, changed)
    with page.expect_response("**/refresh"):
        page.keyboard.press("Enter")
    panel.settle()
    expect(orders.locator(f"[data-row='{changed['id']}']")).to_contain_text("On hold")
    kept = "(section) => [...section.querySelectorAll('[data-row]')].every((row) => row.kept)"
    assert orders.evaluate("(section) => section.kept")
    assert orders.evaluate(kept)
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
    held: list[Route] = []
    panel.page.route("**/refresh", lambda route: held.append(route))  # noqa: PLW0108 (counted)
    demo.office.forget()
    with asked(seen, demo, panel) as requests:
        for _ in range(4):
            panel.refresh("orders")
        for route in held:
            route.continue_()
    assert requests == ["POST /sections/orders/refresh"]
    assert len(demo.office.calls) == 1


def test_a_slow_refresh_keeps_the_rows_and_says_that_it_is_slow(panel: Panel) -> None:
    held: list[Route] = []
    panel.page.route("**/refresh", lambda route: held.append(route))  # noqa: PLW0108 (counted)
    places = [row.bounding_box() for row in panel.find("[data-row]").all()]
    panel.refresh("orders")
    expect(panel.section("orders").locator(".slow")).to_be_visible()
    expect(panel.rows("orders")).to_have_count(4)
    now = [row.bounding_box() for row in panel.find("[data-row]").all()]
    assert now == places, "nothing jumps while the agent reads"
    expect(panel.section("quotes").locator(".slow")).to_be_hidden()
    held[0].continue_()
    panel.settle()
    expect(panel.section("orders").locator(".slow")).to_be_hidden()


# -- failures ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scenario", "code"),
    [
        ("error500", "http_500"),
        ("error429", "rate_limited"),
        ("wordpress", "unauthorized"),
        ("html", "unreadable"),
        ("badjson", "unreadable"),
        ("unknown", "unknown_organization"),
    ],
)
def test_a_failure_says_its_code_and_never_that_there_is_nothing(
    demo: Demo, page: Page, scenario: str, code: str
) -> None:
    panel = demo.open(page, scenario)
    panel.expect_state("failed")
    for name in SECTIONS:
        expect(panel.section(name)).to_have_attribute("data-code", code)
        expect(panel.section(name).locator("code")).to_have_text(code)
        expect(panel.section(name).locator("[data-action=retry]")).to_be_visible()
    shown = panel.frame.evaluate("document.body.innerText")
    assert not [text for text in EMPTY_TEXTS if text in shown]
    expect(panel.find("[data-empty], [data-row]")).to_have_count(0)


def test_another_organizations_rows_are_never_shown(demo: Demo, page: Page) -> None:
    panel = demo.open(page, "foreign")
    panel.expect_state("fresh", "organization")
    panel.expect_state("failed", "orders", "quotes", "licenses")
    expect(panel.section("orders")).to_have_attribute("data-code", "foreign_rows")
    expect(panel.find("[data-row]")).to_have_count(1)


def test_what_is_not_allowed_is_denied_and_not_called_empty(demo: Demo, page: Page) -> None:
    panel = demo.open(page, "forbidden")
    panel.expect_state("denied")
    expect(panel.find("[data-empty], [data-row]")).to_have_count(0)


def test_a_retry_heals_a_section_and_only_that_one(demo: Demo, page: Page, seen: Seen) -> None:
    panel = demo.open(page, "error500")
    panel.expect_state("failed")
    demo.office.heal()
    with asked(seen, demo, panel) as requests:
        panel.section("orders").locator("[data-action=retry]").click()
        panel.expect_state("fresh", "orders")
    assert requests == ["POST /sections/orders/refresh"]
    panel.expect_state("failed", "organization", "quotes", "licenses")
    expect(panel.rows("orders")).to_have_count(2)


def test_an_outage_shows_the_kept_copies_as_late_with_their_age_and_then_heals(
    panel: Panel, demo: Demo
) -> None:
    demo.office.fault("500", 42)
    refresh_all(panel)
    panel.expect_state("late")
    expect(panel.rows("orders")).to_have_count(4)
    for name in SECTIONS:
        section = panel.section(name)
        expect(section).to_have_attribute("data-code", "http_500")
        expect(section.locator("time[data-age]")).to_contain_text("ago")
        expect(section.locator(".late")).to_contain_text("could not be updated")
        expect(section.locator(".late code")).to_have_text("http_500")
    demo.office.heal()
    refresh_all(panel)
    panel.expect_state("fresh")
    expect(panel.find(".late")).to_have_count(0)


def test_a_late_empty_copy_does_not_say_that_there_is_nothing(demo: Demo, page: Page) -> None:
    panel = demo.open(page, "empty")
    panel.expect_state("empty", "orders")
    demo.office.fault("502", 43)
    panel.refresh("orders")
    panel.expect_state("late", "orders")
    expect(panel.section("orders").locator("[data-empty]")).to_contain_text("could not check since")


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (502, "text/html", "<html><body><h1>502 Bad Gateway</h1></body></html>"),
        (503, "application/json", '{"error": {"code": "http_503", "detail": "not checked"}}'),
        (404, "application/json", '{"error": {"code": "not_found"}}'),
    ],
)
def test_an_answer_that_is_no_section_leaves_what_stands(
    panel: Panel, status: int, kind: str, body: str
) -> None:
    """A proxy before us fails, or our own refusal: neither is a section to be drawn."""
    panel.page.route(
        "**/sections/orders/refresh",
        lambda route: route.fulfill(status=status, content_type=kind, body=body),
    )
    with panel.page.expect_response("**/refresh"):
        panel.refresh("orders")
    panel.settle()
    expect(panel.section("orders")).to_have_count(1)
    expect(panel.rows("orders")).to_have_count(4)
    assert "Bad Gateway" not in panel.frame.evaluate("document.body.innerText")
    assert "error" not in panel.frame.evaluate("document.body.innerText")


@pytest.mark.parametrize("answer", ["abort", "502"])
def test_a_section_whose_first_load_never_arrives_does_not_load_for_ever(
    demo: Demo, page: Page, seen: Seen, answer: str
) -> None:
    """Our own service, or the way to it, is down: no answer of ours can say so."""
    page.route(
        "**/sections/orders",
        lambda route: (
            route.abort()
            if answer == "abort"
            else route.fulfill(status=502, content_type="text/html", body="<h1>Bad Gateway</h1>")
        ),
    )
    panel = demo.open(page)
    panel.expect_state("fresh", "organization", "quotes", "licenses")
    panel.expect_state("failed", "orders")
    page.unroute("**/sections/orders")
    panel.section("orders").locator("[data-action=retry], [data-action=refresh]").first.click()
    panel.expect_state("fresh", "orders")
    seen.errors.clear()


# -- touched -----------------------------------------------------------------------------------


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
    with page.expect_response("**/changes*") as told:
        page.clock.run_for(16_000)
    expect(panel.rows("orders")).to_have_count(5)
    assert told.value.status == 204
    assert told.value.headers["hx-trigger"] == "touched-orders"
    assert float(told.value.headers["x-panel-next"]) > 0


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


# -- seals that end ----------------------------------------------------------------------------


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
