"""The proofs of an agent in a real browser: in Chatwoot's frame and in its mobile app."""

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from panel.demo.scenarios import SCENARIOS
from panel.demo.serve import MOUNT
from panel.demo.worlds import AGENT_TOKEN
from tests.browser.bridge import say_in_app
from tests.browser.chromium import find_chromium
from tests.browser.conftest import Demo, MakeDemo, OpenWindow, Panel, Seen, Window
from tests.browser.signing import expect_code, expect_customer
from tests.conftest import wait_until


def sign_in(panel: Panel, token: str = AGENT_TOKEN) -> None:
    panel.find("#token").fill(token)
    panel.find("[data-action=sign-in]").click()


# -- access-token ----------------------------------------------------------------------------------


def test_an_agent_signs_in_once_in_the_frame_and_signs_out_again(
    demo_with: MakeDemo, page: Page, seen: Seen
) -> None:
    demo = demo_with("access-token")
    panel = demo.open(page)
    expect_code(panel, "no_proof")
    sign_in(panel, "nonsense")
    expect_code(panel, "wrong_token")
    assert panel.find("#token").input_value() == ""
    sign_in(panel)
    expect_customer(panel)
    expect(panel.find(".session")).to_contain_text("Signed in as Bruno Lima")
    demo.switch(page, "empty")
    panel.expect_root("ready")
    panel.settle()
    panel.find("[data-action=sign-out]").click()
    expect_code(panel, "signed_out")
    demo.switch(page, "healthy")
    expect_code(panel, "no_proof")
    requests = [request for request in seen.sent() if AGENT_TOKEN in request]
    assert [(request.method, request.url) for request in requests] == [
        ("POST", f"{demo.panel_url}/sign-in")
    ]


def test_a_session_that_ends_under_an_open_panel_asks_to_sign_in_and_goes_on(
    demo_with: MakeDemo, page: Page
) -> None:
    demo = demo_with("access-token")
    panel = demo.open(page)
    sign_in(panel)
    expect_customer(panel)
    page.context.clear_cookies()
    demo.switch(page, "expiring")
    expect_code(panel, "no_proof")
    sign_in(panel)
    expect_customer(panel)
    expect(panel.root).to_have_attribute(
        "data-conversation", str(SCENARIOS["expiring"].conversation)
    )


def test_a_browser_without_third_party_cookies_keeps_the_session(
    demo_with: MakeDemo, browser: Browser
) -> None:
    """`Partitioned`: the cookie is kept for the panel inside this Chatwoot, and nowhere else."""
    demo = demo_with("access-token")
    strict = browser.browser_type.launch(
        executable_path=find_chromium(is_whole=True), args=["--test-third-party-cookie-phaseout"]
    )
    try:
        page = strict.new_page()
        panel = demo.open(page)
        sign_in(panel)
        expect_customer(panel)
        [cookie] = [
            candidate for candidate in page.context.cookies() if candidate["name"] == "__Host-panel"
        ]
        assert cookie["partitionKey"] == "http://localhost"
        assert (cookie["httpOnly"], cookie["secure"]) == (True, True)
    finally:
        strict.close()


def test_a_browser_that_keeps_no_cookie_is_told_so(demo_with: MakeDemo, page: Page) -> None:
    demo = demo_with("access-token")

    def without_cookie(route: Route) -> None:
        answer = route.fetch()
        page.context.clear_cookies()
        fields = {name: value for name, value in answer.headers.items() if name != "set-cookie"}
        route.fulfill(response=answer, headers=fields)

    page.context.route("**/sign-in", without_cookie)
    panel = demo.open(page)
    sign_in(panel)
    expect_code(panel, "cookie_refused")


# -- chatwoot-session ------------------------------------------------------------------------------


def test_under_chatwoots_own_host_the_panel_opens_without_a_click(
    demo_with: MakeDemo, page: Page, seen: Seen
) -> None:
    demo = demo_with("chatwoot-session")
    panel = mounted(demo, page)
    expect_customer(panel)
    panel.refresh("orders")
    panel.settle()
    panel.pick()
    urls = [request.url for request in seen.sent(MOUNT + "/")]
    assert f"{demo.chatwoot_url}{MOUNT}/contact" in urls
    assert [request.url for request in seen.sent() if demo.panel_url in request.url] == []


def mounted(demo: Demo, page: Page, scenario: str = "healthy") -> Panel:
    window = demo.open(page, scenario)
    return Panel(page, window.inside, demo.chatwoot_url + MOUNT)


def test_under_chatwoots_own_host_a_planted_script_neither_runs_nor_asks_chatwoot(
    demo_with: MakeDemo, page: Page, seen: Seen
) -> None:
    """A visitor's uploads stand on the same host: 'self' would let the panel run them."""
    demo = demo_with("chatwoot-session")
    panel = mounted(demo, page)
    expect_customer(panel)
    seen.forget()
    panel.frame.evaluate(
        """() => {
          const planted = document.createElement("script");
          planted.src = "/demo/static/frame.js";
          document.head.append(planted);
          const inline = document.createElement("script");
          inline.text = "window.hit = 1";
          document.head.append(inline);
          fetch("/api/v1/profile").catch(() => {});
        }"""
    )

    def heard() -> bool:
        page.wait_for_timeout(20)  # the driver hears only while it is waited for
        return len(seen.violations) >= 3

    wait_until(heard)
    violations = sorted(
        (violation["directive"], violation["blocked"]) for violation in seen.violations
    )
    assert violations == [
        ("connect-src", f"{demo.chatwoot_url}/api/v1/profile"),
        ("script-src-elem", f"{demo.chatwoot_url}/demo/static/frame.js"),
        ("script-src-elem", "inline"),
    ]
    assert panel.frame.evaluate("window.hit") is None
    seen.forget()


# -- the mobile app --------------------------------------------------------------------------------


@pytest.fixture
def phone(open_window: OpenWindow) -> Window:
    small = {"width": 320, "height": 700}
    return open_window(locale="pt-BR", viewport=small, is_mobile=True, has_touch=True)


def test_in_the_mobile_app_an_agent_signs_in_with_a_token(
    demo_with: MakeDemo, phone: Window
) -> None:
    demo = demo_with("access-token")
    panel = demo.open_in_app(phone.page)
    phone.page.wait_for_function("window.asked.length > 0")
    say_in_app(phone.page, demo.context("healthy"))
    expect_code(panel, "no_proof")
    panel.find("#where summary").click()
    assert phone.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    sign_in(panel)
    expect_customer(panel)


def test_in_the_mobile_app_without_a_dashboard_a_token_signs_in_too(
    demo_with: MakeDemo, phone: Window
) -> None:
    demo = demo_with("chatwoot-session")
    panel = demo.open_in_app(phone.page)
    phone.page.wait_for_function("window.asked.length > 0")
    say_in_app(phone.page, demo.context("healthy"))
    expect_code(panel, "no_proof")
    sign_in(panel)
    expect_customer(panel)
    [cookie] = [
        candidate for candidate in phone.page.context.cookies() if "panel" in candidate["name"]
    ]
    assert (cookie["name"], cookie["path"]) == ("__Secure-panel", f"{MOUNT}/")


def test_in_a_page_of_its_own_the_session_of_the_dashboard_counts(
    demo_with: MakeDemo, phone: Window
) -> None:
    demo = demo_with("chatwoot-session")
    phone.page.goto(demo.chatwoot_url)  # the dashboard leaves its cookie
    panel = demo.open_in_app(phone.page)
    phone.page.wait_for_function("window.asked.length > 0")
    say_in_app(phone.page, demo.context("healthy"))
    expect_customer(panel)
