"""Which organization a conversation belongs to, how we know, and whether it may be disclosed."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.customer.matching import MOST_CANDIDATES, identify
from panel.data.directory import Match
from panel.data.links import CONTACT, CONVERSATION, MATCHED, PICKED, REFUSED, Link
from panel.upstream.chatwoot import Contact, Conversation

WEB, MAIL, WHATSAPP = "Channel::WebWidget", "Channel::Email", "Channel::Whatsapp"


ANA, PHONE = "ana@acme.example", "+5561999990001"


def conversation(
    channel: str = WEB,
    signed: bool = False,
    here: Any = None,
    contact: Any = None,
    identifier: str | None = None,
    email: str | None = ANA,
) -> Conversation:
    def named(value: Any) -> dict[str, Any]:
        return {} if value is None else {"middag_organization_id": value}

    person = Contact(301, "Ana", email, PHONE, identifier, named(contact))
    return Conversation(101, 1, channel, signed, person, named(here))


def link(organization: int, state: str, scope: str = CONVERSATION, rests_on: str = "") -> Link:
    subject = 101 if scope == CONVERSATION else 301
    made = Link(scope, subject, organization, state, rests_on, agent=2, at=1.0)
    return replace(made, contact=301, email=ANA, phone=PHONE) if state != MATCHED else made


def knows(organization: int, key: str = "email", role: str = "owner") -> Match:
    return Match(organization, key, role)


def found(seen: Conversation, *known: Link | Match) -> list[tuple[int, str, str]]:
    links = [each for each in known if isinstance(each, Link)]
    matches = [each for each in known if isinstance(each, Match)]
    candidates = identify(seen, links, matches).candidates
    return [(each.organization, each.link, each.trust) for each in candidates]


def test_nothing_anywhere_is_nobody() -> None:
    assert found(conversation()) == []


@pytest.mark.parametrize(
    ("seen", "source"),
    [
        (conversation(here="42"), "conversation attribute"),
        (conversation(contact=42), "contact attribute"),
        (conversation(identifier="middag:organization:42"), "identifier"),
    ],
)
def test_what_a_visitor_can_write_is_a_claim(seen: Conversation, source: str) -> None:
    [candidate] = identify(seen, []).candidates
    assert (candidate.organization, candidate.link) == (42, "claimed")
    assert (candidate.trust, candidate.source) == ("unproven", source)


def test_the_conversation_is_looked_at_before_the_contact_and_its_identifier() -> None:
    every = conversation(here="1", contact="2", identifier="middag:organization:3")
    assert found(every) == [(1, "claimed", "unproven")]
    two = conversation(contact="2", identifier="middag:organization:3")
    assert found(two) == [(2, "claimed", "unproven")]


@pytest.mark.parametrize(
    "identifier",
    [
        "42", "middag:organization:", "middag:organization:042", "middag:organization:4 2",
        "x middag:organization:42", "middag:organization:42\n", "middag:user:42",
        "middag:organization:" + "9" * 19, "MIDDAG:ORGANIZATION:42",
    ],
)  # fmt: skip
def test_an_identifier_of_another_form_claims_nothing(identifier: str) -> None:
    assert found(conversation(identifier=identifier)) == []


def test_a_signed_claim_is_still_no_link() -> None:
    for channel in (WEB, MAIL, WHATSAPP):
        seen = conversation(channel, signed=True, here="42")
        assert found(seen) == [(42, "claimed", "unproven")]


def test_our_links_come_before_every_claim() -> None:
    seen = conversation(here="1", contact="2")
    assert found(seen, link(42, PICKED)) == [(42, "picked", "proven")]
    assert found(seen, link(42, MATCHED, CONTACT, "email")) == [(42, "matched", "unproven")]


def test_a_pick_here_comes_before_one_for_the_contact_and_before_a_match() -> None:
    here, contact = link(1, PICKED), link(2, PICKED, CONTACT)
    match = link(3, MATCHED, CONTACT, "email")
    assert [each[0] for each in found(conversation(), match, contact, here)] == [1]
    assert [each[0] for each in found(conversation(), match, contact)] == [2]
    assert [each[0] for each in found(conversation(), match)] == [3]


@pytest.mark.parametrize("scope", [CONVERSATION, CONTACT])
def test_what_was_refused_is_not_offered_again(scope: str) -> None:
    no = link(42, REFUSED, scope)
    assert found(conversation(here="42,43"), no) == [(43, "claimed", "unproven")]
    assert found(conversation(), no, link(42, MATCHED, CONTACT, "email")) == []
    assert [each.organization for each in identify(conversation(), [no]).refused] == [42]


def test_of_two_refusals_the_newest_is_shown() -> None:
    newest, older = replace(link(42, REFUSED), at=2.0), link(42, REFUSED, CONTACT)
    assert identify(conversation(), [newest, older]).refused == (newest,)


def test_a_pick_here_outweighs_a_no_for_the_contact() -> None:
    picked = found(conversation(), link(42, REFUSED, CONTACT), link(42, PICKED))
    assert picked == [(42, "picked", "proven")]


def test_a_refused_claim_gives_way_to_the_next_source() -> None:
    seen = conversation(here="42", contact="43")
    assert found(seen, link(42, REFUSED)) == [(43, "claimed", "unproven")]


# What a channel proves of a contact whose e-mail, phone and identifier all are what they seem.
TRUST = [
    (WHATSAPP, False, "phone", "proven"),
    ("Channel::Sms", False, "phone", "proven"),
    ("Channel::TwilioSms", False, "phone", "proven"),
    ("Channel::Telegram", False, "phone", "proven"),
    (WHATSAPP, False, "email", "unproven"),
    (WHATSAPP, False, "identifier", "unproven"),
    (MAIL, False, "email", "proven"),
    (MAIL, False, "phone", "unproven"),
    (MAIL, False, "identifier", "unproven"),
    (WEB, False, "email", "unproven"),
    (WEB, False, "phone", "unproven"),
    (WEB, False, "identifier", "unproven"),
    (WEB, True, "identifier", "proven"),
    (WEB, True, "phone", "unproven"),
    ("Channel::Api", False, "email", "unproven"),
    ("Channel::Unheard", False, "phone", "unproven"),
    ("", False, "email", "unproven"),
]


@pytest.mark.parametrize(("channel", "signed", "key", "trust"), TRUST)
def test_a_match_is_proven_by_the_key_that_the_channel_proves(
    channel: str, signed: bool, key: str, trust: str
) -> None:
    seen = conversation(channel, signed, identifier="shop-7")
    stored = link(42, MATCHED, CONTACT, key)
    assert found(seen, stored, knows(42, key)) == [(42, "matched", trust)]
    known = [(42, "matched", trust)] if signed or key != "identifier" else []
    assert found(seen, knows(42, key)) == known


def test_an_identifier_that_nobody_signed_is_a_claim_whoever_knows_it() -> None:
    seen = conversation(identifier="middag:organization:42")
    assert found(seen, knows(42, "identifier")) == [(42, "claimed", "unproven")]
    signed = conversation(signed=True, identifier="middag:organization:42")
    assert found(signed, knows(42, "identifier")) == [(42, "matched", "proven")]


@pytest.mark.parametrize(("channel", "signed", "key", "trust"), TRUST)
def test_a_stored_match_proves_nothing_once_the_contact_shows_another_key(
    channel: str, signed: bool, key: str, trust: str
) -> None:
    seen = conversation(channel, signed, identifier="shop-7")
    assert found(seen, link(42, MATCHED, CONTACT, key)) == [(42, "matched", "unproven")]


def test_an_email_is_signed_by_the_website_only_where_it_is_the_identifier() -> None:
    mere = conversation(WEB, signed=True, identifier="shop-7")
    assert found(mere, knows(42)) == [(42, "matched", "unproven")]
    same = conversation(WEB, signed=True, identifier="Ana@acme.example")
    assert found(same, knows(42)) == [(42, "matched", "proven")]


@pytest.mark.parametrize(
    ("channel", "source", "trust"),
    [
        (MAIL, "ana@acme.example", "proven"),
        (MAIL, "Ana@Acme.example", "proven"),
        (MAIL, "mallory@evil.example", "unproven"),
        (WHATSAPP, "5561999990001", "proven"),
        ("Channel::TwilioSms", "whatsapp:+5561999990001", "proven"),
        ("Channel::Sms", "+5561999990001", "proven"),
        (WHATSAPP, "556199990001", "proven"),  # a mobile as it was called before the ninth digit
        (WHATSAPP, "5561900000000", "unproven"),
        ("Channel::Telegram", "987654", "proven"),
        (WHATSAPP, "?", "unproven"),
    ],
)
def test_a_channel_proves_the_address_that_it_knows_not_the_one_that_the_contact_shows(
    channel: str, source: str, trust: str
) -> None:
    key = "email" if channel == MAIL else "phone"
    seen = conversation(channel)
    [candidate] = identify(seen, [], [knows(42, key)], [source]).candidates
    assert candidate.trust == trust
    both = identify(seen, [], [knows(42, key)], [source, "mallory@evil.example"]).candidates
    assert both[0].trust == ("proven" if channel == "Channel::Telegram" else "unproven")


@pytest.mark.parametrize(
    ("channel", "signed", "trust"),
    [
        (WEB, False, "unproven"),
        (WEB, True, "unproven"),
        (MAIL, False, "proven"),
        (WHATSAPP, False, "proven"),
        ("Channel::Api", False, "unproven"),
    ],
)
def test_a_pick_for_the_contact_holds_where_the_channel_proves_who_writes(
    channel: str, signed: bool, trust: str
) -> None:
    seen = conversation(channel, signed)
    assert found(seen, link(42, PICKED, CONTACT)) == [(42, "picked", trust)]


def test_a_pick_for_the_contact_rests_on_who_the_contact_was_then() -> None:
    taken_over = conversation(MAIL, email="mallory@evil.example")
    assert found(taken_over, link(42, PICKED, CONTACT)) == [(42, "picked", "unproven")]
    nobody = conversation(MAIL, email=None)
    assert found(nobody, link(42, PICKED, CONTACT)) == [(42, "picked", "unproven")]


def test_a_pick_here_was_about_the_contact_that_was_here() -> None:
    other = Link(CONVERSATION, 101, 42, PICKED, agent=2, at=1.0, contact=777)
    assert found(conversation(), other) == [(42, "picked", "unproven")]


# -- who knows the contact's e-mail and phone --------------------------------------------------


def test_one_organization_that_knows_the_email_is_matched_and_says_by_what() -> None:
    [candidate] = identify(conversation(), [], [knows(42, role="admin")]).candidates
    assert (candidate.link, candidate.source, candidate.value) == ("matched", "email", ANA)
    assert (candidate.role, candidate.fits) == ("admin", 1)


def test_several_that_know_it_are_all_offered() -> None:
    known = [knows(42), knows(45, role="guest"), knows(45, "phone"), knows(46, "phone")]
    candidates = identify(conversation(), [], known).candidates
    told = [(each.organization, each.source, each.role, each.fits) for each in candidates]
    assert told == [
        (42, "email", "owner", 2),
        (45, "email", "guest", 2),
        (46, "phone", "owner", 2),
    ]


def test_a_proven_key_comes_before_every_claim_and_every_unproven_key() -> None:
    seen = conversation(MAIL, here="1", contact="2", identifier="middag:organization:3")
    assert found(seen, knows(42)) == [(42, "matched", "proven")]
    assert found(seen, knows(42), knows(45, "phone")) == [(42, "matched", "proven")]
    assert found(seen, knows(42, "phone")) == [
        (42, "matched", "unproven"),
        (1, "claimed", "unproven"),
    ]


def test_a_claim_and_a_key_of_the_same_organization_are_one_match() -> None:
    assert found(conversation(here="42"), knows(42)) == [(42, "matched", "unproven")]


def test_a_claim_and_a_key_that_differ_are_both_offered() -> None:
    both = found(conversation(here="45"), knows(42))
    assert both == [(42, "matched", "unproven"), (45, "claimed", "unproven")]


def test_many_claims_do_not_crowd_out_who_is_known() -> None:
    many = ",".join(str(number) for number in range(100, 400))
    assert found(conversation(here=many), knows(42))[0] == (42, "matched", "unproven")


def test_what_was_refused_is_never_matched_again_by_any_key() -> None:
    for scope in (CONVERSATION, CONTACT):
        for channel in (WEB, MAIL):
            assert found(conversation(channel), link(42, REFUSED, scope), knows(42)) == []


def test_a_stored_match_and_a_present_key_are_both_what_fits() -> None:
    stored = link(42, MATCHED, CONTACT, "phone")
    assert [each[0] for each in found(conversation(here="9"), stored, knows(45))] == [42, 45]
    assert found(conversation(MAIL), stored, knows(45)) == [(45, "matched", "proven")]


def test_there_are_never_more_candidates_than_fit() -> None:
    many = ",".join(str(number) for number in range(1, 400))
    assert len(found(conversation(here=many))) == MOST_CANDIDATES


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
)


@given(here=values, contact=values, identifier=st.none() | st.text(max_size=40))
def test_nothing_that_a_visitor_writes_is_more_than_a_claim(
    here: Any, contact: Any, identifier: str | None
) -> None:
    for number, how, trust in found(conversation(WEB, False, here, contact, identifier)):
        assert number > 0
        assert (how, trust) == ("claimed", "unproven")
