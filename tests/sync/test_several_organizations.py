"""People of several organizations, people who leave, and agents' links."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from panel.data.links import CONTACT, CONVERSATION, MATCHED, PICKED, REFUSED, Link
from panel.errors import GiveUp, PanelError
from panel.sync.people import OUR_ATTRIBUTES
from panel.sync.reconcile import DELETED
from tests.sync.passes import Bench, bench, company, entitlement, person

__all__ = ["bench"]  # a fixture


# -- people of several organizations, and those who leave ------------------------------------------


def two_organizations(bench: Bench) -> None:
    company(bench.office, 45, "Beta SA", billing_entity="middag_global")
    person(bench.office, 45, 9, "Ana@acme.example", "admin", 7)
    entitlement(bench.office, 45, 9, "suspended", None)


def test_a_person_of_two_organizations_is_one_contact_that_names_both(bench: Bench) -> None:
    two_organizations(bench)

    bench.run(45)
    bench.run(42)

    attributes = bench.told(email="ana@acme.example")
    assert attributes["middag_organization_id"] == "42,45"
    assert attributes["middag_organization"] == "Acme Ltda, Beta SA"
    assert attributes["middag_entitlement_status"] == "suspended"
    assert "middag_billing_entity" not in attributes


def test_passes_of_two_organizations_at_once_lose_neither(bench: Bench) -> None:
    two_organizations(bench)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(bench.run, [42, 45]))

    assert bench.told(email="ana@acme.example")["middag_organization_id"] == "42,45"


def test_who_is_no_longer_named_loses_that_organization_alone(bench: Bench) -> None:
    two_organizations(bench)
    bench.run(42)
    bench.run(45)
    bench.office.remove("collaborators", 42, 1)

    bench.run(42)

    assert bench.told(email="ana@acme.example")["middag_organization_id"] == "45"


def test_the_last_organization_gone_clears_ours_and_nothing_else(bench: Bench) -> None:
    bench.run()
    bench.contact(email="ana@acme.example")["custom_attributes"]["vip"] = "yes"
    bench.office.remove("collaborators", 42, 1)

    bench.run()

    assert bench.told(email="ana@acme.example") == {"vip": "yes"}


def test_the_people_of_every_page_are_people_of_the_organization(bench: Bench) -> None:
    for number in range(10, 55):
        person(bench.office, 42, number, f"p{number}@acme.example", "member", None)

    bench.run()
    bench.run()

    assert len(bench.chat.contacts) == 3 + 45
    assert bench.told(email="p54@acme.example")["middag_organization_id"] == "42"


def test_an_empty_list_of_collaborators_clears_nobody(bench: Bench) -> None:
    bench.run()
    for number in (1, 2):
        bench.office.remove("collaborators", 42, number)

    bench.run()

    assert bench.told(email="ana@acme.example")["middag_organization_id"] == "42"


@pytest.mark.parametrize(
    "fault", ["500", "wordpress401", "403", "html", "badjson", "rest_no_route"]
)
def test_a_back_office_in_trouble_changes_nothing_in_chatwoot(bench: Bench, fault: str) -> None:
    bench.run()
    bench.chat.forget()
    bench.office.fault(fault)

    with pytest.raises(PanelError):
        bench.run(42, DELETED)

    assert bench.chat.writes == []


def test_an_organization_deleted_and_confirmed_is_cleared_and_its_contacts_stay(
    bench: Bench,
) -> None:
    bench.run()
    del bench.office.organizations[42]

    bench.run(42, DELETED)

    assert len(bench.chat.contacts) == 3
    assert not set(bench.told(email="ana@acme.example")) & set(OUR_ATTRIBUTES)
    assert bench.directory.people_of(42) == {}


def test_an_unknown_organization_without_that_hook_clears_nothing(bench: Bench) -> None:
    bench.run()
    del bench.office.organizations[42]

    with pytest.raises(GiveUp, match="unknown_organization"):
        bench.run(42, "entitlement.renewed")

    assert bench.told(email="ana@acme.example")["middag_organization_id"] == "42"


# -- links and conversations -----------------------------------------------------------------------


def test_a_pass_writes_the_links_that_the_panel_calls_matched(bench: Bench) -> None:
    bench.run()

    number = bench.contact(email="ana@acme.example")["id"]
    assert [(link.state, link.rests_on) for link in bench.links.find(1, number)] == [
        ("matched", "email")
    ]


def test_an_agents_refusal_is_not_overwritten_by_a_match(bench: Bench) -> None:
    number = bench.chat.add_contact(name="Ana", email="ana@acme.example")["id"]
    bench.links.put(Link(CONTACT, number, 42, REFUSED, agent=2))

    bench.run()

    rows = {(link.state, link.agent) for link in bench.links.find(1, number)}
    assert rows == {(REFUSED, 2), (MATCHED, None)}


def test_open_conversations_name_the_organization_and_keep_what_stood_there(bench: Bench) -> None:
    number = bench.chat.add_contact(name="Ana", email="ana@acme.example")["id"]
    talk = bench.chat.add_conversation(number, custom_attributes={"topic": "billing"})

    bench.run()

    assert bench.chat.conversations[talk["id"]]["custom_attributes"] == {
        "topic": "billing",
        "middag_organization_id": "42",
        "middag_organization": "Acme Ltda",
    }


@pytest.mark.parametrize("state", [PICKED, REFUSED])
def test_a_conversation_that_an_agent_decided_is_left_alone(bench: Bench, state: str) -> None:
    number = bench.chat.add_contact(name="Ana", email="ana@acme.example")["id"]
    talk = bench.chat.add_conversation(number)
    bench.links.put(Link(CONVERSATION, talk["id"], 99, state, agent=2))

    bench.run()

    assert bench.chat.conversations[talk["id"]]["custom_attributes"] == {}


def test_a_conversation_of_several_organizations_is_left_to_the_agent(bench: Bench) -> None:
    two_organizations(bench)
    number = bench.chat.add_contact(name="Ana", email="ana@acme.example")["id"]
    open_one = bench.chat.add_conversation(number)
    conversation = bench.chat.add_conversation(
        number, custom_attributes={"middag_organization_id": "45"}
    )

    bench.run(45)
    bench.chat.conversations[open_one["id"]]["custom_attributes"] = {}
    bench.run(42)

    assert bench.chat.conversations[open_one["id"]]["custom_attributes"] == {}
    assert (
        bench.chat.conversations[conversation["id"]]["custom_attributes"]["middag_organization"]
        == "Beta SA"
    )


def test_a_closed_conversation_is_left_as_it_is(bench: Bench) -> None:
    number = bench.chat.add_contact(name="Ana", email="ana@acme.example")["id"]
    talk = bench.chat.add_conversation(number, status="resolved")

    bench.run()

    assert bench.chat.conversations[talk["id"]]["custom_attributes"] == {}
