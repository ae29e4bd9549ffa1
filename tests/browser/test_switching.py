"""Switching between conversations, and what leaves the browser."""

import threading
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.bridge import numbers_of, say
from tests.browser.conftest import SECTIONS, Demo, Panel, Seen

# -- switching -------------------------------------------------------------------------------------


def test_switching_fast_between_conversations_shows_the_last_one_alone(
    demo: Demo, page: Page, seen: Seen
) -> None:
    demo.office.delay = 0.4
    panel = demo.open(page)
    for scenario in ("many", "healthy", "expiring", "many", "currencies"):
        expect(page.locator(f"[data-scenario={scenario}]")).to_be_visible()
        demo.switch(page, scenario)
    panel.expect_state("fresh")
    expect(panel.root).to_have_attribute("data-organization", "47")
    panel.settle()
    for name in SECTIONS:
        rows = [row.get_attribute("data-row") or "" for row in panel.rows(name).all()]
        assert rows, name
        assert all(row.startswith("47") for row in rows), (name, rows)
    # The frames that Chatwoot threw away had questions under way.
    seen.errors[:] = [line for line in seen.errors if "Failed to fetch" not in line]


def test_slow_sections_of_a_left_conversation_never_land_in_the_new_one(
    demo: Demo, page: Page, seen: Seen
) -> None:
    """A Chatwoot that keeps the frame: the same page is told of another conversation."""
    demo.office.fault("slow", 42)
    panel = demo.open_quiet(page)
    say(panel, demo.context("healthy"))
    panel.expect_state("loading")
    say(panel, demo.context("currencies"))
    expect(panel.root).to_have_attribute("data-organization", "47")
    panel.expect_state("fresh")
    seen.sent("/sections/")  # waits until the slow answers are there as well
    panel.settle()
    assert numbers_of(panel) == {"47"}
    assert {row.get_attribute("data-organization") for row in panel.find("#panel").all()} == {"47"}


def test_a_slow_panel_of_a_left_conversation_never_lands_in_the_new_one(
    demo: Demo, page: Page, seen: Seen
) -> None:
    let_go = threading.Event()

    def hold(call: Any) -> None:
        if call.path.endswith("/conversations/101"):
            let_go.wait(20)

    demo.chat.failures = hold
    panel = demo.open_quiet(page)
    with page.expect_request("**/contact"):
        say(panel, demo.context("healthy"))
    say(panel, demo.context("currencies"))
    expect(panel.root).to_have_attribute("data-organization", "47")
    panel.expect_state("fresh")
    let_go.set()
    seen.sent("/contact")
    panel.settle()
    assert numbers_of(panel) == {"47"}
    expect(panel.root).to_have_attribute("data-organization", "47")


# -- the launch key --------------------------------------------------------------------------------


def test_the_launch_key_stands_nowhere_but_in_our_own_authorization(
    panel: Panel, demo: Demo, seen: Seen
) -> None:
    panel.refresh("orders")
    panel.settle()
    with panel.page.expect_response("**/changes*"):
        panel.shown_again()
    panel.pick()
    panel.answer("[data-action=undo]")
    expect(panel.root).to_have_attribute("data-link", "claimed")
    panel.settle()
    key = demo.launch_key
    carried = []
    for request in seen.sent():
        assert key not in request.body, request.url
        assert key not in request.url.partition("#")[0], request.url
        for name, value in request.headers.items():
            if key in value:
                carried.append((request.url, name))
    # Only the question who is talking needs it; everything else carries a seal.
    assert set(carried) == {(f"{demo.panel_url}/contact", "authorization")}
    storage = panel.frame.evaluate(
        """() => {
          // A browser that keeps third parties from storing anything says so by throwing.
          const tried = (read) => { try { return read(); } catch { return null; } };
          return JSON.stringify([
            location.href, document.URL, document.referrer, history.state, window.name,
            tried(() => ({...localStorage})), tried(() => ({...sessionStorage})),
            tried(() => document.cookie), document.documentElement.outerHTML,
            Object.keys(window).map((name) => tried(() => window[name]))
              .filter((value) => typeof value === "string"),
          ]);
        }"""
    )
    assert key not in storage
    assert panel.frame.evaluate("location.hash") == ""


def test_a_seal_goes_to_ourselves_alone(panel: Panel, demo: Demo, seen: Seen) -> None:
    seal = panel.root.get_attribute("data-seal") or "none"
    panel.refresh("orders")
    panel.settle()
    for request in seen.sent():
        places = [name for name, value in request.headers.items() if seal in value]
        assert seal not in request.url
        assert seal not in request.body
        assert not places or (
            places == ["authorization"] and request.url.startswith(demo.panel_url)
        )


@pytest.mark.parametrize("answer", ["abort", "502"])
def test_a_panel_that_never_arrives_does_not_wait_for_ever(
    demo: Demo, page: Page, seen: Seen, answer: str
) -> None:
    """Our own service, or the way to it, is down: no answer of ours can say so."""
    page.route(
        "**/contact",
        lambda route: (
            route.abort()
            if answer == "abort"
            else route.fulfill(status=502, content_type="text/html", body="<h1>Bad Gateway</h1>")
        ),
    )
    panel = demo.open(page)
    panel.expect_root("failed")
    page.unroute("**/contact")
    panel.find("[data-action=ask]").click()
    panel.expect_root("ready")
    panel.expect_state("fresh")
    seen.errors.clear()
