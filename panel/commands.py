"""`flask --app app …`: for the administrator. Prints for a person, or JSON with `--json`."""

import json

import click
from flask import Flask

from panel import access
from panel.settings import Settings


def register(app: Flask, settings: Settings) -> None:
    """Hang the commands onto the application."""

    @app.cli.command("launch-url")
    @click.option("--json", "as_json", is_flag=True, help="JSON for programs.")
    def launch_url(as_json: bool) -> None:
        """Print the one address to register in Chatwoot as a dashboard app."""
        if not settings.panel_url:
            click.echo("PANEL_URL is empty: set it to where this panel is reached.", err=True)
            raise SystemExit(2)
        url = access.launch_url(settings, settings.panel_url)
        click.echo(json.dumps({"url": url}) if as_json else url)
