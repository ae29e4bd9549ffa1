"""Several contacts of one person; case, blanks and look-alikes."""

from contextlib import suppress

import pytest

from panel.errors import GiveUp, TryLater
from tests.sync.benches import (
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
from tests.sync.one_person import FORMER, assert_told
from tests.sync.passes import Bench, company

PHONE = "+5561988887777"


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


# -- several contacts ------------------------------------------------------------------------------


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
    """A visitor can read all of such a contact in Chatwoot, and phones can be guessed one after
    another."""
    collaborator(bench, 1, "ana", phone="+55 61 98888-7777")
    contact = by_mail(bench)
    bench.run()
    visitor = bench.chat.add_contact(name="Whoever", phone_number=PHONE)
    join(bench, visitor, SITE)
    talk(bench, visitor, SITE)
    bench.run()
    assert_told(bench, contact)
    assert ours(visitor) == {}
    [conversation] = [
        row for row in bench.chat.conversations.values() if row["contact_id"] == visitor["id"]
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
    assert [ours(bench.chat.contacts[contact]) for contact in contacts] == [{}, {}]
    assert {name_of(conversation) for conversation in bench.chat.conversations.values()} == {None}
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


def test_a_new_contact_is_written_without_a_read(bench: Bench) -> None:
    collaborator(bench, 1, "ana")
    bench.run()
    number = bench.contact(email="ana@acme.example")["id"]
    calls = [call for call in bench.chat.calls if call.path.endswith(f"contacts/{number}")]
    assert [call.method for call in calls] == ["PUT"]


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
    organizations = [organization_of(bench.chat.contacts[contact]) for contact in contacts]
    assert organizations == ["42,45", "42,45"]


def test_what_failed_for_one_contact_is_made_good_by_the_next_pass(bench: Bench) -> None:
    collaborator(bench, 1, "ana", phone="+55 61 98888-7777")
    contacts = [by_mail(bench), by_whatsapp(bench)]
    bench.chat.down = True
    with pytest.raises(TryLater):
        bench.run()
    bench.chat.down = False
    bench.run()
    assert_told(bench, *contacts)


# -- case, blanks, look-alikes ---------------------------------------------------------------------


@pytest.mark.parametrize("email", ["ANA@acme.example", "  ana@Acme.Example ", "\tana@acme.example"])
def test_case_and_blanks_of_an_email_make_nobody_else(bench: Bench, email: str) -> None:
    number = by_mail(bench)
    collaborator(bench, 1, "ana", email=email)
    bench.run()
    assert_told(bench, number)


def test_an_upper_case_email_in_chatwoot_is_the_evidence_too(bench: Bench) -> None:
    number = by_mail(bench)
    bench.chat.contacts[number]["email"] = "ANA@acme.example"
    collaborator(bench, 1, "ana")
    bench.run()
    assert_told(bench, number)
    assert [link.rests_on for link in bench.links.find(0, number)] == ["email"]


@pytest.mark.parametrize("other", ["an\u0430@acme.example", "\u212aana@acme.example"])
def test_look_alike_letters_are_another_address(bench: Bench, other: str) -> None:
    stranger = bench.chat.add_contact(name="Stranger", email=other)
    collaborator(bench, 1, "ana", email=other.translate({0x430: "a", 0x212A: "k"}))
    with suppress(GiveUp):  # Chatwoot takes the Kelvin sign for a k, and lets nobody have both
        bench.run()
    assert ours(stranger) == {}
