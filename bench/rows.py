"""ROWS: what is measured, against what, and what must be reached."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench import growth, lanes, night, reading, scale, trouble, writing
from bench.figures import Figure, Mark, Samples
from bench.stage import FILES, REDIS, Stage

ALWAYS, WHOLE, NEVER = "always", "whole", "never"  # WHOLE: in no quick run


@dataclass(frozen=True)
class Line:
    """One value of a row; without a mark it is only reported."""

    what: str
    against: str
    mark: Mark | None = None


@dataclass(frozen=True)
class Row:
    """`measure` gives the samples of each line. `on_redis`: how often it is measured there too.

    What Redis costs beside files is reported; `judged`: this row has to be reached there as well.
    `quick`: is it part of a quick run?
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
        wanted = self.on_redis == ALWAYS or (self.on_redis == WHOLE and not stage.quick)
        return (FILES, REDIS) if wanted and stage.redis_url else (FILES,)


def _row(
    name: str,
    measure: Callable[[Stage, str], Sequence[Samples]],
    *lines: Line,
    on_redis: str = WHOLE,
    quick: bool = True,
    judged: bool = False,
) -> Row:
    return Row(name, measure, lines, on_redis, quick, judged)


def _grown(database: str) -> list[Line]:
    many, few = f"{growth.MANY:,} organizations, {database}", f"with {growth.FEW:,}"
    return [Line(f"{name}: {many}", few, Mark("<=", 2.0)) for name in growth.MEASURED]


_BARE = "a bare Flask view that returns the same bytes, same gunicorn settings"
_INSERT = "a bare Flask view with one fsynced SQLite insert"

ROWS: tuple[Row, ...] = (
    _row(
        "section",
        reading.warm_section,
        Line("warm section, requests/s", _BARE, Mark(">=", 0.5)),
        on_redis=ALWAYS,
    ),
    _row(
        "changes",
        reading.changes,
        Line("204 of /changes, requests/s", _BARE, Mark(">=", 0.7)),
        on_redis=ALWAYS,
    ),
    _row(
        "open",
        reading.warm_open,
        Line("warm open, time", "four warm sections one after another", Mark("<=", 1.0)),
        Line("the same, with Chatwoot asked for the conversation", "the same four sections"),
    ),
    _row(
        "cold",
        reading.cold_open,
        Line("cold open, all sections answered", "the back office's delay, 1 s", Mark("<=", 1.15)),
    ),
    _row(
        "herd",
        reading.herd,
        Line(
            f"upstream calls for {reading.AGENTS} simultaneous opens, two processes",
            "the four sections",
            Mark("=", 4, pick="most"),
        ),
    ),
    _row(
        "hanging",
        reading.hanging,
        Line("upstream hanging: time to a useful panel", "a warm open", Mark("<=", 1.2)),
    ),
    _row(
        "trouble",
        trouble.behind_others,
        Line(
            f"/healthz beside {trouble.AGENTS} cold openings that wait, s",
            "-",
            Mark("<=", 1.0, pick="most"),
        ),
        Line("a hook beside them, s", "-", Mark("<=", 1.0, pick="most")),
        Line("a warm open beside them", "a quiet warm open", Mark("<=", 2.0, pick="most")),
        on_redis=NEVER,
        quick=False,
    ),
    _row(
        "broken",
        trouble.beside_a_broken_customer,
        Line(
            "healthy customers read beside a broken one", "all of them", Mark("=", 1, pick="mean")
        ),
        on_redis=NEVER,
        quick=False,
    ),
    _row(
        "hooks",
        writing.hooks,
        Line("hooks accepted per second, SQLite, fsynced", _INSERT, Mark(">=", 0.5)),
        Line("99th percentile of a hook's time", _INSERT, Mark("<=", 1.0)),
        on_redis=NEVER,
    ),
    _row(
        "postgresql",
        writing.hooks_on_postgresql,
        Line("hooks accepted per second on PostgreSQL, fsynced", "the same on SQLite"),
        on_redis=NEVER,
        quick=False,
    ),
    _row(
        "browser",
        writing.in_a_browser,
        Line("hook to changed row in Chromium, 95th percentile", "-", Mark("<=", 2.0, pick="p95")),
    ),
    _row(
        "melting",
        writing.melting,
        Line(
            f"writes to Chatwoot for {writing.HOOKS:,} hooks of one organization",
            "its contacts",
            Mark("<=", 2.0),
        ),
        on_redis=NEVER,
    ),
    _row(
        "backfill",
        writing.backfill,
        Line(
            f"the shop's front page beside {writing.BACKFILLED} passes",
            f"before, {writing.PHP_WORKERS} PHP workers",
            Mark("<=", 1.3, pick="mean"),
        ),
        Line("a cold opening beside them", "before", Mark("<=", 1.3, pick="mean")),
        on_redis=NEVER,
        quick=False,
    ),
    _row(
        "night",
        night.night,
        Line(
            "calls to Chatwoot for each contact, of a night with nothing changed",
            "-",
            Mark("<=", 1 / 12, pick="most"),
        ),
        Line(
            "calls to Chatwoot of a pass after a hook without news",
            "-",
            Mark("=", 0, pick="most"),
        ),
        Line("the same, where one contact has changed", "-", Mark("<=", 4, pick="most")),
        on_redis=NEVER,
    ),
    _row(
        "reconcile",
        lanes.beside_a_reconcile,
        Line(
            f"a hook's effect in Chatwoot beside a reconcile of {lanes.LINED_UP:,}, s",
            "-",
            Mark("<=", 5.0, pick="p95"),
        ),
        Line(
            "calls of the reconcile beside a flood of hooks",
            "the budget of a minute",
            Mark(">=", 0.25),
        ),
        on_redis=NEVER,
        quick=False,
    ),
    _row(
        "newcomers",
        lanes.beside_a_backfill,
        Line(
            f"a hook's effect in Chatwoot beside a backfill of {lanes.LINED_UP:,} new ones, s",
            "-",
            Mark("<=", 5.0, pick="p95"),
        ),
        on_redis=NEVER,
        quick=False,
    ),
    _row(
        "lining-up",
        growth.lining_up,
        Line(f"lining up {growth.MANY:,} organizations, SQLite, s", "-", Mark("<=", 5.0)),
        on_redis=NEVER,
    ),
    _row(
        "lining-up-postgresql",
        growth.lining_up_on_postgresql,
        Line(f"lining up {growth.MANY:,} organizations, PostgreSQL, s", "-", Mark("<=", 5.0)),
        on_redis=NEVER,
        quick=False,
    ),
    _row(
        "growth",
        growth.growth,
        *_grown("SQLite"),
        on_redis=NEVER,
        quick=False,
    ),
    _row(
        "growth-postgresql",
        growth.growth_on_postgresql,
        *_grown("PostgreSQL"),
        on_redis=NEVER,
        quick=False,
    ),
    _row(
        "naming",
        writing.new_conversations,
        Line(
            f"calls to Chatwoot for a new conversation, company of {writing.COLLEAGUES + 1}",
            "one read and one write",
            Mark("=", 2, pick="most"),
        ),
        Line("from the new conversation to its name, s", "-", Mark("<=", 5.0, pick="p95")),
        on_redis=NEVER,
    ),
    _row(
        "uncached",
        reading.uncached,
        Line(
            "opens/s at an upstream delay of 300 ms",
            "the same panel with a time to live of 0",
            Mark(">=", 20),
        ),
    ),
    _row(
        "polling",
        scale.polling,
        Line(
            f"CPU of one process with {scale.OPEN_PANELS} open panels",
            "one core, in percent",
            Mark("<=", 30, pick="mean"),
        ),
    ),
    _row(
        "kept",
        scale.kept_organizations,
        Line("cost of a warm request, 20,000 kept organizations", "with 100", Mark("<=", 1.1)),
        judged=True,
    ),
    _row(
        "memory",
        scale.memory,
        Line("memory of a web process after 100,000 requests", "after 1,000", Mark("<=", 1.02)),
        Line("the same in MB", "-", Mark("<=", 120)),
        on_redis=NEVER,
    ),
)
