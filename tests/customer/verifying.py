"""Conversations with Acme that are verified, and their rows in the access log."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from panel.data.audit_log import AuditEntry
from panel.data.verification_tries import MOST_TRIES
from panel.web.sections import SECTIONS
from tests.conftest import MakePanel, Panel, attribute, panels_before, seal_of, worlds_on_sockets
from tests.customer.strangers import opened, secrets, told, writes
from tests.learning import learn

CLAIM = {"middag_organization_id": "42"}
ADMINISTRATOR = 1  # another agent than the demo's usual one
WRONG = "ZZZZ-9999"


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakePanel]:
    """Makes panels before the same worlds and on the same database, as several processes are."""
    with (
        worlds_on_sockets() as worlds,
        panels_before(worlds, tmp_path_factory.mktemp("p")) as panel_pair,
    ):
        yield panel_pair


@pytest.fixture(scope="module")
def acme(make: MakePanel) -> Panel:
    """A panel that has learned organization 42, which each visitor claims."""
    panel = make()
    learn(panel, 42, 45)
    return panel


def visits(panel: Panel, **contact: Any) -> int:
    """Add a visitor of the website who claims organization 42."""
    return writes(panel, here=CLAIM, **contact)


def another_conversation(panel: Panel, contact: int) -> int:
    number = 5000 + contact
    panel.chat.add_conversation(contact, 1, number, custom_attributes=CLAIM)
    return number


def key_of(panel: Panel, organization: int = 42) -> str:
    return str(panel.office.rows("licenses", organization)[0]["license_key"])


def say(panel: Panel, seal: str, **form: Any) -> requests.Response:
    return panel.ask("POST", "/verify", seal, data=form)


def seal_for(panel: Panel, number: int) -> str:
    return seal_of(opened(panel, number))


def verified(panel: Panel, number: int) -> str:
    """Return the seal of this conversation, after the person has written their key."""
    answer = say(panel, seal_for(panel, number), answer=key_of(panel))
    assert told(answer.text) == ("ready", "42", "claimed", "proven")
    return seal_of(answer.text)


def shown(panel: Panel, seal: str) -> list[str]:
    """Return the secrets that the sections show."""
    html = "\n".join(panel.section(name, seal, wait=1).text for name in SECTIONS)
    return [secret for secret in secrets(panel)[2:4] if secret in html]


def logged(panel: Panel, number: int, *kinds: str) -> list[AuditEntry]:
    """Return rows of this conversation, oldest first, of these kinds; without kinds, all rows."""
    rows = [row for row in panel.services.audit_log.list_entries() if row.conversation == number]
    return [row for row in reversed(rows) if not kinds or row.what in kinds]


def notes(panel: Panel, number: int, *kinds: str) -> list[str]:
    return [row.note for row in logged(panel, number, *kinds)]


def facts(panel: Panel) -> dict[str, object]:
    office = panel.office
    quotes = {row["id"] for row in office.rows("quotes", 42)}
    orders = {row["id"] for row in office.rows("orders", 42)}
    return {
        "order": min(orders - quotes),
        "quote": min(quotes - orders, default=min(quotes)),
        "cnpj": office.organizations[42]["cnpj"],
    }


def use_up(panel: Panel, seal: str) -> None:
    for _ in range(MOST_TRIES):
        assert attribute(say(panel, seal, answer=WRONG).text, "data-code") == "wrong"


def search(panel: Panel, seal: str, query: str) -> requests.Response:
    return panel.ask("GET", "/search", seal, params={"q": query})
