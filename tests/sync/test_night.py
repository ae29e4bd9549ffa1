"""The night, on either database, between the built-in worlds: what it costs and what it finds."""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from panel import services
from panel.cache.policy import CacheControl
from panel.data import tasks
from panel.data.directory import Directory, Person, organizations
from panel.data.nights import NightRow, Nights
from panel.data.readings import Readings, readings
from panel.data.sightings import sightings
from panel.data.tasks import NAMING, Task
from panel.demo.backoffice import BackOffice
from panel.demo.chatwoot import Chatwoot, Failure, never
from panel.demo.scenarios import WEB
from panel.demo.world import Call, Json
from panel.demo.worlds import ADMIN_TOKEN, SECRET, Server, serve
from panel.settings import from_env
from panel.sync import night_strays
from panel.sync.jobs import Jobs
from panel.sync.news import News
from panel.sync.night_strays import DAYS
from panel.sync.people import OUR_ATTRIBUTES
from panel.sync.reconcile import DELETED, RECONCILE
from panel.upstream.chatwoot import ID_ATTRIBUTE
from panel.upstream.documents import ORGANIZATION
from tests.conftest import environment
from tests.sync.engine import make_engine
from tests.sync.test_jobs import Wing, ring
from tests.sync.test_reconcile import SOON, company, entitlement, person
from tests.sync.until import until
from tests.test_processes import ROOT

FIRST, PEOPLE = 1000, 2  # and the company's own contact
COMPANIES = 40


def define_attributes(chat: Chatwoot) -> None:
    for number, key in enumerate(OUR_ATTRIBUTES, start=1):
        kind = {"attribute_model": "contact_attribute", "attribute_display_type": "text"}
        chat.definitions[number] = {"id": number, "attribute_key": key, **kind}
    of_talks = {"attribute_model": "conversation_attribute", "attribute_display_type": "text"}
    chat.definitions[99] = {"id": 99, "attribute_key": ID_ATTRIBUTE, **of_talks}


def add_company(office: BackOffice, number: int) -> None:
    company(office, number, f"Company {number}", f"office@{number}.example")
    entitlement(office, number, number, "active", SOON)
    for each in range(PEOPLE):
        name = number * 10 + each
        person(office, number, name, f"person{name}@{number}.example", "member", name)


@pytest.fixture
def sockets() -> Iterator[tuple[Server, Server]]:
    office, chat = BackOffice([SECRET]), Chatwoot()
    chat.add_agent(1, "Service", "service@panel.example", "administrator", ADMIN_TOKEN)
    define_attributes(chat)
    servers = serve(office), serve(chat)
    yield servers
    for server in servers:
        server.stop()


@pytest.fixture
def wing(sockets: tuple[Server, Server], url: str, tmp_path: Any) -> Iterator[Wing]:
    more = {"CHATWOOT_CALLS_PER_MINUTE": "100000", "PANEL_DATABASE_URL": url}
    environ = environment(sockets[0].url, sockets[1].url, tmp_path, **more)
    settings = from_env(environ)
    shared = services.build(settings, Flask("night"))
    engine = make_engine(settings, shared.database)
    engine.migrate()
    office, chat = sockets[0].app, sockets[1].app
    assert isinstance(office, BackOffice)
    assert isinstance(chat, Chatwoot)
    yield Wing(office, chat, shared, engine, Jobs(shared, engine.intake), environ)
    shared.database.dispose()


def bring(wing: Wing, count: int = COMPANIES) -> list[int]:
    """So many organizations that a pass has brought in line a moment ago."""
    numbers = list(range(FIRST, FIRST + count))
    for number in numbers:
        add_company(wing.office, number)
        wing.run(number)
    return numbers


def last(wing: Wing) -> NightRow:
    night = Nights(wing.services.database).read_last()
    assert night is not None
    return night


def run_passes(wing: Wing) -> None:
    """What the night has lined up is done."""
    for number, _ in wing.waiting():
        wing.run(number)


def contact_of(wing: Wing, email: str) -> Json:
    (row,) = [row for row in wing.chat.contacts.values() if row["email"] == email]
    return row


def longest_unread(wing: Wing, organization: int) -> None:
    """From now on it has the first turn."""
    with wing.services.database.begin() as connection:
        here = readings.c.organization == organization
        connection.execute(update(readings).where(here).values(read_at=1.0))


# -- what it costs ---------------------------------------------------------------------------------


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
    asked = {call.path.rpartition("/")[2] for call in wing.office.calls}
    assert asked >= set(map(str, numbers))
    # An organization, its people and its entitlements; three of them each night.
    assert len(wing.office.calls) == 7 * 3 * 3


# -- what it finds ---------------------------------------------------------------------------------


def promote(wing: Wing, organization: int) -> str:
    """The first of its people owns it from now on; nobody rings. Returns the e-mail."""
    row = dict(wing.office.rows("collaborators", organization)[0])
    wing.office.put("collaborators", organization, {**row, "role": "owner"})
    return str(row["email"])


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
    lost = wing.chat.add_conversation(contact, WEB, 9001)
    solved = wing.chat.add_conversation(contact, WEB, 9002)
    solved["status"] = "resolved"
    nobody = wing.chat.add_contact(8000, name="Nobody", email="nobody@elsewhere.example")
    wing.chat.add_conversation(nobody["id"], WEB, 9003)
    wing.passes.run_nightly()
    with wing.services.database.begin() as connection:
        due = [task for task, _ in tasks.find_due(connection, [NAMING], 9, time.time())]
    assert due == [Task(NAMING, lost["id"])]


def test_a_contact_whose_webhook_was_lost_is_found_within_seven_nights(wing: Wing) -> None:
    numbers = bring(wing)
    wing.chat.add_contact(8000, name="Nobody", email="nobody@elsewhere.example")
    wing.chat.add_contact(8001, name="Person", email="OFFICE@1020.example")
    found = list[tuple[int, str]]()
    for _ in range(7):
        wing.passes.run_nightly()
        found += wing.waiting()
    assert 1020 in numbers
    assert set(found) == {(1020, RECONCILE)}


@pytest.mark.parametrize("contacts", [30, 90, 120, 300, 6000])
def test_looking_for_lost_webhooks_keeps_within_a_twelfth_or_has_one_night_of_seven(
    contacts: int,
) -> None:
    nights = [NightRow(day * 86400.0, 0.0, contacts=contacts) for day in range(7)]
    looks = [sum(night_strays.has_turn(each, half) for half in DAYS) for each in nights]
    pages = -(-contacts // 15)
    assert all(each in (0, 1) or pages + each <= contacts / 12 for each in looks)
    assert sum(looks) >= 2


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
        here = organizations.c.id == 1001
        connection.execute(update(organizations).where(here).values(next_expiry=yesterday))
    wing.passes.run_nightly()
    assert (1001, RECONCILE) in wing.waiting()


def test_a_contact_that_a_shifting_page_missed_is_read_singly(wing: Wing) -> None:
    bring(wing, 10)
    shifted = min(wing.chat.contacts)

    def shift(call: Any) -> Failure | None:
        """Between the first page and the second the first contact of all goes for a moment."""
        if call.query.get("page") == "2" and shifted in wing.chat.contacts:
            kept.append(wing.chat.contacts.pop(shifted))
        if call.path.endswith(f"/contacts/{shifts[0]}"):
            shifts.append(shifts[0])
        return None

    kept: list[Json] = []
    shifts = [sorted(wing.chat.contacts)[15]]
    wing.chat.failures = shift
    wing.chat.forget()
    wing.passes.run_nightly()
    assert len(shifts) == 2
    # The one that is gone was on a page already; nothing is made, and nobody reported missing.
    assert (last(wing).single, wing.waiting(), wing.chat.writes) == (1, [], [])


# -- what troubles it ------------------------------------------------------------------------------


def test_one_that_was_called_deleted_once_costs_its_turn_alone(wing: Wing) -> None:
    numbers = bring(wing, 14)
    wing.engine.intake.accept(ring(numbers[3], DELETED))
    wing.office.fault("502", numbers[3])
    promote(wing, numbers[5])
    longest_unread(wing, numbers[5])
    wing.passes.run_nightly()
    night = last(wing)
    assert night.ended_at
    assert (night.compared, night.skipped) == (2, 1)
    assert (numbers[5], RECONCILE) in wing.waiting()
    assert f"organization {numbers[3]}" in (night.trouble or "")


def test_one_gone_of_ten_is_withheld_and_said(wing: Wing, caplog: pytest.LogCaptureFixture) -> None:
    numbers = bring(wing, 10)
    wing.engine.intake.accept(ring(numbers[3], DELETED))
    wing.office.remove("organization", numbers[3], numbers[3])
    before = wing.waiting()
    promote(wing, numbers[5])
    longest_unread(wing, numbers[5])
    wing.passes.run_nightly()
    night = last(wing)
    assert (night.withheld, night.compared) == (1, 2)
    assert [row for row in wing.waiting() if row not in before] == [(numbers[5], RECONCILE)]
    assert "1 of 10 known organizations would be cleared" in caplog.text


def test_one_gone_of_thirty_is_cleared(wing: Wing) -> None:
    numbers = bring(wing, 30)
    wing.engine.intake.accept(ring(numbers[3], DELETED))
    wing.office.remove("organization", numbers[3], numbers[3])
    wing.passes.run_nightly()
    assert [row[1] for row in wing.waiting()] == [DELETED, DELETED]
    assert last(wing).withheld == 0


@contextmanager
def running(wing: Wing) -> Iterator[threading.Event]:
    """The worker's thread of nights; its event ends it."""
    ended = threading.Event()
    thread = threading.Thread(target=wing.passes.keep_nights, args=[ended])
    thread.start()
    yield ended
    ended.set()
    thread.join()


def test_a_back_office_that_is_away_for_a_while_costs_turns_and_not_the_night(wing: Wing) -> None:
    bring(wing, 14)
    wing.office.fault("502")
    wing.passes.begin_night()
    with running(wing):
        until(lambda: last(wing).skipped >= 1, 60)
        wing.office.heal()
        until(lambda: last(wing).ended_at, 100)
    night = last(wing)
    assert night.compared == night.wanted == 2
    assert (night.side, "http_502" in str(night.trouble)) == ("MIDDAG Account", True)


def test_a_chatwoot_that_is_away_for_a_while_is_waited_for(wing: Wing) -> None:
    bring(wing, 14)
    wing.chat.down = True
    wing.passes.begin_night()
    with running(wing):
        until(lambda: last(wing).trouble, 60)
        wing.chat.down = False
        until(lambda: last(wing).ended_at, 100)
    night = last(wing)
    assert (night.contacts, night.single) == (14 * (PEOPLE + 1), 0)


def test_an_account_without_our_attributes_is_compared_with_the_back_office_alone(
    wing: Wing,
) -> None:
    bring(wing, 3)
    wing.chat.definitions.clear()
    wing.passes.run_nightly()
    night = last(wing)
    assert (night.contacts, night.single, night.compared) == (0, 0, 1)
    assert (night.skipped, night.side) == (1, "Chatwoot")


def test_a_database_that_is_busy_for_seconds_costs_a_rest(
    wing: Wing, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    bring(wing, 3)
    wing.passes.begin_night()
    with wing.services.database.connect() as busy:
        lock = (
            "LOCK TABLE nights IN EXCLUSIVE MODE"
            if not wing.engine.on_sqlite
            else "BEGIN IMMEDIATE"
        )
        busy.exec_driver_sql(lock)
        with running(wing):
            until(lambda: "the night rests" in caplog.text, 60)
            busy.rollback()
            until(lambda: last(wing).ended_at, 60)
    night = last(wing)
    assert (night.compared, night.skipped, night.lined_up) == (1, 0, 0)


# -- when ------------------------------------------------------------------------------------------


def test_a_night_that_was_missed_is_made_up_for(wing: Wing) -> None:
    bring(wing, 3)
    ago = datetime.now(UTC).timestamp() - 2 * 86400
    Nights(wing.services.database).put(NightRow(ago, ago, ended_at=ago + 60))
    with running(wing):
        until(lambda: last(wing).begun_at > ago and last(wing).ended_at)
    assert last(wing).contacts == 9


def test_a_new_installation_waits_for_its_first_night(wing: Wing) -> None:
    bring(wing, 1)
    wing.chat.forget()
    with running(wing):
        until(lambda: Nights(wing.services.database).read_last())
    assert wing.chat.calls == []


def test_a_night_that_is_under_way_is_no_second_one(wing: Wing) -> None:
    bring(wing, 3)
    wing.passes.begin_night()
    begun = last(wing).begun_at
    wing.passes.run_nightly()
    assert last(wing).begun_at == begun


def spawn(wing: Wing) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "flask", "--app", "app", "sync", "worker"]
    environ = {**wing.environ, "PANEL_WORKER": "separate", "PATH": os.environ["PATH"]}
    return subprocess.Popen(command, cwd=ROOT, env=environ)


def test_a_night_goes_on_where_its_worker_was_killed(wing: Wing) -> None:
    bring(wing, 20)
    go_on = threading.Event()

    def hang(call: Any) -> Failure | None:
        if call.query.get("page") == "3":
            go_on.wait(60)
        return None

    wing.chat.failures = hang
    wing.passes.begin_night()
    wing.chat.forget()
    first = spawn(wing)
    until(lambda: pages(wing)[-1:] == [3], 60)
    first.kill()
    first.wait()
    go_on.set()
    second = spawn(wing)
    try:
        until(lambda: last(wing).ended_at, 60)
    finally:
        second.terminate()
        second.wait()
    assert pages(wing) == [1, 2, 3, 3, 4]
    assert (last(wing).contacts, last(wing).compared) == (60, 3)


def pages(wing: Wing) -> list[int]:
    """Of the bulk read, as they were asked for."""
    return [int(call.query["page"]) for call in wing.chat.calls if "page" in call.query]


# -- a pass after a hook ---------------------------------------------------------------------------


def pass_after(wing: Wing, organization: int, kind: str = "entitlement.renewed") -> int:
    """Calls to Chatwoot of a pass after a hook of this kind."""
    wing.engine.intake.accept(ring(organization, kind))
    wing.chat.forget()
    wing.run(organization)
    return len(wing.chat.calls)


def test_a_pass_after_a_hook_without_news_reads_no_contact(wing: Wing) -> None:
    (number,) = bring(wing, 1)
    assert pass_after(wing, number) == 0


def test_a_pass_after_a_hook_reads_those_alone_of_whom_something_has_changed(wing: Wing) -> None:
    (number,) = bring(wing, 1)
    email = promote(wing, number)
    assert pass_after(wing, number, "collaborator.updated") == 4
    changed = contact_of(wing, email)["id"]
    assert [call.path.rpartition("/")[2] for call in wing.chat.writes] == [str(changed)]
    assert wing.attributes(email)["middag_role"] == "owner"


def test_a_pass_notes_what_it_wrote_although_our_tables_say_more_by_now(wing: Wing) -> None:
    """Another organization's pass seats the person meanwhile, and is killed before it tells them:
    the next one has to."""
    first, second = bring(wing, 2)
    email = promote(wing, second)
    contact = int(contact_of(wing, email)["id"])
    person(wing.office, first, 7, email, "member", 7)
    seat = Person(first, "collaborator:7", contact, "member", email)

    def seat_meanwhile(call: Call) -> None:
        if call.path.endswith(f"/contacts/{contact}/conversations"):
            Directory(wing.services.database).put_person(seat)

    wing.chat.failures = seat_meanwhile
    pass_after(wing, second, "collaborator.updated")
    wing.chat.failures = never
    pass_after(wing, first, "collaborator.added")
    assert wing.attributes(email)["middag_organization_id"] == f"{first},{second}"


def test_what_was_not_seen_within_the_day_is_read_again(wing: Wing) -> None:
    (number,) = bring(wing, 1)
    with wing.services.database.begin() as connection:
        connection.execute(update(sightings).values(seen_at=sightings.c.seen_at - 27 * 3600))
    contact_of(wing, f"office@{number}.example")["custom_attributes"]["middag_plan"] = "Gold"
    assert pass_after(wing, number) > 0
    assert "middag_plan" not in wing.attributes(f"office@{number}.example")
    with wing.services.database.begin() as connection:
        connection.execute(update(sightings).values(seen_at=sightings.c.seen_at - 27 * 3600))
    wing.passes.run_nightly()
    assert pass_after(wing, number) == 0


def test_a_pass_that_chatwoot_asked_for_looks_for_everybody(wing: Wing) -> None:
    (number,) = bring(wing, 1)
    assert pass_after(wing, number, "chatwoot.contact_created") > 0


def test_who_leaves_is_cleared_although_nobody_else_is_read(wing: Wing) -> None:
    (number,) = bring(wing, 1)
    wing.office.remove("collaborators", number, number * 10)
    pass_after(wing, number, "collaborator.removed")
    assert wing.attributes(f"person{number * 10}@{number}.example") == {}
    assert {call.path.rpartition("/")[2] for call in wing.chat.writes} == {
        "destroy_custom_attributes"
    }
