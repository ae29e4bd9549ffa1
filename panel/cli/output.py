"""The output of commands: for a person, or JSON with `--json`. A failure is a sentence.

Exit codes: 0 all is well, 1 the command found something, 2 it could not run.
"""

import json
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import wraps
from typing import Any, NoReturn

import click
from flask.cli import with_appcontext

from panel.data import schema
from panel.data.migrations.version import WrongSchema
from panel.data.obstacles import Obstacle, explain
from panel.errors import PanelError
from panel.logs import request_id
from panel.services import services
from panel.sync.intake import NotKept
from panel.sync.pass_queue import TROUBLE

FOUND, COULD_NOT = 1, 2
as_json = click.option("--json", "as_json", is_flag=True, help="JSON for programs.")


def report_failures(command: Callable[..., None]) -> Callable[..., None]:
    """End with a sentence and exit code 2 where a side cannot be asked: a traceback's 1 means
    "found"."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            with request_id.working():
                command(*args, **kwargs)
        except (WrongSchema, Obstacle) as error:
            stop(str(error))
        except (*TROUBLE, PanelError, NotKept) as error:
            kind = f"Could not: {type(error).__name__} {getattr(error, 'code', '')}".rstrip()
            stop(explain(error, services().database) or kind)

    return run


def needs_database(command: Callable[..., None]) -> Callable[..., None]:
    """Let the command run on an existing database only, without making or upgrading one.

    Raises `WrongSchema` and `SQLAlchemyError`, which `report_failures` around it explains.
    """

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        schema.require_current(services().database)
        command(*args, **kwargs)

    return run


def plain_command(command: Callable[..., None]) -> Callable[..., None]:
    """The decorator of every command: gives it the application and `--json`, and explains
    failures."""
    return as_json(with_appcontext(report_failures(command)))


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
