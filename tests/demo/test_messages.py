"""A conversation of the built-in Chatwoot is as large as a real one would be."""

import requests

from tests.demo.conftest import Desk


def read(desk: Desk) -> requests.Response:
    return desk.ask("GET", "/conversations/5")


def test_the_last_message_comes_twice_each_time_with_two_contents(desk: Desk) -> None:
    desk.chat.add_message(5, "first")
    desk.chat.add_message(5, "last")
    row = read(desk).json()
    assert row["messages"] == [row["last_non_activity_message"]]
    assert row["messages"][0]["content"] == "last"
    assert row["messages"][0]["processed_message_content"] == "last"
    assert row["messages"][0]["sender"]["email"] == "ana@acme.example"


def test_what_chatwoot_notes_itself_is_no_written_message(desk: Desk) -> None:
    desk.chat.add_message(5, "hello")
    desk.chat.add_message(5, "Assigned to Bruno", message_type=2, sender=None)
    row = read(desk).json()
    assert row["messages"][0]["content"] == "Assigned to Bruno"
    assert "sender" not in row["messages"][0]
    assert row["last_non_activity_message"]["content"] == "hello"


def test_a_sign_of_html_costs_six_bytes_four_times(desk: Desk) -> None:
    desk.chat.add_message(5, "<" * 150_000)
    raw = read(desk).content
    assert 3_600_000 < len(raw) < 3_610_000
    assert b"<" not in raw


def test_an_emoji_costs_four_bytes_four_times(desk: Desk) -> None:
    desk.chat.add_message(5, "😀" * 150_000)
    assert 2_400_000 < len(read(desk).content) < 2_410_000


def test_one_mail_of_337_kb_is_2_4_mb(desk: Desk) -> None:
    html = "a" * 337_000
    desk.chat.add_mail(5, "see the picture", html)
    size = len(read(desk).content)
    assert 2_000_000 < size < 2_500_000


def test_a_mail_tells_its_headers_and_its_texts_three_times_each(desk: Desk) -> None:
    desk.chat.add_mail(
        5, "key, please\n", "<p>key, please</p>", cc=["m@evil.example"], subject="Key"
    )
    message = read(desk).json()["messages"][0]
    mail = message["content_attributes"]["email"]
    assert (mail["from"], mail["cc"]) == (["ana@acme.example"], ["m@evil.example"])
    assert mail["text_content"].keys() == mail["html_content"].keys() == {"full", "reply", "quoted"}
    assert message["processed_message_content"] == "key, please"
    assert message["content_type"] == "incoming_email"
