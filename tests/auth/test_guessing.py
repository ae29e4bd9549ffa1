"""The limits of guessing: guessed pairs, and addresses behind a proxy that is not trusted."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from panel.auth.methods import PAIRS_BY_ADDRESS, PAIRS_BY_AGENT
from panel.auth.throttle import MOST_FAILURES, MOST_FAILURES_OF_ALL
from panel.auth.tokens import derive_launch_key
from panel.demo.worlds import AGENT, SECRET
from tests.auth.browsers import Browser, dashboard, shown
from tests.conftest import Clock, MakePanel, Panel

GUESSER, COLLEAGUE = "203.0.113.9", "203.0.113.10"
Make = Callable[..., Panel]


@pytest.fixture
def make(make_panel: MakePanel) -> Make:
    """Panels behind a proxy, on a clock of the test, from the start of a minute."""
    clock = Clock()
    clock.now -= clock.now % 60

    def make(**changes: str) -> Panel:
        return make_panel(clock=clock, **{"PANEL_TRUSTED_PROXIES": "1", **changes})

    return make


def ask(panel: Panel, address: str = GUESSER, **changes: Any) -> requests.Response:
    """Open a panel with the launch key from this address; without changes, an existing
    conversation."""
    form = panel.hints(**changes)
    return Browser(panel, address).post("/contact", derive_launch_key(SECRET), **form)


def guess(panel: Panel, times: int, **changes: Any) -> list[int]:
    return [ask(panel, **{"contact": 9000 + at, **changes}).status_code for at in range(times)]


# -- pairs of conversation and contact -----------------------------------------------------------


def test_who_guesses_pairs_with_the_launch_key_is_stopped_before_a_right_one_tells(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    panel = make()
    assert guess(panel, PAIRS_BY_AGENT.most + 1) == [403] * PAIRS_BY_AGENT.most + [429]
    right = ask(panel)
    assert (right.status_code, shown(right)) == (429, ("denied", "too_many_guesses"))
    assert 1 <= int(right.headers["Retry-After"]) <= 60
    messages = [record.message for record in caplog.records if record.name == "panel.auth.methods"]
    assert messages[0] == f"conversation 101 without contact 9000 asked by agent {AGENT}"
    assert len(messages) == PAIRS_BY_AGENT.most + 1
    panel.clock.advance(60)
    assert shown(ask(panel))[0] == "ready"


def test_invented_conversations_are_guesses_too(make: Make) -> None:
    panel = make()
    wrong = [ask(panel, conversation=70_000 + at).status_code for at in range(11)]
    assert wrong == [403] * PAIRS_BY_AGENT.most + [429]


def test_a_guesser_locks_out_no_colleague(make: Make) -> None:
    """A guesser locks out nobody, neither behind the same address nor elsewhere."""
    panel = make()
    guess(panel, PAIRS_BY_AGENT.most + 5)
    assert shown(ask(panel, agent_id=3))[0] == "ready"
    assert shown(ask(panel, address=COLLEAGUE))[0] == "ready"


def test_agents_who_are_none_share_their_guesses(make: Make) -> None:
    panel = make()
    answers = [guess(panel, 1, agent_id=5000 + at)[0] for at in range(PAIRS_BY_AGENT.most + 1)]
    assert answers == [403] * PAIRS_BY_AGENT.most + [429]
    assert ask(panel, agent_id=7777).status_code == 429
    assert shown(ask(panel))[0] == "ready", "a listed agent is none of them"


def test_an_address_that_guesses_as_one_agent_after_the_other_is_stopped(make: Make) -> None:
    panel = make()
    for number in range(8000, 8010):
        panel.chat.agents[number] = {**panel.chat.agents[AGENT], "id": number}
    panel.clock.advance(60)
    for at in range(PAIRS_BY_ADDRESS.most + 1):
        guess(panel, 1, agent_id=8000 + at % 10)
    assert ask(panel).status_code == 429
    assert shown(ask(panel, address=COLLEAGUE))[0] == "ready"


def test_another_process_counts_on_where_the_first_one_was(make: Make) -> None:
    first, second = make(), make()
    guess(first, PAIRS_BY_AGENT.most)
    assert guess(second, 1) == [429]
    assert ask(second).status_code == 429


def test_no_address_that_a_guesser_makes_up_helps(make: Make) -> None:
    panel = make(PANEL_TRUSTED_PROXIES="0")
    answers = [
        guess(panel, 1, address=f"198.51.100.{at}")[0] for at in range(PAIRS_BY_AGENT.most + 1)
    ]
    assert answers == [403] * PAIRS_BY_AGENT.most + [429]
    assert ask(panel, address="198.51.100.99").status_code == 429
    assert shown(ask(panel, agent_id=3))[0] == "ready"


# -- addresses ---------------------------------------------------------------------------------


def sign_in(panel: Panel, address: str, token: str = "") -> int:
    browser = Browser(panel, address)
    return (browser.sign_in(token) if token else browser.sign_in()).status_code


def test_ten_anonymous_tries_lock_out_nobody_behind_a_proxy_that_we_were_not_told_of(
    make: Make,
) -> None:
    panel = make(PANEL_AGENT_PROOF="access-token", PANEL_TRUSTED_PROXIES="0")
    for _ in range(MOST_FAILURES):
        assert sign_in(panel, GUESSER, "wrong") == 403
    assert sign_in(panel, GUESSER, "wrong") == 429, "it is counted all the same"
    assert sign_in(panel, COLLEAGUE) == 204


def test_a_proxys_own_word_is_the_last_one(make: Make) -> None:
    """The client itself can write the entries before the proxy's."""
    panel = make(PANEL_AGENT_PROOF="access-token", PANEL_TRUSTED_PROXIES="0")
    for at in range(MOST_FAILURES):
        assert sign_in(panel, f"198.51.100.{at}, {GUESSER}", "wrong") == 403
    assert sign_in(panel, GUESSER, "wrong") == 429
    assert sign_in(panel, f"{GUESSER}, {COLLEAGUE}") == 204


def test_who_makes_an_address_up_locks_out_nobody_who_comes_without_one(make: Make) -> None:
    panel = make(PANEL_AGENT_PROOF="access-token", PANEL_TRUSTED_PROXIES="0")
    for _ in range(MOST_FAILURES):
        sign_in(panel, "127.0.0.1", "wrong")
    plain = {"Origin": panel.url}
    answer = panel.ask("POST", "/sign-in", data={"token": "wrong"}, headers=plain)
    assert answer.status_code == 403


PORTS = [
    ("203.0.113.9:{}", "203.0.113.10:{}"),
    ("[2001:db8:0:1::1]:{}", "[2001:db8:0:2::1]:{}"),
]


@pytest.mark.parametrize(("first", "other"), PORTS)
def test_a_load_balancer_that_writes_the_port_too_parts_its_clients(
    make: Make, first: str, other: str
) -> None:
    panel = make(PANEL_AGENT_PROOF="access-token")
    for port in range(40_000, 40_000 + MOST_FAILURES):
        assert sign_in(panel, first.format(port), "wrong") == 403
    assert sign_in(panel, first.format(50_000), "wrong") == 429
    assert sign_in(panel, other.format(40_000)) == 204


def bring(panel: Panel, times: int, uid: str = "x") -> set[int]:
    """Bring wrong sessions of the dashboard that name an owner."""
    wrong = dashboard({"access-token": "x", "client": "x", "uid": uid})
    return {Browser(panel, GUESSER, wrong).open().status_code for _ in range(times)}


@pytest.mark.parametrize("proxies", ["0", "1"])
def test_a_guest_with_wrong_cookies_locks_out_no_colleague_of_the_office(
    make: Make, proxies: str
) -> None:
    panel = make(PANEL_AGENT_PROOF="chatwoot-session", PANEL_TRUSTED_PROXIES=proxies)
    assert bring(panel, MOST_FAILURES + 1) == {403, 429}
    assert shown(Browser(panel, GUESSER, dashboard()).open())[0] == "ready"


def test_who_brings_wrong_cookies_of_one_user_after_the_other_is_stopped(make: Make) -> None:
    panel = make(PANEL_AGENT_PROOF="chatwoot-session")
    results = [bring(panel, 1, f"user{at}") for at in range(MOST_FAILURES_OF_ALL + 1)]
    assert results == [{403}] * MOST_FAILURES_OF_ALL + [{429}]
    assert shown(Browser(panel, COLLEAGUE, dashboard()).open())[0] == "ready"
