"""The route for the plugin's hooks, and a sender of hooks."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from panel.application import create_app
from panel.cache.policy import Cache
from panel.services import Services, get
from tests.sync.engine import Engine, engine_of
from tests.sync.executor import SECRET, settings_for

STAMP = "2026-05-04T14:30:00Z"
BEARER = {"Authorization": f"Bearer {SECRET}"}
JSON = {"Content-Type": "application/json"}
Ring = Callable[..., TestResponse]


@dataclass(frozen=True)
class Panel:
    """The shared objects of an application."""

    app: Flask

    @property
    def cache(self) -> Cache:
        return get(Services, self.app).cache

    @property
    def sync(self) -> Engine:
        return engine_of(self.app)


def make_app(url: str) -> Flask:
    """Make the whole application over a cache in memory, without outside worlds."""
    secrets = f"{SECRET},{'o' * 30}"
    more = {"PANEL_CACHE_URL": "memory:", "CHATWOOT_CONTACT_VIEW_SECRET": secrets}
    return create_app(settings_for(url, **more))


@pytest.fixture
def app(sqlite_url: str) -> Iterator[Flask]:
    app = make_app(sqlite_url)
    yield app
    get(Services, app).database.dispose()


@pytest.fixture
def panel(app: Flask) -> Panel:
    return Panel(app)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def ring(client: FlaskClient) -> Ring:
    def post(
        body: bytes | None = None, headers: dict[str, str] = BEARER, **fields: Any
    ) -> TestResponse:
        document = {"event": "order.paid", "timestamp": STAMP, "id": "h1", **fields}
        raw = json.dumps(document).encode() if body is None else body
        return client.post("/sync/hooks", data=raw, headers=JSON | headers)

    return post


def kept(panel: Panel) -> int:
    with panel.sync.database.connect() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM hooks").scalar_one())


def refusal(answer: TestResponse, status: int, code: str) -> None:
    assert answer.status_code == status
    assert answer.json is not None
    assert set(answer.json) == {"error"}
    assert set(answer.json["error"]) == {"code", "detail"}
    assert answer.json["error"]["code"] == code
    assert SECRET not in answer.text
