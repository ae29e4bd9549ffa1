"""A row of the benchmark: its measurement, its storage, and its lines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.figures import Figure, Mark, Samples
from bench.stage import FILES, REDIS, Stage

ALWAYS, WHOLE, NEVER = "always", "whole", "never"  # WHOLE: in whole runs only


@dataclass(frozen=True)
class Line:
    """A value of a row; without a mark it is only reported."""

    what: str
    against: str
    mark: Mark | None = None


@dataclass(frozen=True)
class Row:
    """`measure` returns the samples of each line. `on_redis`: in which runs the row is measured on
    Redis too.

    The cost of Redis beside files is reported. `judged`: the marks count on Redis too. `quick`: the
    row is part of a quick run.
    """

    name: str
    measure: Callable[[Stage, str], Sequence[Samples]]
    lines: tuple[Line, ...]
    on_redis: str = WHOLE
    quick: bool = True
    judged: bool = False

    def figures(self, stage: Stage) -> list[Figure]:
        return [
            Figure(
                self.name,
                line.what,
                line.against,
                shape,
                samples,
                line.mark,
                judged=shape == FILES or self.judged,
            )
            for shape in self._shapes(stage)
            for line, samples in zip(self.lines, self.measure(stage, shape), strict=True)
        ]

    def _shapes(self, stage: Stage) -> tuple[str, ...]:
        is_wanted = self.on_redis == ALWAYS or (self.on_redis == WHOLE and not stage.quick)
        return (FILES, REDIS) if is_wanted and stage.redis_url else (FILES,)


def make_row(
    name: str,
    measure: Callable[[Stage, str], Sequence[Samples]],
    *lines: Line,
    on_redis: str = WHOLE,
    quick: bool = True,
    is_judged: bool = False,
) -> Row:
    return Row(name, measure, lines, on_redis, quick, is_judged)
