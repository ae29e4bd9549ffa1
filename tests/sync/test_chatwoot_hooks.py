"""Chatwoot's own webhooks: events that need a pass, events that warm, events that cost nothing."""

import json
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import and_, select, update

from panel.data.tasks import NAMING, WARM_SECONDS, WARMING, Task, tasks
from panel.demo.world import Json
from panel.services import get
from panel.sync.jobs import Jobs
from tests.sync.engine import engine_of
from tests.sync.until import until
from tests.sync.webhook_door import Door, door, make_door, message, talk

__all__ = ["door", "make_door"]  # fixtures


def news(door: Door, email: str, *changed: str, **fields: Any) -> Json:
    """`contact_updated` of a contact, with the keys that changed."""
    values = {"previous_value": None, "current_value": "x"}
    return {
        **door.contact(email),
        "changed_attributes": [{key: values} for key in changed],
    } | fields


# -- events that need a pass
# -------------------------------------------------------------------------


def test_a_new_conversation_of_a_known_contact_gets_named(door: Door) -> None:
    demand = door.demand("conversation_created", **talk(door, "bia@acme.example"))
    assert demand == {"passes": 0, "tasks": 1}
    get(Jobs, door.panel.app).do_task(Task(NAMING, 900))
    demand = door.panel.chat.conversations[900]["custom_attributes"]
    assert demand == {"middag_organization_id": "42", "middag_organization": "Acme"}


def test_a_conversation_that_begins_with_a_long_mail_gets_named(door: Door) -> None:
    """Chatwoot sends the mail several times over, and a visitor's odd values with it."""
    mail = {"content": "<p>é" * 350_000, "number": 10**400}
    fields = talk(door, "bia@acme.example", messages=[mail, mail])
    assert len(json.dumps(fields)) > 6_000_000
    assert door.demand("conversation_created", **fields) == {"passes": 0, "tasks": 1}


def test_parts_of_another_shape_ask_for_nothing(door: Door) -> None:
    shapes: tuple[Any, ...] = (
        "a text",
        5,
        None,
        [],
        {"meta": 7},
        {"id": 9, "meta": {"sender": []}},
    )
    for odd in shapes:
        demand = door.demand("message_created", message_type="incoming", conversation=odd)
        assert demand == {"passes": 0, "tasks": 0}


@pytest.mark.parametrize(("number", "count"), [(2**63 - 1, 1), (2**63, 0), (0, 0), (-5, 0)])
def test_a_conversation_of_any_number_that_the_database_keeps_gets_named(
    door: Door, number: int, count: int
) -> None:
    fields = talk(door, "bia@acme.example", number)
    assert door.demand("conversation_created", **fields) == {"passes": 0, "tasks": count}


def test_a_new_conversation_of_nobody_we_know_costs_nothing(door: Door) -> None:
    door.panel.chat.add_contact(77, name="Zoe", email="zoe@somewhere.example")
    assert door.passes("conversation_created", **talk(door, "zoe@somewhere.example")) == 0


def test_a_new_contact_with_a_known_email_gets_its_attributes(door: Door) -> None:
    """Her contact was deleted, and she writes again."""
    del door.panel.chat.contacts[door.contact("bia@acme.example")["id"]]
    anew = door.panel.chat.add_contact(950, name="Bia", email="bia@acme.example")
    fields = anew | {"email": "Bia@Acme.example"}
    assert door.passes("contact_created", **fields) == 1
    door.run()
    assert door.contact("bia@acme.example")["custom_attributes"]["middag_organization_id"] == "42"


def test_a_contact_that_takes_on_a_known_email_gets_its_attributes(door: Door) -> None:
    del door.panel.chat.contacts[door.contact("bia@acme.example")["id"]]
    door.panel.chat.add_contact(950, name="Visitor", email="bia@acme.example")
    assert door.passes("contact_updated", **news(door, "bia@acme.example", "email")) == 1
    door.run()
    assert door.contact("bia@acme.example")["custom_attributes"]["middag_role"] == "member"


def test_a_new_conversation_of_a_person_of_two_organizations_is_left_to_the_agent(
    door: Door,
) -> None:
    demand = door.demand("conversation_created", **talk(door, "ana@acme.example"))
    assert demand == {"passes": 0, "tasks": 0}


def another_contact(door: Door, email: str) -> Json:
    """Let a known person write through a contact that no pass has seen."""
    return door.contact(email) | {"id": 950}


def test_a_new_conversation_through_another_contact_of_ours_has_a_pass(door: Door) -> None:
    sender = another_contact(door, "bia@acme.example")
    fields = talk(door, "bia@acme.example") | {"meta": {"sender": sender}}
    assert door.demand("conversation_created", **fields) == {"passes": 1, "tasks": 0}


def test_the_same_delivery_twice_is_one(door: Door) -> None:
    fields = another_contact(door, "bia@acme.example")
    for _ in range(3):
        door.tell("contact_created", delivery="d7", **fields)
    assert door.kept() == [(42, "chatwoot.contact_created", "chatwoot:d7:42")]


def test_two_deliveries_are_two(door: Door) -> None:
    for _ in range(2):
        door.tell("contact_created", **another_contact(door, "bia@acme.example"))
    assert len(door.kept()) == 2


# -- events that cost nothing
# --------------------------------------------------------------------------


@pytest.mark.parametrize("changed", [["last_activity_at"], ["last_activity_at", "updated_at"], []])
def test_mere_activity_costs_nothing(door: Door, changed: list[str]) -> None:
    for _ in range(5):
        assert door.passes("contact_updated", **news(door, "ana@acme.example", *changed)) == 0
    assert door.kept() == []


def test_mere_activity_of_a_contact_that_we_do_not_know_costs_nothing(door: Door) -> None:
    del door.panel.chat.contacts[door.contact("bia@acme.example")["id"]]
    door.panel.chat.add_contact(950, name="Visitor", email="bia@acme.example")
    fields = news(door, "bia@acme.example", "last_activity_at")
    assert door.passes("contact_updated", **fields) == 0


def test_our_own_echoes_cost_nothing(door: Door) -> None:
    for row in list(door.panel.chat.contacts.values()):
        assert door.passes("contact_created", **row) == 0
        values = ["custom_attributes", "identifier", "email", "phone_number", "name"]
        assert door.passes("contact_updated", **news(door, row["email"], *values)) == 0
    assert (door.kept(), door.warmed(), door.panel.chat.calls) == ([], 0, [])


@pytest.mark.parametrize(
    "event",
    [
        *("conversation_updated", "conversation_status_changed"),
        *("contact_deleted", "webwidget_triggered"),
    ],
)
def test_other_events_cost_nothing(door: Door, event: str) -> None:
    assert door.passes(event, **talk(door, "ana@acme.example")) == 0
    assert (door.kept(), door.warmed()) == ([], 0)


# -- events that warm
# ----------------------------------------------------------------------------------


def test_a_customers_messages_warm_once_a_minute(door: Door) -> None:
    for _ in range(5):
        door.tell("message_created", **message(door, "bia@acme.example"))
    assert (door.warmed(), door.kept()) == (1, [])
    (first,) = door.warmings()
    # The worker leaves the row like this when the warming is done.
    with door.shared.database.begin() as connection:
        connection.execute(update(tasks).values(waiting=None, done_at=door.panel.clock()))
    door.tell("message_created", **message(door, "bia@acme.example"))
    assert door.warmings() == [None]
    door.panel.clock.advance(WARM_SECONDS)
    door.tell("message_created", **message(door, "bia@acme.example"))
    assert door.warmings() not in ([None], [first])


def finish_warmings(door: Door) -> list[int]:
    """Finish the waiting warmings as the worker does; returns their organizations."""
    with door.shared.database.begin() as connection:
        condition = and_(tasks.c.kind == WARMING, tasks.c.waiting.is_not(None))
        waiting = list(connection.scalars(select(tasks.c.number).where(condition)))
        ended = {"waiting": None, "done_at": door.panel.clock()}
        connection.execute(update(tasks).where(condition).values(**ended))
    return waiting


def test_a_burst_of_messages_warms_each_customer_once_in_a_time_to_live(door: Door) -> None:
    warmed = Counter[int]()
    for _ in range(6):
        for email in ("bia@acme.example", "ana@acme.example") * 5:
            door.tell("message_created", **message(door, email))
        warmed.update(finish_warmings(door))
        door.panel.clock.advance(WARM_SECONDS / 7)
    assert warmed == {42: 1, 45: 1}
    door.panel.clock.advance(WARM_SECONDS)
    door.tell("message_created", **message(door, "ana@acme.example"))
    assert sorted(finish_warmings(door)) == [42, 45]


def test_a_message_warms_each_organization_of_the_person(door: Door) -> None:
    door.tell("message_created", **message(door, "ana@acme.example"))
    assert door.warmed() == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"message_type": "outgoing"},
        {"message_type": "template"},
        {"message_type": "outgoing", "private": True},
        {"private": True},
    ],
    ids=str,
)
def test_an_agents_message_and_a_note_warm_nothing(door: Door, fields: Json) -> None:
    door.tell("message_created", **message(door, "bia@acme.example", **fields))
    assert (door.warmed(), door.kept()) == (0, [])


def test_a_new_conversation_warms_too(door: Door) -> None:
    door.tell("conversation_created", **talk(door, "bia@acme.example"))
    assert door.warmed() == 1


def test_the_worker_has_the_copies_there_before_the_agent_opens(door: Door) -> None:
    engine, jobs = engine_of(door.panel.app), get(Jobs, door.panel.app)
    engine.worker.start(jobs.bring_in_line, None, jobs.warm)
    door.panel.office.forget()
    door.tell("message_created", **message(door, "bia@acme.example"))
    until(lambda: door.panel.office.count("/quotes") and door.panel.office.count("/licenses"))
    until(lambda: door.warmings() == [None])
    until(lambda: not engine.queue.client.list_workflows(status="PENDING"))
    engine.worker.stop()
    assert sorted(call.path.rpartition("/")[2] for call in door.panel.office.calls) == [
        *("42", "licenses", "orders", "quotes"),
    ]
