"""The status of passes, and real processes that execute them over the panel's database."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from panel.data.workers import Workers
from panel.services import get
from panel.sync.jobs import Jobs
from tests.cli.running import FINE, FOUND, panel, read, run
from tests.conftest import Panel, wait_until
from tests.sync.engine import engine_of
from tests.sync.executor import hook

__all__ = ["panel"]  # a fixture


Spawn = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def spawn(panel: Panel, tmp_path: Path) -> Iterator[Spawn]:
    """Real processes that execute passes over the panel's database."""
    processes: list[subprocess.Popen[bytes]] = []
    (tmp_path / "log").touch()

    def start(seconds: float = 0.01) -> "subprocess.Popen[bytes]":
        url = panel.settings.database_url
        command = [sys.executable, "-m", "tests.sync.executor", url, str(tmp_path / "log")]
        processes.append(subprocess.Popen([*command, "run", str(seconds)], stdin=subprocess.PIPE))
        return processes[-1]

    yield start
    for process in processes:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def states(panel: Panel) -> list[str]:
    return sorted(row.state for row in Workers(panel.services.database).list_rows()[0])


def wait_for(panel: Panel, *words: str) -> None:
    wait_until(lambda: states(panel) == sorted(words), 30)


@pytest.fixture
def working(panel: Panel, spawn: Spawn) -> "subprocess.Popen[bytes]":
    process = spawn()
    wait_for(panel, "executing")
    return process


def problems(panel: Panel) -> list[str]:
    report = read(panel, "sync status", FOUND)
    assert report["is_well"] is False
    sentences: list[str] = report["problems"]
    lines = run(panel, "sync status").stdout.splitlines()
    assert lines[: len(sentences) + 1] == [
        "sync is not well:",
        *(f"  - {problem}" for problem in sentences),
    ]
    return sentences


def read_word(panel: Panel) -> str:
    answer = run(panel, "sync status")
    return "ok" if answer.exit_code == FINE else answer.stdout


def failing(panel: Panel) -> None:
    engine = engine_of(panel.app)
    engine.intake.accept(hook("h", 42))
    engine.worker.start_work(get(Jobs, panel.app).work)
    wait_until(lambda: engine.intake.stats().retrying, 20)
