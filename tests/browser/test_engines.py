"""Smoke runs in the engines of the other browsers that agents use: Firefox and Safari's WebKit."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from panel.demo.worlds import AGENT_TOKEN
from tests.browser.conftest import Demo, MakeDemo
from tests.browser.drivers import FRAME, Session, firefox, webkit
from tests.conftest import wait_until

STARTERS: dict[str, tuple[Callable[[Path], AbstractContextManager[Session]], tuple[str, ...]]] = {
    "Firefox": (firefox, ("firefox-esr", "firefox")),
    "WebKitGTK": (webkit, ("WebKitWebDriver",)),
}
LONG = 30  # seconds that a busy machine may take
FRESH = "document.querySelectorAll('[data-section][data-state=fresh]').length === 4"
STATE = "document.querySelector('#panel')?.dataset.panel"
TYPE_42 = """((field) => {
  field.value = "42";
  field.dispatchEvent(new Event("input", { bubbles: true }));
})(document.querySelector("#query"))"""
CODE = "document.querySelector('#panel')?.dataset.code"


@pytest.fixture(scope="module", params=STARTERS)
def session(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Session]:
    start, programs = STARTERS[request.param]
    if not any(map(shutil.which, programs)) or (start is webkit and not shutil.which("Xvfb")):
        pytest.skip(f"no {request.param} here: tests/machine.sh could not install it")
    with start(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def open_panel(session: Session, demo: Demo, scenario: str = "healthy") -> None:
    session.enter_frame(None)
    session.open(f"{demo.chatwoot_url}/?scenario={scenario}&tab=app")
    wait_until(lambda: session.run(f"!!document.querySelector('{FRAME}')"), LONG)
    session.enter_frame(FRAME)


def becomes(session: Session, expression: str, value: Any = True) -> None:
    wait_until(lambda: session.run(expression) == value, LONG)


def test_a_customer_opens_is_refreshed_and_found_by_search(session: Session, demo: Demo) -> None:
    open_panel(session, demo)
    becomes(session, FRESH)
    assert session.run("document.querySelectorAll('[data-section=orders] [data-row]').length") > 2
    session.click("[data-action=refresh-all]")
    becomes(session, "document.querySelector('#said').textContent", "Up to date")
    session.click("#change > summary")
    session.run(TYPE_42)
    becomes(session, "!!document.querySelector('[data-result=\"42\"]')")


def test_what_is_hidden_is_asked_for_in_a_dialog_and_shown(session: Session, demo: Demo) -> None:
    open_panel(session, demo)
    becomes(session, FRESH)
    orders = "[data-section=orders]"
    session.click(f"{orders} [data-action=reveal]")
    becomes(session, f"document.querySelector('{orders} dialog').open")
    assert session.run("document.activeElement.localName") == "select"
    session.run(f"(document.querySelector('{orders} select').selectedIndex = 1)")
    session.click(f"{orders} [data-action=uncover]")
    becomes(session, f"'uncovered' in document.querySelector('{orders}').dataset")
    assert "1,250.00" in session.run(f"document.querySelector('{orders}').textContent")


def test_a_customer_who_is_unknown_in_chatwoot_can_be_searched(
    session: Session, demo: Demo
) -> None:
    open_panel(session, demo, "unlinked")
    becomes(session, STATE, "unlinked")
    assert session.run("!!document.querySelector('#query')")


def test_whoever_signs_in_is_in_or_is_told_what_an_administrator_can_do(
    session: Session, demo_with: MakeDemo
) -> None:
    """WebKit keeps no cookie of a frame of another site; Firefox keeps ours apart for each site."""
    demo = demo_with("access-token")
    open_panel(session, demo)
    becomes(session, CODE, "no_proof")
    session.run(f"(document.querySelector('#token').value = '{AGENT_TOKEN}')")
    session.click("[data-action=sign-in]")
    wait_until(lambda: session.run(STATE) == "ready" or session.run(CODE) == "cookie_refused", LONG)
    if session.run(STATE) != "ready":
        assert "ask an administrator" in session.run("document.querySelector('#panel').textContent")
