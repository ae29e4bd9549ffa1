"""Several contacts of one person, and the one contact whose e-mail the back office corrects."""

import logging
from contextlib import suppress

import pytest

from panel.errors import GiveUp, TryLater
from tests.sync.benches import (
    APP,
    MAIL,
    SITE,
    WHATSAPP,
    collaborator,
    join,
    name_of,
    organization_of,
    ours,
    talk,
)
from tests.sync.test_reconcile import Bench, company

PHONE = "+5561988887777"
FORMER, NEW = "ana@acme.example", "ana.souza@acme.example"


def by_mail(bench: Bench) -> int:
    contact = bench.chat.add_contact(name="Ana", email=FORMER)
    join(bench, contact, MAIL)
    talk(bench, contact)
    number: int = contact["id"]
    return number


def by_whatsapp(bench: Bench, phone: str = PHONE) -> int:
    contact = bench.chat.add_contact(name="Ana", phone_number=phone)
    join(bench, contact, WHATSAPP)
    talk(bench, contact, WHATSAPP)
    number: int = contact["id"]
    return number


def assert_told(bench: Bench, *contacts: int) -> None:
    for contact in contacts:
        assert ours(bench.chat.contacts[contact])["middag_role"] == "member", contact
        talks = [
            each for each in bench.chat.conversations.values() if each["contact_id"] == contact
        ]
        assert [name_of(each) for each in talks] == ["42"], contact


# -- several contacts ----------------------------------------------------------------------------


@pytest.mark.parametrize("first", [by_mail, by_whatsapp])
def test_each_contact_of_a_person_is_told_whichever_was_there_first(
    bench: Bench, first: object
) -> None:
    collaborator(bench, 1, "ana", phone="+55 61 98888-7777")
    ways = [by_mail, by_whatsapp] if first is by_mail else [by_whatsapp, by_mail]
    contacts = []
    for way in ways:
        contacts.append(way(bench))
        bench.run()
        assert_told(bench, *contacts)


def test_who_types_a_persons_phone_into_the_websites_chat_is_told_nothing(bench: Bench) -> None:
    """Chatwoot lets a visitor read all of such a contact, and phones can be counted through."""
    collaborator(bench, 1, "ana", phone="+55 61 98888-7777")
    known = by_mail(bench)
    bench.run()
    visitor = bench.chat.add_contact(name="Whoever", phone_number=PHONE)
    join(bench, visitor, SITE)
    talk(bench, visitor, SITE)
    bench.run()
    assert_told(bench, known)
    assert ours(visitor) == {}
    [conversation] = [
        each for each in bench.chat.conversations.values() if each["contact_id"] == visitor["id"]
    ]
    assert name_of(conversation) is None


def test_a_contact_that_becomes_a_visitors_is_told_no_more(bench: Bench) -> None:
    collaborator(bench, 1, "ana", phone="+55 61 98888-7777")
    by_mail(bench)
    number = by_whatsapp(bench)
    bench.run()
    join(bench, bench.chat.contacts[number], SITE)
    bench.run()
    assert ours(bench.chat.contacts[number]) == {}


def test_two_spellings_are_two_contacts_of_one_person(bench: Bench) -> None:
    collaborator(bench, 1, "ana", phone="+55 61 98888-7777")
    contacts = [by_mail(bench), by_whatsapp(bench), by_whatsapp(bench, "+556188887777")]
    bench.run()
    assert_told(bench, *contacts)
    bench.chat.forget()
    bench.run()
    assert bench.chat.writes == []


def test_a_company_has_its_further_contacts_too(bench: Bench) -> None:
    company(bench.office, 42, "Acme Ltda", "contato@acme.example", phone="+55 61 98888-1111")
    bench.run()
    number = by_whatsapp(bench, "+556188881111")
    bench.run()
    assert ours(bench.chat.contacts[number])["middag_role"] == "organization"


def test_who_leaves_is_cleared_in_each_of_their_contacts(bench: Bench) -> None:
    collaborator(bench, 1, "ana", phone="+55 61 98888-7777")
    collaborator(bench, 2, "bia")
    contacts = [by_mail(bench), by_whatsapp(bench)]
    bench.run()
    bench.office.remove("collaborators", 42, 1)
    bench.run()
    assert [ours(bench.chat.contacts[each]) for each in contacts] == [{}, {}]
    assert {name_of(each) for each in bench.chat.conversations.values()} == {None}
    assert bench.directory.find_seated(contacts) == set()


def test_a_contact_that_shows_their_phone_no_more_is_theirs_no_more(bench: Bench) -> None:
    collaborator(bench, 1, "ana", phone="+55 61 98888-7777")
    mail, other = by_mail(bench), by_whatsapp(bench)
    bench.run()
    bench.chat.contacts[other]["phone_number"] = "+5561988880000"
    assert bench.directory.find_unseated(other, "", "+5561988880000") == {42}
    bench.run()
    assert ours(bench.chat.contacts[other]) == {}
    assert_told(bench, mail)


def test_a_further_contact_becomes_the_first_when_that_is_deleted(bench: Bench) -> None:
    collaborator(bench, 1, "ana", phone="+55 61 98888-7777")
    mail, other = by_mail(bench), by_whatsapp(bench)
    bench.run()
    del bench.chat.contacts[mail]
    bench.run()
    bench.run()
    assert_told(bench, other)
    assert bench.directory.people_of(42)["collaborator:1"].contact == other
    assert bench.directory.further_contacts_of(42) == {}


def test_a_person_of_two_organizations_has_both_in_each_contact(bench: Bench) -> None:
    company(bench.office, 45, "Beta SA")
    collaborator(bench, 1, "ana", phone="+55 61 98888-7777")
    collaborator(bench, 9, "ana", phone="+55 61 98888-7777", organization=45)
    contacts = [by_mail(bench), by_whatsapp(bench)]
    for number in (42, 45, 42):
        bench.run(number)
    named = [organization_of(bench.chat.contacts[each]) for each in contacts]
    assert named == ["42,45", "42,45"]


def test_what_failed_for_one_contact_is_made_good_by_the_next_pass(bench: Bench) -> None:
    collaborator(bench, 1, "ana", phone="+55 61 98888-7777")
    contacts = [by_mail(bench), by_whatsapp(bench)]
    bench.chat.down = True
    with pytest.raises(TryLater):
        bench.run()
    bench.chat.down = False
    bench.run()
    assert_told(bench, *contacts)


# -- case, blanks, look-alikes -------------------------------------------------------------------


@pytest.mark.parametrize("named", ["ANA@acme.example", "  ana@Acme.Example ", "\tana@acme.example"])
def test_case_and_blanks_of_an_email_make_nobody_else(bench: Bench, named: str) -> None:
    number = by_mail(bench)
    collaborator(bench, 1, "ana", email=named)
    bench.run()
    assert_told(bench, number)


def test_an_upper_case_email_in_chatwoot_is_the_evidence_too(bench: Bench) -> None:
    number = by_mail(bench)
    bench.chat.contacts[number]["email"] = "ANA@acme.example"
    collaborator(bench, 1, "ana")
    bench.run()
    assert_told(bench, number)
    assert [each.rests_on for each in bench.links.find(0, number)] == ["email"]


@pytest.mark.parametrize("other", ["an\u0430@acme.example", "\u212aana@acme.example"])
def test_look_alike_letters_are_another_address(bench: Bench, other: str) -> None:
    stranger = bench.chat.add_contact(name="Stranger", email=other)
    collaborator(bench, 1, "ana", email=other.translate({0x430: "a", 0x212A: "k"}))
    with suppress(GiveUp):  # Chatwoot takes the Kelvin sign for a k, and lets nobody have both
        bench.run()
    assert ours(stranger) == {}


# -- the back office corrects an e-mail ----------------------------------------------------------


def corrected(bench: Bench) -> int:
    """Ana has a contact that a pass made, a conversation in it, and another e-mail since."""
    collaborator(bench, 1, "ana")
    bench.run()
    contact = bench.contact(email=FORMER)
    talk(bench, contact)
    bench.run()
    collaborator(bench, 1, "ana", email=NEW)
    number: int = contact["id"]
    return number


def assert_stays(bench: Bench, number: int, email: str) -> None:
    assert_told(bench, number)
    assert bench.chat.contacts[number]["email"] == email
    person = bench.directory.people_of(42)["collaborator:1"]
    assert (person.contact, person.email) == (number, NEW)


def test_a_contact_keeps_its_history_and_gets_the_new_email(bench: Bench) -> None:
    number = corrected(bench)
    before = set(bench.chat.contacts)
    bench.run()
    assert_stays(bench, number, NEW)
    assert set(bench.chat.contacts) == before
    assert bench.directory.list_unsettled(42) == []
    bench.chat.forget()
    bench.run()
    assert bench.chat.writes == []


@pytest.mark.parametrize("inbox", [SITE, APP])
def test_a_contact_that_a_visitor_can_read_is_not_told_the_new_email(
    bench: Bench, inbox: int, caplog: pytest.LogCaptureFixture
) -> None:
    number = corrected(bench)
    join(bench, bench.chat.contacts[number], inbox)
    for _ in range(2):
        bench.run()
    assert_stays(bench, number, FORMER)
    (left,) = bench.directory.list_unsettled(42)
    assert (left.contact, left.former_email) == (number, FORMER)
    said = [each for each in caplog.messages if "former e-mail" in each]
    assert len(said) == 1
    assert FORMER not in caplog.text


def test_an_email_that_somebody_else_owns_is_reported_and_both_contacts_are_told(
    bench: Bench,
) -> None:
    number = corrected(bench)
    other = bench.chat.add_contact(name="Ana", email=NEW)
    talk(bench, other)
    bench.run()
    assert_stays(bench, number, FORMER)
    assert_told(bench, other["id"])
    assert [each.contact for each in bench.directory.list_unsettled(42)] == [number]


def test_an_email_whose_owner_the_filter_does_not_show_is_reported(bench: Bench) -> None:
    number = corrected(bench)
    other = bench.chat.add_contact(name="Zoe", email=f"{NEW} ")
    other["email"] = NEW.upper()
    bench.run()
    assert bench.chat.contacts[number]["email"] == FORMER


def test_an_email_that_an_agent_wrote_is_theirs(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    number = corrected(bench)
    bench.chat.contacts[number]["email"] = "by.hand@acme.example"
    for _ in range(2):
        bench.run()
    assert_stays(bench, number, "by.hand@acme.example")
    assert len([each for each in caplog.messages if f"contact {number} " in each]) == 1


def test_what_is_corrected_in_chatwoot_is_no_longer_reported(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    number = corrected(bench)
    join(bench, bench.chat.contacts[number], SITE)
    bench.run()
    bench.chat.contacts[number]["email"] = NEW
    bench.run()
    assert bench.directory.list_unsettled(42) == []


def test_two_who_exchange_their_emails_exchange_their_contacts(bench: Bench) -> None:
    collaborator(bench, 1, "ana", role="admin")
    collaborator(bench, 2, "bia")
    bench.run()
    before = {each: bench.contact(email=f"{each}@acme.example")["id"] for each in ("ana", "bia")}
    collaborator(bench, 1, "ana", email="bia@acme.example", role="admin")
    collaborator(bench, 2, "bia", email="ana@acme.example")
    for _ in range(2):
        bench.run()
    people = bench.directory.people_of(42)
    assert people["collaborator:1"].contact == before["bia"]
    assert people["collaborator:2"].contact == before["ana"]
    assert bench.told(email="bia@acme.example")["middag_role"] == "admin"
    assert bench.told(email="ana@acme.example")["middag_role"] == "member"


def test_a_company_whose_email_changes_keeps_its_contact(bench: Bench) -> None:
    bench.run()
    number = bench.contact(email="contato@acme.example")["id"]
    company(bench.office, 42, "Acme Ltda", "oi@acme.example")
    bench.run()
    assert set(bench.chat.contacts) == {number}
    assert bench.chat.contacts[number]["email"] == "oi@acme.example"
