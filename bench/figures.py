"""Samples, their marks, and their presentation: a table and a JSON document."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

# The ways to choose one of many values.
PICKS: dict[str, Callable[[Sequence[float]], float]] = {
    "median": statistics.median,
    "p95": lambda values: percentile(values, 95),
    "mean": statistics.fmean,
    "most": max,
}
SIGNS: dict[str, Callable[[float, float], bool]] = {
    ">=": lambda value, limit: value >= limit,
    "<=": lambda value, limit: value <= limit,
    "=": lambda value, limit: value == limit,
}


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that `percent` of all do not exceed (nearest rank)."""
    rank = math.ceil(len(values) * percent / 100)
    return sorted(values)[max(rank, 1) - 1]


def alternate(ours: Callable[[], T], theirs: Callable[[], T], times: int) -> list[tuple[T, T]]:
    """Take `times` pairs in turns, so that other load of the machine strikes both."""
    pairs = []
    for turn in range(times):
        if turn % 2:
            second = theirs()
            pairs.append((ours(), second))
        else:
            pairs.append((ours(), theirs()))
    return pairs


def ratios(pairs: Sequence[tuple[float, float]]) -> list[float]:
    return [ours / theirs for ours, theirs in pairs]


@dataclass(frozen=True)
class Mark:
    """The mark that a row must reach; `pick` chooses the value to compare."""

    sign: str
    limit: float
    pick: str = "median"

    def __str__(self) -> str:
        return f"{self.sign} {self.limit:g}"


@dataclass(frozen=True)
class Samples:
    """The values of a measurement, and a note for the reader."""

    values: Sequence[float]
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """A line of the table. A line without a mark, or not `judged` by it, is only reported."""

    row: str
    line: str
    against: str
    shape: str
    samples: Samples
    mark: Mark | None = None
    judged: bool = True

    @property
    def must(self) -> str:
        return str(self.mark) if self.mark and self.judged else ""

    @property
    def value(self) -> float:
        return PICKS[self.mark.pick if self.mark else "median"](self.samples.values)

    @property
    def reached(self) -> bool | None:
        """Tell whether the mark was reached; None without a mark."""
        if not self.mark or not self.judged:
            return None
        return SIGNS[self.mark.sign](self.value, self.mark.limit)

    def document(self) -> dict[str, Any]:
        values = self.samples.values
        return {
            "row": self.row,
            "line": self.line,
            "against": self.against,
            "shape": self.shape,
            "value": self.value,
            "least": min(values),
            "most": max(values),
            "values": list(values),
            "must": self.must,
            "reached": self.reached,
            "note": self.samples.note,
        }


WORDS = {True: "reached", False: "MISSED", None: "reported"}


def table(figures: Sequence[Figure]) -> str:
    """Write the figures for people: name, value with its spread, and whether the mark was
    reached."""
    head = ("row", "on", "value", "least .. most", "must", "")
    rows = [head, *(_cells(figure) for figure in figures)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(head))]
    lines = []
    for row, figure in zip(rows, (None, *figures), strict=True):
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
        if figure:
            lines.append(f"    against {figure.against}")
            lines += [f"    {line}" for line in figure.samples.note.splitlines()]
    return "\n".join(line.rstrip() for line in lines)


def missed(figures: Sequence[Figure]) -> list[str]:
    """Return the figures that did not reach their mark; any of them fails the run."""
    return [f"{figure.line} ({figure.shape})" for figure in figures if figure.reached is False]


def _cells(figure: Figure) -> tuple[str, ...]:
    values = figure.samples.values
    spread = f"{min(values):.3g} .. {max(values):.3g}"
    return (
        figure.line,
        figure.shape,
        f"{figure.value:.3g}",
        spread,
        figure.must,
        WORDS[figure.reached],
    )
