"""The health of the workers: executing, missing, dead, frozen or standing by."""

from collections.abc import Sequence
from dataclasses import dataclass

from panel.data.workers import (
    EXECUTING,
    HELD_BACK,
    STANDING_BY,
    STOPPED,
    WorkerRow,
)
from panel.deliveries import format_age

# A worker whose last beat is older is dead or frozen. Beats come every ten seconds, and a busy
# database may delay them for a while.
SILENT_SECONDS = 45.0
STUCK_SECONDS = 15 * 60.0  # the longest time in which no try ends while work waits
HELD_BACK_WORD = "held_back"
START = "Start one: `flask --app app sync worker`, or a panel with PANEL_WORKER=inside"


@dataclass(frozen=True)
class WorkerHealth:
    """`word`: `ok`, or what is wrong; `detail`, `advice`: for people."""

    word: str
    detail: str
    advice: str = ""

    @property
    def is_fine(self) -> bool:
        return self.word == "ok"


def judge_workers(
    rows: Sequence[WorkerRow], now: float, is_led: bool, busy: bool = False
) -> WorkerHealth:
    """`is_led`: some process holds the lease; `busy`: passes or tasks wait that could be done."""
    speaking = [row for row in rows if now - row.beat_at <= SILENT_SECONDS]
    for row in speaking:
        if row.state == EXECUTING and is_led:
            return _judge_executing(row, speaking, now, busy)
        if row.state == HELD_BACK:
            return WorkerHealth(
                HELD_BACK_WORD,
                f"{row.name} executes nothing, as another installation writes into the account",
                "If this is the one that should write: `flask --app app setup --take-over`",
            )
    # An executing worker without the lease died a moment ago.
    silent = [row for row in rows if row.state in (EXECUTING, HELD_BACK)]
    if silent and is_led:
        return WorkerHealth(
            "frozen",
            f"{silent[0].name} said its last word {format_age(now - silent[0].beat_at)}, and still "
            "holds the lease, so nobody else can work",
            "Look at that process, and end it: another one takes over, or start one",
        )
    waiting = [row.name for row in speaking if row.state == STANDING_BY]
    if waiting:
        return _judge_standing_by(waiting, is_led)
    if silent:
        ago = format_age(now - silent[0].beat_at)
        return WorkerHealth("dead", f"{silent[0].name} died: its last word was {ago}", START)
    return _judge_missing(rows, now, is_led)


def _judge_executing(
    row: WorkerRow, speaking: Sequence[WorkerRow], now: float, busy: bool
) -> WorkerHealth:
    last_end = (
        f"its last try ended {format_age(now - row.ended_at)}"
        if row.ended_at
        else "no try has ended yet"
    )
    count = sum(worker.state == STANDING_BY for worker in speaking)
    stands_by = f"; {count} more stand by" if count else ""
    if busy and now - max(row.since, row.ended_at or 0.0) > STUCK_SECONDS:
        return WorkerHealth(
            "stuck",
            f"{row.name} executes passes, but {last_end}, and something waits",
            "Look at its log and at the limit CHATWOOT_CALLS_PER_MINUTE; a restart loses nothing",
        )
    since = format_age(now - row.since)
    return WorkerHealth(
        "ok", f"{row.name} executes passes; it began {since}, and {last_end}{stands_by}"
    )


def _judge_standing_by(names: Sequence[str], is_led: bool) -> WorkerHealth:
    words = ", ".join(names)
    if is_led:
        return WorkerHealth(
            "unknown",
            f"{words} stands by, and the process that executes says nothing of itself: it is of an "
            "earlier version, or froze before it could",
            "Restart the process that executes",
        )
    return WorkerHealth("starting", f"{words} is about to take over", "Ask again in a moment")


def _judge_missing(rows: Sequence[WorkerRow], now: float, is_led: bool) -> WorkerHealth:
    if is_led:
        return WorkerHealth(
            "unknown",
            "a process of an earlier version executes, which says nothing of itself",
            "Restart it with this version",
        )
    stopped_rows = [row for row in rows if row.state == STOPPED]
    if stopped_rows:
        ago = format_age(now - stopped_rows[0].beat_at)
        return WorkerHealth(
            "missing", f"none runs; {stopped_rows[0].name} was stopped {ago}", START
        )
    return WorkerHealth("missing", "none runs, and none did in the last day", START)
