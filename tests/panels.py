"""A panel between its two built-in worlds, and a visitor like a browser."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import requests
from flask import Flask

from panel.application import create_app
from panel.auth.tokens import derive_launch_key
from panel.bulkhead import Bulkhead
from panel.cache import backend
from panel.cache.policy import Cache
from panel.data import db
from panel.data.schema import Preparation
from panel.demo.backoffice import BackOffice
from panel.demo.chatwoot import Chatwoot
from panel.demo.scenarios import SCENARIOS
from panel.demo.worlds import AGENT, Server, serve
from panel.services import Services, get, register
from panel.settings import Settings, from_env
from tests.clocks import Clock, with_clock
from tests.pages import seal_of
from tests.sync.engine import make_engine
from tests.worlds import Worlds, environment, prove_customer, stop


def build_cache(url: str, app: Flask, clock: Callable[[], float] = time.time) -> Cache:
    return Cache(*backend.connect(url, app, "", clock), clock, Bulkhead(threads=300))


@cache
def tables() -> bytes:
    """Return an SQLite file with all tables, as every panel makes its own.

    The tables are made once in a run, because they cost more than most tests that need them.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "panel.db")
        database = db.connect(f"sqlite:///{file}")
        make_engine(
            from_env(environment("http://a.invalid", "http://b.invalid", Path(folder))), database
        ).migrate()
        database.dispose()
        return file.read_bytes()


def with_tables(folder: Path) -> Path:
    """Put a `panel.db` as after a first start into the folder, unless there is one; returns the
    folder."""
    file = folder / "panel.db"
    if not file.exists():
        file.write_bytes(tables())
    return folder


@dataclass
class Panel:
    """A panel on a socket, and the requests of a browser in Chatwoot."""

    app: Flask
    settings: Settings
    url: str
    office: BackOffice
    chat: Chatwoot
    clock: Clock = field(default_factory=Clock)

    @property
    def calls(self) -> int:
        """Count the calls to both outside worlds."""
        return self.office.count() + self.chat.count()

    @property
    def services(self) -> Services:
        return get(Services, self.app)

    def ask(
        self, method: str, path: str, bearer: str | None = None, **options: Any
    ) -> requests.Response:
        headers = {**({"Authorization": f"Bearer {bearer}"} if bearer else {})}
        headers |= options.pop("headers", {})
        options.setdefault("timeout", 30)
        return requests.request(
            method, self.url + path, headers=headers, allow_redirects=False, **options
        )

    def hints(self, scenario: str = "healthy", **changes: Any) -> dict[str, Any]:
        row = SCENARIOS[scenario]
        hints = {"conversation": row.conversation, "contact": row.contact, "account": 1}
        return {**hints, "agent_id": AGENT, "agent_email": "", **changes}

    def open(self, scenario: str = "healthy", **changes: Any) -> requests.Response:
        key = derive_launch_key(self.settings.secret)
        return self.ask("POST", "/contact", key, data=self.hints(scenario, **changes))

    def prove(self, scenario: str = "healthy", organization: int = 0) -> None:
        """Let the customer write by WhatsApp from now on, from the phone of one person there."""
        row = SCENARIOS[scenario]
        prove_customer(self.chat, self.services, row, organization or row.organizations[0])

    def proven(self, scenario: str = "healthy", organization: int = 0) -> str:
        """Return the seal of a proven customer, for whom nothing is masked."""
        self.prove(scenario, organization)
        return seal_of(self.open(scenario).text)

    def picked(self, scenario: str = "healthy", organization: int = 0) -> str:
        """Return the seal of a customer whose company an agent picked; the values stay masked."""
        organization = organization or SCENARIOS[scenario].organizations[0]
        seal = seal_of(self.open(scenario).text)
        return seal_of(self.say(seal, "pick", organization).text)

    def say(
        self, seal: str, action: str, organization: object, scope: str = "conversation"
    ) -> requests.Response:
        form = {"action": action, "organization": organization, "scope": scope}
        return self.ask("POST", "/links", seal, data=form)

    def section(self, name: str, seal: str, **query: Any) -> requests.Response:
        return self.ask("GET", f"/sections/{name}", seal, params=query)

    def refresh(self, name: str, seal: str) -> requests.Response:
        return self.ask("POST", f"/sections/{name}/refresh", seal)


MakePanel = Callable[..., Panel]


@contextmanager
def panels_before(worlds: Worlds, folder: Path) -> Iterator[MakePanel]:
    servers: list[Server] = []
    panels: list[Panel] = []

    with_tables(folder)

    def make(clock: Clock | None = None, **changes: str) -> Panel:
        settings = from_env(environment(worlds.office_url, worlds.chat_url, folder, **changes))
        app = create_app(settings)
        get(Preparation, app).ensure()  # gunicorn does the same before it serves
        if clock:
            register(app, with_clock(app, clock))
        servers.append(serve(app))
        moment = clock or Clock()
        panels.append(Panel(app, settings, servers[-1].url, worlds.office, worlds.chat, moment))
        return panels[-1]

    yield make
    stop(servers)
    for panel in panels:
        panel.services.deliveries.stop()
        panel.services.database.dispose()
