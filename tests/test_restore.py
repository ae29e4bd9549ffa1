"""Backup and restore as in docs/operate.md: from a backup, and from nothing."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from panel.data.links import CONTACT, PICKED, Link
from panel.services import get
from panel.sync.jobs import Jobs
from tests.cli.running import FINE, PANEL_URL, make, panel, run, work, worlds
from tests.conftest import Panel, Worlds

__all__ = ["make", "panel", "worlds"]  # fixtures
OPERATE = Path(__file__).resolve().parents[1] / "docs/operate.md"


def back_up(database: Path, into: Path) -> None:
    """Run the documented line with these two files."""
    [code] = re.findall(r'python3 -c "(import sqlite3;[^"]*)"', OPERATE.read_text(encoding="utf-8"))
    code = code.replace("/var/lib/panel/panel.db", str(database))
    code = code.replace("panel-backup.db", str(into))
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def at(folder: Path) -> str:
    return f"sqlite:///{folder / 'panel.db'}"


def test_a_backup_brings_back_what_agents_said_and_passes_go_on(
    panel: Panel, make: Any, worlds: Worlds, tmp_path: Path
) -> None:
    get(Jobs, panel.app).bring_in_line(42)
    contact = next(iter(worlds.chat.contacts))
    panel.services.links.put(Link(CONTACT, contact, 45, PICKED, agent=1, contact=contact))
    restored = tmp_path / "restored"
    restored.mkdir()
    back_up(tmp_path / "panel.db", restored / "panel.db")
    panel.services.links.forget(45)
    other_panel = make(PANEL_DATABASE_URL=at(restored))
    assert [
        link.organization for link in other_panel.services.links.find(0, contact) if link.agent
    ] == [45]
    before = dict(worlds.chat.contacts)
    assert run(other_panel, "sync backfill 42 45").exit_code == FINE
    work(other_panel)
    assert other_panel.services.directory.list_organizations() == [42, 45]
    assert len(worlds.chat.contacts) == len(before) + 1, "Beta's own; nobody is made twice"


def test_from_nothing_everything_but_the_words_of_agents_is_learned_again(
    panel: Panel, make: Any, worlds: Worlds, tmp_path: Path
) -> None:
    run(panel, "setup")
    run(panel, "sync backfill 42 45")
    work(panel)
    ids_file = tmp_path / "ids"
    ids_file.write_text(run(panel, "sync known").stdout)
    people = panel.services.directory.people_of(42)
    contacts = len(worlds.chat.contacts)
    empty = tmp_path / "empty"
    empty.mkdir()
    other_panel = make(PANEL_DATABASE_URL=at(empty), PANEL_URL=PANEL_URL)
    assert other_panel.services.directory.list_organizations() == []
    assert "Another installation" in run(other_panel, "setup --dry-run").output
    run(other_panel, "setup --take-over")
    assert run(other_panel, f"sync backfill {ids_file}").exit_code == FINE
    work(other_panel)
    assert other_panel.services.directory.people_of(42) == people
    assert len(worlds.chat.contacts) == contacts, "found again by e-mail, and not made anew"
