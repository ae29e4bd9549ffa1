"""A panel whose Chatwoot has anonymous visitors, and the contacts of an earlier version."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from panel.demo.backoffice import BackOffice
from panel.demo.chatwoot import Chatwoot
from panel.demo.world import Json
from panel.demo.worlds import ADMIN_TOKEN, SECRET, serve
from panel.services import Services, get
from panel.sync.jobs import Jobs
from tests.conftest import Panel, Worlds, panels_before, stop
from tests.sync.passes import company, person

PANEL_URL = "https://panel.example.com"
API_INBOX = 2


@pytest.fixture
def worlds() -> Iterator[Worlds]:
    """Make Acme (42) with two people, and Bare (43), a company without e-mail and phone."""
    office, chat = BackOffice([SECRET]), Chatwoot()
    chat.add_agent(1, "Service", "service@panel.example", "administrator", ADMIN_TOKEN)
    chat.add_inbox(1, "Site", "Channel::WebWidget", {1})
    chat.add_inbox(API_INBOX, "App", "Channel::Api", {1})
    company(office, 42, "Acme Ltda", "contato@acme.example", phone="+55 61 99999-0042")
    person(office, 42, 1, "ana@acme.example", "owner", 7)
    person(office, 42, 2, "bia@acme.example", "member", 8)
    company(office, 43, "Bare Ltda")
    servers = serve(office), serve(chat)
    yield Worlds(office, chat, servers[0].url, servers[1].url)
    stop(servers)


@pytest.fixture
def panel(worlds: Worlds, tmp_path: Path) -> Iterator[Panel]:
    with panels_before(worlds, tmp_path) as make:
        panel = make(PANEL_URL=PANEL_URL)
        assert command(panel, "setup").exit_code == 0
        yield panel


def command(panel: Panel, *words: str) -> Result:
    return panel.app.test_cli_runner().invoke(args=list(words))


def run(panel: Panel, *organizations: int) -> None:
    for organization in organizations or (42, 43):
        get(Jobs, panel.app).bring_in_line(organization)


def row(panel: Panel, **fields: Any) -> Json:
    """Return the only contact with these values."""
    pairs = fields.items()
    (contact,) = [
        contact
        for contact in panel.chat.contacts.values()
        if all(contact[k] == v for k, v in pairs)
    ]
    return contact


def seats(panel: Panel, organization: int) -> dict[str, Any]:
    return get(Services, panel.app).directory.people_of(organization)


def as_earlier_version(panel: Panel) -> None:
    """Write as the version before did: an identifier with a number into every contact and seat."""
    run(panel)
    directory = get(Services, panel.app).directory
    old = {"collaborator:1": "middag:user:7", "collaborator:2": "middag:user:8"}
    for organization in (42, 43):
        for key, seat in directory.people_of(organization).items():
            identifier = old.get(key, f"middag:organization:{organization}")
            directory.put_person(replace(seat, identifier=identifier))
            panel.chat.contacts[seat.contact]["identifier"] = identifier
