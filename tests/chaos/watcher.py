"""A browser that notes each state of a panel when it is drawn, and the search for false states."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from playwright.sync_api import Browser, Page
from playwright.sync_api import Error as PlaywrightError

from tests.chaos.scene import Scene, Truth
from tests.sync.stumbling import Company

FRESH_SECONDS = 60.0  # as long a copy of orders is shown as fresh
SLACK = 8.0  # seconds between the back office's answer and its being drawn, on a busy machine
LONGEST_READ = 15.0  # seconds from a state of the back office to the shown time of its reading
# Each section as it stands, whenever anything of it has changed; a page of an app asks nobody.
NOTE_STATES = """
window.ReactNativeWebView = { postMessage: () => {} };
const noted = {};
const note = () => {
  const root = document.querySelector("[data-panel]");
  const sections = [...document.querySelectorAll("[data-section]")].map((each) => ({
    section: each.dataset.section, state: each.dataset.state, code: each.dataset.code ?? "",
    read: each.dataset.readAt ?? "", none: !!each.querySelector("[data-empty]"),
    rows: [...each.querySelectorAll("[data-row]")].map((row) => Number(row.dataset.row)),
  }));
  const { panel = "", code = "" } = root?.dataset ?? {};
  const whole = { section: "", state: panel, code, rows: [] };
  for (const each of [whole, ...sections]) {
    const text = JSON.stringify(each);
    if (noted[each.section] === text) continue;
    noted[each.section] = text;
    window.noteState(JSON.stringify({ ...each, at: Date.now() / 1000 }));
  }
};
new MutationObserver(note).observe(document, { subtree: true, childList: true, attributes: true });
"""


@dataclass
class Watcher:
    """One panel of one company in a page of its own. `states`: all that were drawn, in order."""

    page: Page
    scene: Scene
    contact: int
    states: list[dict[str, Any]] = field(default_factory=list)
    loaded_at: float = 0.0

    def note(self, text: str) -> None:
        self.states.append(json.loads(text))

    def open(self) -> None:
        """Open the panel as Chatwoot does when an agent chooses the conversation."""
        contact = self.scene.story.chat.contacts[self.contact]
        conversation = {"id": self.contact, "account_id": 1, "meta": {"sender": contact}}
        data = {
            "conversation": conversation,
            "contact": contact,
            "currentAgent": {"id": 1, "name": "Service", "email": "service@panel.example"},
        }
        told = json.dumps({"event": "appContext", "data": data}, default=str)
        self.page.evaluate("(told) => window.postMessage(told, '*')", told)

    def load(self) -> bool:
        """Load the page; returns False when it could not be loaded: then an agent would press
        reload again."""
        self.loaded_at = time.monotonic()
        try:
            self.page.goto("about:blank")  # else the address would differ by its key alone
            self.page.goto(self.scene.launch_url, timeout=5000)
        except PlaywrightError:  # the server is gone, or silent
            return False
        self.open()
        return True

    def is_ready(self) -> bool:
        """Open the panel, and tell whether it knows whose conversation it is."""
        if self.load():
            self.page.wait_for_timeout(500)
        return any(state["state"] == "ready" for state in self.states)

    def find(self, section: str) -> list[dict[str, Any]]:
        return [state for state in self.states if state["section"] == section]


@contextmanager
def watching(browser: Browser, scene: Scene, *companies: Company) -> Iterator[list[Watcher]]:
    """Yield a panel of each company's owner, whose contact and conversation have the same
    number."""
    context = browser.new_context(locale="en-US")
    context.add_init_script(NOTE_STATES)
    watchers = [Watcher(context.new_page(), scene, company.number * 10) for company in companies]
    for company in watchers:
        company.page.expose_function("noteState", company.note)
        company.load()
    yield watchers
    context.close()


# -- what may not have been shown ------------------------------------------------------------------


def find_lies(watcher: Watcher, truth: Truth) -> list[dict[str, Any]]:
    """Return the false states of the company that always has an order: those that were not true
    when they were drawn."""
    return [state for state in watcher.find("orders") if not is_true(state, truth)]


def is_true(state: dict[str, Any], truth: Truth) -> bool:
    """Tell whether a state is true. A failure says nothing about orders. Any other state has to be
    that of the time which the panel names."""
    if state["state"] in ("loading", "failed"):
        return not state["rows"] and not state["none"]
    if state["none"] or not state["rows"] or state["state"] not in ("fresh", "late"):
        return False
    read = datetime.fromisoformat(state["read"]).timestamp()
    is_old = state["state"] == "fresh" and state["at"] - read > FRESH_SECONDS + SLACK
    span = (read - LONGEST_READ, read + 1.0)
    return not is_old and all(truth.was_true(number, *span) for number in state["rows"])


def find_inventions(watcher: Watcher) -> list[dict[str, Any]]:
    """Return the states of the company without any order that show an order, or "none" beside a
    failure."""
    wrong = []
    for state in watcher.find("orders"):
        is_said = state["none"] and state["state"] not in ("empty", "late")
        wrong += [state] if state["rows"] or is_said else []
    return wrong


def find_losses(watcher: Watcher) -> list[dict[str, Any]]:
    """Return the states in which a conversation with a known company belonged to nobody, and those
    in which the agent, who may always look, was refused."""
    known = [at for at, state in enumerate(watcher.states) if state["state"] == "ready"]
    later = watcher.states[known[0] :] if known else []
    refusals = [each for each in watcher.states if each["state"] == "denied"]
    return [*(each for each in later if each["state"] == "unlinked"), *refusals]
