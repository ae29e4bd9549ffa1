"""Contacts that Chatwoot merged or deleted: a seat never moves to the base by itself."""

from typing import Any

import pytest

from panel.data.links import CONTACT, MATCHED, PICKED, Link
from panel.demo.world import Json
from panel.sync.dry_run import list_unsettled
from tests.sync.benches import MAIL, SITE, collaborator, join, name_of, organization_of, ours, talk
from tests.sync.passes import Bench, company

PERSONAL = "bia.pessoal@x.example"


def merge(bench: Bench, base: Json, other: Json) -> None:
    """Merge as an agent does in Chatwoot: the base's values win, and the other contact is gone."""
    numbers = {"base_contact_id": base["id"], "mergee_contact_id": other["id"]}
    bench.account.administer("POST", "actions/contact_merge", numbers)


@pytest.fixture
def bia(bench: Bench) -> Json:
    """Make Ana and Bia, who belong to Acme; Bia has a conversation."""
    collaborator(bench, 1, "ana", role="owner")
    collaborator(bench, 2, "bia", phone="+55 61 98888-7777")
    bench.run()
    contact = bench.contact(email="bia@acme.example")
    join(bench, contact, MAIL)
    talk(bench, contact)
    bench.run()
    return contact


def stranger(bench: Bench, **fields: Any) -> Json:
    contact = bench.chat.add_contact(name="Bia pessoal", **fields)
    join(bench, contact, SITE)
    return contact


def test_what_a_merge_left_in_a_stranger_is_cleared_and_nobody_is_made_twice(
    bench: Bench, bia: Json, caplog: pytest.LogCaptureFixture
) -> None:
    base = stranger(bench, email=PERSONAL)
    base["custom_attributes"]["vip"] = "yes"
    merge(bench, base, bia)
    assert organization_of(base) == "42"
    before = set(bench.chat.contacts)
    for _ in range(3):
        bench.run()
    assert base["custom_attributes"] == {"vip": "yes"}
    assert [name_of(conversation) for conversation in bench.chat.conversations.values()] == [None]
    assert set(bench.chat.contacts) == before
    assert len([message for message in caplog.messages if "was merged into" in message]) == 1
    (unsettled,) = bench.directory.list_unsettled(42)
    assert (unsettled.key, unsettled.contact, unsettled.merged_into) == (
        "collaborator:2",
        0,
        base["id"],
    )
    assert bench.links.find(0, base["id"]) == []


def test_an_identifier_of_the_shop_stays_in_a_stranger_that_is_cleared(bench: Bench) -> None:
    company(bench.office, 42, "Acme Ltda", "")
    bench.run()
    (contact,) = bench.chat.contacts.values()
    assert contact["identifier"]
    base = stranger(bench, email=PERSONAL, identifier="shop-77")
    merge(bench, base, contact)
    bench.run()
    assert (ours(base), base["identifier"]) == ({}, "shop-77")


def test_facts_that_changed_meanwhile_hide_no_base(bench: Bench, bia: Json) -> None:
    base = stranger(bench, email=PERSONAL)
    merge(bench, base, bia)
    company(bench.office, 42, "Acme S.A.", "contato@acme.example", plan="Gold")
    bench.run()
    assert ours(base) == {}


@pytest.mark.parametrize("fields", [{}, {"phone_number": "+556188887777"}])
def test_a_base_that_shows_their_key_is_theirs(
    bench: Bench, bia: Json, fields: dict[str, str]
) -> None:
    base = stranger(bench, **fields)
    merge(bench, base, bia)
    before = set(bench.chat.contacts)
    for _ in range(2):
        bench.run()
    assert ours(base)["middag_role"] == "member"
    assert [name_of(conversation) for conversation in bench.chat.conversations.values()] == ["42"]
    assert set(bench.chat.contacts) == before
    assert bench.directory.people_of(42)["collaborator:2"].contact == base["id"]
    assert bench.directory.list_unsettled(42) == []


def test_who_writes_from_their_own_address_again_is_seated(bench: Bench, bia: Json) -> None:
    base = stranger(bench, email=PERSONAL)
    merge(bench, base, bia)
    bench.run()
    anew = bench.chat.add_contact(name="Bia", email="bia@acme.example")
    assert bench.directory.find_unseated(anew["id"], "bia@acme.example", "") == {42}
    bench.run()
    assert ours(anew)["middag_role"] == "member"
    assert ours(base) == {}


def test_when_the_base_is_deleted_the_person_is_not_made_again(bench: Bench, bia: Json) -> None:
    base = stranger(bench, email=PERSONAL)
    merge(bench, base, bia)
    bench.run()
    del bench.chat.contacts[base["id"]]
    before = set(bench.chat.contacts)
    bench.run()
    assert set(bench.chat.contacts) == before
    assert bench.directory.list_unsettled(42) == []
    ((number, person),) = bench.directory.erasures.list_held_back(42)
    assert (number, person.key) == (base["id"], "collaborator:2")


def test_an_agent_can_pick_the_base(bench: Bench, bia: Json) -> None:
    base = stranger(bench, email=PERSONAL)
    merge(bench, base, bia)
    bench.run()
    bench.links.put(Link(CONTACT, base["id"], 45, PICKED, agent=2, disclosed=True))
    (left,) = list_unsettled(bench.directory, bench.links, 42)
    assert str(base["id"]) in str(left.body)
    bench.links.put(Link(CONTACT, base["id"], 42, PICKED, agent=2, disclosed=True))
    assert list(list_unsettled(bench.directory, bench.links, 42)) == []
    bench.links.put(Link(CONTACT, base["id"], 42, MATCHED))
    before = set(bench.chat.contacts)
    bench.run()
    bench.contacts.repair(base["id"])
    assert ours(base)["middag_role"] == "guest"
    assert set(bench.chat.contacts) == before


@pytest.mark.parametrize("order", [(42, 45), (45, 42)])
def test_of_two_organizations_neither_makes_the_merged_one_anew(
    bench: Bench, bia: Json, order: tuple[int, int]
) -> None:
    company(bench.office, 45, "Beta SA")
    collaborator(bench, 9, "bia", organization=45)
    bench.run(45)
    assert organization_of(bia) == "42,45"
    base = stranger(bench, email=PERSONAL)
    merge(bench, base, bia)
    before = set(bench.chat.contacts)
    for number in order:
        bench.run(number)
    assert ours(base) == {}
    assert set(bench.chat.contacts) == before
    assert [person.organization for person in bench.directory.list_unsettled()] == [42, 45]


def test_who_was_merged_and_left_is_cleared_as_well(bench: Bench, bia: Json) -> None:
    base = stranger(bench, email=PERSONAL)
    merge(bench, base, bia)
    bench.office.remove("collaborators", 42, 2)
    bench.run()
    assert ours(base) == {}
    assert "collaborator:2" not in bench.directory.people_of(42)


def test_a_deleted_organization_leaves_nothing_in_a_base(bench: Bench, bia: Json) -> None:
    base = stranger(bench, email=PERSONAL)
    merge(bench, base, bia)
    del bench.office.organizations[42]
    bench.run(42, "organization.deleted")
    assert [ours(contact) for contact in bench.chat.contacts.values()] == [{}] * len(
        bench.chat.contacts
    )
    assert [name_of(conversation) for conversation in bench.chat.conversations.values()] == [None]


def test_a_further_contact_that_was_merged_away_leaves_nothing_either(
    bench: Bench, bia: Json
) -> None:
    other = bench.chat.add_contact(name="Bia", phone_number="+556188887777")
    bench.run()
    assert organization_of(other) == "42"
    base = stranger(bench, email=PERSONAL, phone_number="+5561977770000")
    merge(bench, base, other)
    bench.run()
    assert ours(base) == {}
    assert ours(bia)["middag_role"] == "member"


def test_two_contacts_of_one_person_that_are_merged_stay_theirs(bench: Bench, bia: Json) -> None:
    other = bench.chat.add_contact(name="Bia", phone_number="+556188887777")
    bench.run()
    merge(bench, other, bia)
    before = set(bench.chat.contacts)
    for _ in range(2):
        bench.run()
    assert ours(other)["middag_role"] == "member"
    assert set(bench.chat.contacts) == before
    assert bench.directory.further_contacts_of(42) == {}


def test_a_contact_merged_into_a_colleagues_changes_nothing_of_the_colleague(
    bench: Bench, bia: Json
) -> None:
    ana = bench.contact(email="ana@acme.example")
    merge(bench, ana, bia)
    before = set(bench.chat.contacts)
    for _ in range(2):
        bench.run()
    assert ours(ana)["middag_role"] == "owner"
    assert set(bench.chat.contacts) == before


def test_a_deleted_contact_is_no_merge(bench: Bench, bia: Json) -> None:
    claim = {"middag_organization_id": "42", "middag_role": "guest"}
    visitor = stranger(bench, email="mallory@evil.example")
    visitor["custom_attributes"] |= claim
    del bench.chat.contacts[bia["id"]]
    bench.run()
    assert bench.directory.list_unsettled(42) == []
    assert visitor["custom_attributes"] == claim
