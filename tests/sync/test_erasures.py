"""A contact that was deleted in Chatwoot is not made again while no administrator says so."""

import pytest
from sqlalchemy import select

from panel.data.erasures import erasure_key, erasures
from panel.demo.chatwoot import Failure
from panel.demo.world import Json
from panel.errors import PanelError
from tests.sync.benches import MAIL, collaborator, join, ours, talk
from tests.sync.passes import Bench, company

EMAIL, PHONE = "bia@acme.example", "+5561988887777"


@pytest.fixture
def bia(bench: Bench) -> Json:
    """Make Bia, who belongs to Acme and has a contact."""
    collaborator(bench, 2, "bia", phone="+55 61 98888-7777")
    bench.run()
    return bench.contact(email=EMAIL)


def erase(bench: Bench, contact: Json) -> None:
    """Delete the contact and its conversations, as an administrator does in Chatwoot."""
    del bench.chat.contacts[contact["id"]]
    for number, conversation in list(bench.chat.conversations.items()):
        if conversation["contact_id"] == contact["id"]:
            del bench.chat.conversations[number]


def shown(bench: Bench, **fields: str) -> list[Json]:
    return [
        row
        for row in bench.chat.contacts.values()
        if all(str(row.get(key)) == value for key, value in fields.items())
    ]


def held_back(bench: Bench, organization: int = 42) -> list[tuple[int, str]]:
    rows = bench.directory.erasures.list_held_back(organization)
    return [(number, person.key) for number, person in rows]


def test_an_erased_contact_is_not_made_again(
    bench: Bench, bia: Json, caplog: pytest.LogCaptureFixture
) -> None:
    talk(bench, bia)
    erase(bench, bia)
    for kind in ("organization.updated", "reconcile", "backfill"):
        bench.run(42, kind)
    assert shown(bench, email=EMAIL) == []
    assert held_back(bench) == [(bia["id"], "collaborator:2")]
    lines = [message for message in caplog.messages if "was deleted in Chatwoot" in message]
    assert len(lines) == 1
    assert f"sync erased --allow {bia['id']}" in lines[0]
    assert EMAIL not in caplog.text


def test_nor_is_anybody_else_kept_from_getting_one(bench: Bench, bia: Json) -> None:
    erase(bench, bia)
    collaborator(bench, 3, "caio")
    bench.run()
    assert len(shown(bench, email="caio@acme.example")) == 1
    assert shown(bench, email=EMAIL) == []


def test_when_an_administrator_allows_it_the_next_pass_makes_it(bench: Bench, bia: Json) -> None:
    erase(bench, bia)
    bench.run()
    bench.directory.erasures.allow([bia["id"]])
    bench.run()
    (anew,) = shown(bench, email=EMAIL)
    assert ours(anew)["middag_role"] == "member"
    assert held_back(bench) == []
    assert bench.directory.erasures.list_erasures() == []


def test_who_writes_to_us_again_is_seated(bench: Bench, bia: Json) -> None:
    """Chatwoot made that contact, because the person wrote again."""
    erase(bench, bia)
    bench.run()
    anew = bench.chat.add_contact(name="Bia", email=EMAIL)
    join(bench, anew, MAIL)
    assert bench.directory.find_unseated(anew["id"], EMAIL, "") == {42}
    bench.run()
    assert ours(anew)["middag_role"] == "member"
    assert held_back(bench) == []


def test_who_is_erased_again_is_not_made_again_either(bench: Bench, bia: Json) -> None:
    erase(bench, bia)
    bench.run()
    anew = bench.chat.add_contact(name="Bia", email=EMAIL)
    bench.run()
    erase(bench, anew)
    for _ in range(2):
        bench.run()
    assert shown(bench, email=EMAIL) == []
    bench.directory.erasures.allow([anew["id"]])
    bench.run()
    assert len(shown(bench, email=EMAIL)) == 1


def test_another_organization_makes_an_erased_person_no_contact(bench: Bench, bia: Json) -> None:
    erase(bench, bia)
    bench.run()
    company(bench.office, 45, "Beta SA")
    collaborator(bench, 9, "bia", organization=45)
    bench.run(45)
    assert shown(bench, email=EMAIL) == []
    assert held_back(bench, 45) == [(bia["id"], "collaborator:9")]


def test_a_person_of_two_organizations_is_erased_in_both(bench: Bench, bia: Json) -> None:
    company(bench.office, 45, "Beta SA")
    collaborator(bench, 9, "bia", organization=45)
    bench.run(45)
    erase(bench, bia)
    for organization in (45, 42, 45, 42):
        bench.run(organization)
    assert shown(bench, email=EMAIL) == []
    (erasure,) = bench.directory.erasures.list_erasures()
    assert (erasure.contact, erasure.organizations) == (bia["id"], (42, 45))


def test_a_new_email_of_the_same_collaborator_brings_nobody_back(bench: Bench, bia: Json) -> None:
    erase(bench, bia)
    bench.run()
    collaborator(bench, 2, "beatriz", phone="+55 61 98888-7777")
    bench.run()
    assert shown(bench, email="beatriz@acme.example") == []


def test_a_phone_brings_nobody_back_in_another_spelling(bench: Bench) -> None:
    company(bench.office, 42, "Acme", phone="+55 61 8888-7777")
    bench.run()
    (contact,) = shown(bench, name="Acme")
    erase(bench, contact)
    bench.run()
    company(bench.office, 45, "Acme Filial", phone="+55 61 98888-7777")
    bench.run(45)
    assert shown(bench, name="Acme Filial") == []


def test_a_company_without_a_key_is_not_made_again_either(bench: Bench) -> None:
    company(bench.office, 43, "Bare Ltda")
    bench.run(43)
    (contact,) = shown(bench, name="Bare Ltda")
    erase(bench, contact)
    for _ in range(2):
        bench.run(43)
    assert shown(bench, name="Bare Ltda") == []
    bench.directory.erasures.allow([contact["id"]])
    bench.run(43)
    assert len(shown(bench, name="Bare Ltda")) == 1


def test_who_left_and_comes_back_is_still_erased(bench: Bench, bia: Json) -> None:
    collaborator(bench, 3, "caio")
    erase(bench, bia)
    bench.run()
    bench.office.remove("collaborators", 42, 2)
    bench.run()
    assert held_back(bench) == []
    collaborator(bench, 2, "bia")
    bench.run()
    assert shown(bench, email=EMAIL) == []


def test_who_is_gone_when_the_organization_lets_them_go_is_no_trouble(
    bench: Bench, bia: Json
) -> None:
    collaborator(bench, 3, "caio")
    bench.run()
    erase(bench, bia)
    bench.office.remove("collaborators", 42, 2)
    bench.run()
    assert "collaborator:2" not in bench.directory.people_of(42)


def test_a_further_contact_that_is_erased_leaves_the_first(bench: Bench, bia: Json) -> None:
    other = bench.chat.add_contact(name="Bia", phone_number=PHONE)
    bench.run()
    erase(bench, other)
    bench.run()
    assert ours(bia)["middag_role"] == "member"
    assert held_back(bench) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("account_id", 7), ("status", "suspended"), ("failures", lambda _call: Failure(500))],
)
def test_what_is_no_word_about_the_contact_erases_nobody(
    bench: Bench, bia: Json, name: str, value: object
) -> None:
    """Chatwoot answers for an unknown account in the same words as for an unknown contact."""
    company(bench.office, 43, "Bare Ltda")
    bench.run(43)
    well = getattr(bench.chat, name)
    setattr(bench.chat, name, value)
    for organization in (42, 43):
        with pytest.raises(PanelError):
            bench.run(organization)
    setattr(bench.chat, name, well)
    before = set(bench.chat.contacts)
    for organization in (42, 43):
        bench.run(organization)
    assert bench.directory.erasures.list_erasures() == []
    assert set(bench.chat.contacts) == before


def test_our_table_names_nobody(bench: Bench, bia: Json) -> None:
    erase(bench, bia)
    bench.run()
    with bench.database.connect() as connection:
        rows = connection.execute(select(erasures)).all()
        key = connection.scalar(select(erasure_key.c.key))
    assert len(rows) == 3
    assert len(str(key)) == 64
    assert not any(word in repr(rows) for word in ("bia", "acme", "8888", "collaborator", "middag"))
