"""Verifying who is writing: proofs, hints, and the effects of both."""

import time
from dataclasses import replace
from typing import Any

import pytest

from panel.auth.tokens import ACCESS_TOKEN, make_signer
from panel.data.directory import Person
from panel.data.verification_tries import MOST_TRIES
from tests.conftest import MakePanel, Panel, attribute, seal_of, words_of
from tests.customer.strangers import OWNER, WHATSAPP, opened, secrets, told, writes
from tests.customer.verifying import (
    CLAIM,
    WRONG,
    acme,
    another_conversation,
    facts,
    key_of,
    logged,
    make,
    notes,
    say,
    seal_for,
    shown,
    verified,
    visits,
)

__all__ = ["acme", "make"]  # fixtures


# -- proofs -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "write",
    [
        lambda key: key[-9:],
        lambda key: key,
        lambda key: key.lower().replace("-", ""),
        lambda key: f" {key.replace('-', ' – ')} ",
        lambda key: f"Minha chave: {key}",
        lambda key: f"é a {key.lower()}, obrigada",
        lambda key: key.replace("-", "")[-8:].lower(),
    ],
)
def test_a_license_key_of_theirs_opens_what_a_proven_phone_opens(acme: Panel, write: Any) -> None:
    number = visits(acme)
    seal = seal_for(acme, number)
    assert shown(acme, seal) == []
    answer = say(acme, seal, answer=write(key_of(acme)))
    assert told(answer.text) == ("ready", "42", "claimed", "proven")
    assert "verified by license key, Bruno Lima (agent not proven), " in words_of(answer.text)
    assert shown(acme, seal_of(answer.text)) == secrets(acme)[2:4]
    assert shown(acme, seal_for(acme, number)) == secrets(acme)[2:4]
    assert notes(acme, number, "tried", "verified") == ["key right", "key: agent not proven"]


@pytest.mark.parametrize(
    "write",
    [
        lambda key: key.replace("-", "")[-7:],
        lambda key: key[:-1],
        lambda key: key[:9],
        lambda key: key[-9:] + "X",
        lambda key: "",
        lambda key: "-" * 40,
        lambda key: key * 20,
    ],
)
def test_a_part_of_a_key_proves_nothing(acme: Panel, write: Any) -> None:
    number = visits(acme)
    seal = seal_for(acme, number)
    answer = say(acme, seal, answer=write(key_of(acme)))
    assert answer.status_code == 422
    assert answer.headers["HX-Retarget"] == "#verify-42"
    assert attribute(opened(acme, number), "data-trust") == "unproven"
    assert shown(acme, seal) == []


def test_the_key_of_another_company_proves_nothing(acme: Panel) -> None:
    number = visits(acme)
    answer = say(acme, seal_for(acme, number), answer=key_of(acme, 45))
    assert (answer.status_code, attribute(answer.text, "data-code")) == (422, "wrong")
    assert notes(acme, number, "tried") == ["key wrong"]


def test_several_guesses_in_one_answer_are_none(acme: Panel) -> None:
    number = visits(acme)
    order = acme.office.rows("orders", 42)[0]["id"]
    for several in (f"{order} {order + 1}", f"{WRONG} {key_of(acme)[-9:]} {WRONG}{WRONG}"):
        assert say(acme, seal_for(acme, number), answer=several).status_code == 422


HINTS = {
    "order": ("Pedido #{order}", "knows order {order}"),
    "quote": ("{quote}", "knows quote {quote}"),
    "tax_id": ("CNPJ {cnpj}", "knows the tax ID"),
    "email": (" ANA@acme.example ", "knows an e-mail address"),
}


@pytest.mark.parametrize("kind", HINTS)
def test_what_others_may_know_too_is_a_hint_and_opens_nothing(acme: Panel, kind: str) -> None:
    number, values = visits(acme), facts(acme)
    text, words = (template.format(**values) for template in HINTS[kind])
    answer = say(acme, seal_for(acme, number), answer=text)
    assert (answer.status_code, attribute(answer.text, "data-trust")) == (200, "unproven")
    assert words in words_of(answer.text)
    assert "only a hint, so nothing was opened" in answer.text
    assert words in words_of(opened(acme, number))
    assert shown(acme, seal_of(answer.text)) == []
    assert f"{kind} (a hint)" in notes(acme, number, "tried")[0]
    assert logged(acme, number, "verified") == []


@pytest.mark.parametrize("kind", HINTS)
def test_it_proves_where_the_administrator_says_so(make: MakePanel, acme: Panel, kind: str) -> None:
    panel, number = make(PANEL_VERIFY_BY=kind), visits(acme)
    answer_text = HINTS[kind][0].format(**facts(acme))
    answer = say(panel, seal_for(panel, number), answer=answer_text)
    assert attribute(answer.text, "data-trust") == "proven"
    hint = say(panel, seal_for(panel, number), answer=key_of(acme))
    assert "knows a license key" in words_of(hint.text)


def test_an_email_proves_nobody_whom_their_email_was_found_by(make: MakePanel, acme: Panel) -> None:
    """The visitor has typed an address of that company; another address that they know is worth no
    more."""
    panel = make(PANEL_VERIFY_BY="email")
    for picks in (False, True):
        number = writes(acme, email=OWNER)
        seal = seal_for(panel, number)
        seal = seal_of(panel.say(seal, "pick", 42).text) if picks else seal
        for address in (OWNER, "financeiro@acme.example"):
            answer = say(panel, seal, answer=address)
            assert attribute(answer.text, "data-trust") == "unproven"
        assert shown(panel, seal) == []


def test_a_call_to_the_registered_phone_proves_and_is_no_try(acme: Panel) -> None:
    number = visits(acme)
    seal = seal_for(acme, number)
    dialog = acme.ask("GET", "/verify", seal)
    assert acme.office.organizations[42]["phone"] in dialog.text
    assert len(logged(acme, number, "phone_shown")) == 1
    answer = say(acme, seal, called=1)
    assert "verified by a call, Bruno Lima" in words_of(answer.text)
    assert shown(acme, seal_of(answer.text)) == secrets(acme)[2:4]
    assert notes(acme, number, "tried", "verified") == ["call: agent not proven"]


def test_a_call_counts_only_where_it_is_named_and_a_phone_is_known(
    make: MakePanel, acme: Panel
) -> None:
    panel, number = make(PANEL_VERIFY_BY="key"), visits(acme)
    seal = seal_for(panel, number)
    assert acme.office.organizations[42]["phone"] not in panel.ask("GET", "/verify", seal).text
    answer = say(panel, seal, called=1)
    assert (answer.status_code, attribute(answer.text, "data-code")) == (422, "no_call")
    assert logged(acme, number, "phone_shown", "verified") == []
    acme.office.organizations[48]["phone"] = None
    claim = {"middag_organization_id": "48"}
    phoneless = writes(acme, here=claim)
    assert say(acme, seal_for(acme, phoneless), called=1).status_code == 422


def test_who_is_known_is_shown_and_called_what_they_are(acme: Panel) -> None:
    number = visits(acme)
    seal = seal_for(acme, number)
    for reason in ("", "ab", "x" * 151, "a\x00bc"):
        answer = say(acme, seal, known=1, reason=reason)
        assert (answer.status_code, attribute(answer.text, "data-code")) == (422, "no_reason")
    answer = say(acme, seal, known=1, reason="She is my contact there since 2019")
    words = words_of(answer.text)
    assert "not verified, but known, Bruno Lima" in words
    assert "The reason that was given: She is my contact there since 2019" in words
    assert "verified by" not in words
    assert shown(acme, seal_of(answer.text)) == secrets(acme)[2:4]
    [note] = notes(acme, number, "verified")
    assert note == "known: agent not proven: She is my contact there since 2019"


def test_another_conversation_of_the_contact_is_verified_anew(acme: Panel) -> None:
    """A visitor who was merged into the contact, or forged its address, writes another
    conversation."""
    number = visits(acme)
    verified(acme, number)
    other = another_conversation(acme, number)
    html = acme.open("healthy", conversation=other, contact=number).text
    assert told(html) == ("ready", "42", "claimed", "unproven")


def test_the_log_and_the_head_name_the_agent_and_say_whether_that_is_proven(
    make: MakePanel, acme: Panel
) -> None:
    number = visits(acme)
    seal = acme.services.seals.open(f"Bearer {seal_for(acme, number)}")
    panel = make(PANEL_AGENT_PROOF="access-token", PANEL_URL="https://panel.example")
    own = panel.services.seals.sign(replace(seal, proof=ACCESS_TOKEN))
    answer = panel.ask(
        *("POST", "/verify", own),
        data={"answer": key_of(acme)},
        headers={"Origin": "https://panel.example"},
    )
    assert "verified by license key, Bruno Lima, " in words_of(answer.text)
    assert notes(acme, number, "verified") == ["key"]


# -- further effects -------------------------------------------------------------------


def test_a_pick_is_told_to_chatwoot_for_who_has_shown_it_and_taken_back_with_it(
    acme: Panel,
) -> None:
    number = visits(acme)
    acme.chat.conversations[number]["custom_attributes"] = {}
    acme.chat.contacts[number]["custom_attributes"] = dict(CLAIM)
    attributes = acme.chat.conversations[number]["custom_attributes"]
    second_seal = seal_of(say(acme, seal_for(acme, number), known=1, reason="my aunt").text)
    seal = seal_of(acme.say(second_seal, "pick", 42).text)
    assert acme.chat.conversations[number]["custom_attributes"] == attributes
    seal = seal_of(say(acme, seal, answer=key_of(acme)).text)
    assert acme.chat.conversations[number]["custom_attributes"] == attributes
    seal = seal_of(acme.say(seal, "pick", 42).text)
    after_pick = acme.chat.conversations[number]["custom_attributes"]
    assert after_pick["middag_organization"] == "Acme Ltda"
    undone = say(acme, seal, undo=1)
    assert told(undone.text) == ("ready", "42", "picked", "unproven")
    after_undo = acme.chat.conversations[number]["custom_attributes"]
    assert after_undo.get("middag_organization") is None


def test_a_proven_phone_needs_no_verification(acme: Panel) -> None:
    phone = "+5561988884777"
    acme.services.directory.put_person(Person(42, "collaborator:777", 0, "member", None, phone))
    number = writes(acme, WHATSAPP, phone[1:], phone_number=phone)
    html = opened(acme, number)
    assert told(html) == ("ready", "42", "matched", "proven")
    assert 'data-action="verify"' not in html
    assert "verified (WhatsApp)" in words_of(html)


def test_the_head_says_for_what_a_person_has_no_rights_and_hides_nothing_by_it(
    acme: Panel,
) -> None:
    guest = writes(acme, email="daniela@prado.example")
    html = acme.say(seal_for(acme, guest), "pick", 42).text
    words = words_of(html)
    assert "guest: not for finances, orders, quotes, licenses — not verified" in words
    opened_html = say(acme, seal_of(html), answer=key_of(acme)).text
    assert shown(acme, seal_of(opened_html)) == secrets(acme)[2:4]
    owner = writes(acme, email=OWNER)
    assert ", owner — not verified" in words_of(opened(acme, owner))


def test_who_is_erased_leaves_no_verification_behind(acme: Panel) -> None:
    number = visits(acme)
    verified(acme, number)
    person = Person(42, "collaborator:erased", number, "member", "erased@acme.example")
    acme.services.directory.erasures.note(number, person, time.time())
    assert acme.services.verifications.find(number) == []
    assert acme.services.tries.count_left(number, 42) == MOST_TRIES


def test_the_dialog_says_what_proves_and_what_does_not(make: MakePanel, acme: Panel) -> None:
    number = visits(acme, name="Ana <b>Souza</b>")
    words = words_of(acme.ask("GET", "/verify", seal_for(acme, number)).text)
    assert "Is this really Ana <b>Souza</b>, of Acme Ltda?" in words
    assert "Proof: the last eight characters of a license key, or all of it." in words
    assert "opens nothing: the tax ID, an order number, a quote number, an e-mail" in words
    assert "5 of 5 tries are left." in words
    panel = make(PANEL_VERIFY_BY="call")
    words = words_of(panel.ask("GET", "/verify", seal_for(panel, number)).text)
    assert "Proof: " not in words
    assert "A call is proof too: dial +55 61 3322-0042" in words


def test_a_seal_without_a_verification_is_read_by_older_programs(acme: Panel) -> None:
    signer = make_signer(acme.settings, "seal")
    number = visits(acme)
    assert len(signer.loads(seal_for(acme, number))) == 9
    assert len(signer.loads(verified(acme, number))) == 11
