"""An agent's next steps with a record, by pointer and by keyboard, inside Chatwoot's frame."""

import re

import pytest
import requests
from playwright.sync_api import Locator, Page, expect

from panel.demo.worlds import AGENT_TOKEN, SECRET
from tests.browser.conftest import Demo, MakeDemo, OpenWindow, Panel
from tests.browser.test_barriers import find_barriers
from tests.browser.test_keyboard import pasted
from tests.browser.test_measures import WATCH, sized

LANGUAGES = ["en-US", "pt-BR"]


def open_copies(panel: Panel, section: str = "orders") -> Locator:
    row = panel.section(section).locator("[data-row]").first
    row.locator("[data-action=copies]").click()
    expect(panel.find("#copies[open] [data-sentence]")).to_be_visible()
    return row


def sign_in(panel: Panel) -> None:
    panel.find("#token").fill(AGENT_TOKEN)
    panel.find("[data-action=sign-in]").click()
    panel.expect_root("ready")
    panel.settle()


def signed_in(demo: Demo, page: Page) -> Panel:
    panel = demo.open(page)
    sign_in(panel)
    return panel


@pytest.mark.parametrize("part", [0, 1], ids=["number", "sentence"])
def test_a_rows_number_and_its_sentence_lie_on_the_clipboard(panel: Panel, part: int) -> None:
    row = open_copies(panel)
    number = row.get_attribute("data-row")
    sentence = panel.find("[data-sentence]").inner_text().strip("“”")
    panel.find("#copies [data-action=copy]").nth(part).click()
    expect(panel.find("#said")).to_have_text("Copied")
    expect(panel.find("#copies")).not_to_be_visible()
    expect(row.locator("[data-action=copies]")).to_be_focused()
    assert pasted(panel.page) == (number, sentence)[part]


def test_the_menu_of_one_customer_is_gone_with_the_next_one(demo: Demo, panel: Panel) -> None:
    open_copies(panel)
    panel.page.keyboard.press("Escape")
    expect(panel.find("#copies")).not_to_be_visible()
    open_copies(panel)
    demo.switch(panel.page, "many")
    expect(panel.root).to_have_attribute("data-organization", "44")
    expect(panel.find("#copies")).to_be_empty()


def test_a_note_is_written_once_however_often_it_is_clicked(
    demo_with: MakeDemo, page: Page
) -> None:
    demo = demo_with("access-token")
    panel = signed_in(demo, page)
    open_copies(panel)
    sentence = panel.find("[data-sentence]").inner_text().strip("“”")
    panel.find("[data-action=note]").dblclick()
    expect(panel.find("#note [data-note]")).to_be_visible()
    panel.find("[data-action=note]").click()
    expect(panel.find("[data-note=written_before]")).to_be_visible()
    messages = demo.chat.conversations[101]["messages"]
    assert [message["private"] for message in messages if message["content"] == sentence] == [True]


def names_of(panel: Panel) -> list[str]:
    every = "(sections) => sections.map((section) => section.dataset.section)"
    return list(panel.find("[data-section]").evaluate_all(every))


def test_sections_are_collapsed_and_moved_by_keyboard_and_stay_so(
    demo_with: MakeDemo, page: Page
) -> None:
    demo = demo_with("access-token")
    panel = signed_in(demo, page)
    fold = panel.section("orders").locator("[data-action=fold]")
    with page.expect_response("**/preferences"):
        fold.press("Enter")
    expect(fold).to_have_attribute("aria-expanded", "false")
    expect(panel.rows("orders").first).not_to_be_visible()
    expect(panel.section("orders").locator(".folded")).to_have_text("3 need attention")
    with page.expect_response("**/sections/orders/refresh"):
        panel.refresh("orders")
    panel.settle()
    expect(fold).to_have_attribute("aria-expanded", "false")  # a refresh opens nothing
    panel.find("[data-action=arrange]").press("Enter")
    up = panel.find("[data-of=quotes] [data-action=move-up]")
    with page.expect_response("**/preferences"):
        up.press("Enter")
    expect(up).to_be_focused()
    page.keyboard.press("Escape")
    assert names_of(panel) == ["licenses", "quotes", "orders", "organization"]
    demo.switch(page, "many")
    expect(panel.root).to_have_attribute("data-organization", "44")
    panel.settle()
    assert names_of(panel) == ["licenses", "quotes", "orders", "organization"]
    expect(panel.rows("orders").first).not_to_be_visible()


def test_what_an_agent_prefers_is_drawn_without_a_jump(demo_with: MakeDemo, page: Page) -> None:
    demo = demo_with("access-token")
    panel = signed_in(demo, page)
    page.add_init_script(f"({WATCH})()")
    for name in ("licenses", "quotes"):
        with page.expect_response("**/preferences"):
            panel.section(name).locator("[data-action=fold]").click()
    panel = sized(demo, page, "healthy", 420, 598)
    expect(panel.rows("quotes").first).not_to_be_visible()
    assert panel.frame.evaluate("window.shift") <= 0.02


@pytest.mark.parametrize("locale", LANGUAGES)
def test_both_companies_of_a_choice_are_decided_on_the_first_screen(
    demo: Demo, open_window: OpenWindow, locale: str
) -> None:
    page = open_window(locale=locale).page
    panel = sized(demo, page, "two", 420, 598)
    expect(panel.find("[data-summary][data-state=loading]")).to_have_count(0)
    last = panel.find("[data-choice='45'] > .actions").bounding_box()
    frame = page.locator("iframe").bounding_box()
    assert last is not None
    assert frame is not None
    assert last["y"] + last["height"] <= frame["y"] + 598
    line = panel.find("[data-choice='42'] [data-summary=orders]").inner_text()
    assert re.search(r": .+\(1\)", line)


def test_what_changed_lately_has_a_quiet_mark_that_outlives_a_refresh(
    demo: Demo, page: Page
) -> None:
    panel = demo.open(page)
    panel.settle()
    row = panel.rows("orders").first.get_attribute("data-row")
    ids = {"organization_id": 42, "id": int(row or 0)}
    hook = {"event": "order.updated", "timestamp": "2026-11-30T09:00:00Z", "data": ids}
    bearer = {"Authorization": f"Bearer {SECRET}"}
    answer = requests.post(f"{demo.panel_url}/sync/hooks", json=hook, headers=bearer, timeout=30)
    assert answer.status_code == 202
    demo.switch(page, "many")
    expect(panel.root).to_have_attribute("data-organization", "44")
    demo.switch(page, "healthy")
    expect(panel.find("#recent")).to_contain_text(f"order {row} changed")
    mark = panel.find(f"#orders-{row} [data-recent]")
    expect(mark).to_have_count(1)
    with page.expect_response("**/sections/orders/refresh"):
        panel.refresh("orders")
    panel.settle()
    expect(mark).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", LANGUAGES)
def test_what_an_agent_does_next_holds_no_barrier(
    demo_with: MakeDemo, open_window: OpenWindow, locale: str, scheme: str
) -> None:
    demo = demo_with("access-token")
    panel = signed_in(demo, open_window(locale=locale, color_scheme=scheme).page)
    open_copies(panel, "licenses")
    panel.find("[data-action=note]").click()
    expect(panel.find("#note [data-note]")).to_be_visible()
    assert find_barriers(panel) == []
    panel.find("#copies [data-action=close]").click()
    panel.section("licenses").locator("[data-action=fold]").click()
    panel.find("[data-action=arrange]").click()
    assert find_barriers(panel) == []
    demo.switch(panel.page, "two")
    panel.expect_root("choose")
    expect(panel.find("[data-summary][data-state=loading]")).to_have_count(0)
    panel.find("#query").fill("acme")
    expect(panel.find("[data-result]")).to_have_count(1)
    assert find_barriers(panel) == []
