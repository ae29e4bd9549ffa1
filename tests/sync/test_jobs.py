"""Passes with all their parts: the cost of many hooks, the comparison of all, errors that may
heal."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import pytest
import requests
from dbos import DBOSClient
from flask import Flask
from werkzeug.wrappers import Response

from panel import services
from panel.demo.worlds import SECRET, serve
from panel.errors import PanelError, TryLater
from panel.settings import from_env
from panel.sync.jobs import Jobs, ReconcileResult
from panel.sync.reconcile import DELETED, RECONCILE
from panel.sync.tries import run_try
from panel.upstream.documents import DOCUMENTS
from tests.sync.passes import company
from tests.sync.until import until
from tests.sync.wings import Wing, answered, on_sqlite, ring, sockets, wing
from tests.test_processes import gunicorn

__all__ = ["sockets", "wing"]  # fixtures


BEARER = {"Authorization": f"Bearer {SECRET}"}


def started(wing: Wing) -> threading.Thread:
    """Start the engine; `wing.engine.stop()` ends it."""
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


# -- many hooks ------------------------------------------------------------------------------------


def test_a_thousand_hooks_at_once_cost_eight_writes_at_most(wing: Wing) -> None:
    started_at = time.monotonic()
    environ = {**wing.environ, "PANEL_WORKER": "inside"}
    with gunicorn(environ, workers=2) as served, ThreadPoolExecutor(16) as senders:
        posted = list(senders.map(poster(served.url), range(1000)))
        assert set(posted) == {202}
        until(lambda: answered(wing.engine), 60)
    assert time.monotonic() - started_at < 60
    assert len(wing.chat.writes) <= 8
    assert len(wing.chat.contacts) == 4
    assert wing.engine.intake.stats().done == 1000


def poster(url: str) -> Callable[[int], int]:
    def post(number: int) -> int:
        event = {
            "id": f"h{number}",
            "event": "entitlement.renewed",
            "data": {"organization_id": 42},
        }
        event |= {"timestamp": "2026-05-04T14:30:00Z"}
        return requests.post(
            f"{url}/sync/hooks", json=event, headers=BEARER, timeout=30
        ).status_code

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
    changes = [old != new for old, new in zip(before, wing.versions(42), strict=True)]
    names = [document.name for document in DOCUMENTS]
    assert dict(zip(names, changes, strict=True)) == {
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


# -- the comparison of all ------------------------------------------------------------------------


def known(wing: Wing, count: int) -> list[int]:
    """Make so many organizations that a pass has seen; returns their ids."""
    numbers = list(range(100, 100 + count))
    for number in numbers:
        company(wing.office, number, f"Company {number}")
        wing.run(number)
    return numbers


def gone(wing: Wing, numbers: list[int]) -> None:
    """Let the plugin call organizations deleted, and the back office forget them."""
    for number in numbers:
        wing.engine.intake.accept(ring(number, DELETED))
        wing.office.remove("organization", number, number)


@on_sqlite
def test_reconciling_lines_up_everyone_once(wing: Wing) -> None:
    numbers = known(wing, 5)
    assert wing.passes.reconcile() == ReconcileResult(5, 0, 5)
    assert wing.waiting() == [(number, RECONCILE) for number in numbers]


@on_sqlite
def test_reconciling_withholds_those_that_would_go_when_they_are_many(wing: Wing) -> None:
    numbers = known(wing, 40)
    gone(wing, numbers[:3])
    before = wing.waiting()
    assert wing.passes.reconcile() == ReconcileResult(37, 3, 40)
    lined_up = [row for row in wing.waiting() if row not in before]
    assert lined_up == [(number, RECONCILE) for number in numbers[3:]]


@on_sqlite
def test_reconciling_goes_on_with_force_or_when_fewer_go(wing: Wing) -> None:
    numbers = known(wing, 40)
    gone(wing, numbers[:2])
    assert wing.passes.reconcile() == ReconcileResult(40, 0, 40)
    gone(wing, numbers[2:6])
    assert wing.passes.reconcile(force=True) == ReconcileResult(40, 0, 40)
    deleted = [number for number, kind in wing.waiting() if kind == DELETED]
    assert sorted(set(deleted)) == numbers[:6]


@on_sqlite
def test_a_back_office_that_lost_everything_is_not_believed(wing: Wing) -> None:
    known(wing, 3)
    wing.office.organizations.clear()
    assert wing.passes.reconcile() == ReconcileResult(3, 0, 3)
    assert {kind for _, kind in wing.waiting()} == {RECONCILE}


@on_sqlite
@pytest.mark.parametrize("fault", ["rest_no_route", "403", "html", "wordpress401"])
def test_a_broken_plugin_makes_nobody_go(wing: Wing, fault: str) -> None:
    """Even if each hook of a deletion is followed by such an answer, no organization is lined up as
    deleted."""
    for number in known(wing, 3):
        wing.engine.intake.accept(ring(number, DELETED, name=f"told-{number}"))
    before = wing.waiting()
    wing.office.fault(fault)
    with suppress(PanelError):  # the comparison may stop, or go on
        assert wing.passes.reconcile().withheld == 0
    assert [row for row in wing.waiting() if row[1] == DELETED] == before


def test_the_daily_look_is_scheduled_at_night(working: Wing) -> None:
    client = DBOSClient(system_database_url=working.environ["PANEL_DATABASE_URL"])
    until(lambda: len(client.list_schedules()) == 2)
    schedules = {row["schedule_name"]: row["schedule"] for row in client.list_schedules()}
    client.destroy()
    assert schedules["reconcile"] == "23 4 * * *"


@on_sqlite
def test_the_daily_look_stops_quietly_when_too_many_would_go(
    wing: Wing, caplog: pytest.LogCaptureFixture
) -> None:
    gone(wing, known(wing, 3))
    wing.passes.run_nightly()
    assert "3 of 3 known organizations would be cleared" in caplog.text


# -- deleted organizations
# ----------------------------------------------------------------------------


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


# -- errors that may heal, of either side
# ---------------------------------------------------------------


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
