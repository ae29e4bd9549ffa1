"""The route for Chatwoot's webhooks, and the events that Chatwoot sends there."""

import hmac
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from sqlalchemy import select

from panel.data import inbox
from panel.data.tasks import WARMING, tasks
from panel.demo.world import Json
from panel.demo.worlds import serve
from panel.services import Services, get, register
from panel.sync.jobs import Jobs
from tests.conftest import MakePanel, Panel, Worlds, panels_before
from tests.sync.engine import make_engine
from tests.sync.wings import inhabited

SECRET = "a-secret-that-chatwoot-made-up"


@dataclass
class Door:
    """A panel on a socket, and a Chatwoot that posts to it."""

    panel: Panel

    @property
    def shared(self) -> Services:
        return self.panel.services

    def post(self, raw: bytes, **headers: str) -> requests.Response:
        url = f"{self.panel.url}/sync/chatwoot"
        all_headers = {"Content-Type": "application/json", **headers}
        return requests.post(url, data=raw, headers=all_headers, timeout=30)

    def tell(self, event: str, delivery: str = "", **fields: Any) -> requests.Response:
        raw = json.dumps({"event": event, "account": {"id": 1}, **fields}).encode()
        return self.post(raw, **signature(raw, delivery=delivery or str(uuid4())))

    def passes(self, event: str, **fields: Any) -> int:
        """Return the number of passes that this event lines up."""
        return self.demand(event, **fields)["passes"]

    def demand(self, event: str, **fields: Any) -> dict[str, int]:
        """Return the numbers of passes and tasks that this event asks for."""
        answer = self.tell(event, **fields)
        assert answer.status_code == 202, answer.text
        body: dict[str, Any] = answer.json()
        return {name: body[name] for name in ("passes", "tasks")}

    def contact(self, email: str) -> Json:
        (row,) = [row for row in self.panel.chat.contacts.values() if row["email"] == email]
        return row

    def kept(self) -> list[tuple[int, str, str]]:
        with self.shared.database.connect() as connection:
            columns = select(inbox.hooks.c.organization, inbox.hooks.c.kind)
            rows = connection.execute(columns.add_columns(inbox.hooks.c.hook_id).order_by("seq"))
            return [tuple(row) for row in rows]

    def warmed(self) -> int:
        return len(self.warmings())

    def warmings(self) -> list[str | None]:
        """Return the waiting try of each organization that was ever warmed."""
        tries = select(tasks.c.waiting).where(tasks.c.kind == WARMING)
        with self.shared.database.connect() as connection:
            return list(connection.scalars(tries))

    def run(self) -> None:
        """Do the worker's work for every waiting hook."""
        for organization, _, _ in self.kept():
            get(Jobs, self.panel.app).bring_in_line(organization)


def signature(
    raw: bytes, at: float | None = None, secret: str = SECRET, delivery: str = "d1"
) -> dict[str, str]:
    stamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + raw, sha256).hexdigest()
    return {
        "X-Chatwoot-Delivery": delivery,
        "X-Chatwoot-Timestamp": stamp,
        "X-Chatwoot-Signature": f"sha256={digest}",
    }


@contextmanager
def doors(folder: Path) -> Iterator[MakePanel]:
    office, chat = inhabited()
    servers = serve(office), serve(chat)
    worlds = Worlds(office, chat, servers[0].url, servers[1].url)
    with panels_before(worlds, folder) as make:
        yield make
    for server in servers:
        server.stop()


def opened(make: MakePanel) -> Door:
    """Make a panel that knows both organizations already; the engine's clock stands still."""
    panel = make(CHATWOOT_WEBHOOK_SECRET=SECRET)
    get(Jobs, panel.app).bring_in_line(42)
    get(Jobs, panel.app).bring_in_line(45)
    engine = make_engine(panel.settings, panel.services.database, clock=panel.clock)
    register(panel.app, engine.queue, engine.intake, engine.worker, engine.tasks)
    panel.chat.forget()
    return Door(panel)


@pytest.fixture
def make_door(tmp_path: Path) -> Iterator[MakePanel]:
    with doors(tmp_path) as make:
        yield make


@pytest.fixture
def door(make_door: MakePanel) -> Door:
    return opened(make_door)


def talk(door: Door, email: str, number: int = 900, **fields: Any) -> Json:
    """Return a new conversation as its webhook tells of it."""
    contact = door.contact(email)
    door.panel.chat.add_conversation(contact["id"], 1, number)
    return {"id": number, "inbox_id": 1, "meta": {"sender": contact}, **fields}


def message(door: Door, email: str, **fields: Any) -> Json:
    sender = door.contact(email)
    conversation = {"id": 900, "meta": {"sender": sender}}
    body = {"message_type": "incoming", "private": False, "sender": sender}
    return body | {"conversation": conversation, "content": "Hello?"} | fields


RAW = b'{"event": "message_created"}'


def refused(answer: requests.Response, code: str = "wrong_signature") -> None:
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == code
    assert SECRET not in answer.text
