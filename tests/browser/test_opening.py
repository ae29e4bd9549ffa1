"""Opening a conversation: the shown parts, their readers, and their order."""

import time
from contextlib import suppress

import pytest
from playwright.sync_api import APIResponse, Error, Page, Route, expect

from panel.demo.scenarios import SCENARIOS
from tests.browser.bridge import TWO_MILLION_DIGITS, numbers_of, say
from tests.browser.conftest import SECTIONS, Demo, OpenWindow, Panel, Seen, foreign
from tests.conftest import wait_until


def test_opening_a_conversation_shows_the_four_sections(panel: Panel, demo: Demo) -> None:
    panel.expect_root("ready")
    assert [section.get_attribute("data-section") for section in panel.find("section").all()] == [
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
    assert [request.url for request in seen.sent("/sections/")] == []


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
    TWO_MILLION_DIGITS,
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
    conversation = demo.chat.conversations[SCENARIOS["currencies"].conversation]
    conversation["custom_attributes"]["middag_organization_id"] = "42"
    say(panel, demo.context("currencies"))
    expect(panel.root).to_have_attribute("data-organization", "42")
    panel.settle()
    assert len(seen.sent("/contact")) == 1


def change(demo: Demo, scenario: str, organization: int) -> None:
    """A visitor claims another organization in this conversation."""
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
    pairs: list[tuple[Route, APIResponse]] = []
    page.route("**/contact", lambda route: pairs.append((route, route.fetch())), times=1)
    with page.expect_request("**/contact"):
        say(panel, demo.context("currencies"))
    while not pairs:  # Playwright works while it waits
        page.wait_for_timeout(10)
    change(demo, "currencies", 42)
    say(panel, demo.context("currencies"))
    (route, former) = pairs[0]
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
    routes: list[Route] = []
    page.route("**/sections/orders", lambda route: routes.append(route))  # noqa: PLW0108 (counted)
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
    routes[0].continue_()
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
