"""The commands `flask --app app sync …`: the worker, its queue, dead letters, reconciliation."""

import re
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import date
from itertools import islice
from typing import Any, NoReturn

import click
from flask.cli import with_appcontext

from panel.checks import DELIVERY_CHECKS, Finding, run_checks
from panel.cli.output import (
    FOUND,
    database_command,
    echo,
    format_time,
    report_failures,
    stop,
)
from panel.data.delivery_log import ACCEPTED
from panel.data.inbox import BuriedHooks
from panel.data.obstacles import explain, refuse_obstacles
from panel.data.schema import Preparation
from panel.errors import PanelError
from panel.services import get, services
from panel.sync.dry_run import DryRun, PlannedCall
from panel.sync.intake import Intake, NotKept, Stats
from panel.sync.jobs import BACKFILL, Jobs, TooManyGone
from panel.sync.worker import Worker

CHUNK = 50  # passes that a backfill keeps waiting: hooks that arrive meanwhile do not queue behind


@click.group("sync")
def group() -> None:
    """The writing wing: hooks, passes, what Chatwoot knows."""


@group.command("worker")
@with_appcontext
@report_failures
def run_worker() -> None:
    """Execute passes until told to stop (PANEL_WORKER=separate)."""
    # Before the handlers: whoever waits for the database has nothing to finish when told to stop.
    refuse_obstacles(services().database)
    get(Preparation).wait()
    worker, jobs = get(Worker), get(Jobs)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    click.echo("executing passes; Ctrl-C stops")
    worker.run(jobs.bring_in_line, jobs.run_nightly, jobs.warm)


@group.command("status")
@database_command
def show_status(as_json: bool) -> None:
    """What waits, runs, is tried again, was buried, was done; when the last delivery came."""
    stats = get(Intake).stats()
    arrivals = run_checks(services(), cheap_only=True, only=DELIVERY_CHECKS)
    value = asdict(stats) | {name: _make_arrival(name, each) for name, each in arrivals.items()}
    echo(value, as_json, lambda: [*_status_lines(stats), *_arrival_lines(arrivals)])
    sys.exit(FOUND if stats.buried or not all(each.is_fine for each in arrivals.values()) else 0)


@group.command("buried")
@click.option("--replay", metavar="ID", help="Run this one again, with all its tries.")
@click.option("--replay-all", is_flag=True, help="Run all of them again.")
@database_command
def show_buried(replay: str | None, replay_all: bool, as_json: bool) -> None:
    """What was given up, with its reason; and run it again."""
    buried = get(Intake).list_buried()
    chosen = [replay] if replay else [each.id for each in buried] if replay_all else []
    if chosen:
        replayed = [each for each in chosen if get(Intake).replay(each)]
        lines = [f"{len(replayed)} of {len(chosen)} run again"]
        echo({"replayed": replayed}, as_json, lambda: lines)
        sys.exit(0 if replayed else FOUND)
    echo([asdict(each) for each in buried], as_json, lambda: _buried_lines(buried))
    sys.exit(FOUND if buried else 0)


def _status_lines(stats: Stats) -> Iterable[str]:
    yield f"waiting   {stats.waiting}"
    yield f"running   {stats.running}"
    yield f"retrying  {len(stats.retrying)}"
    for organization, at in stats.retrying[:10]:
        yield f"          organization {organization}, next try {format_time(at)}"
    yield f"buried    {stats.buried}"
    yield f"done      {stats.done} in the last day"
    if stats.oldest_waiting:
        yield f"oldest    waiting since {format_time(stats.oldest_waiting)}"


def _make_arrival(name: str, finding: Finding) -> dict[str, Any]:
    """For programs: times are epoch seconds; `refused` counts the last hour, by reason."""
    tallies = services().deliveries.read(DELIVERY_CHECKS[name])
    accepted = tallies.pop(ACCEPTED, None)
    return {
        "state": finding.word,
        "detail": finding.detail,
        "last_accepted": accepted.last_at if accepted else None,
        "refused": {answer: asdict(tally) for answer, tally in tallies.items()},
    }


def _arrival_lines(arrivals: Mapping[str, Finding]) -> Iterable[str]:
    yield f"webhooks  of Chatwoot: {arrivals['chatwoot_webhooks'].detail}"
    yield f"hooks     of the plugin: {arrivals['plugin_hooks'].detail}"


def _buried_lines(listed: list[BuriedHooks]) -> Iterable[str]:
    if not listed:
        yield "Nothing is buried."
    for each in listed:
        whose = f"organization {each.organization}" if each.organization else "no organization"
        when = format_time(each.buried_at)
        yield f"{each.id}  {whose}  {each.hooks} hooks  {when}  {each.reason}"


# -- bringing many in line -----------------------------------------------------------------------


@group.command("backfill")
@click.argument("ids", nargs=-1, metavar="[ID ...] [FILE|-]")
@database_command
def backfill(ids: tuple[str, ...], as_json: bool) -> None:
    """Bring these organizations in line. Repeated on the same day, it goes on where it was."""
    numbers = _read_numbers(ids)
    try:
        new = _line_up(get(Intake), numbers, quiet=as_json)
    except NotKept as error:
        why = explain(error, services().database) or f"The database cannot be written: {error}."
        stop(f"{why} Run it again: it goes on there.")
    result = {"organizations": len(numbers), "lined_up": new}
    echo(result, as_json, lambda: [f"{new} lined up, {len(numbers) - new} were before"])


@group.command("reconcile")
@click.option("--dry-run", is_flag=True, help="Print what would change, write nothing.")
@click.option("--force", is_flag=True, help="Even when many organizations would be cleared.")
@database_command
def reconcile(dry_run: bool, force: bool, as_json: bool) -> None:
    """Bring every known organization in line (the worker does so daily)."""
    if dry_run:
        _report(get(DryRun).run(_watch(services().directory.list_organizations())), as_json)
    try:
        count = get(Jobs).reconcile(force, _watch)
    except TooManyGone as many:
        stop(f"Stopped: {many}. If that is right: --force.", FOUND)
    except (NotKept, PanelError) as error:
        stop(f"Could not: {error}")
    echo({"lined_up": count}, as_json, lambda: [f"{count} organizations lined up"])


@group.command("drift")
@click.argument("ids", nargs=-1, metavar="[ID ...]")
@database_command
def show_drift(ids: tuple[str, ...], as_json: bool) -> None:
    """What differs between the back office and Chatwoot; nothing is written."""
    chosen = _read_numbers(ids) if ids else services().directory.list_organizations()
    _report(get(DryRun).run(_watch(chosen)), as_json)


def _watch(ids: list[int]) -> Iterable[int]:
    """The ids again, with a progress bar on standard error."""
    with click.progressbar(ids, label="organizations", file=sys.stderr) as bar:
        yield from bar


def _report(calls: Iterable[PlannedCall], as_json: bool) -> NoReturn:
    try:
        found = list(calls)
    except PanelError as error:
        stop(f"Could not: {error}")
    lines = [f"organization {n.organization}: {n.method} {n.path} {n.body}" for n in found]
    echo([asdict(note) for note in found], as_json, lambda: lines or ["Everything is in line."])
    sys.exit(FOUND if found else 0)


def _read_numbers(words: tuple[str, ...]) -> list[int]:
    """Ids as arguments, from a file, or from standard input (`-`)."""
    texts: list[str] = []
    for word in words or ("-",):
        if word.isdigit():
            texts.append(word)
            continue
        try:
            with click.open_file(word) as source:
                texts += source.read().split()
        except OSError as error:
            stop(f"{word} cannot be read: {error.strerror}")
    wrong = [text for text in texts if not re.fullmatch(r"0*[1-9][0-9]{0,8}", text, re.ASCII)]
    if wrong:
        stop(f"{wrong[0]!r} is no organization's id")
    return list(dict.fromkeys(int(text) for text in texts))


def _line_up(intake: Intake, numbers: list[int], quiet: bool) -> int:
    """A few at a time; each under an id of the day, which is how a second run knows the first."""
    today, left, new = date.today().isoformat(), iter(numbers), 0  # noqa: DTZ011 a mere label
    with click.progressbar(length=len(numbers), label="lining up", file=sys.stderr) as bar:
        while chunk := list(islice(left, CHUNK)):
            for number in chunk:
                new += intake.line_up(number, BACKFILL, f"{BACKFILL}:{today}:{number}")
            if not quiet:
                bar.update(len(chunk))
            while intake.stats().waiting > CHUNK:
                time.sleep(1)
    return new
