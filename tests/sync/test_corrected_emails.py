"""The back office corrects an e-mail: only the person's own contact gets the new one."""

import logging

import pytest

from tests.sync.benches import APP, SITE, collaborator, join, talk
from tests.sync.one_person import FORMER, NEW, assert_told
from tests.sync.passes import Bench, company


def corrected(bench: Bench) -> int:
    """Give Ana a contact that a pass made, a conversation, and then another e-mail."""
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
    (unsettled,) = bench.directory.list_unsettled(42)
    assert (unsettled.contact, unsettled.former_email) == (number, FORMER)
    lines = [message for message in caplog.messages if "former e-mail" in message]
    assert len(lines) == 1
    assert FORMER not in caplog.text


def test_an_email_that_somebody_else_owns_is_reported_and_both_contacts_are_told(
    bench: Bench,
) -> None:
    number = corrected(bench)
    other = bench.chat.add_contact(name="Ana", email=NEW)
    talk(bench, other)
    bench.chat.forget()
    bench.run()
    assert not [call for call in bench.chat.calls if (call.body or {}).get("email") == NEW]
    assert_stays(bench, number, FORMER)
    assert_told(bench, other["id"])
    assert [person.contact for person in bench.directory.list_unsettled(42)] == [number]


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
    assert bench.directory.list_unsettled(42) == []
    assert len([message for message in caplog.messages if f"contact {number} " in message]) == 1


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
    before = {name: bench.contact(email=f"{name}@acme.example")["id"] for name in ("ana", "bia")}
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
