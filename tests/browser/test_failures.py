"""A section that fails, is late, or heals: the page's words and its requests."""

import pytest
from playwright.sync_api import Page, expect

from panel.web.sections import SECTIONS as TABLE
from tests.browser.conftest import SECTIONS, Demo, Panel, Seen
from tests.browser.sections import asked

EMPTY_TEXTS = [text for row in TABLE.values() for text in (row.empty, row.none_shown) if text]


def refresh_all(panel: Panel) -> None:
    for name in SECTIONS:
        panel.refresh(name)
    panel.settle()


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
    page_text = panel.frame.evaluate("document.body.innerText")
    assert not [text for text in EMPTY_TEXTS if text in page_text]
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


def test_four_refreshes_that_fail_for_one_cause_are_one_notice(panel: Panel, demo: Demo) -> None:
    demo.office.fault("500", 42)
    panel.find("[data-action=refresh-all]").click()
    panel.expect_state("late")
    outage = panel.find("[data-outage]")
    expect(outage).to_have_count(1)
    expect(outage).to_contain_text("Nothing is up to date. MIDDAG Account has an internal error.")
    for name in SECTIONS:
        expect(panel.section(name).locator(".late")).to_have_css("display", "none")
        expect(panel.section(name).locator("time[data-age]")).to_be_visible()


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
