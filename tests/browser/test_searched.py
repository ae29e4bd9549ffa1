"""A customer who was searched for, shown, uncovered: in a real browser."""

from playwright.sync_api import Dialog, Page, Route, expect

from panel.demo.chatwoot import Failure
from panel.demo.world import Call
from panel.upstream.chatwoot import ID_ATTRIBUTE
from tests.browser.conftest import Demo, Panel
from tests.browser.customers import markup, search, written
from tests.browser.test_looks import TOO_WIDE
from tests.learning import learn


def test_the_wrong_customer_is_changed_in_place_by_typing(panel: Panel, demo: Demo) -> None:
    learn(demo, 71, 73, 74)
    panel.find("#change > summary").click()
    expect(panel.find("#query")).to_be_focused()
    panel.page.keyboard.insert_text("tecnica NAT")  # one search: no other list replaces the first
    expect(panel.find("[data-result]")).to_have_count(1)
    expect(panel.find("[data-result='74']")).to_contain_text("Escola Técnica Natal")
    panel.find("[data-result='74'] [data-scope=contact]").click()
    expect(panel.root).to_have_attribute("data-organization", "74")
    expect(panel.find(".head .how")).to_contain_text("confirmed by Bruno Lima")
    panel.settle()
    expect(panel.find("#query")).to_be_hidden()
    assert written(demo, 101) is None
    assert demo.chat.contacts[301]["custom_attributes"][ID_ATTRIBUTE] == "42", "as it was"


def test_a_pick_is_shown_although_a_newer_search_replaced_its_results(
    panel: Panel, demo: Demo
) -> None:
    learn(demo, 71, 74)
    held = list[Route]()

    def hold(route: Route) -> None:  # Playwright cannot take the list's own method
        held.append(route)

    panel.page.route("**/links", hold)
    panel.find("#change > summary").click()
    expect(panel.find("#query")).to_be_focused()
    panel.page.keyboard.insert_text("tecnica NAT")
    panel.find("[data-result='74'] [data-scope=conversation]").click()
    panel.find("#query").fill("no such company")
    expect(panel.find("[data-nothing]")).to_be_visible()
    held[0].continue_()
    expect(panel.root).to_have_attribute("data-organization", "74")


def test_who_writes_from_a_known_mailbox_is_matched_and_the_panel_says_by_what(
    demo: Demo, page: Page
) -> None:
    learn(demo, 45)
    demo.chat.contacts[304]["custom_attributes"] = {}
    panel = demo.open(page, "two")
    panel.expect_root("ready")
    expect(panel.root).to_have_attribute("data-link", "matched")
    expect(panel.root).to_have_attribute("data-trust", "unproven")
    expect(panel.find("[data-banner]")).to_contain_text("By e-mail: a sender's address can be")
    line = "Company: found by e-mail daniela@prado.example."
    panel.find("#confirm > summary").click()
    expect(panel.find("#confirm .how")).to_have_text(line, use_inner_text=True)


def test_the_keyboard_goes_on_at_the_customer_after_a_word_about_them(panel: Panel) -> None:
    panel.find("#confirm > summary").press("Enter")
    panel.find("#confirm [data-action=pick][data-scope=conversation]").press("Enter")
    expect(panel.root).to_have_attribute("data-link", "picked")
    expect(panel.find("#panel h1")).to_be_focused()


def test_a_customer_whom_no_pass_has_seen_is_named_as_soon_as_read(demo: Demo, page: Page) -> None:
    panel = demo.open(page)
    expect(panel.find("#panel h1")).to_have_text(str(demo.office.organizations[42]["name"]))


def test_a_reason_that_is_being_chosen_outlives_news_of_its_section(panel: Panel) -> None:
    orders = panel.section("orders")
    orders.locator("[data-action=reveal]").click()
    orders.locator("select").select_option(label="Other")
    with panel.page.expect_response("**/sections/orders"):
        panel.frame.evaluate("document.body.dispatchEvent(new Event('touched-orders'))")
    panel.settle()
    expect(orders.locator(".other")).to_be_visible()
    expect(orders.locator("select")).to_have_value("Other")


def test_one_section_is_uncovered_for_a_reason_until_the_panel_is_reopened(
    panel: Panel, demo: Demo
) -> None:
    orders = panel.section("orders")
    orders.locator("[data-action=reveal]").click()
    orders.locator("[data-action=uncover]").click()
    expect(panel.find("[data-uncovered]")).to_have_count(0)
    orders.locator("select").select_option(label="Other")
    orders.locator("[name=detail]").fill("She read the order aloud")
    orders.locator("[data-action=uncover]").click()
    expect(orders).to_contain_text("1,250.00")
    expect(orders.locator("[data-masked]")).to_have_count(0)
    expect(orders.locator("h2")).to_be_focused()
    expect(panel.section("quotes").locator("[data-masked]").first).to_be_visible()
    [row] = [entry for entry in demo.services.audit_log.list_entries() if entry.what == "uncovered"]
    assert (row.agent, row.organization) == (2, 42)
    assert row.note == "orders: Other: She read the order aloud"
    with panel.page.expect_response("**/sections/orders/refresh"):
        panel.refresh("orders")
    panel.settle()
    expect(orders).to_contain_text("1,250.00")
    panel.page.reload()
    panel.expect_state("fresh")
    expect(orders.locator("[data-masked]").first).to_be_visible()
    assert "1,250.00" not in markup(panel)


def test_an_open_panel_shows_the_same_picked_customer_after_its_contact_was_merged(
    panel: Panel, demo: Demo
) -> None:
    panel.pick()
    body = {"base_contact_id": 302, "mergee_contact_id": 301}
    demo.services.chatwoot.administer("POST", "actions/contact_merge", body)
    demo.services.chatwoot.conversation(101)  # what was kept of it is from before
    with panel.page.expect_response("**/contact"):
        panel.refresh("orders")
    expect(panel.root).to_have_attribute("data-link", "picked")
    expect(panel.root).to_have_attribute("data-organization", "42")
    panel.expect_state("fresh")


HOSTILE = (
    "<img src=x onerror=alert(1)><script>alert(2)</script>\u202eetxeT\u2066\x07 שלום " + "W" * 900
)


def test_a_hostile_company_runs_nothing_and_breaks_nothing(demo: Demo, page: Page) -> None:
    for name in ("name", "legal_name", "plan", "city", "cnpj", "verification_status"):
        demo.office.organizations[42][name] = HOSTILE
    demo.office.orders[42][0] |= {"status": HOSTILE, "payment_method": HOSTILE}
    demo.office.quotes[42][0]["line_items"] = [{"product_name": HOSTILE}]
    demo.office.licenses[42][0] |= {"product_name": HOSTILE, "license_key": HOSTILE}
    alerts: list[str] = []

    def alerted(dialog: Dialog) -> None:
        alerts.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", alerted)
    demo.prove()
    panel = demo.open(page, width=360)
    panel.expect_state("fresh")
    panel.find("#change > summary").click()
    search(panel, "42")
    expect(panel.find("[data-result='42']")).to_be_visible()
    assert alerts == []
    assert panel.find("script[src=''], img").count() == 0
    assert panel.frame.evaluate(TOO_WIDE) == []
    # A text that turns its own letters leaves those of its neighbours in their order.
    row = panel.find("[data-row='4201'] .detail").first.evaluate(
        """(line) => { const found = document.createRange(), text = line.firstChild;
           const left = (at) => { found.setStart(text, at); found.setEnd(text, at + 1);
             return found.getBoundingClientRect().left; };
           return left(0) < left(2); }"""
    )
    assert row


def test_confirming_while_the_back_office_is_down_leaves_the_panel_as_it_stands(
    panel: Panel, demo: Demo
) -> None:
    demo.services.cache.touch(42, "organization")
    demo.office.fault("reset", 42)
    with panel.page.expect_response("**/links"):
        panel.answer("[data-action=pick][data-scope=conversation]")
    panel.expect_root("ready")
    assert "Chatwoot could not be asked" not in panel.frame.evaluate("document.body.innerText")


def test_a_pick_holds_although_chatwoot_does_not_take_the_attribute(
    panel: Panel, demo: Demo
) -> None:
    def fail(call: Call) -> Failure | None:
        return Failure(500) if call.path.endswith("/custom_attributes") else None

    demo.prove()
    demo.chat.failures = fail
    with panel.page.expect_response("**/links"):
        panel.answer("[data-action=pick][data-scope=conversation]")
    panel.expect_root("ready")
    expect(panel.root).to_have_attribute("data-link", "picked")
    assert written(demo, 101) is None
