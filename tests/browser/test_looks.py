"""The looks of the panel: every scenario, narrow and wide, light and dark."""

from typing import Any

import pytest
from playwright.sync_api import FloatRect, Page, expect

from panel.demo.scenarios import SCENARIOS
from tests.browser.conftest import Demo, OpenWindow, Panel, Window

# Every piece of text with the colours that it really has: its own, and those that lie under it.
CONTRASTS = """() => {
  const parsed = (text) => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return text.startsWith("color(srgb") ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((each, at) => each * a + under[at] * (1 - a));
  const styled = (node, name) => parsed(getComputedStyle(node)[name]);
  const ground = (node) => {
    const stack = [];
    for (let at = node; at; at = at.parentElement) stack.push(styled(at, "backgroundColor"));
    return stack.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((each) => each / 255)
      .map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = {};
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    if (!text || !node.checkVisibility({visibilityProperty: true})) continue;
    const back = ground(node);
    const pair = [light(over(styled(node, "color"), back)), light(back)].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < 4.5) found[`${node.className}: ${text}`] = Math.round(ratio * 100) / 100;
  }
  return found;
}"""

# Elements that reach beyond the page, and controls without a name.
TOO_WIDE = """() => {
  const wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= wide) return [];
  return [...document.querySelectorAll("body *")]
    .map((node) => [node, Math.round(node.getBoundingClientRect().right)])
    .filter(([_, right]) => right > wide)
    .map(([node, right]) => `${node.tagName.toLowerCase()}.${node.className} ${right}`);
}"""
NAMELESS = """() => [...document.querySelectorAll("button, a, input:not([type=hidden]), summary")]
  .filter((node) => !(node.getAttribute("aria-label") || node.textContent || "").trim()
    && !(node.labels && [...node.labels].some((label) => label.textContent.trim())))
  .map((node) => node.outerHTML.slice(0, 120))"""
SAME_IDS = """() => {
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  return ids.filter((id, at) => ids.indexOf(id) !== at);
}"""


def background(panel: Panel) -> str:
    return str(panel.frame.evaluate("getComputedStyle(document.documentElement).backgroundColor"))


LIGHT, DARK = "rgb(253, 253, 253)", "rgb(18, 18, 19)"


# -- every scenario --------------------------------------------------------------------------------


# A few to a page, with a new demo for each page: one scenario's outage must not pause the next.
PAGES = [list(SCENARIOS)[at : at + 5] for at in range(0, len(SCENARIOS), 5)]


@pytest.mark.parametrize("scenarios", PAGES, ids=lambda names: names[0])
def test_at_320_pixels_nothing_reaches_beyond_the_page(
    demo: Demo, page: Page, scenarios: list[str]
) -> None:
    panel = demo.open(page, scenarios[0], width=320)
    for scenario in scenarios:
        demo.switch(page, scenario)
        if scenario == "hanging":  # as it stands while it hangs: eight seconds tell no more
            expect(panel.section("licenses").locator(".slow")).to_be_visible()
        else:
            panel.settle()
        assert panel.frame.evaluate("innerWidth") == 320
        assert panel.frame.evaluate(TOO_WIDE) == [], scenario
        assert panel.frame.evaluate(NAMELESS) == [], scenario
        assert panel.frame.evaluate(SAME_IDS) == [], scenario


@pytest.mark.parametrize("scenario", ["healthy", "expiring", "currencies", "contradictions", "php"])
def test_at_320_pixels_a_proven_customer_fits_as_well(
    demo: Demo, page: Page, scenario: str
) -> None:
    demo.prove(scenario)
    panel = demo.open(page, scenario, width=320)
    panel.settle()
    for summary in panel.find("summary").all():
        summary.evaluate("(summary) => summary.click()")
    assert panel.frame.evaluate(TOO_WIDE) == []
    assert panel.frame.evaluate(NAMELESS) == []


def test_long_unbroken_words_do_not_break_the_page(demo: Demo, page: Page) -> None:
    long = "Sociedade" * 12
    demo.office.organizations[42] |= {"name": long, "legal_name": f"{long} Ltda", "plan": long}
    demo.office.orders[42][0] |= {"payment_method": long, "status": "x" * 60, "total": "9" * 15}
    demo.office.licenses[42][0] |= {"product_name": long, "expires_at": "y" * 60}
    demo.office.orders[42][1] |= {"status": {"x" * 60: 1}, "total": "9" * 60}
    demo.office.quotes[42][0] |= {"valid_until": "z" * 60, "total": 10**14}
    demo.prove()
    panel = demo.open(page, width=320)
    panel.settle()
    assert panel.frame.evaluate(TOO_WIDE) == []


def expect_readable(panel: Panel) -> None:
    for theme in ("light", "dark"):
        panel.find("html").evaluate("(root, theme) => { root.dataset.theme = theme; }", theme)
        assert panel.frame.evaluate(CONTRASTS) == {}, theme


@pytest.mark.parametrize("scenario", ["healthy", "expiring", "php", "unlinked", "two", "error429"])
def test_every_text_stands_out_from_its_ground_in_light_and_dark(
    demo: Demo, page: Page, scenario: str
) -> None:
    panel = demo.open(page, scenario)
    panel.settle()
    expect_readable(panel)
    if scenario in ("healthy", "expiring", "php"):
        panel.pick()
        expect_readable(panel)
        demo.prove(scenario)
        page.reload()
        panel.settle()
        expect(panel.root).to_have_attribute("data-trust", "proven")
        expect_readable(panel)


def test_every_colour_of_a_badge_and_a_banner_is_readable(panel: Panel) -> None:
    panel.section("organization").evaluate(
        """(section) => {
          const tones = ["blue", "teal", "amber", "ruby", "slate"];
          section.append(...tones.flatMap((tone) => ["badge", "banner"].map((kind) => {
            const made = document.createElement("span");
            made.className = `${kind} ${tone}`;
            made.textContent = `${kind} ${tone}`;
            return made;
          })));
        }"""
    )
    expect_readable(panel)
    blue = panel.section("organization").locator(".badge.blue")
    blue.evaluate("(badge) => { badge.style.color = '#4a7ab0'; }")
    assert panel.frame.evaluate(CONTRASTS).keys() == {"badge blue: badge blue"}, "it can tell"


# -- light and dark --------------------------------------------------------------------------------


@pytest.mark.parametrize(("scheme", "ground"), [("light", LIGHT), ("dark", DARK)])
def test_without_a_word_from_chatwoot_the_browser_decides_light_or_dark(
    demo: Demo, open_window: OpenWindow, scheme: str, ground: str
) -> None:
    window = open_window(color_scheme=scheme)
    panel = demo.open_quiet(window.page)
    assert background(panel) == ground


@pytest.mark.parametrize(("scheme", "ground"), [("light", DARK), ("dark", LIGHT)])
def test_the_theme_that_chatwoot_names_outweighs_the_browsers(
    demo: Demo, open_window: OpenWindow, scheme: str, ground: str
) -> None:
    window = open_window(
        locale="en-US", color_scheme=scheme, viewport={"width": 1280, "height": 900}
    )
    panel = demo.open(window.page)
    panel.expect_state("fresh")
    window.page.locator("[data-bench=theme]").click()
    expect(panel.find(":root")).to_have_css("background-color", ground)
    panel.expect_state("fresh")


# -- nothing jumps ---------------------------------------------------------------------------------


def boxes(panel: Panel) -> list[FloatRect | None]:
    return [header.bounding_box() for header in panel.find("[data-section] header").all()]


def test_a_refresh_moves_nothing(panel: Panel) -> None:
    before = boxes(panel)
    with panel.page.expect_response("**/refresh"):
        panel.refresh("organization")
    panel.settle()
    assert boxes(panel) == before


def test_the_page_is_a_document_that_a_screen_reader_can_walk(window: Window, demo: Demo) -> None:
    panel = demo.open(window.page)
    panel.expect_state("fresh")
    heads: list[Any] = panel.frame.evaluate(
        "[...document.querySelectorAll('h1, h2, h3')].map((node) => node.tagName)"
    )
    assert heads == ["H1", *["H2"] * 4]
    assert panel.find("main").count() == 1
    expect(panel.find("[data-section=orders] [data-action=refresh]")).to_have_accessible_name(
        "Refresh: Orders"
    )
