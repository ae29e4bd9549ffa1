"""Chatwoot's refusals are told apart, in the panel and in the log."""

from collections.abc import Callable
from threading import Event

import pytest
from werkzeug.wrappers import Response

from panel.demo.chatwoot import Chatwoot, Failure
from panel.demo.world import Call
from panel.demo.worlds import ADMIN_TOKEN, AGENT, serve
from panel.errors import Blocked
from panel.upstream.chatwoot_rejections import REMEDIES, name_rejection
from panel.upstream.rejections import Rejection
from panel.web.labels import CHATWOOT_CAUSES
from tests.conftest import MakePanel, Panel, attribute

UNKNOWN_ACCOUNT, NEWCOMER = 99, 77


def suspend(chat: Chatwoot) -> None:
    chat.status = "suspended"


def turn_api_off(chat: Chatwoot) -> None:
    chat.version, chat.api_enabled = "4.16.2", False


def move_to_another_account(chat: Chatwoot) -> None:
    chat.tokens.pop(ADMIN_TOKEN)
    chat.foreign_tokens.add(ADMIN_TOKEN)


def hand_it_to_a_bot(chat: Chatwoot) -> None:
    chat.bot_tokens.add(ADMIN_TOKEN)


def reset_token(chat: Chatwoot) -> None:
    chat.tokens.pop(ADMIN_TOKEN)


def take_out_of_inbox(chat: Chatwoot) -> None:
    chat.tokens[ADMIN_TOKEN] = AGENT
    for members in chat.inbox_members.values():
        members.discard(AGENT)


BREAKAGES: dict[str, Callable[[Chatwoot], object]] = {
    "account_suspended": suspend,
    "feature_off": turn_api_off,
    "other_account": move_to_another_account,
    "wrong_token": reset_token,
    "bot_token": hand_it_to_a_bot,
    "not_permitted": take_out_of_inbox,
}


@pytest.mark.parametrize("code", BREAKAGES)
def test_the_panel_and_the_log_say_which_refusal_it_is(
    panel: Panel, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    BREAKAGES[code](panel.chat)
    answer = panel.open()
    assert attribute(answer.text, "data-panel") == "failed"
    assert attribute(answer.text, "data-code") == code
    assert CHATWOOT_CAUSES[code].replace("'", "&#39;") in answer.text
    [line] = [record.getMessage() for record in caplog.records if code in record.getMessage()]
    assert REMEDIES[code] in line


def test_an_account_that_does_not_exist_is_no_missing_conversation(
    make_panel: MakePanel, caplog: pytest.LogCaptureFixture
) -> None:
    panel = make_panel(CHATWOOT_ACCOUNT_ID=str(UNKNOWN_ACCOUNT))
    answer = panel.open(account=UNKNOWN_ACCOUNT)
    assert attribute(answer.text, "data-code") == "no_account"
    assert CHATWOOT_CAUSES["no_account"] in answer.text
    assert REMEDIES["no_account"] in caplog.text


@pytest.mark.parametrize("status", [200, 404])
def test_a_page_in_the_place_of_the_api_is_no_missing_conversation(
    panel: Panel, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """404: a path in CHATWOOT_URL; 200: the path is /app, where Chatwoot shows its dashboard."""
    panel.chat.failures = lambda _call: Failure(status)
    answer = panel.open()
    assert attribute(answer.text, "data-code") == "no_api"
    assert REMEDIES["no_api"] in caplog.text


def test_chatwoots_own_word_that_there_are_pages_alone_is_no_firewall() -> None:
    """406, for CHATWOOT_URL with /app (4.16.2, by its source)."""
    words = "Please use API routes instead of dashboard routes for JSON requests"
    error = name_rejection(Rejection(406, {}, {"error": words}))
    assert isinstance(error, Blocked)
    assert error.code == "no_api"


def test_a_conversation_that_is_gone_is_still_told_as_such(panel: Panel) -> None:
    del panel.chat.conversations[101]
    answer = panel.open()
    assert attribute(answer.text, "data-panel") == "denied"
    assert attribute(answer.text, "data-code") == "no_such_conversation"


@pytest.mark.parametrize("status", [401, 403, 406])
def test_a_firewall_before_chatwoot_is_no_wrong_token(panel: Panel, status: int) -> None:
    panel.chat.failures = lambda _call: Failure(status)
    answer = panel.open()
    assert attribute(answer.text, "data-code") == "blocked"
    assert CHATWOOT_CAUSES["blocked"] in answer.text


@pytest.mark.parametrize("status", [200, 202, 403, 503])
def test_a_firewall_that_asks_for_a_human_is_no_wrong_address(
    make_panel: MakePanel, status: int
) -> None:
    wall = Response("<html>Just a moment</html>", status, {"cf-mitigated": "challenge"})
    server = serve(wall)
    panel = make_panel(CHATWOOT_URL=server.url)
    answer = panel.open()
    server.stop()
    assert attribute(answer.text, "data-code") == "blocked"
    assert CHATWOOT_CAUSES["blocked"] in answer.text


def test_an_agent_of_the_conversations_team_is_admitted_and_refused_once_removed(
    clocked: Panel,
) -> None:
    chat = clocked.chat
    for members in chat.inbox_members.values():
        members.discard(AGENT)
    assert attribute(clocked.open().text, "data-code") == "not_in_inbox"
    chat.add_team(7, "Support", {AGENT})
    chat.conversations[101]["team_id"] = 7
    clocked.clock.advance(41)
    answer = clocked.open()
    assert attribute(answer.text, "data-panel") == "ready"
    chat.team_members[7].clear()
    clocked.clock.advance(55)
    assert attribute(clocked.open().text, "data-code") == "not_in_inbox"


def list_agents_slowly(call: Call) -> None:
    if call.path.endswith("/agents"):
        Event().wait(3)


def test_an_old_list_refuses_no_new_agent_while_chatwoot_is_slow(clocked: Panel) -> None:
    assert attribute(clocked.open().text, "data-panel") == "ready"
    clocked.chat.add_agent(NEWCOMER, "Nova", "nova@suporte.example")
    clocked.chat.inbox_members[1].add(NEWCOMER)
    clocked.clock.advance(41)
    clocked.chat.failures = list_agents_slowly
    answer = clocked.open(agent_id=NEWCOMER)
    assert attribute(answer.text, "data-panel") == "ready"


def test_a_limit_that_names_no_end_is_asked_once_and_left_alone_for_a_minute(panel: Panel) -> None:
    panel.chat.failures = lambda _call: Failure(429)
    before = panel.chat.count("/conversations")
    answer = panel.open()
    assert attribute(answer.text, "data-code") == "rate_limited"
    assert panel.chat.count("/conversations") == before + 1
    # Beside it, the account's language is requested once, and not again.
    assert panel.chat.count() <= before + 2
    panel.open()
    assert panel.chat.count() - panel.chat.count("/conversations") <= 1
    assert 50 < float(answer.headers["Retry-After"]) <= 60
