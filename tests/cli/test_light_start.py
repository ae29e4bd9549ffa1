"""A command loads only what it needs: the durable engine only where passes are executed."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import environment, with_tables

ROOT = Path(__file__).resolve().parents[2]
LIGHT = (
    *("sync status", "sync known", "sync buried", "sync backfill 42"),
    *("doctor", "explain 101", "explain --organization 42", "access"),
    *("forget --person ana@acme.example --dry-run", "export --organization 42"),
)
# The program runs commands as `flask --app app` does; then it uses the engine.
PROGRAM = """
import json, sys
from app import create_app
from panel.services import get
from panel.sync.pass_queue import PassQueue
app = create_app()
runner = app.test_cli_runner()
codes = {line: runner.invoke(args=line.split()).exit_code for line in json.load(sys.stdin)}
after_commands = "dbos" in sys.modules
get(PassQueue, app).client
print(json.dumps([codes, after_commands, "dbos" in sys.modules]))
"""


def test_commands_that_execute_no_pass_do_without_the_engine(tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:9"
    settings = environment(nobody, nobody, with_tables(tmp_path))
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={**settings, "PATH": os.environ["PATH"]},
        input=json.dumps(LIGHT),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    codes, after_commands, when_asked_for = json.loads(process.stdout.splitlines()[-1])
    assert codes["sync known"] == codes["access"] == codes["export --organization 42"] == 0
    assert not after_commands
    assert when_asked_for
