"""`python -m panel.demo`: both worlds and the panel on one port, told apart by the Host header.

Chatwoot answers as localhost, the panel and the back office as 127.0.0.1: for a browser these are
two sites, so the frame is cross-site as in life. The panel gets its settings as it would from the
environment, and reaches the worlds over this very port.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from werkzeug.utils import import_string

from panel.access import launch_url
from panel.demo.hooks import Plugin
from panel.demo.page import Page
from panel.demo.world import answer
from panel.demo.worlds import ADMIN_TOKEN, Server, demo_worlds, serve
from panel.settings import Settings, from_env

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

FIRST_PORT, LAST_PORT = 8000, 8019
_STOPS = (signal.SIGINT, signal.SIGTERM)


class House:
    """The WSGI app on the one port: who answers depends on the Host header."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.office, self.chat = demo_worlds(datetime.now(UTC).date(), secret)
        self.page = Page(self.chat, self.office)
        self.chat.page = self.page
        # Comes last, because its settings hold the port.
        self.panel: WSGIApplication = answer(503)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        host = environ.get("HTTP_HOST", "").partition(":")[0]
        if host == "localhost":
            return self.chat(environ, start_response)
        if environ.get("PATH_INFO", "").startswith("/wp-json/"):
            return self.office(environ, start_response)
        return self.panel(environ, start_response)

    def move_in(self, port: int, folder: str) -> None:
        """Start the panel and register it in Chatwoot."""
        settings = settings_for(port, self.secret, folder)
        frame = {"type": "frame", "url": launch_url(settings, f"http://127.0.0.1:{port}")}
        self.chat.dashboard_apps[1] = {"id": 1, "title": "MIDDAG", "content": [frame]}
        # By name, as gunicorn does it: nothing imports the room that knows everyone.
        self.panel = import_string("app:create_app")(settings)
        self.page.plugin = Plugin(self.office, f"http://127.0.0.1:{port}", self.secret)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Passes are executed meanwhile, as in a web process of a single-machine installation."""
        import_string("app:start_work")(self.panel)
        try:
            yield
        finally:
            import_string("app:stop_work")(self.panel)

    def close(self) -> None:
        """The server stops: nobody hangs on."""
        self.office.close()
        self.chat.close()


def settings_for(port: int, secret: str, folder: str) -> Settings:
    """The panel's settings, made as from the environment."""
    return from_env(
        {
            "CHATWOOT_CONTACT_VIEW_SECRET": secret,
            "MIDDAG_API_URL": f"http://127.0.0.1:{port}/wp-json/middag-account/v1",
            "CHATWOOT_URL": f"http://localhost:{port}",
            "CHATWOOT_ACCOUNT_ID": "1",
            "CHATWOOT_API_TOKEN": ADMIN_TOKEN,
            "PANEL_URL": f"http://127.0.0.1:{port}",
            "PANEL_CACHE_URL": f"file:{folder}/cache",
            "PANEL_DATABASE_URL": f"sqlite:///{folder}/panel.db",
        }
    )


def bind(house: House, port: int | None) -> Server:
    """One socket for all; OSError when the port (None: every one of ours) is taken."""
    if port is not None:
        return serve(house, port=port)
    for free in range(FIRST_PORT, LAST_PORT):
        try:
            return serve(house, port=free)
        except OSError:
            continue
    return serve(house, port=LAST_PORT)


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="The port; without it: a free one.")
def main(port: int | None) -> None:
    """Serve the panel with a built-in back office and a built-in Chatwoot."""
    # Blocked in every thread and waited for below: a handler that sets an Event can be interrupted
    # by the second signal while it holds the Event's lock, and then waits for itself.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    house = House(secrets.token_urlsafe(24))
    try:
        server = bind(house, port)
    except OSError as fault:
        taken = f"port {port}" if port else f"any port from {FIRST_PORT} to {LAST_PORT}"
        click.echo(f"The demo cannot listen on {taken}: {os.strerror(fault.errno or 0)}.", err=True)
        sys.exit(2)
    with tempfile.TemporaryDirectory(prefix="panel-demo-", ignore_cleanup_errors=True) as folder:
        house.move_in(server.port, folder)
        with house.working():
            click.echo(f"Open http://localhost:{server.port}/ (Ctrl-C ends the demo)")
            signal.sigwait(_STOPS)
        server.stop()
