"""Attacks on the identification of the customer: all values that a visitor can write, and merged
contacts."""

from typing import Any

import pytest

from panel.data.links import CONTACT, PICKED
from tests.conftest import Panel, attribute, rows_of, seal_of
from tests.customer.strangers import (
    ACME_PHONE,
    ANAS_PHONE,
    OWNER,
    WHATSAPP,
    acme,
    everything,
    opened,
    secrets,
    told,
    writes,
)

__all__ = ["acme"]  # a fixture


CLAIM = {"middag_organization_id": "42"}
WRITTEN: dict[str, dict[str, Any]] = {
    "a contact attribute": {"custom_attributes": CLAIM},
    "a conversation attribute": {"here": CLAIM},
    "conversation attributes as a whole": {"here": {**CLAIM, "middag_organization": "Acme Ltda"}},
    "every attribute of ours": {
        "custom_attributes": {**CLAIM, "middag_role": "owner", "middag_plan": "Business"}
    },
    "the name of the customer": {"name": "Acme Ltda", "custom_attributes": CLAIM},
    "the e-mail of the owner": {"email": OWNER},
    "the e-mail of the company": {"email": "financeiro@acme.example"},
    "the phone of the company": {"phone_number": ACME_PHONE},
    "all at once": {
        "email": OWNER,
        "phone_number": ACME_PHONE,
        "identifier": "middag:user:4201",
        "custom_attributes": CLAIM,
        "here": CLAIM,
    },
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_nothing_that_a_website_visitor_writes_discloses_anything(acme: Panel, kind: str) -> None:
    number = writes(acme, **WRITTEN[kind])
    html = opened(acme, number)
    assert told(html) in {
        ("ready", "42", "claimed", "unproven"),
        ("ready", "42", "matched", "unproven"),
    }
    text = everything(acme, number)
    assert [secret for secret in secrets(acme) if secret in text] == []


@pytest.mark.parametrize("identifier", ["middag:user:4201", "middag:organization:42", OWNER])
@pytest.mark.parametrize("signed", [False, True])
def test_an_identifier_is_worth_nothing_signed_or_not(
    acme: Panel, identifier: str, signed: bool
) -> None:
    number = writes(acme, identifier=identifier, signed=signed)
    assert attribute(opened(acme, number), "data-panel") == "unlinked"


def test_the_owners_own_phone_on_whatsapp_is_proven(acme: Panel) -> None:
    """The control: a successful attack would show the same."""
    number = writes(acme, WHATSAPP, ANAS_PHONE[1:], phone_number=ANAS_PHONE)
    html = opened(acme, number)
    assert told(html) == ("ready", "42", "matched", "proven")
    text = everything(acme, number)
    assert all(secret in text for secret in secrets(acme)[2:4])


# -- contacts that Chatwoot merged -----------------------------------------------------------------


def merge(panel: Panel, base: int, other: int) -> None:
    body = {"base_contact_id": base, "mergee_contact_id": other}
    panel.services.chatwoot.administer("POST", "actions/contact_merge", body)


def test_a_picked_customer_survives_the_merge_of_the_contact(panel: Panel) -> None:
    panel.say(seal_of(panel.open("unlinked").text), "pick", 42, "contact")
    merge(panel, 302, 305)
    # The page still names the deleted contact, as an open panel does when its seal is renewed.
    for contact in (305, 302):
        html = panel.open("unlinked", contact=contact).text
        assert told(html) == ("ready", "42", "picked", "unproven"), contact
    assert {link.subject for link in panel.services.links.find(0, 302)} == {302}
    assert panel.services.links.find(0, 305) == []


def test_a_contact_that_is_merely_another_one_is_refused(panel: Panel) -> None:
    panel.say(seal_of(panel.open("unlinked").text), "pick", 42)
    for contact in (301, 999_999):
        answer = panel.open("unlinked", contact=contact)
        assert attribute(answer.text, "data-code") == "another_contact"


def test_a_conversation_that_was_given_to_another_living_contact_is_not_proven_by_its_pick(
    panel: Panel,
) -> None:
    panel.say(seal_of(panel.open("unlinked").text), "pick", 42)
    panel.chat.conversations[105]["contact_id"] = 302
    html = panel.open("unlinked", contact=302).text
    assert told(html) == ("ready", "42", "picked", "unproven")


def test_a_pick_of_a_merged_contact_proves_nothing_in_a_mailbox_that_it_never_had(
    panel: Panel,
) -> None:
    """An agent picked 42 for the visitor, who had their own e-mail and was then merged into another
    contact."""
    panel.say(seal_of(panel.open("unlinked").text), "pick", 42, "contact")
    merge(panel, 304, 305)
    panel.open("unlinked", contact=304)
    [link] = [row for row in panel.services.links.find(0, 304) if row.scope == CONTACT]
    assert (link.state, link.email) == (PICKED, "eduardo.mota@correio.example")
    assert told(panel.open("two").text) == ("ready", "42", "picked", "unproven")


def test_what_one_may_see_is_not_drawn_for_another_in_the_same_moment(panel: Panel) -> None:
    """Agents who are shown the same share a section's HTML; these three do not."""
    masked, elsewhere = seal_of(panel.open().text), panel.proven("many")
    seal = panel.proven("two", 42)
    for _ in range(3):
        text = panel.section("orders", seal).text
        assert "data-masked" not in text
        assert "data-masked" in panel.section("orders", masked).text
        assert not set(rows_of(text)) & set(rows_of(panel.section("orders", elsewhere).text))
