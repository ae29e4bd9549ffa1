"""A WordPress with long lists, and their reader."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from werkzeug.wrappers import Request, Response

from panel.demo.worlds import SECRET, serve
from panel.upstream.client import Client
from panel.upstream.middag import BackOffice
from tests.conftest import build_cache

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


Refuse = Callable[[dict[str, str]], Response | None]


def envelope(data: Any, meta: Any = None) -> Response:
    return Response(json.dumps({"success": True, "data": data, "meta": meta}))


@dataclass
class Shop:
    """`rows` of each list, `largest` on a page; `seconds` for each call.

    `refuse` may answer in the shop's place; `meta` may change the facts about the list; `headers`:
    those of each answer.
    """

    rows: int = 450
    largest: int = 100
    seconds: float = 0.0
    refuse: Refuse = lambda _query: None
    meta: Callable[[int, dict[str, Any]], Any] = lambda _page, meta: meta
    headers: dict[str, str] = field(default_factory=dict)
    queries: list[dict[str, str]] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        request = Request(environ)
        with self._lock:
            self.queries.append(dict(request.args.items()))
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        time.sleep(self.seconds)
        answer = self.answer(request)
        answer.headers.extend(self.headers)
        with self._lock:
            self._now -= 1
        return answer(environ, start)

    def answer(self, request: Request) -> Response:
        query = dict(request.args.items())
        if request.path.startswith("/organizations/") and request.path.count("/") == 2:
            return envelope({"id": int(query["org"]), "name": "Firm"})
        if refusal := self.refuse(query):
            return refusal
        page, size = int(query["page"]), min(int(query.get("per_page", 20)), self.largest)
        rows = [{"id": at, "status": "pending"} for at in range(1, self.rows + 1)]
        page_rows = rows[(page - 1) * size : page * size]
        pages = -(-self.rows // size)
        meta = {"page": page, "per_page": size, "total": self.rows, "pages": pages}
        return envelope(page_rows, self.meta(page, meta))

    @property
    def asked(self) -> list[tuple[str, str | None]]:
        """Return the page and `per_page` of each call."""
        return [(query["page"], query.get("per_page")) for query in self.queries]


Open = Callable[[Shop], BackOffice]


@pytest.fixture
def open_office() -> Iterator[Open]:
    servers = []

    def open_shop(shop: Shop) -> BackOffice:
        servers.append(serve(shop))
        client = Client(servers[-1].url, {"Authorization": f"Bearer {SECRET}"})
        return BackOffice(client, build_cache("memory:", Flask("test")), "cents")

    yield open_shop
    for server in servers:
        server.stop()
