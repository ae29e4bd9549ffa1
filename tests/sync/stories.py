"""Stories: series of hooks and troubles, and the worlds in which they happen."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from panel.demo.backoffice import BackOffice
from panel.demo.chatwoot import Chatwoot
from panel.demo.worlds import ADMIN_TOKEN, SECRET, serve
from panel.upstream import client
from panel.upstream.circuit_breaker import CircuitBreaker
from tests.sync.passes import SOON, Bench, build, company, entitlement, person

GONE, ACME, BETA, GAMMA = 41, 42, 43, 44


def fill(office: BackOffice) -> None:
    """Add three organizations with people in common, and one that has only a name."""
    for number, name in ((ACME, "Acme"), (BETA, "Beta"), (GAMMA, "Gamma")):
        company(office, number, name, f"office@{number}.example", phone=f"+55 61 99999-00{number}")
        person(office, number, number * 10, f"own@{number}.example", "owner", number)
    person(office, ACME, 1, "ana@both.example", "member", 7)
    person(office, BETA, 2, "Ana@Both.example", "admin", 7)
    person(office, BETA, 3, "bia@both.example", "guest", None)
    person(office, GAMMA, 4, "bia@both.example", "member", None)
    entitlement(office, ACME, 1, "active", SOON)
    entitlement(office, BETA, 2, "suspended", None)


def inhabit(chat: Chatwoot) -> None:
    """Add the contacts and conversations that exist from the start."""
    chat.add_agent(1, "Service", "service@panel.example", "administrator", ADMIN_TOKEN)
    chat.add_inbox(1, "Site", "Channel::WebWidget", {1})
    fields = {"vip": "yes"}
    chat.add_contact(1, name="Ana", email="ana@both.example", custom_attributes=fields)
    chat.add_contact(2, name="Owner", email=f"own@{ACME}.example", identifier="shop-7")
    chat.add_conversation(2, 1, 2, custom_attributes={"topic": "billing"})


class Worlds:
    """Both worlds on sockets for many examples; each example begins with an empty panel."""

    def __init__(self) -> None:
        self.office, self.chat = BackOffice([SECRET]), Chatwoot()
        self.office.retry_after = 0
        fill(self.office)
        inhabit(self.chat)
        self.first = deepcopy((self.chat.contacts, self.chat.conversations))
        self.servers = serve(self.office), serve(self.chat)

    @contextmanager
    def fresh(self) -> Iterator[Bench]:
        self.office.heal()
        self.chat.contacts, self.chat.conversations = deepcopy(self.first)
        self.chat.forget()
        with tempfile.TemporaryDirectory() as folder:
            at, chat_at = (server.url for server in self.servers)
            bench = build(self.office, self.chat, at, chat_at, Path(folder))
            bench.client.breaker = CircuitBreaker(limit=10_000, own_limit=10_000)
            yield bench
            bench.database.dispose()

    def end(self) -> dict[str, Any]:
        """Return Chatwoot's data by person, without the numbers and times of new contacts."""
        keys = ("name", "email", "phone_number", "identifier", "custom_attributes")
        people = [{key: row[key] for key in keys} for row in self.chat.contacts.values()]
        talks = [row["custom_attributes"] for row in self.chat.conversations.values()]
        return {"people": sorted(people, key=str), "talks": talks}


@pytest.fixture(scope="module", autouse=True)
def impatient() -> Iterator[None]:
    """Leave out the wait before a second try, which tests/upstream covers; here it would add up to
    a minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "RETRY_AFTER_SECONDS", 0.02)
        yield


@pytest.fixture(scope="module")
def worlds() -> Iterator[Worlds]:
    both = Worlds()
    yield both
    for server in both.servers:
        server.stop()


def ana_talks(bench: Bench) -> None:
    bench.chat.add_conversation(1, 1, 1, custom_attributes={"topic": "billing"})
