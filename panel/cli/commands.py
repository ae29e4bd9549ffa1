"""The administrator's commands, `flask --app app …`: launch-url and access; `register` adds all
commands."""

import csv
import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime

import click
from flask import Flask

from panel.auth.tokens import make_launch_url
from panel.cli import sync
from panel.cli.doctor import doctor
from panel.cli.explain import explain
from panel.cli.forget import export, forget
from panel.cli.output import (
    IDENTIFIER,
    database_command,
    echo,
    format_time,
    plain_command,
    read_epoch,
    require_panel_url,
)
from panel.cli.setup import setup
from panel.data.audit_log import AuditEntry
from panel.services import services


@click.command("launch-url")
@plain_command
def launch_url(as_json: bool) -> None:
    """Print the one address to register in Chatwoot as a dashboard app."""
    require_panel_url()
    settings = services().settings
    url = make_launch_url(settings, settings.panel_url)
    echo({"url": url}, as_json, lambda: [url])


# -- the access log ------------------------------------------------------------------------


@click.command("access")
@click.option("--agent", type=IDENTIFIER, metavar="ID", help="Only what this agent was shown.")
@click.option("--organization", type=IDENTIFIER, metavar="ID", help="Only this organization.")
@click.option("--since", type=click.DateTime(), help="Only from then on (local time).")
@click.option("--csv", "as_csv", is_flag=True, help="CSV for a spreadsheet.")
@database_command
def access(
    agent: int | None,
    organization: int | None,
    since: datetime | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """List which agent was shown which customer, how proven and how matched; newest first."""
    start = read_epoch(since) if since else 0.0
    entries = services().audit_log.list_entries(agent, organization, start)
    if as_csv:
        writer = csv.DictWriter(sys.stdout, list(_make_row(AuditEntry("", 0))))
        writer.writeheader()
        writer.writerows(_make_row(entry) for entry in entries)
        sys.stdout.flush()  # a full disk fails here, where the failure is reported
        return
    rows = [_make_row(entry) for entry in entries] if as_json else []
    echo(rows, as_json, lambda: _entry_lines(entries))


def _make_row(entry: AuditEntry) -> dict[str, object]:
    return {"at": format_time(entry.at), **{k: v for k, v in asdict(entry).items() if k != "at"}}


def _entry_lines(entries: Iterable[AuditEntry]) -> Iterable[str]:
    entry = None
    for entry in entries:
        agent = f"agent {entry.agent}  {entry.what}"
        where = f"organization {entry.organization}  conversation {entry.conversation}"
        parts = (entry.proof, entry.link, entry.source, entry.note)
        how = " ".join(part for part in parts if part)
        yield f"{format_time(entry.at)}  {agent}  {where}  {how}".rstrip()
    if entry is None:
        yield "Nothing was shown."


COMMANDS = (launch_url, setup, doctor, explain, access, forget, export, sync.group)


def register(app: Flask) -> None:
    """Add the commands to the application."""
    for command in COMMANDS:
        app.cli.add_command(command)
