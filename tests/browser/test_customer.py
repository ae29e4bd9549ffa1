"""Which customer is this: claimed, one of several, nobody; masked until known."""

from playwright.sync_api import Page, expect

from panel.demo.scenarios import SCENARIOS
from tests.browser.conftest import Demo, Panel
from tests.browser.customers import markup, search, written
from tests.learning import learn

AMOUNTS = ("1,250.00", "3,480.50", "5,400.00")


def keys(demo: Demo, organization: int) -> list[str]:
    return [row["license_key"] for row in demo.office.licenses[organization]]


# -- claimed ---------------------------------------------------------------------------------------


def test_a_claim_is_shown_as_claimed_and_its_amounts_are_not_even_in_the_page(
    panel: Panel, demo: Demo
) -> None:
    expect(panel.root).to_have_attribute("data-link", "claimed")
    expect(panel.root).to_have_attribute("data-trust", "unproven")
    expect(panel.find("[data-banner=unproven]")).to_contain_text("do not disclose")
    assert panel.find("[data-masked]").count() > 8
    html = markup(panel)
    secrets = [*AMOUNTS, *keys(demo, 42), demo.office.organizations[42]["cnpj"]]
    assert not [text for text in secrets if text in html]


def test_a_pick_names_the_company_and_shows_no_amount_more(panel: Panel, demo: Demo) -> None:
    masked = panel.find("[data-masked]").count()
    panel.pick()
    expect(panel.find(".head .how")).to_contain_text("confirmed by Bruno Lima")
    banner = panel.find("[data-banner=unproven]")
    expect(banner).to_contain_text("not that this person belongs to it")
    expect(banner.locator("[data-action=pick][data-scope=conversation]")).to_have_count(0)
    expect(panel.find("[data-masked]")).to_have_count(masked)
    assert not [text for text in (*AMOUNTS, *keys(demo, 42)) if text in markup(panel)]
    assert written(demo, 101) is None
    panel.answer("[data-action=undo]")
    expect(panel.root).to_have_attribute("data-link", "claimed")


def test_a_proven_customer_is_shown_in_full_and_a_pick_is_written(
    proven: Panel, demo: Demo
) -> None:
    expect(proven.find("[data-masked], [data-banner=unproven]")).to_have_count(0)
    text = proven.frame.evaluate("document.body.innerText")
    assert all(amount in text for amount in AMOUNTS)
    proven.find("#change > summary").click()
    search(proven, "42")
    proven.find("[data-result='42'] [data-scope=conversation]").click()
    expect(proven.root).to_have_attribute("data-link", "picked")
    expect(proven.root).to_have_attribute("data-trust", "proven")
    assert written(demo, 101) == "42"
    proven.answer("[data-action=undo]")
    expect(proven.root).to_have_attribute("data-link", "matched")
    assert written(demo, 101) is None


def test_the_demo_has_a_customer_who_is_proven(demo: Demo, page: Page) -> None:
    learn(demo, SCENARIOS["proven"].organizations[0])
    panel = demo.open(page, "proven")
    expect(panel.root).to_have_attribute("data-trust", "proven")
    expect(panel.find("[data-masked]")).to_have_count(0)


def test_a_pick_is_remembered_when_the_conversation_is_opened_again(
    panel: Panel, demo: Demo
) -> None:
    panel.pick()
    panel.page.reload()
    expect(panel.root).to_have_attribute("data-link", "picked")
    panel.expect_state("fresh")
    expect(panel.find("[data-masked]").first).to_be_visible()


def test_a_refused_customer_is_gone_until_the_refusal_is_undone(panel: Panel) -> None:
    panel.answer("[data-action=refuse]")
    panel.expect_root("unlinked")
    expect(panel.find("[data-refused='42']")).to_contain_text("Bruno Lima said")
    expect(panel.find("[data-section]")).to_have_count(0)
    panel.find("[data-refused='42'] [data-action=undo]").click()
    panel.expect_root("ready")
    expect(panel.root).to_have_attribute("data-link", "claimed")


def test_a_pick_for_the_contact_proves_nothing_in_any_channel(demo: Demo, page: Page) -> None:
    panel = demo.open(page, "many")
    panel.expect_state("fresh")
    panel.answer("[data-action=pick][data-scope=contact]")
    expect(panel.root).to_have_attribute("data-link", "picked")
    expect(panel.root).to_have_attribute("data-trust", "unproven")
    expect(panel.find("[data-banner] [data-action=pick]")).to_have_count(0)


# -- several ---------------------------------------------------------------------------------------


def test_two_organizations_are_offered_by_name_and_the_picked_one_is_remembered(
    demo: Demo, page: Page
) -> None:
    panel = demo.open(page, "two")
    panel.expect_root("choose")
    choices = panel.find("[data-choice]")
    expect(choices).to_have_count(2)
    expect(choices.nth(0)).to_contain_text("Acme Ltda")
    expect(choices.nth(1)).to_contain_text("Prado Consultoria Ltda")
    # The name came with the section; the button that was drawn before it is called by it too.
    name = "This is the company Prado Consultoria Ltda"
    expect(choices.nth(1).locator("[data-action=pick]")).to_have_accessible_name(name)
    panel.find("[data-choice='45'] [data-action=pick]").click()
    panel.expect_root("ready")
    expect(panel.root).to_have_attribute("data-organization", "45")
    expect(panel.root).to_have_attribute("data-link", "picked")
    panel.expect_state("fresh")
    expect(panel.rows("orders").first).to_have_attribute("data-row", "4501")
    assert written(demo, 104) is None
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


# -- none ------------------------------------------------------------------------------------------


def test_an_unlinked_conversation_says_what_was_looked_at_and_takes_an_id(
    demo: Demo, page: Page
) -> None:
    panel = demo.open(page, "unlinked")
    panel.expect_root("unlinked")
    expect(panel.root).to_contain_text("eduardo.mota@correio.example")
    expect(panel.root).to_contain_text("+5531988880005")
    assert demo.office.calls == []
    search(panel, "42")
    result = panel.find("[data-result='42']")
    expect(result).to_contain_text("Acme Ltda")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    panel.expect_root("ready")
    expect(panel.root).to_have_attribute("data-link", "picked")
    panel.expect_state("fresh")
    assert written(demo, 105) is None


def test_an_id_that_nobody_knows_is_not_found_and_nothing_is_linked(demo: Demo, page: Page) -> None:
    panel = demo.open(page, "unlinked")
    search(panel, "999")
    expect(panel.find("[data-nothing]")).to_contain_text("Nothing found for “999”")
    expect(panel.find("[data-action=pick]")).to_have_count(0)
    assert written(demo, 105) is None


def test_while_the_back_office_is_down_an_id_is_not_called_unknown(demo: Demo, page: Page) -> None:
    panel = demo.open(page, "unlinked")
    demo.office.fault("500", 42)
    search(panel, "42")
    expect(panel.find("#results")).to_contain_text("could not be asked")
    expect(panel.find("[data-nothing]")).to_have_count(0)
    expect(panel.find("#query")).to_have_value("42")
