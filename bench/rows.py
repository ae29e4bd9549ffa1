"""ROWS: the measurements, their rivals, and their marks."""

from bench import flood, growth, lanes, night, path, reading, scale, shop, trouble, writing
from bench.figures import Mark
from bench.row import ALWAYS, NEVER, Line, Row, make_row


def _grown(database: str) -> list[Line]:
    many, few = f"{growth.MANY:,} organizations, {database}", f"with {growth.FEW:,}"
    return [Line(f"{name}: {many}", few, Mark("<=", 2.0)) for name in growth.MEASURED]


def _traced(kind: str) -> list[Line]:
    return [
        Line(f"modules of ours that a {kind} opening enters", "-"),
        Line(f"calls of a {kind} opening from one module of ours into another", "-"),
    ]


_BARE = "a bare Flask view that returns the same bytes, same gunicorn settings"
_INSERT = "a bare Flask view with one fsynced SQLite insert"

ROWS: tuple[Row, ...] = (
    make_row(
        "section",
        reading.warm_section,
        Line("warm section, requests/s", _BARE, Mark(">=", 0.5)),
        on_redis=ALWAYS,
    ),
    make_row(
        "changes",
        reading.changes,
        Line("204 of /changes, requests/s", _BARE, Mark(">=", 0.7)),
        on_redis=ALWAYS,
    ),
    make_row(
        "open",
        reading.warm_open,
        Line("warm open, time", "four warm sections one after another", Mark("<=", 1.0)),
        Line("the same, with Chatwoot asked for the conversation", "the same four sections"),
    ),
    make_row(
        "path",
        path.openings,
        *_traced("cold"),
        *_traced("warm"),
        on_redis=NEVER,
    ),
    make_row(
        "cold",
        reading.cold_open,
        Line("cold open, all sections answered", "the back office's delay, 1 s", Mark("<=", 1.15)),
    ),
    make_row(
        "herd",
        reading.herd,
        Line(
            f"upstream calls for {reading.AGENTS} simultaneous opens, two processes",
            "the four sections",
            Mark("=", 4, pick="most"),
        ),
    ),
    make_row(
        "hanging",
        reading.hanging,
        Line("upstream hanging: time to a useful panel", "a warm open", Mark("<=", 1.2)),
    ),
    make_row(
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
    make_row(
        "broken",
        trouble.beside_a_broken_customer,
        Line(
            "healthy customers read beside a broken one", "all of them", Mark("=", 1, pick="mean")
        ),
        on_redis=NEVER,
        quick=False,
    ),
    make_row(
        "hooks",
        writing.hooks,
        Line("hooks accepted per second, SQLite, fsynced", _INSERT, Mark(">=", 0.5)),
        Line("99th percentile of a hook's time", _INSERT, Mark("<=", 1.0)),
        on_redis=NEVER,
    ),
    make_row(
        "postgresql",
        writing.hooks_on_postgresql,
        Line("hooks accepted per second on PostgreSQL, fsynced", "the same on SQLite"),
        on_redis=NEVER,
        quick=False,
    ),
    make_row(
        "browser",
        writing.in_a_browser,
        Line("hook to changed row in Chromium, 95th percentile", "-", Mark("<=", 2.0, pick="p95")),
    ),
    make_row(
        "melting",
        writing.melting,
        Line(
            f"writes to Chatwoot for {writing.HOOKS:,} hooks of one organization",
            "its contacts",
            Mark("<=", 2.0),
        ),
        on_redis=NEVER,
    ),
    make_row(
        "backfill",
        shop.played,
        Line(
            f"the shop's front page beside {shop.BACKFILLED} passes",
            f"before, {shop.PHP_WORKERS} PHP workers",
            Mark("<=", 1.3, pick="mean"),
        ),
        Line("a cold opening beside them", "before", Mark("<=", 1.3, pick="mean")),
        on_redis=NEVER,
        quick=False,
    ),
    make_row(
        "shop",
        shop.real,
        Line(
            f"a real WordPress's front page beside a backfill of {shop.BACKFILLED}",
            "before",
            Mark("<=", 1.3),
        ),
        Line("a cold opening beside it", "before", Mark("<=", 1.3)),
        on_redis=NEVER,
        quick=False,
    ),
    make_row(
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
    make_row(
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
    make_row(
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
    make_row(
        "lining-up",
        growth.lining_up,
        Line(f"lining up {growth.MANY:,} organizations, SQLite, s", "-", Mark("<=", 5.0)),
        on_redis=NEVER,
    ),
    make_row(
        "lining-up-postgresql",
        growth.lining_up_on_postgresql,
        Line(f"lining up {growth.MANY:,} organizations, PostgreSQL, s", "-", Mark("<=", 5.0)),
        on_redis=NEVER,
        quick=False,
    ),
    make_row(
        "growth",
        growth.growth,
        *_grown("SQLite"),
        on_redis=NEVER,
        quick=False,
    ),
    make_row(
        "growth-postgresql",
        growth.growth_on_postgresql,
        *_grown("PostgreSQL"),
        on_redis=NEVER,
        quick=False,
    ),
    make_row(
        "flood",
        flood.messages,
        Line(
            f"warmings of a customer and a time to live, {flood.MESSAGES:,} messages",
            "-",
            Mark("<=", 1, pick="most"),
        ),
        Line("a hook at the door beside them, s", "-", Mark("<=", 1.0, pick="most")),
        on_redis=NEVER,
        quick=False,
    ),
    make_row(
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
    make_row(
        "uncached",
        reading.uncached,
        Line(
            "opens/s at an upstream delay of 300 ms",
            "the same panel with a time to live of 0",
            Mark(">=", 20),
        ),
    ),
    make_row(
        "polling",
        scale.polling,
        Line(
            f"CPU of one process with {scale.OPEN_PANELS} open panels",
            "one core, in percent",
            Mark("<=", 30, pick="mean"),
        ),
    ),
    make_row(
        "kept",
        scale.kept_organizations,
        Line("cost of a warm request, 20,000 kept organizations", "with 100", Mark("<=", 1.1)),
        is_judged=True,
    ),
    make_row(
        "memory",
        scale.memory,
        Line("memory of a web process after 100,000 requests", "after 1,000", Mark("<=", 1.02)),
        Line("the same in MB", "-", Mark("<=", 120)),
        on_redis=NEVER,
    ),
)
