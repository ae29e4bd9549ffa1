"""Many people in one request: its cost, and that nobody is missed or taken for another."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from panel.data.directory import COMPANY
from panel.demo.chatwoot import Failure, never
from panel.demo.world import Call
from panel.errors import TryLater
from panel.sync.contact_search import ASKED_AT_ONCE
from tests.conftest import with_tables
from tests.sync.benches import bench_on, collaborator, ours
from tests.sync.passes import Bench

PEOPLE = 2 * ASKED_AT_ONCE - 1  # with the company, two requests


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A bench on one database, which does not matter here."""
    with bench_on(f"sqlite:///{with_tables(tmp_path)}/panel.db", tmp_path) as new_bench:
        yield new_bench


def populate(bench: Bench) -> None:
    for number in range(1, PEOPLE + 1):
        collaborator(bench, number, f"p{number}", phone=f"+55 61 98888-{number:04d}")


def questions(bench: Bench) -> list[Call]:
    return [call for call in bench.chat.calls if "/contacts/filter" in call.path]


def emails_in(call: Call) -> list[str]:
    rows: list[dict[str, Any]] = call.body["payload"]
    return [row["values"][0] for row in rows if row["attribute_key"] == "email"]


def test_a_steady_pass_asks_for_many_people_at_once(bench: Bench) -> None:
    populate(bench)
    bench.run()
    bench.chat.forget()
    bench.run()
    assert len(questions(bench)) == 2
    assert bench.chat.count() == 2 + PEOPLE + 1  # and one call for the conversations of each


def test_what_is_more_than_a_page_is_asked_in_halves(bench: Bench) -> None:
    populate(bench)
    for number in range(1, PEOPLE + 1):
        bench.chat.add_contact(email=f"p{number}@acme.example")
        bench.chat.add_contact(phone_number=f"+55618888{number:04d}")
        bench.chat.add_contact(phone_number=f"+556198888{number:04d}")
    before = len(bench.chat.contacts)
    bench.run()
    assert len(bench.chat.contacts) == before + 1  # the company's own contact
    assert all(ours(contact) for contact in bench.chat.contacts.values())


def test_one_person_with_more_contacts_than_a_page(bench: Bench) -> None:
    """Chatwoot's database admits the same phone many times."""
    collaborator(bench, 1, "ana", phone="+55 61 98888-0001")
    numbers = [bench.chat.add_contact(phone_number="+556188880001")["id"] for _ in range(40)]
    bench.chat.failures = lambda call: (
        Failure(503) if call.method == "PUT" else None  # writes fail, so no pass changes anything
    )
    with pytest.raises(TryLater):
        bench.run()
    bench.chat.failures = never
    assert bench.directory.find_seated(numbers) == set(numbers)


def test_a_question_that_fails_fails_one_person(bench: Bench) -> None:
    populate(bench)
    once = iter([Failure(500), Failure(500)])  # the request and its repetition

    def fail(call: Call) -> Failure | None:
        asks = "/contacts/filter" in call.path and len(emails_in(call)) > 1
        return next(once, None) if asks else None

    bench.chat.failures = fail
    with pytest.raises(TryLater):
        bench.run()
    keys = [key for key, person in bench.directory.people_of(42).items() if person.contact]
    assert len(keys) == PEOPLE
    assert COMPANY not in keys  # the request was made for the company


def test_an_intent_of_a_try_that_failed_is_no_contact(bench: Bench) -> None:
    populate(bench)
    bench.chat.failures = lambda call: (
        Failure(500) if call.method == "POST" and call.path.endswith("/contacts") else None
    )
    with pytest.raises(TryLater):
        bench.run()
    bench.chat.failures = never
    bench.run()
    assert len(bench.chat.contacts) == PEOPLE + 1
