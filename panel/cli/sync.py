"""The commands `flask --app app sync …`: the worker, its queue, dead letters, reconciliation."""

import re
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from itertools import islice
from typing import NoReturn

import click
from flask import current_app
from flask.cli import with_appcontext

from panel.cli.monitoring import answer_monitoring
from panel.cli.output import (
    FOUND,
    count_noun,
    database_command,
    echo,
    report_failures,
    stop,
)
from panel.cli.sync_buried import show_buried
from panel.cli.sync_erased import show_erased
from panel.cli.sync_status import show_status
from panel.data.inbox import DAY_SECONDS
from panel.data.lanes import Lane
from panel.data.obstacles import explain, refuse_obstacles
from panel.data.schema import Preparation
from panel.data.workers import EXECUTING, HELD_BACK, STANDING_BY, STOPPED
from panel.errors import PanelError
from panel.services import get, services
from panel.sync.dry_run import ERASED, UNSETTLED, DryRun, PlannedCall
from panel.sync.intake import Intake, NotKept
from panel.sync.jobs import BACKFILL, Jobs
from panel.sync.reasons import explain_reason
from panel.sync.worker import Worker

WORKER_SAYS = {
    STANDING_BY: "standing by: whoever executes passes is another process, or none yet",
    EXECUTING: "executing passes; Ctrl-C stops",
    HELD_BACK: "executing nothing: another installation writes into this account (sync status)",
    STOPPED: "stopped",
}
CHUNK = 1000  # the number of organizations in a step of the progress bar


@click.group("sync")
def group() -> None:
    """The writing wing: hooks, passes, what Chatwoot knows."""


@group.command("worker")
@click.option("--monitor", metavar="HOST:PORT", help="Answer /healthz, /readyz and /metrics there.")
@report_failures
@with_appcontext
def run_worker(monitor: str | None) -> None:
    """Execute passes until told to stop (PANEL_WORKER=separate)."""
    with _monitoring(monitor):
        _execute()


@contextmanager
def _monitoring(address: str | None) -> Iterator[None]:
    if not address:
        yield
        return
    with ExitStack() as stack:
        try:
            stack.enter_context(answer_monitoring(current_app.wsgi_app, address))
        except ValueError:
            stop(f"--monitor {address} is no HOST:PORT, such as 127.0.0.1:8001")
        except (OSError, OverflowError) as error:
            stop(f"--monitor {address} cannot be had: {error}")
        yield


def _execute() -> None:
    # The signal handlers come later, so that a process that waits for the database can be ended at
    # once.
    refuse_obstacles(services().database)
    get(Preparation).wait()
    worker, jobs = get(Worker), get(Jobs)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    worker.run_work(jobs.work, lambda state: click.echo(WORKER_SAYS[state]))


group.add_command(show_status)
group.add_command(show_buried)
group.add_command(show_erased)


@group.command("known")
@database_command
def list_known(as_json: bool) -> None:
    """List the ids of all organizations that a pass has seen, one a line."""
    numbers = services().directory.list_organizations()
    echo(numbers, as_json, lambda: map(str, numbers))


# -- work on many organizations --------------------------------------------------------------------


@group.command("backfill")
@click.argument("ids", nargs=-1, metavar="[ID ...] [FILE|-]")
@click.option("--resume", is_flag=True, help="Without those that were lined up in the last day.")
@database_command
def backfill(ids: tuple[str, ...], resume: bool, as_json: bool) -> None:
    """Bring these organizations in line now, however often it is asked for."""
    numbers = _read_numbers(ids)
    rest = numbers
    if resume:
        recent = get(Intake).list_rung(BACKFILL, time.time() - DAY_SECONDS)
        rest = [number for number in numbers if number not in recent]
    try:
        _line_up(get(Intake), rest, quiet=as_json)
    except NotKept as error:
        why = explain(error, services().database) or f"The database cannot be written: {error}."
        stop(f"{why} Run it again with --resume.")
    skipped = len(numbers) - len(rest)
    result = {"organizations": len(numbers), "lined_up": len(rest)}
    words = f"{count_noun(len(rest), 'organization', 'organizations')} lined up"
    words += f", {skipped} were before" if skipped else ""
    echo(result, as_json, lambda: [words])


@group.command("reconcile")
@click.option("--dry-run", is_flag=True, help="Print what would change, write nothing.")
@click.option("--force", is_flag=True, help="Even when many organizations would be cleared.")
@database_command
def reconcile(dry_run: bool, force: bool, as_json: bool) -> None:
    """Bring every known organization in line (the worker does so daily)."""
    if dry_run:
        _report(get(DryRun).run(_watch(services().directory.list_organizations())), as_json)
    try:
        result = get(Jobs).reconcile(force, _watch)
    except (NotKept, PanelError) as error:
        stop(f"Could not: {error}")
    counts = {"lined_up": result.lined_up, "withheld": result.withheld}
    echo(
        counts,
        as_json,
        lambda: [f"{count_noun(result.lined_up, 'organization', 'organizations')} lined up"],
    )
    if result.withheld:
        many = f"{result.withheld} of {result.known} known organizations would be cleared"
        stop(f"Withheld: {many}. If that is right: --force.", FOUND)


@group.command("drift")
@click.argument("ids", nargs=-1, metavar="[ID ...]")
@database_command
def show_drift(ids: tuple[str, ...], as_json: bool) -> None:
    """List the differences between the back office and Chatwoot; nothing is written."""
    organizations = _read_numbers(ids) if ids else services().directory.list_organizations()
    _report(get(DryRun).run(_watch(organizations)), as_json)


def _watch(ids: list[int]) -> Iterable[int]:
    """Yield the ids, with a progress bar on standard error."""
    with click.progressbar(ids, label="organizations", file=sys.stderr) as bar:
        yield from bar


def _report(calls: Iterable[PlannedCall], as_json: bool) -> NoReturn:
    try:
        calls_made = list(calls)
    except PanelError as error:
        stop(f"Could not: {explain_reason(str(error), error.side)}")
    echo([asdict(note) for note in calls_made], as_json, lambda: _drift_lines(calls_made))
    sys.exit(FOUND if any(note.path != ERASED for note in calls_made) else 0)


def _drift_lines(calls: list[PlannedCall]) -> Iterable[str]:
    if all(note.path == ERASED for note in calls):
        yield "Everything is in line."
    yield from (note.describe() for note in calls)
    by_hand = (UNSETTLED, ERASED)
    mendable = dict.fromkeys(note.organization for note in calls if note.path not in by_hand)
    if mendable:
        numbers = " ".join(map(str, mendable))
        yield f"To put it right: `flask --app app sync backfill {numbers}`"


def _read_numbers(words: tuple[str, ...]) -> list[int]:
    """Read ids from the arguments, from a file, or from standard input (`-`)."""
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
        except UnicodeError:
            stop(f"{word} holds no ids: it is no text")
    wrong = [text for text in texts if not re.fullmatch(r"0*[1-9][0-9]{0,8}", text, re.ASCII)]
    if wrong:
        stop(f"{wrong[0]!r} is no organization's id")
    return list(dict.fromkeys(int(text) for text in texts))


def _line_up(intake: Intake, numbers: list[int], quiet: bool) -> None:
    """Line up the organizations in portions, to show the progress."""
    rest = iter(numbers)
    with click.progressbar(length=len(numbers), label="lining up", file=sys.stderr) as bar:
        while chunk := list(islice(rest, CHUNK)):
            intake.line_up(chunk, Lane.BACKFILL, anew=True)
            if not quiet:
                bar.update(len(chunk))
