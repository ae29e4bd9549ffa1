"""Commands of a panel between its worlds, run as an administrator runs them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from panel.demo.worlds import serve
from panel.services import get
from panel.sync.intake import Intake
from panel.sync.jobs import Jobs
from panel.sync.pass_queue import PassQueue
from panel.sync.worker import Worker
from tests.conftest import MakePanel, Panel, Worlds, panels_before, wait_until
from tests.sync.wings import inhabited

PANEL_URL = "https://panel.example.com"
FINE, FOUND, COULD_NOT = 0, 1, 2


@pytest.fixture
def worlds() -> Iterator[Worlds]:
    """Acme (42) and Beta (45), and people of theirs."""
    office, chat = inhabited()
    servers = serve(office), serve(chat)
    yield Worlds(office, chat, servers[0].url, servers[1].url)
    for server in servers:
        server.stop()


@pytest.fixture
def make(worlds: Worlds, tmp_path: Path) -> Iterator[MakePanel]:
    with panels_before(worlds, tmp_path) as maker:
        yield maker


@pytest.fixture
def panel(make: MakePanel) -> Panel:
    return make(PANEL_URL=PANEL_URL)


def run(panel: Panel, line: str, **options: Any) -> Result:
    return panel.app.test_cli_runner().invoke(args=line.split(), **options)


def read(panel: Panel, line: str, code: int = FINE, **options: Any) -> Any:
    """Return the JSON that a command prints; its standard output has nothing else."""
    answer = run(panel, f"{line} --json", **options)
    assert answer.exit_code == code, answer.output
    return json.loads(answer.stdout)


def work(panel: Panel) -> None:
    """Run the engine until all waiting hooks are answered."""
    worker, jobs = Worker(panel.settings, get(PassQueue, panel.app)), get(Jobs, panel.app)
    worker.start(jobs.bring_in_line)
    wait_until(lambda: get(Intake, panel.app).stats().oldest_waiting is None, 20)
    worker.stop()
