"""JSON over HTTP against sockets with scripted answers, good and bad ones."""

import gzip
import socket
import threading
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import msgspec
import pytest

from panel.deadline import Deadline
from panel.errors import Missing, PanelError, Refused, Unauthorized, Unreachable, Unreadable, Unwell
from panel.upstream.bodies import LARGE_AT_ONCE, LARGEST_ANSWER, LARGEST_IN_PARTS
from panel.upstream.client import Client
from tests.conftest import wait_until
from tests.upstream.scripted import (
    HTML,
    Script,
    Serve,
    answer,
    client,
    closed,
    scripted,
    seconds_of,
)

__all__ = ["scripted"]  # a fixture


ROOT = Path(__file__).parents[2]


# -- answers ------------------------------------------------------------------------------


def test_a_document_comes_back_decoded(scripted: Serve) -> None:
    server = scripted(answer(b'{"data": [1, "\xc3\xa3"]}'))
    assert client(server).get("orders").body == {"data": [1, "ã"]}


def test_path_query_and_headers_reach_the_other_side(scripted: Serve) -> None:
    server = scripted(answer())
    client(server).get("orders", params={"org": 42}, headers={"X-Middag-Organization": "42"})
    request = server.requests[0]
    assert request.startswith("GET /api/orders?org=42 HTTP/1.1\r\n")
    assert "Authorization: Bearer our-secret\r\n" in request
    assert "X-Middag-Organization: 42\r\n" in request


def test_who_asks_is_named_with_our_name_and_version(scripted: Serve) -> None:
    """Many firewalls block the library's own name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    server = scripted(answer())
    client(server).get("orders")
    client(server).send("POST", "orders", {})
    for request in server.requests:
        assert f"User-Agent: {project['name']}/{project['version']}\r\n" in request


def test_the_age_of_an_answer_comes_with_it(scripted: Serve) -> None:
    assert client(scripted(answer())).get("x").age == 0
    assert client(scripted(answer(b"{}", "200 OK", "Age: 37"))).get("x").age == 37
    assert client(scripted(answer(b"{}", "200 OK", "X-Cache: HIT"))).get("x").age is None


def test_below_plain_permalinks_the_path_goes_into_the_parameter(scripted: Serve) -> None:
    server = scripted(answer())
    Client(f"{server.url}/?rest_route=/middag-account/v1", {}).get("orders", params={"org": 42})
    assert server.requests[0].startswith("GET /?rest_route=/middag-account/v1/orders&org=42 HTTP")


def test_what_the_gate_returned_is_closed_after_the_call_however_it_ends(scripted: Serve) -> None:
    server, calls = scripted(answer(), answer(b"", "500 Error")), list[int]()

    @contextmanager
    def turn() -> Iterator[None]:
        try:
            yield
        finally:
            calls.append(len(server.requests))

    own_client = Client(server.url, {}, turn)
    own_client.send("GET", "x")
    with pytest.raises(Unwell):
        own_client.send("GET", "x")
    assert calls == [1, 2]


def test_an_empty_body_is_none(scripted: Serve) -> None:
    assert client(scripted(answer(b"", "204 No Content"))).get("x").body is None


FINAL: dict[str, tuple[bytes, type[PanelError], str]] = {
    "HTML": (answer(HTML), Unreadable, "unreadable"),
    "half JSON": (answer(b'{"data": ['), Unreadable, "unreadable"),
    "no UTF-8": (answer(b"\xff\xfe{}"), Unreadable, "unreadable"),
    "NaN": (answer(b'{"a": NaN}'), Unreadable, "unreadable"),
    "half a character": (answer(b'"\\ud800"'), Unreadable, "unreadable"),
    "deep list": (answer(b"[" * 200_000 + b"]" * 200_000), Unreadable, "unreadable"),
    "deep object": (answer(b'{"a":' * 100_000 + b"1" + b"}" * 100_000), Unreadable, "unreadable"),
    "401": (answer(b"{}", "401 Unauthorized"), Unauthorized, "unauthorized"),
    "403 in HTML": (answer(HTML, "403 Forbidden"), Refused, "denied"),
    "404": (answer(b"{}", "404 Not Found"), Missing, "not_found"),
    "400": (answer(b"{}", "400 Bad Request"), Unreadable, "http_400"),
    "422": (answer(b"{}", "422 Unprocessable"), Unreadable, "http_422"),
    "302 to nowhere": (answer(b"{}", "302 Found"), Unreadable, "http_302"),
    "302 to nonsense": (answer(b"{}", "302 Found", "Location: http://["), Unreadable, "redirected"),
    "not packed": (answer(b"{}", "200 OK", "Content-Encoding: gzip"), Unreadable, "unreadable"),
}


@pytest.mark.parametrize("name", FINAL)
def test_what_repeats_itself_is_asked_once(scripted: Serve, name: str) -> None:
    script, kind, code = FINAL[name]
    server = scripted(script)
    with pytest.raises(kind) as error:
        client(server).get("orders")
    assert error.value.code == code
    assert len(server.requests) == 1


PASSING: dict[str, tuple[Script, type[PanelError], str]] = {
    "500": (answer(b"{}", "500 Error"), Unwell, "http_500"),
    "502": (answer(HTML, "502 Bad Gateway"), Unwell, "http_502"),
    "429": (answer(b"{}", "429 Slow", "Retry-After: 0"), Unwell, "rate_limited"),
    "no answer": (closed, Unreachable, "network"),
    "half an answer": (answer(b'{"data": []}')[:-4], Unreachable, "network"),
    "no HTTP": (b"no HTTP at all\r\n\r\n", Unreachable, "network"),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_may_heal_is_asked_twice(scripted: Serve, name: str) -> None:
    script, kind, code = PASSING[name]
    server = scripted(script)
    with pytest.raises(kind) as error:
        client(server).get("orders")
    assert error.value.code == code
    assert len(server.requests) == 2


def test_the_second_try_may_bring_the_answer_after_one_second(scripted: Serve) -> None:
    server = scripted(answer(b"", "503 Down"), answer(b'{"data": 1}'))
    start = time.monotonic()
    assert client(server).get("orders").body == {"data": 1}
    assert 0.95 <= time.monotonic() - start < 3


def test_a_write_is_never_repeated(scripted: Serve) -> None:
    server = scripted(answer(b"", "503 Down"))
    with pytest.raises(Unwell):
        client(server).send("POST", "orders", {"a": 1})
    assert len(server.requests) == 1


# -- Retry-After -----------------------------------------------------------------------------------


def test_retry_after_is_waited_for_inside_the_deadline(scripted: Serve) -> None:
    server = scripted(answer(b"", "429 Slow", "Retry-After: 2"), answer(b"[]"))
    start = time.monotonic()
    assert client(server).get("orders").body == []
    assert 1.5 <= time.monotonic() - start < 4


def test_a_retry_after_beyond_the_deadline_ends_it_at_once(scripted: Serve) -> None:
    server = scripted(answer(b"", "429 Slow", "Retry-After: 60"))
    assert seconds_of(lambda: client(server).get("orders")) < 0.9
    assert len(server.requests) == 1


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_says_when_to_ask_again(scripted: Serve, form: str) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    text = "60" if form == "seconds" else later
    server = scripted(answer(b"", "503 Down", f"Retry-After: {text}"))
    with pytest.raises(Unwell) as error:
        client(server).get("orders")
    assert error.value.retry_at == pytest.approx(time.time() + 60, abs=2)


@pytest.mark.parametrize(
    "text",
    ["soon", "-5", "²", "9" * 5000, "Mon, 99 Foo 2026", "Fri, 31 Dec 9999 23:59:59 -1200"],
    ids=["word", "negative", "superscript", "endless", "no date", "no such year"],
)
def test_a_strange_retry_after_is_no_accident(scripted: Serve, text: str) -> None:
    server = scripted(answer(b"", "503 Down", f"Retry-After: {text}"))
    with pytest.raises(Unwell) as error:
        client(server).get("orders", by=Deadline(0.5))
    assert error.value.retry_at is None or error.value.retry_at <= time.time() + 3601


# -- a part of a large document --------------------------------------------------------------------


class Part(msgspec.Struct):
    id: msgspec.Raw
    attributes: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def test_only_the_named_parts_of_a_large_document_are_built(scripted: Serve) -> None:
    messages = b'["%s", %s, 1e400, "\xff"]' % (b"x" * 3_000_000, b"9" * 5000)
    server = scripted(answer(b'{"messages": %s, "id": 7, "attributes": {"a": [1]}}' % messages))
    assert client(server).get_parts("talk", Part) == {"id": 7, "attributes": {"a": [1]}}


def test_an_endless_number_in_a_named_part_is_read_as_a_text(scripted: Serve) -> None:
    server = scripted(answer(b'{"id": 7, "attributes": {"n": %s}}' % (b"9" * 5000)))
    assert client(server).get_parts("talk", Part)["attributes"] == {"n": "9" * 5000}


@pytest.mark.parametrize("body", [b"[1]", b"{}", b'{"attributes": {}}', b"null"])
def test_a_document_without_its_parts_has_another_shape(scripted: Serve, body: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        client(scripted(answer(body))).get_parts("talk", Part)
    assert caught.value.code == "wrong_shape"


def test_a_document_of_parts_has_its_own_limit_after_decompression(scripted: Serve) -> None:
    packed = gzip.compress(b'{"id": 7, "messages": "%s"}' % (b"x" * LARGEST_IN_PARTS))
    assert len(packed) < 100_000
    with pytest.raises(Unreadable) as caught:
        client(scripted(answer(packed, "200 OK", "Content-Encoding: gzip"))).get_parts("talk", Part)
    assert caught.value.code == "too_large"


def test_no_more_than_four_large_answers_are_read_at_once(scripted: Serve) -> None:
    go_on = threading.Event()
    whole = answer(b'{"id": 7, "messages": "%s"}' % (b"x" * LARGEST_ANSWER * 2))

    def withhold_the_end(connection: socket.socket) -> None:
        connection.sendall(whole[:-1])
        go_on.wait(30)
        connection.sendall(whole[-1:])

    server = scripted(*[withhold_the_end] * LARGE_AT_ONCE, whole)

    def read(seconds: float) -> int:
        number: int = client(server).get_parts("talk", Part, Deadline(seconds))["id"]
        return number

    def is_refused() -> bool:
        try:
            read(0.3)
        except Unreachable as error:
            return "other large answers" in error.detail
        return False

    with ThreadPoolExecutor(LARGE_AT_ONCE) as pool:
        futures = [pool.submit(read, 60.0) for _ in range(LARGE_AT_ONCE)]
        wait_until(lambda: len(server.requests) >= LARGE_AT_ONCE)
        wait_until(is_refused)
        go_on.set()
        assert [future.result() for future in futures] == [7] * LARGE_AT_ONCE
    assert read(60.0) == 7
