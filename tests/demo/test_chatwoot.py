"""The built-in Chatwoot: rights of callers, conversations, settings, outages."""

from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from panel.demo.chatwoot import Failure
from panel.demo.scenarios import SCENARIOS
from panel.demo.worlds import ADMIN_TOKEN
from tests.demo.both_worlds import Worlds, worlds

__all__ = ["worlds"]  # a fixture


# -- rights of callers ----------------------------------------------------------------


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


# -- conversations ----------------------------------------------------------------------


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
    entries = worlds.call("GET", "/conversations").json()["data"]
    assert entries["meta"]["all_count"] == len(entries["payload"]) == len(SCENARIOS)
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


# -- settings --------------------------------------------------------------------------


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
    definitions = worlds.call("GET", f"{path}?attribute_model=contact_attribute").json()
    assert definitions == [contact]
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
    document = worlds.call("POST", "/webhooks", {"webhook": body | {"secret": "mine"}}).json()
    assert len(document["payload"]["webhook"]["secret"]) > 20
    assert worlds.call("POST", "/webhooks", body).json()["attributes"] == ["url"]
    other = {"url": "https://panel.example/other", "subscriptions": ["nothing"]}
    assert worlds.call("POST", "/webhooks", other).status_code == 422
    assert worlds.call("GET", "/webhooks").json()["payload"]["webhooks"] == [
        document["payload"]["webhook"]
    ]


# -- outages ---------------------------------------------------------------------------


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
    started_at = datetime.now(UTC)
    worlds.call("GET", "/agents")
    assert (datetime.now(UTC) - started_at).total_seconds() >= 0.2
