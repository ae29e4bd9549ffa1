"""Troubles of a night, its beginning, and the process that goes on with it."""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from panel.data.nights import CLOSING, CONTACTS, OFFICE, NightRow, Nights
from panel.demo.chatwoot import Failure
from panel.sync.night import MOST_RESTS, RESTS
from panel.sync.reconcile import DELETED, RECONCILE
from tests.sync.nights import PEOPLE, bring, last, longest_unread, pages, promote, sockets, wing
from tests.sync.until import until
from tests.sync.wings import Wing, on_sqlite, ring
from tests.test_processes import ROOT

__all__ = ["sockets", "wing"]  # fixtures


# -- troubles -----------------------------------------------------------------------------


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
    """Run the worker's thread of nights; its event ends the thread."""
    stop = threading.Event()
    thread = threading.Thread(target=wing.passes.keep_nights, args=[stop])
    thread.start()
    yield stop
    stop.set()
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


class Restless(threading.Event):
    """Ends a worker after so many rests, none of which takes any time. `seen`: what `look` returned
    after each step."""

    def __init__(self, rests: int, look: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.rests_left, self.taken = rests, list[float]()
        self.look, self.seen = look, list[object]()

    def wait(self, timeout: float | None = None) -> bool:
        self.seen.append(self.look())
        if timeout:
            self.taken.append(timeout)
            self.rests_left -= 1
        if self.rests_left <= 0:
            self.set()
        return self.is_set()


@on_sqlite
def test_a_chatwoot_that_stays_away_costs_the_contacts_of_the_night_alone(wing: Wing) -> None:
    bring(wing, 1)
    wing.chat.down = True
    wing.passes.begin_night()
    restless = Restless(MOST_RESTS - 1)
    wing.passes.keep_nights(restless)
    rests = restless.taken[: MOST_RESTS - 1]  # behind them it waits for the next night
    assert rests == [*RESTS, *[RESTS[-1]] * (len(rests) - len(RESTS))]
    assert (last(wing).phase, last(wing).skipped) == (CONTACTS, 0)
    restless = Restless(2, lambda: (last(wing).phase, last(wing).place))
    wing.passes.keep_nights(restless)
    assert next(row for row in restless.seen if row != (CONTACTS, 0)) == (OFFICE, 0)
    assert (last(wing).phase, last(wing).skipped) == (CLOSING, 1)


@on_sqlite
def test_a_back_office_that_stays_away_is_waited_for(wing: Wing) -> None:
    bring(wing, 7)
    wing.office.fault("502")
    wing.passes.begin_night()
    wing.passes.keep_nights(Restless(MOST_RESTS + 20))
    assert (last(wing).phase, last(wing).ended_at) == (OFFICE, None)


@on_sqlite
def test_a_night_compares_no_more_than_its_share(wing: Wing) -> None:
    bring(wing, 1)
    wing.passes.begin_night()
    night = replace(last(wing), phase=OFFICE, compared=300, wanted=300)
    Nights(wing.services.database).put(night)
    wing.passes.keep_nights(Restless(1))
    assert (last(wing).ended_at is None, last(wing).compared) == (False, 300)


def test_an_account_without_our_attributes_is_compared_with_the_back_office_alone(
    wing: Wing, caplog: pytest.LogCaptureFixture
) -> None:
    bring(wing, 3)
    wing.chat.definitions.clear()
    wing.chat.forget()
    wing.passes.run_nightly()
    assert pages(wing) == [1]  # nobody asks again in vain
    assert "a step of the night broke" not in caplog.text  # it says a trouble of Chatwoot
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


# -- the beginning
# -----------------------------------------------------------------------------------------


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
    started_at = last(wing).begun_at
    wing.passes.run_nightly()
    assert last(wing).begun_at == started_at


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
