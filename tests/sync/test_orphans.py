"""A death or a lost answer between making a contact and storing it; and repairs."""

from typing import Any

import pytest

from panel.demo.chatwoot import Failure, never
from panel.demo.world import Call, Json
from panel.errors import TryLater
from panel.sync.reconcile import DELETED, RECONCILE
from tests.sync.benches import APP, SITE, collaborator, join, name_of, ours, talk
from tests.sync.passes import Bench

LEFT = {"middag_organization_id": "42", "middag_organization": "Acme", "middag_role": "member"}


def is_making(call: Call) -> bool:
    return call.method == "POST" and call.path.endswith("/contacts")


def lose_answers(bench: Bench, matches: Any) -> None:
    """Let Chatwoot carry out these calls, and lose its answers."""
    bench.chat.failures = lambda call: Failure(500, applied=True) if matches(call) else None


@pytest.fixture
def orphan_bench(bench: Bench) -> Bench:
    """A bench where Ana's contact was made, and our table does not have it."""
    bench.run()
    collaborator(bench, 1, "ana")
    collaborator(bench, 2, "bia")
    lose_answers(bench, is_making)
    with pytest.raises(TryLater):
        bench.run()
    bench.chat.failures = never
    return bench


def test_a_contact_says_nothing_of_us_before_its_seat_stands_in_our_table(
    orphan_bench: Bench,
) -> None:
    contact = orphan_bench.contact(email="ana@acme.example")
    assert contact["custom_attributes"] == {}
    intent = orphan_bench.directory.people_of(42)["collaborator:1"]
    assert (intent.contact, intent.email) == (0, "ana@acme.example")
    bodies = [call.body for call in orphan_bench.chat.calls if is_making(call)]
    assert [set(body) for body in bodies] == [{"name", "email"}] * len(bodies)


def test_it_is_found_again(orphan_bench: Bench) -> None:
    number = orphan_bench.contact(email="ana@acme.example")["id"]
    orphan_bench.run()
    assert orphan_bench.contact(email="ana@acme.example")["id"] == number
    assert orphan_bench.told(email="ana@acme.example")["middag_role"] == "member"


@pytest.mark.parametrize("how", ["removed", "deleted"])
def test_who_leaves_before_the_next_pass_leaves_nothing(orphan_bench: Bench, how: str) -> None:
    if how == "removed":
        orphan_bench.office.remove("collaborators", 42, 1)
        orphan_bench.run()
    else:
        del orphan_bench.office.organizations[42]
        orphan_bench.run(42, DELETED)
    assert ours(orphan_bench.contact(email="ana@acme.example")) == {}
    assert "collaborator:1" not in orphan_bench.directory.people_of(42)


@pytest.mark.parametrize("ending", ["/contacts", "/destroy_custom_attributes", "PUT"])
def test_any_lost_answer_ends_as_if_it_had_come(bench: Bench, ending: str) -> None:
    collaborator(bench, 1, "ana")
    collaborator(bench, 2, "bia")
    bench.run()
    bench.office.remove("collaborators", 42, 1)
    collaborator(bench, 3, "caio")
    lose_answers(bench, lambda call: call.path.endswith(ending) or call.method == ending)
    with pytest.raises(TryLater):
        bench.run()
    bench.chat.failures = never
    bench.run()
    assert ours(bench.contact(email="ana@acme.example")) == {}
    assert bench.told(email="caio@acme.example")["middag_role"] == "member"
    assert len(bench.chat.contacts) == 4


# -- orphans of earlier versions -----------------------------------------------------------------


@pytest.fixture
def orphan(bench: Bench) -> Json:
    """Make a contact of a killed pass of an earlier version, whose person has left since."""
    collaborator(bench, 1, "ana")
    bench.run()
    contact = bench.chat.add_contact(name="Leo", email="leo@acme.example")
    contact["custom_attributes"] = {"vip": "yes", **LEFT}
    talk(bench, contact, custom_attributes={"middag_organization_id": "42"})
    return contact


@pytest.mark.parametrize("name", ["42", "41,42", "42,45", "7,42,142"])
def test_reconciling_clears_who_names_the_organization_and_is_nobody(
    bench: Bench, orphan: Json, name: str
) -> None:
    orphan["custom_attributes"]["middag_organization_id"] = name
    bench.run(42, RECONCILE)
    assert orphan["custom_attributes"] == {"vip": "yes"}
    assert [name_of(conversation) for conversation in bench.chat.conversations.values()] == [None]
    assert bench.told(email="ana@acme.example")["middag_role"] == "member"


def test_so_does_its_deletion(bench: Bench, orphan: Json) -> None:
    del bench.office.organizations[42]
    bench.run(42, DELETED)
    assert orphan["custom_attributes"] == {"vip": "yes"}


@pytest.mark.parametrize("name", ["142", "420", "45"])
def test_another_organizations_number_is_not_ours_to_clear(
    bench: Bench, orphan: Json, name: str
) -> None:
    orphan["custom_attributes"]["middag_organization_id"] = name
    bench.run(42, RECONCILE)
    assert ours(orphan) == {**LEFT, "middag_organization_id": name}


@pytest.mark.parametrize("inbox", [SITE, APP])
def test_what_a_visitor_wrote_is_a_claim_and_stays(bench: Bench, orphan: Json, inbox: int) -> None:
    join(bench, orphan, inbox)
    bench.run(42, RECONCILE)
    assert ours(orphan) == LEFT


def test_many_contacts_of_an_organization_are_more_than_a_page(bench: Bench, orphan: Json) -> None:
    for number in range(10, 50):
        collaborator(bench, number, f"p{number}")
    bench.run()
    bench.run(42, RECONCILE)
    assert ours(orphan) == {}
    assert bench.told(email="p49@acme.example")["middag_role"] == "member"


# -- our attributes, changed by others
# --------------------------------------------------------------


@pytest.fixture
def changed(bench: Bench) -> Json:
    """Let a visitor and an agent write into Ana's contact and its conversation."""
    collaborator(bench, 1, "ana")
    bench.run()
    contact = bench.contact(email="ana@acme.example")
    conversation = talk(bench, contact)
    bench.run()
    contact["name"], contact["phone_number"] = "Aninha", "+5561911112222"
    contact["custom_attributes"] |= {
        "middag_plan": "Platinum",
        "middag_role": "owner",
        "vip": "yes",
    }
    contact["custom_attributes"]["middag_organization"] = "Banco Central"
    conversation["custom_attributes"] |= {"middag_organization": "Banco Central", "topic": "pix"}
    return contact


@pytest.mark.parametrize("how", ["pass", "repair"])
def test_what_was_changed_of_ours_is_put_back_and_the_rest_is_theirs(
    bench: Bench, changed: Json, how: str
) -> None:
    if how == "pass":
        bench.run()
    else:
        bench.contacts.repair(changed["id"])
    attributes = changed["custom_attributes"]
    assert (attributes["middag_organization"], attributes["middag_role"]) == ("Acme Ltda", "member")
    assert ("middag_plan" in attributes, attributes["vip"]) == (False, "yes")
    assert (changed["name"], changed["phone_number"]) == ("Aninha", "+5561911112222")
    (conversation,) = bench.chat.conversations.values()
    assert conversation["custom_attributes"] == {
        "middag_organization_id": "42",
        "middag_organization": "Acme Ltda",
        "topic": "pix",
    }


@pytest.mark.parametrize("name", ["45", "42,45"])
def test_an_organization_that_somebody_wrote_is_no_pick(
    bench: Bench, changed: Json, name: str
) -> None:
    changed["custom_attributes"]["middag_organization_id"] = name
    bench.contacts.repair(changed["id"])
    assert changed["custom_attributes"]["middag_organization_id"] == "42"
    assert {link.organization for link in bench.links.find(0, changed["id"])} == {42}


def test_a_claim_of_somebody_whom_we_do_not_know_is_left(bench: Bench) -> None:
    visitor = bench.chat.add_contact(name="Zoe", email="zoe@x.example", custom_attributes=LEFT)
    bench.chat.forget()
    bench.contacts.repair(visitor["id"])
    assert (ours(visitor), bench.chat.writes) == (LEFT, [])
