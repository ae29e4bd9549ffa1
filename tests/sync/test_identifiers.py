"""Attacks on identifiers by an anonymous visitor: counting, and the random one."""

from typing import Any

import pytest
import requests

from panel.data.directory import COMPANY
from panel.demo.chatwoot import Failure, never
from panel.demo.world import Json
from panel.errors import TryLater
from tests.conftest import Panel, Worlds
from tests.sync.passes import company, person
from tests.sync.visited import (
    API_INBOX,
    as_earlier_version,
    command,
    panel,
    row,
    run,
    seats,
    worlds,
)
from tests.visitor import Visitor

__all__ = ["panel", "worlds"]  # fixtures


NUMBERS = range(1, 61)  # the numbers that a visitor tries


def count_through(worlds: Worlds) -> list[Json]:
    """Try all numbers; returns every row that shows more than the visitor stated."""
    rows = []
    for number in NUMBERS:
        for kind in ("user", "organization"):
            visitor = Visitor(worlds.chat_url)
            visitor.says(identifier=f"middag:{kind}:{number}")
            rows.append(visitor.reads())
    return [view for view in rows if view["email"] or view["custom_attributes"]]


# -- counting --------------------------------------------------------------------------------------


def test_counting_identifiers_finds_nobody_after_a_pass(panel: Panel, worlds: Worlds) -> None:
    run(panel)
    assert count_through(worlds) == []


def test_counting_found_everybody_on_a_database_of_an_earlier_version_until_the_first_pass(
    panel: Panel, worlds: Worlds
) -> None:
    as_earlier_version(panel)
    visitor = Visitor(worlds.chat_url)
    visitor.says(identifier="middag:user:7")
    assert visitor.reads()["email"] == "ana@acme.example"

    run(panel)

    assert count_through(worlds) == []
    identifiers = [seat.identifier for number in (42, 43) for seat in seats(panel, number).values()]
    assert not [text for text in identifiers if text and text.startswith("middag:")]


def test_whatever_number_stands_in_a_contact_of_ours_it_is_set_to_null(panel: Panel) -> None:
    run(panel)
    row(panel, email="ana@acme.example")["identifier"] = "MIDDAG:User:99"
    run(panel)
    assert row(panel, email="ana@acme.example")["identifier"] is None


def test_counting_through_the_public_api_of_an_api_inbox_finds_nobody(
    panel: Panel, worlds: Worlds
) -> None:
    run(panel)
    at = f"{worlds.chat_url}/public/api/v1/inboxes/inbox-{API_INBOX}/contacts"
    for number in (7, 8, 42, 43):
        for kind in ("user", "organization"):
            answer = requests.post(at, json={"identifier": f"middag:{kind}:{number}"}, timeout=9)
            body = answer.json()
            assert (answer.status_code, body["email"]) == (200, None)
            assert body["name"].startswith("quiet-cloud-")  # a new contact, named by Chatwoot


def test_an_identifier_that_chatwoot_could_not_remove_stays_noted(panel: Panel) -> None:
    """`setup` counts the identifiers in our table: one stands there until the contact is rid of
    it."""
    as_earlier_version(panel)
    number = row(panel, email="ana@acme.example")["id"]
    changed = f"/contacts/{number}"
    panel.chat.failures = lambda call: (
        Failure(503) if call.method == "PUT" and call.path.endswith(changed) else None
    )
    person(panel.office, 42, 1, "ana@acme.example", "admin", 7)
    with pytest.raises(TryLater):
        run(panel, 42)
    assert seats(panel, 42)["collaborator:1"].identifier == "middag:user:7"
    panel.chat.failures = never
    run(panel, 42)
    assert seats(panel, 42)["collaborator:1"].identifier is None


def test_who_left_is_not_found_by_counting_either(panel: Panel, worlds: Worlds) -> None:
    as_earlier_version(panel)
    panel.office.remove("collaborators", 42, 2)
    run(panel)
    assert row(panel, email="bia@acme.example")["identifier"] is None


# -- the random one --------------------------------------------------------------------------------


def test_an_identifier_stands_only_where_there_is_neither_email_nor_phone(panel: Panel) -> None:
    run(panel)
    assert {
        contact["name"] for contact in panel.chat.contacts.values() if contact["identifier"]
    } == {"Bare Ltda"}
    identifier = row(panel, name="Bare Ltda")["identifier"]
    assert len(identifier) >= 32
    assert "43" not in seats(panel, 43)[COMPANY].key
    assert seats(panel, 43)[COMPANY].identifier == identifier


def test_a_random_identifier_is_made_once(panel: Panel) -> None:
    run(panel)
    before = row(panel, name="Bare Ltda")["identifier"]
    panel.chat.forget()
    run(panel)
    assert (row(panel, name="Bare Ltda")["identifier"], panel.chat.writes) == (before, [])


def test_a_company_of_an_earlier_version_keeps_its_contact_and_gets_a_random_identifier(
    panel: Panel,
) -> None:
    as_earlier_version(panel)
    before = row(panel, name="Bare Ltda")
    run(panel)
    after = row(panel, name="Bare Ltda")
    assert after["id"] == before["id"]
    assert after["identifier"] == seats(panel, 43)[COMPANY].identifier
    assert "middag" not in after["identifier"]


def test_a_lost_answer_makes_nobody_twice(panel: Panel) -> None:
    """Chatwoot made the contact and its answer was lost: the next try finds the contact by our
    identifier."""
    once = iter([Failure(500, applied=True)])
    path = "/api/v1/accounts/1/contacts"
    panel.chat.failures = lambda call: next(once, None) if call.path == path else None
    with pytest.raises(TryLater):
        run(panel, 43)
    panel.chat.failures = never
    run(panel, 43)
    assert row(panel, name="Bare Ltda")["identifier"] == seats(panel, 43)[COMPANY].identifier


def test_a_try_that_fails_before_chatwoot_hears_of_it_keeps_its_identifier(panel: Panel) -> None:
    path = "/api/v1/accounts/1/contacts"
    panel.chat.failures = lambda call: Failure(503) if call.path == path else None
    with pytest.raises(TryLater):
        run(panel, 43)
    identifier = seats(panel, 43)[COMPANY].identifier
    panel.chat.failures = never
    run(panel, 43)
    assert row(panel, name="Bare Ltda")["identifier"] == identifier


def test_a_company_contact_that_has_an_email_by_now_gets_no_second_key(panel: Panel) -> None:
    """An agent typed the e-mail, so the random identifier is not written beside it again."""
    run(panel)
    bare = row(panel, name="Bare Ltda")
    bare.update(identifier=None, email="typed@bare.example")
    run(panel)
    assert bare["identifier"] is None


def test_a_company_that_loses_its_email_is_no_lost_contact(panel: Panel) -> None:
    """The former contact still calls itself the company's own, and stands in our table."""
    run(panel, 42)
    former = row(panel, email="contato@acme.example")
    company(panel.office, 42, "Acme Ltda")
    values: list[Any] = []
    panel.chat.failures = lambda call: values.append(call) if "filter" in call.path else None
    run(panel, 42)
    panel.chat.failures = never
    own = panel.chat.contacts[seats(panel, 42)[COMPANY].contact]
    assert own["identifier"] == seats(panel, 42)[COMPANY].identifier
    assert (own["id"] != former["id"], former["custom_attributes"]) == (True, {})


def test_no_command_and_no_log_shows_an_identifier(
    panel: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    rehearsed = command(panel, "sync", "drift", "42", "43").output
    run(panel)
    identifier = row(panel, name="Bare Ltda")["identifier"]
    panel.chat.contacts[seats(panel, 43)[COMPANY].contact]["identifier"] = None
    drift = command(panel, "sync", "drift", "43", "--json").output
    assert "organization 43: nobody in Chatwoot is Bare Ltda: a contact should be made" in rehearsed
    assert '"identifier": "(hidden)"' in drift
    everything = (
        rehearsed + drift + command(panel, "setup").output + command(panel, "access").output
    )
    assert identifier not in everything + caplog.text
