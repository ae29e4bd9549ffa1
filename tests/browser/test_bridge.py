"""The bridge to Chatwoot: the agents who may look, the accepted messages, and a silent Chatwoot."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect
from werkzeug.wrappers import Response

from panel.demo.scenarios import SCENARIOS
from panel.demo.worlds import serve
from tests.browser.bridge import say, say_in_app
from tests.browser.conftest import Demo, OpenWindow, Panel, Seen

ASK = "chatwoot-dashboard-app:fetch-info"


# -- who may look ----------------------------------------------------------------------------------


def expect_denied(panel: Panel, code: str) -> None:
    panel.expect_root("denied")
    expect(panel.root).to_have_attribute("data-code", code)
    expect(panel.root).to_contain_text(code)
    expect(panel.find("[data-section]")).to_have_count(0)


@pytest.mark.parametrize(("hash_", "code"), [("#k=wrong", "wrong_proof"), ("", "no_key")])
def test_without_the_right_key_nothing_is_shown_and_nobody_is_asked(
    demo: Demo, page: Page, hash_: str, code: str
) -> None:
    demo.launch_url = demo.panel_url + "/" + hash_
    expect_denied(demo.open(page), code)
    assert demo.office.calls == []
    assert demo.chat.calls == []


@pytest.mark.parametrize(
    ("agent", "code"),
    [
        ({"id": 99, "email": "who@else.example"}, "not_an_agent"),
        ({"id": 3, "email": "bruno@suporte.example"}, "not_an_agent"),
        ({"id": 4, "email": "diego@suporte.example"}, "not_in_inbox"),
    ],
)
def test_an_agent_who_may_not_see_the_conversation_is_refused(
    demo: Demo, page: Page, agent: dict[str, Any], code: str
) -> None:
    def as_agent(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"agent": agent})

    page.route("**/demo/state", as_agent)
    expect_denied(demo.open(page), code)
    assert demo.office.calls == []


def test_a_reload_inside_the_frame_says_reopen_the_tab(panel: Panel) -> None:
    panel.frame.evaluate("location.reload()")
    expect_denied(panel, "no_proof")
    expect(panel.root).to_contain_text("Reopen the tab")


def test_without_chatwoot_nothing_is_shown_until_it_is_back(demo: Demo, page: Page) -> None:
    panel = demo.open(page, "chatwoot-down")
    panel.expect_root("failed")
    expect(panel.root).to_have_attribute("data-code", "http_503")
    demo.chat.unreachable.clear()
    panel.find("[data-action=ask]").click()
    panel.expect_root("ready")
    panel.expect_state("fresh")


# -- the bridge ------------------------------------------------------------------------------------


def test_it_asks_four_times_and_says_after_eight_seconds_that_nobody_answers(
    demo: Demo, page: Page
) -> None:
    page.clock.install(time=0)
    page.clock.pause_at(60)  # far enough: a busy machine may be late, and there is no way back
    panel = demo.open_quiet(page)
    expect(panel.find(".silent")).to_be_hidden()
    page.clock.run_for(7_900)
    assert page.evaluate("asked") == [ASK] * 4
    expect(panel.find(".silent")).to_be_hidden()
    page.clock.run_for(200)
    expect(panel.find(".silent")).to_be_visible()
    expect(panel.find(".silent")).to_contain_text("Chatwoot does not answer")
    panel.find(".silent [data-action=ask]").click()
    expect(panel.find(".silent")).to_be_hidden()
    say(panel, demo.context("healthy"))
    panel.expect_root("ready")


def test_an_answer_after_the_silence_is_taken(demo: Demo, page: Page) -> None:
    page.clock.install(time=0)
    page.clock.pause_at(60)  # far enough: a busy machine may be late, and there is no way back
    panel = demo.open_quiet(page)
    page.clock.run_for(9_000)
    expect(panel.find(".silent")).to_be_visible()
    say(panel, demo.context("healthy"))
    panel.expect_root("ready")


def test_only_the_parent_of_a_known_origin_is_heard(demo: Demo, page: Page, seen: Seen) -> None:
    panel = demo.open_quiet(page)
    text = json.dumps(demo.context("healthy"))
    # The panel's own page, a stranger beside it, and a window that the stranger's kind opened.
    panel.frame.evaluate("(text) => window.postMessage(text, '*')", text)
    page.evaluate(
        """(text) => new Promise((done) => {
          addEventListener("message", (event) => event.data === "posted" && done());
          const stranger = document.createElement("iframe");
          stranger.sandbox = "allow-scripts";
          stranger.srcdoc = "<script>parent.frames[0].postMessage(" +
            JSON.stringify(text).replaceAll("<", "\\\\u003c") + ", '*');" +
            "parent.postMessage('posted', '*')</" + "script>";
          document.body.append(stranger);
        })""",
        text,
    )
    # Messages arrive in order. So the effect of the last one shows that these arrived, and were
    # ignored.
    for junk in ("", "{", "[]", '{"event": "appContext"}', '{"event": "other", "data": {}}'):
        page.evaluate("(text) => frames[0].postMessage(text, '*')", junk)
    page.evaluate("frames[0].postMessage({event: 'appContext', data: {conversation: 1}}, '*')")
    say(panel, demo.context("empty"))
    panel.expect_root("ready")
    asked = [sent.body for sent in seen.sent("/contact")]
    assert len(asked) == 1
    assert f"conversation={SCENARIOS['empty'].conversation}" in asked[0] or (
        f'name="conversation"\r\n\r\n{SCENARIOS["empty"].conversation}' in asked[0]
    )


def test_another_site_cannot_frame_the_panel(demo: Demo, page: Page, seen: Seen) -> None:
    html = f'<link rel=icon href="data:,"><iframe src="{demo.launch_url}"></iframe>'
    stranger = serve(Response(html, content_type="text/html"))
    with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
        page.goto(stranger.url)
    assert not any(frame.url.startswith(demo.panel_url) for frame in page.frames)
    assert demo.chat.calls == []
    stranger.stop()
    seen.forget()


def test_in_the_mobile_app_the_page_asks_its_host_and_hears_itself(
    demo: Demo, open_window: OpenWindow
) -> None:
    window = open_window(viewport={"width": 390, "height": 800}, is_mobile=True, has_touch=True)
    panel = demo.open_in_app(window.page)
    window.page.wait_for_function("window.asked.length > 0")
    assert set(window.page.evaluate("asked")) == {ASK}
    said = demo.context("healthy")
    # The app converts every key to snake_case, deeply.
    said["data"]["current_agent"] = said["data"].pop("currentAgent")
    say_in_app(window.page, said)
    panel.expect_root("ready")
    panel.expect_state("fresh")


def test_a_message_that_comes_before_the_scripts_is_not_the_last_one(
    demo: Demo, open_window: OpenWindow
) -> None:
    page, routes = open_window().page, list[Route]()

    def hold(route: Route) -> None:  # Playwright cannot take the list's own method
        routes.append(route)

    page.route("**/static/panel.js*", hold)
    page.goto(demo.launch_url, wait_until="commit")
    page.wait_for_function("document.querySelector('script')")
    say_in_app(page, demo.context("healthy"))
    page.evaluate("new Promise((done) => setTimeout(done))")  # so that it has been heard
    routes[0].continue_()
    page.wait_for_load_state("load")
    say_in_app(page, demo.context("healthy"))
    panel = Panel(page, page, demo.panel_url)
    panel.expect_root("ready")
    panel.expect_state("fresh")


def test_a_script_that_never_came_is_said_so(demo: Demo, open_window: OpenWindow) -> None:
    page = open_window(locale="en-US").page
    page.route("**/static/panel.js*", lambda route: route.fulfill(status=404))
    page.goto(demo.launch_url)
    panel = Panel(page, page, demo.panel_url)
    # As it stands a tenth of a second before its time, which is ten seconds.
    turned = """(line) => {
      line.getAnimations()[0].currentTime = 9900;
      return getComputedStyle(line).visibility;
    }"""
    assert panel.find(".unscripted").evaluate(turned) == "hidden"
    expect(panel.find(".unscripted")).to_be_visible()
    expect(panel.find(".unscripted")).to_contain_text("script has not arrived")
    page.unroute_all()
    page.reload()
    panel.expect_root("waiting")
    expect(panel.find(".unscripted")).to_be_hidden()
