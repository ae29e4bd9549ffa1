"""The states of the panel that `make screenshots` draws: how each is reached in the demo."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import requests
from playwright.sync_api import expect
from sqlalchemy import insert

from panel.auth.tokens import ACCESS_TOKEN, SHARED_SECRET
from panel.data.db import transaction
from panel.data.inbox_tables import BURIED, hooks
from panel.data.verification_tries import MOST_TRIES
from panel.demo.scenarios import REGULARS, SCENARIOS
from panel.demo.worlds import AGENT, AGENT_TOKEN, SECRET
from tests.browser.conftest import SECTIONS, Demo, Panel

Act = Callable[[Demo, Panel], None]
CALM = next(iter(REGULARS.values()))
NEVER_READ = "regular-12"  # no outage of another state touches it
UNKNOWN_ANSWER = "ZZZZ-9999"


@dataclass(frozen=True)
class State:
    """A state: `act` leads to it once the conversation of `scenario` is open.

    `prepare` changes the demo before that. A state that is `alone` has a demo of its own, because
    its outage would pause the back office for the others.
    """

    name: str
    scenario: str
    act: Act = lambda _demo, _panel: None
    prepare: Callable[[Demo], None] = lambda _demo: None
    proof: str = SHARED_SECRET
    alone: bool = False


def press(selector: str) -> Act:
    return lambda _demo, panel: panel.find(selector).first.click()


def search(words: str) -> Act:
    def act(_demo: Demo, panel: Panel) -> None:
        panel.find("#change > summary").click()
        panel.find("#query").fill(words)
        expect(panel.find("#results[data-results]")).to_be_visible()

    return act


def try_token(_demo: Demo, panel: Panel) -> None:
    panel.find("#token").fill(f"not {AGENT_TOKEN}")
    panel.find("[data-action=sign-in]").click()
    expect(panel.root).to_have_attribute("data-code", "wrong_token")


def sign_in(_demo: Demo, panel: Panel) -> None:
    if panel.root.get_attribute("data-panel") == "denied":
        panel.find("#token").fill(AGENT_TOKEN)
        panel.find("[data-action=sign-in]").click()
    panel.expect_root("ready")
    panel.settle()


def explain(_demo: Demo, panel: Panel) -> None:
    """Open the list of shortcuts. The key is dispatched: a pressed key would draw a focus ring."""
    event = "new KeyboardEvent('keydown', { key: '?', bubbles: true })"
    panel.find("body").evaluate(f"(body) => body.dispatchEvent({event})")
    expect(panel.find("#shortcuts[open]")).to_be_visible()


def ask_to_verify(_demo: Demo, panel: Panel) -> None:
    panel.find("[data-action=verify]").click()
    expect(panel.find("dialog.verify[open] h2")).to_be_visible()


def answer_wrongly(demo: Demo, panel: Panel) -> None:
    ask_to_verify(demo, panel)
    if panel.find("#answer").is_enabled():
        panel.find("#answer").fill(UNKNOWN_ANSWER)
        panel.find("[data-action=check]").click()
        expect(panel.find("#verify-said")).to_be_visible()


def use_up_tries(demo: Demo, panel: Panel) -> None:
    for _ in range(MOST_TRIES):
        answer_wrongly(demo, panel)
        panel.find("dialog.verify [data-action=close]").click()
    answer_wrongly(demo, panel)


def know_person(demo: Demo, panel: Panel) -> None:
    if not panel.find("[data-action=unverify]").count():
        ask_to_verify(demo, panel)
        panel.find("#known > summary").click()
        panel.find("#reason").fill("We met at the fair in Goiânia")
        panel.find("#known button").click()
    expect(panel.find("[data-action=unverify]")).to_be_visible()
    panel.settle()


def say_called(demo: Demo, panel: Panel) -> None:
    if not panel.find("[data-action=unverify]").count():
        ask_to_verify(demo, panel)
        panel.find("[data-action=called]").click()
    expect(panel.root).to_have_attribute("data-trust", "proven")
    panel.settle()


def open_row(section: str) -> Act:
    def act(_demo: Demo, panel: Panel) -> None:
        panel.section(section).locator("[data-action=open]").first.click()
        expect(panel.section(section).locator(".told")).to_be_visible()
        panel.settle()

    return act


def open_copies(_demo: Demo, panel: Panel) -> None:
    panel.section("licenses").locator("[data-action=copies]").first.click()
    expect(panel.find("#copies[open]")).to_be_visible()


def arrange(demo: Demo, panel: Panel) -> None:
    sign_in(demo, panel)
    panel.find("[data-action=arrange]").click()
    expect(panel.find("#arrange[open]")).to_be_visible()


def collapse(demo: Demo, panel: Panel) -> None:
    sign_in(demo, panel)
    for name in ("orders", "organization"):
        fold = panel.section(name).locator("[data-action=fold]")
        if fold.get_attribute("aria-expanded") == "true":
            fold.click()


def write_note(demo: Demo, panel: Panel) -> None:
    sign_in(demo, panel)
    open_copies(demo, panel)
    panel.find("[data-action=note]").click()
    expect(panel.find("#note [data-note]")).to_be_visible()


def ring(demo: Demo) -> None:
    """Send two hooks of the must-use plugin, about records that stand in the panel."""
    organization = SCENARIOS["healthy"].organizations[0]
    for kind, number in (("order.paid", 4202), ("license.activated", 4204)):
        data = {"organization_id": organization, "id": number}
        hook = {"event": kind, "timestamp": "2026-11-30T09:00:00Z", "data": data}
        bearer = {"Authorization": f"Bearer {SECRET}"}
        url = f"{demo.panel_url}/sync/hooks"
        requests.post(url, json=hook, headers=bearer, timeout=30).raise_for_status()


def open_once_more(demo: Demo, panel: Panel) -> None:
    """Open the panel again: changes are recent since the company was last shown."""
    ring(demo)
    demo.switch(panel.page, "many")
    expect(panel.root).to_have_attribute("data-organization", "44")
    demo.switch(panel.page, "healthy")
    expect(panel.root).to_have_attribute("data-organization", "42")
    panel.settle()


def break_later(faults: Mapping[str, str]) -> Act:
    """Begin an outage while the panel is open: kept copies are shown, and say so."""

    def act(demo: Demo, panel: Panel) -> None:
        number = int(panel.root.get_attribute("data-organization") or 0)
        for section, fault in faults.items():
            demo.office.fault(fault, number, section)
        for section in faults:
            panel.refresh(section)
        panel.settle()
        demo.office.heal(number)

    return act


def break_before(fault: str, *sections: str) -> Callable[[Demo], None]:
    """Begin an outage for a company that nobody has read yet."""
    number = REGULARS[NEVER_READ].organizations[0]

    def prepare(demo: Demo) -> None:
        for section in sections or SECTIONS:
            demo.office.fault(fault, number, section)

    return prepare


def bury(demo: Demo) -> None:
    """Write a given-up change of the company, as passes leave it."""
    row = {
        "hook_id": "given-up",
        "kind": "order.updated",
        "subject": "4201",
        "organization": SCENARIOS["empty"].organizations[0],
        "status": BURIED,
        "occurred_at": 0.0,
        "received_at": 0.0,
    }
    with transaction(demo.services.database) as connection:
        connection.execute(insert(hooks).prefix_with("OR IGNORE").values(**row))


def rotate_secret(demo: Demo) -> None:
    """Let the back office accept another secret from now on, so that it refuses the panel's."""
    demo.office.secrets[:] = [f"another {SECRET}"]


def appoint(demo: Demo) -> None:
    """Make the agent of the demo an administrator from now on."""
    demo.chat.agents[AGENT]["role"] = "administrator"


def ask_why(demo: Demo, panel: Panel) -> None:
    sign_in(demo, panel)
    panel.find("[data-action=why]").click()
    expect(panel.find("#why[open] pre")).to_be_visible()


OUTAGES = ("502", "hang", "reset", "huge", "redirect", "rest_no_route", "wrongshape", "truncated")

STATES = (
    State("calm", CALM.name),
    *(State(name, name) for name in SCENARIOS),
    State("who may ask", "healthy", press("#confirm > summary")),
    State("uncover", "healthy", press("[data-section=orders] [data-action=reveal]")),
    State("shortcuts", "healthy", explain),
    State("search", "healthy", search("43")),
    State("search in vain", "healthy", search("nobody of this name")),
    State("closed orders", "healthy", press("#closed-orders > summary")),
    State("verify", "healthy", ask_to_verify),
    State("verify, wrong", "currencies", answer_wrongly),
    State("verify, no tries left", "contradictions", use_up_tries),
    State("verified", "php", say_called),
    State("known", "expiring", know_person),
    *(State(f"opened {name}", "healthy", open_row(name)) for name in ("licenses", "orders")),
    *(State(f"opened {name}", "healthy", open_row(name)) for name in ("quotes", "organization")),
    State("copies", "healthy", open_copies),
    State("not all known", "healthy", search("acme")),
    State("buried", "empty", prepare=bury),
    State("recent", "healthy", open_once_more),
    State("stale", "many", break_later(dict.fromkeys(SECTIONS, "500")), alone=True),
    State("partly stale", "many", break_later({"quotes": "502"}), alone=True),
    State("partial outage", NEVER_READ, prepare=break_before("500", "orders"), alone=True),
    State("two outages", "many", break_later({"quotes": "502", "orders": "reset"}), alone=True),
    State("locked secret", NEVER_READ, prepare=rotate_secret, alone=True),
    *(
        State(f"outage {fault}", NEVER_READ, prepare=break_before(fault), alone=True)
        for fault in OUTAGES
    ),
    State("sign in", "healthy", proof=ACCESS_TOKEN),
    State("sign in again", "healthy", try_token, proof=ACCESS_TOKEN),
    State("signed in", "healthy", sign_in, proof=ACCESS_TOKEN),
    State("arrange", "healthy", arrange, proof=ACCESS_TOKEN),
    State("note", "healthy", write_note, proof=ACCESS_TOKEN),
    State("why", "healthy", ask_why, appoint, ACCESS_TOKEN, alone=True),
    State("collapsed", "many", collapse, proof=ACCESS_TOKEN),
)
