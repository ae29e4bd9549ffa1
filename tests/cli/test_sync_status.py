"""`sync status`: well only when it is, and else what is wrong, on which side, and what to do."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import text

from panel.cli.sync_status import LONG_SECONDS
from panel.data.directory import Person
from panel.data.lanes import Lane
from panel.data.links import CONTACT, PICKED, Link
from panel.data.tasks import NAMING, Task
from panel.data.workers import BEAT_SECONDS, STOPPED, Workers
from panel.health.worker_health import SILENT_SECONDS, STUCK_SECONDS
from panel.services import get
from panel.sync.intake import Intake
from panel.sync.jobs import Jobs
from panel.sync.worker import Worker
from tests.cli.test_commands import FINE, FOUND, make, panel, read, run, worlds
from tests.conftest import MakePanel, Panel, wait_until
from tests.sync.engine import engine_of
from tests.sync.executor import hook

__all__ = ["make", "panel", "worlds"]  # fixtures
Spawn = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def spawn(panel: Panel, tmp_path: Path) -> Iterator[Spawn]:
    """Real processes that execute passes over the panel's database."""
    made: list[subprocess.Popen[bytes]] = []
    (tmp_path / "log").touch()

    def start(seconds: float = 0.01) -> "subprocess.Popen[bytes]":
        url = panel.settings.database_url
        command = [sys.executable, "-m", "tests.sync.executor", url, str(tmp_path / "log")]
        made.append(subprocess.Popen([*command, "run", str(seconds)], stdin=subprocess.PIPE))
        return made[-1]

    yield start
    for one in made:
        with suppress(ProcessLookupError):
            one.send_signal(signal.SIGCONT)
        one.kill()
        one.wait()
        assert one.stdin is not None
        one.stdin.close()


def states(panel: Panel) -> list[str]:
    return sorted(row.state for row in Workers(panel.services.database).list_rows()[0])


def wait_for(panel: Panel, *wanted: str) -> None:
    wait_until(lambda: states(panel) == sorted(wanted), 30)


def let_pass(panel: Panel, seconds: float) -> None:
    """As if the workers had said their last words that long ago."""
    with panel.services.database.begin() as connection:
        for column in ("beat_at", "since", "ended_at"):
            connection.execute(text(f"UPDATE workers SET {column} = {column} - {seconds}"))


@pytest.fixture
def working(panel: Panel, spawn: Spawn) -> "subprocess.Popen[bytes]":
    process = spawn()
    wait_for(panel, "executing")
    return process


def problems(panel: Panel) -> list[str]:
    told = read(panel, "sync status", FOUND)
    assert told["is_well"] is False
    found: list[str] = told["problems"]
    lines = run(panel, "sync status").stdout.splitlines()
    assert lines[: len(found) + 1] == ["sync is not well:", *(f"  - {each}" for each in found)]
    return found


# -- what passes leave to people ------------------------------------------------------------------


@pytest.mark.usefixtures("working")
def test_contacts_that_wait_for_a_decision_are_counted_and_are_no_trouble(panel: Panel) -> None:
    directory = panel.services.directory
    directory.put_person(Person(42, "collaborator:1", 0, "owner", "a@x.example", merged_into=9))
    directory.put_person(Person(42, "collaborator:2", 8, "owner", "b@x.example"))
    panel.services.links.put(Link(CONTACT, 7, 42, PICKED, agent=2))
    directory.put_person(Person(42, "collaborator:3", 0, "owner", "c@x.example", merged_into=7))
    assert read(panel, "sync status", FINE)["left_to_people"] == 1
    assert "left      1 person's contact to you" in run(panel, "sync status").stdout


# -- who executes ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("working")
def test_a_quiet_panel_whose_worker_works_is_well(panel: Panel) -> None:
    told = read(panel, "sync status", FINE)
    nothing: dict[str, Any] = {"state": "unused", "last_accepted": None, "refused": {}}
    assert (told["is_well"], told["problems"]) == (True, [])
    figures = ("waiting", "running", "buried", "done", "tasks")
    assert [told[name] for name in figures] == [0] * 5
    assert (told["retrying"], told["failing"], told["failing_tasks"]) == ([], [], [])
    assert told["chatwoot_webhooks"] == nothing | {"detail": "no secret set; none has ever come"}
    assert told["plugin_hooks"] == nothing | {"detail": "none has ever come"}
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
    assert " executes, which began " in lines[8]


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


def read_word(panel: Panel) -> str:
    answer = run(panel, "sync status")
    return "ok" if answer.exit_code == FINE else answer.stdout


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


# -- what is tried again, and what was given up ----------------------------------------------------


def failing(panel: Panel) -> None:
    engine = engine_of(panel.app)
    engine.intake.accept(hook("h", 42))
    engine.worker.start_work(get(Jobs, panel.app).work)
    wait_until(lambda: engine.intake.stats().retrying, 20)


def test_a_retry_says_why_and_on_which_side_and_when(panel: Panel) -> None:
    panel.office.fault("500", 42)
    failing(panel)
    (problem,) = problems(panel)
    assert problem.startswith(
        "1 organization is tried again. MIDDAG Account answers with an error of its own (http_500"
    )
    told = read(panel, "sync status", FOUND)
    ((organization, at),) = told["retrying"]
    (row,) = told["failing"]
    assert (row["organization"], row["side"], row["tries"]) == (42, "MIDDAG Account", 1)
    assert panel.clock.now < row["tried_at"] < at
    assert organization == 42
    lines = run(panel, "sync status").stdout
    assert "organization 42, next try 20" in lines
    assert "1 try failed, last just now" in lines
    panel.office.heal()
    run(panel, "sync backfill 42")
    wait_until(lambda: read_word(panel) == "ok", 20)
    engine_of(panel.app).worker.stop()


def test_a_retry_of_chatwoots_making_names_chatwoot(panel: Panel) -> None:
    panel.chat.down = True
    failing(panel)
    (problem,) = problems(panel)
    assert "Chatwoot answers with an error of its own (http_503" in problem
    engine_of(panel.app).worker.stop()


def test_a_task_that_is_tried_again_says_why(panel: Panel) -> None:
    panel.chat.down = True
    engine = engine_of(panel.app)
    engine.tasks.ask(Task(NAMING, 59))
    engine.worker.start_work(get(Jobs, panel.app).work)
    wait_until(lambda: engine.intake.stats().failing_tasks, 20)
    (problem,) = problems(panel)
    assert problem.startswith("1 conversation or contact is tried again. Chatwoot answers with an")
    assert "conversation 59: Chatwoot answers with an error" in run(panel, "sync status").stdout
    engine.worker.stop()


@pytest.mark.usefixtures("working")
def test_what_was_given_up_is_told(panel: Panel) -> None:
    get(Intake, panel.app).accept(hook("lost", None))
    (problem,) = problems(panel)
    assert problem.startswith("1 hook was given up: `flask --app app sync buried`")
    assert read(panel, "sync status", FOUND)["buried"] == 1


@pytest.mark.usefixtures("working")
def test_a_hook_that_waits_too_long_is_told(panel: Panel) -> None:
    with panel.services.database.begin() as connection:
        columns = "hook_id, kind, organization, occurred_at, received_at, status"
        came = panel.clock.now - LONG_SECONDS - 60
        values = f"'old', 'order.paid', 42, {came}, {came}, 'waiting'"
        connection.execute(text(f"INSERT INTO hooks ({columns}) VALUES ({values})"))
    (problem,) = problems(panel)
    assert problem.startswith("The oldest hook came 1 hour ago and still waits.")
    assert "oldest    waiting since 20" in run(panel, "sync status").stdout


@pytest.mark.usefixtures("working")
def test_a_reconcile_that_waits_for_hours_is_no_trouble(panel: Panel) -> None:
    """Thousands do each night; the alarm is about what somebody waits for."""
    with panel.services.database.begin() as connection:
        columns = "hook_id, kind, organization, occurred_at, received_at, status, lane"
        came = panel.clock.now - LONG_SECONDS - 60
        values = f"'old', 'reconcile', 42, {came}, {came}, 'waiting', {int(Lane.RECONCILE)}"
        connection.execute(text(f"INSERT INTO hooks ({columns}) VALUES ({values})"))
    told = read(panel, "sync status")
    assert (told["problems"], told["oldest_waiting"]) == ([], came)


@pytest.mark.usefixtures("working")
def test_deliveries_that_are_refused_are_told(panel: Panel) -> None:
    body = {"event": "order.paid", "timestamp": "2026-11-30T12:00:00Z", "data": {}}
    for bearer, code in ((panel.settings.secret, 202), ("another", 401)):
        assert panel.ask("POST", "/sync/hooks", bearer, json=body).status_code == code
    hooks = read(panel, "sync status", FOUND)["plugin_hooks"]
    assert hooks["last_accepted"] == pytest.approx(panel.clock.now, abs=60)
    assert (hooks["state"], hooks["refused"]["bad_proof"]["count"]) == ("refused", 1)
    assert any("What the plugin delivers is not well: " in each for each in problems(panel))


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
