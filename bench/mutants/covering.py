"""Which tests execute a line, and how long each of them takes."""

import ast
import os
import re
import sqlite3
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import lru_cache
from pathlib import Path

from bench.mutants.listing import TARGETS, Mutant

FOLDERS = ("auth", "cache", "customer", "explain", "models", "sync", "upstream", "web")
LEFT_OUT = ("sync/test_chaos.py", "sync/test_processes.py", "web/test_machines.py")  # minutes each
DURATION = re.compile(r"([\d.]+)s (?:setup|call|teardown) +(\S.*)")
FAILURE = re.compile(r"(?:FAILED|ERROR) (\S.*?)(?: - .*)?")
LINES = """SELECT context.context, line_bits.numbits FROM line_bits
JOIN file ON file.id = file_id JOIN context ON context.id = context_id WHERE file.path LIKE ?"""


Tests = list[tuple[str, float]]  # names as pytest writes them, and seconds


def trace_tests(copy: Path, data: Path, report: Path) -> None:
    """Run all tests once; write the lines that each executes into `data`, the times into `report`.

    Lines that only another process executes are not seen.
    """
    folders = [f"tests/{folder}" for folder in FOLDERS]
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", *folders]
    command += ["--durations=0", "--durations-min=0", "--cov-context=test", "--cov-report="]
    command += [f"--cov={module_name(target)}" for target in TARGETS]
    command += [f"--ignore=tests/{name}" for name in LEFT_OUT]
    environ = {**os.environ, "COVERAGE_FILE": str(data)}
    with report.open("w") as output:
        subprocess.run(command, cwd=copy, env=environ, check=False, stdout=output)


class Covering:
    """The tests that execute a line, those first that were written for its module."""

    def __init__(self, copy: Path, data: Path, report: Path) -> None:
        self._copy, self._data = copy, data
        self._seconds: Counter[str] = Counter()
        lines = report.read_text(encoding="utf-8").splitlines()
        for match in filter(None, map(DURATION.fullmatch, lines)):
            self._seconds[match[2]] += float(match[1])  # type: ignore[assignment]
        self._failed = {match[1] for match in map(FAILURE.fullmatch, lines) if match}
        self._read = lru_cache(self._read_lines)

    def find_tests(self, mutant: Mutant) -> Tests:
        """Return tests and their seconds; none if no test executes the line."""
        tests_by_line = self._read(mutant.module)
        source = (self._copy / mutant.module).read_text(encoding="utf-8")
        for lines in list_spans(ast.parse(source), mutant.line):
            if tests := {test for line in lines for test in tests_by_line.get(line, ())}:
                return self._sort(tests - self._failed, mutant.module)
        return []

    def _sort(self, tests: Iterable[str], module: str) -> Tests:
        name = module_name(module)
        files = {file: (self._copy / file).read_text() for file in map(file_of, tests)}

        def rank(test: str) -> tuple[bool, bool, float, str]:
            foreign, slow = name not in files[file_of(test)], "[postgresql" in test
            return foreign, slow, self._seconds[test], test

        return [(test, self._seconds[test]) for test in sorted(tests, key=rank)]

    def _read_lines(self, module: str) -> dict[int, set[str]]:
        tests_by_line: defaultdict[int, set[str]] = defaultdict(set)
        with closing(sqlite3.connect(self._data)) as database:
            for context, bits in database.execute(LINES, [f"%/{module}"]):
                test, _, phase = context.rpartition("|")
                for line in list_bits(bits) if phase else ():
                    tests_by_line[line].add(test)
        return tests_by_line


def module_name(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


def file_of(test: str) -> str:
    return test.partition("::")[0]


def list_bits(bits: bytes) -> Iterator[int]:
    """Read what Coverage keeps: bit 0 of byte 1 stands for line 8."""
    return (
        8 * place + bit for place, byte in enumerate(bits) for bit in range(8) if byte >> bit & 1
    )


def list_spans(tree: ast.Module, line: int) -> Iterator[range]:
    """Yield the lines whose tests are asked, the best first.

    A line inside of a function: the line, then its statement. Any other line is executed when the
    module is imported, whatever the test: the function that it begins, then the whole module.
    """
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.stmt | ast.ExceptHandler)]
    around = [node for node in nodes if line in lines_of(node)]
    functions = [node for node in around if isinstance(node, ast.FunctionDef)]
    if any(line >= function.body[0].lineno for function in functions):
        yield range(line, line + 1)
        yield header_of(max(around, key=lambda node: node.lineno), line)
        return
    yield from (lines_of(function.body[0], function.body[-1]) for function in functions)
    yield lines_of(*tree.body)


Block = ast.stmt | ast.ExceptHandler


def lines_of(*nodes: Block) -> range:
    decorators = getattr(nodes[0], "decorator_list", [])
    begin = min(node.lineno for node in (*decorators, nodes[0]))
    return range(begin, (nodes[-1].end_lineno or 0) + 1)


def header_of(node: Block, line: int) -> range:
    """Return the lines of a statement without the statements inside of it."""
    body = getattr(node, "body", None)
    return range(node.lineno, body[0].lineno) if body and line < body[0].lineno else lines_of(node)
