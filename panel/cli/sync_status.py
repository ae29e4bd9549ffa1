"""`flask --app app sync status`: the state of the writing wing, with advice for each problem."""

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import click

from panel.checks import DELIVERY_CHECKS, run_checks
from panel.cli.claim import TAKE_OVER
from panel.cli.night_status import describe_night, find_night_problems
from panel.cli.output import FOUND, count_noun, database_command, echo, format_time
from panel.data.delivery_log import ACCEPTED
from panel.data.installation import Installation, InstallationRow
from panel.data.lanes import SLOW, Lane
from panel.data.leader import is_led
from panel.data.nights import NightRow, Nights
from panel.data.workers import Workers
from panel.deliveries import format_age
from panel.health.finding import Finding
from panel.health.worker_health import WorkerHealth, judge_workers
from panel.services import get, services
from panel.sync.dry_run import list_unsettled
from panel.sync.installation_mark import HELD_BACK_BY, UNREADABLE
from panel.sync.intake import Intake, Stats
from panel.sync.reasons import explain_reason, find_reason

DATABASE = "database"  # the name of the check
LONG_SECONDS = 3600.0  # the longest that a hook may wait
MOST_LINES = 10  # lines of one kind


@dataclass(frozen=True)
class SyncState:
    """The state of the writing wing. `arrivals`: findings about webhooks, hooks and the database
    that keeps them, by check.

    `left_to_people`: the number of people whose contacts wait for somebody's decision, which is no
    problem.
    """

    stats: Stats
    arrivals: Mapping[str, Finding]
    worker: WorkerHealth
    installation: InstallationRow
    now: float
    left_to_people: int = 0
    night: NightRow | None = None

    @property
    def problems(self) -> list[str]:
        """Return the problems, with advice, a sentence each; empty when all is well."""
        return [
            *self._find_database_problems(),
            *self._find_worker_problems(),
            *self._find_buried_problems(),
            *_find_failing_problems(self.stats),
            *self._find_waiting_problems(),
            *self._find_arrival_problems(),
            *find_night_problems(self.night, self.now),
        ]

    def _find_database_problems(self) -> Iterator[str]:
        if not self.arrivals[DATABASE].is_fine:
            detail = self.arrivals[DATABASE].detail.rstrip(".")
            yield f"The database cannot be written, so no hook is kept: {detail}."

    def _find_worker_problems(self) -> Iterator[str]:
        if self.installation.verdict in HELD_BACK_BY:
            yield (
                "Another installation writes into this Chatwoot account, so nothing is executed "
                f'here and hooks are kept. There it says: "{self.installation.mark}" If this is '
                f"the one that should write: {TAKE_OVER}."
            )
        elif not self.worker.is_fine:
            words = f"Nobody executes passes ({self.worker.word}): {self.worker.detail}."
            yield f"{words} {self.worker.advice}.".replace(". .", ".")

    def _find_buried_problems(self) -> Iterator[str]:
        if count := self.stats.buried:
            yield (
                f"{count_noun(count, 'hook was', 'hooks were')} given up: "
                "`flask --app app sync buried` says why, and what to do."
            )

    def _find_waiting_problems(self) -> Iterator[str]:
        oldest, failing = self.stats.oldest_urgent, self.stats.failing
        if oldest and not failing and self.worker.is_fine and self.now - oldest > LONG_SECONDS:
            yield (
                f"The oldest hook came {format_age(self.now - oldest)} and still waits. Many may "
                "wait before it: raise CHATWOOT_CALLS_PER_MINUTE if Chatwoot can bear it."
            )

    def _find_arrival_problems(self) -> Iterator[str]:
        for name, whose in (
            ("chatwoot_webhooks", "Chatwoot's webhooks"),
            ("plugin_hooks", "The plugin's hooks"),
        ):
            if not self.arrivals[name].is_fine:
                yield f"{whose} are not well: {self.arrivals[name].detail}."


def _find_failing_problems(stats: Stats) -> Iterator[str]:
    """Yield a sentence for each reason, over passes and tasks."""
    passes = Counter((item.side, item.reason) for item in stats.failing)
    tasks = Counter((item.side, item.reason) for item in stats.failing_tasks)
    for (side, reason), count in (passes + tasks).most_common(MOST_LINES):
        whose = [
            count_noun(passes[side, reason], "organization", "organizations"),
            count_noun(
                tasks[side, reason], "conversation or contact", "conversations and contacts"
            ),
        ]
        subjects = " and ".join(item for item in whose if not item.startswith("0 "))
        verb = "is" if count == 1 else "are"
        yield (
            f"{subjects} {verb} tried again. {explain_reason(reason, side)}. To do: "
            f"{find_reason(reason).advice}."
        )


@click.command("status")
@database_command
def show_status(as_json: bool) -> None:
    """Is it well? Show waiting, failing and running passes, the worker, and deliveries."""
    state = _read_state()
    echo(_make_value(state), as_json, lambda: _status_lines(state))
    sys.exit(FOUND if state.problems else 0)


def _read_state() -> SyncState:
    shared, stats = services(), get(Intake).stats()
    rows, now = Workers(shared.database).list_rows()
    busy = bool(stats.waiting or stats.running)
    return SyncState(
        stats,
        run_checks(shared, cheap_only=True, only=(DATABASE, *DELIVERY_CHECKS)),
        judge_workers(rows, now, is_led(shared.database), busy),
        Installation(shared.database).read(),
        time.time(),
        sum(1 for _ in list_unsettled(shared.directory, shared.links)),
        Nights(shared.database).read_last(),
    )


def _make_value(state: SyncState) -> dict[str, Any]:
    """Return the state for programs. Times are epoch seconds."""
    arrivals = {name: _make_arrival(name, state.arrivals[name]) for name in DELIVERY_CHECKS}
    more = {"is_well": not state.problems, "problems": state.problems}
    return {
        **more,
        **asdict(state.stats),
        "left_to_people": state.left_to_people,
        "worker": asdict(state.worker),
        "installation": asdict(state.installation),
        "night": asdict(state.night) if state.night else None,
        **arrivals,
    }


def _make_arrival(name: str, finding: Finding) -> dict[str, Any]:
    """Return a finding for programs; `refused` counts the last hour, by reason."""
    tallies = services().deliveries.read(DELIVERY_CHECKS[name])
    accepted = tallies.pop(ACCEPTED, None)
    return {
        "state": finding.word,
        "detail": finding.detail,
        "last_accepted": accepted.last_at if accepted else None,
        "refused": {answer: asdict(tally) for answer, tally in tallies.items()},
    }


def _status_lines(state: SyncState) -> Iterable[str]:
    yield "sync is not well:" if state.problems else "sync is well."
    yield from (f"  - {problem}" for problem in state.problems)
    yield ""
    stats = state.stats
    yield f"waiting   {stats.waiting}"
    yield from (_describe_lane(lane, stats) for lane in SLOW if stats.count_waiting(lane))
    yield f"running   {stats.running}"
    yield f"retrying  {len(stats.retrying)}"
    yield from _retry_lines(state)
    yield f"tasks     {stats.tasks}"
    yield from _task_lines(state)
    yield f"buried    {stats.buried}"
    yield f"done      {stats.done} in the last day"
    if stats.oldest_urgent:
        yield f"oldest    waiting since {format_time(stats.oldest_urgent)}"
    if state.left_to_people:
        whose = count_noun(state.left_to_people, "person's contact", "people's contacts")
        yield f"left      {whose} to you: `flask --app app sync drift` says why"
    yield f"worker    {state.worker.detail}"
    yield f"account   {_describe_installation(state.installation)}"
    yield f"night     {describe_night(state.night, state.now)}"
    yield f"webhooks  of Chatwoot: {state.arrivals['chatwoot_webhooks'].detail}"
    yield f"hooks     of the plugin: {state.arrivals['plugin_hooks'].detail}"


def _describe_lane(lane: Lane, stats: Stats) -> str:
    """Write the line of a slow lane, in which thousands may wait for hours, as they should."""
    return f"          {stats.count_waiting(lane)} of them for a {lane.name.lower()}"


def _retry_lines(state: SyncState) -> Iterable[str]:
    failing = {row.organization: row for row in state.stats.failing}
    for organization, at in state.stats.retrying[:MOST_LINES]:
        line = f"          organization {organization}, next try {format_time(at)}"
        if row := failing.get(organization):
            last = f", last {format_age(state.now - row.tried_at)}" if row.tried_at else ""
            words = f"{explain_reason(row.reason, row.side)}; {_count_tries(row.tries)}{last}"
            line = f"{line}: {words}"
        yield line


def _task_lines(state: SyncState) -> Iterable[str]:
    for row in state.stats.failing_tasks[:MOST_LINES]:
        words = f"{explain_reason(row.reason, row.side)}; {_count_tries(row.tries)}"
        yield f"          {row.task.subject}: {words}, last {format_age(state.now - row.tried_at)}"


def _describe_installation(row: InstallationRow) -> str:
    words = f"this installation is {row.id}"
    if row.verdict is None:
        return f"{words}; nobody has looked yet who writes into the account"
    if row.verdict == UNREADABLE:
        return f"{words}; CHATWOOT_API_TOKEN may not see who writes into the account"
    return f"{words}; {row.mark or 'nobody has marked the account: `flask --app app setup`'}"


def _count_tries(tries: int) -> str:
    return count_noun(tries, "try failed", "tries failed")
