"""Our table of contacts is lost: people are found again, and nobody is made twice."""

import pytest

from panel.data.directory import COMPANY
from panel.errors import GiveUp
from panel.services import Services, get
from tests.conftest import Panel, Worlds
from tests.sync.visited import command, panel, row, run, seats, worlds
from tests.visitor import Visitor

__all__ = ["panel", "worlds"]  # fixtures


def lose_the_table(panel: Panel) -> None:
    directory = get(Services, panel.app).directory
    for organization in (42, 43):
        directory.forget(organization)


def test_a_lost_table_finds_people_again_by_email_and_makes_nobody_twice(panel: Panel) -> None:
    run(panel)
    before = set(panel.chat.contacts)
    lose_the_table(panel)
    run(panel, 42)
    assert set(panel.chat.contacts) == before
    assert command(panel, "sync", "drift", "42").exit_code == 0


def test_a_lost_company_contact_is_told_once_to_the_administrator_and_not_made_twice(
    panel: Panel,
) -> None:
    run(panel)
    number = row(panel, name="Bare Ltda")["id"]
    lose_the_table(panel)
    panel.chat.forget()

    with pytest.raises(GiveUp) as error:
        run(panel, 43)
    run(panel, 43)

    assert f"contact {number} " in error.value.detail
    assert "Bare" not in error.value.detail
    assert "Delete it in Chatwoot" in error.value.detail
    assert panel.chat.writes == []
    drift = command(panel, "sync", "drift", "43")
    assert drift.exit_code == 1
    assert f"contact {number} " in drift.stdout


def test_a_lost_company_contact_that_is_deleted_is_made_anew(panel: Panel) -> None:
    run(panel)
    number = row(panel, name="Bare Ltda")["id"]
    lose_the_table(panel)
    with pytest.raises(GiveUp):
        run(panel, 43)
    del panel.chat.contacts[number]
    run(panel, 43)
    assert row(panel, name="Bare Ltda")["identifier"] == seats(panel, 43)[COMPANY].identifier


def test_a_visitor_who_writes_a_companys_attributes_is_not_taken_for_it(
    panel: Panel, worlds: Worlds
) -> None:
    """Such a claim is reported as a lost contact, and the contact is neither believed nor
    written."""
    mallory = Visitor(worlds.chat_url)
    claim = {"middag_organization_id": "43", "middag_role": "organization"}
    mallory.types(email="mallory@evil.example", custom_attributes=claim)
    with pytest.raises(GiveUp, match=f"contact {mallory.reads()['id']} "):
        run(panel, 43)
    assert mallory.reads()["custom_attributes"] == claim
    assert seats(panel, 43)[COMPANY].contact == 0


def test_our_own_identifier_seats_nobody_after_a_merge(panel: Panel) -> None:
    """The identifier is removed from the base, and no second contact is made while the base
    exists."""
    run(panel)
    number = row(panel, name="Bare Ltda")["id"]
    base = panel.chat.add_contact(name="Bare, by an agent")["id"]
    panel.chat.contacts[base]["identifier"] = panel.chat.contacts.pop(number)["identifier"]
    before = set(panel.chat.contacts)
    for _ in range(2):
        run(panel, 43)
    assert panel.chat.contacts[base]["identifier"] is None
    assert set(panel.chat.contacts) == before
    assert (seats(panel, 43)[COMPANY].contact, seats(panel, 43)[COMPANY].merged_into) == (0, base)
