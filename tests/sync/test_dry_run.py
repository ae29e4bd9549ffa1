"""A dry run notes the writes of a pass, and writes nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from panel.sync.dry_run import DryRun, PlannedCall
from tests.sync.passes import entitlement, person
from tests.sync.wings import Wing, on_sqlite, sockets, wing

__all__ = ["sockets", "wing"]  # fixtures


def really(wing: Wing, numbers: list[int]) -> list[tuple[str, str]]:
    """Run real passes of these organizations; returns (method, path below the account) of their
    writes."""
    wing.chat.forget()
    before = set(wing.chat.contacts)
    for number in numbers:
        wing.run(number)
    paths = [(call.method, call.path) for call in wing.chat.writes]
    calls = [(method, path.removeprefix("/api/v1/accounts/1/")) for method, path in paths]
    # In a dry run, a contact that a pass would make has no number yet.
    new = {f"contacts/{number}" for number in wing.chat.contacts.keys() - before}
    return [(method, "contacts/(new)" if path in new else path) for method, path in calls]


def noted(notes: list[PlannedCall]) -> list[tuple[str, str]]:
    return [(note.method, note.path) for note in notes]


def drifted(wing: Wing) -> None:
    """Change everything that a pass compares: names, people, entitlements, agents' decisions."""
    wing.run(42)
    contact = next(row for row in wing.chat.contacts.values() if row["email"] == "ana@acme.example")
    wing.chat.add_conversation(contact["id"])
    contact["custom_attributes"]["middag_role"] = "guest"
    contact["custom_attributes"]["middag_plan"] = "Gold"
    wing.office.remove("collaborators", 42, 2)
    person(wing.office, 42, 4, "duda@acme.example", "member", None)
    entitlement(wing.office, 42, 50, "suspended", None)


@on_sqlite
@pytest.mark.parametrize("before", [lambda _wing: None, drifted], ids=["new", "drifted"])
def test_a_rehearsal_notes_what_a_pass_then_does(
    wing: Wing, before: Callable[[Wing], None]
) -> None:
    before(wing)
    notes = list(DryRun(wing.services).run([42]))
    assert len(notes) >= 4
    assert noted(notes) == really(wing, [42])


@on_sqlite
def test_a_rehearsal_writes_nothing(wing: Wing) -> None:
    drifted(wing)
    wing.chat.forget()
    people = wing.services.directory.people_of(42)
    list(DryRun(wing.services).run([42, 45, 7]))
    assert wing.chat.writes == []
    assert wing.services.directory.people_of(42) == people
    assert wing.services.directory.list_organizations() == [42]
    assert wing.waiting() == []


@on_sqlite
def test_a_rehearsal_of_two_makes_nobody_twice_either(wing: Wing) -> None:
    notes = list(DryRun(wing.services).run([42, 45]))
    outcome = really(wing, [42, 45])
    assert noted(notes).count(("POST", "contacts")) == outcome.count(("POST", "contacts"))


@on_sqlite
def test_a_rehearsal_after_the_pass_notes_nothing(wing: Wing) -> None:
    drifted(wing)
    wing.run(42)
    assert list(DryRun(wing.services).run([42])) == []


BIA: dict[str, Any] = {"id": 2, "organization_id": 42, "email": "bia@acme.example"}


@pytest.mark.parametrize(
    "fields",
    [
        {"role": "member", "invite_status": "expired"},
        {"role": "member", "status": "inactive"},
        {"role": "pending"},
        {"role": "member", "email": None},
        {"role": "guest", "email": "ana@acme.example"},
    ],
    ids=str,
)
def test_a_rehearsal_shows_who_would_be_cleared(wing: Wing, fields: dict[str, Any]) -> None:
    wing.run(42)
    (contact,) = [row["id"] for row in wing.chat.contacts.values() if row["email"] == BIA["email"]]
    wing.office.put("collaborators", 42, BIA | fields)
    (note,) = DryRun(wing.services).run([42])
    assert note.path == f"contacts/{contact}/destroy_custom_attributes"
    assert "middag_organization_id" in note.body
    assert note.describe().startswith(f"organization 42: contact {contact}: ")


def test_a_rehearsal_shows_contacts_that_earlier_versions_left_behind(wing: Wing) -> None:
    definition = {"attribute_key": "middag_organization_id", "attribute_display_type": "text"}
    wing.chat.definitions[1] = {"id": 1, "attribute_model": "contact_attribute", **definition}
    wing.run(42)
    attributes = {"middag_organization_id": "42", "middag_role": "member"}
    contact = wing.chat.add_contact(name="Leo", email="leo@x.example", custom_attributes=attributes)
    (note,) = DryRun(wing.services).run([42])
    assert note.path == f"contacts/{contact['id']}/destroy_custom_attributes"


def test_a_rehearsal_says_what_is_left_to_people(wing: Wing) -> None:
    wing.run(42)
    (contact,) = [row for row in wing.chat.contacts.values() if row["email"] == BIA["email"]]
    contact["contact_inboxes"] = [{"inbox": wing.chat.inboxes[1], "source_id": "visitor"}]
    wing.office.put("collaborators", 42, BIA | {"role": "member", "email": "b@acme.example"})
    for _ in range(2):
        (note,) = DryRun(wing.services).run([42])
        assert (note.path, f"contact {contact['id']} " in note.body) == ("left to people", True)
        assert "@" not in note.body
        wing.run(42)


@on_sqlite
def test_a_rehearsal_says_what_could_not_be_told(wing: Wing) -> None:
    wing.office.fault("403", 42)
    (note,) = DryRun(wing.services).run([42])
    assert (note.organization, note.path) == (42, "could not be told")
