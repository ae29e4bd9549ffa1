"""The back office's API over sockets, and its client."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from werkzeug.wrappers import Request, Response

from panel.demo.worlds import SECRET, Server, serve
from panel.upstream.client import Client
from panel.upstream.middag import BackOffice
from tests.conftest import API, Worlds, build_cache

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


Answer = Any
Say = Callable[..., BackOffice]


class Teller:
    """A back office that answers with a given document, or with one that a function makes of the
    page's number."""

    def __init__(self, document: Any, status: int = 200) -> None:
        self.said = document
        self.status = status
        self.pages: list[int] = []

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        page = int(Request(environ).args.get("page", "0"))
        self.pages.append(page)
        document = self.said(page) if callable(self.said) else self.said
        body = document if isinstance(document, str) else json.dumps(document)
        return Response(body, self.status)(environ, start)


def reader(url: str) -> BackOffice:
    cache = build_cache("memory:", Flask("test"))
    return BackOffice(Client(url, {"Authorization": f"Bearer {SECRET}"}), cache, "cents")


@pytest.fixture
def make_office() -> Iterator[Callable[..., tuple[BackOffice, Teller]]]:
    servers: list[Server] = []

    def say(document: Any, status: int = 200) -> tuple[BackOffice, Teller]:
        teller = Teller(document, status)
        servers.append(serve(teller))
        return reader(servers[-1].url), teller

    yield say
    for server in servers:
        server.stop()


Told = Callable[..., tuple[BackOffice, Teller]]


@pytest.fixture
def office(worlds: Worlds) -> BackOffice:
    return reader(worlds.office_url + API)


def row(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": number, "status": "pending", **fields}
