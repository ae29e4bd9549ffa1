"""`flask --app app …`: for the administrator."""

import csv
import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime

import click
from flask import Flask

from panel.auth import tokens
from panel.cli import sync
from panel.cli.output import (
    COULD_NOT,
    as_json,
    echo,
    format_time,
    needs_database,
    report_failures,
    stop,
)
from panel.cli.setup import Setup
from panel.data.audit_log import AuditEntry
from panel.errors import PanelError, Unauthorized
from panel.services import Services
from panel.sync.jobs import Jobs
from panel.sync.worker import Worker


def register(app: Flask, shared: Services, engine: Worker, passes: Jobs) -> None:
    """Hang the commands onto the application."""
    _installing(app, shared)
    _accounting(app, shared)
    app.cli.add_command(sync.group(shared, engine, passes))


# -- setting Chatwoot up -------------------------------------------------------------------------


def _installing(app: Flask, shared: Services) -> None:
    settings = shared.settings

    @app.cli.command("launch-url")
    @as_json
    @report_failures
    def launch_url(as_json: bool) -> None:
        """Print the one address to register in Chatwoot as a dashboard app."""
        if not settings.panel_url:
            stop("PANEL_URL is empty: set it to where this panel is reached.")
        url = tokens.make_launch_url(settings, settings.panel_url)
        echo({"url": url}, as_json, lambda: [url])

    @app.cli.command("setup")
    @click.option("--dry-run", is_flag=True, help="Print the plan, write nothing.")
    @click.option("--remove", is_flag=True, help="Undo it: remove what is ours.")
    @as_json
    @report_failures
    def setup(dry_run: bool, remove: bool, as_json: bool) -> None:
        """Create or correct in Chatwoot what the panel and the passes need."""
        if not settings.panel_url:
            stop("PANEL_URL is empty: set it to where this panel is reached.")
        installation = Setup(settings, shared.chatwoot)
        try:
            steps = installation.plan_removal() if remove else installation.plan()
            by_hand, secret = [], ""
            for step in [] if dry_run else steps:
                try:
                    secret = installation.carry_out(step) or secret
                except Unauthorized:
                    by_hand.append(step.by_hand)
        except Unauthorized:
            stop("Chatwoot does not accept CHATWOOT_API_TOKEN.")
        except PanelError as error:
            stop(f"Chatwoot could not be asked: {error}")
        done = [f"{step.verb} {step.what}" for step in steps if step.by_hand not in by_hand]
        told = {"steps": done, "by_hand": by_hand, "webhook_secret": secret, "dry_run": dry_run}
        echo(told, as_json, lambda: _setup_lines(done, by_hand, secret, dry_run))
        sys.exit(COULD_NOT if by_hand else 0)


def _setup_lines(done: list[str], by_hand: list[str], secret: str, dry_run: bool) -> Iterable[str]:
    if not done and not by_hand:
        yield "Nothing to do: everything stands as it should."
    yield from (f"{'would ' if dry_run else ''}{line}" for line in done)
    if by_hand:
        yield "CHATWOOT_API_TOKEN is no administrator's. An administrator does by hand in Chatwoot:"
        yield from (f"  - {line}" for line in by_hand)
    if secret:
        yield "Put this into CHATWOOT_WEBHOOK_SECRET now; it is not shown again:"
        yield f"  {secret}"


# -- who was shown what --------------------------------------------------------------------------


def _accounting(app: Flask, shared: Services) -> None:
    @app.cli.command("access")
    @click.option("--agent", type=int, metavar="ID", help="Only what this agent was shown.")
    @click.option("--organization", type=int, metavar="ID", help="Only this organization.")
    @click.option("--since", type=click.DateTime(), help="Only from then on (local time).")
    @click.option("--csv", "as_csv", is_flag=True, help="CSV for a spreadsheet.")
    @as_json
    @report_failures
    @needs_database
    def access_log(
        agent: int | None,
        organization: int | None,
        since: datetime | None,
        as_csv: bool,
        as_json: bool,
    ) -> None:
        """Who was shown which customer, how proven and how matched; newest first."""
        found = shared.audit_log.entries(agent, organization, since.timestamp() if since else 0.0)
        if as_csv:
            writer = csv.DictWriter(sys.stdout, list(_entry(AuditEntry("", 0))))
            writer.writeheader()
            writer.writerows(_entry(each) for each in found)
            return
        told = [_entry(each) for each in found] if as_json else []
        echo(told, as_json, lambda: _entry_lines(found))


def _entry(entry: AuditEntry) -> dict[str, object]:
    return {"at": format_time(entry.at), **{k: v for k, v in asdict(entry).items() if k != "at"}}


def _entry_lines(found: Iterable[AuditEntry]) -> Iterable[str]:
    each = None
    for each in found:
        whom = f"agent {each.agent}  {each.what}"
        where = f"organization {each.organization}  conversation {each.conversation}"
        how = " ".join(part for part in (each.proof, each.link, each.source, each.note) if part)
        yield f"{format_time(each.at)}  {whom}  {where}  {how}".rstrip()
    if each is None:
        yield "Nothing was shown."
