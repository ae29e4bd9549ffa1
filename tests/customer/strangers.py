"""Customers and strangers who write to Acme, and the panels that open for them."""

import re
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from panel.web.sections import SECTIONS
from tests.conftest import Panel, attribute, panels_before, seal_of, worlds_on_sockets
from tests.learning import learn

MAIL, WHATSAPP = 3, 2
OWNER = "ana@acme.example"  # the owner of organization 42, as the passes learned
ACME_PHONE = "+556133220042"
ANAS_PHONE = "+5561988884201"  # a mobile that nobody else has
SWITCHBOARD = "+5561988884203"  # in the back office, one person has an extension of this number
SHARED_PHONE = "+5561988884202"  # of two people of two organizations

numbers = count(20_000)  # above the contacts that passes make


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    """A panel for the whole file, which has learned organization 42; each test writes as another
    visitor."""
    with worlds_on_sockets() as worlds, panels_before(worlds, tmp_path_factory.mktemp("p")) as make:
        panel = make()
        for organization, at, phone in (
            (42, 0, ANAS_PHONE),
            (42, 1, SHARED_PHONE),
            (48, 0, SHARED_PHONE),
            (48, 1, f"{SWITCHBOARD} ext. 12"),
        ):
            panel.office.rows("collaborators", organization)[at]["phone"] = phone
        learn(panel, 42, 48)
        yield panel


def writes(panel: Panel, inbox: int = 1, source: str = "", **contact: Any) -> int:
    """Add a contact with these values and its conversation, both of the returned number.

    `source`: the contact's address in the channel; `here`: the conversation's attributes.
    """
    number = next(numbers)
    own_claims, signed = contact.pop("here", {}), contact.pop("signed", False)
    contact_inboxes = [
        {"inbox": panel.chat.inboxes[inbox], "source_id": source or f"widget-{number}"}
    ]
    panel.chat.add_contact(number, contact_inboxes=contact_inboxes, **contact)
    panel.chat.add_conversation(
        number, inbox, number, custom_attributes=own_claims, hmac_verified=signed
    )
    return number


def opened(panel: Panel, number: int) -> str:
    return panel.open("healthy", conversation=number, contact=number).text


def told(html: str) -> tuple[str | None, ...]:
    names = ("data-panel", "data-organization", "data-link", "data-trust")
    return tuple(attribute(html, name) for name in names)


def secrets(panel: Panel, organization: int = 42) -> list[str]:
    """Return amounts, tax id and license keys as they would be drawn, and pieces of them."""
    office = panel.office
    cnpj = office.organizations[organization]["cnpj"]
    amounts = [row["total"] for row in office.orders[organization] + office.quotes[organization]]
    keys = [row["license_key"] for row in office.licenses[organization]]
    texts = [f"{float(amount):,.2f}" for amount in amounts]
    return [cnpj, re.sub(r"\D", "", cnpj), *keys, *(key[-4:] for key in keys), *amounts, *texts]


# Random or counted by the clock: the four digits at the end of a key, or an amount, may stand there
# by chance.
BY_CHANCE = re.compile(
    r' (?:data-seal|data-version|data-read-at|datetime)="[^"]*"'
    r'| id="follow-[^"]*"| name="at" value="[^"]*"|<samp>.*?</samp>',
    re.DOTALL,
)


def everything(panel: Panel, number: int) -> str:
    """Return each answer that the seal can fetch, without what is in it by chance."""
    html = opened(panel, number)
    seal = seal_of(html)
    answers = [panel.section(name, seal, wait=1).text for name in SECTIONS]
    answers += [panel.refresh("orders", seal).text]
    answers += [panel.ask("GET", "/search", seal, params={"q": "42"}).text]
    return BY_CHANCE.sub("", "\n".join([html, *answers, opened(panel, number)]))
