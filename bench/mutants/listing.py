"""The faults that Cosmic Ray knows to make, and a sample of them."""

import ast
import json
import random
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

TARGETS = ("panel/cache", "panel/auth", "panel/customer/matching.py", "panel/models", "panel/sync")
CONFIG = """[cosmic-ray]
module-path = {paths}
timeout = 10.0
excluded-modules = []
test-command = "false"
[cosmic-ray.distributor]
name = "local"
"""
COLUMNS = "module_path, operator_name, occurrence, start_pos_row, start_pos_col"


class Mutant(NamedTuple):
    module: str  # its path
    operator: str
    occurrence: int  # there may be several of the operator in the module
    line: int
    column: int


def list_mutants(copy: Path, program: Path) -> tuple[list[Mutant], int]:
    """Return the mutants that mean something, and how many do not."""
    config, session = copy.with_suffix(".toml"), copy.with_suffix(".sqlite")
    config.write_text(CONFIG.format(paths=json.dumps(TARGETS)))
    run = [str(program), "init", str(config), str(session)]
    subprocess.run(run, cwd=copy, check=True, capture_output=True)
    with closing(sqlite3.connect(session)) as database:
        rows = database.execute(f"SELECT {COLUMNS} FROM mutation_specs")  # noqa: S608 (ours)
        mutants = sorted(Mutant(*row) for row in rows)
    spans = {name: list(find_operators(copy / name)) for name in {row.module for row in mutants}}
    kept = [mutant for mutant in mutants if has_meaning(mutant, spans[mutant.module])]
    return kept, len(mutants) - len(kept)


def choose_mutants(mutants: Sequence[Mutant], sample: int, seed: int) -> list[Mutant]:
    return random.Random(seed).sample(mutants, min(sample, len(mutants)))  # noqa: S311 (a sample)


Position = tuple[int, int]  # line, column


def find_operators(module: Path) -> Iterator[tuple[Position, Position]]:
    """Yield from where to where each binary operator stands that Python evaluates for its value."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    fields = [getattr(node, name, None) for node in ast.walk(tree) for name in ANNOTATIONS]
    annotated = {node for field in fields if field for node in ast.walk(field)}
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and node not in annotated:
            left, right = node.left, node.right
            end = (left.end_lineno or 0, left.end_col_offset or 0)
            yield end, (right.lineno, right.col_offset)


ANNOTATIONS = ("annotation", "returns")


def has_meaning(mutant: Mutant, operators: Sequence[tuple[Position, Position]]) -> bool:
    """Cosmic Ray takes the `|` of annotations and the `**` in `{**values}` for operators too."""
    if "ReplaceBinaryOperator" not in mutant.operator:
        return True
    position = (mutant.line, mutant.column)
    return any(begin <= position < end for begin, end in operators)
