"""`make screenshots`: every state of the panel, light and dark, in both languages, at four widths.

The demo draws the states in the real browser. The pictures stand side by side on one page,
`build/screenshots/index.html`, which no other file of the repository needs.
"""

import html
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby, product
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from panel.auth.tokens import SHARED_SECRET
from panel.demo.serve import House
from panel.demo.worlds import SECRET, serve
from tests.browser.chromium import PLAIN, find_chromium
from tests.browser.conftest import PATIENCE_MS, Demo, Panel
from tests.browser.states import CALM, STATES, State
from tests.conftest import wait_until, with_tables

FOLDER = Path("build/screenshots")
THEMES = ("light", "dark")
LOCALES = ("en-US", "pt-BR")
WIDTHS = (320, 420, 740, 948)  # of the frame: a narrow one, then Chatwoot's at 1280, and wider
LEAST_HEIGHT = 598  # the frame's in a window of 1280 × 680: what is below is scrolled to
PAINTED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
DEMO, DEMO_WIDTH = "demo", 1280
PASSES = 120  # seconds until the first customer is in line, on a busy machine
HEIGHT = "Math.max(document.documentElement.scrollHeight, document.body.scrollHeight)"


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


def draw(page: Page, demo: Demo, state: State, locale: str) -> None:
    state.prepare(demo)
    panel = demo.open(page, state.scenario, WIDTHS[0])
    panel.settle()
    state.act(demo, panel)
    for theme, width in product(THEMES, WIDTHS):
        panel.find("html").evaluate("(root, theme) => { root.dataset.theme = theme; }", theme)
        resize(panel, width, LEAST_HEIGHT)
        height = max(LEAST_HEIGHT, int(panel.frame.evaluate(HEIGHT)))
        page.set_viewport_size({"width": 1280, "height": height})
        resize(panel, width, height)
        page.screenshot(
            path=FOLDER / picture(state.name, theme, locale, width),
            clip={"x": 0, "y": 0, "width": width, "height": height},
        )


def resize(panel: Panel, width: int, height: int) -> None:
    """Show the frame alone, over Chatwoot's page, in this size. Wait until the panel has been laid
    out in it."""
    style = (
        f"width: {width}px !important; height: {height}px; position: fixed; inset: 0; z-index: 9"
    )
    panel.page.locator("iframe").evaluate("(frame, text) => { frame.style.cssText = text; }", style)
    panel.frame.wait_for_function(
        "([width, height]) => innerWidth === width && innerHeight === height", arg=[width, height]
    )
    panel.frame.evaluate(PAINTED)


def picture(name: str, theme: str, locale: str, width: int) -> str:
    return f"{name.replace(' ', '-').replace(',', '')}-{theme}-{locale}-{width}.png"


def draw_all(browser: Browser, proof: str, states: list[State]) -> None:
    """Draw states in one demo, each in both languages."""
    with running(proof) as demo:
        for state, locale in product(states, LOCALES):
            context = browser.new_context(locale=locale)
            draw(context.new_page(), demo, state, locale)
            context.close()


def draw_demo(browser: Browser) -> None:
    """Draw the page of the demo itself, as a newcomer sees it first."""
    with running(SHARED_SECRET) as demo:
        page = browser.new_page(viewport={"width": DEMO_WIDTH, "height": 800})
        demo.open(page, CALM.name).settle()
        for theme in THEMES:
            page.locator("[data-bench=theme]").set_checked(theme == "dark")
            page.mouse.move(0, 0)
            page.screenshot(path=FOLDER / picture(DEMO, theme, LOCALES[0], DEMO_WIDTH))


def write_sheet(states: list[State]) -> Path:
    """Write one page: a row for each state and look, its pictures side by side in true size."""
    looks: list[tuple[str, str, str, tuple[int, ...]]] = [
        (state.name, theme, locale, WIDTHS)
        for state, theme, locale in product(states, THEMES, LOCALES)
    ]
    looks += [(DEMO, theme, LOCALES[0], (DEMO_WIDTH,)) for theme in THEMES]
    rows = []
    for name, theme, locale, widths in looks:
        files = (picture(name, theme, locale, width) for width in widths)
        images = "".join(f'<img loading="lazy" src="{html.escape(file)}">' for file in files)
        rows.append(f"<h2>{html.escape(name)}, {theme}, {locale}</h2><div>{images}</div>")
    style = "body{background:#888;font:14px sans-serif}div{display:flex;gap:16px;align-items:start}"
    sheet = FOLDER / "index.html"
    title = "Every state of the panel"
    sheet.write_text(f"<!doctype html><title>{title}</title><style>{style}</style>{''.join(rows)}")
    return sheet


def choose_demo(state: State) -> tuple[str, str]:
    """Return a key of the demo for this state: states with the same key share a demo."""
    return state.proof, state.name if state.alone else ""


def main(wanted: list[str]) -> None:
    """Draw the states named in `wanted`, or all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=PATIENCE_MS)  # some back offices of the demo take eight seconds
    states = [state for state in STATES if not wanted or state.name in wanted]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=[PLAIN])
        for (proof, _), together in groupby(sorted(states, key=choose_demo), choose_demo):
            draw_all(browser, proof, list(together))
        if not wanted or DEMO in wanted:
            draw_demo(browser)
        browser.close()
    sys.stdout.write(f"{write_sheet(states)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
