"""The writing wing with all its parts, between the built-in worlds."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from panel import services
from panel.cache.policy import CacheControl
from panel.data import inbox
from panel.demo.backoffice import BackOffice
from panel.demo.chatwoot import Chatwoot
from panel.demo.worlds import ADMIN_TOKEN, SECRET, Server, serve
from panel.services import Services
from panel.settings import from_env
from panel.sync.jobs import Jobs
from panel.sync.wire import Hook
from panel.upstream.documents import DOCUMENTS
from tests.conftest import Clock, environment
from tests.sync.engine import Engine, make_engine
from tests.sync.executor import hook
from tests.sync.passes import SOON, company, entitlement, person


def ring(organization: int, kind: str = "entitlement.renewed", name: str = "") -> Hook:
    return hook(name or f"{kind}-{organization}-{time.monotonic_ns()}", organization, kind)


@dataclass
class Wing:
    """The writing wing of one process, between two worlds on sockets."""

    office: BackOffice
    chat: Chatwoot
    services: Services
    engine: Engine
    passes: Jobs
    environ: dict[str, str]

    def run(self, organization: int) -> None:
        self.passes.bring_in_line(organization)

    def attributes(self, email: str) -> dict[str, Any]:
        (row,) = [row for row in self.chat.contacts.values() if row["email"] == email]
        attributes: dict[str, Any] = row["custom_attributes"]
        return attributes

    def waiting(self) -> list[tuple[int, str]]:
        """Return (organization, kind) of every waiting hook."""
        with self.services.database.connect() as connection:
            columns = select(inbox.hooks.c.organization, inbox.hooks.c.kind)
            rows = connection.execute(columns.where(inbox.hooks.c.status == inbox.WAITING))
            return sorted((row[0], row[1]) for row in rows)

    def versions(self, organization: int) -> list[str]:
        """Return the versions of the sections as a reader sees them now."""
        original = self.services.back_office.read
        return [
            original(document, organization, CacheControl.FRESH).version for document in DOCUMENTS
        ]


def inhabited() -> tuple[BackOffice, Chatwoot]:
    """Make worlds with Acme (42) of three people, one of whom is in Beta (45) too."""
    office, chat = BackOffice([SECRET]), Chatwoot()
    chat.add_agent(1, "Service", "service@panel.example", "administrator", ADMIN_TOKEN)
    chat.add_inbox(1, "Site", "Channel::WebWidget", {1})
    for number, name in ((42, "Acme"), (45, "Beta")):
        company(office, number, name, f"office@{number}.example")
        entitlement(office, number, number, "active", SOON)
    person(office, 42, 1, "ana@acme.example", "owner", 7)
    person(office, 42, 2, "bia@acme.example", "member", None)
    person(office, 42, 3, "caio@acme.example", "guest", None)
    person(office, 45, 9, "ana@acme.example", "admin", 7)
    return office, chat


@pytest.fixture
def sockets() -> Iterator[tuple[Server, Server]]:
    office, chat = inhabited()
    servers = serve(office), serve(chat)
    yield servers
    for server in servers:
        server.stop()


@pytest.fixture
def wing(sockets: tuple[Server, Server], url: str, tmp_path: Path) -> Iterator[Wing]:
    office_at, chat_at = sockets
    environ = environment(office_at.url, chat_at.url, tmp_path, PANEL_DATABASE_URL=url)
    settings = from_env(environ)
    shared = services.build(settings, Flask("wing"))
    engine = make_engine(settings, shared.database)
    engine.migrate()
    office, chat = office_at.app, chat_at.app
    assert isinstance(office, BackOffice)
    assert isinstance(chat, Chatwoot)
    yield Wing(office, chat, shared, engine, Jobs(shared, engine.intake), environ)
    shared.database.dispose()


on_sqlite = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


def answered(engine: Engine) -> bool:
    return engine.intake.stats().oldest_waiting is None


class Minutes(Clock):
    """A clock that moves only in sleep, so that it shows how long a caller waited."""

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)
