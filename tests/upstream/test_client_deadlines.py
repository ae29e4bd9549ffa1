"""Deadlines, sizes and redirects of a client."""

import gzip
import json
import socket
import ssl
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from panel.deadline import Deadline
from panel.errors import Unreachable, Unreadable
from panel.upstream.bodies import LARGEST_ANSWER
from panel.upstream.client import Client
from panel.upstream.transport import Egress
from tests.conftest import certify
from tests.upstream.scripted import Serve, answer, client, scripted, seconds_of

__all__ = ["scripted"]  # a fixture


def drip(head: bytes, drop: bytes) -> Callable[[socket.socket], None]:
    """Send `head` at once, then a little at a time, for much longer than a client should wait."""

    def feed(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(60):
            connection.sendall(drop)
            time.sleep(0.05)

    return feed


# -- deadline and size -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"X-Many: x\r\n"),
    ],
    ids=["hang", "body", "chunks", "until close", "one header", "many headers"],
)
def test_a_server_that_hangs_or_drips_is_left_at_the_deadline(
    scripted: Serve, head: bytes, drop: bytes
) -> None:
    server = scripted(drip(head, drop))
    start = time.monotonic()
    with pytest.raises(Unreachable) as error:
        client(server).get("orders", by=Deadline(0.6))
    assert error.value.code == "timeout"
    assert 0.4 < time.monotonic() - start < 1.5


def test_a_server_that_drips_over_tls_is_left_at_the_deadline(
    scripted: Serve, tmp_path: Path
) -> None:
    certificate, key = certify(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    endless = drip(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b" ")
    server = scripted(answer(b"[1]"), endless, tls=context)
    trusting = Client(server.url + "/api", {}, egress=Egress(certificates=str(certificate)))
    assert trusting.get("orders").body == [1]
    start = time.monotonic()
    with pytest.raises(Unreachable, match="timeout"):
        trusting.get("orders", by=Deadline(0.6))
    assert 0.4 < time.monotonic() - start < 1.5
    with pytest.raises(Unreachable):
        client(server).get("orders")  # no authority signed that certificate


def test_a_body_may_take_as_long_as_its_reader_has_though_headers_may_not(scripted: Serve) -> None:
    """A pass may take two minutes for a body for which an agent waits eight seconds."""
    by = Deadline(0.5)  # the deadline when the call begins, and so that of the headers

    def slow(connection: socket.socket) -> None:
        by.last_longer(5)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n")
        for _ in range(15):
            connection.sendall(b" ")
            time.sleep(0.06)
        connection.sendall(b"7")

    server = scripted(slow)
    assert client(server).get("orders", by=by).body == 7
    assert len(server.requests) == 1


def test_a_redirect_is_followed_without_waiting_for_its_body(scripted: Serve) -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 99\r\n\r\n"
    server = scripted(drip(head, b" "))
    start = time.monotonic()
    with pytest.raises(Unreadable, match="redirects"):
        client(server).get("orders")
    assert time.monotonic() - start < 1.5


def test_a_deadline_that_has_passed_asks_nobody(scripted: Serve) -> None:
    server = scripted(answer())
    with pytest.raises(Unreachable, match="timeout"):
        client(server).get("orders", by=Deadline(0))
    assert server.requests == []


def test_a_connection_that_is_refused_is_a_network_error(scripted: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unreachable) as error:
        Client(f"http://127.0.0.1:{port}", {}).get("orders", by=Deadline(0.5))
    assert error.value.code == "network"


def test_a_host_that_does_not_accept_costs_one_second_to_connect() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for waiter in waiting:
            waiter.setblocking(False)
            waiter.connect_ex(("127.0.0.1", port))
        seconds = seconds_of(lambda: Client(f"http://127.0.0.1:{port}", {}).send("GET", "x"))
        for waiter in waiting:
            waiter.close()
    assert 0.8 < seconds < 2


def test_an_answer_of_the_largest_size_is_read_and_one_byte_more_is_not(scripted: Serve) -> None:
    body = b'"' + b"x" * (LARGEST_ANSWER - 2) + b'"'
    assert len(str(client(scripted(answer(body))).get("x").body)) == LARGEST_ANSWER - 2
    with pytest.raises(Unreadable, match="too_large"):
        client(scripted(answer(body + b" "))).get("x")


def test_a_gzip_bomb_is_not_unpacked(scripted: Serve) -> None:
    bomb = gzip.compress(b" " * 200_000_000, 9)
    server = scripted(answer(bomb, "200 OK", "Content-Encoding: gzip"))
    tracemalloc.start()
    try:
        with pytest.raises(Unreadable, match="too_large"):
            client(server).get("x")
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()


def test_packed_answers_are_unpacked(scripted: Serve) -> None:
    packed = gzip.compress(json.dumps({"data": 1}).encode())
    server = scripted(answer(packed, "200 OK", "Content-Encoding: gzip"))
    assert client(server).get("x").body == {"data": 1}


# -- redirects -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 T", "308 P"])
def test_a_redirect_to_another_host_never_gets_the_bearer(scripted: Serve, status: str) -> None:
    thief = scripted(answer())
    server = scripted(answer(b"", status, f"Location: {thief.url}/api/orders"))
    with pytest.raises(Unreadable, match="redirected"):
        client(server).get("orders")
    assert thief.requests == []


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("https://www.shop.example/wp-json/middag-account/v1/orders?key=s3cret", None),
        ("https://user:s3cret@www.shop.example/wp-json/middag-account/v1/orders", None),
        ("//www.shop.example/x", "to http://www.shop.example/x"),
        ("http://www.shop.example:99999/", "a redirect to nowhere"),
    ],
)
def test_a_refused_redirect_names_where_it_points(
    scripted: Serve, location: str, target: str | None
) -> None:
    with pytest.raises(Unreadable) as error:
        client(scripted(answer(b"", "301 Moved", f"Location: {location}"))).get("orders")
    expected = target or "to https://www.shop.example/wp-json/middag-account/v1/orders"
    assert (error.value.code, error.value.detail) == ("redirected", expected)


def test_a_write_that_is_sent_elsewhere_names_where_too(scripted: Serve) -> None:
    server = scripted(answer(b"", "301 Moved", "Location: /api/orders/?a=1"))
    with pytest.raises(Unreadable) as error:
        client(server).send("POST", "orders", {})
    assert error.value.detail.endswith(f": to {server.url}/api/orders/")
    assert len(server.requests) == 1


def test_a_redirect_to_another_name_of_the_host_is_refused(scripted: Serve) -> None:
    server = scripted(answer())
    server.scripts = (
        answer(b"", "302 Found", f"Location: {server.url.replace('127.0.0.1', 'localhost')}/"),
        answer(),
    )
    with pytest.raises(Unreadable, match="redirected"):
        client(server).get("orders")
    assert len(server.requests) == 1


@pytest.mark.parametrize("location", ["/api/orders/", "orders/", "{url}/api/orders/"])
def test_a_redirect_on_the_same_host_is_followed(scripted: Serve, location: str) -> None:
    server = scripted(answer())
    where = location.format(url=server.url)
    server.scripts = (answer(b"", "301 Moved", f"Location: {where}"), answer(b"[7]"))
    assert client(server).get("orders").body == [7]
    assert server.requests[1].startswith("GET /api/orders/")
    assert "Authorization: Bearer our-secret" in server.requests[1]


def test_a_circle_of_redirects_ends(scripted: Serve) -> None:
    server = scripted(answer(b"", "302 Found", "Location: /api/orders"))
    with pytest.raises(Unreadable, match="redirects"):
        client(server).get("orders")
    assert len(server.requests) == 4
