"""`setup` without the rights, or without Chatwoot: its report, and the steps that it still
takes."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from panel.cli.definitions import EVENTS
from panel.demo.chatwoot import Chatwoot, Failure, never
from panel.demo.world import Call
from panel.sync.people import OUR_ATTRIBUTES
from tests.cli.setups import HOOK_URL, PANEL_URL, panel, setup, told, webhook
from tests.conftest import MakePanel, Panel

__all__ = ["panel"]  # a fixture


def test_an_agents_token_says_what_to_click_by_hand(make: MakePanel) -> None:
    by_agent = make(PANEL_URL=PANEL_URL, CHATWOOT_API_TOKEN="demo-agent-token")
    for contact in by_agent.chat.contacts.values():
        contact["identifier"] = None  # an agent's token could remove one that can be guessed
    answer = setup(by_agent)
    assert (answer.exit_code, by_agent.chat.writes) == (2, [])
    for word in (
        *OUR_ATTRIBUTES,
        "Dashboard apps",
        "MIDDAG",
        HOOK_URL,
        *EVENTS,
        "middag_br, middag_global",
    ):
        assert word in answer.stdout


def test_an_agents_token_that_finds_all_in_place_asks_for_nothing_it_can_see(
    make: MakePanel, panel: Panel
) -> None:
    """Agents may read definitions and apps, but no webhooks, so setup asks for these."""
    setup(panel)
    by_agent = make(PANEL_URL=PANEL_URL, CHATWOOT_API_TOKEN="demo-agent-token")
    (line,) = told(by_agent)["by_hand"]
    assert HOOK_URL in line


def test_a_secret_that_was_made_is_shown_although_chatwoot_fails_afterwards(panel: Panel) -> None:
    calls: list[Call] = []

    def fail(call: Call) -> Failure | None:
        if calls:
            return Failure(503)
        if (call.method, call.path) == ("POST", "/api/v1/accounts/1/webhooks"):
            calls.append(call)
        return None

    panel.chat.contacts[302]["identifier"] = "middag:user:9"
    panel.chat.failures = fail
    output = setup(panel).stdout
    panel.chat.failures = never
    assert webhook(panel.chat)["secret"] in output


def test_a_step_that_chatwoot_refuses_is_named_in_its_own_words_and_the_others_are_done(
    panel: Panel,
) -> None:
    broken = panel.chat.contacts[302]
    broken.update(identifier="middag:user:9", phone_number="no phone")
    answer = setup(panel)
    broken.update(identifier=None, phone_number=None)
    assert answer.exit_code == 2
    assert "Not done: http_422 (Chatwoot says: " in answer.stdout
    assert "\n  - remove guessable identifier of contact 302. By hand: " in answer.stdout
    assert f"create webhook to {HOOK_URL}\n" in answer.stdout
    assert webhook(panel.chat)["secret"] in answer.stdout


def test_after_a_step_that_failed_because_chatwoot_is_unwell_nothing_more_is_tried(
    panel: Panel,
) -> None:
    path = "/api/v1/accounts/1/dashboard_apps"
    panel.chat.failures = lambda call: (
        Failure(500) if (call.method, call.path) == ("POST", path) else None
    )
    answer = setup(panel)
    assert answer.exit_code == 2
    assert "create conversation attribute middag_organization\n" in answer.stdout
    assert "Not done: http_500" in answer.stdout
    assert "  - create dashboard app MIDDAG. By hand: " in answer.stdout
    tail = answer.stdout.partition("Not tried after that")[2]
    assert f"  - create webhook to {HOOK_URL}\n" in tail
    panel.chat.failures = never
    assert told(panel)["steps"] == ["create dashboard app MIDDAG", f"create webhook to {HOOK_URL}"]


@pytest.mark.parametrize(
    ("part", "step"),
    [
        *(("agents", "checking CHATWOOT_API_TOKEN"), ("webhooks", "listing webhooks")),
        *(("dashboard_apps", "listing dashboard apps"), ("inboxes", "listing inboxes")),
        ("custom_attribute_definitions", "listing custom attribute definitions"),
        ("contacts/search", "looking for guessable identifiers"),
    ],
)
def test_what_could_not_be_asked_is_named(panel: Panel, part: str, step: str) -> None:
    panel.chat.failures = lambda call: Failure(500) if part in call.path else None
    answer = setup(panel)
    assert (answer.exit_code, panel.chat.writes) == (2, [])
    assert f"Chatwoot could not be asked ({step}): http_500" in answer.stderr


@pytest.mark.parametrize("options", [[], ["--dry-run"], ["--remove"]])
def test_a_chatwoot_that_is_down_is_said(panel: Panel, options: list[str]) -> None:
    with down(panel.chat):
        answer = setup(panel, *options)
    assert answer.exit_code == 2
    assert "Chatwoot could not be asked" in answer.stderr


def test_without_an_address_of_the_panel_it_says_so(make: MakePanel) -> None:
    answer = setup(make())
    assert answer.exit_code == 2
    assert "PANEL_URL" in answer.stderr


@contextmanager
def down(chat: Chatwoot) -> Iterator[None]:
    chat.down = True
    yield
    chat.down = False


def test_a_wrong_token_is_said_and_nothing_is_done(make: MakePanel) -> None:
    stranger = make(PANEL_URL=PANEL_URL, CHATWOOT_API_TOKEN="nobodys-token")
    assert setup(stranger).exit_code == 2
    assert stranger.chat.writes == []


def test_no_secret_of_ours_is_printed(panel: Panel) -> None:
    everything = setup(panel).output + setup(panel, "--dry-run").output
    assert panel.settings.secret not in everything
    assert panel.settings.chatwoot_api_token not in everything


def test_a_token_that_chatwoot_does_not_know_is_said_so(make: MakePanel) -> None:
    panel = make(PANEL_URL=PANEL_URL, CHATWOOT_API_TOKEN="nobodys")
    for options in ((), ("--remove",), ("--dry-run",)):
        outcome = setup(panel, *options)
        assert outcome.exit_code == 2
        assert "Chatwoot does not accept CHATWOOT_API_TOKEN." in outcome.stderr
