"""Opening a conversation: what is shown, to whom, in which order, and what leaves the browser."""

import json
import threading
import time
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import APIResponse, Error, Page, Route, expect
from werkzeug.wrappers import Response

from panel.demo.scenarios import SCENARIOS
from panel.demo.worlds import serve
from tests.browser.conftest import SECTIONS, Demo, OpenWindow, Panel, Seen, foreign
from tests.conftest import wait_until

ASK = "chatwoot-dashboard-app:fetch-info"


def say(panel: Panel, context: dict[str, Any]) -> None:
    """Chatwoot's page posts into the frame that stands."""
    panel.page.evaluate(
        "(text) => document.querySelector('iframe').contentWindow.postMessage(text, '*')",
        json.dumps(context),
    )


def say_in_app(page: Page, context: dict[str, Any]) -> None:
    """The mobile app posts into the page itself."""
    page.evaluate("(text) => window.postMessage(text)", json.dumps(context))


# -- four sections -----------------------------------------------------------------------------


def test_opening_a_conversation_shows_the_four_sections(panel: Panel, demo: Demo) -> None:
    panel.expect_root("ready")
    assert [each.get_attribute("data-section") for each in panel.find("section").all()] == [
        *SECTIONS
    ]
    expect(panel.section("organization")).to_contain_text("CNPJ")
    expect(panel.rows("orders")).to_have_count(4)
    expect(panel.rows("quotes")).to_have_count(3)
    expect(panel.rows("licenses")).to_have_count(4)
    expect(panel.section("orders")).to_contain_text("closed orders: last paid")
    calls = [call.path.rpartition("/")[2] for call in demo.office.calls]
    assert sorted(calls) == ["42", "licenses", "orders", "quotes"]


def test_the_panel_is_its_own_site_and_asks_nobody_else(
    panel: Panel, demo: Demo, seen: Seen
) -> None:
    assert panel.frame.evaluate("self.origin") != panel.page.evaluate("self.origin")
    assert not foreign(seen, demo)


def test_the_sections_load_side_by_side(demo: Demo, page: Page) -> None:
    demo.office.delay = 2.0
    page.goto(f"{demo.chatwoot_url}/?scenario=healthy&tab=messages")
    began = time.monotonic()
    page.locator("[data-tab=app]").click()
    panel = Panel(page, page.frame_locator("iframe"), demo.panel_url)
    panel.expect_state("fresh")
    assert time.monotonic() - began < 8, "less than one after the other"
    arrived = [call.at for call in demo.office.calls]
    assert len(arrived) == 4
    assert max(arrived) - min(arrived) < 2.0, "each came before the first was answered"


def test_a_second_opening_draws_the_kept_copies_and_asks_nobody(
    panel: Panel, demo: Demo, seen: Seen
) -> None:
    demo.office.forget()
    demo.chat.forget()
    seen.forget()
    panel.page.reload()
    panel.expect_state("fresh")
    panel.settle()
    assert demo.office.calls == []
    assert demo.chat.calls == [], "the dashboard shows the customer as we know them"
    assert [sent.url for sent in seen.sent("/sections/")] == []


@pytest.mark.parametrize("scenario", ["expiring", "currencies", "contradictions"])
def test_the_page_and_the_server_describe_a_customer_alike(
    demo: Demo, page: Page, scenario: str
) -> None:
    """By a signed identifier, by a claim of the conversation, without a phone."""
    row = SCENARIOS[scenario]
    demo.chat.conversations[row.conversation]["hmac_verified"] = scenario == "expiring"
    panel = demo.open(page, scenario)
    panel.settle()
    demo.chat.forget()
    with page.expect_response("**/contact"):
        page.reload()
    assert demo.chat.calls == []


POISONS = [
    {"toString": 1},
    {"toString": {"valueOf": 1}, "valueOf": None},
    [[{"toString": 1}]],
    None,
    True,
    42.5,
    "4" * 2_000_000,
]


@pytest.mark.parametrize("poison", POISONS, ids=lambda poison: str(poison)[:20])
def test_an_attribute_of_any_shape_does_not_stop_the_bridge(
    demo: Demo, page: Page, poison: object
) -> None:
    """A website visitor writes it, into their own contact and into the owner's."""
    panel = demo.open_quiet(page)
    context = demo.context("healthy")
    conversation, contact = context["data"]["conversation"], context["data"]["contact"]
    for poisoned in (conversation, contact, conversation["meta"]["sender"]):
        poisoned["custom_attributes"] = {"middag_organization_id": poison}
    contact |= {"email": poison, "phone_number": poison, "identifier": poison, "name": poison}
    say(panel, context)
    panel.expect_root("ready")
    expect(panel.root).to_have_attribute("data-organization", "42")
    panel.settle()


def test_the_page_and_the_server_read_a_poisoned_attribute_alike(demo: Demo, page: Page) -> None:
    row = SCENARIOS["currencies"]
    demo.chat.contacts[row.contact]["custom_attributes"] = {"middag_organization_id": [POISONS[0]]}
    panel = demo.open(page, "currencies")
    panel.expect_state("fresh")
    panel.settle()
    demo.chat.forget()
    with page.expect_response("**/contact"):
        page.reload()
    assert demo.chat.calls == []


def test_whatever_throws_in_the_bridge_shows_that_it_failed(demo: Demo, page: Page) -> None:
    panel = demo.open_quiet(page)
    panel.frame.evaluate(
        "() => { window.ajax = htmx.ajax; htmx.ajax = () => { throw new Error('no'); }; }"
    )
    say(panel, demo.context("healthy"))
    panel.expect_root("failed")
    expect(panel.find("[data-lost]")).to_have_text("context")
    panel.frame.evaluate("() => { htmx.ajax = window.ajax; }")
    say(panel, demo.context("healthy"))
    panel.expect_root("ready")


def test_a_customer_who_changed_in_chatwoot_is_looked_up_when_chatwoot_says_so(
    demo: Demo, page: Page, seen: Seen
) -> None:
    panel = demo.open_quiet(page)
    say(panel, demo.context("currencies"))
    panel.expect_state("fresh")
    seen.forget()
    say(panel, demo.context("currencies"))  # the same once more: nothing to ask
    named = demo.chat.conversations[SCENARIOS["currencies"].conversation]
    named["custom_attributes"]["middag_organization_id"] = "42"
    say(panel, demo.context("currencies"))
    expect(panel.root).to_have_attribute("data-organization", "42")
    panel.settle()
    assert len(seen.sent("/contact")) == 1


def change(demo: Demo, scenario: str, organization: int) -> None:
    """Somebody claims another organization in this conversation."""
    row = demo.chat.conversations[SCENARIOS[scenario].conversation]
    row["custom_attributes"]["middag_organization_id"] = str(organization)


def test_a_customer_who_changes_while_the_sections_load_gets_their_own(
    demo: Demo, page: Page
) -> None:
    panel = demo.open_quiet(page)
    demo.office.delay = 1.0
    say(panel, demo.context("currencies"))
    panel.expect_state("loading")
    change(demo, "currencies", 42)
    say(panel, demo.context("currencies"))
    expect(panel.root).to_have_attribute("data-organization", "42")
    panel.expect_state("fresh")
    assert all(number.startswith("42") for number in numbers_of(panel))


def test_a_customer_who_changes_while_the_panel_is_asked_for_is_the_one_that_is_shown(
    demo: Demo, page: Page
) -> None:
    """An answer that was made before the change comes after the news of it."""
    panel = demo.open_quiet(page)
    held: list[tuple[Route, APIResponse]] = []
    page.route("**/contact", lambda route: held.append((route, route.fetch())), times=1)
    with page.expect_request("**/contact"):
        say(panel, demo.context("currencies"))
    while not held:  # Playwright works while it waits
        page.wait_for_timeout(10)
    change(demo, "currencies", 42)
    say(panel, demo.context("currencies"))
    (route, former) = held[0]
    with suppress(Error):  # nobody may be waiting for it any more
        route.fulfill(response=former)
    expect(panel.root).to_have_attribute("data-organization", "42")


SLOW_BODIES = """() => {
  const text = Response.prototype.text;
  const gate = new Promise((open) => { window.openGate = open; });
  Response.prototype.text = async function () {
    Response.prototype.text = text;
    window.reading = true;
    await gate;
    return text.call(this);
  };
}"""


def test_a_customer_who_changes_while_the_answer_is_read_is_the_one_that_is_shown(
    demo: Demo, page: Page
) -> None:
    """The head of the former answer is there, its body is not: it must not land any more."""
    panel = demo.open_quiet(page)
    panel.frame.evaluate(SLOW_BODIES)
    say(panel, demo.context("currencies"))
    wait_until(lambda: panel.frame.evaluate("window.reading"))
    change(demo, "currencies", 42)
    with page.expect_response("**/contact"):
        say(panel, demo.context("currencies"))
    panel.frame.evaluate("window.openGate()")
    expect(panel.root).to_have_attribute("data-organization", "42")


def test_a_customer_of_many_words_can_be_opened(demo: Demo, page: Page) -> None:
    """A website visitor may write whatever they like into an attribute."""
    row = demo.chat.conversations[SCENARIOS["healthy"].conversation]
    row["custom_attributes"]["middag_organization_id"] = ["9" * 200] * 500
    panel = demo.open(page)
    panel.expect_root("ready")


def test_slow_sections_say_so_after_a_while_and_show_when_they_are_there(
    demo: Demo, page: Page
) -> None:
    held: list[Route] = []
    page.route("**/sections/orders", lambda route: held.append(route))  # noqa: PLW0108 (counted)
    panel = demo.open(page)
    panel.expect_state("loading", "orders")
    slow = panel.section("orders").locator(".slow")
    # However long it took us to come here: as it stands a tenth of a second before its time.
    turned = """(line) => {
      line.getAnimations()[0].currentTime = 1400;
      return getComputedStyle(line).visibility;
    }"""
    assert slow.evaluate(turned) == "hidden"
    expect(slow).to_be_visible()
    held[0].continue_()
    panel.expect_state("fresh")
    expect(slow).to_be_hidden()


def test_everything_empty_says_so_four_times_honestly(demo: Demo, page: Page) -> None:
    panel = demo.open(page, "empty")
    panel.expect_state("fresh", "organization")
    panel.expect_state("empty", "orders", "quotes", "licenses")
    for name, text in (("orders", "No orders"), ("quotes", "No quotes")):
        expect(panel.section(name).locator("[data-empty]")).to_have_text(text)


def test_a_brazilian_agent_reads_portuguese(demo: Demo, open_window: OpenWindow) -> None:
    window = open_window(locale="pt-BR")
    demo.prove()
    panel = demo.open(window.page)
    panel.expect_state("fresh")
    assert panel.find("html").get_attribute("lang") == "pt-BR"
    expect(panel.section("orders")).to_contain_text("Pedidos")
    expect(panel.section("orders")).to_contain_text("R$\xa01.250,00")
    assert panel.frame.evaluate("document.body.innerText").count("orders") == 0


# -- who may look ------------------------------------------------------------------------------


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


# -- the bridge --------------------------------------------------------------------------------


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
    # What comes in order behind them and is heard shows that they were heard and left alone.
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
    page, held = open_window().page, list[Route]()

    def hold(route: Route) -> None:  # Playwright cannot take the list's own method
        held.append(route)

    page.route("**/static/panel.js*", hold)
    page.goto(demo.launch_url, wait_until="commit")
    page.wait_for_selector("#panel[data-panel=waiting]", state="attached")
    page.wait_for_function("document.querySelector('script[defer]')")
    say_in_app(page, demo.context("healthy"))
    page.evaluate("new Promise((done) => setTimeout(done))")  # so that it has been heard
    held[0].continue_()
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
    expect(panel.find(".unscripted")).to_be_visible()
    expect(panel.find(".unscripted")).to_contain_text("script has not arrived")
    page.unroute_all()
    page.reload()
    panel.expect_root("waiting")
    expect(panel.find(".unscripted")).to_be_hidden()


# -- switching ---------------------------------------------------------------------------------


def numbers_of(panel: Panel) -> set[str]:
    return {
        f"{row.get_attribute('data-row')}"[:2]
        for row in panel.find("[data-section] [data-row]").all()
    }


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


# -- the launch key ----------------------------------------------------------------------------


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
    for sent in seen.sent():
        assert key not in sent.body, sent.url
        assert key not in sent.url.partition("#")[0], sent.url
        for name, value in sent.headers.items():
            if key in value:
                carried.append((sent.url, name))
    # Only the question who is talking needs it; everything else carries a seal.
    assert set(carried) == {(f"{demo.panel_url}/contact", "authorization")}
    kept = panel.frame.evaluate(
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
    assert key not in kept
    assert panel.frame.evaluate("location.hash") == ""


def test_a_seal_goes_to_ourselves_alone(panel: Panel, demo: Demo, seen: Seen) -> None:
    seal = panel.root.get_attribute("data-seal") or "none"
    panel.refresh("orders")
    panel.settle()
    for sent in seen.sent():
        places = [name for name, value in sent.headers.items() if seal in value]
        assert seal not in sent.url
        assert seal not in sent.body
        assert not places or (places == ["authorization"] and sent.url.startswith(demo.panel_url))


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
