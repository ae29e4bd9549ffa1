"""Work without a mouse, and the texts that the copy buttons put on the clipboard."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Demo, Panel

# -- the keyboard ----------------------------------------------------------------------------------


FOCUSED = """() => {
  const node = document.activeElement;
  if (!node || node === document.body) return "";
  const part = node.closest("[data-section]");
  const what = node.dataset.action || node.tagName.toLowerCase();
  return (part ? part.dataset.section + " " : "") + what;
}"""


def walk(panel: Panel, most: int = 60) -> list[str]:
    """Return the elements that Tab reaches, in order, from the top of the panel to its end."""
    panel.frame.evaluate("document.body.tabIndex = -1; document.body.focus()")
    reached: list[str] = []
    for _ in range(most):
        panel.page.keyboard.press("Tab")
        now = str(panel.frame.evaluate(FOCUSED))
        if not now or not panel.frame.evaluate("document.hasFocus()"):
            break
        reached.append(now)
    return reached


def test_tab_reaches_every_control_in_reading_order(demo: Demo, page: Page) -> None:
    demo.prove("many")
    panel = demo.open(page, "many")
    panel.settle()
    expect(panel.find("#attention a.line").first).to_be_visible()
    lines = panel.find("#attention a.line").count()
    assert walk(panel) == [
        *("a", "refresh-all", "summary", "summary"),
        *["a"] * lines,
        "licenses refresh",
        *("licenses open", "licenses copy", "licenses copies") * 2,
        "orders refresh",
        *("orders open", "orders a", "orders copies") * 5,
        *("orders summary", "orders summary"),
        *("quotes refresh", "quotes open", "quotes copies"),
        *("organization refresh", "organization copy", "organization open"),
        "shortcuts",
    ]


def test_enter_refreshes_opens_and_copies(demo: Demo, page: Page) -> None:
    demo.prove("many")
    panel = demo.open(page, "many")
    panel.settle()
    panel.section("orders").locator("[data-action=refresh]").focus()
    with page.expect_response("**/sections/orders/refresh"):
        page.keyboard.press("Enter")
    panel.settle()
    expect(panel.find("#said")).to_have_text("Up to date")
    panel.section("orders").locator("details.more:not(.closed) > summary").focus()
    page.keyboard.press("Enter")
    expect(panel.section("orders").locator("details:not(.closed) .rows")).to_be_visible()
    panel.section("licenses").locator("[data-action=copy]").first.focus()
    page.keyboard.press("Enter")
    expect(panel.find("#said")).to_have_text("Copied")
    expect(panel.section("licenses").locator("[data-action=copy]").first).to_be_focused()


@pytest.mark.parametrize("part", ["change", "confirm"])
def test_escape_closes_what_the_head_opened_and_keeps_the_focus(panel: Panel, part: str) -> None:
    opener = panel.find(f"#{part} > summary")
    opener.click()
    inside = panel.find("#query" if part == "change" else "#confirm [data-action=refuse]")
    inside.focus()
    panel.page.keyboard.press("Escape")
    expect(panel.find(f"#{part}[open]")).to_have_count(0)
    expect(opener).to_be_focused()


def test_a_focused_control_is_seen(panel: Panel) -> None:
    panel.frame.evaluate("document.body.tabIndex = -1; document.body.focus()")
    panel.page.keyboard.press("Tab")
    outline = panel.frame.evaluate("getComputedStyle(document.activeElement).outline")
    assert "2px" in outline
    assert "solid" in outline


# -- copying ---------------------------------------------------------------------------------------


def pasted(page: Page) -> str:
    """Return the clipboard's text as an agent gets it: pasted into Chatwoot's own page."""
    page.evaluate(
        """() => {
          const field = document.createElement("textarea");
          field.id = "pasted";
          field.style.cssText = "position: fixed; inset: 0 auto auto 0; z-index: 99";
          document.body.append(field);
        }"""
    )
    page.locator("#pasted").click()
    page.keyboard.press("Control+v")
    return page.locator("#pasted").input_value()


def test_the_copy_button_puts_the_whole_license_key_on_the_clipboard(
    proven: Panel, demo: Demo
) -> None:
    panel = proven
    row = panel.section("licenses").locator("[data-row]").first
    number = int(row.get_attribute("data-row") or 0)
    key = next(
        license_row["license_key"]
        for license_row in demo.office.licenses[42]
        if license_row["id"] == number
    )
    expect(row).not_to_contain_text(key)
    expect(row.locator("code")).to_have_text(f"••••{key[-4:]}")
    row.locator("[data-action=copy]").click()
    expect(panel.find("#said")).to_have_text("Copied")
    assert pasted(panel.page) == key
