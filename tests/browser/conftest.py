"""A real Chromium, and a record of everything that a window asked for, said and broke.

Playwright's sync API keeps an event loop running in this thread from the first browser test on:
`asyncio.run` does not work beside it.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Frame,
    FrameLocator,
    Locator,
    Page,
    Request,
    WebError,
    expect,
    sync_playwright,
)
from werkzeug.wrappers import Response

from panel.demo.backoffice import BackOffice
from panel.demo.chatwoot import Chatwoot
from panel.demo.page import Page as ChatwootPage
from panel.demo.scenarios import SCENARIOS
from panel.demo.serve import House
from panel.demo.worlds import SECRET, Server, serve
from panel.services import Services, get
from tests.conftest import prove_customer, with_tables

HERE = Path(__file__).parent
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The address bar's own pages, two in each fresh profile, in a renderer that costs as much as ours.
# The switch replaces Playwright's own of this name, whose features (1.65) are repeated behind them.
PLAIN = "--disable-features=" + ",".join(
    (
        *("WebUIOmniboxPopup", "WebUIOmniboxAimPopup"),
        *("AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades"),
        *("HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "PaintHolding"),
        *("ThirdPartyStoragePartitioning", "AvoidCorsURLLoaderRestartOnRedirect"),
        *("OptimizationHints", "NetworkTimeServiceQuerying", "AimEnabled", "PreconnectToSearch"),
    )
)
PATIENCE_MS = 15_000  # how long an expectation may take on a busy machine

# The page says it by its console, so that frames of other sites are heard too; bound to the
# document before any script of the page runs, and not itself subject to the page's policy.
VIOLATION = "securitypolicyviolation "
REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.debug("securitypolicyviolation " + JSON.stringify({
    page: event.documentURI, directive: event.effectiveDirective, blocked: event.blockedURI,
    sample: event.sample, source: event.sourceFile + ":" + event.lineNumber,
  })));
"""


@dataclass(frozen=True)
class Sent:
    """One request as it left the browser; `headers` are those of the wire, names in lower case."""

    method: str
    url: str
    headers: dict[str, str]
    body: str

    def __contains__(self, text: str) -> bool:
        return text in repr((self.url, self.headers, self.body))


@dataclass
class Seen:
    """What one window (all its frames and pages) did, from its first request on."""

    console: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)  # console errors, uncaught exceptions
    violations: list[dict[str, str]] = field(default_factory=list)
    _requests: list[Request] = field(default_factory=list)

    def sent(self, part: str = "") -> list[Sent]:
        """Every request whose address holds `part`, in order; waits for answers under way.

        Ask while the page is open. What the policy blocks is no request: see `violations`.
        """
        return [_sent(request) for request in self._requests if part in request.url]

    def forget(self) -> None:
        """Start afresh: what follows is one step's doing."""
        for record in (self.console, self.errors, self.violations, self._requests):
            record.clear()

    @property
    def complaints(self) -> list[str]:
        """Errors and violations, without Chromium's own line for an answer of 4xx or 5xx.

        And without htmx's for a request under way when Chatwoot throws the frame away: an open
        panel asks every other second, so every switch of a conversation may meet one.
        """
        expected = ("Failed to load resource", "htmx: htmx:error: Failed to fetch")
        own = [line for line in self.errors if not line.startswith(expected)]
        return own + [f"violation: {violation}" for violation in self.violations]

    def watch(self, context: BrowserContext) -> None:
        context.add_init_script(REPORT_VIOLATIONS)
        context.on("request", self._note)
        context.on("console", self._hear)
        context.on("weberror", self._fail)

    def _note(self, request: Request) -> None:
        self._requests.append(request)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.text.startswith(VIOLATION):
            self.violations.append(json.loads(message.text.removeprefix(VIOLATION)))
            return
        self.console.append(f"{message.type}: {message.text}")
        if message.type == "error":
            self.errors.append(message.text)

    def _fail(self, error: WebError) -> None:
        self.errors.append(str(error.error))


def _sent(request: Request) -> Sent:
    # What JavaScript can see of the headers lacks Origin, Referer and Cookie: take the wire's.
    return Sent(request.method, request.url, request.all_headers(), request.post_data or "")


@dataclass(frozen=True)
class Window:
    """A page in a fresh profile, and what it did."""

    page: Page
    seen: Seen


OpenWindow = Callable[..., Window]


def find_chromium() -> str:
    """The browser that `tests/machine.sh` found or installed; the first of `NAMES` on the PATH."""
    wish = os.environ.get("CHROMIUM")
    found = wish or next((path for path in map(shutil.which, NAMES) if path), None)
    if not found:
        pytest.fail(f"no Chromium: none of {', '.join(NAMES)} is on the PATH (tests/machine.sh)")
    return found


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


# -- the demo, with its worlds at hand -----------------------------------------------------------

FRAME = "iframe#dashboard-app--frame-0-0"
SECTIONS = ("licenses", "orders", "quotes", "organization")
QUIET = """<!doctype html><meta charset=utf-8><link rel=icon href="data:,"><script>
  window.asked = []; addEventListener("message", (event) => asked.push(event.data));
</script>
<iframe id="dashboard-app--frame-0-0" style="width:700px;height:800px" src="%s"></iframe>"""


@dataclass
class Panel:
    """The panel as it stands in the frame of Chatwoot's page, or as a page of its own."""

    page: Page
    inside: FrameLocator | Page
    origin: str

    @property
    def frame(self) -> Frame:
        """Where scripts of the panel run; wait for something of the panel first."""
        return next(each for each in self.page.frames if each.url.startswith(self.origin))

    def find(self, selector: str) -> Locator:
        return self.inside.locator(selector)

    @property
    def root(self) -> Locator:
        return self.find("#panel")

    def section(self, name: str) -> Locator:
        return self.find(f"[data-section={name}]")

    def rows(self, name: str) -> Locator:
        """Those in sight: what is closed is one click away."""
        return self.section(name).locator("[data-row]:not(.closed [data-row])")

    def refresh(self, name: str) -> None:
        """This section alone; its own button is in sight where it failed."""
        self.section(name).locator("[data-action=refresh]").evaluate("(button) => button.click()")

    def expect_root(self, name: str) -> None:
        expect(self.root).to_have_attribute("data-panel", name)

    def expect_state(self, state: str, *names: str) -> None:
        for name in names or SECTIONS:
            expect(self.section(name)).to_have_attribute("data-state", state)

    def settle(self) -> None:
        """Until no section loads, what needs a word knows all, and no request is under way.

        And until the second script is there, which comes then.
        """
        expect(self.find("[data-panel]:not([data-panel=waiting])")).to_have_count(1)
        expect(self.find("[data-state=loading], [data-waiting], .htmx-request")).to_have_count(0)
        expect(self.find("html")).to_have_attribute("data-is-whole", "")

    def answer(self, selector: str) -> None:
        """A word about the customer, said where the head asks for it."""
        if not self.find("#confirm[open]").count():
            self.find("#confirm > summary").click()
        self.find(f"#confirm {selector}").click()

    def pick(self) -> None:
        """The agent says that this is the company."""
        self.answer("[data-action=pick][data-scope=conversation]")
        expect(self.root).to_have_attribute("data-link", "picked")
        self.settle()

    def uncover(self, name: str) -> None:
        section = self.section(name)
        section.locator("[data-action=reveal]").click()
        section.locator("select").select_option(index=1)
        section.locator("[data-action=uncover]").click()
        expect(section).to_have_attribute("data-uncovered", "")

    def shown_again(self) -> None:
        """The tab is shown again: the clock asks at once. Nobody can hide a headless page."""
        self.frame.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


@dataclass
class Demo:
    """The demo of `make demo` on a free port: its worlds can be broken and counted."""

    house: House
    server: Server

    @property
    def office(self) -> BackOffice:
        return self.house.office

    @property
    def chat(self) -> Chatwoot:
        return self.house.chat

    @property
    def services(self) -> Services:
        return get(Services, self.house.panel)  # type: ignore[arg-type]

    @property
    def chatwoot_url(self) -> str:
        return f"http://localhost:{self.server.port}"

    @property
    def panel_url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def launch_url(self) -> str:
        return str(self.chat.dashboard_apps[1]["content"][0]["url"])

    @launch_url.setter
    def launch_url(self, url: str) -> None:
        self.chat.dashboard_apps[1]["content"][0]["url"] = url

    @property
    def launch_key(self) -> str:
        return self.launch_url.partition("#k=")[2]

    def open(self, page: Page, scenario: str = "healthy", width: int | None = None) -> Panel:
        """The conversation of a scenario with our tab chosen; `width` of the frame in pixels."""
        page.goto(f"{self.chatwoot_url}/?scenario={scenario}&tab=messages")
        if width:
            page.add_style_tag(content=f"iframe {{ width: {width}px !important }}")
        page.locator("[data-tab=app]").click()
        return Panel(page, page.frame_locator(FRAME), self.panel_url)

    def prove(self, scenario: str = "healthy") -> None:
        """From now on the customer writes by WhatsApp, from the phone of one person there."""
        row = SCENARIOS[scenario]
        prove_customer(self.chat, self.services, row, row.organizations[0])

    def switch(self, page: Page, scenario: str) -> None:
        """A click on another conversation of the list, which shows its messages; then our tab."""
        page.locator(f"[data-conversation][data-scenario={scenario}]").click()
        page.locator("[data-tab=app]").click()

    def open_in_app(self, page: Page, address: str | None = None) -> Panel:
        """As in Chatwoot's mobile app: a page of its own; what it asks its host is in `asked`."""
        page.add_init_script(
            "window.asked = []; window.ReactNativeWebView = "
            "{postMessage: (text) => window.asked.push(text)};"
        )
        page.goto(address or self.launch_url)
        return Panel(page, page, self.panel_url)

    def open_quiet(self, page: Page) -> Panel:
        """A Chatwoot that does not answer; what it is asked is in `asked`."""
        shown = Response(QUIET % self.launch_url, content_type="text/html")
        self.chat.page = lambda _: shown
        page.goto(f"{self.chatwoot_url}/quiet")
        opened = Panel(page, page.frame_locator(FRAME), self.panel_url)
        opened.expect_root("waiting")
        return opened

    def context(self, scenario: str, theme: str | None = None) -> dict[str, Any]:
        """What Chatwoot says about the open conversation of a scenario."""
        number = SCENARIOS[scenario].conversation
        state = ChatwootPage(self.chat, self.office).state()
        row = next(each for each in state["conversations"] if each["conversation"]["id"] == number)
        conversation = row["conversation"]
        data = {
            "conversation": conversation,
            "contact": conversation["meta"]["sender"],
            "currentAgent": state["agent"],
        } | ({"theme": theme} if theme else {})
        return {"event": "appContext", "data": data}


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    house = House(SECRET)
    server = serve(house)
    house.move_in(server.port, str(with_tables(tmp_path)))
    found = Demo(house, server)
    yield found
    server.stop()
    found.services.database.dispose()


MakeDemo = Callable[..., Demo]


@pytest.fixture
def demo_with(tmp_path: Path) -> Iterator[MakeDemo]:
    """`demo_with("access-token")`: the demo as its command line makes it."""
    with ExitStack() as stack:

        def make(proof: str, front: int = 0) -> Demo:
            house = House(SECRET, proof)
            server = serve(house)
            stack.callback(server.stop)
            house.move_in(server.port, str(with_tables(tmp_path)), front)
            found = Demo(house, server)
            stack.callback(found.services.database.dispose)
            return found

        yield make


@pytest.fixture
def panel(demo: Demo, page: Page) -> Panel:
    """The healthy company, all sections shown."""
    opened = demo.open(page)
    opened.expect_state("fresh")
    opened.settle()
    return opened


@pytest.fixture
def proven(demo: Demo, page: Page) -> Panel:
    """The healthy company, proven: nothing is masked."""
    demo.prove()
    opened = demo.open(page)
    opened.expect_state("fresh")
    opened.settle()
    expect(opened.root).to_have_attribute("data-trust", "proven")
    return opened


def foreign(seen: Seen, demo: Demo) -> list[str]:
    """The requests that went to somebody who is neither Chatwoot nor the panel."""
    own = re.compile(rf"^(data:|{re.escape(demo.chatwoot_url)}/|{re.escape(demo.panel_url)}/)")
    return [sent.url for sent in seen.sent() if not own.match(sent.url)]
