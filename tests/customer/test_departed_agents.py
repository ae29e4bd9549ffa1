"""The word of an agent who has left: the customers whom it verified, and the end of that."""

import logging

import pytest

from tests.conftest import Panel, attribute, seal_of, words_of
from tests.customer.strangers import opened, secrets, told
from tests.customer.test_verified_seals import FORMS, is_refused
from tests.customer.verifying import facts, key_of, say, seal_for, shown, visits


@pytest.mark.parametrize("form", ["called", "known"])
def test_an_agents_word_ends_with_the_agent(clocked: Panel, form: str) -> None:
    """A verification by a written key stays, whichever agent typed the key; a verification by an
    agent's word ends with the agent."""
    carla, number, other = 3, visits(clocked), visits(clocked)
    theirs = clocked.open("healthy", conversation=number, contact=number, agent_id=carla).text
    assert attribute(say(clocked, seal_of(theirs), **FORMS[form]).text, "data-trust") == "proven"
    theirs = clocked.open("healthy", conversation=other, contact=other, agent_id=carla).text
    assert say(clocked, seal_of(theirs), answer=key_of(clocked)).ok
    seals = [seal_for(clocked, conversation) for conversation in (number, other)]
    assert [shown(clocked, seal) for seal in seals] == [secrets(clocked)[2:4]] * 2
    removed = clocked.chat.agents.pop(carla)
    clocked.clock.advance(60)
    assert is_refused(clocked, seals[0])
    assert shown(clocked, seals[1]) == secrets(clocked)[2:4]
    clocked.chat.agents[carla] = removed
    clocked.clock.advance(60)
    assert is_refused(clocked, seals[0])
    assert attribute(opened(clocked, number), "data-trust") == "unproven"


def test_an_opening_finds_nobody_vouched_for_by_who_left(
    clocked: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    number = visits(clocked)
    theirs = clocked.open("healthy", conversation=number, contact=number, agent_id=3).text
    say(clocked, seal_of(theirs), called=1)
    say(clocked, seal_for(clocked, number), answer=str(facts(clocked)["order"]))
    del clocked.chat.agents[3]
    clocked.clock.advance(60)
    with caplog.at_level(logging.INFO):
        html = opened(clocked, number)
    assert told(html) == ("ready", "42", "claimed", "unproven")
    assert f"knows order {facts(clocked)['order']}" in words_of(html)
    assert "a verification ended: its agent has left the account" in caplog.messages


def test_who_is_only_taken_out_of_the_inbox_has_said_what_they_said(clocked: Panel) -> None:
    number = visits(clocked)
    theirs = seal_of(clocked.open("healthy", conversation=number, contact=number, agent_id=3).text)
    say(clocked, theirs, called=1)
    clocked.chat.inbox_members[1].discard(3)
    clocked.clock.advance(60)
    assert attribute(opened(clocked, number), "data-trust") == "proven"
    assert is_refused(clocked, theirs)
