"""A real Chromium, and the demo in it.

Playwright's sync API keeps an event loop running in this thread from the first browser test on:
`asyncio.run` does not work beside it.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from panel.demo.serve import House
from panel.demo.worlds import SECRET, serve
from tests.browser.chromium import PLAIN, find_chromium
from tests.browser.demo import FRAME, SECTIONS, Demo, MakeDemo, Panel, foreign
from tests.browser.windows import OpenWindow, Seen, Window
from tests.conftest import with_tables

# Most browser tests import these names from here, beside the fixtures that return them.
__all__ = [
    "FRAME",
    "SECTIONS",
    "Demo",
    "MakeDemo",
    "OpenWindow",
    "Panel",
    "Seen",
    "Window",
    "foreign",
]


HERE = Path(__file__).parent
PATIENCE_MS = 15_000  # how long an expectation may take on a busy machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=[PLAIN])
        yield chromium
        chromium.close()


@pytest.fixture
def open_window(browser: Browser) -> Iterator[OpenWindow]:
    """`open_window(locale="pt-BR", color_scheme="dark", viewport={...})`: a fresh profile each."""
    contexts: list[BrowserContext] = []
    windows: list[Window] = []

    def open_one(**options: Any) -> Window:
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        seen = Seen()
        seen.watch(context)
        windows.append(Window(context.new_page(), seen))
        return windows[-1]

    yield open_one
    complaints = [line for window in windows for line in window.seen.complaints]
    for context in contexts:
        context.close()
    # In every flow: no violation of the policy, no error in the console.
    assert not complaints


@pytest.fixture
def window(open_window: OpenWindow) -> Window:
    """A desktop window in English."""
    return open_window(locale="en-US", viewport={"width": 1280, "height": 900})


@pytest.fixture
def page(window: Window) -> Page:
    return window.page


@pytest.fixture
def seen(window: Window) -> Seen:
    return window.seen


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    house = House(SECRET)
    server = serve(house)
    house.move_in(server.port, str(with_tables(tmp_path)))
    running = Demo(house, server)
    yield running
    server.stop()
    running.services.database.dispose()


@pytest.fixture
def demo_with(tmp_path: Path) -> Iterator[MakeDemo]:
    """`demo_with("access-token")`: the demo as its command line makes it."""
    with ExitStack() as stack:

        def make(proof: str, front: int = 0) -> Demo:
            house = House(SECRET, proof)
            server = serve(house)
            stack.callback(server.stop)
            house.move_in(server.port, str(with_tables(tmp_path)), front)
            running = Demo(house, server)
            stack.callback(running.services.database.dispose)
            return running

        yield make


@pytest.fixture
def panel(demo: Demo, page: Page) -> Panel:
    """The healthy company, all sections shown."""
    panel_page = demo.open(page)
    panel_page.expect_state("fresh")
    panel_page.settle()
    return panel_page


@pytest.fixture
def proven(demo: Demo, page: Page) -> Panel:
    """The healthy company, proven: nothing is masked."""
    demo.prove()
    panel_page = demo.open(page)
    panel_page.expect_state("fresh")
    panel_page.settle()
    expect(panel_page.root).to_have_attribute("data-trust", "proven")
    return panel_page
