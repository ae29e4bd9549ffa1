"""Companies between the built-in worlds, and the nights that compare them."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from panel import services
from panel.data.nights import NightRow, Nights
from panel.data.readings import readings
from panel.demo.backoffice import BackOffice
from panel.demo.chatwoot import Chatwoot
from panel.demo.world import Json
from panel.demo.worlds import ADMIN_TOKEN, SECRET, Server, serve
from panel.settings import from_env
from panel.sync.jobs import Jobs
from panel.sync.people import OUR_ATTRIBUTES
from panel.upstream.chatwoot import ID_ATTRIBUTE
from tests.conftest import environment
from tests.sync.engine import make_engine
from tests.sync.passes import SOON, company, entitlement, person
from tests.sync.wings import Wing

FIRST, PEOPLE = 1000, 2  # beside the company's own contact
COMPANIES = 40


def define_attributes(chat: Chatwoot) -> None:
    for number, key in enumerate(OUR_ATTRIBUTES, start=1):
        kind = {"attribute_model": "contact_attribute", "attribute_display_type": "text"}
        chat.definitions[number] = {"id": number, "attribute_key": key, **kind}
    of_talks = {"attribute_model": "conversation_attribute", "attribute_display_type": "text"}
    chat.definitions[99] = {"id": 99, "attribute_key": ID_ATTRIBUTE, **of_talks}


def add_company(office: BackOffice, number: int) -> None:
    company(office, number, f"Company {number}", f"office@{number}.example")
    entitlement(office, number, number, "active", SOON)
    for at in range(PEOPLE):
        name = number * 10 + at
        person(office, number, name, f"person{name}@{number}.example", "member", name)


@pytest.fixture
def sockets() -> Iterator[tuple[Server, Server]]:
    office, chat = BackOffice([SECRET]), Chatwoot()
    chat.add_agent(1, "Service", "service@panel.example", "administrator", ADMIN_TOKEN)
    define_attributes(chat)
    servers = serve(office), serve(chat)
    yield servers
    for server in servers:
        server.stop()


@pytest.fixture
def wing(sockets: tuple[Server, Server], url: str, tmp_path: Any) -> Iterator[Wing]:
    more = {"CHATWOOT_CALLS_PER_MINUTE": "100000", "PANEL_DATABASE_URL": url}
    environ = environment(sockets[0].url, sockets[1].url, tmp_path, **more)
    settings = from_env(environ)
    shared = services.build(settings, Flask("night"))
    engine = make_engine(settings, shared.database)
    engine.migrate()
    office, chat = sockets[0].app, sockets[1].app
    assert isinstance(office, BackOffice)
    assert isinstance(chat, Chatwoot)
    yield Wing(office, chat, shared, engine, Jobs(shared, engine.intake), environ)
    shared.database.dispose()


def bring(wing: Wing, count: int = COMPANIES) -> list[int]:
    """Bring so many organizations in line by a pass; returns their ids."""
    numbers = list(range(FIRST, FIRST + count))
    for number in numbers:
        add_company(wing.office, number)
        wing.run(number)
    return numbers


def last(wing: Wing) -> NightRow:
    night = Nights(wing.services.database).read_last()
    assert night is not None
    return night


def contact_of(wing: Wing, email: str) -> Json:
    (row,) = [row for row in wing.chat.contacts.values() if row["email"] == email]
    return row


def longest_unread(wing: Wing, organization: int) -> None:
    """Give the organization the first turn from now on."""
    with wing.services.database.begin() as connection:
        condition = readings.c.organization == organization
        connection.execute(update(readings).where(condition).values(read_at=1.0))


def promote(wing: Wing, organization: int) -> str:
    """Make the first person its owner without a hook; returns their e-mail."""
    row = dict(wing.office.rows("collaborators", organization)[0])
    wing.office.put("collaborators", organization, {**row, "role": "owner"})
    return str(row["email"])


def pages(wing: Wing) -> list[int]:
    """Return the pages of the bulk read, in the order of the calls."""
    return [int(call.query["page"]) for call in wing.chat.calls if "page" in call.query]
