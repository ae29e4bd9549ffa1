"""`sync status`: reports that all is well only when it is, and otherwise the fault, the side and
the remedy."""

import signal
import subprocess
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import text

from panel.data.directory import Person
from panel.data.links import CONTACT, PICKED, Link
from panel.data.workers import BEAT_SECONDS, STOPPED
from panel.health.worker_health import SILENT_SECONDS, STUCK_SECONDS
from panel.services import get
from panel.sync.intake import Intake
from panel.sync.jobs import Jobs
from panel.sync.worker import Worker
from tests.cli.running import FINE, FOUND, make, panel, read, run, worlds
from tests.cli.statuses import Spawn, problems, read_word, spawn, wait_for, working
from tests.conftest import MakePanel, Panel, wait_until
from tests.sync.engine import engine_of
from tests.sync.executor import hook

__all__ = ["make", "panel", "spawn", "working", "worlds"]  # fixtures


def let_pass(panel: Panel, seconds: float) -> None:
    """Move the workers' last beats back by these seconds."""
    with panel.services.database.begin() as connection:
        for column in ("beat_at", "since", "ended_at"):
            connection.execute(text(f"UPDATE workers SET {column} = {column} - {seconds}"))


# -- work that passes leave to people
# ----------------------------------------------------------------


@pytest.mark.usefixtures("working")
def test_contacts_that_wait_for_a_decision_are_counted_and_are_no_trouble(panel: Panel) -> None:
    directory = panel.services.directory
    directory.put_person(Person(42, "collaborator:1", 0, "owner", "a@x.example", merged_into=9))
    directory.put_person(Person(42, "collaborator:2", 8, "owner", "b@x.example"))
    panel.services.links.put(Link(CONTACT, 7, 42, PICKED, agent=2))
    directory.put_person(Person(42, "collaborator:3", 0, "owner", "c@x.example", merged_into=7))
    assert read(panel, "sync status", FINE)["left_to_people"] == 1
    assert "left      1 person's contact to you" in run(panel, "sync status").stdout


# -- the workers --------------------------------------------------------------------------------


@pytest.mark.usefixtures("working")
def test_a_quiet_panel_whose_worker_works_is_well(panel: Panel) -> None:
    report = read(panel, "sync status", FINE)
    nothing: dict[str, Any] = {"state": "unused", "last_accepted": None, "refused": {}}
    assert (report["is_well"], report["problems"]) == (True, [])
    figures = ("waiting", "running", "buried", "done", "tasks")
    assert [report[name] for name in figures] == [0] * 5
    assert (report["retrying"], report["failing"], report["failing_tasks"]) == ([], [], [])
    assert report["chatwoot_webhooks"] == nothing | {"detail": "no secret set; none has ever come"}
    assert report["plugin_hooks"] == nothing | {"detail": "none has ever come"}
    lines = run(panel, "sync status").stdout.splitlines()
    assert lines[0] == "sync is well."
    assert [line.split()[:2] for line in lines[2:8]] == [
        *(["waiting", "0"], ["running", "0"], ["retrying", "0"], ["tasks", "0"]),
        *(["buried", "0"], ["done", "0"]),
    ]
    assert lines[-2:] == [
        "webhooks  of Chatwoot: no secret set; none has ever come",
        "hooks     of the plugin: none has ever come",
    ]
    assert " executes passes; it began " in lines[8]


def test_a_worker_that_is_missing_is_told(panel: Panel) -> None:
    (problem,) = problems(panel)
    assert problem.startswith("Nobody executes passes (missing): none runs")
    assert "sync worker" in problem


def test_a_worker_that_was_stopped_is_told(
    panel: Panel, working: "subprocess.Popen[bytes]"
) -> None:
    working.terminate()
    wait_for(panel, STOPPED)
    working.wait()
    (problem,) = problems(panel)
    assert "(missing): none runs; " in problem
    assert " was stopped " in problem


def test_a_worker_that_was_killed_is_told(panel: Panel, working: "subprocess.Popen[bytes]") -> None:
    working.kill()
    working.wait()
    for seconds in (0.0, SILENT_SECONDS + 1):
        let_pass(panel, seconds)
        (problem,) = problems(panel)
        assert problem.startswith("Nobody executes passes (dead): ")


def test_a_worker_that_is_frozen_is_told(panel: Panel, working: "subprocess.Popen[bytes]") -> None:
    working.send_signal(signal.SIGSTOP)
    let_pass(panel, SILENT_SECONDS + BEAT_SECONDS)
    (problem,) = problems(panel)
    assert problem.startswith("Nobody executes passes (frozen): ")
    assert f":{working.pid} said its last word" in problem


def test_one_that_stands_by_is_no_trouble_and_takes_over(
    panel: Panel, spawn: Spawn, working: "subprocess.Popen[bytes]"
) -> None:
    spawn()
    wait_for(panel, "executing", "standing_by")
    assert "; 1 more stand by" in read(panel, "sync status", FINE)["worker"]["detail"]
    working.kill()
    working.wait()
    wait_until(lambda: read_word(panel) == "ok", 30)


def test_a_worker_that_finishes_nothing_is_told(panel: Panel, spawn: Spawn) -> None:
    spawn(600)
    wait_for(panel, "executing")
    get(Intake, panel.app).accept(hook("h", 42))
    wait_until(lambda: get(Intake, panel.app).stats().running, 20)
    assert run(panel, "sync status").exit_code == FINE
    with panel.services.database.begin() as connection:
        connection.execute(text(f"UPDATE workers SET since = since - {STUCK_SECONDS + 1}"))
    (problem,) = problems(panel)
    assert problem.startswith("Nobody executes passes (stuck): ")


# -- another installation --------------------------------------------------------------------------


def test_passes_stop_and_hooks_are_kept_while_another_installation_writes(
    make: MakePanel, panel: Panel, request: pytest.FixtureRequest
) -> None:
    assert run(panel, "setup").exit_code == FINE
    staging = make(PANEL_URL="https://staging.example.com")
    worker = Worker(staging.settings, engine_of(staging.app).queue, beat_seconds=0.02)
    request.addfinalizer(worker.stop)
    worker.start_work(get(Jobs, staging.app).work)
    wait_for(staging, "held_back")
    get(Intake, staging.app).accept(hook("kept", 42))
    (problem,) = problems(staging)
    assert "Another installation writes into this Chatwoot account" in problem
    assert "https://panel.example.com" in problem
    assert "setup --take-over" in problem
    assert panel.chat.contacts == {}

    run(staging, "setup --take-over")
    wait_until(lambda: get(Intake, staging.app).stats().done == 1, 20)
    assert len(panel.chat.contacts) == 4
    run(panel, "setup --take-over")
    wait_for(staging, "held_back")


def test_status_prints_as_a_person_reads(panel: Panel) -> None:
    answer: Result = run(panel, "sync status")
    assert all(len(line) < 400 for line in answer.stdout.splitlines())
    assert answer.exit_code == FOUND
