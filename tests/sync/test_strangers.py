"""A visitor who takes an identifier first is a stranger; a contact has one key."""

from dataclasses import replace
from typing import Any

import pytest

from panel.data.directory import COMPANY
from panel.demo.chatwoot import never
from panel.demo.world import Json
from panel.errors import GiveUp
from panel.services import Services, get
from panel.sync.people import OUR_ATTRIBUTES
from tests.conftest import Panel, Worlds
from tests.sync.passes import company, person
from tests.sync.visited import as_earlier_version, command, panel, row, run, seats, worlds
from tests.visitor import Visitor

__all__ = ["panel", "worlds"]  # fixtures


def knows_of_a_customer(row: Json) -> bool:
    return bool(set(row["custom_attributes"]) & set(OUR_ATTRIBUTES) or row["email"])


# -- strangers -------------------------------------------------------------------------------------


def squat(worlds: Worlds, identifier: str) -> Visitor:
    visitor = Visitor(worlds.chat_url)
    visitor.says(identifier=identifier)
    visitor.starts()
    return visitor


def test_the_first_comer_who_registers_an_identifier_is_no_owner_and_stays_a_stranger(
    panel: Panel, worlds: Worlds
) -> None:
    mallory = squat(worlds, "middag:organization:1001")
    eve = squat(worlds, "MIDDAG:USER:900")
    company(worlds.office, 1001, "Novo Cliente SA", plan="Enterprise")
    person(worlds.office, 1001, 5, "dono@novo.example", "owner", 900)

    run(panel, 1001)

    for visitor in (mallory, eve):
        assert not knows_of_a_customer(visitor.reads())
    talks = [talk["custom_attributes"] for talk in panel.chat.conversations.values()]
    assert talks == [{}, {}]
    assert row(panel, email="dono@novo.example")["custom_attributes"]["middag_role"] == "owner"
    links = [
        get(Services, panel.app).links.find(0, view["id"])
        for view in (mallory.reads(), eve.reads())
    ]
    assert links == [[], []]


def test_whom_an_earlier_version_took_for_the_owner_is_a_stranger_after_the_first_pass(
    panel: Panel, worlds: Worlds
) -> None:
    as_earlier_version(panel)
    directory = get(Services, panel.app).directory
    owner = row(panel, email="ana@acme.example")["id"]
    del panel.chat.contacts[owner]
    mallory = squat(worlds, "middag:user:7")
    number = mallory.reads()["id"]
    directory.put_person(replace(directory.people_of(42)["collaborator:1"], contact=number))
    attributes = {"middag_organization_id": "42", "middag_role": "owner", "middag_plan": "Business"}
    panel.chat.contacts[number]["custom_attributes"] = attributes

    run(panel)

    assert not knows_of_a_customer(mallory.reads())
    assert row(panel, email="ana@acme.example")["custom_attributes"]["middag_role"] == "owner"
    assert directory.memberships_of(number) == []
    assert get(Services, panel.app).links.find(0, number) == []


def test_a_company_that_a_stranger_was_taken_for_gets_a_contact_of_its_own(
    panel: Panel, worlds: Worlds
) -> None:
    as_earlier_version(panel)
    mallory = Visitor(worlds.chat_url)
    mallory.says(identifier="middag:organization:43")
    assert mallory.reads()["custom_attributes"]["middag_organization"] == "Bare Ltda"

    run(panel)

    assert not knows_of_a_customer(mallory.reads())
    own = panel.chat.contacts[seats(panel, 43)[COMPANY].contact]
    assert own["id"] != mallory.reads()["id"]
    assert own["identifier"] == seats(panel, 43)[COMPANY].identifier


def test_who_shows_the_email_keeps_the_seat_although_visitors_came_in(
    panel: Panel, worlds: Worlds, caplog: pytest.LogCaptureFixture
) -> None:
    """An earlier version's contact has a key of its own: no contact is made anew or cleared."""
    as_earlier_version(panel)
    Visitor(worlds.chat_url).types(email="ana@acme.example")
    before = {key: seat.contact for key, seat in seats(panel, 42).items()}
    run(panel)
    assert {key: seat.contact for key, seat in seats(panel, 42).items()} == before
    assert "by an identifier alone" not in caplog.text


def test_a_contact_of_an_earlier_version_whose_email_an_agent_corrected_keeps_its_seat(
    panel: Panel,
) -> None:
    as_earlier_version(panel)
    ana = row(panel, email="ana@acme.example")
    ana["email"] = "ana.souza@acme.example"
    run(panel)
    assert seats(panel, 42)["collaborator:1"].contact == ana["id"]


def test_a_contact_without_a_key_gives_way_to_the_one_that_has_it(panel: Panel) -> None:
    """Earlier versions left out a phone that another contact had, so only an identifier stayed."""
    as_earlier_version(panel)
    bare = row(panel, email="contato@acme.example")
    bare["email"] = None
    run(panel)
    assert seats(panel, 42)[COMPANY].contact == row(panel, email="contato@acme.example")["id"]
    assert bare["custom_attributes"] == {}
    assert bare["identifier"] is None


def test_by_phone_a_contact_that_shows_another_email_is_somebody_else(panel: Panel) -> None:
    company(panel.office, 42, "Acme Ltda", "contato@acme.example", phone="+55 61 99999-0042")
    other = panel.chat.add_contact(email="s@x.example", phone_number="+5561999990042")
    run(panel)
    assert seats(panel, 42)[COMPANY].contact != other["id"]
    assert other["custom_attributes"] == {}


@pytest.mark.parametrize("identity", [{}, {"name": "Ana"}, {"identifier": "middag:user:7"}])
def test_a_strangers_contact_without_an_email_stays_a_stranger(
    panel: Panel, worlds: Worlds, identity: dict[str, str]
) -> None:
    visitor = Visitor(worlds.chat_url)
    visitor.says(**identity)
    before = visitor.reads()
    run(panel)
    assert visitor.reads() == before


def test_a_squatted_identifier_is_reported_once_and_drift_is_clean(
    panel: Panel, worlds: Worlds, caplog: pytest.LogCaptureFixture
) -> None:
    as_earlier_version(panel)
    row(panel, email="ana@acme.example")["identifier"] = None
    mallory = squat(worlds, "middag:user:7")
    number = mallory.reads()["id"]
    panel.chat.forget()

    run(panel)
    calls = [call for call in panel.chat.calls if _asks_for(call, "middag:")]
    run(panel)

    assert [_asks_for(call, "middag:user:7") for call in calls] == [True]
    lines = [message for message in caplog.messages if f"contact {number} " in message]
    assert len(lines) == 1
    assert "middag:user" not in caplog.text
    assert [call for call in panel.chat.writes if call.path.endswith(f"contacts/{number}")] == []
    drift = command(panel, "sync", "drift", "42", "43")
    assert (drift.exit_code, drift.stdout.strip()) == (0, "Everything is in line.")


def _asks_for(call: Any, value: str) -> bool:
    return call.path.endswith("/contacts/filter") and value in str(call.body)


def test_drift_is_clean_where_another_contact_owns_a_value(panel: Panel) -> None:
    panel.chat.add_contact(name="Somebody", email="s@x.example", phone_number="+5561999990042")
    panel.chat.add_contact(name="Acme", email="contato@acme.example")
    run(panel)
    panel.chat.forget()
    run(panel)
    assert panel.chat.writes == []
    assert command(panel, "sync", "drift", "42", "43").exit_code == 0


# -- one key ---------------------------------------------------------------------------------------


def test_a_contact_has_one_key(panel: Panel) -> None:
    company(panel.office, 44, "Fone Ltda", phone="+55 61 99999-0044")
    for _ in range(2):
        run(panel, 42, 43, 44)
    keys = ("email", "phone_number", "identifier")
    for contact in panel.chat.contacts.values():
        assert sum(bool(contact[key]) for key in keys) == 1, contact
    assert row(panel, email="contato@acme.example")["phone_number"] is None
    assert row(panel, name="Fone Ltda")["phone_number"] == "+5561999990044"


@pytest.mark.parametrize("typed", [{"email": "contato@acme.example"}])
def test_who_types_a_customers_email_is_not_told_the_phone(
    panel: Panel, worlds: Worlds, typed: dict[str, str]
) -> None:
    run(panel)
    visitor = Visitor(worlds.chat_url)
    visitor.types(**typed)
    run(panel)
    view = visitor.reads()
    assert (view["phone_number"], view["identifier"]) == (None, None)
    assert set(view["custom_attributes"]) <= set(OUR_ATTRIBUTES)


def test_a_key_that_is_taken_meanwhile_leads_to_its_owner(panel: Panel) -> None:
    """A stranger makes the contact between our search and our call: one more search finds it."""
    texts: list[str] = []

    def race(call: Any) -> None:
        if call.path.endswith("/contacts") and call.body.get("email") == "ana@acme.example":
            panel.chat.add_contact(77, name="Ana", email="ana@acme.example")
        if call.path.endswith("/contacts/filter"):
            texts.extend(condition["values"][0] for condition in call.body["payload"])

    panel.chat.failures = race
    run(panel, 42)
    panel.chat.failures = never
    assert seats(panel, 42)["collaborator:1"].contact == 77
    assert texts.count("ana@acme.example") == 2


def test_a_key_that_is_taken_by_nobody_is_reported_and_the_others_go_through(
    panel: Panel,
) -> None:
    def race(call: Any) -> None:
        hidden = panel.chat.contacts.pop(77, None)
        if (
            hidden is None
            and call.path.endswith("/contacts")
            and call.body.get("email", "")[:3] == "ana"
        ):
            panel.chat.add_contact(77, name="Ana", email="ana@acme.example")

    panel.chat.failures = race
    with pytest.raises(GiveUp, match="collaborator:1: email"):
        run(panel, 42)
    panel.chat.failures = never
    assert row(panel, email="bia@acme.example")["custom_attributes"]["middag_role"] == "member"
