"""Attacks on the proof: visitors who seem to be the owner, and are not."""

import re

import pytest

from panel.data.directory import Person
from panel.demo.chatwoot import Failure
from panel.demo.world import Call
from panel.demo.worlds import AGENT
from tests.conftest import Panel, attribute, seal_of
from tests.customer.strangers import (
    ACME_PHONE,
    ANAS_PHONE,
    MAIL,
    OWNER,
    SHARED_PHONE,
    SWITCHBOARD,
    WHATSAPP,
    acme,
    everything,
    numbers,
    opened,
    secrets,
    told,
    writes,
)
from tests.learning import learn

__all__ = ["acme"]  # a fixture


MALLORY = "mallory@evil.example"


def discloses_nothing(panel: Panel, number: int) -> str:
    """Return the panel of this conversation, after a search for secrets in all that its seal can
    fetch."""
    html = opened(panel, number)
    assert attribute(html, "data-trust") == "unproven"
    assert "Not verified: do not disclose." in html
    text = everything(panel, number)
    assert [secret for secret in secrets(panel) if secret in text] == []
    answer = panel.say(seal_of(html), "pick", 42, "contact")
    assert told(answer.text) == ("ready", "42", "picked", "unproven")
    text = everything(panel, number)
    assert [secret for secret in secrets(panel) if secret in text] == []
    row = panel.chat.conversations[number]
    assert row["custom_attributes"].get("middag_organization") is None
    assert panel.chat.contacts[number]["custom_attributes"] == {}
    return html


def test_a_mail_with_the_owner_in_reply_to_is_not_the_owner(acme: Panel) -> None:
    """Chatwoot takes the contact from `Reply-To`, and shows that address as the sender's, too."""
    number = writes(acme, MAIL, OWNER, email=OWNER)
    html = discloses_nothing(acme, number)
    assert told(html) == ("ready", "42", "matched", "unproven")
    assert "By e-mail: a sender&#39;s address can be forged." in html


def test_a_signed_visitor_who_types_the_owners_email_is_not_the_owner(acme: Panel) -> None:
    """The visitor was merged into the owner's contact, and kept their own `hmac_verified`."""
    number = writes(acme, signed=True, email=OWNER, identifier="middag:user:4201")
    html = discloses_nothing(acme, number)
    assert told(html) == ("ready", "42", "matched", "unproven")
    assert "The website signed this visitor in, but the contact" in html


def test_a_signed_visitor_whose_identifier_is_the_owners_email_is_not_the_owner(
    acme: Panel,
) -> None:
    number = writes(acme, signed=True, email=OWNER, identifier=OWNER)
    assert told(discloses_nothing(acme, number)) == ("ready", "42", "matched", "unproven")


def test_who_fills_the_owner_into_the_prechat_form_is_not_the_owner(acme: Panel) -> None:
    number = writes(acme, email=OWNER, phone_number=ANAS_PHONE, name="Ana Souza")
    html = discloses_nothing(acme, number)
    assert "This channel does not prove who is writing." in html


def test_a_number_of_nobody_there_is_what_proves_nothing_where_the_channel_would(
    acme: Panel,
) -> None:
    seal = seal_of(acme.open("expiring").text)
    picked = acme.say(seal, "pick", 46)
    assert "This phone number does not prove who is writing." in picked.text
    assert "This channel does not prove" not in picked.text


def test_a_phone_that_was_typed_into_a_telegram_contact_proves_nobody(acme: Panel) -> None:
    acme.chat.add_inbox(9, "Telegram", "Channel::Telegram", {AGENT})
    for source in ("987654", ANAS_PHONE[1:]):
        discloses_nothing(acme, writes(acme, 9, source, phone_number=ANAS_PHONE))


def test_whoever_writes_from_the_switchboard_is_not_proven(acme: Panel) -> None:
    number = writes(acme, WHATSAPP, ACME_PHONE[1:], phone_number=ACME_PHONE)
    assert told(discloses_nothing(acme, number)) == ("ready", "42", "matched", "unproven")


def test_a_number_of_several_people_finds_them_and_proves_none(acme: Panel) -> None:
    number = writes(acme, WHATSAPP, SHARED_PHONE[1:], phone_number=SHARED_PHONE)
    html = opened(acme, number)
    assert attribute(html, "data-panel") == "choose"
    assert re.findall(r'data-for="(\d+ \w+)"', html) == ["42 unproven", "48 unproven"]
    discloses_nothing(acme, acme_again(acme, number))


def acme_again(panel: Panel, number: int) -> int:
    """Open Acme once more, after an agent refused the other company."""
    panel.say(seal_of(opened(panel, number)), "refuse", 48)
    return number


@pytest.mark.parametrize("phone", ["{}x5", "{} ext. 5", "{};ext=5", "tel:{}", "x{}"])
def test_a_number_with_an_extension_finds_its_owner_and_never_proves(
    acme: Panel, phone: str
) -> None:
    """Chatwoot takes such a number for another one than the owner's, so a visitor may have both."""
    number = writes(acme, WHATSAPP, ANAS_PHONE[1:], phone_number=phone.format(ANAS_PHONE))
    discloses_nothing(acme, number)


def test_who_writes_from_the_number_before_an_extension_is_not_the_person_behind_it(
    acme: Panel,
) -> None:
    number = writes(acme, WHATSAPP, SWITCHBOARD[1:], phone_number=SWITCHBOARD)
    assert told(discloses_nothing(acme, number)) == ("ready", "48", "matched", "unproven")


@pytest.mark.parametrize("source", ["5521977770000", "", None, 5561988884201])
def test_who_was_merged_into_the_owners_contact_is_not_the_owner(
    acme: Panel, source: object
) -> None:
    """A visitor can make Chatwoot merge contacts: two numbers then are one contact."""
    number = writes(acme, WHATSAPP, ANAS_PHONE[1:], phone_number=ANAS_PHONE)
    theirs = {"inbox": acme.chat.inboxes[WHATSAPP], "source_id": source}
    acme.chat.contacts[number]["contact_inboxes"].append(theirs)
    assert told(discloses_nothing(acme, number)) == ("ready", "42", "matched", "unproven")


def test_who_is_merged_a_moment_after_the_owner_was_shown_is_not_the_owner(acme: Panel) -> None:
    """The sources that Chatwoot named a moment ago prove nothing."""
    number = writes(acme, WHATSAPP, ANAS_PHONE[1:], phone_number=ANAS_PHONE)
    assert told(opened(acme, number)) == ("ready", "42", "matched", "proven")
    theirs = {"inbox": acme.chat.inboxes[WHATSAPP], "source_id": "5521977770000"}
    acme.chat.contacts[number]["contact_inboxes"].append(theirs)
    assert told(discloses_nothing(acme, number)) == ("ready", "42", "matched", "unproven")


def test_on_whatsapp_the_number_that_writes_counts_not_the_one_that_is_shown(
    acme: Panel,
) -> None:
    number = writes(acme, WHATSAPP, "5561900000000", phone_number=ANAS_PHONE)
    assert told(discloses_nothing(acme, number)) == ("ready", "42", "matched", "unproven")


@pytest.mark.parametrize(
    "typed",
    [
        "\u212aate@acme.example",
        "\uff4bate@acme.example",
        "kate\uff20acme.example",
        "k\u0131te@acme.example",
    ],
)
def test_the_look_alike_of_an_address_is_another_address(acme: Panel, typed: str) -> None:
    """`str.lower` turns the Kelvin sign into the owner's `k`; that address belongs to another
    person."""
    acme.services.directory.put_person(
        Person(42, "collaborator:kate", 888, "owner", "kate@acme.example")
    )
    acme.services.directory.put_person(
        Person(42, "collaborator:kite", 889, "owner", "kite@acme.example")
    )
    number = writes(acme, MAIL, typed, email=typed)
    assert attribute(opened(acme, number), "data-panel") == "unlinked"


def test_ascii_case_and_blanks_are_no_other_address(acme: Panel) -> None:
    number = writes(acme, MAIL, OWNER, email=" Ana@ACME.example ")
    assert told(opened(acme, number)) == ("ready", "42", "matched", "unproven")


def test_who_changed_the_email_of_their_contact_is_not_the_customer(acme: Panel) -> None:
    """The pass matched the owner's e-mail; the visitor then wrote their own over it."""
    number = writes(acme, MAIL, MALLORY, email=MALLORY)
    acme.services.links.match(number, 42, "email")
    assert told(opened(acme, number)) == ("ready", "42", "matched", "unproven")


@pytest.mark.parametrize("answer", [Failure(500), None])
def test_when_nobody_says_how_the_channel_calls_the_contact_nothing_is_proven(
    acme: Panel, answer: Failure | None
) -> None:
    number = writes(acme, WHATSAPP, ANAS_PHONE[1:], phone_number=ANAS_PHONE)
    if answer is None:
        acme.chat.contacts[number]["contact_inboxes"] = []

    def fail(call: Call) -> Failure | None:
        return answer if call.path.endswith(f"/contacts/{number}") else None

    acme.chat.failures = fail
    html = opened(acme, number)
    acme.chat.failures = lambda _: None
    assert told(html) == ("ready", "42", "matched", "unproven")


def test_a_pick_for_the_contact_does_not_follow_it_to_another_number(acme: Panel) -> None:
    number = writes(acme, WHATSAPP, ANAS_PHONE[1:], phone_number=ANAS_PHONE)
    seal = seal_of(opened(acme, number))
    acme.say(seal, "pick", 42, "contact")
    acme.chat.contacts[number]["phone_number"] = "+5521977770000"
    later = acme.chat.add_conversation(number, WHATSAPP, next(numbers))
    other = acme.open("healthy", conversation=later["id"], contact=number).text
    assert told(other) == ("ready", "42", "picked", "unproven")


def test_a_proven_key_wins_over_what_the_sender_claims(acme: Panel) -> None:
    number = writes(
        acme,
        WHATSAPP,
        ANAS_PHONE[1:],
        phone_number=ANAS_PHONE,
        custom_attributes={"middag_organization_id": "45"},
    )
    assert told(opened(acme, number)) == ("ready", "42", "matched", "proven")


@pytest.mark.parametrize(
    "poison",
    [{"toString": 1}, {"toString": {"valueOf": 1}}, [["42"]], None, True, 1e308, "4" * 2_000_000],
    ids=lambda poison: str(poison)[:20],
)
def test_an_attribute_of_any_shape_claims_nothing_and_stops_nobody(
    acme: Panel, poison: object
) -> None:
    attributes = {"middag_organization_id": poison}
    number = writes(acme, WHATSAPP, ANAS_PHONE[1:], phone_number=ANAS_PHONE, here=attributes)
    if not isinstance(poison, str):  # two copies of such a text are more than we read from Chatwoot
        acme.chat.contacts[number]["custom_attributes"] = attributes
    assert told(opened(acme, number)) == ("ready", "42", "matched", "proven")


def test_a_claim_beside_an_unproven_key_is_a_choice(acme: Panel) -> None:
    number = writes(acme, email=OWNER, custom_attributes={"middag_organization_id": "45"})
    html = opened(acme, number)
    assert attribute(html, "data-panel") == "choose"
    assert re.findall(r'data-choice="(\d+)"', html) == ["42", "45"]
    assert "found by e-mail ana@acme.example" in html
    assert "Role: owner" in html


def test_the_line_says_by_which_key_and_how_many_know_it(acme: Panel) -> None:
    learn(acme, 45)
    number = writes(acme, MAIL, email="daniela@prado.example")
    html = opened(acme, number)
    assert attribute(html, "data-panel") == "choose"
    assert html.count("found by e-mail daniela@prado.example, which 2 companies share") == 2
    assert "Role: guest" in html
    text = acme.say(seal_of(html), "refuse", 42).text
    assert told(text) == ("ready", "45", "matched", "unproven")


def test_an_organization_without_a_kept_copy_has_the_name_that_the_passes_learned(
    acme: Panel,
) -> None:
    learn(acme, 46)
    number = writes(acme, email="financeiro@horizonte.example")
    html = opened(acme, number)
    assert ">Horizonte Ensino Ltda</a></h1>" in html
    assert attribute(html, "data-state") == "loading"


def test_a_refused_organization_is_not_matched_by_its_email_again(acme: Panel) -> None:
    number = writes(acme, MAIL, OWNER, email=OWNER)
    answer = acme.say(seal_of(opened(acme, number)), "refuse", 42, "contact")
    assert attribute(answer.text, "data-panel") == "unlinked"
    acme.services.links.match(number, 42, "email")
    assert attribute(opened(acme, number), "data-panel") == "unlinked"
    undone = acme.say(seal_of(answer.text), "undo", 42)
    assert told(undone.text) == ("ready", "42", "matched", "unproven")
