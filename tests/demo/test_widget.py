"""The built-in Chatwoot's widget lets a visitor do what the real one lets them do, and no more."""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pytest
import requests

from panel.demo.chatwoot import Chatwoot
from panel.demo.world import Json
from panel.demo.worlds import ADMIN_TOKEN, serve
from tests.visitor import Visitor

SITE, APP = 1, 2
# Recorded on 4.16.2: a contact as the API shows it, and an inbox's fields about signatures.
CONTACT_KEYS = {
    *("additional_attributes", "availability_status", "email", "id", "name", "phone_number"),
    *("blocked", "identifier", "thumbnail", "custom_attributes", "created_at", "contact_inboxes"),
}
MANDATORY = {"Channel::Api": False, "Channel::WebWidget": False, "Channel::Email": None}


@dataclass(frozen=True)
class Site:
    """A Chatwoot with one customer, and its website."""

    chat: Chatwoot
    url: str
    ana: Json

    def visitor(self) -> Visitor:
        return Visitor(self.url)

    def sign(self, identifier: str) -> str:
        key = self.chat.channels[SITE]["hmac_token"].encode()
        return hmac.new(key, identifier.encode(), sha256).hexdigest()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        url, headers = f"{self.url}/api/v1/accounts/1{path}", {"Api-Access-Token": ADMIN_TOKEN}
        return requests.request(method, url, json=body, headers=headers, timeout=9).json()


@pytest.fixture
def site() -> Iterator[Site]:
    chat = Chatwoot()
    chat.add_agent(1, "Service", "service@panel.example", "administrator", ADMIN_TOKEN)
    chat.add_inbox(SITE, "Site", "Channel::WebWidget", {1})
    chat.add_inbox(APP, "App", "Channel::Api", {1})
    chat.add_inbox(3, "Mail", "Channel::Email", {1})
    keys: Json = {
        "identifier": "shop-7",
        "email": "ana@acme.example",
        "phone_number": "+5561999990001",
    }
    ana = chat.add_contact(name="Ana", custom_attributes={"plan": "Gold"}, **keys)
    server = serve(chat)
    yield Site(chat, server.url, ana)
    server.stop()


def test_a_visitor_is_a_contact_that_shows_nothing(site: Site) -> None:
    row = site.visitor().reads()
    assert (row["email"], row["phone_number"], row["identifier"]) == (None, None, None)
    assert row["id"] != site.ana["id"]


@pytest.mark.parametrize("key", ["identifier", "email", "phone_number"])
def test_who_names_a_key_is_merged_into_its_owner_and_told_the_whole_row(
    site: Site, key: str
) -> None:
    visitor = site.visitor()
    before = visitor.reads()["id"]
    answer = visitor.types(**{key: site.ana[key]})
    assert answer.json()["id"] == site.ana["id"]
    view = visitor.reads()
    assert (view["email"], view["phone_number"]) == (site.ana["email"], site.ana["phone_number"])
    assert view["custom_attributes"] == {"plan": "Gold"}
    assert before not in site.chat.contacts


def test_an_unsigned_identifier_merges(site: Site) -> None:
    visitor = site.visitor()
    assert visitor.says(identifier="shop-7").json()["id"] == site.ana["id"]
    assert visitor.reads()["email"] == "ana@acme.example"


def test_the_prechat_form_merges_and_its_answer_holds_the_contact(site: Site) -> None:
    talk = site.visitor().starts(email="Ana@acme.example")
    assert talk["contact"]["phone_number"] == site.ana["phone_number"]
    assert site.chat.conversations[talk["id"]]["contact_id"] == site.ana["id"]


def test_what_a_visitor_says_of_a_conversation_replaces_all_of_it(site: Site) -> None:
    visitor = site.visitor()
    number = visitor.starts()["id"]
    site.chat.conversations[number]["custom_attributes"] = {"topic": "billing"}
    visitor.claims(middag_organization_id="42")
    attributes = site.chat.conversations[number]["custom_attributes"]
    assert attributes == {"middag_organization_id": "42"}


def test_what_a_visitor_says_of_the_contact_is_added(site: Site) -> None:
    visitor = site.visitor()
    visitor.types(email="ana@acme.example", custom_attributes={"middag_role": "owner"})
    assert site.ana["custom_attributes"] == {"plan": "Gold", "middag_role": "owner"}


def test_somebody_else_at_the_same_browser_is_another_contact(site: Site) -> None:
    visitor = site.visitor()
    visitor.says(identifier="shop-7")
    visitor.says(identifier="shop-8")
    view = visitor.reads()
    assert (view["id"] != site.ana["id"], view["identifier"]) == (True, "shop-8")
    assert len(site.ana["contact_inboxes"]) == 1


def test_an_email_of_somebody_with_another_identifier_is_left_to_them(site: Site) -> None:
    visitor = site.visitor()
    visitor.says(identifier="shop-8", email="ana@acme.example")
    assert (visitor.reads()["email"], visitor.reads()["identifier"]) == (None, "shop-8")


def test_enforced_validation_wants_a_signature(site: Site) -> None:
    site.chat.channels[SITE]["hmac_mandatory"] = True
    visitor = site.visitor()
    assert visitor.says(identifier="shop-7").status_code == 401
    signed = visitor.says(identifier="shop-7", identifier_hash=site.sign("shop-7"))
    assert signed.json()["id"] == site.ana["id"]


@pytest.mark.parametrize(("version", "status"), [("4.15.1", 200), ("4.16.2", 401)])
def test_the_plain_call_wants_one_only_since_4_16(site: Site, version: str, status: int) -> None:
    site.chat.version = version
    site.chat.channels[SITE]["hmac_mandatory"] = True
    assert site.visitor().types(identifier="shop-7").status_code == status


def test_a_signed_visitor_who_types_anothers_email_is_them_and_stays_signed(site: Site) -> None:
    site.chat.channels[SITE]["hmac_mandatory"] = True
    mallory = site.visitor()
    mallory.says(identifier="evil-1", identifier_hash=site.sign("evil-1"))
    mallory.types(email="ana@acme.example")
    talk = site.ask("GET", f"/conversations/{mallory.starts()['id']}")
    assert talk["meta"]["sender"]["id"] == site.ana["id"]
    assert talk["meta"]["hmac_verified"] is True


def test_the_public_api_tells_name_and_email(site: Site) -> None:
    at = f"{site.url}/public/api/v1/inboxes/inbox-{APP}/contacts"
    body = requests.post(at, json={"identifier": "shop-7"}, timeout=9).json()
    assert (body["name"], body["email"]) == ("Ana", "ana@acme.example")


@pytest.mark.parametrize("website", ["", "website-2", "None", "nobody"])
def test_a_website_that_is_none_has_no_widget(site: Site, website: str) -> None:
    at = f"{site.url}/api/v1/widget/config"
    assert requests.post(at, json={"website_token": website}, timeout=9).status_code == 404


def test_a_token_that_nobody_gave_is_worth_nothing(site: Site) -> None:
    at = f"{site.url}/api/v1/widget/contact?website_token=website-{SITE}"
    assert requests.get(at, headers={"X-Auth-Token": "guess"}, timeout=9).status_code == 404


def test_what_visitors_do_is_no_write_of_ours(site: Site) -> None:
    site.visitor().says(name="Ana")
    assert site.chat.writes == []


# -- as recorded ---------------------------------------------------------------------------------


def test_a_contact_has_the_keys_that_were_recorded(site: Site) -> None:
    payload = site.ask("GET", f"/contacts/{site.ana['id']}")["payload"]
    assert payload.keys() - {"last_activity_at"} == CONTACT_KEYS


def test_an_inbox_says_of_signatures_what_was_recorded(site: Site) -> None:
    rows = site.ask("GET", "/inboxes")["payload"]
    assert {row["channel_type"]: row["hmac_mandatory"] for row in rows} == MANDATORY


def test_contacts_are_filtered_by_our_attribute_with_the_recorded_question(site: Site) -> None:
    name = {"attribute_display_name": "id", "attribute_display_type": 0}
    key = {"attribute_model": 1, "attribute_key": "middag_organization_id"}
    site.ask("POST", "/custom_attribute_definitions", {"custom_attribute_definition": name | key})
    site.ana["custom_attributes"] = {"middag_organization_id": "42"}
    recorded = {
        "attribute_key": "middag_organization_id",
        "filter_operator": "equal_to",
        "values": ["42"],
        "query_operator": None,
        "attribute_model": "standard",
        "custom_attribute_type": "",
    }
    answer = site.ask("POST", "/contacts/filter?page=1", {"payload": [recorded]})
    assert [row["id"] for row in answer["payload"]] == [site.ana["id"]]
    assert answer["meta"]["count"] == 1
