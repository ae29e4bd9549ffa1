"""Matching by the keys of a contact: the organizations that know them, and the effect of a pick."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.customer.matching import MOST_CANDIDATES, describe_customer, identify
from panel.data.links import CONTACT, CONVERSATION, MATCHED, PICKED, REFUSED
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

# -- a pick names the company, not the writer -------------------------------------------------


@pytest.mark.parametrize("scope", [CONVERSATION, CONTACT])
@pytest.mark.parametrize(("channel", "signed", "key", "trust"), TRUST)
def test_a_pick_is_proven_by_the_same_evidence_as_a_match(
    scope: str, channel: str, signed: bool, key: str, trust: str
) -> None:
    talk, pick = conversation(channel, signed), link(42, PICKED, scope)
    assert found(talk, pick, knows(42, key)) == [(42, "picked", trust)]
    assert found(talk, pick) == [(42, "picked", "unproven")]
    assert found(talk, pick, knows(45, key)) == [(42, "picked", "unproven")]


def test_every_organization_that_is_proven_is_known_whatever_is_shown() -> None:
    talk, evidence = conversation(WHATSAPP), (knows(42, "phone"), knows(45, "phone"), knows(46))
    assert identify(talk, [link(46, PICKED)], evidence, [DIGITS]).proven == {42, 45}
    assert identify(talk, [], evidence, []).proven == set()
    assert identify(conversation(MAIL), [], evidence, [ANA]).proven == set()


# -- organizations that know the contact's e-mail and phone
# ------------------------------------------------------


def test_one_organization_that_knows_the_email_is_matched_and_says_by_what() -> None:
    [candidate] = identify(conversation(), [], [knows(42, role="admin")]).candidates
    assert (candidate.link, candidate.source, candidate.value) == ("matched", "email", ANA)
    assert (candidate.role, candidate.fits) == ("admin", 1)


def test_several_that_know_it_are_all_offered() -> None:
    evidence = [knows(42), knows(45, role="guest"), knows(45, "phone"), knows(46, "phone")]
    candidates = identify(conversation(), [], evidence).candidates
    rows = [
        (candidate.organization, candidate.source, candidate.role, candidate.fits)
        for candidate in candidates
    ]
    assert rows == [
        (42, "email", "owner", 2),
        (45, "email", "guest", 2),
        (46, "phone", "owner", 2),
    ]


def test_a_proven_key_comes_before_every_claim_and_every_unproven_key() -> None:
    talk = conversation(WHATSAPP, claim="1", contact="2", identifier="middag:organization:3")
    assert found(talk, knows(42, "phone")) == [(42, "matched", "proven")]
    assert found(talk, knows(42, "phone"), knows(45)) == [(42, "matched", "proven")]
    assert found(talk, knows(42)) == [
        (42, "matched", "unproven"),
        (1, "claimed", "unproven"),
    ]


def test_a_proven_match_says_that_the_phone_proves_it() -> None:
    stored = link(42, MATCHED, CONTACT, "email")
    evidence = [knows(42), knows(42, "phone")]
    [candidate] = identify(conversation(WHATSAPP), [stored], evidence, [DIGITS]).candidates
    assert (candidate.trust, candidate.source, candidate.value) == ("proven", "phone", PHONE)


def test_a_claim_and_a_key_of_the_same_organization_are_one_match() -> None:
    assert found(conversation(claim="42"), knows(42)) == [(42, "matched", "unproven")]


def test_a_claim_and_a_key_that_differ_are_both_offered() -> None:
    both = found(conversation(claim="45"), knows(42))
    assert both == [(42, "matched", "unproven"), (45, "claimed", "unproven")]


def test_many_claims_do_not_crowd_out_who_is_known() -> None:
    many = ",".join(str(number) for number in range(100, 400))
    assert found(conversation(claim=many), knows(42))[0] == (42, "matched", "unproven")


def test_what_was_refused_is_never_matched_again_by_any_key() -> None:
    for scope in (CONVERSATION, CONTACT):
        for channel, key in ((WEB, "email"), (MAIL, "email"), (WHATSAPP, "phone")):
            assert found(conversation(channel), link(42, REFUSED, scope), knows(42, key)) == []


def test_a_stored_match_and_a_present_key_are_both_what_fits() -> None:
    stored = link(42, MATCHED, CONTACT, "phone")
    assert [row[0] for row in found(conversation(claim="9"), stored, knows(45))] == [42, 45]
    candidates = found(conversation(WHATSAPP), stored, knows(45, "phone"))
    assert candidates == [(45, "matched", "proven")]


def test_there_are_never_more_candidates_than_fit() -> None:
    many = ",".join(str(number) for number in range(1, 400))
    assert len(found(conversation(claim=many))) == MOST_CANDIDATES


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
)


@given(claim=values, contact=values, identifier=st.none() | st.text(max_size=40))
def test_nothing_that_a_visitor_writes_is_more_than_a_claim(
    claim: Any, contact: Any, identifier: str | None
) -> None:
    talk = conversation(WEB, False, claim, contact, identifier)
    for number, how, trust in found(talk):
        assert number > 0
        assert (how, trust) == ("claimed", "unproven")
    assert describe_customer(talk).count("\t") >= 6


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("42", "42"), (42, "42"), (42.5, "42.5"), (None, ""), (True, ""), ([42], ""),
        ({"toString": 1}, ""), ({"middag_organization_id": "42"}, ""),
    ],
)  # fmt: skip
def test_of_what_a_visitor_wrote_only_texts_and_numbers_are_read(value: Any, text: str) -> None:
    customer = describe_customer(conversation(contact=value, claim=value))
    assert customer == f"301\t{ANA}\t{PHONE}\t\t{text}\t{text}\t"
