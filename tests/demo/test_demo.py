"""The built-in worlds keep the manners, and the traps, of the real ones."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
import requests

from panel.demo.backoffice import LISTS, BackOffice
from panel.demo.chatwoot import Chatwoot, Failure
from panel.demo.faults import FAULTS
from panel.demo.page import Page
from panel.demo.scenarios import SCENARIOS
from panel.demo.serve import House
from panel.demo.worlds import ADMIN_TOKEN, SECRET, demo_worlds, serve
from tests.conftest import with_tables

TODAY = date(2026, 5, 4)
API = "/wp-json/middag-account/v1"


@dataclass(frozen=True)
class Worlds:
    office: BackOffice
    chat: Chatwoot
    office_url: str
    chat_url: str

    def read(self, path: str, organization: int | None = 42, **headers: str) -> requests.Response:
        sent = {"Authorization": f"Bearer {SECRET}", **headers}
        if organization is not None:
            sent["X-Middag-Organization"] = str(organization)
        return requests.get(
            self.office_url + API + path, headers=sent, timeout=5, allow_redirects=False
        )

    def call(
        self, method: str, path: str, body: Any = None, token: str = ADMIN_TOKEN
    ) -> requests.Response:
        url = f"{self.chat_url}/api/v1/accounts/1{path}"
        headers = {"Api-Access-Token": token}
        return requests.request(method, url, json=body, headers=headers, timeout=5)

    def filter(self, *conditions: tuple[str, str, list[Any], str | None]) -> requests.Response:
        keys = ("attribute_key", "filter_operator", "values", "query_operator")
        payload = [dict(zip(keys, condition, strict=True)) for condition in conditions]
        return self.call("POST", "/contacts/filter", {"payload": payload})


@pytest.fixture
def worlds() -> Iterator[Worlds]:
    office, chat = demo_worlds(TODAY)
    servers = serve(office.app), serve(chat.app)
    yield Worlds(office, chat, servers[0].url, servers[1].url)
    for server in servers:
        server.stop()


# The back office


def test_a_wrong_bearer_gets_wordpress_own_error_shape(worlds: Worlds) -> None:
    answer = worlds.read("/orders", Authorization="Bearer wrong")
    assert answer.status_code == 401
    assert answer.json()["data"] == {"status": 401}


def test_every_secret_of_the_list_is_accepted(worlds: Worlds) -> None:
    worlds.office.secrets.append("the-new-secret")
    assert worlds.read("/orders", Authorization="Bearer the-new-secret").status_code == 200
    assert worlds.read("/orders").status_code == 200


@pytest.mark.parametrize(
    ("path", "organization", "status", "code"),
    [
        ("/orders", None, 400, "VALIDATION_ERROR"),
        ("/orders", 999, 404, "NOT_FOUND"),
        ("/organizations/999", 999, 404, "NOT_FOUND"),
        ("/organizations/43", 42, 403, "AUTHORIZATION_ERROR"),
    ],
)
def test_the_organization_header_is_checked(
    worlds: Worlds, path: str, organization: int | None, status: int, code: str
) -> None:
    answer = worlds.read(path, organization)
    assert answer.status_code == status
    assert answer.json()["errors"]["code"] == code


def test_an_unknown_route_is_wordpress_own_404(worlds: Worlds) -> None:
    assert worlds.read("/nothing").json()["code"] == "rest_no_route"


def test_a_list_comes_in_pages_of_twenty(worlds: Worlds) -> None:
    pages = [worlds.read(f"/orders?org=44&page={page}", 44).json() for page in (1, 2, 3, 4)]
    assert [len(page["data"]) for page in pages] == [20, 20, 20, 0]
    assert pages[0]["meta"] == {"page": 1, "per_page": 20, "total": 60, "pages": 3}
    assert len({row["id"] for page in pages for row in page["data"]}) == 60


def test_the_envelope_of_the_contradictions_holds_data_alone(worlds: Worlds) -> None:
    assert set(worlds.read("/orders", 48).json()) == {"data"}
    assert set(worlds.read("/orders", 42).json()) == {
        "success", "data", "meta", "message", "errors",
    }  # fmt: skip


def test_put_replaces_the_row_with_its_id_and_remove_takes_it_away(worlds: Worlds) -> None:
    worlds.office.put("orders", 43, {"id": 1, "status": "pending"})
    worlds.office.put("orders", 43, {"id": 1, "status": "completed"})
    assert worlds.read("/orders", 43).json()["data"] == [{"id": 1, "status": "completed"}]
    worlds.office.remove("orders", 43, 1)
    assert worlds.read("/orders", 43).json()["data"] == []


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("500", 500), ("502", 502), ("429", 429), ("wordpress401", 401), ("html", 200),
        ("badjson", 200), ("wrongshape", 200), ("foreign", 200), ("404", 404), ("403", 403),
        ("rest_no_route", 404), ("huge", 200), ("redirect", 302),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/organizations/42", "/orders"])
def test_a_fault_answers_as_its_name_says(
    worlds: Worlds, fault: str, status: int, path: str
) -> None:
    worlds.office.fault(fault)
    assert worlds.read(path).status_code == status
    worlds.office.heal()
    assert worlds.read(path).status_code == 200
    assert worlds.read(path).json()["success"] is True


@pytest.mark.parametrize("fault", ["reset", "truncated"])
def test_a_broken_connection_is_no_answer(worlds: Worlds, fault: str) -> None:
    worlds.office.fault(fault)
    with pytest.raises(requests.RequestException):
        worlds.read("/orders").json()


def test_429_says_when_to_come_back(worlds: Worlds) -> None:
    worlds.office.fault("429")
    worlds.office.retry_after = 7
    assert worlds.read("/orders").headers["Retry-After"] == "7"


def test_foreign_rows_name_another_organization(worlds: Worlds) -> None:
    worlds.office.fault("foreign")
    owners = {row.get("organization_id", 42) for row in worlds.read("/quotes").json()["data"]}
    assert owners == {42, 1042}


def test_a_fault_keeps_to_its_organization_and_section(worlds: Worlds) -> None:
    worlds.office.fault("500", 42, "orders")
    assert worlds.read("/orders").status_code == 500
    assert worlds.read("/quotes").status_code == 200
    assert worlds.read("/orders", 44).status_code == 200
    worlds.office.heal(44)
    assert worlds.read("/orders").status_code == 500
    worlds.office.heal(42)
    assert worlds.read("/orders").status_code == 200


def test_who_hangs_goes_home_when_the_server_stops() -> None:
    office, _ = demo_worlds(TODAY)
    server = serve(office.app)
    headers = {"Authorization": f"Bearer {SECRET}", "X-Middag-Organization": "52"}
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(
            requests.get, server.url + API + "/orders", headers=headers, timeout=20
        )
        while not office.count("/orders"):
            time.sleep(0.01)
        server.stop()
        assert hanging.result(timeout=5).status_code == 504


def test_calls_are_written_down_with_query_and_headers(worlds: Worlds) -> None:
    worlds.read("/orders?org=42&page=1")
    (call,) = worlds.office.calls
    assert (call.method, call.path) == ("GET", API + "/orders")
    assert call.query == {"org": "42", "page": "1"}
    assert call.headers["x-middag-organization"] == "42"
    assert worlds.office.count("/orders") == worlds.office.count(API) == 1
    assert worlds.office.count("/quotes") == 0


# The scenarios


def test_every_scenario_has_its_conversation_contact_and_organizations(worlds: Worlds) -> None:
    for row in SCENARIOS.values():
        conversation = worlds.chat.conversations[row.conversation]
        assert conversation["contact_id"] == row.contact
        assert set(row.organizations) <= set(worlds.office.organizations)
        assert row.fault is None or row.fault in FAULTS


def test_behind_every_fault_is_a_healthy_organization(worlds: Worlds) -> None:
    worlds.office.heal()
    for row in SCENARIOS.values():
        for organization in row.organizations if row.fault else ():
            for name in LISTS:
                assert worlds.office.rows(name, organization), (row.name, name)


def test_ids_are_unique_within_every_list(worlds: Worlds) -> None:
    for name in LISTS:
        lists: dict[int, list[dict[str, Any]]] = getattr(worlds.office, name)
        ids = [row["id"] for rows in lists.values() for row in rows if "id" in row]
        assert len(ids) == len(set(ids)), name


def test_the_world_is_the_same_on_the_same_day() -> None:
    one, two = demo_worlds(TODAY), demo_worlds(TODAY)
    assert one[0].orders == two[0].orders
    assert one[1].conversations == two[1].conversations


def test_licenses_expire_as_many_days_from_today_as_the_scenario_says(worlds: Worlds) -> None:
    rows = worlds.read("/licenses", 46).json()["data"]
    ends = [row["expires_at"] and datetime.fromisoformat(row["expires_at"]).date() for row in rows]
    days = [end and (end - TODAY).days for end in ends]
    assert days == [3, 12, 29, -5, -20, -200, None, 180, 90]


# Chatwoot, who may call what


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, {"errors": ["You need to sign in or sign up before continuing."]}),
        ({"Api-Access-Token": "wrong"}, {"error": "Invalid Access Token"}),
    ],
)
def test_a_call_without_a_good_token_is_401(
    worlds: Worlds, headers: dict[str, str], body: dict[str, Any]
) -> None:
    answer = requests.get(f"{worlds.chat_url}/api/v1/accounts/1/agents", headers=headers, timeout=5)
    assert (answer.status_code, answer.json()) == (401, body)


@pytest.mark.parametrize("name", ["api_access_token", "Api-Access-Token"])
def test_both_spellings_of_the_token_header_are_read(worlds: Worlds, name: str) -> None:
    url = f"{worlds.chat_url}/api/v1/profile"
    profile = requests.get(url, headers={name: ADMIN_TOKEN}, timeout=5).json()
    assert profile["accounts"][0]["role"] == "administrator"
    assert profile["access_token"] == ADMIN_TOKEN


def test_a_dashboard_session_is_read_from_its_three_headers(worlds: Worlds) -> None:
    headers = {"access-token": "demo-session", "client": "demo-client"}
    headers["uid"] = "bruno@suporte.example"
    url = f"{worlds.chat_url}/api/v1/profile"
    assert requests.get(url, headers=headers, timeout=5).json()["name"] == "Bruno Lima"
    headers["client"] = "another"
    assert requests.get(url, headers=headers, timeout=5).status_code == 401


def test_a_role_too_low_is_401_and_changes_nothing(worlds: Worlds) -> None:
    body = {"attribute_display_name": "Plan", "attribute_key": "plan"}
    answer = worlds.call("POST", "/custom_attribute_definitions", body, "demo-agent-token")
    assert answer.status_code == 401
    assert answer.json() == {"error": "You are not authorized to do this action"}
    assert worlds.chat.definitions == {}
    assert worlds.chat.writes == []


def test_an_agent_outside_the_inbox_does_not_see_its_conversations(worlds: Worlds) -> None:
    assert worlds.call("GET", "/conversations/101", token="demo-agent-token").ok
    assert worlds.call("GET", "/conversations/101", token="demo-outsider-token").status_code == 401
    members = worlds.call("GET", "/inbox_members/3").json()["payload"]
    assert [agent["name"] for agent in members] == ["Bruno Lima"]


@pytest.mark.parametrize("path", ["/conversations/1", "/contacts/1", "/inbox_members/9"])
def test_what_is_not_there_is_404(worlds: Worlds, path: str) -> None:
    answer = worlds.call("GET", path)
    assert (answer.status_code, answer.json()) == (404, {"error": "Resource could not be found"})


def test_the_version_is_public(worlds: Worlds) -> None:
    assert requests.get(f"{worlds.chat_url}/api", timeout=5).json()["version"] == "4.16.2"


# Chatwoot, conversations


def test_a_conversation_shows_its_contact_channel_and_display_id(worlds: Worlds) -> None:
    row = worlds.call("GET", "/conversations/103").json()
    assert (row["id"], row["account_id"], row["inbox_id"]) == (103, 1, 2)
    assert row["meta"]["sender"]["id"] == 303
    assert row["meta"]["channel"] == "Channel::Whatsapp"
    assert row["meta"]["hmac_verified"] is False


def test_a_conversation_attribute_write_replaces_the_whole_object(worlds: Worlds) -> None:
    path = "/conversations/107/custom_attributes"
    answer = worlds.call("POST", path, {"custom_attributes": {"a": 1}, "merge": True})
    assert answer.json() == {"custom_attributes": {"a": 1}}
    worlds.chat.merge = True
    answer = worlds.call("POST", path, {"custom_attributes": {"b": 2}, "merge": True})
    assert answer.json() == {"custom_attributes": {"a": 1, "b": 2}}
    answer = worlds.call("POST", path, {"custom_attributes": {"b": 3}})
    assert answer.json() == {"custom_attributes": {"b": 3}}


def test_conversation_attributes_are_removed_by_key(worlds: Worlds) -> None:
    path = "/conversations/107/destroy_custom_attributes"
    answer = worlds.call("POST", path, {"custom_attributes": ["middag_organization_id", "x"]})
    assert answer.json() == {"custom_attributes": {}}


def test_conversations_are_listed_and_filtered(worlds: Worlds) -> None:
    listed = worlds.call("GET", "/conversations").json()["data"]
    assert listed["meta"]["all_count"] == len(listed["payload"]) == len(SCENARIOS)
    payload = [
        {"attribute_key": "status", "filter_operator": "equal_to", "values": ["open"],
         "query_operator": "AND"},
        {"attribute_key": "inbox_id", "filter_operator": "equal_to", "values": [3],
         "query_operator": None},
    ]  # fmt: skip
    answer = worlds.call("POST", "/conversations/filter", {"payload": payload}).json()
    assert [row["id"] for row in answer["payload"]] == [104]


def test_the_conversations_of_a_contact_are_the_last_twenty(worlds: Worlds) -> None:
    for at in range(25):
        worlds.chat.add_conversation(301, last_activity_at=at)
    rows = worlds.call("GET", "/contacts/301/conversations").json()["payload"]
    assert rows[0]["id"] == 101
    assert len(rows) == 20


# Chatwoot, contacts


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
    found = worlds.filter(("email", "equal_to", ["ANA@ACME.example"], None)).json()
    assert [row["id"] for row in found["payload"]] == [301]
    assert found["meta"] == {"count": 1, "current_page": 1}
    assert worlds.filter(("email", "equal_to", ["ana@"], None)).json()["payload"] == []


def test_filter_adds_the_plus_to_a_phone(worlds: Worlds) -> None:
    found = worlds.filter(("phone_number", "equal_to", ["5561999990001"], None)).json()
    assert [row["id"] for row in found["payload"]] == [301]


def test_filter_compares_with_the_first_value_alone(worlds: Worlds) -> None:
    values = ["ana@acme.example", "beatriz@nova.example"]
    found = worlds.filter(("email", "equal_to", values, None)).json()
    assert [row["id"] for row in found["payload"]] == [301]


def test_filter_joins_flat_with_and_before_or(worlds: Worlds) -> None:
    found = worlds.filter(
        ("email", "equal_to", ["beatriz@nova.example"], "OR"),
        ("email", "equal_to", ["ana@acme.example"], "AND"),
        ("name", "equal_to", ["nobody"], None),
    ).json()
    assert [row["id"] for row in found["payload"]] == [302]


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
    found = worlds.filter(("middag_organization_id", "equal_to", ["42"], None)).json()
    assert [row["id"] for row in found["payload"]] == [301]


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


# Chatwoot, settings


def test_a_definition_is_unique_by_model_and_keeps_to_the_rules(worlds: Worlds) -> None:
    path = "/custom_attribute_definitions"
    body = {"attribute_display_name": "Plan", "attribute_key": "plan"}
    assert worlds.call("POST", path, body).json()["attribute_model"] == "conversation_attribute"
    again = worlds.call("POST", path, body)
    assert (again.status_code, again.json()["attributes"]) == (422, ["attribute_key"])
    contact = worlds.call("POST", path, body | {"attribute_model": "contact_attribute"}).json()
    reserved = body | {"attribute_key": "email", "attribute_model": "contact_attribute"}
    assert worlds.call("POST", path, reserved).status_code == 422
    assert worlds.call("POST", path, body | {"attribute_display_type": "colour"}).status_code == 500
    listed = worlds.call("GET", f"{path}?attribute_model=contact_attribute").json()
    assert listed == [contact]
    assert worlds.call("DELETE", f"{path}/{contact['id']}").status_code == 204


def test_a_dashboard_app_keeps_only_title_type_and_url(worlds: Worlds) -> None:
    frame = {"type": "frame", "url": "http://127.0.0.1/#k=1", "show": True}
    body = {"dashboard_app": {"title": "MIDDAG", "content": [frame], "more": 1}}
    app = worlds.call("POST", "/dashboard_apps", body).json()
    assert app["content"] == [{"type": "frame", "url": "http://127.0.0.1/#k=1"}]
    assert "more" not in app
    bad = {"dashboard_app": {"title": "MIDDAG", "content": [{"type": "frame", "url": "x"}]}}
    assert worlds.call("POST", "/dashboard_apps", bad).status_code == 422
    assert worlds.call("GET", "/dashboard_apps").json() == [app]


def test_a_webhook_gets_a_secret_and_an_address_of_its_own(worlds: Worlds) -> None:
    body = {"url": "https://panel.example/hook", "subscriptions": ["contact_created"]}
    made = worlds.call("POST", "/webhooks", {"webhook": body | {"secret": "mine"}}).json()
    assert len(made["payload"]["webhook"]["secret"]) > 20
    assert worlds.call("POST", "/webhooks", body).json()["attributes"] == ["url"]
    other = {"url": "https://panel.example/other", "subscriptions": ["nothing"]}
    assert worlds.call("POST", "/webhooks", other).status_code == 422
    assert worlds.call("GET", "/webhooks").json()["payload"]["webhooks"] == [
        made["payload"]["webhook"]
    ]


# Chatwoot, outages


def test_a_throttled_call_is_plain_text_without_retry_after(worlds: Worlds) -> None:
    worlds.chat.failures = lambda _call: Failure(429)
    answer = worlds.call("GET", "/agents")
    assert (answer.status_code, answer.text.strip()) == (429, "Retry later")
    assert "Retry-After" not in answer.headers
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_a_flaky_chatwoot_fails_the_same_way_for_the_same_seed(worlds: Worlds) -> None:
    def statuses() -> list[int]:
        worlds.chat.flaky(0.5, seed=7)
        return [worlds.call("GET", "/agents").status_code for _ in range(20)]

    first = statuses()
    assert first == statuses()
    assert {200, 429} < set(first)


def test_a_lost_answer_has_made_its_change(worlds: Worlds) -> None:
    worlds.chat.failures = lambda _call: Failure(500, applied=True)
    assert worlds.call("PUT", "/contacts/301", {"name": "Ana Maria"}).status_code == 500
    assert worlds.chat.contacts[301]["name"] == "Ana Maria"
    assert len(worlds.chat.writes) == 1


def test_a_chatwoot_that_is_down_answers_503(worlds: Worlds) -> None:
    worlds.chat.down = True
    assert worlds.call("GET", "/agents").status_code == 503


def test_one_conversation_may_be_out_of_reach(worlds: Worlds) -> None:
    row = SCENARIOS["chatwoot-down"]
    assert worlds.call("GET", f"/conversations/{row.conversation}").status_code == 503
    assert worlds.call("GET", "/conversations/101").status_code == 200


def test_a_delay_holds_every_answer(worlds: Worlds) -> None:
    worlds.chat.delay = 0.2
    started = datetime.now(UTC)
    worlds.call("GET", "/agents")
    assert (datetime.now(UTC) - started).total_seconds() >= 0.2


# The page


@pytest.fixture
def paged(worlds: Worlds) -> Worlds:
    worlds.chat.page = Page(worlds.chat, worlds.office)
    return worlds


def bench(worlds: Worlds, action: str, body: dict[str, Any]) -> requests.Response:
    return requests.post(f"{worlds.chat_url}/demo/{action}", json=body, timeout=5)


def test_the_root_leads_to_the_dashboard(paged: Worlds) -> None:
    answer = requests.get(f"{paged.chat_url}/?tab=app", timeout=5)
    assert answer.url == f"{paged.chat_url}/app/accounts/1/dashboard?tab=app"
    assert 'src="/demo/static/dashboard.js"' in answer.text


@pytest.mark.parametrize("name", ["dashboard.js", "frame.js", "dashboard.css"])
def test_the_page_brings_its_own_files(paged: Worlds, name: str) -> None:
    assert requests.get(f"{paged.chat_url}/demo/static/{name}", timeout=5).ok
    assert requests.get(f"{paged.chat_url}/demo/static/../page.py", timeout=5).status_code == 404


def test_the_page_lists_every_scenario_with_all_its_messages(paged: Worlds) -> None:
    state = requests.get(f"{paged.chat_url}/demo/state", timeout=5).json()
    rows = state["conversations"]
    assert [row["scenario"] for row in rows] == list(SCENARIOS)
    assert any(message["private"] for message in rows[0]["conversation"]["messages"])
    assert state["agent"] == {"id": 2, "name": "Bruno Lima", "email": "bruno@suporte.example"}


def test_the_bench_breaks_and_heals_one_customer(paged: Worlds) -> None:
    body = {"fault": "500", "section": "orders", "organizations": [42]}
    assert bench(paged, "fault", body).ok
    assert paged.read("/orders").status_code == 500
    assert bench(paged, "fault", {"fault": None, "organizations": [42]}).ok
    assert paged.read("/orders").status_code == 200
    assert paged.read("/orders", 53).status_code == 500


def test_the_bench_heals_all_and_breaks_as_the_scenarios_say(paged: Worlds) -> None:
    bench(paged, "chatwoot", {"down": True})
    assert paged.call("GET", "/agents").status_code == 503
    bench(paged, "heal", {})
    assert paged.office.faults == {}
    assert paged.call("GET", "/conversations/119").status_code == 200
    bench(paged, "reset", {})
    assert paged.read("/orders", 53).status_code == 500
    assert paged.call("GET", "/conversations/119").status_code == 503


def test_the_bench_refuses_what_it_does_not_know(paged: Worlds) -> None:
    assert bench(paged, "fault", {"fault": "plague"}).status_code == 422
    assert bench(paged, "plague", {}).status_code == 404


def test_the_page_is_no_call_to_chatwoot(paged: Worlds) -> None:
    requests.get(f"{paged.chat_url}/", timeout=5)
    assert paged.chat.calls == []


def test_chatwoots_webhooks_reach_the_panel_of_the_demo(tmp_path: Path) -> None:
    house = House(SECRET)
    server = serve(house)
    house.move_in(server.port, str(with_tables(tmp_path)))
    house.chat.outbox.sending = True
    url = f"http://localhost:{server.port}/api/v1/accounts/1/contacts/305"
    headers = {"Api-Access-Token": ADMIN_TOKEN}
    requests.put(url, json={"email": "new@x.example"}, headers=headers, timeout=9)
    house.chat.outbox.settle()
    assert [each.status for each in house.chat.outbox.sent] == [202]
    server.stop()


def test_a_taken_port_is_said_plainly() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "panel.demo", "--port", port]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert ended.stderr == f"The demo cannot listen on port {port}: Address already in use.\n"


def test_the_demo_opens_one_address_and_ends_quietly_however_often_it_is_told(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-m", "panel.demo", "--port", "0"]
    with subprocess.Popen(
        command, stdout=PIPE, stderr=PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)}
    ) as demo:
        assert demo.stdout is not None
        said = demo.stdout.readline()
        address = said.split()[1]
        assert requests.get(address, timeout=5).url.endswith("/app/accounts/1/dashboard")
        frame = address.replace("localhost", "127.0.0.1")
        assert requests.get(frame, timeout=5).status_code == 200
        assert requests.get(f"{frame}wp-json/", timeout=5).json()["code"] == "rest_no_route"
        demo.send_signal(signal.SIGTERM)
        demo.send_signal(signal.SIGTERM)
        rest = demo.communicate(timeout=20)
    assert (demo.returncode, rest, list(tmp_path.iterdir())) == (0, ("", ""), [])
