"""The built-in Chatwoot sends the webhooks that the real one sends, and no others."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from panel.demo.mail import Mail, receive_mail
from panel.demo.world import Json
from panel.demo.worlds import serve
from tests.demo.conftest import MAIL, Desk

EVENTS = (
    *("contact_created", "contact_updated", "conversation_created", "conversation_updated"),
    *("conversation_status_changed", "message_created"),
)


class Ear:
    """Answers every webhook with `status`, and keeps its body and headers."""

    def __init__(self) -> None:
        self.status = 202
        self.bodies: list[Json] = []
        self.headers: list[Json] = []

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        self.bodies.append(json.loads(request.get_data()))
        self.headers.append(dict(request.headers.items()))
        return Response(status=self.status)(environ, start_response)


@dataclass(frozen=True)
class Listening:
    desk: Desk
    ear: Ear

    def names(self) -> list[str]:
        """Return the events that came since the last call."""
        self.desk.chat.outbox.settle()
        names = [body["event"] for body in self.ear.bodies]
        self.ear.bodies.clear()
        return names


@pytest.fixture
def listening(desk: Desk) -> Iterator[Listening]:
    ear = Ear()
    server = serve(ear)
    body = {"url": server.url, "subscriptions": list(EVENTS)}
    assert desk.ask("POST", "/webhooks", {"webhook": body}).ok
    desk.chat.outbox.sending = True
    yield Listening(desk, ear)
    server.stop()


def test_nothing_is_sent_until_a_test_says_so(desk: Desk) -> None:
    body = {"url": "https://panel.example/hook", "subscriptions": list(EVENTS)}
    desk.ask("POST", "/webhooks", {"webhook": body})
    desk.ask("PUT", "/contacts/57", {"name": "A"})
    desk.chat.outbox.settle()
    assert desk.chat.outbox.sent == []


def test_a_write_that_changes_nothing_tells_nobody(listening: Listening) -> None:
    listening.desk.ask("PUT", "/contacts/57", {"name": "Ana"})
    listening.desk.ask("PUT", "/contacts/57", {"name": "Ana Lima"})
    assert listening.names() == ["contact_updated"]


def test_attributes_of_a_conversation_tell_what_they_were(listening: Listening) -> None:
    path = "/conversations/5/custom_attributes"
    listening.desk.ask("POST", path, {"custom_attributes": {"topic": "billing"}})
    listening.desk.chat.outbox.settle()
    (body,) = listening.ear.bodies
    (change,) = [row for row in body["changed_attributes"] if "custom_attributes" in row]
    assert body["event"] == "conversation_updated"
    assert change == {
        "custom_attributes": {"previous_value": {}, "current_value": {"topic": "billing"}}
    }


def test_a_visitor_who_overwrites_our_attributes_is_told(listening: Listening) -> None:
    visitor = listening.desk.visitor()
    visitor.starts()
    listening.names()
    visitor.claims(middag_organization_id="42")
    visitor.types(custom_attributes={"middag_plan": "Platinum"})
    assert listening.names() == ["conversation_updated", "contact_updated"]


def test_a_merge_is_an_update_of_the_base(listening: Listening) -> None:
    chat = listening.desk.chat
    chat.add_contact(58, name="B", custom_attributes={"plan": {"tier": 1}})
    body = {"base_contact_id": 57, "mergee_contact_id": 58}
    listening.desk.ask("POST", "/actions/contact_merge", body)
    chat.outbox.settle()
    (update,) = listening.ear.bodies
    assert (update["event"], update["id"]) == ("contact_updated", 57)
    assert update["custom_attributes"] == {"plan": {"tier": 1}}


def test_a_mail_opens_a_conversation(listening: Listening) -> None:
    receive_mail(listening.desk.chat, MAIL, Mail("new@x.example", "hello"))
    assert listening.names() == [
        *("contact_created", "conversation_created", "contact_updated", "message_created"),
    ]


def test_only_what_a_webhook_subscribes_to_is_sent(listening: Listening) -> None:
    (hook,) = listening.desk.chat.webhooks.values()
    hook["subscriptions"] = ["contact_created"]
    listening.desk.ask("PUT", "/contacts/57", {"name": "A"})
    listening.desk.ask("POST", "/contacts", {"name": "B"})
    assert listening.names() == ["contact_created"]


def test_a_refused_delivery_is_not_sent_again(listening: Listening) -> None:
    listening.ear.status = 401
    listening.desk.ask("PUT", "/contacts/57", {"name": "A"})
    assert listening.names() == ["contact_updated"]
    assert [delivery.status for delivery in listening.desk.chat.outbox.sent] == [401]


def test_before_4_11_2_nothing_is_signed_and_no_secret_is_listed(listening: Listening) -> None:
    desk = listening.desk
    assert desk.ask("GET", "/webhooks").json()["payload"]["webhooks"][0]["secret"]
    desk.chat.version = "4.11.1"
    (row,) = desk.ask("GET", "/webhooks").json()["payload"]["webhooks"]
    assert "secret" not in row
    desk.ask("PUT", "/contacts/57", {"name": "A"})
    assert listening.names() == ["contact_updated"]
    assert [name for name in listening.ear.headers[0] if name.startswith("X-Chatwoot")] == []


def test_a_webhook_without_events_gets_chatwoots_own_choice(desk: Desk) -> None:
    body = desk.ask("POST", "/webhooks", {"webhook": {"url": "https://x.example"}}).json()
    assert "message_updated" in body["payload"]["webhook"]["subscriptions"]
