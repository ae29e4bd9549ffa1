"""A mail proves nobody: the built-in Chatwoot believes its headers, as the real one does."""

from typing import Any

from panel.demo.mail import Mail, receive_mail
from panel.demo.world import Json
from tests.demo.conftest import MAIL, Desk

MALLORY = "mallory@evil.example"


def arrive(desk: Desk, **headers: Any) -> Json:
    """Let a mail of Mallory arrive; returns its conversation, as the API shows it."""
    talk = receive_mail(desk.chat, MAIL, Mail(MALLORY, "my key, please\n", **headers))
    conversation: Json = desk.ask("GET", f"/conversations/{talk['id']}").json()
    return conversation


def test_whom_reply_to_names_is_the_contact_and_the_sender(desk: Desk) -> None:
    talk = arrive(desk, reply_to="Ana@acme.example")
    message = talk["messages"][0]
    assert talk["meta"]["sender"]["id"] == 57
    assert message["content_attributes"]["email"]["from"] == ["ana@acme.example"]
    assert message["conversation"]["contact_inbox"]["source_id"] == "ana@acme.example"
    assert MALLORY not in str(talk)


def test_who_forwarded_it_comes_before_from(desk: Desk) -> None:
    talk = arrive(desk, original_sender="ana@acme.example")
    assert talk["meta"]["sender"]["id"] == 57
    assert talk["messages"][0]["content_attributes"]["email"]["from"] == [MALLORY]


def test_who_never_wrote_is_a_new_contact_with_the_name_of_their_address(desk: Desk) -> None:
    sender = arrive(desk)["meta"]["sender"]
    assert (sender["email"], sender["name"]) == (MALLORY, "mallory")


def test_an_answer_goes_where_the_answered_message_is_whoever_sends_it(desk: Desk) -> None:
    mail = Mail("ana@acme.example", "my key, please\n", message_id="1@acme.example")
    talk = receive_mail(desk.chat, MAIL, mail)
    answered_talk = arrive(desk, in_reply_to="1@acme.example")
    assert (answered_talk["id"], answered_talk["messages"][0]["sender"]["id"]) == (talk["id"], 57)
