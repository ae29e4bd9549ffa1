"""Which organization a conversation belongs to, how we know, and whether it may be disclosed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.chatwoot import Contact, Conversation
from panel.identity import MOST_CANDIDATES, identify
from panel.links import CONTACT, CONVERSATION, MATCHED, PICKED, REFUSED, Link

WEB, MAIL, WHATSAPP = "Channel::WebWidget", "Channel::Email", "Channel::Whatsapp"


def conversation(
    channel: str = WEB,
    signed: bool = False,
    here: Any = None,
    contact: Any = None,
    identifier: str | None = None,
) -> Conversation:
    def named(value: Any) -> dict[str, Any]:
        return {} if value is None else {"middag_organization_id": value}

    person = Contact(301, "Ana", "ana@acme.example", "+5561", identifier, named(contact))
    return Conversation(101, 1, channel, signed, person, named(here))


def link(organization: int, state: str, scope: str = CONVERSATION, rests_on: str = "") -> Link:
    subject = 101 if scope == CONVERSATION else 301
    return Link(scope, subject, organization, state, rests_on, agent=2, at=1.0)


def found(seen: Conversation, *links: Link) -> list[tuple[int, str, str]]:
    candidates = identify(seen, list(links)).candidates
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


def test_a_pick_here_outweighs_a_no_for_the_contact() -> None:
    picked = found(conversation(), link(42, REFUSED, CONTACT), link(42, PICKED))
    assert picked == [(42, "picked", "proven")]


def test_a_refused_claim_gives_way_to_the_next_source() -> None:
    seen = conversation(here="42", contact="43")
    assert found(seen, link(42, REFUSED)) == [(43, "claimed", "unproven")]


@pytest.mark.parametrize(
    ("channel", "signed", "rests_on", "trust"),
    [
        (WHATSAPP, False, "phone", "proven"),
        ("Channel::Sms", False, "phone", "proven"),
        ("Channel::TwilioSms", False, "phone", "proven"),
        ("Channel::Telegram", False, "phone", "proven"),
        (WHATSAPP, False, "email", "unproven"),
        (WHATSAPP, False, "identifier", "unproven"),
        (MAIL, False, "email", "proven"),
        (MAIL, False, "phone", "unproven"),
        (WEB, False, "email", "unproven"),
        (WEB, False, "phone", "unproven"),
        (WEB, True, "email", "proven"),
        (WEB, True, "identifier", "proven"),
        (WEB, True, "phone", "unproven"),
        ("Channel::Api", False, "email", "unproven"),
        ("Channel::Unheard", False, "phone", "unproven"),
        ("", False, "", "unproven"),
    ],
)
def test_a_match_is_proven_by_the_key_that_the_channel_proves(
    channel: str, signed: bool, rests_on: str, trust: str
) -> None:
    seen = conversation(channel, signed)
    assert found(seen, link(42, MATCHED, CONTACT, rests_on)) == [(42, "matched", trust)]


@pytest.mark.parametrize(
    ("channel", "signed", "trust"),
    [
        (WEB, False, "unproven"),
        (WEB, True, "proven"),
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
