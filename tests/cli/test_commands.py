"""Commands: what they print for people and for programs, and their exit code."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from panel.auth.tokens import derive_launch_key
from panel.services import get
from panel.sync.intake import Intake
from tests.cli.running import COULD_NOT, FINE, PANEL_URL, make, panel, read, run, worlds
from tests.conftest import MakePanel, Panel, Worlds, environment, wait_until
from tests.sync.executor import hook

__all__ = ["make", "panel", "worlds"]  # fixtures


ROOT = Path(__file__).resolve().parents[2]


# -- launch-url ------------------------------------------------------------------------------------


def test_launch_url_prints_the_one_address(panel: Panel) -> None:
    right = f"{PANEL_URL}/#k={derive_launch_key(panel.settings.secret)}"
    assert run(panel, "launch-url").stdout == f"{right}\n"
    assert read(panel, "launch-url") == {"url": right}


def test_launch_url_without_an_address_could_not(make: MakePanel) -> None:
    answer = run(make(), "launch-url")
    assert (answer.exit_code, answer.stdout) == (COULD_NOT, "")
    assert "PANEL_URL" in answer.stderr


# -- setup -----------------------------------------------------------------------------------------


def test_setup_prints_json_for_programs(panel: Panel) -> None:
    report = read(panel, "setup")
    assert report["webhook_secret"]
    again = read(panel, "setup")
    assert len(again.pop("problems")) == 2  # the secret is not set, and no webhook has come
    assert again == {
        "version": "4.16.2",
        "steps": [],
        "failed": [],
        "untried": [],
        "by_hand": [],
        "notes": report["notes"],
        "webhook_secret": "",
        "dry_run": False,
        "exposure": report["exposure"],
        "integer_money": report["integer_money"],
    }


# -- as processes ----------------------------------------------------------------------------------


def flask(line: str) -> list[str]:
    return [sys.executable, "-m", "flask", "--app", "app", *line.split()]


def test_the_worker_executes_passes_until_it_is_told_to_stop(
    worlds: Worlds, panel: Panel, tmp_path: Path
) -> None:
    environ = environment(worlds.office_url, worlds.chat_url, tmp_path, PANEL_WORKER="separate")
    environ |= {"PATH": os.environ["PATH"]}
    command = flask("sync worker")
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE) as worker:
        get(Intake, panel.app).accept(hook("h", 42))
        wait_until(lambda: get(Intake, panel.app).stats().done == 1, 20)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == FINE
    assert len(panel.chat.contacts) == 4


def test_faulty_settings_end_every_command_with_two(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "CHATWOOT_URL": "nonsense"}
    command = flask("sync status")
    options: dict[str, Any] = {"cwd": ROOT, "env": environ, "capture_output": True, "timeout": 60}
    process = subprocess.run(command, check=False, **options)
    assert process.returncode == COULD_NOT
    assert b"CHATWOOT_URL" in process.stderr
    assert b"Traceback" not in process.stderr
