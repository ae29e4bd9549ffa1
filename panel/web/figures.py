"""FIGURES: the values that `/metrics` looks up in the database and among the checks at each
request.

The figures are of the whole installation, so every process answers the same. Without the database
its figures are missing, and `panel_part_fine` says so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from panel.checks import run_checks
from panel.data import db
from panel.data.backlog import Backlog, read_backlog
from panel.data.delivery_log import ACCEPTED, CHATWOOT, PLUGIN
from panel.data.lanes import LaneLength
from panel.data.migrations import version
from panel.data.nights import NightRow, find_last_end, read_last
from panel.data.workers import Workers
from panel.errors import PanelError
from panel.health.finding import Finding
from panel.health.sync_checks import count_retries
from panel.metrics import Figure
from panel.services import Services

NO_TIME = 0.0  # the time of an event that never was
NIGHT_COUNTS = ("contacts", "single", "wanted", "compared", "lined_up", "skipped", "withheld")


@dataclass(frozen=True)
class _Snapshot:
    """`delivered_at`: when the last delivery of each sender was accepted, in epoch seconds.

    `retries`: counted by outside world; `tried_at`: the end of the last try.
    """

    backlog: Backlog
    delivered_at: Mapping[str, float]
    retries: Mapping[str, float]
    tried_at: float
    night: NightRow
    night_ended_at: float | None


@dataclass(frozen=True)
class _Row:
    name: str
    words: str
    find: Callable[[_Snapshot], Mapping[str, float]]
    label: str = ""


def _by_lane(backlog: Backlog, find: Callable[[LaneLength], float]) -> dict[str, float]:
    return {lane.name.lower(): find(length) for lane, length in backlog.lanes.items()}


FIGURES = (
    _Row(
        "panel_hooks_waiting",
        "Hooks that wait for their pass",
        lambda s: _one(s.backlog.hooks_waiting),
    ),
    _Row(
        "panel_hooks_oldest_timestamp_seconds",
        "When the oldest hook came that somebody waits for, 0 when none waits",
        lambda s: _one(s.backlog.oldest_at),
    ),
    _Row("panel_hooks_buried", "Hooks that were given up", lambda s: _one(s.backlog.hooks_buried)),
    _Row(
        "panel_passes",
        "Organizations by what their pass is at; retrying: the last try failed",
        lambda s: {
            "waiting": s.backlog.passes_waiting,
            "running": s.backlog.passes_running,
            "retrying": s.backlog.retrying,
        },
        label="state",
    ),
    _Row(
        "panel_lane_passes",
        "Passes that wait in each lane",
        lambda s: _by_lane(s.backlog, lambda lane: lane.waiting),
        label="lane",
    ),
    _Row(
        "panel_lane_oldest_timestamp_seconds",
        "When the oldest waiting hook of each lane came, 0 when none waits",
        lambda s: {
            lane.name.lower(): length.oldest_at or 0.0 for lane, length in s.backlog.lanes.items()
        },
        label="lane",
    ),
    _Row(
        "panel_last_reconcile_timestamp_seconds",
        "When a night ended last, or organizations were lined up by `sync reconcile`; 0: never",
        lambda s: _one(max(s.backlog.nightly_at or NO_TIME, s.night_ended_at or NO_TIME)),
    ),
    _Row(
        "panel_last_delivery_timestamp_seconds",
        "When the last delivery of a sender was accepted; 0: none ever",
        lambda s: s.delivered_at,
        label="sender",
    ),
    _Row(
        "panel_retries",
        "Passes and tasks whose last try failed, by the side at which it did",
        lambda s: s.retries,
        label="side",
    ),
    _Row(
        "panel_last_try_timestamp_seconds",
        "When a try of a pass or a task ended last, in the last day; 0: none",
        lambda s: _one(s.tried_at),
    ),
    _Row(
        "panel_night_ended_timestamp_seconds",
        "When a nightly comparison of everything ended last; 0: none ever",
        lambda s: _one(s.night_ended_at),
    ),
    _Row(
        "panel_night_progress_timestamp_seconds",
        "When the last night took its last step; 0: none ever",
        lambda s: _one(s.night.noted_at),
    ),
    _Row(
        "panel_night",
        "The last night, under way or ended; skipped: turns lost to a trouble; withheld: deletions",
        lambda s: {name: float(getattr(s.night, name)) for name in NIGHT_COUNTS},
        label="count",
    ),
)


def list_figures(shared: Services) -> list[Figure]:
    findings = run_checks(shared, cheap_only=True)
    figures = [_tell_parts(findings), _tell_schema()]
    if findings["database"].word == "away":
        return figures
    try:
        snapshot = _take_snapshot(shared)
    except PanelError:
        return figures
    return figures + [Figure(row.name, row.words, row.find(snapshot), row.label) for row in FIGURES]


def _tell_parts(findings: Mapping[str, Finding]) -> Figure:
    values = {name: float(finding.is_fine) for name, finding in findings.items()}
    return Figure("panel_part_fine", "Parts of /readyz: 1 where all is well", values, "part")


def _tell_schema() -> Figure:
    return Figure(
        "panel_schema_version", "Of the database, as this program needs it", _one(version.SCHEMA)
    )


def _take_snapshot(shared: Services) -> _Snapshot:
    with db.transaction(shared.database) as connection:
        backlog, retries = read_backlog(connection), count_retries(connection)
        night = read_last(connection) or NightRow(NO_TIME, NO_TIME)
        night_ended_at = find_last_end(connection)
    workers, _ = Workers(shared.database).list_rows()
    tried_at = max((row.ended_at or NO_TIME for row in workers), default=NO_TIME)
    tallies = {sender: shared.deliveries.read(sender) for sender in (CHATWOOT, PLUGIN)}
    delivered_at = {
        sender: tally[ACCEPTED].last_at if ACCEPTED in tally else NO_TIME
        for sender, tally in tallies.items()
    }
    return _Snapshot(backlog, delivered_at, retries, tried_at, night, night_ended_at)


def _one(number: float | None) -> dict[str, float]:
    return {"": NO_TIME if number is None else number}
