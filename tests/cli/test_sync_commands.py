"""The commands of `sync`: what they print for people and for programs, and their exit code."""

import subprocess
import time
from pathlib import Path

import pytest

from panel.services import get
from panel.sync.intake import Intake
from panel.sync.jobs import BACKFILL, Jobs
from panel.sync.reconcile import DELETED, RECONCILE
from panel.sync.tries import RETRY_WAITS
from tests.cli.running import COULD_NOT, FINE, FOUND, make, panel, read, run, work, worlds
from tests.conftest import Panel, wait_until
from tests.sync.engine import engine_of
from tests.sync.executor import hook
from tests.sync.passes import company

__all__ = ["make", "panel", "worlds"]  # fixtures


def bury(panel: Panel, name: str = "lost") -> None:
    """Bury a hook without an organization, and a hook whose pass fails for good."""
    get(Intake, panel.app).accept(hook(name, None))


# -- sync status, sync buried ----------------------------------------------------------------------


def test_buried_is_fine_when_nothing_is(panel: Panel) -> None:
    assert read(panel, "sync buried") == []
    assert run(panel, "sync buried").stdout == "Nothing is buried.\n"


def test_buried_lists_each_with_its_reason(panel: Panel) -> None:
    bury(panel)
    (row,) = read(panel, "sync buried", FOUND)
    assert (row["id"], row["reason"], row["organization"]) == ("lost", "no_organization", None)
    assert row["advice"].startswith("Nothing to run again")
    lines = run(panel, "sync buried").stdout
    assert "lost  no organization  1 hook  20" in lines
    assert "    The plugin named no organization (no_organization).\n" in lines
    assert (
        "    To do: Nothing to run again: tell the plugin's developers, then dismiss it." in lines
    )


@pytest.mark.parametrize("option", ["--replay {id}", "--replay-all"])
def test_what_was_buried_can_be_run_again(panel: Panel, option: str) -> None:
    panel.office.fault("403", 42)
    get(Intake, panel.app).accept(hook("h", 42))
    work(panel)
    (row,) = read(panel, "sync buried", FOUND)
    panel.office.heal()
    report = read(panel, "sync buried " + option.format(id=row["id"]))
    assert report == {"replayed": [row["id"]]}
    work(panel)
    assert (read(panel, "sync buried"), get(Intake, panel.app).stats().done) == ([], 1)


def test_what_cannot_be_run_again_is_said(panel: Panel) -> None:
    bury(panel)
    for name in ("lost", "no-such-id"):
        answer = run(panel, f"sync buried --replay {name}")
        assert (answer.exit_code, answer.stdout) == (FOUND, "0 of 1 run again\n")


def test_what_needs_nothing_is_dismissed_by_somebody(panel: Panel) -> None:
    bury(panel)
    bury(panel, "another")
    assert read(panel, "sync buried --dismiss lost --by ana") == {"dismissed": ["lost"]}
    assert [row["id"] for row in read(panel, "sync buried", FOUND)] == ["another"]
    whoami = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True)
    answer = run(panel, "sync buried --dismiss-all")
    assert answer.stdout == f"1 of 1 dismissed by {whoami.stdout.strip()}\n"
    assert read(panel, "sync buried") == []
    by_id = {row["id"]: row for row in read(panel, "sync buried --settled")}
    assert by_id["lost"]["settled_by"] == "dismissed by ana"
    assert by_id["lost"]["settled_at"] == pytest.approx(panel.clock.now, abs=60)
    assert "lost  no organization" in run(panel, "sync buried --settled").stdout


def test_what_is_not_there_cannot_be_dismissed(panel: Panel) -> None:
    answer = run(panel, "sync buried --dismiss nothing")
    assert (answer.exit_code, answer.stdout[:7]) == (FOUND, "0 of 1 ")


def test_a_later_pass_that_goes_well_settles_what_was_buried(panel: Panel) -> None:
    panel.office.fault("403", 42)
    get(Intake, panel.app).accept(hook("h", 42))
    work(panel)
    (row,) = read(panel, "sync buried", FOUND)
    assert row["side"] == "MIDDAG Account"
    panel.office.heal()
    run(panel, "sync backfill 42")
    work(panel)
    assert read(panel, "sync buried") == []
    (burial,) = read(panel, "sync buried --settled")
    assert (burial["id"], burial["settled_by"][:5]) == (row["id"], "pass ")


def test_to_run_everything_again_where_nothing_is_buried_is_fine(panel: Panel) -> None:
    assert run(panel, "sync buried --replay-all").exit_code == FINE


# -- sync backfill ---------------------------------------------------------------------------------


def kinds(panel: Panel) -> list[tuple[int, str]]:
    with panel.services.database.connect() as connection:
        rows = connection.exec_driver_sql("SELECT organization, kind FROM hooks ORDER BY seq")
        return [(row[0], row[1]) for row in rows]


def test_backfill_takes_ids_as_arguments(panel: Panel) -> None:
    assert read(panel, "sync backfill 42 45 42") == {"organizations": 2, "lined_up": 2}
    assert kinds(panel) == [(42, BACKFILL), (45, BACKFILL)]


def test_backfill_takes_ids_from_a_file(panel: Panel, tmp_path: Path) -> None:
    (tmp_path / "ids").write_text("42\n45\n\n")
    assert read(panel, f"sync backfill {tmp_path / 'ids'}")["lined_up"] == 2


@pytest.mark.parametrize("argument", ["-", ""])
def test_backfill_takes_ids_from_standard_input(panel: Panel, argument: str) -> None:
    report = read(panel, f"sync backfill {argument}", input="42\n45\n")
    assert report["organizations"] == 2


def test_backfill_runs_whenever_it_is_asked_for(panel: Panel) -> None:
    for _ in range(2):
        assert read(panel, "sync backfill 42") == {"organizations": 1, "lined_up": 1}
    assert kinds(panel) == [(42, BACKFILL)] * 2


def test_backfill_does_not_wait_for_the_next_try(panel: Panel) -> None:
    engine = engine_of(panel.app)
    panel.chat.down = True
    engine.intake.accept(hook("h", 42))
    engine.worker.start(get(Jobs, panel.app).bring_in_line)
    wait_until(lambda: engine.intake.stats().retrying, 20)
    panel.chat.down = False
    began = time.monotonic()
    run(panel, "sync backfill 42")
    wait_until(lambda: engine.intake.stats().oldest_waiting is None, 20)
    assert time.monotonic() - began < RETRY_WAITS[0]
    engine.worker.stop()


def test_backfill_that_was_interrupted_goes_on_where_it_was(panel: Panel) -> None:
    run(panel, "sync backfill 42")
    report = read(panel, "sync backfill --resume 42 45")
    assert report == {"organizations": 2, "lined_up": 1}
    lines = run(panel, "sync backfill --resume 42 45").stdout
    assert "0 organizations lined up, 2 were before" in lines


def test_known_lists_the_ids_one_a_line(panel: Panel) -> None:
    assert (run(panel, "sync known").stdout, read(panel, "sync known")) == ("", [])
    for number in (45, 42):
        get(Jobs, panel.app).bring_in_line(number)
    output = run(panel, "sync known").stdout
    assert (output, read(panel, "sync known")) == ("42\n45\n", [42, 45])
    assert read(panel, "sync backfill -", input=output)["lined_up"] == 2


@pytest.mark.parametrize("argument", ["no-such-file", "0", "²"])
def test_backfill_of_what_is_no_id_could_not(panel: Panel, argument: str) -> None:
    answer = run(panel, f"sync backfill 42 {argument}")
    assert (answer.exit_code, answer.stdout) == (COULD_NOT, "")
    assert kinds(panel) == []


def test_backfill_of_an_id_beyond_any_could_not(panel: Panel) -> None:
    answer = run(panel, f"sync backfill {10**25}")
    assert answer.exit_code == COULD_NOT
    assert answer.exception is None or isinstance(answer.exception, SystemExit)


def test_backfill_shows_its_progress(panel: Panel) -> None:
    answer = run(panel, "sync backfill 42 45")
    assert "lining up" in answer.stderr
    assert "lining up" not in answer.stdout


# -- sync reconcile, sync drift --------------------------------------------------------------------


def test_reconcile_lines_up_every_known_organization(panel: Panel) -> None:
    for number in (42, 45):
        get(Jobs, panel.app).bring_in_line(number)
    assert read(panel, "sync reconcile") == {"lined_up": 2, "withheld": 0}
    assert kinds(panel) == [(42, RECONCILE), (45, RECONCILE)]


def test_reconcile_withholds_what_would_clear_many_and_does_so_with_force(panel: Panel) -> None:
    for number in (42, 45):
        get(Jobs, panel.app).bring_in_line(number)
    get(Intake, panel.app).accept(hook("bye", 45, DELETED))
    panel.office.remove("organization", 45, 45)
    withheld = run(panel, "sync reconcile")
    assert withheld.exit_code == FOUND
    assert "1 organization lined up" in withheld.stdout
    assert "1 of 2 known organizations would be cleared" in withheld.stderr
    assert (42, RECONCILE) in kinds(panel)
    assert (45, RECONCILE) not in kinds(panel)
    assert read(panel, "sync reconcile --force") == {"lined_up": 2, "withheld": 0}


@pytest.mark.parametrize("line", ["sync reconcile --dry-run", "sync drift", "sync drift 42"])
def test_what_differs_is_printed_and_nothing_written(panel: Panel, line: str) -> None:
    get(Jobs, panel.app).bring_in_line(42)
    company(panel.office, 42, "Acme & Sons", "office@42.example")
    panel.chat.forget()
    rows = read(panel, line, FOUND)
    assert {(row["organization"], row["method"]) for row in rows} == {(42, "PUT")}
    stdout = run(panel, line).stdout
    text = 'middag_organization says "Acme", and should say "Acme & Sons"'
    assert f"organization 42: contact 1: {text}" in stdout or text in stdout
    assert stdout.endswith("To put it right: `flask --app app sync backfill 42`\n")
    assert (panel.chat.writes, kinds(panel)) == ([], [])


@pytest.mark.parametrize("line", ["sync reconcile --dry-run", "sync drift"])
def test_where_nothing_differs_all_is_fine(panel: Panel, line: str) -> None:
    get(Jobs, panel.app).bring_in_line(42)
    assert run(panel, line).stdout == "Everything is in line.\n"
    assert read(panel, line) == []


def test_drift_that_cannot_ask_chatwoot_says_so(panel: Panel) -> None:
    panel.chat.down = True
    (row,) = read(panel, "sync drift 42", FOUND)
    assert row["path"] == "could not be told"
    stdout = run(panel, "sync drift 42").stdout
    assert stdout.startswith("organization 42: cannot be compared. Chatwoot answers with an error")


DATABASE = ("sync status", "sync buried", "sync backfill 42", "sync reconcile", "sync drift")


@pytest.mark.parametrize("line", DATABASE)
def test_a_database_that_is_broken_is_a_sentence_and_no_traceback(
    panel: Panel, tmp_path: Path, line: str
) -> None:
    panel.services.database.dispose()
    for file in tmp_path.glob("panel.db*"):
        file.unlink()
    (tmp_path / "panel.db").write_bytes(b"this is no database, nor ever was one")
    answer = run(panel, line)
    assert isinstance(answer.exception, SystemExit)
    assert answer.exit_code == COULD_NOT
