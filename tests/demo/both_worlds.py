"""Both built-in worlds on sockets, as they stand on one day."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
import requests

from panel.demo.backoffice import BackOffice
from panel.demo.chatwoot import Chatwoot
from panel.demo.worlds import ADMIN_TOKEN, SECRET, demo_worlds, serve

TODAY = date(2026, 5, 4)
API = "/wp-json/middag-account/v1"


@dataclass(frozen=True)
class Worlds:
    office: BackOffice
    chat: Chatwoot
    office_url: str
    chat_url: str

    def read(self, path: str, organization: int | None = 42, **headers: str) -> requests.Response:
        all_headers = {"Authorization": f"Bearer {SECRET}", **headers}
        if organization is not None:
            all_headers["X-Middag-Organization"] = str(organization)
        return requests.get(
            self.office_url + API + path, headers=all_headers, timeout=5, allow_redirects=False
        )

    def call(
        self, method: str, path: str, body: Any = None, token: str = ADMIN_TOKEN
    ) -> requests.Response:
        url = f"{self.chat_url}/api/v1/accounts/1{path}"
        headers = {"Api-Access-Token": token}
        return requests.request(method, url, json=body, headers=headers, timeout=5)

    def filter(self, *conditions: tuple[str, str, list[Any], str | None]) -> requests.Response:
        keys = ("attribute_key", "filter_operator", "values", "query_operator")
        payload = [dict(zip(keys, condition, strict=True)) for condition in conditions]
        return self.call("POST", "/contacts/filter", {"payload": payload})


@pytest.fixture
def worlds() -> Iterator[Worlds]:
    office, chat = demo_worlds(TODAY)
    servers = serve(office.app), serve(chat.app)
    yield Worlds(office, chat, servers[0].url, servers[1].url)
    for server in servers:
        server.stop()
