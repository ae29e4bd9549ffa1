"""Membership of an organization: roles, people who leave, and incomplete lists."""

from typing import Any

import pytest

from panel.data.directory import COMPANY
from panel.data.search_index import SearchIndex
from tests.sync.benches import (
    MAIL,
    collaborator,
    join,
    name_of,
    organization_of,
    ours,
    talk,
)
from tests.sync.passes import SOON, Bench, company, entitlement

NONE: list[dict[str, Any]] = [
    {"invite_status": "pending"},
    {"invite_status": "rejected"},
    {"invite_status": "expired"},
    {"invite_status": "Pending"},
    {"invite_status": "revoked"},
    {"status": "inactive"},
    {"status": "Inativo"},
    {"status": "blocked"},
    {"role": "pending"},
    {"role": "Pendente"},
    {"role": "invited"},
]
MEMBERS: list[dict[str, Any]] = [
    {"invite_status": "accepted"},
    {"invite_status": None},
    {"invite_status": ""},
    {"status": "Active"},
    {"status": "Ativo"},
    {"status": None},
]


def ana(bench: Bench, **fields: Any) -> None:
    collaborator(bench, 1, "ana", **fields)


@pytest.fixture
def two(bench: Bench) -> Bench:
    """Make Ana and Bia, who belong to Acme; Ana has an open conversation."""
    contact = bench.chat.add_contact(name="Ana", email="ana@acme.example")
    join(bench, contact, MAIL)
    talk(bench, contact)
    ana(bench)
    collaborator(bench, 2, "bia")
    bench.run()
    return bench


def talks(bench: Bench) -> list[str | None]:
    return [name_of(conversation) for conversation in bench.chat.conversations.values()]


# -- membership ----------------------------------------------------------------------------------


@pytest.mark.parametrize("fields", NONE, ids=str)
def test_who_has_not_accepted_or_is_inactive_is_nobody(
    bench: Bench, fields: dict[str, Any]
) -> None:
    contact = bench.chat.add_contact(name="Ana", email="ana@acme.example")
    ana(bench, **fields)
    bench.run()
    assert ours(contact) == {}
    assert bench.directory.find_people("ana@acme.example", "") == []


@pytest.mark.parametrize("fields", MEMBERS, ids=str)
def test_who_has_accepted_is_a_member(bench: Bench, fields: dict[str, Any]) -> None:
    ana(bench, **fields)
    bench.run()
    assert bench.told(email="ana@acme.example")["middag_role"] == "member"


def test_an_invitation_by_a_stranger_changes_nothing(two: Bench) -> None:
    company(two.office, 666, "Escola Aurora COBRANCA URGENTE")
    collaborator(two, 6, "ana", organization=666, role="guest", invite_status="pending")
    entitlement(two.office, 666, 1, "suspended", None)
    before = dict(two.told(email="ana@acme.example"))
    two.run(666)
    assert two.told(email="ana@acme.example") == before


@pytest.mark.parametrize(
    "fields",
    [*NONE, {"email": ""}, {"email": None}, {"email": "bia@acme.example", "role": "guest"}],
    ids=str,
)
def test_who_stops_being_a_member_is_cleared_by_the_next_pass(
    two: Bench, fields: dict[str, Any]
) -> None:
    ana(two, **fields)
    two.run()
    assert ours(two.contact(email="ana@acme.example")) == {}
    assert talks(two) == [None]
    assert "collaborator:1" not in two.directory.people_of(42)
    assert two.told(email="bia@acme.example")["middag_role"] == "member"


@pytest.mark.parametrize(
    "fields", [{"email": {"address": "ana@acme.example"}}, {"status": ["active"]}, {"role": [1]}]
)
def test_of_whom_it_cannot_be_read_stays(two: Bench, fields: dict[str, Any]) -> None:
    ana(two, **fields)
    two.run()
    assert two.told(email="ana@acme.example")["middag_role"] == "member"
    assert talks(two) == ["42"]


# -- roles ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "other_role", "lowest"),
    [("owner", "guest", "guest"), ("member", "admin", "member"), ("owner", "owner", "owner")],
)
@pytest.mark.parametrize("order", [(42, 45), (45, 42)])
def test_of_several_organizations_the_role_is_the_lowest(
    bench: Bench, role: str, other_role: str, lowest: str, order: tuple[int, int]
) -> None:
    company(bench.office, 45, "Beta SA")
    ana(bench, role=role)
    collaborator(bench, 9, "ana", organization=45, role=other_role)
    for number in order:
        bench.run(number)
    assert bench.told(email="ana@acme.example")["middag_role"] == lowest


def test_in_one_organization_the_role_is_the_weightiest(bench: Bench) -> None:
    company(bench.office, 42, "Acme Ltda", phone="+55 61 98888-7777")
    bench.chat.add_contact(name="Ana", email="ana@acme.example", phone_number="+5561988887777")
    ana(bench, role="owner")
    bench.run()
    assert bench.told(email="ana@acme.example")["middag_role"] == "owner"


# -- moves ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [(42, 45), (45, 42)])
def test_a_move_ends_the_same_in_either_order(two: Bench, order: tuple[int, int]) -> None:
    company(two.office, 45, "Beta SA")
    two.office.remove("collaborators", 42, 1)
    collaborator(two, 9, "ana", organization=45, role="admin")
    for number in order:
        two.run(number)
    assert organization_of(two.contact(email="ana@acme.example")) == "45"
    (conversation,) = two.chat.conversations.values()
    attributes = conversation["custom_attributes"]
    assert (attributes["middag_organization_id"], attributes["middag_organization"]) == (
        "45",
        "Beta SA",
    )


@pytest.mark.parametrize("order", [(42, 45), (45, 42)])
def test_when_one_of_two_organizations_is_deleted_the_other_is_named(
    two: Bench, order: tuple[int, int]
) -> None:
    company(two.office, 45, "Beta SA")
    collaborator(two, 9, "ana", organization=45)
    two.run(45)
    assert talks(two) == [None]
    del two.office.organizations[42]
    for number in order:
        two.run(number, *(["organization.deleted"] if number == 42 else []))
    assert talks(two) == ["45"]


# -- incomplete lists -------------------------------------------------------------------


def empty(bench: Bench) -> None:
    for number in (1, 2):
        bench.office.remove("collaborators", 42, number)


def half(bench: Bench) -> None:
    """Leave Ana out of the rows, although two people are counted."""
    bench.office.remove("collaborators", 42, 1)
    bench.office.totals["collaborators"] = 2


@pytest.mark.parametrize("phone", [None, "+55 61 98888-1111"])
@pytest.mark.parametrize("lose", [empty, half])
def test_a_company_whose_email_is_its_owners_keeps_its_contact_through_such_a_list(
    bench: Bench, lose: Any, phone: str | None
) -> None:
    company(bench.office, 42, "Acme Ltda", "ana@acme.example", phone=phone)
    ana(bench, role="owner")
    collaborator(bench, 2, "bia")
    bench.run()
    before = {key: person.contact for key, person in bench.directory.people_of(42).items()}
    values = {number: ours(contact) for number, contact in bench.chat.contacts.items()}
    lose(bench)
    bench.run()
    assert {key: person.contact for key, person in bench.directory.people_of(42).items()} == before
    assert {number: ours(contact) for number, contact in bench.chat.contacts.items()} == values
    assert bench.directory.further_contacts_of(42) == {}
    index = SearchIndex(bench.database)
    assert [hit.organization for hit in index.find("ana@acme.example").rows] == [42]


def test_a_cut_list_of_people_clears_nobody_and_lowers_no_role(two: Bench) -> None:
    ana(two, role="owner")
    two.run()
    half(two)
    collaborator(two, 2, "bia", role="guest")
    two.run()
    assert two.told(email="ana@acme.example")["middag_role"] == "owner"
    assert two.told(email="bia@acme.example")["middag_role"] == "member"
    two.office.totals.clear()
    two.run()
    assert ours(two.contact(email="ana@acme.example")) == {}
    assert two.told(email="bia@acme.example")["middag_role"] == "guest"


def test_a_cut_list_may_raise_a_role(two: Bench) -> None:
    half(two)
    collaborator(two, 2, "bia", role="admin")
    two.run()
    assert two.told(email="bia@acme.example")["middag_role"] == "admin"


def test_a_cut_list_of_entitlements_lowers_nothing(two: Bench) -> None:
    for number, status in enumerate(("active", "active", "active", "suspended"), start=1):
        entitlement(two.office, 42, number, status, SOON if number == 3 else None)
    two.run()
    before = dict(two.told(email="ana@acme.example"))
    assert (before["middag_entitlement_status"], before["middag_active_entitlements"]) == (
        *("suspended", 3),
    )
    for number in (3, 4):
        two.office.remove("entitlements", 42, number)
    two.office.totals["entitlements"] = 4
    two.run()
    assert two.told(email="ana@acme.example") == before
    index = SearchIndex(two.database)
    assert [hit.organization for hit in index.find("PLG-4").rows] == [42]
    two.office.totals.clear()
    two.run()
    after = two.told(email="ana@acme.example")
    assert (after["middag_entitlement_status"], after["middag_active_entitlements"]) == (
        *("active", 2),
    )
    assert "middag_next_expiry" not in after


def test_the_company_keeps_its_key_in_our_table_through_an_empty_list(two: Bench) -> None:
    before = two.directory.people_of(42)[COMPANY]
    empty(two)
    two.run()
    assert two.directory.people_of(42)[COMPANY] == before
