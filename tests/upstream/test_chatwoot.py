"""The calls to Chatwoot: plain values, nothing late, and no value kept that is not needed."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from werkzeug.wrappers import Response

from panel.cache.policy import CacheControl
from panel.demo.worlds import ADMIN_TOKEN, Server, serve
from panel.errors import Missing, PanelError, TryLater, Unauthorized, Unreadable
from panel.upstream.chatwoot import ID_ATTRIBUTE, Chatwoot, Condition, connect
from tests.conftest import Panel, Worlds, build_cache

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

BASE = "/api/v1/accounts/1"


def client(url: str, folder: Path, token: str = ADMIN_TOKEN) -> Chatwoot:
    cache = build_cache(f"file:{folder / 'cache'}", Flask("test"))
    return Chatwoot(connect(url, token), cache, 1)


@pytest.fixture
def chatwoot(worlds: Worlds, tmp_path: Path) -> Chatwoot:
    return client(worlds.chat_url, tmp_path)


def test_a_conversation_comes_with_its_contact(worlds: Worlds, chatwoot: Chatwoot) -> None:
    worlds.chat.conversations[107]["hmac_verified"] = True
    conversation = chatwoot.conversation(107)
    assert (conversation.id, conversation.inbox, conversation.channel) == (
        107,
        1,
        "Channel::WebWidget",
    )
    assert conversation.signed is True
    assert conversation.attributes == {"middag_organization_id": "47"}
    assert (conversation.contact.id, conversation.contact.name) == (307, "Grace Miller")
    assert (conversation.contact.email, conversation.contact.phone) == (
        "grace@northwind.example",
        "+15125550107",
    )
    assert conversation.contact.identifier is None


def test_the_token_goes_by_a_name_that_proxies_let_through(
    worlds: Worlds, chatwoot: Chatwoot
) -> None:
    chatwoot.agents()
    [call] = worlds.chat.calls
    assert (call.path, call.headers["api-access-token"]) == (f"{BASE}/agents", ADMIN_TOKEN)


def test_agents_and_members_are_asked_once_a_minute(worlds: Worlds, chatwoot: Chatwoot) -> None:
    for _ in range(3):
        assert chatwoot.agents()[2].name == "Bruno Lima"
        assert chatwoot.members(1) == {2, 3}
        assert chatwoot.members(3) == {2}
    assert worlds.chat.count() == 3


def test_a_conversation_is_asked_anew_unless_a_minutes_age_will_do(
    worlds: Worlds, chatwoot: Chatwoot
) -> None:
    chatwoot.conversation(101)
    chatwoot.conversation(101)
    assert worlds.chat.count() == 2
    chatwoot.conversation(101, CacheControl.FRESH)
    assert worlds.chat.count() == 2


def test_what_was_said_in_a_conversation_is_not_kept(
    chatwoot: Chatwoot, worlds: Worlds, tmp_path: Path
) -> None:
    worlds.chat.conversations[101]["messages"][-1]["content"] = "my card is 4111"
    worlds.chat.agents[2]["thumbnail"] = "a face"
    chatwoot.conversation(101)
    chatwoot.agents()
    content = b"".join(path.read_bytes() for path in (tmp_path / "cache" / "copies").iterdir())
    assert b"Ana Souza" in content
    assert b"my card" not in content
    assert b"a face" not in content


@pytest.mark.parametrize("control", [CacheControl.NO_CACHE, CacheControl.FRESH])
def test_nobody_is_let_in_on_an_old_list(clocked: Panel, control: CacheControl) -> None:
    chatwoot = clocked.services.chatwoot
    chatwoot.conversation(101)
    chatwoot.agents()
    clocked.clock.advance(61)
    clocked.chat.down = True
    for call in (chatwoot.agents, lambda: chatwoot.conversation(101, control)):
        with pytest.raises(TryLater):
            call()


def test_a_conversation_that_must_be_new_is_not_taken_from_the_cache(
    worlds: Worlds, chatwoot: Chatwoot
) -> None:
    chatwoot.conversation(101)
    worlds.chat.down = True
    with pytest.raises(TryLater):
        chatwoot.conversation(101, CacheControl.NO_CACHE)


def test_a_conversation_that_is_gone_is_missing(worlds: Worlds, chatwoot: Chatwoot) -> None:
    with pytest.raises(Missing):
        chatwoot.conversation(9999)
    chatwoot.conversation(101)
    del worlds.chat.conversations[101]
    with pytest.raises(Missing):
        chatwoot.conversation(101, CacheControl.NO_CACHE)


def test_a_wrong_token_is_unauthorized(worlds: Worlds, tmp_path: Path) -> None:
    with pytest.raises(Unauthorized):
        client(worlds.chat_url, tmp_path, "wrong").conversation(101)


# -- writing -----------------------------------------------------------------------------------


def test_attributes_are_read_merged_and_written(worlds: Worlds, chatwoot: Chatwoot) -> None:
    attributes = worlds.chat.conversations[107]["custom_attributes"]
    attributes.update({"vip": True, "n": 7, "text": "ã"})
    chatwoot.change_conversation(107, {"middag_organization_id": "42", "vip": None, "none": None})
    assert worlds.chat.conversations[107]["custom_attributes"] == {
        "middag_organization_id": "42", "n": 7, "text": "ã",
    }  # fmt: skip


def test_nothing_is_written_where_nothing_changes(worlds: Worlds, chatwoot: Chatwoot) -> None:
    chatwoot.change_conversation(107, {"middag_organization_id": "47", "none": None})
    assert worlds.chat.writes == []


def test_what_could_not_be_read_is_not_written_over(worlds: Worlds, chatwoot: Chatwoot) -> None:
    worlds.chat.unreachable.add(107)
    with pytest.raises(PanelError):
        chatwoot.change_conversation(107, {"middag_organization_id": "42"})
    assert worlds.chat.writes == []


# -- answers of another shape ------------------------------------------------------------------


class Says:
    def __init__(self, body: str) -> None:
        self.body = body

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        return Response(self.body, content_type="application/json")(environ, start)


@pytest.fixture
def says(tmp_path: Path) -> Iterator[Callable[[str], Chatwoot]]:
    servers: list[Server] = []

    def make(body: str) -> Chatwoot:
        servers.append(serve(Says(body)))
        return client(servers[-1].url, tmp_path)

    yield make
    for server in servers:
        server.stop()


CALLS: dict[str, Callable[[Chatwoot], Any]] = {
    "conversation": lambda chatwoot: chatwoot.conversation(101),
    "agents": lambda chatwoot: chatwoot.agents(),
    "members": lambda chatwoot: chatwoot.members(1),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "body",
    ["", "null", "{}", "3", '"x"', '{"error": "x"}', "[1]", '[{"id": "2"}]', "<html>",
     '{"payload": {}}', '{"payload": [3]}', '{"payload": [{"id": true}]}',
     '{"id": 101, "inbox_id": 1}', '{"id": 101, "inbox_id": 1, "meta": {"sender": null}}',
     '{"id": 101, "inbox_id": 1, "meta": {"sender": {"id": "301"}}}'],
)  # fmt: skip
def test_another_shape_is_unreadable(says: Callable[[str], Chatwoot], call: str, body: str) -> None:
    with pytest.raises(Unreadable):
        CALLS[call](says(body))


ODD = """{"id": 101, "inbox_id": 1, "custom_attributes": [], "meta": {"channel": null,
 "hmac_verified": "true", "sender": {"id": 301, "name": null, "email": 5, "identifier": 7,
 "phone_number": {}, "custom_attributes": "x"}}}"""


def test_odd_values_of_a_contact_are_no_values(says: Callable[[str], Chatwoot]) -> None:
    conversation = says(ODD).conversation(101)
    person = conversation.contact
    assert (conversation.channel, conversation.signed, conversation.attributes) == ("", False, {})
    assert (person.name, person.email, person.identifier) == ("", None, None)
    assert (person.phone, person.attributes) == (None, {})


# -- values that a visitor can make large
# ------------------------------------------------------------

HUGE = {"x": "y" * 3_000_000}  # a visitor may write so much into the attributes of a contact
READS: dict[str, Callable[[Chatwoot], Any]] = {
    "contact": lambda chatwoot: chatwoot.contact(301).email,
    "find_contact": lambda chatwoot: chatwoot.find_contact("identifier", "ana-key") is not None,
    "find_contacts": lambda chatwoot: chatwoot.find_contacts([Condition("name", "Ana Souza")])[1],
    "list_with_organization": lambda chatwoot: chatwoot.list_with_organization(1)[1],
    "list_members": lambda chatwoot: chatwoot.list_members(42)[0].id,
    "list_claimants": lambda chatwoot: chatwoot.list_claimants({ID_ATTRIBUTE: "42"})[0].id,
    "list_identifiers": lambda chatwoot: chatwoot.list_identifiers("ana-key"),
    "sources": lambda chatwoot: chatwoot.sources(301, 1),
    "conversation": lambda chatwoot: chatwoot.conversation(101).contact.id,
}
WRITES: dict[str, Callable[[Chatwoot], None]] = {
    "update_contact": lambda chatwoot: chatwoot.update_contact(301, {"name": "Ana"}),
    "clear_contact": lambda chatwoot: chatwoot.clear_contact(301, [ID_ATTRIBUTE]),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_write_is_done_however_large_its_answer(
    worlds: Worlds, chatwoot: Chatwoot, write: str
) -> None:
    worlds.chat.contacts[301]["custom_attributes"] |= HUGE
    WRITES[write](chatwoot)
    assert len(worlds.chat.writes) == 1


@pytest.mark.parametrize("path", READS)
def test_no_attributes_of_a_contact_hide_it_and_the_others(
    worlds: Worlds, chatwoot: Chatwoot, path: str
) -> None:
    ana = worlds.chat.contacts[301]
    ana["identifier"] = "ana-key"
    ana["custom_attributes"] = {ID_ATTRIBUTE: "42"}
    worlds.chat.definitions[1] = {
        "id": 1,
        "attribute_key": ID_ATTRIBUTE,
        "attribute_model": "contact_attribute",
        "attribute_display_type": "text",
    }
    before = READS[path](chatwoot)
    ana["custom_attributes"] |= HUGE
    assert before
    assert READS[path](chatwoot) == before


@pytest.mark.parametrize("odd", [None, [], {}, [[]], 1.5, True], ids=repr)
def test_an_inbox_in_another_form_proves_nothing_and_counts_as_public(
    worlds: Worlds, chatwoot: Chatwoot, odd: Any
) -> None:
    contact = worlds.chat.contacts[worlds.chat.conversations[101]["contact_id"]]
    inbox = {"id": odd, "name": "Odd", "channel_type": odd}
    contact["contact_inboxes"] = [{"inbox": inbox, "source_id": "1"}]
    assert chatwoot.contact(contact["id"]).public
    assert chatwoot.sources(contact["id"], 1) == frozenset()
