"""Which customer is this: claimed, picked, refused, chosen, linked by hand; masked until known."""

from playwright.sync_api import Page, expect

from panel.demo.chatwoot import Failure
from panel.demo.world import Call
from panel.identity import ATTRIBUTE
from tests.browser.conftest import Demo, Panel

AMOUNTS = ("1,250.00", "3,480.50", "5,400.00")


def written(demo: Demo, conversation: int) -> object:
    return demo.chat.conversations[conversation]["custom_attributes"].get(ATTRIBUTE)


def keys(demo: Demo, organization: int) -> list[str]:
    return [row["license_key"] for row in demo.office.licenses[organization]]


def markup(panel: Panel) -> str:
    return str(panel.frame.evaluate("document.documentElement.outerHTML"))


# -- claimed -----------------------------------------------------------------------------------


def test_a_claim_is_shown_as_claimed_and_its_amounts_are_not_even_in_the_page(
    panel: Panel, demo: Demo
) -> None:
    expect(panel.root).to_have_attribute("data-link", "claimed")
    expect(panel.root).to_have_attribute("data-trust", "unproven")
    expect(panel.find("[data-banner=unproven]")).to_contain_text("do not disclose")
    assert panel.find("[data-masked]").count() > 8
    hidden = markup(panel)
    secrets = [*AMOUNTS, *keys(demo, 42), demo.office.organizations[42]["cnpj"]]
    assert not [text for text in secrets if text in hidden]


def test_confirming_shows_the_amounts_and_undoing_hides_them_again(
    panel: Panel, demo: Demo
) -> None:
    panel.confirm()
    expect(panel.root).to_have_attribute("data-link", "picked")
    expect(panel.find("[data-masked], [data-banner=unproven]")).to_have_count(0)
    shown = panel.frame.evaluate("document.body.innerText")
    assert all(amount in shown for amount in AMOUNTS)
    expect(panel.find(".identity")).to_contain_text("picked by Bruno Lima")
    assert written(demo, 101) == "42"
    panel.find("[data-action=undo]").click()
    expect(panel.root).to_have_attribute("data-link", "claimed")
    panel.settle()
    assert panel.find("[data-masked]").count() > 8
    assert not [text for text in (*AMOUNTS, *keys(demo, 42)) if text in markup(panel)]
    assert written(demo, 101) is None


def test_a_pick_is_remembered_when_the_conversation_is_opened_again(
    panel: Panel, demo: Demo
) -> None:
    panel.confirm()
    panel.page.reload()
    expect(panel.root).to_have_attribute("data-link", "picked")
    panel.expect_state("fresh")
    expect(panel.find("[data-masked]")).to_have_count(0)


def test_a_refused_customer_is_gone_until_the_refusal_is_undone(panel: Panel) -> None:
    panel.find("[data-action=refuse]").click()
    panel.expect_root("unlinked")
    expect(panel.find("[data-refused='42']")).to_contain_text("Bruno Lima said")
    expect(panel.find("[data-section]")).to_have_count(0)
    panel.find("[data-refused='42'] [data-action=undo]").click()
    panel.expect_root("ready")
    expect(panel.root).to_have_attribute("data-link", "claimed")


def test_a_pick_for_the_contact_holds_in_the_channel_that_proves_it(demo: Demo, page: Page) -> None:
    panel = demo.open(page, "many")
    panel.expect_state("fresh")
    panel.find("[data-action=pick][data-scope=contact]").click()
    expect(panel.root).to_have_attribute("data-trust", "proven")


# -- several -----------------------------------------------------------------------------------


def test_two_organizations_are_offered_by_name_and_the_picked_one_is_remembered(
    demo: Demo, page: Page
) -> None:
    panel = demo.open(page, "two")
    panel.expect_root("choose")
    choices = panel.find("[data-choice]")
    expect(choices).to_have_count(2)
    expect(choices.nth(0)).to_contain_text("Acme Ltda")
    expect(choices.nth(1)).to_contain_text("Prado Consultoria Ltda")
    panel.find("[data-choice='45'] [data-action=pick]").click()
    panel.expect_root("ready")
    expect(panel.root).to_have_attribute("data-organization", "45")
    expect(panel.root).to_have_attribute("data-link", "picked")
    panel.expect_state("fresh")
    expect(panel.rows("orders").first).to_have_attribute("data-row", "4501")
    assert written(demo, 104) == "45"
    page.reload()
    panel.expect_root("ready")
    expect(panel.root).to_have_attribute("data-organization", "45")


def test_looking_at_a_choice_keeps_it_masked_and_leads_back(demo: Demo, page: Page) -> None:
    panel = demo.open(page, "two")
    panel.find("[data-choice='45'] [data-action=look]").click()
    panel.expect_root("ready")
    expect(panel.root).to_have_attribute("data-organization", "45")
    expect(panel.root).to_have_attribute("data-link", "claimed")
    panel.expect_state("fresh")
    panel.settle()
    assert panel.find("[data-masked]").count() > 3
    assert written(demo, 104) is None
    panel.find("[data-action=choose]").click()
    panel.expect_root("choose")
    expect(panel.find("[data-choice]")).to_have_count(2)


def test_the_panel_that_was_looked_at_stays_when_the_tab_is_shown_again(
    demo: Demo, page: Page
) -> None:
    panel = demo.open(page, "two")
    panel.find("[data-choice='45'] [data-action=look]").click()
    panel.expect_root("ready")
    panel.expect_state("fresh")
    panel.settle()
    with page.expect_response("**/changes*"):
        panel.shown_again()
    panel.expect_root("ready")
    expect(panel.root).to_have_attribute("data-organization", "45")


# -- none --------------------------------------------------------------------------------------


def test_an_unlinked_conversation_says_what_was_looked_at_and_takes_an_id(
    demo: Demo, page: Page
) -> None:
    panel = demo.open(page, "unlinked")
    panel.expect_root("unlinked")
    expect(panel.root).to_contain_text("eduardo.mota@correio.example")
    expect(panel.root).to_contain_text("+5531988880005")
    assert demo.office.calls == []
    panel.find("input[name=organization]").fill("42")
    page.keyboard.press("Enter")
    panel.expect_root("ready")
    expect(panel.root).to_have_attribute("data-link", "picked")
    panel.expect_state("fresh")
    assert written(demo, 105) == "42"


def test_an_id_that_the_back_office_does_not_know_is_not_linked(demo: Demo, page: Page) -> None:
    panel = demo.open(page, "unlinked")
    panel.find("input[name=organization]").fill("999")
    panel.find("[data-action=pick]").click()
    expect(panel.find("[role=alert]")).to_contain_text("knows no organization with this id")
    panel.expect_root("unlinked")
    assert written(demo, 105) is None


def test_an_id_cannot_be_linked_while_the_back_office_is_down_and_the_form_stays(
    demo: Demo, page: Page
) -> None:
    panel = demo.open(page, "unlinked")
    demo.office.fault("500", 42)
    panel.find("input[name=organization]").fill("42")
    with page.expect_response("**/links"):
        panel.find("[data-action=pick]").click()
    expect(panel.find("[role=alert]")).to_contain_text("back office")
    panel.expect_root("unlinked")
    expect(panel.find("input[name=organization]")).to_be_visible()


def test_confirming_while_the_back_office_is_down_leaves_the_panel_as_it_stands(
    panel: Panel, demo: Demo
) -> None:
    demo.services.cache.touch(42, "organization")
    demo.office.fault("reset", 42)
    with panel.page.expect_response("**/links"):
        panel.find("[data-action=pick][data-scope=conversation]").click()
    panel.expect_root("ready")
    assert "Chatwoot could not be asked" not in panel.frame.evaluate("document.body.innerText")


def test_a_pick_holds_although_chatwoot_does_not_take_the_attribute(
    panel: Panel, demo: Demo
) -> None:
    def fail(call: Call) -> Failure | None:
        return Failure(500) if call.path.endswith("/custom_attributes") else None

    demo.chat.failures = fail
    with panel.page.expect_response("**/links"):
        panel.find("[data-action=pick][data-scope=conversation]").click()
    panel.expect_root("ready")
    expect(panel.root).to_have_attribute("data-link", "picked")
    assert written(demo, 101) is None
