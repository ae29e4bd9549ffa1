"""The owner of a phone: every spelling leads to its one owner, and a number without a country to
nobody."""

import pytest

from panel.data.directory import COMPANY
from tests.sync.benches import WHATSAPP, collaborator, join, name_of, organization_of, ours, talk
from tests.sync.passes import Bench, company, person

# The same line, in the back office's spelling and in Chatwoot's.
SPELLINGS = [
    ("+55 61 98888-7777", "+556188887777"),
    ("+55 61 8888-7777", "+5561988887777"),
    ("+54 9 11 2345-6789", "+541123456789"),
    ("+54 11 2345-6789", "+5491123456789"),
    ("+52 55 1234 5678", "+5215512345678"),
    ("+52 1 55 1234 5678", "+525512345678"),
]
DIFFERENT = [
    ("+55 61 93322-0042", "+556133220042"),  # a mobile, and another one's landline
    ("+1 212 555 0123", "+112125550123"),
    ("+55 61 98888-7777", "+5561988887778"),
]


def whatsapp(bench: Bench, phone: str) -> int:
    """Add a person who has written by WhatsApp, with an open conversation."""
    contact = bench.chat.add_contact(name="Somebody", phone_number=phone)
    join(bench, contact, WHATSAPP)
    talk(bench, contact, WHATSAPP)
    number: int = contact["id"]
    return number


def conversation_of(bench: Bench, contact: int) -> str | None:
    (conversation,) = [
        row for row in bench.chat.conversations.values() if row["contact_id"] == contact
    ]
    return name_of(conversation)


@pytest.mark.parametrize(("office_phone", "chat_phone"), SPELLINGS)
def test_a_person_is_found_by_every_spelling_of_their_phone(
    bench: Bench, office_phone: str, chat_phone: str
) -> None:
    collaborator(bench, 1, "ana", phone=office_phone)
    number = whatsapp(bench, chat_phone)
    bench.run()
    contact = bench.chat.contacts[number]
    assert ours(contact)["middag_role"] == "member"
    assert conversation_of(bench, number) == "42"
    assert contact["phone_number"] == chat_phone  # the spelling that Chatwoot has stays
    assert len(bench.chat.contacts) == 2  # the person's contact, and the company's own


@pytest.mark.parametrize(("office_phone", "chat_phone"), SPELLINGS)
def test_a_company_is_found_by_every_spelling_of_its_phone(
    bench: Bench, office_phone: str, chat_phone: str
) -> None:
    company(bench.office, 42, "Acme Ltda", phone=office_phone)
    number = whatsapp(bench, chat_phone)
    bench.run()
    assert list(bench.chat.contacts) == [number]
    assert ours(bench.chat.contacts[number])["middag_role"] == "organization"


@pytest.mark.parametrize(("office_phone", "chat_phone"), SPELLINGS)
def test_a_webhook_lines_up_a_pass_in_every_spelling(
    bench: Bench, office_phone: str, chat_phone: str
) -> None:
    collaborator(bench, 1, "ana", phone=office_phone)
    bench.run()
    number = whatsapp(bench, chat_phone)
    assert bench.directory.find_unseated(number, "", chat_phone) == {42}
    bench.run()
    assert bench.directory.find_unseated(number, "", chat_phone) == set()


@pytest.mark.parametrize(("office_phone", "chat_phone"), DIFFERENT)
def test_another_number_is_somebody_else(bench: Bench, office_phone: str, chat_phone: str) -> None:
    collaborator(bench, 1, "ana", phone=office_phone)
    number = whatsapp(bench, chat_phone)
    bench.run()
    assert ours(bench.chat.contacts[number]) == {}


@pytest.mark.parametrize("country", ["US", "us", "United States"])
def test_a_number_is_read_with_the_country_of_its_organization(bench: Bench, country: str) -> None:
    company(bench.office, 42, "Acme Inc", country=country)
    collaborator(bench, 1, "ana", phone="(212) 555-0123")
    stranger, hers = whatsapp(bench, "+552125550123"), whatsapp(bench, "+12125550123")
    bench.run()
    assert ours(bench.chat.contacts[stranger]) == {}
    assert organization_of(bench.chat.contacts[hers]) == "42"


@pytest.mark.parametrize("country", [None, "", "Atlantis"])
def test_without_a_country_only_a_number_with_a_plus_is_read(
    bench: Bench, country: str | None
) -> None:
    company(bench.office, 42, "Beacon LLC", phone="(212) 555-0123", country=country)
    collaborator(bench, 1, "ana", phone="61 98888-7777")
    collaborator(bench, 2, "bia", phone="+1 415 555 2671")
    strangers = [whatsapp(bench, phone) for phone in ("+552125550123", "+5561988887777")]
    hers = whatsapp(bench, "+14155552671")
    bench.run()
    assert [ours(bench.chat.contacts[stranger]) for stranger in strangers] == [{}, {}]
    assert organization_of(bench.chat.contacts[hers]) == "42"


# -- a number of several people ------------------------------------------------------------------

LANDLINE = "+55 61 3322-0042"


def test_a_number_that_several_people_have_seats_nobody(bench: Bench) -> None:
    number = whatsapp(bench, "+556133220042")
    for at, name in enumerate(("ana", "bia", "caio"), start=1):
        collaborator(bench, at, name, phone=LANDLINE)
    bench.run()
    assert ours(bench.chat.contacts[number]) == {}
    assert bench.directory.find_seated([number]) == set()
    emails = {contact["email"] for contact in bench.chat.contacts.values()}
    assert emails >= {f"{name}@acme.example" for name in ("ana", "bia", "caio")}


@pytest.mark.parametrize("chat_phone", ["+5491123456789", "+541123456789"])
def test_a_number_is_shared_in_whatever_spelling(bench: Bench, chat_phone: str) -> None:
    number = whatsapp(bench, chat_phone)
    collaborator(bench, 1, "ana", phone="+54 9 11 2345-6789")
    collaborator(bench, 2, "bia", phone="+54 11 2345-6789")
    bench.run()
    assert ours(bench.chat.contacts[number]) == {}


def test_who_was_seated_by_a_number_that_others_have_by_now_gets_a_contact_of_their_own(
    bench: Bench,
) -> None:
    number = whatsapp(bench, "+556133220042")
    collaborator(bench, 1, "ana", phone=LANDLINE)
    bench.run()
    assert organization_of(bench.chat.contacts[number]) == "42"
    collaborator(bench, 2, "bia", phone=LANDLINE)
    bench.run()
    assert ours(bench.chat.contacts[number]) == {}
    assert conversation_of(bench, number) is None
    assert bench.told(email="ana@acme.example")["middag_role"] == "member"


@pytest.mark.parametrize("order", [(42, 43), (43, 42)])
def test_a_number_of_people_of_two_organizations_seats_nobody_in_either_order(
    bench: Bench, order: tuple[int, int]
) -> None:
    """Both are known by e-mail already, so both would get the contact as a further one."""
    company(bench.office, 43, "Beta SA")
    collaborator(bench, 1, "ana", phone="+55 61 98888-7777")
    collaborator(bench, 2, "bia", phone="+55 61 98888-7777", organization=43)
    for name in ("ana", "bia"):
        bench.chat.add_contact(name=name, email=f"{name}@acme.example")
    number = whatsapp(bench, "+5561988887777")
    for organization in order:
        bench.run(organization)
    assert ours(bench.chat.contacts[number]) == {}
    assert bench.directory.find_seated([number]) == set()


def test_a_number_that_a_company_and_its_only_owner_have_is_the_owners(bench: Bench) -> None:
    company(bench.office, 42, "Acme Ltda", "ana@acme.example", phone="+55 61 98888-7777")
    collaborator(bench, 1, "ana", role="owner", phone="+55 61 98888-7777")
    number = whatsapp(bench, "+556188887777")
    bench.run()
    assert ours(bench.chat.contacts[number])["middag_role"] == "owner"


def test_a_contact_that_shows_another_email_is_not_taken_by_its_phone(bench: Bench) -> None:
    collaborator(bench, 1, "ana", phone="+55 61 98888-7777")
    other = bench.chat.add_contact(email="zoe@x.example", phone_number="+556188887777")
    bench.run()
    assert ours(other) == {}
    assert bench.directory.find_unseated(other["id"], "zoe@x.example", "+556188887777") == set()


def test_a_phone_is_not_written_twice_because_of_its_spelling(bench: Bench) -> None:
    company(bench.office, 42, "Acme Ltda", phone="+55 61 98888-7777")
    bench.run()
    own = bench.directory.people_of(42)[COMPANY].contact
    bench.chat.contacts[own]["phone_number"] = "+556188887777"
    person(bench.office, 42, 1, "ana@acme.example", "owner", 1)
    bench.run()
    assert bench.directory.people_of(42)[COMPANY].contact == own
    assert bench.chat.contacts[own]["phone_number"] == "+556188887777"
