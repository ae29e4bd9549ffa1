"""The end of an agent's seals and sessions: by signing out, or after a removal from Chatwoot."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine

from panel.auth.revocation import Revocations, agent_generations
from panel.auth.tokens import make_signer
from panel.data import db
from panel.demo.worlds import AGENT, AGENT_TOKEN, SECRET
from tests.auth.browsers import BRUNO, Browser, dashboard, session, shown
from tests.conftest import Clock, MakePanel, Panel, seal_of

ENDED = {"error": {"code": "seal_expired"}}
CHECKED_SECONDS = 11  # a seal that held is not checked again for ten
MakeSigning = Callable[..., Panel]


@pytest.fixture
def make_signing(make_panel: MakePanel) -> MakeSigning:
    """Makes panels where agents sign in, on one clock."""
    clock = Clock()

    def make(proof: str = "access-token", **changes: str) -> Panel:
        return make_panel(clock=clock, PANEL_AGENT_PROOF=proof, **changes)

    return make


@pytest.fixture
def browser(make_signing: MakeSigning) -> Browser:
    """The browser of an agent who has signed in."""
    new_browser = Browser(make_signing())
    new_browser.sign_in()
    return new_browser


def orders(browser: Browser, seal: str) -> Any:
    answer = browser.panel.section("orders", seal)
    return answer.status_code if answer.status_code == 200 else answer.json()


def silence(panel: Panel) -> None:
    """Let our database know no generations any more."""
    agent_generations.drop(panel.services.database)


def answers_again(panel: Panel) -> None:
    agent_generations.create(panel.services.database)


# -- signing out -------------------------------------------------------------------------------


def test_a_seal_opens_nothing_after_its_agent_has_signed_out(browser: Browser) -> None:
    seal = seal_of(browser.open().text)
    assert orders(browser, seal) == 200, "checked, and remembered"
    browser.post("/sign-out")
    assert orders(browser, seal) == ENDED, "at once"
    pick = {"action": "pick", "organization": 42, "scope": "conversation"}
    assert browser.post("/links", seal, **pick).json() == ENDED
    assert browser.panel.ask("GET", "/search?q=aurora", seal).json() == ENDED


def test_another_process_refuses_the_seal_within_ten_seconds(
    browser: Browser, make_signing: MakeSigning
) -> None:
    second = Browser(make_signing())
    seal = seal_of(browser.open().text)
    assert orders(second, seal) == 200
    browser.post("/sign-out")
    browser.panel.clock.advance(CHECKED_SECONDS)
    assert orders(second, seal) == ENDED


def test_a_copied_session_opens_nothing_after_its_agent_has_signed_out(browser: Browser) -> None:
    copied = replace(browser)
    assert shown(copied.open())[0] == "ready"
    browser.post("/sign-out")
    answer = copied.open()
    assert (answer.status_code, shown(answer)) == (403, ("denied", "session_expired"))
    browser.sign_in()
    assert shown(browser.open())[0] == "ready"
    assert shown(replace(copied, cookies=session(SECRET, BRUNO)).open())[0] == "denied"


def test_signing_out_with_an_ended_session_signs_nobody_out_again(browser: Browser) -> None:
    copied = replace(browser)
    browser.post("/sign-out")
    browser.sign_in()
    seal = seal_of(browser.open().text)
    assert shown(copied.post("/sign-out"))[1] == "signed_out"
    assert orders(browser, seal) == 200
    assert shown(browser.open())[0] == "ready"


def test_signing_out_ends_nothing_of_a_colleague(browser: Browser) -> None:
    colleague = replace(browser, cookies=session(SECRET, {"agent": 3, "account": 1}))
    seal = seal_of(colleague.open(agent_id=3).text)
    browser.post("/sign-out")
    assert orders(colleague, seal) == 200


@pytest.mark.parametrize("generation", [-1, 0, 2, "1", None, True])
def test_a_session_of_another_generation_is_not_believed(browser: Browser, generation: Any) -> None:
    browser.post("/sign-out")
    first = replace(browser, cookies=session(SECRET, {**BRUNO, "generation": 1}))
    assert shown(first.open())[0] == "ready"
    fields = {**BRUNO, "generation": generation}
    assert shown(replace(browser, cookies=session(SECRET, fields)).open())[1] == "session_expired"


# -- removal -----------------------------------------------------------------------------------


def test_nothing_of_before_is_alive_when_a_removed_agent_comes_back(browser: Browser) -> None:
    copied, chat = replace(browser), browser.panel.chat
    seal = seal_of(browser.open().text)
    removed = chat.agents.pop(AGENT)
    browser.panel.clock.advance(61)
    assert orders(browser, seal) == {"error": {"code": "agent_removed"}}
    chat.agents[AGENT] = removed
    browser.panel.clock.advance(61)
    assert orders(browser, seal) == ENDED
    assert shown(copied.open()) == ("denied", "session_expired")
    browser.sign_in()
    assert shown(browser.open())[0] == "ready"


def test_a_session_alone_notices_the_removal_too(browser: Browser) -> None:
    copied, chat = replace(browser), browser.panel.chat
    removed = chat.agents.pop(AGENT)
    browser.panel.clock.advance(61)
    assert shown(browser.open())[1] == "not_an_agent"
    chat.agents[AGENT] = removed
    browser.panel.clock.advance(61)
    assert shown(copied.open())[1] == "session_expired"


def test_under_the_launch_key_an_old_seal_is_over_and_a_new_panel_opens(
    make_signing: MakeSigning,
) -> None:
    panel = make_signing("shared-secret")
    seal = seal_of(panel.open().text)
    removed = panel.chat.agents.pop(AGENT)
    panel.clock.advance(61)
    assert panel.section("orders", seal).json() == {"error": {"code": "agent_removed"}}
    panel.chat.agents[AGENT] = removed
    panel.clock.advance(61)
    assert panel.section("orders", seal).json() == ENDED
    assert panel.section("orders", seal_of(panel.open().text)).status_code == 200


def test_the_many_open_panels_of_a_removed_agent_raise_the_generation_once(
    make_signing: MakeSigning,
) -> None:
    panel = make_signing("shared-secret")
    seals = [seal_of(panel.open(name).text) for name in ("healthy", "healthy", "unlinked")]
    del panel.chat.agents[AGENT]
    for _ in range(2):
        panel.clock.advance(61)
        for seal in seals:
            assert panel.section("orders", seal).status_code == 401
    assert Revocations(panel.services.database).find(AGENT) == 1


def test_leaving_an_inbox_ends_no_session(browser: Browser) -> None:
    seal = seal_of(browser.open().text)
    browser.panel.chat.inbox_members[1].remove(AGENT)
    browser.panel.clock.advance(61)
    assert orders(browser, seal) == {"error": {"code": "agent_removed"}}
    browser.panel.chat.inbox_members[1].add(AGENT)
    browser.panel.clock.advance(61)
    assert orders(browser, seal) == 200


# -- before there were generations ---------------------------------------------------------------


def test_a_session_and_a_seal_of_before_go_on_until_the_agent_signs_out(browser: Browser) -> None:
    old = replace(browser, cookies=session(SECRET, BRUNO))
    seal = seal_of(old.open().text)
    signer = make_signer(browser.panel.settings, "seal")
    assert len(signer.loads(seal)) == 9, "as it was written before, for older programs"
    assert orders(old, seal) == 200
    browser.post("/sign-out")
    assert orders(old, seal) == ENDED
    assert shown(old.open())[1] == "session_expired"
    browser.sign_in()
    assert orders(browser, seal_of(browser.open().text)) == 200, "with its generation"


# -- while our database is silent --------------------------------------------------------------


def test_open_panels_go_on_while_the_database_is_silent(browser: Browser) -> None:
    seal = seal_of(browser.open().text)
    silence(browser.panel)
    browser.panel.clock.advance(CHECKED_SECONDS)
    assert orders(browser, seal) == 200


def test_what_has_ended_opens_no_longer_than_the_silence(
    browser: Browser, make_signing: MakeSigning
) -> None:
    """A session that cannot be checked opens a panel, but its seals end with the silence."""
    second = Browser(make_signing())
    copied = replace(second, cookies=browser.cookies)
    browser.post("/sign-out")
    silence(browser.panel)
    assert shown(replace(browser, cookies=copied.cookies).open())[0] == "denied", "it knows"
    answer = copied.open()
    assert shown(answer)[0] == "ready"
    answers_again(browser.panel)
    Revocations(browser.panel.services.database).end(AGENT, 0)
    browser.panel.clock.advance(CHECKED_SECONDS)
    assert orders(copied, seal_of(answer.text)) == ENDED
    assert shown(copied.open())[1] == "session_expired"


def test_what_was_opened_in_the_silence_goes_on_where_the_session_holds(browser: Browser) -> None:
    browser.post("/sign-out")
    browser.sign_in()
    silence(browser.panel)
    browser.panel.clock.advance(CHECKED_SECONDS)
    seal = seal_of(browser.open().text)
    answers_again(browser.panel)
    Revocations(browser.panel.services.database).end(AGENT, 0)
    browser.panel.clock.advance(CHECKED_SECONDS)
    assert orders(browser, seal) == 200


def test_who_signs_out_while_the_database_is_silent_is_told_that_it_is_here_alone(
    browser: Browser,
) -> None:
    silence(browser.panel)
    answer = browser.post("/sign-out")
    assert shown(answer) == ("denied", "signed_out_here")
    assert "Max-Age=0" in answer.headers["Set-Cookie"]


def test_a_silent_database_is_asked_once_in_ten_seconds(
    browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    """Each question to a machine that vanished costs seconds."""
    seals = [seal_of(browser.open(name).text) for name in ("healthy", "unlinked")]
    silence(browser.panel)
    browser.panel.clock.advance(CHECKED_SECONDS)
    for seal in seals:
        browser.panel.section("orders", seal)
    records = [record for record in caplog.records if record.name == "panel.auth.revocation"]
    assert len(records) == 1


# -- the table ---------------------------------------------------------------------------------


@pytest.fixture
def engine(url: str) -> Any:
    new_engine = db.connect(url)
    yield new_engine
    new_engine.dispose()


def test_a_generation_is_raised_by_who_holds_the_present_one_alone(engine: Engine) -> None:
    first, second = Revocations(engine), Revocations(engine)
    generations = [first.find(AGENT)]
    for generation in (0, 0, 5, 1, 0, 2):
        first.end(AGENT, generation)
        generations.append(second.find(AGENT))
    assert generations == [0, 1, 1, 1, 2, 2, 3]
    assert second.find(3) == 0
    first.end(3, 5)  # a restored database may have lost the row
    assert second.find(3) == 6


def test_the_dashboards_session_opens_anew_after_signing_out(make_signing: MakeSigning) -> None:
    """Chatwoot decides when its session ends; the seals from before the signing out have ended."""
    panel = make_signing("chatwoot-session")
    browser = Browser(panel, cookies=dashboard())
    seal = seal_of(browser.open().text)
    signed = Browser(panel)
    signed.sign_in(AGENT_TOKEN)
    signed.post("/sign-out")
    assert orders(browser, seal) == ENDED
    assert orders(browser, seal_of(browser.open().text)) == 200


def test_nobodys_seals_can_be_ended_without_their_session(browser: Browser) -> None:
    seal = seal_of(browser.open().text)
    for cookies in ("", f"__Host-panel={secrets.token_hex()}", session("x" * 24, BRUNO)):
        replace(browser, cookies=cookies).post("/sign-out")
    assert orders(browser, seal) == 200
