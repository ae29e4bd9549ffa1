"""Every conversation of a contact that we know gets its organization's name, and keeps it."""

import pytest

from panel.data.links import CONVERSATION, MATCHED, PICKED, REFUSED, Link
from panel.demo.events import add_spoken, tell_message_created
from panel.services import get
from panel.sync.intake import Intake
from tests.sync.executor import hook
from tests.sync.listening import ACME, Listening
from tests.sync.naming import ANA, BIA, OTHERS, here
from tests.sync.until import until

__all__ = ["here"]  # a fixture


STATUSES = ("open", "pending", "snoozed", "resolved")


# -- when it comes to life -------------------------------------------------------------------------


@pytest.mark.parametrize("status", STATUSES)
def test_a_new_conversation_costs_one_read_and_one_write(here: Listening, status: str) -> None:
    here.begin(BIA, 900, status=status, custom_attributes=dict(OTHERS))
    until(lambda: here.attributes(900) != OTHERS)
    here.settle()
    assert here.attributes(900) == OTHERS | ACME
    assert here.calls() == [
        "GET /conversations/900",
        "POST /conversations/900/custom_attributes",
    ]


@pytest.mark.parametrize("before", ["pending", "snoozed", "resolved"])
def test_a_conversation_that_is_opened_is_named(here: Listening, before: str) -> None:
    here.add(BIA, 900, status=before)
    here.change(900, status="open")
    here.settle()
    assert here.attributes(900) == ACME
    assert len(here.calls()) == 2


def test_a_resolved_conversation_that_is_written_to_is_named(here: Listening) -> None:
    talk, chat = here.add(BIA, 900, status="resolved"), here.panel.chat
    with chat.lock:
        message = add_spoken(chat, talk, "Still there?")
        tell_message_created(chat, talk, message)
    here.settle()
    assert here.attributes(900) == ACME


def test_a_conversation_that_is_resolved_is_not_named_for_it(here: Listening) -> None:
    here.add(BIA, 900)
    here.change(900, status="resolved")
    here.settle()
    assert (here.attributes(900), here.calls()) == ({}, [])


def test_a_conversation_of_several_organizations_is_left_to_the_agent(here: Listening) -> None:
    here.begin(ANA, 900)
    here.settle()
    assert (here.attributes(900), here.calls()) == ({}, [])


def test_a_conversation_of_nobody_we_know_costs_nothing(here: Listening) -> None:
    here.panel.chat.add_contact(77, name="Zoe", email="zoe@somewhere.example")
    here.begin("zoe@somewhere.example", 900, custom_attributes={"middag_organization_id": "42"})
    here.settle()
    assert here.calls() == []


@pytest.mark.parametrize("state", [PICKED, REFUSED])
def test_what_an_agent_said_stays_when_it_is_opened(here: Listening, state: str) -> None:
    here.add(BIA, 900, status="resolved")
    here.say(Link(CONVERSATION, 900, 45, state, agent=1))
    here.change(900, status="open")
    here.settle()
    assert (here.attributes(900), here.calls()) == ({}, [])


def test_a_conversation_that_names_a_former_organization_is_cleared_when_it_is_opened(
    here: Listening,
) -> None:
    here.add(BIA, 900, status="resolved", custom_attributes=OTHERS | ACME)
    here.say(Link(CONVERSATION, 900, 42, MATCHED))
    here.panel.services.directory.remove_people(42, ["collaborator:2"])
    here.change(900, status="open")
    here.settle()
    assert here.attributes(900) == OTHERS
    assert here.words(900, BIA) == []


def test_many_events_about_one_conversation_are_one_task(here: Listening) -> None:
    talk = here.begin(BIA, 900)
    chat = here.panel.chat
    for number in range(30):
        with chat.lock:
            tell_message_created(chat, talk, add_spoken(chat, talk, f"Hello {number}"))
    here.settle()
    assert here.attributes(900) == ACME
    assert len(here.calls()) == 2


# -- all of them -----------------------------------------------------------------------------------


def add_many(here: Listening, email: str, count: int, first: int, **fields: object) -> list[int]:
    numbers = list(range(first, first + count))
    for number in numbers:
        here.add(email, number, **fields)
    return numbers


def test_a_pass_names_all_of_a_contacts_conversations(here: Listening) -> None:
    """One behind twenty that are resolved, and more than a page of the filter."""
    old = add_many(here, BIA, 45, 800, last_activity_at=1.0)
    resolved = add_many(here, BIA, 20, 900, status="resolved", last_activity_at=2.0)
    here.run(42)
    assert [here.attributes(number) for number in old] == [ACME] * 45
    assert [here.attributes(number) for number in resolved] == [{}] * 20


def test_a_chatwoot_before_4_14_2_tells_the_last_twenty(here: Listening) -> None:
    here.panel.chat.version = "4.14.1"
    old = add_many(here, BIA, 1, 800, last_activity_at=1.0)
    new = add_many(here, BIA, 20, 900, last_activity_at=2.0)
    here.run(42)
    assert [here.attributes(number) for number in new + old] == [ACME] * 20 + [{}]


def test_a_person_who_leaves_leaves_resolved_conversations_too(here: Listening) -> None:
    add_many(here, BIA, 30, 800, status="resolved", custom_attributes=OTHERS | ACME)
    here.panel.office.remove("collaborators", 42, 2)
    here.run(42)
    assert [here.attributes(number) for number in range(800, 830)] == [OTHERS] * 30


# -- one that Chatwoot refuses ---------------------------------------------------------------------


TOO_LONG = {"notes": "x" * 1600}  # put there before there was a limit


def test_a_conversation_that_cannot_be_saved_is_reported_and_the_rest_goes_on(
    here: Listening,
) -> None:
    here.add(BIA, 900, custom_attributes=dict(TOO_LONG))
    here.add(BIA, 901)
    here.add("caio@acme.example", 902)
    here.forget_sightings()  # no webhook told of them
    get(Intake, here.panel.app).accept(hook("h1", 42))
    (row,) = until(get(Intake, here.panel.app).list_buried)
    assert row.reason == "contact_refused: collaborator:2: conversation 900: custom_attributes"
    assert (here.attributes(901), here.attributes(902)) == (ACME, ACME)
    get(Intake, here.panel.app).accept(hook("h2", 42))
    here.settle()
    (row,) = get(Intake, here.panel.app).list_buried()
    assert row.hooks == 2  # it is still one trouble

    here.attributes(900)["notes"] = "short"
    get(Intake, here.panel.app).accept(hook("h3", 42))
    here.settle()
    assert get(Intake, here.panel.app).list_buried() == []
    assert here.attributes(900) == {"notes": "short"} | ACME
    (row,) = get(Intake, here.panel.app).list_buried("settled")
    assert (row.settled_by[:5], row.hooks) == ("pass ", 2)


def test_a_new_conversation_that_cannot_be_saved_is_given_up_and_may_heal(
    here: Listening,
) -> None:
    here.begin(BIA, 900, custom_attributes=dict(TOO_LONG))
    here.begin(BIA, 901)
    (row,) = until(get(Intake, here.panel.app).list_buried)
    assert (row.id, row.organization) == ("naming:900", 42)
    assert row.reason == "refused_by_chatwoot: conversation 900: custom_attributes"
    here.settle()
    assert here.attributes(901) == ACME

    here.attributes(900)["notes"] = "short"
    here.change(900, status="pending")
    here.settle()
    assert here.attributes(900) == {"notes": "short"} | ACME
    assert get(Intake, here.panel.app).list_buried() == []


def test_a_conversation_that_our_token_may_not_see_is_reported(here: Listening) -> None:
    """The token's user is an agent, and not in the inbox of this one."""
    chat = here.panel.chat
    chat.agents[1]["role"] = "agent"
    chat.add_inbox(2, "Sales", "Channel::WebWidget", set())
    contact = here.contact(BIA)["id"]
    chat.add_conversation(contact, 2, 900)
    here.begin(BIA, 901)
    here.settle()
    assert here.attributes(901) == ACME
    here.change(900, status="pending")
    (row,) = until(get(Intake, here.panel.app).list_buried)
    assert row.reason == "refused_by_chatwoot: conversation 900: not_permitted"
