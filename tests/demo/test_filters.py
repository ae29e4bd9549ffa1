"""Chatwoot's filter finds what SQL finds, and refuses in its own words."""

from typing import Any

import pytest

from panel.demo.world import Json
from tests.demo.conftest import Desk

OF_PHONES = "equal_to,not_equal_to,contains,does_not_contain,starts_with"


def define(desk: Desk, key: str, kind: str = "text", model: str = "contact_attribute") -> None:
    fields = {"attribute_display_name": key, "attribute_display_type": kind}
    body = {"attribute_key": key, "attribute_model": model, **fields}
    assert desk.ask("POST", "/custom_attribute_definitions", body).ok


def test_is_present_answers_fifteen_a_page_and_how_many_there_are(desk: Desk) -> None:
    define(desk, "middag_organization_id")
    for at in range(20):
        attributes = {"middag_organization_id": str(at)}
        desk.chat.add_contact(email=f"p{at}@acme.example", custom_attributes=attributes)
    condition = {"attribute_key": "middag_organization_id", "filter_operator": "is_present"}
    pages: list[Json] = [
        desk.ask(
            "POST",
            f"/contacts/filter?page={page}&include_contact_inboxes=false",
            {"payload": [{**condition, "values": []}]},
        ).json()
        for page in (1, 2, 3)
    ]
    assert [len(page["payload"]) for page in pages] == [15, 5, 0]
    assert pages[1]["meta"] == {"count": 20, "current_page": "2"}
    assert "contact_inboxes" not in pages[0]["payload"][0]
    assert desk.find("middag_organization_id", "is_not_present", []) == [57]


def test_without_a_page_the_first_is_a_number(desk: Desk) -> None:
    assert desk.ask("GET", "/contacts").json()["meta"] == {"count": 1, "current_page": 1}


@pytest.mark.parametrize(
    ("key", "operator", "values", "words"),
    [
        (
            "identifier",
            "contains",
            ["middag:"],
            "Invalid operator. The allowed operators for identifier are [equal_to,not_equal_to].",
        ),
        (
            "phone_number",
            "is_present",
            [],
            f"Invalid operator. The allowed operators for phone_number are [{OF_PHONES}].",
        ),
        ("nokey", "equal_to", [], "Invalid value. The values provided for nokey are invalid"),
    ],
)
def test_a_refusal_lists_what_is_allowed(
    desk: Desk, key: str, operator: str, values: list[Any], words: str
) -> None:
    assert desk.find(key, operator, values) == {"error": words}


def test_a_part_of_an_identifier_is_found_by_search_alone_and_with_case(desk: Desk) -> None:
    desk.chat.contacts[57]["identifier"] = "middag:user:7"
    body = desk.ask("GET", "/contacts/search", q="middag:", page=1).json()
    assert [row["id"] for row in body["payload"]] == [57]
    assert body["meta"] == {"count": 1, "current_page": "1", "has_more": False}
    assert desk.ask("GET", "/contacts/search", q="Middag:").json()["payload"] == []


def test_nothing_differs_from_no_value_but_a_custom_attribute_does(desk: Desk) -> None:
    define(desk, "plan")
    desk.chat.add_contact(58, name="B", phone_number="+5561999990000")
    assert desk.find("email", "not_equal_to", ["x@y.example"]) == [57]
    assert desk.find("email", "does_not_contain", ["nobody"]) == [57]
    assert desk.find("plan", "not_equal_to", ["Gold"]) == [57, 58]


def test_contains_looks_for_any_of_its_values(desk: Desk) -> None:
    assert desk.find("email", "contains", ["nobody", "ACME"]) == [57]


def test_moments_are_compared_by_their_day(desk: Desk) -> None:
    desk.chat.contacts[57]["created_at"] = 1795981383  # 2026-11-29
    assert desk.find("created_at", "is_greater_than", ["2026-11-28"]) == [57]
    assert desk.find("created_at", "is_greater_than", ["2026-11-29"]) == []
    assert desk.find("created_at", "is_less_than", ["2026-11-30"]) == [57]


def test_an_empty_filter_lets_everybody_through(desk: Desk) -> None:
    assert desk.filter([]) == [57]


def test_a_type_that_has_no_cast_breaks(desk: Desk) -> None:
    define(desk, "price", "currency")
    assert desk.find("price", "equal_to", ["1"]) == {
        "status": 500,
        "error": "Internal Server Error",
    }


def test_conversations_are_found_by_our_attribute_and_counted(desk: Desk) -> None:
    define(desk, "middag_organization_id", model="conversation_attribute")
    desk.chat.conversations[5]["custom_attributes"] = {"middag_organization_id": "42"}
    condition = {"attribute_key": "middag_organization_id", "filter_operator": "equal_to"}
    body = {"payload": [{**condition, "values": ["42"], "query_operator": None}]}
    document = desk.ask("POST", "/conversations/filter", body).json()
    assert [row["id"] for row in document["payload"]] == [5]
    assert document["meta"] == {"mine_count": 0, "unassigned_count": 1, "all_count": 1}
