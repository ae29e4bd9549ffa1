"""`systemctl reload panel`: the running server takes new settings, and drops no request."""

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from tests.conftest import environment, wait_until, with_tables

ROOT = Path(__file__).resolve().parent.parent
UNIT = (ROOT / "deploy/systemd/panel.service").read_text(encoding="utf-8")
NOBODY = "http://127.0.0.1:9"


@dataclass
class Unit:
    """panel.service as systemd has it: a process, its folder in /run, a file of settings."""

    process: subprocess.Popen[bytes]
    address: str
    settings: dict[str, str]
    statuses: list[int] = field(default_factory=list)

    def reload(self, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run the unit's ExecReload, for which systemd reads the settings again."""
        [line] = re.findall(r"^ExecReload=(.+)$", UNIT, re.MULTILINE)
        line = line.replace("/opt/panel/.venv/bin/python", sys.executable)
        environ = {**self.settings, **changes, "MAINPID": str(self.process.pid)}
        return subprocess.run(
            line.split(), cwd=ROOT, env=environ, capture_output=True, text=True, check=False
        )

    @property
    def language(self) -> str:
        """Return the language of the present shell."""
        answer = requests.get(self.address, timeout=30)
        self.statuses.append(answer.status_code)
        [language] = re.findall(r'<html lang="([^"]*)"', answer.text)
        return str(language)


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[Unit]:
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    settings = environment(NOBODY, NOBODY, with_tables(tmp_path), PANEL_LOCALE="en")
    settings |= {"PATH": os.environ["PATH"], "RUNTIME_DIRECTORY": str(runtime)}
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        number = listener.fileno()
        command = [sys.executable, "-m", "gunicorn", "app:create_app()", "--bind", f"fd://{number}"]
        process = subprocess.Popen(command, cwd=ROOT, env=settings, pass_fds=[number])
        yield Unit(process, f"http://127.0.0.1:{listener.getsockname()[1]}", settings)
        process.terminate()
        process.wait(60)


@contextmanager
def asking(unit: Unit) -> Iterator[None]:
    """Send requests all the time inside the block."""
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            _ = unit.language

    thread = threading.Thread(target=ask)
    thread.start()
    yield
    ended.set()
    thread.join()


def test_new_settings_are_taken_without_a_lost_request(unit: Unit, tmp_path: Path) -> None:
    assert unit.language == "en"
    with asking(unit):
        assert unit.reload(PANEL_LOCALE="pt_BR").returncode == 0
        wait_until(lambda: unit.language == "pt-BR", 60)
        left_out = {"PANEL_LOCALE": ""}
        assert unit.reload(**left_out).returncode == 0
        wait_until(lambda: unit.language == "en", 60)
    assert set(unit.statuses) == {200}
    [file] = (tmp_path / "run").iterdir()
    assert file.stat().st_mode & 0o077 == 0, "it holds secrets"


def test_faulty_settings_are_told_and_the_server_goes_on(unit: Unit, tmp_path: Path) -> None:
    assert unit.language == "en"
    result = unit.reload(PANEL_LOCALE="klingon")
    assert result.returncode == 2
    assert "PANEL_LOCALE should be" in result.stderr
    assert list((tmp_path / "run").iterdir()) == []
    assert unit.language == "en"


def test_outside_of_a_unit_it_says_for_whom_it_is(tmp_path: Path) -> None:
    settings = environment(NOBODY, NOBODY, tmp_path) | {"PATH": os.environ["PATH"]}
    ended = subprocess.run(
        [sys.executable, "app.py", "reload"],
        cwd=ROOT,
        env=settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "ExecReload" in ended.stderr
