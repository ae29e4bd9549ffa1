"""The night, on either database, between the built-in worlds: its cost and its findings."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from panel.cache.policy import CacheControl
from panel.data import tasks
from panel.data.directory import organizations
from panel.data.nights import NightRow
from panel.data.readings import Readings
from panel.data.tasks import NAMING, Task
from panel.demo.chatwoot import Failure
from panel.demo.scenarios import WEB
from panel.demo.world import Json
from panel.sync import night_strays
from panel.sync.news import News
from panel.sync.night_strays import DAYS
from panel.sync.reconcile import RECONCILE
from panel.upstream.documents import ORGANIZATION
from tests.sync.nights import (
    COMPANIES,
    PEOPLE,
    bring,
    contact_of,
    last,
    longest_unread,
    promote,
    sockets,
    wing,
)
from tests.sync.wings import Wing

__all__ = ["sockets", "wing"]  # fixtures


def run_passes(wing: Wing) -> None:
    """Run the passes that the night has lined up."""
    for number, _ in wing.waiting():
        wing.run(number)


# -- the cost of a night
# --------------------------------------------------------------------------------


def test_a_night_without_changes_costs_a_twelfth_of_a_call_for_each_contact(wing: Wing) -> None:
    bring(wing)
    wing.chat.forget()
    wing.office.forget()
    wing.passes.run_nightly()
    calls, contacts = len(wing.chat.calls), len(wing.chat.contacts)
    assert contacts == COMPANIES * (PEOPLE + 1)
    assert calls / contacts <= 1 / 12
    assert wing.waiting() == []
    night = last(wing)
    assert (night.contacts, night.single, night.lined_up) == (contacts, 0, 0)
    assert (night.compared, night.wanted) == (6, 6)


def test_each_organization_has_its_turn_within_seven_nights(wing: Wing) -> None:
    numbers = bring(wing, 15)
    wing.office.forget()
    for _ in range(7):
        wing.passes.run_nightly()
    paths = {call.path.rpartition("/")[2] for call in wing.office.calls}
    assert paths >= set(map(str, numbers))
    # Three organizations a night, with three calls each: organization, people, entitlements.
    assert len(wing.office.calls) == 7 * 3 * 3


# -- the findings of a night
# --------------------------------------------------------------------------------


def test_a_change_without_any_hook_arrives_within_seven_nights(wing: Wing) -> None:
    email = promote(wing, bring(wing, 14)[9])
    for _ in range(7):
        wing.passes.run_nightly()
        run_passes(wing)
    assert wing.attributes(email)["middag_role"] == "owner"


def test_who_has_been_unread_for_longest_has_the_first_turn(wing: Wing) -> None:
    number = bring(wing, 7)[4]
    promote(wing, number)
    longest_unread(wing, number)
    wing.passes.run_nightly()
    assert wing.waiting() == [(number, RECONCILE)]


def test_an_opening_that_shows_a_newer_truth_brings_an_organization_forward(wing: Wing) -> None:
    numbers = bring(wing, 14)
    back_office = wing.services.back_office
    back_office.on_read = News(wing.services.directory, Readings(wing.services.database)).note
    for number in numbers:
        back_office.read(ORGANIZATION, number, CacheControl.NO_CACHE)
    wing.office.organizations[numbers[9]]["name"] = "Renamed"
    back_office.read(ORGANIZATION, numbers[9], CacheControl.NO_CACHE)
    wing.office.forget()
    wing.passes.run_nightly()
    assert wing.waiting() == [(numbers[9], RECONCILE)]
    assert wing.office.calls[0].path.endswith(f"/{numbers[9]}")


def test_what_somebody_overwrote_is_put_back(wing: Wing) -> None:
    bring(wing, 3)
    row = contact_of(wing, "office@1001.example")
    row["custom_attributes"]["middag_plan"] = "Platinum"
    wing.passes.run_nightly()
    assert wing.waiting() == [(1001, RECONCILE)]
    run_passes(wing)
    assert "middag_plan" not in row["custom_attributes"]


def test_a_contact_that_was_erased_is_found_out(wing: Wing) -> None:
    bring(wing, 3)
    erased = contact_of(wing, "office@1001.example")["id"]
    del wing.chat.contacts[erased]
    wing.passes.run_nightly()
    assert (last(wing).single, wing.waiting()) == (1, [(1001, RECONCILE)])


def test_who_was_erased_has_no_pass_each_night(wing: Wing) -> None:
    bring(wing, 3)
    del wing.chat.contacts[contact_of(wing, "office@1001.example")["id"]]
    wing.passes.run_nightly()
    run_passes(wing)
    assert wing.services.directory.list_absent() == {(1001, "organization")}
    before = wing.waiting()
    wing.passes.run_nightly()
    assert last(wing).lined_up == 0
    assert wing.waiting() == before


def test_a_conversation_whose_webhook_was_lost_is_named(wing: Wing) -> None:
    bring(wing)
    contact = contact_of(wing, "office@1001.example")["id"]
    talk = wing.chat.add_conversation(contact, WEB, 9001)
    solved = wing.chat.add_conversation(contact, WEB, 9002)
    solved["status"] = "resolved"
    nobody = wing.chat.add_contact(8000, name="Nobody", email="nobody@elsewhere.example")
    wing.chat.add_conversation(nobody["id"], WEB, 9003)
    wing.passes.run_nightly()
    with wing.services.database.begin() as connection:
        due_tasks = [task for task, _ in tasks.find_due(connection, [NAMING], 9, time.time())]
    assert due_tasks == [Task(NAMING, talk["id"])]


def test_a_contact_whose_webhook_was_lost_is_found_within_seven_nights(wing: Wing) -> None:
    numbers = bring(wing)
    wing.chat.add_contact(8000, name="Nobody", email="nobody@elsewhere.example")
    wing.chat.add_contact(8001, name="Person", email="OFFICE@1020.example")
    pairs = list[tuple[int, str]]()
    for _ in range(7):
        wing.passes.run_nightly()
        pairs += wing.waiting()
    assert 1020 in numbers
    assert set(pairs) == {(1020, RECONCILE)}


@pytest.mark.parametrize(
    ("contacts", "turns"), [(30, 2), (90, 2), (120, 14), (300, 14), (6000, 14)]
)
def test_looking_for_lost_webhooks_keeps_within_a_twelfth_or_has_one_night_of_seven(
    contacts: int, turns: int
) -> None:
    nights = [NightRow(day * 86400.0, 0.0, contacts=contacts) for day in range(7)]
    looks = [sum(night_strays.has_turn(night, half) for half in DAYS) for night in nights]
    pages = -(-contacts // 15)
    assert all(look in (0, 1) or pages + look <= contacts / 12 for look in looks)
    assert sum(looks) == turns


def test_a_seat_without_a_contact_has_a_pass(wing: Wing) -> None:
    bring(wing, 3)
    wing.services.directory.remove_contact(
        1002, "organization", contact_of(wing, "office@1002.example")["id"]
    )
    wing.passes.run_nightly()
    assert set(wing.waiting()) == {(1002, RECONCILE)}


def test_an_organization_whose_expiry_has_passed_has_a_pass(wing: Wing) -> None:
    bring(wing, 3)
    yesterday = datetime.now(UTC).date() - timedelta(days=2)
    with wing.services.database.begin() as connection:
        condition = organizations.c.id == 1001
        connection.execute(update(organizations).where(condition).values(next_expiry=yesterday))
    wing.passes.run_nightly()
    assert (1001, RECONCILE) in wing.waiting()


@pytest.mark.parametrize("failure", [None, Failure(500)])
def test_a_contact_that_a_shifting_page_missed_is_read_singly_and_costs_its_turn_alone(
    wing: Wing, failure: Failure | None
) -> None:
    bring(wing, 10)
    shifted = min(wing.chat.contacts)

    def shift(call: Any) -> Failure | None:
        """Hide the first contact for a moment, between the first page and the second."""
        if call.query.get("page") == "2" and shifted in wing.chat.contacts:
            rows.append(wing.chat.contacts.pop(shifted))
        if call.path.endswith(f"/contacts/{shifts[0]}"):
            shifts.append(shifts[0])
            return failure
        return None

    rows: list[Json] = []
    shifts = [sorted(wing.chat.contacts)[15]]
    wing.chat.failures = shift
    wing.chat.forget()
    wing.passes.run_nightly()
    assert len(shifts) >= 2
    assert last(wing).skipped == bool(failure)
    # The hidden contact was on a page already: nothing is made, and nobody is reported missing.
    assert (last(wing).single, wing.waiting(), wing.chat.writes) == (1, [], [])
