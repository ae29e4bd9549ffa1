"""The access log: a row for every panel that is shown and every action of an agent, ids only."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
from click.testing import Result

from panel.data.audit_log import LONGEST_NOTE, AuditEntry, AuditLog
from panel.data.db import connect
from panel.data.schema import migrate
from panel.demo.scenarios import SCENARIOS
from panel.demo.worlds import AGENT
from panel.errors import Unreachable
from panel.services import get
from panel.sync.jobs import Jobs
from panel.web.sections import SECTIONS, SectionView
from tests.conftest import MakePanel, Panel, seal_of

HEALTHY = SCENARIOS["healthy"]


@pytest.fixture
def audit(tmp_path: Path) -> AuditLog:
    engine = connect(f"sqlite:///{tmp_path}/log.db")
    migrate(engine)
    return AuditLog(engine)


def logged(panel: Panel, **filters: int) -> list[AuditEntry]:
    return list(panel.services.audit_log.list_entries(**filters))


def run(panel: Panel, *words: str) -> Result:
    return panel.app.test_cli_runner().invoke(args=["access", *words])


def test_each_panel_shown_leaves_one_row_of_ids(panel: Panel) -> None:
    panel.open("healthy")
    (row,) = logged(panel)
    assert (row.what, row.agent, row.proof) == ("shown", AGENT, "shared-secret")
    assert (row.conversation, row.organization) == (HEALTHY.conversation, 42)
    assert (row.link, row.source) == ("claimed", "contact attribute")
    assert row.at == pytest.approx(panel.clock.now, abs=60)


def test_the_row_tells_which_state_and_version_of_each_section_was_shown(panel: Panel) -> None:
    seal = seal_of(panel.open("healthy").text)
    for name in SECTIONS:
        panel.section(name, seal)
    panel.office.fault("500", 42)
    panel.refresh("orders", seal)
    page = panel.open("healthy").text
    warm, cold = logged(panel)
    assert cold.note == " ".join(f"{name}=loading" for name in SECTIONS)
    notes = dict(part.split("=") for part in warm.note.split(" "))
    states = re.findall(r'data-section="(\w+)" data-state="(\w+)" data-version="(\w+)"', page)
    assert {name: (state, version[:8]) for name, state, version in states} == {
        name: (note.partition(":")[0].partition(",")[0], note.partition(":")[2])
        for name, note in notes.items()
    }
    assert notes["orders"].startswith("late,aged:")


def test_the_longest_note_fits_into_its_row() -> None:
    views = [
        SectionView(section, "loading", "f" * 16, code="unknown_organization")
        for section in SECTIONS.values()
    ]
    assert len(" ".join(view.note for view in views)) <= LONGEST_NOTE


def test_what_shows_no_organization_leaves_no_row(panel: Panel) -> None:
    panel.open("unlinked")
    panel.open("healthy", agent_id=99)
    assert logged(panel) == []


def test_pick_refuse_and_undo_leave_a_row_with_the_agent(panel: Panel) -> None:
    seal = seal_of(panel.open("healthy").text)
    for action in ("pick", "undo", "refuse"):
        panel.say(seal, action, 42, scope="contact")
    rows = [(row.what, row.note) for row in logged(panel) if row.what != "shown"]
    assert rows == [("refuse", "contact"), ("undo", "contact"), ("pick", "contact")]
    assert {row.agent for row in logged(panel)} == {AGENT}


def test_nobody_s_name_or_address_is_in_the_log(panel: Panel, tmp_path: Path) -> None:
    panel.open("healthy")
    person = HEALTHY.person
    dumped = json.dumps([vars(row) for row in logged(panel)])
    parts = (person.name, str(person.email), str(person.phone))
    assert not [part for part in parts if part in dumped]


def test_a_panel_is_shown_when_the_log_cannot_be_written(
    panel: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    panel.open("healthy")
    with panel.services.database.begin() as connection:
        connection.exec_driver_sql("DROP TABLE access_log")
    assert panel.open("healthy").status_code == 200
    assert "access log did not keep" in caplog.text
    with pytest.raises(Unreachable):
        logged(panel)


def test_rows_are_found_by_agent_organization_and_time(audit: AuditLog) -> None:
    for at, (agent, organization) in enumerate(((2, 42), (3, 42), (2, 45)), start=100):
        audit.record(AuditEntry("shown", agent, 1, organization, at=at))
    assert [entry.at for entry in audit.list_entries()] == [102, 101, 100]
    assert [entry.organization for entry in audit.list_entries(agent=2)] == [45, 42]
    assert [entry.agent for entry in audit.list_entries(organization=42, since=101)] == [3]


def test_what_is_old_is_forgotten(audit: AuditLog) -> None:
    for at in (100, 200, 300):
        audit.record(AuditEntry("shown", 2, at=at))
    assert audit.prune(before=200) == 1
    assert [entry.at for entry in audit.list_entries()] == [300, 200]


def test_the_daily_work_forgets_what_the_setting_says(make_panel: MakePanel) -> None:
    panel = make_panel(PANEL_KEEP_DAYS="2")
    for days in (1, 3):
        panel.services.audit_log.record(
            AuditEntry("shown", days, at=panel.clock.now - days * 86400)
        )
    get(Jobs, panel.app).run_nightly()
    assert [row.agent for row in logged(panel)] == [1]


def test_the_command_prints_for_a_person_for_programs_and_for_spreadsheets(panel: Panel) -> None:
    panel.open("healthy")
    outcome = run(panel)
    assert outcome.exit_code == 0
    assert f"agent {AGENT}  shown  organization 42  conversation 101" in outcome.stdout
    (as_json,) = json.loads(run(panel, "--json").stdout)
    (as_csv,) = csv.DictReader(io.StringIO(run(panel, "--csv").stdout))
    assert {key: str(value) for key, value in as_json.items()} == as_csv
    assert as_json["at"].endswith("+00:00")


def test_the_command_narrows_by_agent_organization_and_day(panel: Panel) -> None:
    panel.open("healthy")
    for words in (["--agent", "3"], ["--organization", "45"], ["--since", "2099-01-01"]):
        assert json.loads(run(panel, "--json", *words).stdout) == []
        assert run(panel, *words).stdout == "Nothing was shown.\n"
    assert run(panel, "--agent", str(AGENT), "--organization", "42").stdout.count("\n") == 1
    assert run(panel, "--since", "yesterday").exit_code == 2


def test_a_silent_database_is_a_sentence_and_not_an_empty_log(panel: Panel) -> None:
    with panel.services.database.begin() as connection:
        connection.exec_driver_sql("DROP TABLE access_log")
    for words in ([], ["--json"], ["--csv"]):
        outcome = run(panel, *words)
        assert outcome.exit_code == 2
        assert "cannot be used: no such table: access_log" in outcome.stderr
