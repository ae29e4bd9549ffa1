"""Attacks on "which customer is this": everything that a visitor can write, and what it gets them.

A website visitor can write contact attributes, conversation attributes (as a whole), `identifier`,
name, e-mail and phone (docs/upstream.md). None of it may ever show an amount.
"""

import re
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from panel.data.directory import Person
from panel.data.links import CONTACT, PICKED
from panel.demo.chatwoot import Failure
from panel.demo.world import Call
from panel.demo.worlds import AGENT
from panel.web.sections import SECTIONS
from tests.conftest import (
    Panel,
    attribute,
    panels_before,
    rows_of,
    seal_of,
    worlds_on_sockets,
)
from tests.customer.test_search import learn

MAIL, WHATSAPP = 3, 2
MALLORY = "mallory@evil.example"
OWNER = "ana@acme.example"  # of organization 42, as the passes learned
ACME_PHONE = "+556133220042"
ANAS_PHONE = "+5561988884201"  # a mobile that nobody else has
SWITCHBOARD = "+5561988884203"  # the back office has one person's extension behind it
SHARED_PHONE = "+5561988884202"  # of two people of two organizations


numbers = count(2000)  # the demo counts its own contacts from 1000 on


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    """One panel for the file, which has learned organization 42; each test writes as another."""
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
    """A contact with these values and a conversation of it, both of this number.

    `source`: how the channel calls it; `here`: what stands in the conversation's attributes.
    """
    number = next(numbers)
    here, signed = contact.pop("here", {}), contact.pop("signed", False)
    joined = [{"inbox": panel.chat.inboxes[inbox], "source_id": source or f"widget-{number}"}]
    panel.chat.add_contact(number, contact_inboxes=joined, **contact)
    panel.chat.add_conversation(number, inbox, number, custom_attributes=here, hmac_verified=signed)
    return number


def opened(panel: Panel, number: int) -> str:
    return panel.open("healthy", conversation=number, contact=number).text


def told(html: str) -> tuple[str | None, ...]:
    names = ("data-panel", "data-organization", "data-link", "data-trust")
    return tuple(attribute(html, name) for name in names)


def secrets(panel: Panel, organization: int = 42) -> list[str]:
    """Amounts, tax id and license keys as they would be drawn, and pieces of them."""
    office = panel.office
    cnpj = office.organizations[organization]["cnpj"]
    amounts = [row["total"] for row in office.orders[organization] + office.quotes[organization]]
    keys = [row["license_key"] for row in office.licenses[organization]]
    drawn = [f"{float(amount):,.2f}" for amount in amounts]
    return [cnpj, re.sub(r"\D", "", cnpj), *keys, *(key[-4:] for key in keys), *amounts, *drawn]


# Random or counted by the clock: the four digits at the end of a key may stand there by chance.
BY_CHANCE = re.compile(
    r' (?:data-seal|data-version|data-read-at|datetime)="[^"]*"'
    r'| id="follow-[^"]*"|<samp>.*?</samp>',
    re.DOTALL,
)


def everything(panel: Panel, number: int) -> str:
    """Each answer that this seal can fetch, without what is in it by chance."""
    html = opened(panel, number)
    seal = seal_of(html)
    answers = [panel.section(name, seal, wait=1).text for name in SECTIONS]
    answers += [panel.refresh("orders", seal).text]
    answers += [panel.ask("GET", "/search", seal, params={"q": "42"}).text]
    return BY_CHANCE.sub("", "\n".join([html, *answers, opened(panel, number)]))


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


@pytest.mark.parametrize("what", WRITTEN)
def test_nothing_that_a_website_visitor_writes_discloses_anything(acme: Panel, what: str) -> None:
    number = writes(acme, **WRITTEN[what])
    html = opened(acme, number)
    assert told(html) in {
        ("ready", "42", "claimed", "unproven"),
        ("ready", "42", "matched", "unproven"),
    }
    shown = everything(acme, number)
    assert [secret for secret in secrets(acme) if secret in shown] == []


@pytest.mark.parametrize("identifier", ["middag:user:4201", "middag:organization:42", OWNER])
@pytest.mark.parametrize("signed", [False, True])
def test_an_identifier_is_worth_nothing_signed_or_not(
    acme: Panel, identifier: str, signed: bool
) -> None:
    number = writes(acme, identifier=identifier, signed=signed)
    assert attribute(opened(acme, number), "data-panel") == "unlinked"


def test_the_owners_own_phone_on_whatsapp_is_proven(acme: Panel) -> None:
    """The control: what the attacks would get, if they worked."""
    number = writes(acme, WHATSAPP, ANAS_PHONE[1:], phone_number=ANAS_PHONE)
    html = opened(acme, number)
    assert told(html) == ("ready", "42", "matched", "proven")
    shown = everything(acme, number)
    assert all(secret in shown for secret in secrets(acme)[2:4])


# -- attacks on the proof ----------------------------------------------------------------------


def discloses_nothing(panel: Panel, number: int) -> str:
    """The panel of this conversation, after all that its seal can fetch was looked through."""
    html = opened(panel, number)
    assert attribute(html, "data-trust") == "unproven"
    assert "Not verified: do not disclose." in html
    shown = everything(panel, number)
    assert [secret for secret in secrets(panel) if secret in shown] == []
    picked = panel.say(seal_of(html), "pick", 42, "contact")
    assert told(picked.text) == ("ready", "42", "picked", "unproven")
    shown = everything(panel, number)
    assert [secret for secret in secrets(panel) if secret in shown] == []
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
    """They were merged into the owner's contact, and kept `hmac_verified` of their own."""
    number = writes(acme, signed=True, email=OWNER, identifier="middag:user:4201")
    html = discloses_nothing(acme, number)
    assert told(html) == ("ready", "42", "matched", "unproven")
    assert "Signed visitor: the website vouches for somebody" in html


def test_a_signed_visitor_whose_identifier_is_the_owners_email_is_not_the_owner(
    acme: Panel,
) -> None:
    number = writes(acme, signed=True, email=OWNER, identifier=OWNER)
    assert told(discloses_nothing(acme, number)) == ("ready", "42", "matched", "unproven")


def test_who_fills_the_owner_into_the_prechat_form_is_not_the_owner(acme: Panel) -> None:
    number = writes(acme, email=OWNER, phone_number=ANAS_PHONE, name="Ana Souza")
    html = discloses_nothing(acme, number)
    assert "This channel does not prove who is writing." in html


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
    """The same, after an agent said no to the other one."""
    panel.say(seal_of(opened(panel, number)), "refuse", 48)
    return number


@pytest.mark.parametrize("shown", ["{}x5", "{} ext. 5", "{};ext=5", "tel:{}", "x{}"])
def test_a_number_with_an_extension_finds_its_owner_and_never_proves(
    acme: Panel, shown: str
) -> None:
    """Chatwoot takes it for another number than the owner's, so a visitor may have both."""
    number = writes(acme, WHATSAPP, ANAS_PHONE[1:], phone_number=shown.format(ANAS_PHONE))
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
    """What Chatwoot said of the sources a moment ago proves nothing."""
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
    """`str.lower` makes the owner's `k` of the Kelvin sign; whoever owns it is not her."""
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
    named = {"middag_organization_id": poison}
    number = writes(acme, WHATSAPP, ANAS_PHONE[1:], phone_number=ANAS_PHONE, here=named)
    if not isinstance(poison, str):  # of so much, two copies are more than we read of Chatwoot
        acme.chat.contacts[number]["custom_attributes"] = named
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
    refused = acme.say(seal_of(html), "refuse", 42).text
    assert told(refused) == ("ready", "45", "matched", "unproven")


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
    refused = acme.say(seal_of(opened(acme, number)), "refuse", 42, "contact")
    assert attribute(refused.text, "data-panel") == "unlinked"
    acme.services.links.match(number, 42, "email")
    assert attribute(opened(acme, number), "data-panel") == "unlinked"
    undone = acme.say(seal_of(refused.text), "undo", 42)
    assert told(undone.text) == ("ready", "42", "matched", "unproven")


# -- uncovering ------------------------------------------------------------------------------


def uncover(panel: Panel, seal: str, section: str = "orders", reason: str = "named #4201") -> Any:
    return panel.ask("POST", "/uncover", seal, data={"section": section, "reason": reason})


def noted(panel: Panel) -> list[tuple[str, int, str]]:
    rows = panel.services.audit_log.list_entries()
    return [(row.what, row.organization, row.note) for row in rows if row.what == "uncovered"]


def test_one_section_is_uncovered_for_a_reason_and_stays_so_by_its_own_seal(panel: Panel) -> None:
    seal = seal_of(panel.open().text)
    assert "1,250.00" not in panel.section("orders", seal, wait=1).text
    answer = uncover(panel, seal)
    assert answer.status_code == 200
    assert "1,250.00" in answer.text
    assert noted(panel) == [("uncovered", 42, "orders: named #4201")]
    own = seal_of(answer.text)
    for again in (panel.section("orders", own), panel.refresh("orders", own)):
        assert "1,250.00" in again.text
        assert seal_of(again.text) == own
    for hidden in (panel.section("orders", seal), panel.section("quotes", own, wait=1)):
        assert "data-masked" in hidden.text
        assert "data-uncovered" not in hidden.text
    assert "1,250.00" not in panel.open().text


@pytest.mark.parametrize("reason", ["", "  ", "ab", "x" * 201, "line\nbreak", "\x00\x00\x00\x00"])
def test_nothing_is_uncovered_without_a_reason(panel: Panel, reason: str) -> None:
    answer = uncover(panel, seal_of(panel.open().text), reason=reason)
    assert answer.status_code == 422
    assert noted(panel) == []


def test_nothing_is_uncovered_that_the_log_cannot_keep(panel: Panel) -> None:
    seal = seal_of(panel.open().text)
    with panel.services.database.begin() as connection:
        connection.exec_driver_sql("DROP TABLE access_log")
    answer = uncover(panel, seal)
    assert answer.status_code == 503
    assert "1,250.00" not in answer.text


@pytest.mark.parametrize("section", ["", "everything", "orders,quotes", "../orders"])
def test_only_a_section_can_be_uncovered(panel: Panel, section: str) -> None:
    assert uncover(panel, seal_of(panel.open().text), section).status_code == 404


def test_no_seal_uncovers_nothing(panel: Panel) -> None:
    assert uncover(panel, "forged").status_code == 401
    nobody = seal_of(panel.open("unlinked").text)
    assert uncover(panel, nobody).status_code == 404


def test_an_uncovered_seal_is_worth_something_for_its_own_organization_only(panel: Panel) -> None:
    """Whatever is made of it (a choice, a pick, an undo, a refusal) is masked again."""
    picked = panel.say(seal_of(panel.open("two").text), "pick", 42)
    own = seal_of(uncover(panel, seal_of(picked.text)).text)
    assert "data-uncovered" in panel.section("orders", own).text
    for action, organization in (("undo", 999), ("pick", 45), ("undo", 45), ("refuse", 42)):
        html = panel.say(own, action, organization).text
        seals = re.findall(r'data-seal="([^"]+)"', html)
        assert seals
        for seal in seals:
            section = panel.section("orders", seal, wait=1)
            assert "data-uncovered" not in section.text
            assert section.status_code == 404 or "data-masked" in section.text
    assert [organization for _, organization, _ in noted(panel)] == [42]


# -- contacts that Chatwoot merged ------------------------------------------------------------


def merge(panel: Panel, base: int, other: int) -> None:
    body = {"base_contact_id": base, "mergee_contact_id": other}
    panel.services.chatwoot.administer("POST", "actions/contact_merge", body)


def test_a_picked_customer_survives_the_merge_of_the_contact(panel: Panel) -> None:
    panel.say(seal_of(panel.open("unlinked").text), "pick", 42, "contact")
    merge(panel, 302, 305)
    # The page still names the contact that is gone, as an open panel does when its seal is renewed.
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
    """The visitor was picked as 42 under their own e-mail, then merged into somebody's contact."""
    panel.say(seal_of(panel.open("unlinked").text), "pick", 42, "contact")
    merge(panel, 304, 305)
    panel.open("unlinked", contact=304)
    [link] = [each for each in panel.services.links.find(0, 304) if each.scope == CONTACT]
    assert (link.state, link.email) == (PICKED, "eduardo.mota@correio.example")
    assert told(panel.open("two").text) == ("ready", "42", "picked", "unproven")


def test_what_one_may_see_is_not_drawn_for_another_in_the_same_moment(panel: Panel) -> None:
    """A section is drawn once a second for all who are shown the same: not for these three."""
    masked, elsewhere = seal_of(panel.open().text), panel.proven("many")
    proven = panel.proven("two", 42)
    for _ in range(3):
        mine = panel.section("orders", proven).text
        assert "data-masked" not in mine
        assert "data-masked" in panel.section("orders", masked).text
        assert not set(rows_of(mine)) & set(rows_of(panel.section("orders", elsewhere).text))
