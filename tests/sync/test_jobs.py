"""Passes with all they need: what many hooks cost, the look at all, the rehearsal, the budget."""

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from dbos import DBOSClient
from flask import Flask
from sqlalchemy import select
from werkzeug.wrappers import Response

from panel import services
from panel.cache.policy import CacheControl
from panel.data import inbox
from panel.deadline import Deadline
from panel.demo.backoffice import BackOffice
from panel.demo.chatwoot import Chatwoot, Failure, never
from panel.demo.worlds import ADMIN_TOKEN, SECRET, Server, serve
from panel.errors import PanelError, TryLater, Unreachable
from panel.services import Services
from panel.settings import from_env
from panel.sync.dry_run import DryRun, PlannedCall
from panel.sync.jobs import Jobs, LinedUp
from panel.sync.rate_limit import RateLimit
from panel.sync.reconcile import DELETED, RECONCILE
from panel.sync.tries import run_try
from panel.sync.wire import Hook
from panel.upstream.client import Client
from panel.upstream.documents import DOCUMENTS
from tests.conftest import Clock, environment
from tests.sync.engine import Engine, make_engine
from tests.sync.executor import hook
from tests.sync.test_reconcile import SOON, company, entitlement, person
from tests.sync.until import until
from tests.test_processes import gunicorn

BEARER = {"Authorization": f"Bearer {SECRET}"}


def ring(organization: int, kind: str = "entitlement.renewed", name: str = "") -> Hook:
    return hook(name or f"{kind}-{organization}-{time.monotonic_ns()}", organization, kind)


@dataclass
class Wing:
    """The writing wing of one process, between two worlds on sockets."""

    office: BackOffice
    chat: Chatwoot
    services: Services
    engine: Engine
    passes: Jobs
    environ: dict[str, str]

    def run(self, organization: int) -> None:
        self.passes.bring_in_line(organization)

    def attributes(self, email: str) -> dict[str, Any]:
        (row,) = [row for row in self.chat.contacts.values() if row["email"] == email]
        told: dict[str, Any] = row["custom_attributes"]
        return told

    def waiting(self) -> list[tuple[int, str]]:
        """(organization, kind) of every hook that waits."""
        with self.services.database.connect() as connection:
            columns = select(inbox.hooks.c.organization, inbox.hooks.c.kind)
            rows = connection.execute(columns.where(inbox.hooks.c.status == inbox.WAITING))
            return sorted((row[0], row[1]) for row in rows)

    def versions(self, organization: int) -> list[str]:
        """What somebody sees who reads the sections now."""
        read = self.services.back_office.read
        return [read(document, organization, CacheControl.FRESH).version for document in DOCUMENTS]


def inhabited() -> tuple[BackOffice, Chatwoot]:
    """Acme (42) of three people, one of whom is in Beta (45) too."""
    office, chat = BackOffice([SECRET]), Chatwoot()
    chat.add_agent(1, "Service", "service@panel.example", "administrator", ADMIN_TOKEN)
    chat.add_inbox(1, "Site", "Channel::WebWidget", {1})
    for number, name in ((42, "Acme"), (45, "Beta")):
        company(office, number, name, f"office@{number}.example")
        entitlement(office, number, number, "active", SOON)
    person(office, 42, 1, "ana@acme.example", "owner", 7)
    person(office, 42, 2, "bia@acme.example", "member", None)
    person(office, 42, 3, "caio@acme.example", "guest", None)
    person(office, 45, 9, "ana@acme.example", "admin", 7)
    return office, chat


@pytest.fixture
def sockets() -> Iterator[tuple[Server, Server]]:
    office, chat = inhabited()
    servers = serve(office), serve(chat)
    yield servers
    for server in servers:
        server.stop()


@pytest.fixture
def wing(sockets: tuple[Server, Server], url: str, tmp_path: Path) -> Iterator[Wing]:
    office_at, chat_at = sockets
    environ = environment(office_at.url, chat_at.url, tmp_path, PANEL_DATABASE_URL=url)
    settings = from_env(environ)
    shared = services.build(settings, Flask("wing"))
    engine = make_engine(settings, shared.database)
    engine.migrate()
    office, chat = office_at.app, chat_at.app
    assert isinstance(office, BackOffice)
    assert isinstance(chat, Chatwoot)
    yield Wing(office, chat, shared, engine, Jobs(shared, engine.intake), environ)
    shared.database.dispose()


on_sqlite = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


def started(wing: Wing) -> threading.Thread:
    """The engine at work; `wing.engine.stop()` ends it."""
    run = (wing.passes.bring_in_line, wing.passes.run_nightly, wing.passes.warm)
    thread = threading.Thread(target=wing.engine.worker.run, args=run)
    thread.start()
    return thread


@pytest.fixture
def working(wing: Wing) -> Iterator[Wing]:
    thread = started(wing)
    yield wing
    wing.engine.worker.stop()
    thread.join()


def answered(engine: Engine) -> bool:
    return engine.intake.stats().oldest_waiting is None


# -- many hooks ----------------------------------------------------------------------------------


def test_a_thousand_hooks_at_once_cost_eight_writes_at_most(wing: Wing) -> None:
    begun = time.monotonic()
    environ = {**wing.environ, "PANEL_WORKER": "inside"}
    with gunicorn(environ, workers=2) as served, ThreadPoolExecutor(16) as senders:
        posted = list(senders.map(poster(served.url), range(1000)))
        assert set(posted) == {202}
        until(lambda: answered(wing.engine), 60)
    assert time.monotonic() - begun < 60
    assert len(wing.chat.writes) <= 8
    assert len(wing.chat.contacts) == 4
    assert wing.engine.intake.stats().done == 1000


def poster(url: str) -> Callable[[int], int]:
    def post(number: int) -> int:
        told = {"id": f"h{number}", "event": "entitlement.renewed", "data": {"organization_id": 42}}
        told |= {"timestamp": "2026-05-04T14:30:00Z"}
        return requests.post(f"{url}/sync/hooks", json=told, headers=BEARER, timeout=30).status_code

    return post


def test_two_organizations_of_one_person_rung_at_once_are_one_contact(working: Wing) -> None:
    working.chat.delay = 0.01
    for number in range(20):
        working.engine.intake.accept(ring(42 if number % 2 else 45, name=f"h{number}"))
    until(lambda: answered(working.engine), 30)
    assert working.attributes("ana@acme.example")["middag_organization_id"] == "42,45"
    assert len(working.chat.contacts) == 5


@on_sqlite
def test_a_pass_touches_what_its_hooks_name_once_more(wing: Wing) -> None:
    wing.engine.intake.accept(ring(42, "order.refunded"))
    before = wing.versions(42)
    wing.run(42)
    changed = [old != new for old, new in zip(before, wing.versions(42), strict=True)]
    names = [document.name for document in DOCUMENTS]
    assert dict(zip(names, changed, strict=True)) == {
        "organization": True,
        "orders": True,
        "quotes": False,
        "licenses": True,
    }


@on_sqlite
def test_a_pass_that_fails_touches_them_too(wing: Wing) -> None:
    wing.engine.intake.accept(ring(42, "entitlement.renewed"))
    wing.chat.down = True
    before = wing.versions(42)
    with pytest.raises(TryLater):
        wing.run(42)
    assert wing.versions(42) != before


# -- the look at everyone --------------------------------------------------------------------------


def known(wing: Wing, count: int) -> list[int]:
    """So many organizations that a pass has seen."""
    numbers = list(range(100, 100 + count))
    for number in numbers:
        company(wing.office, number, f"Company {number}")
        wing.run(number)
    return numbers


def gone(wing: Wing, numbers: list[int]) -> None:
    """The plugin called them deleted, and the back office does not know them any more."""
    for number in numbers:
        wing.engine.intake.accept(ring(number, DELETED))
        wing.office.remove("organization", number, number)


@on_sqlite
def test_reconciling_lines_up_everyone_once(wing: Wing) -> None:
    numbers = known(wing, 5)
    assert wing.passes.reconcile() == LinedUp(5, 0, 5)
    assert wing.waiting() == [(number, RECONCILE) for number in numbers]


@on_sqlite
def test_reconciling_withholds_those_that_would_go_when_they_are_many(wing: Wing) -> None:
    numbers = known(wing, 40)
    gone(wing, numbers[:3])
    before = wing.waiting()
    assert wing.passes.reconcile() == LinedUp(37, 3, 40)
    lined_up = [row for row in wing.waiting() if row not in before]
    assert lined_up == [(number, RECONCILE) for number in numbers[3:]]


@on_sqlite
def test_reconciling_goes_on_with_force_or_when_fewer_go(wing: Wing) -> None:
    numbers = known(wing, 40)
    gone(wing, numbers[:2])
    assert wing.passes.reconcile() == LinedUp(40, 0, 40)
    gone(wing, numbers[2:6])
    assert wing.passes.reconcile(force=True) == LinedUp(40, 0, 40)
    told = [number for number, kind in wing.waiting() if kind == DELETED]
    assert sorted(set(told)) == numbers[:6]


@on_sqlite
def test_a_back_office_that_lost_everything_is_not_believed(wing: Wing) -> None:
    known(wing, 3)
    wing.office.organizations.clear()
    assert wing.passes.reconcile() == LinedUp(3, 0, 3)
    assert {kind for _, kind in wing.waiting()} == {RECONCILE}


@on_sqlite
@pytest.mark.parametrize("fault", ["rest_no_route", "403", "html", "wordpress401"])
def test_a_broken_plugin_makes_nobody_go(wing: Wing, fault: str) -> None:
    """Were each hook of a deletion followed by such an answer, nothing is lined up as deleted."""
    for number in known(wing, 3):
        wing.engine.intake.accept(ring(number, DELETED, name=f"told-{number}"))
    before = wing.waiting()
    wing.office.fault(fault)
    with suppress(PanelError):  # to stop is as right as to go on
        assert wing.passes.reconcile().withheld == 0
    assert [row for row in wing.waiting() if row[1] == DELETED] == before


def test_the_daily_look_is_scheduled_at_night(working: Wing) -> None:
    client = DBOSClient(system_database_url=working.environ["PANEL_DATABASE_URL"])
    until(lambda: len(client.list_schedules()) == 2)
    found = {row["schedule_name"]: row["schedule"] for row in client.list_schedules()}
    client.destroy()
    assert found["reconcile"] == "23 4 * * *"


@on_sqlite
def test_the_daily_look_stops_quietly_when_too_many_would_go(
    wing: Wing, caplog: pytest.LogCaptureFixture
) -> None:
    gone(wing, known(wing, 3))
    wing.passes.run_nightly()
    assert "3 of 3 known organizations would be cleared" in caplog.text


# -- the rehearsal -------------------------------------------------------------------------------


def really(wing: Wing, numbers: list[int]) -> list[tuple[str, str]]:
    """(method, path below the account) of what passes of these organizations then write."""
    wing.chat.forget()
    before = set(wing.chat.contacts)
    for number in numbers:
        wing.run(number)
    paths = [(call.method, call.path) for call in wing.chat.writes]
    told = [(method, path.removeprefix("/api/v1/accounts/1/")) for method, path in paths]
    # Whom a pass made has no number yet when it is rehearsed.
    new = {f"contacts/{number}" for number in wing.chat.contacts.keys() - before}
    return [(method, "contacts/(new)" if path in new else path) for method, path in told]


def noted(notes: list[PlannedCall]) -> list[tuple[str, str]]:
    return [(note.method, note.path) for note in notes]


def drifted(wing: Wing) -> None:
    """Everything that a pass can find changed: names, people, entitlements, what agents did."""
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
    done = really(wing, [42, 45])
    assert noted(notes).count(("POST", "contacts")) == done.count(("POST", "contacts"))


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
    (contact,) = [
        each["id"] for each in wing.chat.contacts.values() if each["email"] == BIA["email"]
    ]
    wing.office.put("collaborators", 42, BIA | fields)
    (note,) = DryRun(wing.services).run([42])
    assert note.path == f"contacts/{contact}/destroy_custom_attributes"
    assert "middag_organization_id" in note.body


def test_a_rehearsal_shows_contacts_that_earlier_versions_left_behind(wing: Wing) -> None:
    definition = {"attribute_key": "middag_organization_id", "attribute_display_type": "text"}
    wing.chat.definitions[1] = {"id": 1, "attribute_model": "contact_attribute", **definition}
    wing.run(42)
    told = {"middag_organization_id": "42", "middag_role": "member"}
    left = wing.chat.add_contact(name="Leo", email="leo@x.example", custom_attributes=told)
    (note,) = DryRun(wing.services).run([42])
    assert note.path == f"contacts/{left['id']}/destroy_custom_attributes"


def test_a_rehearsal_says_what_is_left_to_people(wing: Wing) -> None:
    wing.run(42)
    (contact,) = [each for each in wing.chat.contacts.values() if each["email"] == BIA["email"]]
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


# -- the budget ----------------------------------------------------------------------------------


class Minutes(Clock):
    """Time passes only in sleep: how long somebody waited is what it shows afterwards."""

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)


def test_no_minute_has_more_calls_than_the_budget() -> None:
    clock, at = Minutes(), []
    budget = RateLimit(5, clock, clock.sleep)
    for number in range(23):
        budget.take()
        at.append(clock.now)
        clock.advance(number % 4)
    for first, sixth in zip(at, at[5:], strict=False):
        assert sixth - first >= 60


def test_within_the_budget_nobody_waits() -> None:
    clock = Minutes()
    begun, budget = clock.now, RateLimit(300, clock, clock.sleep)
    for _ in range(60):  # a fifth of a minute's calls may be made at once
        budget.take()
    assert clock.now == begun


def test_many_threads_share_one_budget() -> None:
    tired: list[float] = []

    def sleep(seconds: float) -> None:
        tired.append(seconds)
        raise Unreachable("tired")

    budget = RateLimit(100, Clock(), sleep)
    with ThreadPoolExecutor(16) as threads:
        takes = [threads.submit(budget.take) for _ in range(160)]
    assert sum(take.exception() is None for take in takes) == 20


def test_who_waited_for_a_turn_has_the_whole_time_for_the_call(
    sockets: tuple[Server, Server],
) -> None:
    """Else a spent budget looks like a Chatwoot that does not answer, and the breaker opens."""
    client = Client(sockets[1].url, {}, gate=lambda: time.sleep(0.4))
    assert client.get("api", by=Deadline(0.3)).status == 200


@on_sqlite
def test_opening_a_panel_does_not_wait_for_the_budget(wing: Wing) -> None:
    settings = from_env({**wing.environ, "CHATWOOT_CALLS_PER_MINUTE": "1"})
    shared = services.build(settings, Flask("other"))
    passes = Jobs(shared, wing.engine.intake)
    number = wing.chat.add_contact(name="Ana", email="ana@acme.example")["id"]
    talk = wing.chat.add_conversation(number)["id"]

    def waits() -> None:
        with suppress(Exception):  # long after this test, when the worlds are gone
            passes.bring_in_line(42)

    threading.Thread(target=waits, daemon=True).start()
    until(lambda: wing.chat.calls)
    begun = time.monotonic()
    assert shared.chatwoot.conversation(talk).contact.id == number
    assert shared.chatwoot.agents()
    assert time.monotonic() - begun < 2


# -- a try that fails keeps what it reached --------------------------------------------------------


def add_colleagues(wing: Wing, count: int) -> None:
    for number in range(count):
        email = f"colleague{number}@acme.example"
        person(wing.office, 42, 100 + number, email, "member", None)


def fail_at(wing: Wing, *numbers: int, status: int = 429) -> None:
    """The calls of these numbers, counted from now, are answered so."""
    calls = itertools.count(1)
    failing = set(numbers)
    wing.chat.failures = lambda _call: Failure(status) if next(calls) in failing else None


@on_sqlite
def test_the_next_try_goes_on_behind_whom_the_last_one_reached(wing: Wing) -> None:
    add_colleagues(wing, 20)
    fail_at(wing, 40)
    with pytest.raises(TryLater) as failure:
        wing.run(42)
    assert failure.value.has_progressed
    reached = len(wing.chat.contacts)
    assert 5 < reached < 24
    wing.chat.failures = never
    wing.chat.forget()
    wing.run(42)
    assert len(wing.chat.contacts) == 24
    # What a new person costs: found by nobody, made, their conversations.
    assert len(wing.chat.calls) <= (24 - reached + 1) * 3


def test_a_new_process_goes_on_where_the_dead_one_was(wing: Wing) -> None:
    """What a try remembers dies with it; whom it seated stands in our table, and is only read."""
    add_colleagues(wing, 20)
    fail_at(wing, 40)
    with pytest.raises(TryLater):
        wing.run(42)
    seated = {
        f"contacts/{number}"
        for number, row in wing.chat.contacts.items()
        if row["custom_attributes"]
    }
    assert len(seated) > 5
    wing.chat.failures = never
    wing.chat.forget()
    Jobs(wing.services, wing.engine.intake).bring_in_line(42)
    assert len(wing.chat.contacts) == 24
    assert all(row["custom_attributes"] for row in wing.chat.contacts.values())
    paths = {call.path for call in wing.chat.calls if call.method in ("PUT", "POST")}
    assert not {path for path in paths if path.endswith(tuple(seated))}


def test_each_try_dies_and_one_call_in_twenty_fails_and_all_are_seated(wing: Wing) -> None:
    """Each process remembers nothing of the one before; one failing call fails its person."""
    add_colleagues(wing, 40)
    dice = random.Random(11)
    wing.chat.failures = lambda _call: Failure(500) if dice.random() < 0.05 else None
    left = []
    for _ in range(8):
        with suppress(TryLater):
            Jobs(wing.services, wing.engine.intake).bring_in_line(42)
        told = [row for row in wing.chat.contacts.values() if row["custom_attributes"]]
        left.append(44 - len(told))
        if not left[-1]:
            break
    assert left[0] < 22
    assert left[-1] == 0
    assert len(wing.chat.contacts) == 44


@on_sqlite
def test_a_pass_after_one_that_went_well_looks_at_everybody(wing: Wing) -> None:
    wing.run(42)
    wing.chat.forget()
    wing.run(42)
    assert wing.chat.count("/contacts/filter") > 0
    assert sum(call.path.endswith("/conversations") for call in wing.chat.calls) == 4


@on_sqlite
def test_whoever_changed_meanwhile_is_looked_at_again(wing: Wing) -> None:
    add_colleagues(wing, 20)
    fail_at(wing, 30)
    with pytest.raises(TryLater):
        wing.run(42)
    wing.chat.failures = never
    company(wing.office, 42, "Acme II", "office@42.example")
    wing.run(42)
    told = {row["custom_attributes"]["middag_organization"] for row in wing.chat.contacts.values()}
    assert told == {"Acme II"}


@on_sqlite
def test_a_try_that_came_further_is_followed_by_a_first_one(wing: Wing) -> None:
    """However many calls a minute Chatwoot allows: a large organization is done at its pace."""
    add_colleagues(wing, 12)
    engine = make_engine(wing.services.settings, wing.services.database, waits=(0.2, 3600.0))
    jobs = Jobs(wing.services, engine.intake)
    calls = itertools.count(1)
    wing.chat.failures = lambda _call: Failure(500) if next(calls) % 26 >= 20 else None
    engine.intake.accept(ring(42))
    engine.worker.start(jobs.bring_in_line)
    until(lambda: answered(engine), 60)
    engine.worker.stop()
    assert len(wing.chat.contacts) == 16


# -- what was deleted ------------------------------------------------------------------------------


@on_sqlite
def test_a_late_hook_of_a_deleted_organization_is_done(wing: Wing) -> None:
    wing.run(42)
    wing.office.remove("organization", 42, 42)
    wing.engine.worker.start(wing.passes.bring_in_line)
    wing.engine.intake.accept(ring(42, DELETED))
    until(lambda: answered(wing.engine))
    wing.chat.forget()
    wing.engine.intake.accept(ring(42, "entitlement.expired"))
    until(lambda: answered(wing.engine))
    wing.engine.worker.stop()
    assert (wing.engine.intake.list_buried(), wing.chat.writes) == ([], [])


# -- what may heal, whoever says it ----------------------------------------------------------------

PAGE = b"<html><body>Just a moment...</body></html>"
WALLS = [
    (402, b'{"error": "Account limit exceeded. Upgrade to a higher plan"}'),
    *((status, PAGE) for status in (200, 403, 404, 406, 409, 415, 418, 451)),
]


@on_sqlite
@pytest.mark.parametrize(("status", "body"), WALLS, ids=lambda value: str(value)[:12])
def test_what_a_wall_before_chatwoot_says_is_tried_again(
    wing: Wing, status: int, body: bytes
) -> None:
    kind = "text/html" if body is PAGE else "application/json"
    answer = Response(body, status, content_type=kind)
    wall = serve(answer)
    environ = {**wing.environ, "CHATWOOT_URL": wall.url}
    shared = services.build(from_env(environ), Flask("wall"))
    outcome = run_try("a pass", lambda: Jobs(shared, wing.engine.intake).bring_in_line(42))
    wall.stop()
    assert (outcome["later"], outcome["side"]) == (True, "Chatwoot")


@on_sqlite
def test_what_the_plugin_says_of_one_organization_is_given_up_at_once(wing: Wing) -> None:
    for number, fault in ((42, "403"), (999, "")):
        if fault:
            wing.office.fault(fault, number)
        outcome = run_try("a pass", partial(wing.passes.bring_in_line, number))
        assert (outcome["later"], outcome["side"]) == (False, "MIDDAG Account")
