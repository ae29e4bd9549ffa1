"""The demo in a window, with its worlds at hand."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Frame, FrameLocator, Locator, Page, expect
from werkzeug.wrappers import Response

from panel.demo.backoffice import BackOffice
from panel.demo.chatwoot import Chatwoot
from panel.demo.page import Page as ChatwootPage
from panel.demo.scenarios import SCENARIOS
from panel.demo.serve import House
from panel.demo.worlds import Server
from panel.services import Services, get
from tests.browser.windows import Seen
from tests.conftest import prove_customer

FRAME = "iframe#dashboard-app--frame-0-0"
SECTIONS = ("licenses", "orders", "quotes", "organization")
QUIET = """<!doctype html><meta charset=utf-8><link rel=icon href="data:,"><script>
  window.asked = []; addEventListener("message", (event) => asked.push(event.data));
</script>
<iframe id="dashboard-app--frame-0-0" style="width:700px;height:800px" src="%s"></iframe>"""


@dataclass
class Panel:
    """The panel, in the frame of Chatwoot's page or as a page of its own."""

    page: Page
    inside: FrameLocator | Page
    origin: str

    @property
    def frame(self) -> Frame:
        """Return the frame in which the panel's scripts run. Wait for a part of the panel first."""
        return next(each for each in self.page.frames if each.url.startswith(self.origin))

    def find(self, selector: str) -> Locator:
        return self.inside.locator(selector)

    @property
    def root(self) -> Locator:
        return self.find("#panel")

    def section(self, name: str) -> Locator:
        return self.find(f"[data-section={name}]")

    def rows(self, name: str) -> Locator:
        """Return the rows of a section that are visible: closed records are one click away."""
        return self.section(name).locator("[data-row]:not(.closed [data-row])")

    def refresh(self, name: str) -> None:
        """Refresh this section alone. Its own button is visible where the section failed."""
        self.section(name).locator("[data-action=refresh]").evaluate("(button) => button.click()")

    def expect_root(self, name: str) -> None:
        expect(self.root).to_have_attribute("data-panel", name)

    def expect_state(self, state: str, *names: str) -> None:
        for name in names or SECTIONS:
            expect(self.section(name)).to_have_attribute("data-state", state)

    def settle(self) -> None:
        """Wait until no section loads, the lines above the sections are complete, and no request
        is under way; then until the second script is loaded.
        """
        expect(self.find("[data-panel]:not([data-panel=waiting])")).to_have_count(1)
        expect(self.find("[data-state=loading], [data-waiting], .htmx-request")).to_have_count(0)
        expect(self.find("html")).to_have_attribute("data-is-whole", "")

    def answer(self, selector: str) -> None:
        """Click an agent's decision about the customer, in the head of the panel."""
        if not self.find("#confirm[open]").count():
            self.find("#confirm > summary").click()
        self.find(f"#confirm {selector}").click()

    def pick(self) -> None:
        """Pick the company as the agent."""
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
        """Show the tab again, at which the clock asks at once. A headless page cannot be hidden."""
        self.frame.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


@dataclass
class Demo:
    """The demo of `make demo` on a free port. A test can break its worlds and count their calls."""

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
        """Open the conversation of a scenario, with our tab chosen; `width`: of the frame, in
        pixels."""
        page.goto(f"{self.chatwoot_url}/?scenario={scenario}&tab=messages")
        if width:
            page.add_style_tag(content=f"iframe {{ width: {width}px !important }}")
        page.locator("[data-tab=app]").click()
        return Panel(page, page.frame_locator(FRAME), self.panel_url)

    def prove(self, scenario: str = "healthy") -> None:
        """Let the customer write by WhatsApp from now on, from the phone of one person there."""
        row = SCENARIOS[scenario]
        prove_customer(self.chat, self.services, row, row.organizations[0])

    def switch(self, page: Page, scenario: str) -> None:
        """Click another conversation of the list, which shows its messages; then our tab."""
        page.locator(f"[data-conversation][data-scenario={scenario}]").click()
        page.locator("[data-tab=app]").click()

    def open_in_app(self, page: Page, address: str | None = None) -> Panel:
        """Open the panel as Chatwoot's mobile app does, as a page of its own. The page's questions
        to its host are in `asked`."""
        page.add_init_script(
            "window.asked = []; window.ReactNativeWebView = "
            "{postMessage: (text) => window.asked.push(text)};"
        )
        page.goto(address or self.launch_url)
        return Panel(page, page, self.panel_url)

    def open_quiet(self, page: Page) -> Panel:
        """Open the panel in a Chatwoot that does not answer; the questions to it are in `asked`."""
        response = Response(QUIET % self.launch_url, content_type="text/html")
        self.chat.page = lambda _: response
        page.goto(f"{self.chatwoot_url}/quiet")
        panel = Panel(page, page.frame_locator(FRAME), self.panel_url)
        panel.expect_root("waiting")
        return panel

    def context(self, scenario: str, theme: str | None = None) -> dict[str, Any]:
        """Return Chatwoot's message about the open conversation of a scenario."""
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


MakeDemo = Callable[..., Demo]


def foreign(seen: Seen, demo: Demo) -> list[str]:
    """Return the requests to hosts that are neither Chatwoot nor the panel."""
    own = re.compile(rf"^(data:|{re.escape(demo.chatwoot_url)}/|{re.escape(demo.panel_url)}/)")
    return [sent.url for sent in seen.sent() if not own.match(sent.url)]
