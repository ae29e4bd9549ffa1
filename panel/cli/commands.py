"""The administrator's commands, `flask --app app …`: addresses, setup, access log."""

import csv
import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime

import click
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from panel.auth.tokens import make_launch_url
from panel.cli import sync
from panel.cli.integer_money import explain_integer_money
from panel.cli.output import (
    COULD_NOT,
    database_command,
    echo,
    format_time,
    plain_command,
    stop,
)
from panel.cli.setup import Exposure, Setup, Step
from panel.data import schema
from panel.data.audit_log import AuditEntry
from panel.data.directory import Directory
from panel.data.migrations.version import WrongSchema
from panel.errors import Missing, PanelError, Unauthorized, Unreadable
from panel.services import services


def register(app: Flask) -> None:
    """Hang the commands onto the application."""
    for command in (launch_url, setup, access, sync.group):
        app.cli.add_command(command)


# -- setting Chatwoot up -------------------------------------------------------------------------


@click.command("launch-url")
@plain_command
def launch_url(as_json: bool) -> None:
    """Print the one address to register in Chatwoot as a dashboard app."""
    _require_panel_url()
    settings = services().settings
    url = make_launch_url(settings, settings.panel_url)
    echo({"url": url}, as_json, lambda: [url])


@click.command("setup")
@click.option("--dry-run", is_flag=True, help="Print the plan, write nothing.")
@click.option("--remove", is_flag=True, help="Undo it: remove what is ours.")
@plain_command
def setup(dry_run: bool, remove: bool, as_json: bool) -> None:
    """Create or correct in Chatwoot what the panel and the passes need."""
    _require_panel_url()
    directory = _find_directory()
    plan = Setup(services().settings, services().chatwoot, directory)
    try:
        steps = plan.plan_removal() if remove else plan.plan()
        # Before: once the webhook's secret is made, nothing may fail until it is shown.
        exposure = None if remove else plan.find_exposure(steps)
        amounts = [] if remove else _explain_amounts(directory)
        by_hand, secret = _carry_out(plan, [] if dry_run else steps)
    except Unauthorized:
        stop("Chatwoot does not accept CHATWOOT_API_TOKEN.")
    except PanelError as error:
        stop(f"Chatwoot could not be asked: {error}")
    done = [f"{step.verb} {step.what}" for step in steps if step.by_hand not in by_hand]
    result = {"steps": done, "by_hand": by_hand, "webhook_secret": secret, "dry_run": dry_run}
    if exposure:
        result["exposure"] = asdict(exposure)
    if amounts:
        result["integer_money"] = amounts
    echo(
        result,
        as_json,
        lambda: [
            *_setup_lines(done, by_hand, secret, dry_run),
            *(_exposure_lines(exposure) if exposure else ()),
            *amounts,
        ],
    )
    sys.exit(COULD_NOT if by_hand else 0)


def _require_panel_url() -> None:
    if not services().settings.panel_url:
        stop("PANEL_URL is empty: set it to where this panel is reached.")


def _carry_out(plan: Setup, steps: Iterable[Step]) -> tuple[list[str], str]:
    """What an administrator has to do by hand, and the webhook's secret where one was made."""
    by_hand, secret = [], ""
    for step in steps:
        try:
            secret = plan.carry_out(step) or secret
        except (Unauthorized, Missing, Unreadable):
            by_hand.append(step.by_hand)
    return by_hand, secret


def _setup_lines(done: list[str], by_hand: list[str], secret: str, dry_run: bool) -> Iterable[str]:
    if not done and not by_hand:
        yield "Nothing to do: everything stands as it should."
    yield from (f"{'would ' if dry_run else ''}{line}" for line in done)
    if by_hand:
        yield "CHATWOOT_API_TOKEN may not, or Chatwoot refuses. To be done by hand in Chatwoot:"
        yield from (f"  - {line}" for line in by_hand)
    if secret:
        yield "Put this into CHATWOOT_WEBHOOK_SECRET now; it is not shown again:"
        yield f"  {secret}"


def _find_directory() -> Directory | None:
    """None where there is no database of this version."""
    try:
        schema.require_current(services().database)
    except (WrongSchema, SQLAlchemyError, PanelError):
        return None
    return services().directory


def _explain_amounts(directory: Directory | None) -> list[str]:
    """What MIDDAG_INTEGER_MONEY would decide, while it is not set."""
    if services().settings.integer_money:
        return []
    try:
        known = directory.list_organizations() if directory else []
    except PanelError:
        known = []
    return explain_integer_money(services().back_office, known)


def _exposure_lines(exposure: Exposure) -> Iterable[str]:
    if exposure.waiting or exposure.identifiers:
        ours = "an unknown number" if exposure.waiting is None else exposure.waiting
        yield f"Identifiers that can be guessed: {exposure.identifiers} in Chatwoot, {ours} in our"
        yield "own table. The next pass of their organization removes them; `flask sync reconcile`"
        yield "lines up all."
    for name in exposure.open_inboxes:
        yield f"Inbox {name}: identity validation is not enforced. A visitor can say to be whoever"
        yield "has an e-mail, phone or identifier, and read that contact (SECURITY.md)."


# -- who was shown what --------------------------------------------------------------------------


@click.command("access")
@click.option("--agent", type=int, metavar="ID", help="Only what this agent was shown.")
@click.option("--organization", type=int, metavar="ID", help="Only this organization.")
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
    """Who was shown which customer, how proven and how matched; newest first."""
    start = since.timestamp() if since else 0.0
    entries = services().audit_log.list_entries(agent, organization, start)
    if as_csv:
        writer = csv.DictWriter(sys.stdout, list(_make_row(AuditEntry("", 0))))
        writer.writeheader()
        writer.writerows(_make_row(entry) for entry in entries)
        return
    rows = [_make_row(entry) for entry in entries] if as_json else []
    echo(rows, as_json, lambda: _entry_lines(entries))


def _make_row(entry: AuditEntry) -> dict[str, object]:
    return {"at": format_time(entry.at), **{k: v for k, v in asdict(entry).items() if k != "at"}}


def _entry_lines(entries: Iterable[AuditEntry]) -> Iterable[str]:
    entry = None
    for entry in entries:
        whom = f"agent {entry.agent}  {entry.what}"
        where = f"organization {entry.organization}  conversation {entry.conversation}"
        parts = (entry.proof, entry.link, entry.source, entry.note)
        how = " ".join(part for part in parts if part)
        yield f"{format_time(entry.at)}  {whom}  {where}  {how}".rstrip()
    if entry is None:
        yield "Nothing was shown."
