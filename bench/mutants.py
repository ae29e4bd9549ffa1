"""`python -m bench.mutants --sample 300`: faults that are put into the panel, and who notices them.

Cosmic Ray (8.7, `pip install cosmic-ray` into an environment of its own) lists and makes the
mutants, in a copy of the repository. The sample follows from the seed. A mutant that no test of its
folder notices survives; the result is a JSON line for each.
"""

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click

from bench.machine import ROOT

SEED = 20261130
PATIENCE = 300  # seconds for the tests of a mutant; one that never ends is noticed as well
# What is mutated, and the tests that have to notice it, the quickest first.
TARGETS = {
    "panel/cache": ("tests/cache",),
    "panel/auth": ("tests/auth", "tests/customer"),
    "panel/customer/matching.py": ("tests/customer", "tests/web/test_claims.py"),
    "panel/models": ("tests/models", "tests/web/test_oddities.py", "tests/web/test_amounts.py"),
    "panel/sync": ("tests/sync",),
}
LEFT_OUT = ("test_chaos.py", "test_processes.py", "test_machines.py")  # minutes each
CONFIG = """[cosmic-ray]
module-path = {paths}
timeout = 10.0
excluded-modules = []
test-command = "false"
[cosmic-ray.distributor]
name = "local"
"""
Mutant = tuple[str, str, int, int]  # module, operator, its occurrence, line


@click.command()
@click.option("--sample", default=300, show_default=True)
@click.option("--seed", default=SEED, show_default=True)
@click.option("--cosmic-ray", "program", default="cosmic-ray", show_default=True)
@click.option("--only", default="", help="Only mutants below this path.")
def main(sample: int, seed: int, program: str, only: str) -> None:
    """Put faults into a copy of the panel, one at a time, and run its tests."""
    with tempfile.TemporaryDirectory(prefix="panel-mutants-") as folder:
        copy = make_copy(Path(folder))
        chosen = choose_mutants(copy, program, sample, seed, only)
        outcomes: Counter[str] = Counter()
        for mutant in chosen:
            outcome, seconds = try_mutant(copy, program, mutant)
            outcomes[outcome] += 1
            row = [*mutant, outcome, round(seconds, 1)]
            click.echo(json.dumps(row))
    click.echo(f"seed {seed}: {dict(outcomes)}", err=True)


def make_copy(folder: Path) -> Path:
    """Copy what git keeps, so that nobody's work is touched."""
    copy = folder / "panel"
    git = shutil.which("git") or "git"
    subprocess.run([git, "clone", "--quiet", "--shared", str(ROOT), str(copy)], check=True)
    return copy


def choose_mutants(copy: Path, program: str, sample: int, seed: int, only: str) -> list[Mutant]:
    config, session = copy.parent / "config.toml", copy.parent / "session.sqlite"
    config.write_text(CONFIG.format(paths=json.dumps(list(TARGETS))))
    run = [program, "init", str(config), str(session)]
    subprocess.run(run, cwd=copy, check=True, capture_output=True)
    query = "SELECT module_path, operator_name, occurrence, start_pos_row FROM mutation_specs"
    with closing(sqlite3.connect(session)) as database:
        found: list[Mutant] = sorted(database.execute(query))
    found = [row for row in found if str(row[0]).startswith(only)]
    return random.Random(seed).sample(found, min(sample, len(found)))  # noqa: S311 (a sample)


def try_mutant(copy: Path, program: str, mutant: Mutant) -> tuple[str, float]:
    """Return `killed`, `survived` or `endless`, and the seconds that it took."""
    module, operator, occurrence, _ = mutant
    original, begun = (copy / module).read_text(), time.monotonic()
    apply = [program, "apply", module, operator, str(occurrence)]
    subprocess.run(apply, cwd=copy, check=True, capture_output=True)
    try:
        ended = run_tests(copy, find_tests(copy, module))
        outcome = "killed" if ended else "survived"
    except subprocess.TimeoutExpired:
        outcome = "endless"
    finally:
        (copy / module).write_text(original)
    return outcome, time.monotonic() - begun


def find_tests(copy: Path, module: str) -> list[str]:
    """Return the files of tests, those first that name the module."""
    folders = next(tests for target, tests in TARGETS.items() if module.startswith(target))
    places = [copy / folder for folder in folders]
    files = [file for place in places for file in sorted(place.glob("test_*.py")) or [place]]
    name = module.removesuffix(".py").replace("/", ".")
    named = [file for file in files if name in file.read_text()]
    rest = [file for file in files if file not in named]
    return [str(file) for file in (*named, *rest) if file.name not in LEFT_OUT]


def run_tests(copy: Path, files: Sequence[str]) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *files]
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(
        command, cwd=copy, env=environ, check=False, capture_output=True, timeout=PATIENCE
    )
    return ended.returncode


if __name__ == "__main__":
    main()
