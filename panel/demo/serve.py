"""`python -m panel.demo`: both worlds and the panel on one port, told apart by the Host header.

Chatwoot answers as localhost, the panel and the back office as 127.0.0.1: for a browser these are
two sites, so the frame is cross-site as in life. The panel gets its settings as it would from the
environment, and reaches the worlds over this very port.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from werkzeug.utils import import_string

from panel.auth.tokens import (
    ACCEPTED_PROOFS,
    ACCESS_TOKEN,
    CHATWOOT_SESSION,
    SHARED_SECRET,
    make_launch_url,
)
from panel.data.lanes import Lane
from panel.demo.administration import DEFAULT_EVENTS
from panel.demo.catalogue import SEEN
from panel.demo.faults import page
from panel.demo.hooks import Plugin
from panel.demo.page import Page
from panel.demo.world import answer
from panel.demo.worlds import (
    ADMIN_TOKEN,
    AGENT_TOKEN,
    Server,
    add_regulars,
    demo_worlds,
    find_today,
    serve,
)
from panel.services import get
from panel.settings import Settings, from_env
from panel.sync.intake import Intake

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

FIRST_PORT, LAST_PORT = 8000, 8019
MOUNT = "/panel"
_STOPS = (signal.SIGINT, signal.SIGTERM)


class House:
    """The WSGI app on the one port: the Host header chooses the world."""

    def __init__(self, secret: str, proof: str = SHARED_SECRET) -> None:
        self.secret = secret
        self.proof = proof
        self.office, self.chat = demo_worlds(find_today(), secret)
        self.page = Page(self.chat, self.office)
        self.chat.page = self.page
        # The panel comes last, because its settings hold the port.
        self.panel: WSGIApplication = answer(503)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        host = environ.get("HTTP_HOST", "").partition(":")[0]
        if host == "localhost" and environ.get("PATH_INFO", "").startswith(f"{MOUNT}/"):
            return self.panel(_forward(environ), start_response)
        if host == "localhost":
            return self.chat(environ, start_response)
        if environ.get("PATH_INFO", "").startswith("/wp-json/"):
            return self.office(environ, start_response)
        if environ.get("PATH_INFO", "").startswith("/wp-admin/"):
            return page(200, "Here MIDDAG Account would show it in wp-admin")(
                environ, start_response
            )
        return self.panel(environ, start_response)

    def move_in(self, port: int, folder: str, front: int = 0) -> None:
        """Start the panel and register it in Chatwoot; `front`: the port of a proxy before both."""
        settings = settings_for(port, self.secret, folder, self.proof, front or port)
        frame = {"type": "frame", "url": make_launch_url(settings, settings.panel_url)}
        self.chat.dashboard_apps[1] = {"id": 1, "title": "MIDDAG", "content": [frame]}
        self.chat.webhooks[1] = {
            "id": 1,
            "name": "MIDDAG",
            "account_id": self.chat.account_id,
            "url": f"http://127.0.0.1:{port}/sync/chatwoot",
            "subscriptions": list(DEFAULT_EVENTS),
            "secret": settings.chatwoot_webhook_secret,
        }
        # The panel is imported by name, as gunicorn does it: no module imports `application`.
        self.panel = import_string("panel.application:create_app")(settings)
        self.page.plugin = Plugin(self.office, f"http://127.0.0.1:{port}", self.secret)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Execute passes meanwhile, as in a web process of a single-machine installation.

        Most customers are in line then, and the first of the list is one of them.
        """
        add_regulars(self.chat, find_today())
        import_string("panel.application:start_work")(self.panel)
        self.chat.outbox.sending = True
        intake = get(Intake, self.panel)  # type: ignore[arg-type]
        intake.line_up(SEEN, Lane.BACKFILL)
        try:
            yield
        finally:
            import_string("panel.application:stop_work")(self.panel)

    def close(self) -> None:
        """Stop the server: hanging calls end."""
        self.office.close()
        self.chat.close()


def _forward(environ: WSGIEnvironment) -> WSGIEnvironment:
    """Change the request as a proxy does that has the panel mounted under Chatwoot's own host."""
    return environ | {
        "PATH_INFO": environ["PATH_INFO"].removeprefix(MOUNT),
        "HTTP_X_FORWARDED_PREFIX": MOUNT,
        "HTTP_X_FORWARDED_HOST": environ["HTTP_HOST"],
        "HTTP_X_FORWARDED_PROTO": "http",
        "HTTP_X_FORWARDED_FOR": environ["REMOTE_ADDR"],
    }


def settings_for(port: int, secret: str, folder: str, proof: str, front: int) -> Settings:
    """Make the panel's settings, as from the environment."""
    mounted = proof == CHATWOOT_SESSION
    panel_url = f"http://localhost:{front}{MOUNT}" if mounted else f"http://127.0.0.1:{front}"
    return from_env(
        {
            "CHATWOOT_CONTACT_VIEW_SECRET": secret,
            "MIDDAG_API_URL": f"http://127.0.0.1:{port}/wp-json/middag-account/v1",
            "CHATWOOT_URL": f"http://localhost:{front}",
            "CHATWOOT_ACCOUNT_ID": "1",
            "CHATWOOT_API_TOKEN": ADMIN_TOKEN,
            "CHATWOOT_WEBHOOK_SECRET": secret,
            "PANEL_URL": panel_url,
            "PANEL_AGENT_PROOF": proof,
            "PANEL_TRUSTED_PROXIES": "1" if mounted else "0",
            "PANEL_CACHE_URL": f"file:{folder}/cache",
            "PANEL_DATABASE_URL": f"sqlite:///{folder}/panel.db",
        }
    )


def bind(house: House, port: int | None) -> Server:
    """Bind one socket for all; OSError when the port (None: every one of ours) is taken."""
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
@click.option(
    "--proof", type=click.Choice(ACCEPTED_PROOFS), default=SHARED_SECRET, show_default=True
)
def main(port: int | None, proof: str) -> None:
    """Serve the panel with a built-in back office and a built-in Chatwoot."""
    # The signals are blocked in every thread and waited for below. A handler that sets an Event can
    # be interrupted by the second signal while it holds the Event's lock, and then waits for
    # itself.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    house = House(secrets.token_urlsafe(24), proof)
    try:
        server = bind(house, port)
    except OSError as fault:
        port_name = f"port {port}" if port else f"any port from {FIRST_PORT} to {LAST_PORT}"
        click.echo(
            f"The demo cannot listen on {port_name}: {os.strerror(fault.errno or 0)}.", err=True
        )
        sys.exit(2)
    with tempfile.TemporaryDirectory(prefix="panel-demo-", ignore_cleanup_errors=True) as folder:
        house.move_in(server.port, folder)
        with house.working():
            click.echo(f"Open http://localhost:{server.port}/ (Ctrl-C ends the demo)")
            if proof == ACCESS_TOKEN:
                click.echo(f"Bruno's access token: {AGENT_TOKEN}")
            signal.sigwait(_STOPS)
        # A pass may outlast the worker's grace, and loses its calls with the server. The end of a
        # demo is no trouble to report.
        logging.disable()
        server.stop()
