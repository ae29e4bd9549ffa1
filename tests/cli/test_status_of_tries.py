"""`sync status` about passes and tasks that are tried again, and about those that were given up."""

import pytest
from sqlalchemy import text

from panel.cli.sync_status import LONG_SECONDS
from panel.data.lanes import Lane
from panel.data.tasks import NAMING, Task
from panel.services import get
from panel.sync.intake import Intake
from panel.sync.jobs import Jobs
from tests.cli.running import FOUND, make, panel, read, run, worlds
from tests.cli.statuses import failing, problems, read_word, spawn, working
from tests.conftest import Panel, wait_until
from tests.sync.engine import engine_of
from tests.sync.executor import hook

__all__ = ["make", "panel", "spawn", "working", "worlds"]  # fixtures


def test_a_retry_says_why_and_on_which_side_and_when(panel: Panel) -> None:
    panel.office.fault("500", 42)
    failing(panel)
    (problem,) = problems(panel)
    assert problem.startswith(
        "1 organization is tried again. MIDDAG Account answers with an error of its own (http_500"
    )
    report = read(panel, "sync status", FOUND)
    ((organization, at),) = report["retrying"]
    (row,) = report["failing"]
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
    """Thousands wait each night; only urgent work that waits raises the alarm."""
    with panel.services.database.begin() as connection:
        columns = "hook_id, kind, organization, occurred_at, received_at, status, lane"
        came = panel.clock.now - LONG_SECONDS - 60
        values = f"'old', 'reconcile', 42, {came}, {came}, 'waiting', {int(Lane.RECONCILE)}"
        connection.execute(text(f"INSERT INTO hooks ({columns}) VALUES ({values})"))
    report = read(panel, "sync status")
    assert (report["problems"], report["oldest_waiting"]) == ([], came)


@pytest.mark.usefixtures("working")
def test_deliveries_that_are_refused_are_told(panel: Panel) -> None:
    body = {"event": "order.paid", "timestamp": "2026-11-30T12:00:00Z", "data": {}}
    for bearer, code in ((panel.settings.secret, 202), ("another", 401)):
        assert panel.ask("POST", "/sync/hooks", bearer, json=body).status_code == code
    hooks = read(panel, "sync status", FOUND)["plugin_hooks"]
    assert hooks["last_accepted"] == pytest.approx(panel.clock.now, abs=60)
    assert (hooks["state"], hooks["refused"]["bad_proof"]["count"]) == ("refused", 1)
    assert any("The plugin's hooks are not well: " in problem for problem in problems(panel))
