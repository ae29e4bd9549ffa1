"""Every conversation of a contact that we know gets its organization's name, and keeps it."""

import threading

import pytest

from panel.data.links import CONVERSATION, MATCHED, PICKED, REFUSED, Link
from panel.demo.events import add_spoken, tell_message_created
from panel.demo.world import Call
from panel.services import get
from panel.sync.intake import Intake
from tests.sync.executor import hook
from tests.sync.listening import ACME, Listening, is_work
from tests.sync.naming import ANA, BIA, OTHERS, listening
from tests.sync.until import until

__all__ = ["listening"]  # a fixture


STATUSES = ("open", "pending", "snoozed", "resolved")


# -- conversations that come to life
# ------------------------------------------------------------------------


@pytest.mark.parametrize("status", STATUSES)
def test_a_new_conversation_costs_one_read_and_one_write(listening: Listening, status: str) -> None:
    listening.begin(BIA, 900, status=status, custom_attributes=dict(OTHERS))
    until(lambda: listening.attributes(900) != OTHERS)
    listening.settle()
    assert listening.attributes(900) == OTHERS | ACME
    assert listening.calls() == [
        "GET /conversations/900",
        "POST /conversations/900/custom_attributes",
    ]


@pytest.mark.parametrize("value", [0.87, [1.5], {"a": 1e-7}, None], ids=str)
def test_a_conversation_keeps_numbers_with_fractions(listening: Listening, value: object) -> None:
    listening.begin(BIA, 900, custom_attributes={"score": value})
    until(lambda: listening.attributes(900) == {"score": value} | ACME)


@pytest.mark.parametrize("before", ["pending", "snoozed", "resolved"])
def test_a_conversation_that_is_opened_is_named(listening: Listening, before: str) -> None:
    listening.add(BIA, 900, status=before)
    listening.change(900, status="open")
    listening.settle()
    assert listening.attributes(900) == ACME
    assert len(listening.calls()) == 2


def test_a_resolved_conversation_that_is_written_to_is_named(listening: Listening) -> None:
    talk, chat = listening.add(BIA, 900, status="resolved"), listening.panel.chat
    with chat.lock:
        message = add_spoken(chat, talk, "Still there?")
        tell_message_created(chat, talk, message)
    listening.settle()
    assert listening.attributes(900) == ACME


def test_a_conversation_that_is_resolved_is_not_named_for_it(listening: Listening) -> None:
    listening.add(BIA, 900)
    listening.change(900, status="resolved")
    listening.settle()
    assert (listening.attributes(900), listening.calls()) == ({}, [])


def test_a_conversation_of_several_organizations_is_left_to_the_agent(listening: Listening) -> None:
    listening.begin(ANA, 900)
    listening.settle()
    assert (listening.attributes(900), listening.calls()) == ({}, [])


def test_a_conversation_of_nobody_we_know_costs_nothing(listening: Listening) -> None:
    listening.panel.chat.add_contact(77, name="Zoe", email="zoe@somewhere.example")
    listening.begin(
        "zoe@somewhere.example", 900, custom_attributes={"middag_organization_id": "42"}
    )
    listening.settle()
    assert listening.calls() == []


@pytest.mark.parametrize("state", [PICKED, REFUSED])
def test_what_an_agent_said_stays_when_it_is_opened(listening: Listening, state: str) -> None:
    listening.add(BIA, 900, status="resolved")
    listening.say(Link(CONVERSATION, 900, 45, state, agent=1))
    listening.change(900, status="open")
    listening.settle()
    assert (listening.attributes(900), listening.calls()) == ({}, [])


def test_a_conversation_that_names_a_former_organization_is_cleared_when_it_is_opened(
    listening: Listening,
) -> None:
    listening.add(BIA, 900, status="resolved", custom_attributes=OTHERS | ACME)
    listening.say(Link(CONVERSATION, 900, 42, MATCHED))
    listening.panel.services.directory.remove_people(42, ["collaborator:2"])
    listening.change(900, status="open")
    listening.settle()
    assert listening.attributes(900) == OTHERS
    assert listening.words(900, BIA) == []


def test_many_events_about_one_conversation_are_one_task(listening: Listening) -> None:
    chat, has_begun, go_on = listening.panel.chat, threading.Event(), threading.Event()

    def hold(call: Call) -> None:
        if is_work(call):
            has_begun.set()
            assert go_on.wait(20)

    chat.failures = hold
    talk = listening.begin(BIA, 900)
    assert has_begun.wait(20)
    for number in range(30):
        with chat.lock:
            tell_message_created(chat, talk, add_spoken(chat, talk, f"Hello {number}"))
    chat.outbox.settle()
    go_on.set()
    listening.settle()
    assert listening.attributes(900) == ACME
    assert len(listening.calls()) == 2


# -- all conversations of a contact
# ---------------------------------------------------------------------------------


def add_many(
    listening: Listening, email: str, count: int, first: int, **fields: object
) -> list[int]:
    numbers = list(range(first, first + count))
    for number in numbers:
        listening.add(email, number, **fields)
    return numbers


def test_a_pass_names_all_of_a_contacts_conversations(listening: Listening) -> None:
    """A conversation stands behind twenty resolved ones, and the filter has more than a page."""
    old = add_many(listening, BIA, 45, 800, last_activity_at=1.0)
    resolved = add_many(listening, BIA, 20, 900, status="resolved", last_activity_at=2.0)
    listening.run(42)
    assert [listening.attributes(number) for number in old] == [ACME] * 45
    assert [listening.attributes(number) for number in resolved] == [{}] * 20


def test_a_chatwoot_before_4_14_2_tells_the_last_twenty(listening: Listening) -> None:
    listening.panel.chat.version = "4.14.1"
    old = add_many(listening, BIA, 1, 800, last_activity_at=1.0)
    new = add_many(listening, BIA, 20, 900, last_activity_at=2.0)
    listening.run(42)
    assert [listening.attributes(number) for number in new + old] == [ACME] * 20 + [{}]


def test_a_person_who_leaves_leaves_resolved_conversations_too(listening: Listening) -> None:
    add_many(listening, BIA, 30, 800, status="resolved", custom_attributes=OTHERS | ACME)
    listening.panel.office.remove("collaborators", 42, 2)
    listening.run(42)
    assert [listening.attributes(number) for number in range(800, 830)] == [OTHERS] * 30


# -- a conversation that Chatwoot refuses
# -------------------------------------------------------------------


TOO_LONG = {"notes": "x" * 1600}  # written before Chatwoot had a limit


def test_a_conversation_that_cannot_be_saved_is_reported_and_the_rest_goes_on(
    listening: Listening,
) -> None:
    listening.add(BIA, 900, custom_attributes=dict(TOO_LONG))
    listening.add(BIA, 901)
    listening.add("caio@acme.example", 902)
    listening.forget_sightings()  # no webhook has come for them
    get(Intake, listening.panel.app).accept(hook("h1", 42))
    (row,) = until(get(Intake, listening.panel.app).list_buried)
    assert row.reason == "contact_refused: collaborator:2: conversation 900: custom_attributes"
    assert (listening.attributes(901), listening.attributes(902)) == (ACME, ACME)
    get(Intake, listening.panel.app).accept(hook("h2", 42))
    listening.settle()
    (row,) = get(Intake, listening.panel.app).list_buried()
    assert row.hooks == 2  # both hooks have the same trouble

    listening.attributes(900)["notes"] = "short"
    get(Intake, listening.panel.app).accept(hook("h3", 42))
    listening.settle()
    assert get(Intake, listening.panel.app).list_buried() == []
    assert listening.attributes(900) == {"notes": "short"} | ACME
    (row,) = get(Intake, listening.panel.app).list_buried("settled")
    assert (row.settled_by[:5], row.hooks) == ("pass ", 2)


def test_a_new_conversation_that_cannot_be_saved_is_given_up_and_may_heal(
    listening: Listening,
) -> None:
    listening.begin(BIA, 900, custom_attributes=dict(TOO_LONG))
    listening.begin(BIA, 901)
    (row,) = until(get(Intake, listening.panel.app).list_buried)
    assert (row.id, row.organization) == ("naming:900", 42)
    assert row.reason == "refused_by_chatwoot: conversation 900: custom_attributes"
    listening.settle()
    assert listening.attributes(901) == ACME

    listening.attributes(900)["notes"] = "short"
    listening.change(900, status="pending")
    listening.settle()
    assert listening.attributes(900) == {"notes": "short"} | ACME
    assert get(Intake, listening.panel.app).list_buried() == []


def test_a_conversation_that_our_token_may_not_see_is_reported(listening: Listening) -> None:
    """The token's user is an agent who does not belong to the inbox of this conversation."""
    chat = listening.panel.chat
    chat.agents[1]["role"] = "agent"
    chat.add_inbox(2, "Sales", "Channel::WebWidget", set())
    contact = listening.contact(BIA)["id"]
    chat.add_conversation(contact, 2, 900)
    listening.begin(BIA, 901)
    listening.settle()
    assert listening.attributes(901) == ACME
    listening.change(900, status="pending")
    (row,) = until(get(Intake, listening.panel.app).list_buried)
    assert row.reason == "refused_by_chatwoot: conversation 900: not_permitted"
