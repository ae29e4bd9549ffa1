"""The built-in Chatwoot's contacts: keys, filters, pages, merges."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.demo.both_worlds import Worlds, worlds

__all__ = ["worlds"]  # a fixture


def test_contact_attributes_are_merged_shallowly(worlds: Worlds) -> None:
    body = {"custom_attributes": {"plan": {"name": "A"}, "n": 1}}
    worlds.call("PUT", "/contacts/301", body)
    body = {"custom_attributes": {"plan": {"tier": 2}, "n": None}}
    contact = worlds.call("PATCH", "/contacts/301", body).json()["payload"]
    assert contact["custom_attributes"] == {
        "middag_organization_id": "42", "plan": {"tier": 2}, "n": None,
    }  # fmt: skip
    path = "/contacts/301/destroy_custom_attributes"
    contact = worlds.call("POST", path, {"custom_attributes": ["plan", "n"]}).json()["payload"]
    assert contact["custom_attributes"] == {"middag_organization_id": "42"}


@pytest.mark.parametrize(
    ("fields", "attributes"),
    [
        ({"email": "ANA@acme.example"}, ["email"]),
        ({"phone_number": "+5561999990001"}, ["phone_number"]),
        ({"identifier": "middag:organization:46"}, ["identifier"]),
        ({"phone_number": "61 99999-0001"}, ["phone_number"]),
        ({"email": "not an address"}, ["email"]),
        ({"email": "ana@acme.example", "phone_number": "+5561999990001"},
         ["email", "phone_number"]),
    ],
)  # fmt: skip
def test_422_names_the_attributes_and_not_the_contact_in_the_way(
    worlds: Worlds, fields: dict[str, str], attributes: list[str]
) -> None:
    answer = worlds.call("POST", "/contacts", {"name": "New", **fields})
    assert answer.status_code == 422
    assert answer.json()["attributes"] == attributes
    assert set(answer.json()) == {"message", "attributes"}
    assert worlds.chat.writes == []


def test_a_new_contact_has_its_email_in_lower_case_and_its_inbox(worlds: Worlds) -> None:
    body = {"name": "New", "email": "New@X.example", "inbox_id": 1, "source_id": "s"}
    payload = worlds.call("POST", "/contacts", body).json()["payload"]
    assert payload["contact"]["email"] == "new@x.example"
    assert payload["contact"]["contact_inboxes"] == [payload["contact_inbox"]]
    assert payload["contact_inbox"]["source_id"] == "s"
    assert [call.body for call in worlds.chat.writes] == [body]


def test_a_second_empty_identifier_is_a_server_error(worlds: Worlds) -> None:
    body = {"name": "New", "identifier": ""}
    statuses = [worlds.call("POST", "/contacts", body).status_code for _ in range(2)]
    assert statuses == [200, 500]
    assert worlds.call("PUT", "/contacts/301", {"identifier": ""}).status_code == 500


def test_a_contact_with_a_bad_phone_cannot_be_updated_at_all(worlds: Worlds) -> None:
    worlds.chat.contacts[301]["phone_number"] = "061 9999"
    answer = worlds.call("PUT", "/contacts/301", {"custom_attributes": {"a": 1}})
    assert (answer.status_code, answer.json()["attributes"]) == (422, ["phone_number"])


def test_one_of_many_simultaneous_creations_wins(worlds: Worlds) -> None:
    body = {"name": "New", "email": "same@x.example"}
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(worlds.call, "POST", "/contacts", body) for _ in range(8)]
        statuses = sorted(call.result().status_code for call in calls)
    assert statuses == [200] + [422] * 7


def test_filter_finds_exactly_and_without_case(worlds: Worlds) -> None:
    body = worlds.filter(("email", "equal_to", ["ANA@ACME.example"], None)).json()
    assert [row["id"] for row in body["payload"]] == [301]
    assert body["meta"] == {"count": 1, "current_page": 1}
    assert worlds.filter(("email", "equal_to", ["ana@"], None)).json()["payload"] == []


def test_filter_adds_the_plus_to_a_phone(worlds: Worlds) -> None:
    body = worlds.filter(("phone_number", "equal_to", ["5561999990001"], None)).json()
    assert [row["id"] for row in body["payload"]] == [301]


def test_filter_compares_with_the_first_value_alone(worlds: Worlds) -> None:
    values = ["ana@acme.example", "beatriz@nova.example"]
    body = worlds.filter(("email", "equal_to", values, None)).json()
    assert [row["id"] for row in body["payload"]] == [301]


def test_filter_joins_flat_with_and_before_or(worlds: Worlds) -> None:
    body = worlds.filter(
        ("email", "equal_to", ["beatriz@nova.example"], "OR"),
        ("email", "equal_to", ["ana@acme.example"], "AND"),
        ("name", "equal_to", ["nobody"], None),
    ).json()
    assert [row["id"] for row in body["payload"]] == [302]


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        (("nothing", "equal_to", ["x"], None), 422),
        (("email", "resembles", ["x"], None), 422),
        (("email", "equal_to", [], None), 422),
        (("email", "equal_to", ["x"], "XOR"), 422),
        (("email", "equal_to", ["x"], "AND"), 500),
        (("middag_organization_id", "equal_to", ["42"], None), 422),
    ],
)
def test_filter_refuses_what_it_does_not_know(
    worlds: Worlds, condition: tuple[str, str, list[Any], str | None], status: int
) -> None:
    assert worlds.filter(condition).status_code == status


def test_a_custom_attribute_is_filtered_once_it_has_a_definition(worlds: Worlds) -> None:
    definition = {
        "attribute_display_name": "Organization", "attribute_key": "middag_organization_id",
        "attribute_display_type": 0, "attribute_model": 1,
    }  # fmt: skip
    body = {"custom_attribute_definition": definition}
    assert worlds.call("POST", "/custom_attribute_definitions", body).json()["attribute_model"] == (
        "contact_attribute"
    )
    rows = worlds.filter(("middag_organization_id", "equal_to", ["42"], None)).json()
    assert [row["id"] for row in rows["payload"]] == [301]


def test_list_and_filter_hide_contacts_without_any_key(worlds: Worlds) -> None:
    worlds.chat.add_contact(900, name="Ghost")
    assert worlds.filter(("name", "equal_to", ["ghost"], None)).json()["payload"] == []
    assert worlds.call("GET", "/contacts/900").json()["payload"]["name"] == "Ghost"
    assert worlds.call("GET", "/contacts/search?q=host").json()["meta"]["count"] == 1


def test_contacts_come_fifteen_a_page(worlds: Worlds) -> None:
    pages = [worlds.call("GET", f"/contacts?sort=created_at&page={page}").json() for page in (1, 2)]
    assert [len(page["payload"]) for page in pages] == [15, 6]
    assert pages[0]["meta"] == {"count": 21, "current_page": "1"}
    assert "labels" not in pages[0]["payload"][0]


def test_a_merge_keeps_the_base_and_moves_the_conversations(worlds: Worlds) -> None:
    worlds.chat.contacts[301]["custom_attributes"] = {"a": {"x": 1}}
    worlds.chat.contacts[302]["custom_attributes"] = {"a": {"x": 2, "y": 2}, "b": 2}
    worlds.chat.contacts[301]["phone_number"] = None
    body = {"base_contact_id": 301, "mergee_contact_id": 302}
    base = worlds.call("POST", "/actions/contact_merge", body).json()
    assert (base["email"], base["phone_number"]) == ("ana@acme.example", "+5562998120002")
    assert base["custom_attributes"] == {"a": {"x": 1, "y": 2}, "b": 2}
    assert worlds.call("GET", "/contacts/302").status_code == 404
    assert worlds.chat.conversations[102]["contact_id"] == 301


def test_only_administrators_delete_contacts_and_only_those_offline(worlds: Worlds) -> None:
    assert worlds.call("DELETE", "/contacts/301", token="demo-agent-token").status_code == 401
    worlds.chat.contacts[301]["availability_status"] = "online"
    assert worlds.call("DELETE", "/contacts/301").status_code == 422
    worlds.chat.contacts[301]["availability_status"] = "offline"
    assert worlds.call("DELETE", "/contacts/301").status_code == 200
    assert 101 not in worlds.chat.conversations
