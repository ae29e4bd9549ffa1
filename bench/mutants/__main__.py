"""`python -m bench.mutants --sample 300`; a mutant that no test notices survives.

Each result is a line of JSON. What survives its quickest tests has to stand slower ones.
"""

import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path
from queue import SimpleQueue

import click

from bench.mutants.covering import Covering, Tests, trace_tests
from bench.mutants.listing import Mutant, choose_mutants, list_mutants
from bench.mutants.trial import make_copy, try_mutant

SEED = 20261130
ROUNDS = ((0, 8), (8, 60))  # from and to which second of the tests, the quickest ones first
COPIES = 2
COSMIC_RAY = Path(sys.executable).with_name("cosmic-ray")


@click.command()
@click.option("--sample", default=300, show_default=True)
@click.option("--seed", default=SEED, show_default=True)
@click.option("--only", default="", help="Only mutants below this path.")
@click.option("--folder", default="var/mutants", type=click.Path(path_type=Path, resolve_path=True))
def main(sample: int, seed: int, only: str, folder: Path) -> None:
    """Put faults into copies of the panel, one at a time, and run the tests that execute them."""
    folder.mkdir(parents=True, exist_ok=True)
    copies = [make_copy(folder / f"panel{number}") for number in range(COPIES)]
    mutants, dropped = list_mutants(copies[0], COSMIC_RAY)
    click.echo(f"seed {seed}: of {len(mutants)} mutants; {dropped} mean nothing", err=True)
    rows_to_run = choose_mutants(
        [row for row in mutants if row.module.startswith(only)], sample, seed
    )
    data, report = folder / "coverage.sqlite", folder / "tests.txt"
    if not data.exists():  # else these are the lines of an earlier run
        trace_tests(copies[0], data, report)
    covering = Covering(copies[0], data, report)
    for begin, end in ROUNDS:
        outcomes = try_all(copies, rows_to_run, covering, begin, end)
        survivors = [
            row for row, outcome in zip(rows_to_run, outcomes, strict=True) if outcome == "survived"
        ]
        click.echo(f"{len(rows_to_run)} mutants, {len(survivors)} survived", err=True)
        rows_to_run = survivors


def try_all(
    copies: Sequence[Path], mutants: Sequence[Mutant], covering: Covering, begin: float, end: float
) -> list[str]:
    """Return the outcomes, in the order of the mutants."""
    # The tests are found before a module is changed, for they are found by its lines.
    tests_of = [between(covering.find_tests(mutant), begin, end) for mutant in mutants]
    free: SimpleQueue[Path] = SimpleQueue()
    for copy in copies:
        free.put(copy)

    def try_next(mutant: Mutant, tests: Tests) -> str:
        copy, started_at = free.get(), time.monotonic()
        outcome = try_mutant(copy, COSMIC_RAY, mutant, tests)
        free.put(copy)
        row = [*mutant, outcome, round(time.monotonic() - started_at, 1), len(tests)]
        click.echo(json.dumps(row))
        return outcome

    with ThreadPoolExecutor(len(copies)) as pool:
        return list(pool.map(try_next, mutants, tests_of))


def between(tests: Tests, begin: float, end: float) -> Tests:
    """Return the tests that start from second `begin` to second `end` when all of them are run."""
    starts = accumulate((seconds for _, seconds in tests), initial=0.0)
    return [test for test, start in zip(tests, starts, strict=False) if begin <= start < end]


if __name__ == "__main__":
    main()
