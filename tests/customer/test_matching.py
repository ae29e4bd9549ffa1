"""Which organization a conversation belongs to, how we know, and whether it may be disclosed."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.customer.matching import (
    MOST_CANDIDATES,
    PHONE_CHANNELS,
    describe_customer,
    identify,
)
from panel.data.directory import Match
from panel.data.links import CONTACT, CONVERSATION, MATCHED, PICKED, REFUSED, Link
from panel.models.phones import normalize_phone
from panel.upstream.chatwoot import Contact, Conversation

WEB, MAIL, WHATSAPP = "Channel::WebWidget", "Channel::Email", "Channel::Whatsapp"


ANA, PHONE = "ana@acme.example", "+5561999990001"
DIGITS = PHONE.removeprefix("+")
LANDLINE = "+556133220042"


def conversation(
    channel: str = WEB,
    signed: bool = False,
    here: Any = None,
    contact: Any = None,
    identifier: str | None = None,
    email: str | None = ANA,
    phone: str | None = PHONE,
) -> Conversation:
    def named(value: Any) -> dict[str, Any]:
        return {} if value is None else {"middag_organization_id": value}

    person = Contact(301, "Ana", email, phone, identifier, named(contact))
    return Conversation(101, 1, channel, signed, person, named(here))


def link(organization: int, state: str, scope: str = CONVERSATION, rests_on: str = "") -> Link:
    subject = 101 if scope == CONVERSATION else 301
    made = Link(scope, subject, organization, state, rests_on, agent=2, at=1.0)
    return replace(made, contact=301, email=ANA, phone=PHONE) if state != MATCHED else made


def knows(organization: int, key: str = "email", role: str = "owner", people: int = 1) -> Match:
    return Match(organization, key, role, people)


def found(
    seen: Conversation, *known: Link | Match, sources: Collection[str] = (DIGITS,)
) -> list[tuple[int, str, str]]:
    """`sources`: how the channel calls the contact; of WhatsApp, the phone that is shown."""
    links = [each for each in known if isinstance(each, Link)]
    matches = [each for each in known if isinstance(each, Match)]
    candidates = identify(seen, links, matches, sources).candidates
    return [(each.organization, each.link, each.trust) for each in candidates]


def test_nothing_anywhere_is_nobody() -> None:
    assert found(conversation()) == []


@pytest.mark.parametrize(
    ("seen", "source"),
    [
        (conversation(here="42"), "conversation attribute"),
        (conversation(contact=42), "contact attribute"),
    ],
)
def test_what_a_visitor_can_write_is_a_claim(seen: Conversation, source: str) -> None:
    [candidate] = identify(seen, []).candidates
    assert (candidate.organization, candidate.link) == (42, "claimed")
    assert (candidate.trust, candidate.source) == ("unproven", source)


def test_the_conversation_is_looked_at_before_the_contact() -> None:
    assert found(conversation(here="1", contact="2")) == [(1, "claimed", "unproven")]


@pytest.mark.parametrize(
    "identifier",
    [
        "42", "middag:organization:42", "middag:user:42", "MIDDAG:ORGANIZATION:42", ANA, PHONE,
    ],
)  # fmt: skip
@pytest.mark.parametrize("signed", [False, True])
def test_an_identifier_is_never_evidence(identifier: str, signed: bool) -> None:
    """A visitor writes one, and a signed visitor can be merged into another's contact."""
    seen = conversation(WEB, signed, identifier=identifier)
    assert found(seen) == []
    assert found(seen, link(42, MATCHED, CONTACT, "identifier")) == []
    assert found(seen, knows(42)) == [(42, "matched", "unproven")]


def test_a_signed_claim_is_still_no_link() -> None:
    for channel in (WEB, MAIL, WHATSAPP):
        seen = conversation(channel, signed=True, here="42")
        assert found(seen) == [(42, "claimed", "unproven")]


def test_our_links_come_before_every_claim() -> None:
    seen = conversation(here="1", contact="2")
    assert found(seen, link(42, PICKED)) == [(42, "picked", "unproven")]
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
    assert picked == [(42, "picked", "unproven")]


def test_a_refused_claim_gives_way_to_the_next_source() -> None:
    seen = conversation(here="42", contact="43")
    assert found(seen, link(42, REFUSED)) == [(43, "claimed", "unproven")]


# What a channel proves of a contact whose e-mail, phone and identifier all are what they seem.
TRUST = [
    (WHATSAPP, False, "phone", "proven"),
    ("Channel::Sms", False, "phone", "proven"),
    ("Channel::TwilioSms", False, "phone", "proven"),
    ("Channel::Telegram", False, "phone", "unproven"),
    (WHATSAPP, False, "email", "unproven"),
    (WHATSAPP, True, "email", "unproven"),
    (MAIL, False, "email", "unproven"),
    (MAIL, False, "phone", "unproven"),
    (MAIL, True, "email", "unproven"),
    (WEB, False, "email", "unproven"),
    (WEB, False, "phone", "unproven"),
    (WEB, True, "email", "unproven"),
    (WEB, True, "phone", "unproven"),
    ("Channel::Api", False, "email", "unproven"),
    ("Channel::Api", True, "phone", "unproven"),
    ("Channel::Unheard", False, "phone", "unproven"),
    ("channel::whatsapp", False, "phone", "unproven"),
    ("", False, "email", "unproven"),
]


@pytest.mark.parametrize(("channel", "signed", "key", "trust"), TRUST)
def test_nothing_but_the_phone_of_a_phone_channel_is_proven(
    channel: str, signed: bool, key: str, trust: str
) -> None:
    seen = conversation(channel, signed, identifier=ANA)
    sources = [ANA] if channel == MAIL else [DIGITS]
    stored = link(42, MATCHED, CONTACT, key)
    for known in ((stored, knows(42, key)), (knows(42, key),)):
        assert found(seen, *known, sources=sources) == [(42, "matched", trust)]


@pytest.mark.parametrize(("channel", "signed", "key", "trust"), TRUST)
def test_a_stored_match_proves_nothing_once_the_contact_shows_another_key(
    channel: str, signed: bool, key: str, trust: str
) -> None:
    seen = conversation(channel, signed, identifier="shop-7")
    assert found(seen, link(42, MATCHED, CONTACT, key)) == [(42, "matched", "unproven")]


@pytest.mark.parametrize(
    ("sources", "trust"),
    [
        (["5561999990001"], "proven"),
        (["+5561999990001"], "proven"),
        (["whatsapp:+5561999990001"], "proven"),
        (["556199990001"], "proven"),  # a mobile as it was called before the ninth digit
        (["5561999990001", "+5561999990001"], "proven"),
        ([], "unproven"),  # nobody said how the channel calls the contact
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
    seen = conversation(channel)
    assert found(seen, knows(42, "phone"), sources=sources) == [(42, "matched", trust)]


@pytest.mark.parametrize(
    ("phone", "trust"),
    [
        ("+5561999990001", "proven"),
        ("+556199990001", "proven"),  # without its ninth digit
        ("+12125551234", "proven"),  # in North America, what may be a mobile
        ("+4915112345678", "proven"),
        (LANDLINE, "unproven"),  # a switchboard writes for everybody there
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
    seen, known = conversation(WHATSAPP, phone=phone), knows(42, "phone")
    number = (normalize_phone(phone) or phone).removeprefix("+")
    assert found(seen, known, sources=[number]) == [(42, "matched", trust)]
    if trust == "unproven":
        assert found(seen, known, sources=[phone]) == [(42, "matched", trust)]


@pytest.mark.parametrize(
    ("shown", "source", "trust"),
    [
        ("+556188887777", "5561988887777", "proven"),
        ("+5215512345678", "5215512345678", "proven"),
        ("+525512345678", "5215512345678", "proven"),
        ("+5491123456789", "5491123456789", "proven"),
        # In Argentina the spelling without the 9 is a landline's: whose it is proves nobody.
        ("+541123456789", "5491123456789", "unproven"),
        ("+5491123456789", "541123456789", "unproven"),
        ("+5561933220042", "556133220042", "unproven"),  # a mobile, and another one's landline
    ],
)
def test_another_spelling_is_the_same_phone_and_a_landline_never_a_mobile(
    shown: str, source: str, trust: str
) -> None:
    seen = conversation(WHATSAPP, phone=shown)
    assert found(seen, knows(42, "phone"), sources=[source]) == [(42, "matched", trust)]


@pytest.mark.parametrize("people", [0, 2, 3])
def test_a_phone_of_several_people_is_never_proven(people: int) -> None:
    seen = conversation(WHATSAPP)
    known = (knows(42, "phone", people=people), knows(45, "phone", people=people))
    assert found(seen, *known) == [(42, "matched", "unproven"), (45, "matched", "unproven")]


# -- a pick says which company, not who is writing ---------------------------------------------


@pytest.mark.parametrize("scope", [CONVERSATION, CONTACT])
@pytest.mark.parametrize(("channel", "signed", "key", "trust"), TRUST)
def test_a_pick_is_proven_by_the_same_evidence_as_a_match(
    scope: str, channel: str, signed: bool, key: str, trust: str
) -> None:
    seen, picked = conversation(channel, signed), link(42, PICKED, scope)
    assert found(seen, picked, knows(42, key)) == [(42, "picked", trust)]
    assert found(seen, picked) == [(42, "picked", "unproven")]
    assert found(seen, picked, knows(45, key)) == [(42, "picked", "unproven")]


def test_every_organization_that_is_proven_is_known_whatever_is_shown() -> None:
    seen, known = conversation(WHATSAPP), (knows(42, "phone"), knows(45, "phone"), knows(46))
    assert identify(seen, [link(46, PICKED)], known, [DIGITS]).proven == {42, 45}
    assert identify(seen, [], known, []).proven == set()
    assert identify(conversation(MAIL), [], known, [ANA]).proven == set()


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
    seen = conversation(WHATSAPP, here="1", contact="2", identifier="middag:organization:3")
    assert found(seen, knows(42, "phone")) == [(42, "matched", "proven")]
    assert found(seen, knows(42, "phone"), knows(45)) == [(42, "matched", "proven")]
    assert found(seen, knows(42)) == [
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
        for channel, key in ((WEB, "email"), (MAIL, "email"), (WHATSAPP, "phone")):
            assert found(conversation(channel), link(42, REFUSED, scope), knows(42, key)) == []


def test_a_stored_match_and_a_present_key_are_both_what_fits() -> None:
    stored = link(42, MATCHED, CONTACT, "phone")
    assert [each[0] for each in found(conversation(here="9"), stored, knows(45))] == [42, 45]
    proven = found(conversation(WHATSAPP), stored, knows(45, "phone"))
    assert proven == [(45, "matched", "proven")]


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
    seen = conversation(WEB, False, here, contact, identifier)
    for number, how, trust in found(seen):
        assert number > 0
        assert (how, trust) == ("claimed", "unproven")
    assert describe_customer(seen).count("\t") >= 6


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("42", "42"), (42, "42"), (42.5, "42.5"), (None, ""), (True, ""), ([42], ""),
        ({"toString": 1}, ""), ({"middag_organization_id": "42"}, ""),
    ],
)  # fmt: skip
def test_of_what_a_visitor_wrote_only_texts_and_numbers_are_read(written: Any, read: str) -> None:
    said = describe_customer(conversation(contact=written, here=written))
    assert said == f"301\t{ANA}\t{PHONE}\t\t{read}\t{read}\t"
