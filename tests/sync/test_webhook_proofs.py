"""Chatwoot's own webhooks: accepted proofs, and unreadable bodies."""

import hmac
import re
import time
from collections.abc import Iterator
from hashlib import sha256
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import event

from panel.demo.world import Json
from panel.serving.framing import LARGEST_WEBHOOK
from tests.conftest import MakePanel
from tests.sync.webhook_door import (
    RAW,
    SECRET,
    Door,
    door,
    doors,
    make_door,
    message,
    opened,
    refused,
    signature,
)

__all__ = ["door", "make_door"]  # fixtures


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A panel for the whole file, for tests that do not look at its rows."""
    with doors(tmp_path_factory.mktemp("standing")) as make:
        yield opened(make)


# -- proofs ------------------------------------------------------------------------------


def test_a_right_signature_is_let_in(standing: Door) -> None:
    assert standing.post(RAW, **signature(RAW)).status_code == 202


def test_a_signature_over_the_body_alone_is_not_enough(standing: Door) -> None:
    body_signature = "sha256=" + hmac.new(SECRET.encode(), RAW, sha256).hexdigest()
    refused(standing.post(RAW, **signature(RAW) | {"X-Chatwoot-Signature": body_signature}))


def test_a_changed_body_is_refused(standing: Door) -> None:
    refused(standing.post(RAW + b" ", **signature(RAW)))


def test_a_changed_stamp_is_refused(standing: Door) -> None:
    stamp = str(int(time.time()) - 1)
    refused(standing.post(RAW, **signature(RAW) | {"X-Chatwoot-Timestamp": stamp}))


@pytest.mark.parametrize("seconds", [-310, 310])
def test_an_old_stamp_and_one_from_the_future_are_refused(standing: Door, seconds: float) -> None:
    answer = standing.post(RAW, **signature(RAW, time.time() + seconds))
    refused(answer, "stale")
    gap = re.search(r"(-?\d+) s$", answer.json()["error"]["detail"])
    assert gap
    assert float(gap[1]) == pytest.approx(seconds, abs=60)


@pytest.mark.parametrize("seconds", [-280, 280])
def test_clocks_may_differ_by_some_minutes(standing: Door, seconds: float) -> None:
    assert standing.post(RAW, **signature(RAW, time.time() + seconds)).status_code == 202


def test_no_headers_are_refused(standing: Door) -> None:
    refused(standing.post(RAW), "unsigned")


@pytest.mark.parametrize("name", ["X-Chatwoot-Timestamp", "X-Chatwoot-Signature"])
@pytest.mark.parametrize("value", ["", "x", "sha256=", "-1", "9" * 400, "²"])
def test_odd_headers_are_refused(standing: Door, name: str, value: str) -> None:
    answer = standing.post(RAW, **signature(RAW) | {name: value.encode().decode("latin-1")})
    refused(answer, "wrong_signature" if value else "unsigned")


def test_another_secret_is_refused(standing: Door) -> None:
    refused(standing.post(RAW, **signature(RAW, secret="another")))


def test_the_secret_of_the_plugin_opens_nothing_here(standing: Door) -> None:
    bearer = f"Bearer {standing.panel.settings.secret}"
    refused(standing.post(RAW, Authorization=bearer), "unsigned")


@pytest.mark.parametrize("secret", ["", SECRET])
def test_without_a_secret_in_the_settings_everything_is_refused(
    make_door: MakePanel, secret: str
) -> None:
    refused(Door(make_door()).post(RAW, **signature(RAW, secret=secret)), "no_secret")


def test_an_old_stamp_is_told_of_whoever_knows_the_secret_alone(standing: Door) -> None:
    refused(standing.post(RAW, **signature(RAW, 1, secret="another")), "wrong_signature")


# -- unreadable bodies --------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'"text"', b"[" * 5000])
def test_what_is_no_json_object_is_a_clear_refusal(standing: Door, raw: bytes) -> None:
    answer = standing.post(raw, **signature(raw))
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "unreadable")


def test_what_is_far_too_large_is_a_clear_refusal(standing: Door) -> None:
    answer = standing.post(b" " * (LARGEST_WEBHOOK + 1))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


def test_a_large_body_without_a_signature_is_refused_before_it_is_looked_at(
    standing: Door,
) -> None:
    answer = standing.post(b"[" * 1024 * 1024)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unsigned")


def test_a_refusal_asks_the_database_nothing(standing: Door) -> None:
    """Otherwise a sender without the secret could keep the database busy."""
    queries, sound = list[str](), RAW[:-1] + b"  }"

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        queries.append(statement)

    event.listen(standing.shared.database, "before_cursor_execute", note)
    for raw in (RAW, b" " * (1024 * 1024 + 1)):
        assert standing.post(raw).status_code in (401, 413)
        assert standing.post(raw, **signature(sound)).status_code in (401, 413)
    event.remove(standing.shared.database, "before_cursor_execute", note)
    assert [query for query in queries if "deliveries" not in query] == []


def test_a_conversation_with_its_messages_is_not_too_large(standing: Door) -> None:
    fields = message(standing, "ana@acme.example", content="x" * 300_000)
    assert standing.tell("message_created", **fields).status_code == 202


ODD: list[Json] = [
    {},
    {"meta": 7},
    {"meta": {"sender": []}},
    {"meta": {"sender": {"id": "1"}}},
    {"meta": {"sender": {"id": True}}},
    {"meta": {"sender": {"id": 10**30}}},
    {"conversation": []},
    {"conversation": 5},
    {"id": None, "email": 5, "phone_number": []},
    {"id": 10**30, "email": "ana@acme.example"},
    {"changed_attributes": {"email": 1}},
    {"changed_attributes": [["email"], None, {"email": None}]},
]


@pytest.mark.parametrize("fields", ODD, ids=str)
@pytest.mark.parametrize(
    "event", ["conversation_created", "contact_created", "contact_updated", "message_created", "x"]
)
def test_odd_events_break_nothing(standing: Door, event: str, fields: Json) -> None:
    assert standing.tell(event, message_type="incoming", **fields).status_code < 500


UNKEEPABLE = ["ana\x00@acme.example", "ana@acme.example\x00", "ana\ud800@acme.example", "\udfff"]
IDENTIFYING_FIELDS = ("email", "phone_number", "identifier", "id", "name")
IDENTIFYING_EVENTS = ("contact_created", "contact_updated", "conversation_created")


def test_a_nul_and_half_a_character_in_a_webhook_are_nobodys(url: str, tmp_path: Path) -> None:
    """No database keeps them, and PostgreSQL refuses a NUL even in a query."""
    with doors(tmp_path) as make:
        door = Door(make(CHATWOOT_WEBHOOK_SECRET=SECRET, PANEL_DATABASE_URL=url))
        for value, name, event in product(UNKEEPABLE, IDENTIFYING_FIELDS, IDENTIFYING_EVENTS):
            changes = [{name: {"previous_value": None, "current_value": value}}]
            fields: Json = {"id": 950, name: value, "changed_attributes": changes}
            answer = door.tell(event, **fields)
            assert answer.status_code in (202, 422), (event, name, ascii(value), answer.text)
            assert not answer.json().get("passes")
