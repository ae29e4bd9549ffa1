"""The program `middag-panel`: the commands, `run` and `worker`.

An installed package has it as console script, a checkout as `app.py`.

The script needs no checkout: the package has templates, static files, catalogues and migrations.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import click
from flask import Flask
from flask.cli import ScriptInfo

from panel.cli.commands import COMMANDS
from panel.cli.sync import run_worker

PACKAGE = Path(__file__).resolve().parents[1]
GUNICORN_SETTINGS = "gunicorn.conf.py"


def run_console(create_app: Callable[[], Flask], reload: Callable[[], None]) -> None:
    """Run a command. `create_app` is called by those that need the application, not for their help;
    `reload` hands new settings to the server that runs."""
    group = click.Group(help="The MIDDAG contact panel for Chatwoot.", commands=[run, *COMMANDS])
    words = "Let the server that runs take new settings (ExecReload of systemd)."
    group.add_command(run_worker, "worker")
    group.add_command(click.Command("reload", callback=reload, help=words))
    group(obj=ScriptInfo(create_app=create_app), prog_name="middag-panel")


@click.command("run", context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(arguments: tuple[str, ...]) -> None:
    """Serve the panel with gunicorn, which gets the ARGUMENTS."""
    settings = next(
        path / GUNICORN_SETTINGS
        for path in (PACKAGE, PACKAGE.parent)
        if (path / GUNICORN_SETTINGS).is_file()
    )
    # -P: without it, a folder "panel" in the working directory would be imported instead of ours.
    command = [sys.executable, "-P", "-m", "gunicorn", "--config", str(settings)]
    os.execv(sys.executable, [*command, "panel.application:create_app()", *arguments])  # noqa: S606
