"""A pass, against the built-in worlds on real sockets."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine

from panel.data import db
from panel.data.directory import Directory
from panel.data.links import Links
from panel.data.search_index import SearchIndex
from panel.demo.backoffice import BackOffice
from panel.demo.chatwoot import Chatwoot
from panel.demo.world import Json
from panel.demo.worlds import ADMIN_TOKEN, SECRET, serve
from panel.locks import ThreadLocks
from panel.settings import from_env
from panel.sync.reconcile import Reconciler
from panel.upstream.chatwoot import Chatwoot as Client
from panel.upstream.chatwoot import connect
from panel.upstream.client import Client as Http
from panel.upstream.middag import BackOffice as Office
from tests.conftest import build_cache, with_tables

API = "/wp-json/middag-account/v1"
UPDATED = ["organization.updated"]
SOON = (datetime.now(UTC) + timedelta(days=40)).strftime("%Y-%m-%dT12:00:00Z")


@dataclass
class Bench:
    office: BackOffice
    chat: Chatwoot
    contacts: Reconciler
    links: Links
    directory: Directory
    reader: Office
    account: Client
    client: Http
    database: Engine

    def run(self, organization: int = 42, *kinds: str) -> None:
        self.contacts.bring_in_line(organization, kinds or UPDATED)

    def contact(self, **fields: str) -> Json:
        """Return the only contact with these values."""
        rows = [
            row
            for row in self.chat.contacts.values()
            if all(str(row.get(key)) == value for key, value in fields.items())
        ]
        assert len(rows) == 1, rows
        return rows[0]

    def told(self, **fields: str) -> dict[str, Any]:
        attributes: dict[str, Any] = self.contact(**fields)["custom_attributes"]
        return attributes


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    office, chat = BackOffice([SECRET]), Chatwoot()
    chat.tokens[ADMIN_TOKEN] = 1
    chat.add_agent(1, "Service", "service@panel.example", "administrator", ADMIN_TOKEN)
    chat.add_inbox(1, "Site", "Channel::WebWidget", {1})
    company(office, 42, "Acme Ltda", "contato@acme.example")
    person(office, 42, 1, "ana@acme.example", "owner", 7)
    person(office, 42, 2, "bia@acme.example", "member", None)
    entitlement(office, 42, 1, "active", SOON)
    servers = serve(office), serve(chat)
    yield build(office, chat, servers[0].url, servers[1].url, tmp_path)
    for server in servers:
        server.stop()


def build(
    office: BackOffice, chat: Chatwoot, at: str, chat_at: str, folder: Path, url: str = ""
) -> Bench:
    settings = from_env(
        {
            "CHATWOOT_CONTACT_VIEW_SECRET": SECRET,
            "MIDDAG_API_URL": at + API,
            "CHATWOOT_URL": chat_at,
            "CHATWOOT_ACCOUNT_ID": "1",
            "CHATWOOT_API_TOKEN": ADMIN_TOKEN,
            "PANEL_DATABASE_URL": url or f"sqlite:///{with_tables(folder)}/panel.db",
        }
    )
    cache = build_cache("memory:", Flask("bench"))
    engine = db.connect(settings.database_url)
    account = Client(connect(chat_at, ADMIN_TOKEN), cache, 1)
    client = Http(settings.middag_api_url, {"Authorization": f"Bearer {SECRET}"})
    reader = Office(client, cache, "cents")
    directory, links = Directory(engine), Links(engine)
    tools = (directory, SearchIndex(engine), links, ThreadLocks())
    contacts = Reconciler(settings, reader, account, *tools)
    return Bench(office, chat, contacts, links, directory, reader, account, client, engine)


def company(office: BackOffice, number: int, name: str, email: str = "", **more: Any) -> None:
    document = {"id": number, "name": name, "status": "publish", "email": email or None}
    office.put("organization", number, {**document, "billing_entity": "middag_br", **more})


def person(
    office: BackOffice, company: int, number: int, email: str, role: str, user: int | None
) -> None:
    row = {"id": number, "organization_id": company, "user_id": user, "email": email, "role": role}
    office.put("collaborators", company, {**row, "status": "active"})


def entitlement(
    office: BackOffice, company: int, number: int, status: str, expires: str | None
) -> None:
    row = {"id": number, "code": f"PLG-{number}", "status": status, "expires_at": expires}
    office.put("entitlements", company, {**row, "organization_id": company})
