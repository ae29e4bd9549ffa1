"""Matching a conversation to its organization: the evidence, and the trust."""

from dataclasses import replace

import pytest

from panel.customer.matching import PHONE_CHANNELS, identify
from panel.data.links import CONTACT, CONVERSATION, MATCHED, PICKED, REFUSED
from panel.models.phones import normalize_phone
from panel.upstream.chatwoot import Conversation
from tests.customer.conversations import (
    ANA,
    DIGITS,
    MAIL,
    PHONE,
    TRUST,
    WEB,
    WHATSAPP,
    conversation,
    found,
    knows,
    link,
)

LANDLINE = "+556133220042"


def test_nothing_anywhere_is_nobody() -> None:
    assert found(conversation()) == []


@pytest.mark.parametrize(
    ("talk", "source"),
    [
        (conversation(claim="42"), "conversation attribute"),
        (conversation(contact=42), "contact attribute"),
    ],
)
def test_what_a_visitor_can_write_is_a_claim(talk: Conversation, source: str) -> None:
    [candidate] = identify(talk, []).candidates
    assert (candidate.organization, candidate.link) == (42, "claimed")
    assert (candidate.trust, candidate.source) == ("unproven", source)


def test_the_conversation_is_looked_at_before_the_contact() -> None:
    assert found(conversation(claim="1", contact="2")) == [(1, "claimed", "unproven")]


@pytest.mark.parametrize(
    "identifier",
    [
        "42", "middag:organization:42", "middag:user:42", "MIDDAG:ORGANIZATION:42", ANA, PHONE,
    ],
)  # fmt: skip
@pytest.mark.parametrize("signed", [False, True])
def test_an_identifier_is_never_evidence(identifier: str, signed: bool) -> None:
    """A visitor can write an identifier, and a signed visitor can be merged into another's
    contact."""
    talk = conversation(WEB, signed, identifier=identifier)
    assert found(talk) == []
    assert found(talk, link(42, MATCHED, CONTACT, "identifier")) == []
    assert found(talk, knows(42)) == [(42, "matched", "unproven")]


def test_a_signed_claim_is_still_no_link() -> None:
    for channel in (WEB, MAIL, WHATSAPP):
        talk = conversation(channel, signed=True, claim="42")
        assert found(talk) == [(42, "claimed", "unproven")]


def test_our_links_come_before_every_claim() -> None:
    talk = conversation(claim="1", contact="2")
    assert found(talk, link(42, PICKED)) == [(42, "picked", "unproven")]
    assert found(talk, link(42, MATCHED, CONTACT, "email")) == [(42, "matched", "unproven")]


def test_a_pick_here_comes_before_one_for_the_contact_and_before_a_match() -> None:
    own_link, contact = link(1, PICKED), link(2, PICKED, CONTACT)
    match = link(3, MATCHED, CONTACT, "email")
    assert [row[0] for row in found(conversation(), match, contact, own_link)] == [1]
    assert [row[0] for row in found(conversation(), match, contact)] == [2]
    assert [row[0] for row in found(conversation(), match)] == [3]


@pytest.mark.parametrize("scope", [CONVERSATION, CONTACT])
def test_what_was_refused_is_not_offered_again(scope: str) -> None:
    no = link(42, REFUSED, scope)
    assert found(conversation(claim="42,43"), no) == [(43, "claimed", "unproven")]
    assert found(conversation(), no, link(42, MATCHED, CONTACT, "email")) == []
    assert [row.organization for row in identify(conversation(), [no]).refused] == [42]


def test_of_two_refusals_the_newest_is_shown() -> None:
    newest, older = replace(link(42, REFUSED), at=2.0), link(42, REFUSED, CONTACT)
    assert identify(conversation(), [newest, older]).refused == (newest,)


def test_a_pick_here_outweighs_a_no_for_the_contact() -> None:
    candidates = found(conversation(), link(42, REFUSED, CONTACT), link(42, PICKED))
    assert candidates == [(42, "picked", "unproven")]


def test_a_refused_claim_gives_way_to_the_next_source() -> None:
    talk = conversation(claim="42", contact="43")
    assert found(talk, link(42, REFUSED)) == [(43, "claimed", "unproven")]


@pytest.mark.parametrize(("channel", "signed", "key", "trust"), TRUST)
def test_nothing_but_the_phone_of_a_phone_channel_is_proven(
    channel: str, signed: bool, key: str, trust: str
) -> None:
    talk = conversation(channel, signed, identifier=ANA)
    sources = [ANA] if channel == MAIL else [DIGITS]
    stored = link(42, MATCHED, CONTACT, key)
    for evidence in ((stored, knows(42, key)), (knows(42, key),)):
        assert found(talk, *evidence, sources=sources) == [(42, "matched", trust)]


@pytest.mark.parametrize(("channel", "signed", "key", "trust"), TRUST)
def test_a_stored_match_proves_nothing_once_the_contact_shows_another_key(
    channel: str, signed: bool, key: str, trust: str
) -> None:
    talk = conversation(channel, signed, identifier="shop-7")
    assert found(talk, link(42, MATCHED, CONTACT, key)) == [(42, "matched", "unproven")]


@pytest.mark.parametrize(
    ("sources", "trust"),
    [
        (["5561999990001"], "proven"),
        (["+5561999990001"], "proven"),
        (["whatsapp:+5561999990001"], "proven"),
        (["556199990001"], "proven"),  # a mobile as it was written before the ninth digit
        (["5561999990001", "+5561999990001"], "proven"),
        ([], "unproven"),  # the contact's address in the channel is unknown
        ([""], "unproven"),
        (["5561999990001", ""], "unproven"),
        (["5561900000000"], "unproven"),
        (["5561999990001", "5561988880002"], "unproven"),  # two contacts that were merged
        (["5561999990001", ANA], "unproven"),
        (["987654"], "unproven"),
        (["?"], "unproven"),
        (["5561999990001 ramal 5"], "unproven"),
        (["x5561999990001"], "unproven"),
        (["tel:+5561999990001"], "unproven"),
        (["WHATSAPP:+5561999990001"], "unproven"),
        (["５５６１９９９９９０００１"], "unproven"),
        (["5561999990001\n"], "unproven"),
    ],
)
@pytest.mark.parametrize("channel", sorted(PHONE_CHANNELS))
def test_a_phone_is_proven_where_every_source_is_that_number(
    channel: str, sources: list[str], trust: str
) -> None:
    talk = conversation(channel)
    assert found(talk, knows(42, "phone"), sources=sources) == [(42, "matched", trust)]


@pytest.mark.parametrize(
    ("phone", "trust"),
    [
        ("+5561999990001", "proven"),
        ("+556199990001", "proven"),  # without its ninth digit
        ("+12125551234", "proven"),  # in North America, a number that may be a mobile
        ("+4915112345678", "proven"),
        (LANDLINE, "unproven"),  # a switchboard writes for the whole company
        ("+558008918000", "unproven"),
        ("+493012345678", "unproven"),
        ("+5561999990001x5", "unproven"),
        ("+5561999990001 ext 5", "unproven"),
        ("+5561999990001;ext=5", "unproven"),
        ("+5561999990001 ramal 5", "unproven"),
        ("tel:+5561999990001", "unproven"),
        ("tel:+5561999990001;ext=5", "unproven"),
        ("x+5561999990001", "unproven"),
        ("+5561999990001\n", "unproven"),
        ("5561999990001", "unproven"),
        ("+5500999990001", "unproven"),  # no valid number
        ("", "unproven"),
    ],
)
def test_a_number_that_may_stand_for_several_people_is_never_proven(phone: str, trust: str) -> None:
    talk, evidence = conversation(WHATSAPP, phone=phone), knows(42, "phone")
    number = (normalize_phone(phone) or phone).removeprefix("+")
    assert found(talk, evidence, sources=[number]) == [(42, "matched", trust)]
    if trust == "unproven":
        assert found(talk, evidence, sources=[phone]) == [(42, "matched", trust)]


@pytest.mark.parametrize(
    ("shown_phone", "source", "trust"),
    [
        ("+556188887777", "5561988887777", "proven"),
        ("+5215512345678", "5215512345678", "proven"),
        ("+525512345678", "5215512345678", "proven"),
        ("+5491123456789", "5491123456789", "proven"),
        # In Argentina the spelling without the 9 is a landline's, which proves nobody.
        ("+541123456789", "5491123456789", "unproven"),
        ("+5491123456789", "541123456789", "unproven"),
        ("+5561933220042", "556133220042", "unproven"),  # a mobile, and another one's landline
    ],
)
def test_another_spelling_is_the_same_phone_and_a_landline_never_a_mobile(
    shown_phone: str, source: str, trust: str
) -> None:
    talk = conversation(WHATSAPP, phone=shown_phone)
    assert found(talk, knows(42, "phone"), sources=[source]) == [(42, "matched", trust)]


@pytest.mark.parametrize("people", [0, 2, 3])
def test_a_phone_of_several_people_is_never_proven(people: int) -> None:
    talk = conversation(WHATSAPP)
    evidence = (knows(42, "phone", people=people), knows(45, "phone", people=people))
    assert found(talk, *evidence) == [(42, "matched", "unproven"), (45, "matched", "unproven")]
