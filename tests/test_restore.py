"""Backup and restore by the words of docs/operate.md: from a backup, and from nothing, on both
databases."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from panel.data.links import CONTACT, PICKED, Link
from panel.services import get
from panel.sync.jobs import Jobs
from tests import postgres
from tests.cli.running import FINE, FOUND, PANEL_URL, make, panel, run, work, worlds
from tests.conftest import MakePanel, Panel, Worlds, with_tables

__all__ = ["make", "panel", "worlds"]  # fixtures
OPERATE = (Path(__file__).resolve().parents[1] / "docs/operate.md").read_text(encoding="utf-8")
ANA = "ana@acme.example"
_numbers = count(1)


def read_commands(*words: str) -> list[str]:
    """Return the documented commands of the blocks that begin with these words."""
    blocks = re.findall(r"(?:^ {4,}\S.*\n)+", OPERATE, re.MULTILINE)
    return [line.strip() for word in words for block in blocks if block.strip().startswith(word)
            for line in block.splitlines()]  # fmt: skip


@dataclass(frozen=True)
class Home:
    """The database of an installation, and the documented commands to save and restore it."""

    url: str
    kept: Path
    save: list[str]
    bring_back: list[str]

    def execute(self, commands: list[str]) -> None:
        """Execute commands as an administrator, with the settings of the service."""
        assert commands
        file = self.url.removeprefix("sqlite:///")
        lines = [line.replace("/var/lib/panel/panel.db", file) for line in commands]
        lines = [line.replace("/var/lib/panel/.", str(Path(file).parent)) for line in lines]
        environ = {"PATH": os.environ["PATH"], "PANEL_DATABASE_URL": self.url}
        script = "\n".join(["set -e", *lines])
        subprocess.run(["bash", "-c", script], check=True, cwd=self.kept, env=environ, timeout=120)


def make_home(kind: str, folder: Path, request: pytest.FixtureRequest) -> Home:
    (folder / "kept").mkdir(exist_ok=True)
    if kind == "sqlite":
        url = f"sqlite:///{with_tables(folder)}/panel.db"
        return Home(url, folder / "kept", read_commands("python3 -c"), read_commands("rm -f"))
    if not shutil.which("pg_dump"):
        pytest.skip(postgres.ABSENT)
    address = request.getfixturevalue("cluster")
    url = postgres.create(address, f"home{next(_numbers)}", "template")
    return Home(url, folder / "kept", read_commands("pg_dump"), read_commands("psql"))


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    (tmp_path / "home").mkdir()
    return make_home(request.param, tmp_path / "home", request)


def learn(panel: Panel) -> int:
    """Run a pass of Acme, and pick Beta as an agent for one of its contacts."""
    get(Jobs, panel.app).bring_in_line(42)
    contact = next(iter(panel.chat.contacts))
    panel.services.links.put(Link(CONTACT, contact, 45, PICKED, agent=1, contact=contact))
    return int(contact)


def stop(panel: Panel) -> None:
    panel.services.deliveries.stop()
    panel.services.database.dispose()


def test_a_backup_brings_back_what_agents_said_and_passes_go_on(
    home: Home, make: MakePanel, worlds: Worlds
) -> None:
    before = make(PANEL_DATABASE_URL=home.url)
    contact = learn(before)
    home.execute(home.save)
    before.services.links.forget(45)
    stop(before)
    home.execute(home.bring_back)
    restored = make(PANEL_DATABASE_URL=home.url)
    links = restored.services.links.find(0, contact)
    assert [link.organization for link in links if link.agent] == [45]
    contacts = len(worlds.chat.contacts)
    assert run(restored, "sync backfill 42 45").exit_code == FINE
    work(restored)
    assert restored.services.directory.list_organizations() == [42, 45]
    assert len(worlds.chat.contacts) == contacts + 1, "Beta's own; nobody is made twice"


def test_tombstones_are_obeyed_before_the_first_pass(home: Home, make: MakePanel) -> None:
    before = make(PANEL_DATABASE_URL=home.url)
    learn(before)
    home.execute(home.save)
    run(before, f"forget --person {ANA}")
    kept = home.kept / "tombstones.json"
    kept.write_text(run(before, "forget --tombstones").stdout)
    stop(before)
    home.execute(home.bring_back)
    restored = make(PANEL_DATABASE_URL=home.url)
    assert "collaborator:1" in restored.services.directory.people_of(42), "the backup has her"
    assert run(restored, f"forget --restore {kept}").exit_code == FOUND
    assert "collaborator:1" not in restored.services.directory.people_of(42)
    get(Jobs, restored.app).bring_in_line(42)
    assert "collaborator:1" not in restored.services.directory.people_of(42)


def test_nothing_of_a_newer_version_is_left_in_postgresql(
    tmp_path: Path, make: MakePanel, request: pytest.FixtureRequest
) -> None:
    """A table that the backup lacks would be left over, and the upgrade that makes it would
    fail."""
    home = make_home("postgresql", tmp_path, request)
    before = make(PANEL_DATABASE_URL=home.url)
    learn(before)
    home.execute(home.save)
    with before.services.database.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE of_a_newer_version (id int)")
    stop(before)
    home.execute(home.bring_back)
    restored = make(PANEL_DATABASE_URL=home.url)
    with restored.services.database.begin() as connection:
        table = connection.exec_driver_sql("SELECT to_regclass('of_a_newer_version')").scalar()
    assert table is None
    assert restored.services.directory.list_organizations() == [42]


def test_from_nothing_everything_but_the_words_of_agents_is_learned_again(
    home: Home, panel: Panel, make: Any, worlds: Worlds, tmp_path: Path
) -> None:
    run(panel, "setup")
    run(panel, "sync backfill 42 45")
    work(panel)
    known = tmp_path / "ids"
    known.write_text(run(panel, "sync known").stdout)
    run(panel, f"forget --person {ANA}")
    tombstones = tmp_path / "tombstones.json"
    tombstones.write_text(run(panel, "forget --tombstones").stdout)
    people = panel.services.directory.people_of(42)
    contacts = len(worlds.chat.contacts)
    restored = make(PANEL_DATABASE_URL=home.url, PANEL_URL=PANEL_URL)
    assert restored.services.directory.list_organizations() == []
    assert "Another installation" in run(restored, "setup --dry-run").output
    run(restored, "setup --take-over")
    assert run(restored, f"forget --restore {tombstones}").exit_code == FINE
    assert run(restored, f"sync backfill {known}").exit_code == FINE
    work(restored)
    assert restored.services.directory.people_of(42) == people
    assert "collaborator:1" not in people
    assert len(worlds.chat.contacts) == contacts, "found again by e-mail, and not made anew"
