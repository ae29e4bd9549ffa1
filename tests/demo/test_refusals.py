"""The refusals of the built-in Chatwoot: the same, in the same words, as the real one's."""

from typing import Any

import pytest
import requests

from panel.demo.chatwoot import Failure
from tests.demo.conftest import TOKEN, Desk

BROKEN = (500, {"status": 500, "error": "Internal Server Error"})
ATTRIBUTES = "/conversations/5/custom_attributes"
LONG, LARGE = "x" * 1501, 10_000_000_000
TOO_LONG = "Custom attributes {} length should be < 1500"
TOO_LARGE = "Custom attributes {} value should be < 9999999999"


def limits(words: str) -> tuple[int, Any]:
    return 422, {"message": words, "attributes": ["custom_attributes"]}


# -- limits of attributes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "words"), [(LONG, TOO_LONG.format("a")), (LARGE, TOO_LARGE.format("a"))]
)
def test_a_conversation_has_limits(desk: Desk, value: Any, words: str) -> None:
    assert desk.refuse("POST", ATTRIBUTES, {"custom_attributes": {"a": value}}) == limits(words)
    assert desk.chat.conversations[5]["custom_attributes"] == {}
    assert desk.chat.writes == []


def test_at_its_limits_a_value_is_taken(desk: Desk) -> None:
    fields = {"a": "x" * 1500, "b": 9_999_999_999, "c": 1e12, "d": [LONG]}
    answer = desk.ask("POST", ATTRIBUTES, {"custom_attributes": fields})
    assert answer.json() == {"custom_attributes": fields}


@pytest.mark.parametrize("column", ["custom_attributes", "additional_attributes"])
def test_a_stored_value_beyond_them_refuses_every_write(desk: Desk, column: str) -> None:
    desk.chat.conversations[5][column] = {"old": LONG}
    attributes = desk.chat.conversations[5]["custom_attributes"]
    words = TOO_LONG.format("old").replace("Custom", column.split("_", maxsplit=1)[0].capitalize())
    refusal = 422, {"message": words, "attributes": [column]}
    body = {"custom_attributes": {**attributes, "new": "1"}}
    assert desk.refuse("POST", ATTRIBUTES, body) == refusal
    other = {"custom_attributes": ["other"]}
    assert desk.refuse("POST", "/conversations/5/destroy_custom_attributes", other) == refusal


def test_a_contact_has_no_such_limits(desk: Desk) -> None:
    body = {"custom_attributes": {"a": LONG, "b": LARGE}}
    assert desk.ask("PUT", "/contacts/57", body).status_code == 200


# -- calls that break it
# ---------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [{}, {"custom_attributes": None}, {"custom_attributes": "text"}])
def test_attributes_without_an_object_break_and_empty_nothing(desk: Desk, body: Any) -> None:
    desk.chat.conversations[5]["custom_attributes"] = {"topic": "billing"}
    assert desk.refuse("POST", ATTRIBUTES, body) == BROKEN
    assert desk.chat.conversations[5]["custom_attributes"] == {"topic": "billing"}


@pytest.mark.parametrize("body", [{}, {"payload": None}, {"payload": "email"}])
def test_a_filter_without_a_payload_breaks(desk: Desk, body: Any) -> None:
    assert desk.refuse("POST", "/contacts/filter", body) == BROKEN


def test_a_definition_of_an_unknown_type_breaks(desk: Desk) -> None:
    body = {"attribute_key": "q", "attribute_display_name": "Q", "attribute_display_type": 99}
    assert desk.refuse("POST", "/custom_attribute_definitions", body) == BROKEN


def test_an_error_that_nobody_rescued_has_its_own_content_type(desk: Desk) -> None:
    answer = desk.ask("POST", "/contacts/filter", {})
    assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"


# -- several faults at once ------------------------------------------------------------------------


def test_every_fault_of_a_contact_is_named_once_in_the_order_of_the_rules(desk: Desk) -> None:
    desk.chat.contacts[57]["identifier"] = "shop-7"
    body = {"name": "N" * 256, "email": "ANA@acme.example", "identifier": "shop-7"}
    words = "Name is too long (maximum is 255 characters), Email has already been taken"
    sentence = f"{words}, Identifier has already been taken, Phone number should be in e164 format"
    assert desk.refuse("POST", "/contacts", {**body, "phone_number": "61"}) == (
        422,
        {"message": sentence, "attributes": ["name", "email", "identifier", "phone_number"]},
    )


def test_a_merge_that_would_be_invalid_loses_nobody(desk: Desk) -> None:
    desk.chat.add_contact(58, name="B", phone_number="061 9999")
    body = {"base_contact_id": 57, "mergee_contact_id": 58}
    status, refusal = desk.refuse("POST", "/actions/contact_merge", body)
    assert (status, refusal["attributes"]) == (422, ["phone_number"])
    assert set(desk.chat.contacts) == {57, 58}


# -- no such address -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/chat/api/v1/accounts/1/agents", "/api/v1/accounts/1/nothing"])
@pytest.mark.parametrize(
    ("accepts", "kind"), [("*/*", "text/html"), ("application/json", "application/json")]
)
def test_an_unknown_path_is_a_page_or_json_for_who_accepts_only_that(
    desk: Desk, path: str, accepts: str, kind: str
) -> None:
    headers = {"Accept": accepts, "Api-Access-Token": TOKEN}
    answer = requests.get(desk.url + path, headers=headers, timeout=9)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, f"{kind}; charset=UTF-8")
    if kind != "text/html":
        assert answer.json() == {"status": 404, "error": "Not Found"}


def test_rails_looks_for_the_address_before_it_asks_who_calls(desk: Desk) -> None:
    answer = requests.get(f"{desk.url}/api/v1/accounts/1/nothing", timeout=9)
    assert answer.status_code == 404


def test_below_app_everything_is_the_dashboard_which_is_no_json(desk: Desk) -> None:
    at = f"{desk.url}/app/api/v1/accounts/1/agents"
    assert requests.get(at, timeout=9).headers["Content-Type"] == "text/html; charset=utf-8"
    answer = requests.get(at, headers={"Accept": "application/json"}, timeout=9)
    assert (answer.status_code, list(answer.json())) == (406, ["error"])
    assert requests.post(at, json={}, timeout=9).status_code == 404


# -- outages ---------------------------------------------------------------------------------------


def test_a_database_that_takes_too_long_names_no_attributes(desk: Desk) -> None:
    desk.chat.failures = lambda _call: Failure(422)
    words = {"error": "The request took too long to complete. Please try again."}
    assert desk.refuse("PUT", "/contacts/57", {"name": "A"}) == (422, words)
