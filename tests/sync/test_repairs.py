"""Changes by others: our attributes are put back, all other values stay."""

import time

import pytest

from panel.data.links import CONVERSATION, PICKED, Link
from panel.data.tasks import REPAIR_EVERY_SECONDS, tasks
from panel.demo.events import change_contact
from panel.services import get
from panel.sync.intake import Intake
from tests.sync.engine import engine_of
from tests.sync.executor import hook
from tests.sync.listening import ACME, BETA, Listening
from tests.sync.naming import BIA, OTHERS, listening
from tests.sync.passes import company
from tests.sync.test_tasks import list_due
from tests.sync.until import until

__all__ = ["listening"]  # a fixture


def rename(listening: Listening, name: str) -> None:
    company(listening.panel.office, 42, name, "office@42.example")
    get(Intake, listening.panel.app).accept(hook(f"rename to {name}", 42))


def test_our_own_writes_come_back_and_cost_nothing(listening: Listening) -> None:
    listening.add(BIA, 900)
    rename(listening, "Acme II")
    listening.settle()
    assert listening.attributes(900)["middag_organization"] == "Acme II"
    events = [
        delivery.raw for delivery in listening.panel.chat.outbox.sent if b"Acme II" in delivery.raw
    ]
    assert len(events) == 5  # four contacts and the conversation
    reads = [call for call in listening.calls() if call.startswith("GET")]
    # By the single pass; the events of its own writes cause no reads.
    assert len(reads) == 4 * 2 + 1


def overwrite(listening: Listening, email: str, **values: object) -> None:
    """Overwrite our values; Chatwoot's event does not name the author."""
    chat, row = listening.panel.chat, listening.contact(email)
    with chat.lock:
        change_contact(chat, row, row | {"custom_attributes": row["custom_attributes"] | values})


def test_what_somebody_changed_of_a_contact_is_put_back(listening: Listening) -> None:
    before = dict(listening.contact(BIA)["custom_attributes"])
    overwrite(listening, BIA, middag_plan="Platinum", middag_organization="Banco Central", size="L")
    listening.settle()
    assert listening.contact(BIA)["custom_attributes"] == before | {"size": "L"}
    assert listening.words(900, BIA) == []  # the value is no pick


def test_a_contact_is_repaired_once_in_ten_minutes(listening: Listening) -> None:
    overwrite(listening, BIA, middag_organization="Banco Central")
    listening.skip_delay()
    listening.settle()
    for number in range(20):
        overwrite(listening, BIA, middag_organization=f"Bank {number}")
    listening.panel.chat.outbox.settle()
    assert listening.contact(BIA)["custom_attributes"]["middag_organization"] == "Bank 19"
    (due_at,) = list_due(engine_of(listening.panel.app), tasks.c.due_at > time.time())
    wait = due_at - time.time()
    assert REPAIR_EVERY_SECONDS - 60 < wait <= REPAIR_EVERY_SECONDS


@pytest.mark.parametrize("status", ["open", "resolved"])
def test_what_somebody_changed_of_a_conversation_is_put_back(
    listening: Listening, status: str
) -> None:
    listening.begin(BIA, 900)
    listening.settle()
    listening.change(900, status=status)
    listening.change(900, custom_attributes=OTHERS | {"middag_organization_id": "45"})
    listening.skip_delay()
    listening.settle()
    assert listening.attributes(900) == OTHERS | ACME
    listening.change(900, custom_attributes={})
    # Ten minutes later.
    until(lambda: list_due(engine_of(listening.panel.app), tasks.c.due_at > time.time() + 60))


def test_names_phones_and_other_attributes_that_people_change_are_theirs(
    listening: Listening,
) -> None:
    row, chat = listening.contact(BIA), listening.panel.chat
    with chat.lock:
        change_contact(chat, row, row | {"name": "Bia S.", "phone_number": "+5561988887777"})
    overwrite(listening, BIA, size="L")
    listening.settle()
    assert listening.calls() == []


def test_a_pick_that_is_disclosed_is_put_back(listening: Listening) -> None:
    listening.add(BIA, 900, custom_attributes=dict(BETA))
    listening.say(Link(CONVERSATION, 900, 45, PICKED, agent=1, disclosed=True))
    listening.change(900, custom_attributes=dict(ACME))
    listening.skip_delay()
    listening.settle()
    assert listening.attributes(900) == BETA


def test_what_a_stranger_says_of_themselves_is_left(listening: Listening) -> None:
    listening.panel.chat.add_contact(77, name="Zoe", email="zoe@somewhere.example")
    overwrite(listening, "zoe@somewhere.example", middag_organization_id="42")
    listening.settle()
    assert listening.calls() == []


def test_a_repair_comes_after_the_pass_that_waits(listening: Listening) -> None:
    """The pass itself puts the values back."""
    listening.panel.office.delay = 1.0
    get(Intake, listening.panel.app).accept(hook("h1", 42))
    overwrite(listening, BIA, middag_organization="Banco Central")
    listening.settle(40)
    assert listening.contact(BIA)["custom_attributes"]["middag_organization"] == "Acme"
    writes = [call for call in listening.calls() if call.startswith("PUT")]
    assert len(writes) == 1
