"""`make screenshots`: every state of the panel, light and dark, in both languages, at four widths.

They are drawn by the demo in the real browser, and stand side by side on one page,
`build/screenshots/index.html`, which no other file of the repository needs.
"""

import html
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from panel.demo.scenarios import REGULARS, SCENARIOS
from panel.demo.serve import House
from panel.demo.worlds import AGENT_TOKEN, SECRET, serve
from tests.browser.conftest import PATIENCE_MS, PLAIN, Demo, Panel, find_chromium
from tests.conftest import wait_until, with_tables

FOLDER = Path("build/screenshots")
THEMES = ("light", "dark")
LOCALES = ("en-US", "pt-BR")
WIDTHS = (320, 420, 740, 948)  # of the frame: a narrow one, then Chatwoot's at 1280, and wider
LEAST_HEIGHT = 598  # the frame's in a window of 1280 × 680: what is below is scrolled to
CALM = next(iter(REGULARS.values()))
PASSES = 120  # seconds until the first customer is in line, on a busy machine
HEIGHT = "Math.max(document.documentElement.scrollHeight, document.body.scrollHeight)"

Act = Callable[[Panel], None]


def stay(_panel: Panel) -> None:
    """As it stands when it is opened."""


def press(selector: str) -> Act:
    return lambda panel: panel.find(selector).first.click()


def search(panel: Panel) -> None:
    panel.find("#change > summary").click()
    panel.find("#query").fill("43")
    expect(panel.find("[data-result]").first).to_be_visible()


def sign_in(panel: Panel) -> None:
    panel.find("#token").fill(f"not {AGENT_TOKEN}")
    panel.find("[data-action=sign-in]").click()
    expect(panel.root).to_have_attribute("data-code", "wrong_token")


def explain(panel: Panel) -> None:
    """The key is dispatched, for a keyboard's own place would be drawn."""
    event = "new KeyboardEvent('keydown', { key: '?', bubbles: true })"
    panel.find("body").evaluate(f"(body) => body.dispatchEvent({event})")


# A state: its name, the proof of the demo, the scenario, and what is done there.
STATES: tuple[tuple[str, str, str, Act], ...] = (
    ("calm", "shared-secret", CALM.name, stay),
    *((name, "shared-secret", name, stay) for name in SCENARIOS),
    ("who may ask", "shared-secret", "healthy", press("#confirm > summary")),
    ("uncover", "shared-secret", "healthy", press("[data-section=orders] [data-action=reveal]")),
    ("shortcuts", "shared-secret", "healthy", explain),
    ("search", "shared-secret", "healthy", search),
    ("closed orders", "shared-secret", "healthy", press("#closed-orders > summary")),
    ("sign in", "access-token", "healthy", stay),
    ("sign in again", "access-token", "healthy", sign_in),
)


@contextmanager
def running(proof: str) -> Iterator[Demo]:
    house = House(SECRET, proof)
    server = serve(house)
    with tempfile.TemporaryDirectory() as folder:
        house.move_in(server.port, str(with_tables(Path(folder))))
        with house.working():
            first = house.chat.contacts[CALM.contact]
            wait_until(lambda: first["custom_attributes"].get("middag_role"), PASSES)
            yield Demo(house, server)
        server.stop()


def draw(page: Page, demo: Demo, state: tuple[str, str, str, Act], stem: str) -> None:
    name, _, scenario, act = state
    panel = demo.open(page, scenario, WIDTHS[0])
    panel.settle()
    act(panel)
    for width in WIDTHS:
        resize(panel, width, LEAST_HEIGHT)
        height = max(LEAST_HEIGHT, int(panel.frame.evaluate(HEIGHT)))
        page.set_viewport_size({"width": 1280, "height": height})
        resize(panel, width, height)
        page.screenshot(
            path=FOLDER / picture(name, stem, width),
            clip={"x": 0, "y": 0, "width": width, "height": height},
        )


def resize(panel: Panel, width: int, height: int) -> None:
    """The frame alone, over Chatwoot's page; until the panel has been laid out in it."""
    style = (
        f"width: {width}px !important; height: {height}px; position: fixed; inset: 0; z-index: 9"
    )
    panel.page.locator("iframe").evaluate("(frame, text) => { frame.style.cssText = text; }", style)
    panel.frame.wait_for_function(
        "([width, height]) => innerWidth === width && innerHeight === height", arg=[width, height]
    )


def picture(name: str, stem: str, width: int) -> str:
    return f"{name.replace(' ', '-')}-{stem}-{width}.png"


def draw_all(browser: Browser, proof: str, states: list[tuple[str, str, str, Act]]) -> None:
    with running(proof) as demo:
        for theme, locale in product(THEMES, LOCALES):
            context = browser.new_context(color_scheme=theme, locale=locale)  # type: ignore[arg-type]
            for state in states:
                page = context.new_page()
                draw(page, demo, state, f"{theme}-{locale}")
                page.close()
            context.close()


def write_sheet(states: list[tuple[str, str, str, Act]]) -> Path:
    """One page: a row for each state and look, its pictures side by side in their true size."""
    rows = []
    for (name, *_), theme, locale in product(states, THEMES, LOCALES):
        pictures = (picture(name, f"{theme}-{locale}", width) for width in WIDTHS)
        images = "".join(f'<img loading="lazy" src="{html.escape(each)}">' for each in pictures)
        rows.append(f"<h2>{html.escape(name)}, {theme}, {locale}</h2><div>{images}</div>")
    style = "body{background:#888;font:14px sans-serif}div{display:flex;gap:16px;align-items:start}"
    sheet = FOLDER / "index.html"
    title = "Every state of the panel"
    sheet.write_text(f"<!doctype html><title>{title}</title><style>{style}</style>{''.join(rows)}")
    return sheet


def main(wanted: list[str]) -> None:
    """Draws the states named in `wanted`, or all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=PATIENCE_MS)  # some back offices of the demo take eight seconds
    states = [state for state in STATES if not wanted or state[0] in wanted]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=[PLAIN])
        for proof in dict.fromkeys(state[1] for state in states):
            draw_all(browser, proof, [state for state in states if state[1] == proof])
        browser.close()
    sys.stdout.write(f"{write_sheet(states)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
