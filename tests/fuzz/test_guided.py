"""A fuzzer that watches the panel's lines finds no fault either; it is skipped without its wheel.

A short run tries one parser, to show that the fuzzer works; `make fuzz` tries all.
"""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fuzz.amount import GUIDED_RUNS, IS_LONG, SEED
from tests.fuzz.parsers import PARSERS

ROOT = Path(__file__).resolve().parents[2]
ABSENT = "NO ATHERIS HERE: it has no wheel for this Python (parsers were tried by chance alone)"


@pytest.mark.parametrize("name", PARSERS if IS_LONG else ["hooks"])
def test_a_guided_fuzzer_breaks_no_parser(name: str, tmp_path: Path) -> None:
    if not find_spec("atheris"):
        pytest.skip(ABSENT)
    options = [f"-runs={GUIDED_RUNS}", f"-seed={SEED}", f"-artifact_prefix={tmp_path}/"]
    run = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.guided", name, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert run.returncode == 0, run.stderr[-4000:]
    assert re.search(rf"Done {GUIDED_RUNS} runs", run.stderr), run.stderr[-1000:]
