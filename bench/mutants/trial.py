"""The tests in a copy of the repository that has a fault."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from bench.machine import ROOT
from bench.mutants.covering import Tests, file_of
from bench.mutants.listing import Mutant

PATIENCE = 30  # seconds, beside four times what the tests need
OUTCOMES = {0: "survived", 1: "killed", 2: "killed"}  # by the exit code of pytest


def make_copy(copy: Path) -> Path:
    """Copy what git keeps, so that nobody's work is touched."""
    shutil.rmtree(copy, ignore_errors=True)
    git = shutil.which("git") or "git"
    subprocess.run([git, "clone", "--quiet", "--shared", str(ROOT), str(copy)], check=True)
    return copy


def try_mutant(copy: Path, program: Path, mutant: Mutant, tests: Tests) -> str:
    """Return `killed`, `survived`, `endless`, or pytest's other exit code."""
    if not tests:
        return "survived"
    module, original = copy / mutant.module, copy.with_suffix(".original")
    shutil.copy2(module, original)  # with its time, by which Python knows its own cache
    apply = [str(program), "apply", mutant.module, mutant.operator, str(mutant.occurrence)]
    try:
        subprocess.run(apply, cwd=copy, check=True, capture_output=True)
        return run_tests(copy, tests)
    finally:
        shutil.copy2(original, module)


def run_tests(copy: Path, tests: Tests) -> str:
    files = list(dict.fromkeys(file_of(test) for test, _ in tests))
    names = sorted((test for test, _ in tests), key=lambda test: files.index(file_of(test)))
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *names]
    with (copy.parent / f"{copy.name}.log").open("w") as log:
        run = subprocess.Popen(command, cwd=copy, stdout=log, stderr=log, start_new_session=True)
        try:
            code = run.wait(PATIENCE + 4 * sum(seconds for _, seconds in tests))
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            return "endless"
    return OUTCOMES.get(code, f"exit {code}")
