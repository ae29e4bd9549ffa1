"""Every recorded call and delivery of a real Chatwoot is made to the built-in one, and compared.

Status, content type, keys, JSON types, and every word of a refusal have to be the same.
`DEVIATIONS` lists the differences, each with its reason; a listed difference that has gone fails as
well.
"""

import hmac
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pytest
import requests
from werkzeug.wrappers import Request, Response

from panel.demo.chatwoot import Chatwoot
from panel.demo.world import Json
from panel.demo.worlds import serve
from tests.demo.recorded_account import ADMINISTRATOR, SITE, build_account
from tests.demo.recordings import Recorded, list_differences, read_calls, read_deliveries
from tests.visitor import Visitor

CALLS, DELIVERIES = read_calls(), read_deliveries()
SECRET = "webhook-secret"


@dataclass(frozen=True)
class Deviation:
    """`line`: a pattern over what `list_differences` finds in the call or delivery `name`."""

    name: str
    line: str
    reason: str


DEVIATIONS = (
    Deviation(
        "unknown path",
        "another page",
        "That it is a page and no JSON is what a client sees; the real one is 3 kB of style.",
    ),
)


@dataclass(frozen=True)
class Replayed:
    """The answer or delivery of the built-in Chatwoot, and its differences."""

    name: str
    differences: tuple[str, ...]


def list_unlisted(replayed: Replayed) -> list[str]:
    rows = [row for row in DEVIATIONS if row.name == replayed.name]
    return [
        line
        for line in replayed.differences
        if not any(re.fullmatch(row.line, line) for row in rows)
    ]


# -- calls -----------------------------------------------------------------------------------------


class Caller:
    """Makes recorded calls; in the paths, the real one's numbers are replaced by ours."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._numbers: dict[str, str] = {}

    def make(self, call: Recorded) -> Replayed:
        path = re.sub(r"\d+", lambda number: self._numbers.get(number[0], number[0]), call.path)
        # The recorder sent this header; a caller who accepts nothing but JSON gets JSON for an
        # unknown path.
        headers = {"Accept": "*/*"}
        if call.caller != "no token":
            headers["Api-Access-Token"] = call.caller
        url = self._url + path
        got = requests.request(call.method, url, json=call.request, headers=headers, timeout=9)
        self._learn(call, got)
        return Replayed(call.name, tuple(self._compare(call, got)))

    def _learn(self, call: Recorded, answer: requests.Response) -> None:
        if call.method == "POST" and answer.ok and call.status == 200:
            real, ours = _read_id(call.answer), _read_id(answer.json())
            if real and ours:
                self._numbers[str(real)] = str(ours)

    @staticmethod
    def _compare(call: Recorded, answer: requests.Response) -> Iterator[str]:
        if answer.status_code != call.status:
            yield f"status {answer.status_code}, not {call.status}"
        kind = answer.headers.get("Content-Type", "")
        if call.content_type is not None and kind != call.content_type:
            yield f"content type {kind}, not {call.content_type}"
        document: Any = answer.text
        if "json" in kind and answer.text:
            document = answer.json()
        if isinstance(call.answer, dict) and call.status >= 400 and document != call.answer:
            yield f"says {document}, not {call.answer}"
        if "html" in kind and not _is_same_page(str(call.answer), answer.text):
            yield "another page"
        yield from list_differences(call.answer, document)


def _is_same_page(real: str, ours: str) -> bool:
    """Compare the beginnings of two pages, because only the beginning was recorded."""
    return ours.startswith(real.partition("…")[0])


def _read_id(document: Any) -> int | None:
    """Return the number of the record that a call made."""
    inner = document.get("payload", document) if isinstance(document, dict) else {}
    inner = inner if isinstance(inner, dict) else {}
    row = inner.get("contact") or inner.get("webhook") or inner
    number = row.get("id")
    return number if isinstance(number, int) else None


@pytest.fixture(scope="module")
def replayed() -> Iterator[list[Replayed]]:
    server = serve(build_account())
    caller = Caller(server.url)
    yield [caller.make(call) for call in CALLS]
    server.stop()


@pytest.mark.parametrize("number", range(len(CALLS)), ids=[call.name for call in CALLS])
def test_a_call_is_answered_as_the_real_one_answered_it(
    replayed: list[Replayed], number: int
) -> None:
    assert list_unlisted(replayed[number]) == []


# -- deliveries ------------------------------------------------------------------------------------


class Door:
    """A WSGI app that keeps its deliveries: the headers by their recorded names, and the bytes."""

    def __init__(self) -> None:
        self.arrivals: list[tuple[Json, bytes]] = []

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        self.arrivals.append((dict(request.headers.items()), request.get_data()))
        return Response(status=202)(environ, start_response)


def live(chat: Chatwoot, url: str) -> None:
    """Repeat the actions of the recording: those of a visitor, then a contact by the API."""
    visitor = Visitor(url, f"website-{SITE}")
    visitor.starts("Ola, minha licenca venceu?", name="Visitante Um", email="visitante@um.example")
    visitor.types(custom_attributes={"tamanho": "grande"})
    chat.outbox.settle()
    visitor.writes("Alguem?")
    contacts, headers = f"{url}/api/v1/accounts/1/contacts", {"Api-Access-Token": ADMINISTRATOR}
    body: Json = {"name": "Criado por API", "email": "api@um.example"}
    document = requests.post(contacts, json=body, headers=headers, timeout=9).json()
    at = f"{contacts}/{document['payload']['contact']['id']}"
    for change in ({"phone_number": "+5561988880099"}, {"custom_attributes": {"x": "1"}}):
        requests.put(at, json=change, headers=headers, timeout=9)
    chat.outbox.settle()


@pytest.fixture(scope="module")
def arrivals() -> Iterator[list[tuple[Json, bytes]]]:
    chat, door = build_account(), Door()
    servers = serve(chat), serve(door)
    names = ["contact_created", "contact_updated", "conversation_created", "message_created"]
    hook = {"id": 3, "url": servers[1].url, "subscriptions": names, "secret": SECRET}
    chat.webhooks = {3: hook}
    chat.outbox.sending = True
    live(chat, servers[0].url)
    yield door.arrivals
    for server in servers:
        server.stop()


def test_as_many_deliveries_come_as_were_recorded(arrivals: list[tuple[Json, bytes]]) -> None:
    names = [json.loads(raw)["event"] for _, raw in arrivals]
    assert names == [row["body"]["event"] for row in DELIVERIES]


def compare_delivery(number: int, arrivals: list[tuple[Json, bytes]]) -> Replayed:
    real, (headers, raw) = DELIVERIES[number], arrivals[number]
    name = f"delivery {number}: {real['body']['event']}"
    lines = list(list_differences(real["body"], json.loads(raw)))
    names = {key for key in headers if key.startswith("X-")} | {"User-Agent", "Content-Type"}
    lines += [f"header {key}" for key in sorted(names ^ real["headers"].keys())]
    same = ("User-Agent", "Content-Type")
    lines += [f"header {key}" for key in same if headers.get(key) != real["headers"][key]]
    return Replayed(name, tuple(lines))


@pytest.mark.parametrize("number", range(len(DELIVERIES)))
def test_a_delivery_has_the_headers_and_the_shape_of_the_recorded_one(
    arrivals: list[tuple[Json, bytes]], number: int
) -> None:
    assert list_unlisted(compare_delivery(number, arrivals)) == []


def test_every_delivery_is_signed_over_its_stamp_and_bytes(
    arrivals: list[tuple[Json, bytes]],
) -> None:
    for headers, raw in arrivals:
        signed = headers["X-Chatwoot-Timestamp"].encode() + b"." + raw
        right = hmac.new(SECRET.encode(), signed, sha256).hexdigest()
        assert headers["X-Chatwoot-Signature"] == f"sha256={right}"


def test_the_recorded_changes_are_the_ones_that_are_told(
    arrivals: list[tuple[Json, bytes]],
) -> None:
    """The recording of the second delivery lacks a fourth change, which by the source is the
    contact's type."""

    def changed(body: Json) -> list[str]:
        rows = body.get("changed_attributes", [])
        return [key for row in rows for key in (row if isinstance(row, dict) else ["contact_type"])]

    ours = [changed(json.loads(raw)) for _, raw in arrivals]
    assert ours == [changed(row["body"]) for row in DELIVERIES]


# -- the table -------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", DEVIATIONS, ids=lambda row: f"{row.name}: {row.line}")
def test_no_deviation_is_listed_in_vain(
    replayed: list[Replayed], arrivals: list[tuple[Json, bytes]], row: Deviation
) -> None:
    all_of = [*replayed, *(compare_delivery(number, arrivals) for number in range(len(DELIVERIES)))]
    lines = [
        line for exchange in all_of if exchange.name == row.name for line in exchange.differences
    ]
    assert any(re.fullmatch(row.line, line) for line in lines)


def test_a_missing_key_another_type_and_another_word_are_seen() -> None:
    real = {"a": 1, "b": [{"c": None}, "… 2 more"], "d": "2026-11-29T20:34:45.469Z"}
    ours = {"a": "1", "b": [{"c": None, "e": 1}], "d": "now"}
    assert sorted(list_differences(real, ours)) == [
        ".a: text, not int",
        ".b[0].e: not in the real one",
        ".d: text, not moment",
    ]
    assert list(list_differences(real, {**real, "b": []})) == [".b: 0 long, not 2"]
