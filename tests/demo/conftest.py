"""A small account of the built-in Chatwoot, over a socket, and its callers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from panel.demo.chatwoot import Chatwoot
from panel.demo.world import Json
from panel.demo.worlds import serve
from tests.visitor import Visitor

TOKEN = "admin-token"
SITE, API, MAIL = 1, 2, 3


@dataclass(frozen=True)
class Desk:
    """Ana is contact 57 and has conversation 5, in the inbox of the website."""

    chat: Chatwoot
    url: str

    def ask(self, method: str, path: str, body: Any = None, **params: Any) -> requests.Response:
        url, headers = f"{self.url}/api/v1/accounts/1{path}", {"Api-Access-Token": TOKEN}
        return requests.request(method, url, json=body, headers=headers, params=params, timeout=9)

    def refuse(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return the status and the words of a refusal."""
        answer = self.ask(method, path, body)
        return answer.status_code, answer.json()

    def find(self, key: str, operator: str, values: list[Any]) -> Any:
        """Return the numbers of the contacts that a filter of one condition finds."""
        condition = {"attribute_key": key, "filter_operator": operator, "values": values}
        return self.filter([condition])

    def filter(self, payload: list[Json]) -> Any:
        answer = self.ask("POST", "/contacts/filter", {"payload": payload})
        return [row["id"] for row in answer.json()["payload"]] if answer.ok else answer.json()

    def visitor(self) -> Visitor:
        return Visitor(self.url, f"website-{SITE}")


@pytest.fixture
def desk() -> Iterator[Desk]:
    chat = Chatwoot()
    chat.add_agent(1, "Service", "service@panel.example", "administrator", TOKEN)
    chat.add_inbox(SITE, "Site", "Channel::WebWidget", {1})
    chat.add_inbox(API, "App", "Channel::Api", {1})
    chat.add_inbox(MAIL, "Mail", "Channel::Email", {1})
    chat.add_contact(57, name="Ana", email="ana@acme.example")
    chat.add_conversation(57, SITE, 5)
    server = serve(chat)
    yield Desk(chat, server.url)
    server.stop()
