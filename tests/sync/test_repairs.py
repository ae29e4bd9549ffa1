"""What somebody else set: our attributes are put back, everything else is theirs."""

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
from tests.sync.naming import BIA, OTHERS, here
from tests.sync.passes import company
from tests.sync.test_tasks import list_due
from tests.sync.until import until

__all__ = ["here"]  # a fixture


def rename(here: Listening, name: str) -> None:
    company(here.panel.office, 42, name, "office@42.example")
    get(Intake, here.panel.app).accept(hook(f"rename to {name}", 42))


def test_our_own_writes_come_back_and_cost_nothing(here: Listening) -> None:
    here.add(BIA, 900)
    rename(here, "Acme II")
    here.settle()
    assert here.attributes(900)["middag_organization"] == "Acme II"
    heard = [each.raw for each in here.panel.chat.outbox.sent if b"Acme II" in each.raw]
    assert len(heard) == 5  # four contacts and the conversation
    read = [call for call in here.calls() if call.startswith("GET")]
    assert len(read) == 4 * 2 + 1  # by the one pass; nothing follows from what was heard


def overwrite(here: Listening, email: str, **values: object) -> None:
    """Whoever it was: Chatwoot tells of no author."""
    chat, row = here.panel.chat, here.contact(email)
    with chat.lock:
        change_contact(chat, row, row | {"custom_attributes": row["custom_attributes"] | values})


def test_what_somebody_changed_of_a_contact_is_put_back(here: Listening) -> None:
    before = dict(here.contact(BIA)["custom_attributes"])
    overwrite(here, BIA, middag_plan="Platinum", middag_organization="Banco Central", size="L")
    here.settle()
    assert here.contact(BIA)["custom_attributes"] == before | {"size": "L"}
    assert here.words(900, BIA) == []  # it is no pick


def test_a_contact_is_repaired_once_in_ten_minutes(here: Listening) -> None:
    overwrite(here, BIA, middag_organization="Banco Central")
    here.settle()
    for number in range(20):
        overwrite(here, BIA, middag_organization=f"Bank {number}")
    here.panel.chat.outbox.settle()
    assert here.contact(BIA)["custom_attributes"]["middag_organization"] == "Bank 19"
    (due_at,) = list_due(engine_of(here.panel.app), tasks.c.due_at > time.time())
    left = due_at - time.time()
    assert REPAIR_EVERY_SECONDS - 60 < left <= REPAIR_EVERY_SECONDS


@pytest.mark.parametrize("status", ["open", "resolved"])
def test_what_somebody_changed_of_a_conversation_is_put_back(here: Listening, status: str) -> None:
    here.begin(BIA, 900)
    here.settle()
    here.change(900, status=status)
    here.change(900, custom_attributes=OTHERS | {"middag_organization_id": "45"})
    here.settle()
    assert here.attributes(900) == OTHERS | ACME
    here.change(900, custom_attributes={})
    # Ten minutes later.
    until(lambda: list_due(engine_of(here.panel.app), tasks.c.due_at > time.time() + 60))


def test_names_phones_and_other_attributes_that_people_change_are_theirs(here: Listening) -> None:
    row, chat = here.contact(BIA), here.panel.chat
    with chat.lock:
        change_contact(chat, row, row | {"name": "Bia S.", "phone_number": "+5561988887777"})
    overwrite(here, BIA, size="L")
    here.settle()
    assert here.calls() == []


def test_a_pick_that_is_disclosed_is_put_back(here: Listening) -> None:
    here.add(BIA, 900, custom_attributes=dict(BETA))
    here.say(Link(CONVERSATION, 900, 45, PICKED, agent=1, disclosed=True))
    here.change(900, custom_attributes=dict(ACME))
    here.settle()
    assert here.attributes(900) == BETA


def test_what_a_stranger_says_of_themselves_is_left(here: Listening) -> None:
    here.panel.chat.add_contact(77, name="Zoe", email="zoe@somewhere.example")
    overwrite(here, "zoe@somewhere.example", middag_organization_id="42")
    here.settle()
    assert here.calls() == []


def test_a_repair_comes_after_the_pass_that_waits(here: Listening) -> None:
    """The pass puts it right itself."""
    here.panel.office.delay = 1.0
    get(Intake, here.panel.app).accept(hook("h1", 42))
    overwrite(here, BIA, middag_organization="Banco Central")
    here.settle(40)
    assert here.contact(BIA)["custom_attributes"]["middag_organization"] == "Acme"
    writes = [call for call in here.calls() if call.startswith("PUT")]
    assert len(writes) == 1
