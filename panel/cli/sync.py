"""`flask sync …`: the worker, what it does, and bringing many organizations in line."""

import re
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from itertools import islice
from typing import NoReturn

import click
from flask.cli import AppGroup

from panel.cli.output import (
    FOUND,
    as_json,
    echo,
    format_time,
    needs_database,
    report_failures,
    stop,
)
from panel.data import db
from panel.data.inbox import BuriedHooks
from panel.errors import PanelError
from panel.services import Services
from panel.sync.intake import NotKept, Stats
from panel.sync.jobs import BACKFILL, Jobs, PlannedCall, TooManyGone
from panel.sync.worker import Worker

CHUNK = 50  # passes that a backfill keeps waiting: hooks that arrive meanwhile do not queue behind


def group(shared: Services, engine: Worker, passes: Jobs) -> AppGroup:
    """The commands of the writing wing."""
    made = AppGroup("sync", help="The writing wing: hooks, passes, what Chatwoot knows.")
    _working(made, engine, passes)
    _looking(made, engine)
    _bringing(made, shared, engine, passes)
    return made


def _working(group: AppGroup, engine: Worker, passes: Jobs) -> None:
    @group.command("worker")
    @report_failures
    def worker() -> None:
        """Execute passes until told to stop (PANEL_WORKER=separate)."""
        # Before the handlers: whoever waits for the database has nothing to finish when told to.
        db.prepare_patiently(engine.migrate)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: engine.stop())
        click.echo("executing passes; Ctrl-C stops")
        engine.run(passes.bring_in_line, passes.run_nightly, passes.warm)


def _looking(group: AppGroup, engine: Worker) -> None:
    @group.command("status")
    @as_json
    @report_failures
    @needs_database
    def status(as_json: bool) -> None:
        """What waits, runs, is tried again, was buried, was done in the last day."""
        stats = engine.stats()
        echo(asdict(stats), as_json, lambda: _status_lines(stats))
        sys.exit(FOUND if stats.buried else 0)

    @group.command("buried")
    @click.option("--replay", metavar="ID", help="Run this one again, with all its tries.")
    @click.option("--replay-all", is_flag=True, help="Run all of them again.")
    @as_json
    @report_failures
    @needs_database
    def buried(replay: str | None, replay_all: bool, as_json: bool) -> None:
        """What was given up, with its reason; and run it again."""
        listed = engine.list_buried()
        chosen = [replay] if replay else [each.id for each in listed] if replay_all else []
        if chosen:
            replayed = [each for each in chosen if engine.replay(each)]
            told = {"replayed": replayed}
            echo(told, as_json, lambda: [f"{len(replayed)} of {len(chosen)} run again"])
            sys.exit(0 if replayed else FOUND)
        told_all = [asdict(each) for each in listed]
        echo(told_all, as_json, lambda: _buried_lines(listed))
        sys.exit(FOUND if listed else 0)


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


def _buried_lines(listed: list[BuriedHooks]) -> Iterable[str]:
    if not listed:
        yield "Nothing is buried."
    for each in listed:
        whose = f"organization {each.organization}" if each.organization else "no organization"
        yield f"{each.id}  {whose}  {each.hooks} hooks  {format_time(each.buried_at)}  {each.reason}"


# -- bringing many in line -----------------------------------------------------------------------


def _bringing(group: AppGroup, shared: Services, engine: Worker, passes: Jobs) -> None:
    @group.command("backfill")
    @click.argument("ids", nargs=-1, metavar="[ID ...] [FILE|-]")
    @as_json
    @report_failures
    @needs_database
    def backfill(ids: tuple[str, ...], as_json: bool) -> None:
        """Bring these organizations in line. Repeated on the same day, it goes on where it was."""
        numbers = _numbers(ids)
        try:
            lined_up = _line_up(engine, numbers, quiet=as_json)
        except NotKept as error:
            stop(f"The database cannot be written: {error}. Run it again: it goes on there.")
        told = {"organizations": len(numbers), "lined_up": lined_up}
        echo(told, as_json, lambda: [f"{lined_up} lined up, {len(numbers) - lined_up} were before"])

    @group.command("reconcile")
    @click.option("--dry-run", is_flag=True, help="Print what would change, write nothing.")
    @click.option("--force", is_flag=True, help="Even when many organizations would be cleared.")
    @as_json
    @report_failures
    @needs_database
    def reconcile(dry_run: bool, force: bool, as_json: bool) -> None:
        """Bring every known organization in line (the engine does so daily)."""
        if dry_run:
            _report(passes.dry_run(_watched(shared.directory.list_organizations())), as_json)
        try:
            count = passes.reconcile(force, _watched)
        except TooManyGone as many:
            stop(f"Stopped: {many}. If that is right: --force.", FOUND)
        except (NotKept, PanelError) as error:
            stop(f"Could not: {error}")
        echo({"lined_up": count}, as_json, lambda: [f"{count} organizations lined up"])

    @group.command("drift")
    @click.argument("ids", nargs=-1, metavar="[ID ...]")
    @as_json
    @report_failures
    @needs_database
    def drift(ids: tuple[str, ...], as_json: bool) -> None:
        """What differs between the back office and Chatwoot; nothing is written."""
        chosen = _numbers(ids) if ids else shared.directory.list_organizations()
        _report(passes.dry_run(_watched(chosen)), as_json)


def _watched(ids: list[int]) -> Iterable[int]:
    """The ids again, with a progress bar on standard error."""
    with click.progressbar(ids, label="organizations", file=sys.stderr) as bar:
        yield from bar


def _report(notes: Iterable[PlannedCall], as_json: bool) -> NoReturn:
    try:
        found = list(notes)
    except PanelError as error:
        stop(f"Could not: {error}")
    lines = [f"organization {n.organization}: {n.method} {n.path} {n.body}" for n in found]
    echo([asdict(note) for note in found], as_json, lambda: lines or ["Everything is in line."])
    sys.exit(FOUND if found else 0)


def _numbers(words: tuple[str, ...]) -> list[int]:
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


def _line_up(engine: Worker, numbers: list[int], quiet: bool) -> int:
    """A few at a time; each under an id of the day, which is how a second run knows the first."""
    today, left, new = date.today().isoformat(), iter(numbers), 0  # noqa: DTZ011 a mere label
    with click.progressbar(length=len(numbers), label="lining up", file=sys.stderr) as bar:
        while chunk := list(islice(left, CHUNK)):
            for number in chunk:
                new += engine.line_up(number, BACKFILL, f"{BACKFILL}:{today}:{number}")
            if not quiet:
                bar.update(len(chunk))
            while engine.stats().waiting > CHUNK:
                time.sleep(1)
    return new
