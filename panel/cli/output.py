"""The output of commands: for a person, or JSON with `--json`. A failure is a sentence.

Exit codes: 0 all is well, 1 the command found something, 2 it could not run.
"""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click
from flask import has_app_context
from flask.cli import with_appcontext

from panel.data import schema
from panel.data.migrations.version import WrongSchema
from panel.data.obstacles import Obstacle, explain
from panel.errors import PanelError
from panel.logs import request_id
from panel.services import services
from panel.sync.intake import NotKept
from panel.sync.pass_queue import TROUBLE

log = logging.getLogger(__name__)
FOUND, COULD_NOT = 1, 2
IDENTIFIER = click.IntRange(min=1, max=2**31 - 1)  # the largest number of a database's column
YEARS_OF_USE = range(2000, 2100)  # far from the ends of what a computer's clock can hold
# Failures for which neither the panel nor a side is to blame: kind, a part of its text, the cause.
CAUSES: tuple[tuple[type[Exception], str, str], ...] = (
    (UnicodeError, "", "an argument or a file holds what is no text in UTF-8"),
    (MemoryError, "", "this machine has no memory left"),
    (RuntimeError, "start new thread", "no more threads may be started (ulimit -u, TasksMax)"),
)
as_json = click.option("--json", "as_json", is_flag=True, help="JSON for programs.")


def report_failures(command: Callable[..., None]) -> Callable[..., None]:
    """End every failure with a sentence and exit code 2: a traceback's 1 means "found".

    The decorator is the outermost one, for the application may fail before the command begins.
    """

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            with request_id.working():
                command(*args, **kwargs)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise  # Click prints these itself
        except (WrongSchema, Obstacle) as error:
            stop(str(error))
        except BrokenPipeError:
            _abandon_output()
            sys.exit(COULD_NOT)  # the reader of our output has gone, so nobody can be told
        except KeyboardInterrupt:
            stop("Interrupted: not everything is done.")
        except Exception as error:  # noqa: BLE001 (no traceback reaches an administrator)
            stop(_explain_failure(error))

    return run


def _abandon_output() -> None:
    """Print the rest of the output, or drop it where that fails: otherwise Python's last flush
    would end the process with 120."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 (until the process ends)


def _explain_failure(error: Exception) -> str:
    reason = explain(error, services().database) if has_app_context() else ""
    if reason:
        return reason
    if isinstance(error, OSError) and error.strerror and not error.filename:
        _abandon_output()
        return f"Could not: {error.strerror}."  # such as a full disk below standard output
    for kind, text, cause in CAUSES:
        if isinstance(error, kind) and text in str(error):
            return f"Could not: {cause}."
    name = f"{type(error).__name__} {getattr(error, 'code', '')}".rstrip()
    if isinstance(error, (*TROUBLE, PanelError, NotKept)):
        return f"Could not: {name}"
    log.error("a command broke", exc_info=error)
    fault = "This is a fault of the panel's own: send its developers the line above"
    return f"Could not: {name}. {fault}."


def needs_database(command: Callable[..., None]) -> Callable[..., None]:
    """Let the command run on an existing database only, without making or upgrading one.

    Raises `WrongSchema` and `SQLAlchemyError`, which `report_failures` around it explains.
    """

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        schema.require_current(services().database)
        command(*args, **kwargs)

    return run


def log_warnings_only(command: Callable[..., None]) -> Callable[..., None]:
    """Keep the log's mere information off a terminal: a command prints what it did."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        ours = logging.getLogger("panel")
        before = ours.level
        ours.setLevel(logging.WARNING)
        try:
            command(*args, **kwargs)
        finally:
            ours.setLevel(before)

    return run


def plain_command(command: Callable[..., None]) -> Callable[..., None]:
    """Decorate a command, as every command is: it gets the application and `--json`, and its
    failures are explained."""
    return as_json(report_failures(with_appcontext(log_warnings_only(command))))


def database_command(command: Callable[..., None]) -> Callable[..., None]:
    """Like `plain_command`, for commands that read the database."""
    return plain_command(needs_database(command))


def require_panel_url() -> None:
    """Stop where PANEL_URL is not set."""
    if not services().settings.panel_url:
        stop("PANEL_URL is empty: set it to where this panel is reached.")


def stop(message: str, code: int = COULD_NOT) -> NoReturn:
    """End the process; the message goes to standard error."""
    click.echo(message, err=True)
    sys.exit(code)


def read_epoch(moment: datetime) -> float:
    """Return the moment in epoch seconds. Ends the command at a year in which nothing of ours can
    have happened."""
    if moment.year not in YEARS_OF_USE:
        stop(f"{moment.year} is no year of this panel.")
    return moment.timestamp()


def echo(value: Any, as_json: bool, draw: Callable[[], Iterable[str]]) -> None:
    """Print the value for a program, or the lines of `draw` for a person."""
    if as_json:
        click.echo(json.dumps(value, default=str))
        return
    for line in draw():
        click.echo(line)


def format_time(epoch: float) -> str:
    """Write the time to the second, in UTC."""
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="seconds")


def count_noun(number: int, singular: str, plural: str) -> str:
    return f"{number} {singular if number == 1 else plural}"
