"""`flask --app app sync buried`: hooks and tasks that were given up, with their reasons."""

import os
import pwd
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, NoReturn

import click

from panel.cli.output import FOUND, database_command, echo, format_time
from panel.data.dead_letters import BuriedHooks
from panel.data.inbox_tables import BURIED, SETTLED
from panel.data.tasks import parse_task
from panel.services import get
from panel.sync.intake import Intake
from panel.sync.reasons import explain_reason, find_reason
from panel.sync.task_intake import TaskIntake


@click.command("buried")
@click.option("--replay", metavar="ID", help="Run this one again, with all its tries.")
@click.option("--replay-all", is_flag=True, help="Run all of them again.")
@click.option("--dismiss", metavar="ID", help="Nothing has to be done about this one.")
@click.option("--dismiss-all", is_flag=True, help="Nothing has to be done about any of them.")
@click.option("--by", metavar="NAME", help="Who dismisses; else the user of this shell.")
@click.option("--settled", is_flag=True, help="List what was given up once, and is settled.")
@database_command
def show_buried(
    replay: str | None,
    replay_all: bool,
    dismiss: str | None,
    dismiss_all: bool,
    by: str | None,
    settled: bool,
    as_json: bool,
) -> None:
    """List what was given up, with its reason and what to do; run it again, or dismiss it."""
    burials = get(Intake).list_buried(SETTLED if settled else BURIED)
    if replay or replay_all:
        ids = [replay] if replay else [burial.id for burial in burials]
        _report_done(
            "replayed",
            "run again",
            [key for key in ids if _replay(key)],
            ids,
            as_json,
        )
    if dismiss or dismiss_all:
        ids = [dismiss] if dismiss else [burial.id for burial in burials]
        person = by or _find_user()
        done_ids = [key for key in ids if get(Intake).dismiss(key, person)]
        _report_done("dismissed", f"dismissed by {person}", done_ids, ids, as_json)
    draw = _settled_lines if settled else _buried_lines
    echo([_make_value(burial) for burial in burials], as_json, lambda: draw(burials))
    sys.exit(FOUND if burials and not settled else 0)


def _replay(buried_id: str) -> bool:
    task = parse_task(buried_id)
    return get(TaskIntake).replay(task) if task else get(Intake).replay(buried_id)


def _report_done(
    key: str, words: str, done_ids: list[str], ids: list[str], as_json: bool
) -> NoReturn:
    echo({key: done_ids}, as_json, lambda: [f"{len(done_ids)} of {len(ids)} {words}"])
    sys.exit(0 if done_ids or not ids else FOUND)


def _find_user() -> str:
    """Return the user name of this process."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _make_value(burial: BuriedHooks) -> dict[str, Any]:
    """Return a burial for programs. Times are epoch seconds."""
    return {
        **asdict(burial),
        "meaning": explain_reason(burial.reason, burial.side),
        "advice": find_reason(burial.reason).advice,
    }


def _buried_lines(burials: list[BuriedHooks]) -> Iterable[str]:
    if not burials:
        yield "Nothing is buried."
        return
    for burial in burials:
        yield f"{burial.id}  {_describe(burial)}  {format_time(burial.buried_at)}"
        yield f"    {explain_reason(burial.reason, burial.side)}."
        yield f"    To do: {find_reason(burial.reason).advice}."
    yield "Run one again: `sync buried --replay ID`, all: `--replay-all`. Nothing to be done about"
    yield "one: `--dismiss ID`. A pass that goes well settles what was buried of its organization."


def _settled_lines(burials: list[BuriedHooks]) -> Iterable[str]:
    if not burials:
        yield "Nothing was given up and settled."
    for burial in burials:
        when = format_time(burial.settled_at or 0.0)
        yield f"{burial.id}  {_describe(burial)}  {when}  {burial.settled_by}  {burial.reason}"


def _describe(burial: BuriedHooks) -> str:
    task = parse_task(burial.id)
    whose = f"organization {burial.organization}" if burial.organization else "no organization"
    hooks = "1 hook" if burial.hooks == 1 else f"{burial.hooks} hooks"
    return f"{task.subject}, {whose}" if task else f"{whose}  {hooks}"
