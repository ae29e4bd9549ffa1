"""axe-core looks for barriers of WCAG 2.2 A and AA: in every state, light and dark, both languages.

No rule looks at the colours and at the words at once, so each language goes with one of the two.
"""

from pathlib import Path

import axe_playwright_python  # type: ignore[import-untyped]
import pytest
from playwright.sync_api import expect

from panel.demo.scenarios import SCENARIOS
from tests.browser.conftest import Demo, MakeDemo, OpenWindow, Panel

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
FIND = """async (levels) => {
  const found = await axe.run(document, { runOnly: levels, resultTypes: ["violations"] });
  return found.violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}`));
}"""
LOOKS = [("light", "en-US"), ("dark", "pt-BR")]
# A few to a page, with a new demo for each page: one scenario's outage must not pause the next.
PAGES = [list(SCENARIOS)[at : at + 4] for at in range(0, len(SCENARIOS), 4)]


def find_barriers(panel: Panel) -> list[str]:
    """Run axe by the browser's driver, because the policy allows no script but ours."""
    panel.frame.evaluate(f"() => {{ {AXE} }}")
    return list(panel.frame.evaluate(FIND, LEVELS))


@pytest.mark.parametrize("look", LOOKS, ids=str)
@pytest.mark.parametrize("scenarios", PAGES, ids=lambda names: names[0])
def test_no_scenario_holds_a_barrier(
    demo: Demo, open_window: OpenWindow, scenarios: list[str], look: tuple[str, str]
) -> None:
    page = open_window(color_scheme=look[0], locale=look[1]).page
    panel = demo.open(page, scenarios[0])
    for scenario in scenarios:
        demo.switch(page, scenario)
        panel.settle()
        assert find_barriers(panel) == [], scenario


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_no_dialog_search_or_opened_list_holds_a_barrier(
    demo: Demo, open_window: OpenWindow, look: tuple[str, str]
) -> None:
    panel = demo.open(open_window(color_scheme=look[0], locale=look[1]).page)
    panel.settle()
    for selector in (
        "#confirm > summary",
        "#change > summary",
        "#closed-orders > summary",
        "[data-section=orders] [data-action=reveal]",
    ):
        panel.find(selector).evaluate("(control) => control.click()")
        assert find_barriers(panel) == [], selector
    panel.find("dialog[open] [data-action=close]").click()
    panel.find("[data-action=shortcuts]").press("Enter")
    expect(panel.find("#shortcuts")).to_be_visible()
    assert find_barriers(panel) == []


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_signing_in_holds_no_barrier(
    demo_with: MakeDemo, open_window: OpenWindow, look: tuple[str, str]
) -> None:
    panel = demo_with("access-token").open(open_window(color_scheme=look[0], locale=look[1]).page)
    expect(panel.find("#token")).to_be_visible()
    assert find_barriers(panel) == []
