"""JSON over HTTP against sockets that answer whatever a test scripts, well or badly."""

import gzip
import json
import socket
import ssl
import threading
import time
import tomllib
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import msgspec
import pytest

from panel.cache.backend import JsonSerializer
from panel.deadline import Deadline
from panel.errors import (
    Missing,
    PanelError,
    Paused,
    Refused,
    Unauthorized,
    Unreachable,
    Unreadable,
    Unwell,
)
from panel.upstream.bodies import LARGE_AT_ONCE, LARGEST_ANSWER, LARGEST_IN_PARTS, decode
from panel.upstream.circuit_breaker import CircuitBreaker
from panel.upstream.client import Client
from panel.upstream.transport import Egress
from tests.conftest import certify, wait_until

ROOT = Path(__file__).parents[2]
Script = bytes | Callable[[socket.socket], None]
HTML = b"<!DOCTYPE html><title>Briefly unavailable</title>"


def answer(body: bytes = b"{}", status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def closed(_: socket.socket) -> None:
    """Not one byte of an answer."""


def drip(head: bytes, each: bytes) -> Callable[[socket.socket], None]:
    """`head` at once, then a little at a time, for much longer than anybody should wait."""

    def feed(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(60):
            connection.sendall(each)
            time.sleep(0.05)

    return feed


@dataclass
class Scripted:
    """The n-th request gets the n-th script, every later one the last."""

    listener: socket.socket
    scripts: tuple[Script, ...]
    requests: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    @property
    def url(self) -> str:
        scheme = "https" if isinstance(self.listener, ssl.SSLSocket) else "http"
        return f"{scheme}://127.0.0.1:{self.listener.getsockname()[1]}"

    def run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()  # over TLS, it shakes hands here
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(65536) or b"\r\n\r\n"
            with self._lock:
                self.requests.append(head.decode("latin-1"))
                script = self.scripts[min(len(self.requests), len(self.scripts)) - 1]
            if isinstance(script, bytes):
                connection.sendall(script)
            else:
                script(connection)


Serve = Callable[..., Scripted]


@pytest.fixture
def scripted() -> Iterator[Serve]:
    made: list[Scripted] = []

    def serve(*scripts: Script, tls: ssl.SSLContext | None = None) -> Scripted:
        listener = socket.create_server(("127.0.0.1", 0))
        listener = tls.wrap_socket(listener, server_side=True) if tls else listener
        server = Scripted(listener, scripts)
        threading.Thread(target=server.run, daemon=True).start()
        made.append(server)
        return server

    yield serve
    for server in made:
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()


def client(server: Scripted) -> Client:
    return Client(server.url + "/api", {"Authorization": "Bearer our-secret"})


def seconds_of(call: Callable[[], object]) -> float:
    start = time.monotonic()
    with suppress(PanelError):
        call()
    return time.monotonic() - start


# -- what comes back ---------------------------------------------------------------------------


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
    """The library's own name is on the lists of many firewalls."""
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
    server, seen = scripted(answer(), answer(b"", "500 Error")), list[int]()

    @contextmanager
    def turn() -> Iterator[None]:
        try:
            yield
        finally:
            seen.append(len(server.requests))

    made = Client(server.url, {}, turn)
    made.send("GET", "x")
    with pytest.raises(Unwell):
        made.send("GET", "x")
    assert seen == [1, 2]


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
    sent, kind, code = FINAL[name]
    server = scripted(sent)
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
    sent, kind, code = PASSING[name]
    server = scripted(sent)
    with pytest.raises(kind) as error:
        client(server).get("orders")
    assert error.value.code == code
    assert len(server.requests) == 2


def test_the_second_try_may_bring_the_answer_after_one_second(scripted: Serve) -> None:
    server = scripted(answer(b"", "503 Down"), answer(b'{"data": 1}'))
    asked = time.monotonic()
    assert client(server).get("orders").body == {"data": 1}
    assert 0.95 <= time.monotonic() - asked < 3


def test_a_write_is_never_repeated(scripted: Serve) -> None:
    server = scripted(answer(b"", "503 Down"))
    with pytest.raises(Unwell):
        client(server).send("POST", "orders", {"a": 1})
    assert len(server.requests) == 1


# -- Retry-After -------------------------------------------------------------------------------


def test_retry_after_is_waited_for_inside_the_deadline(scripted: Serve) -> None:
    server = scripted(answer(b"", "429 Slow", "Retry-After: 2"), answer(b"[]"))
    asked = time.monotonic()
    assert client(server).get("orders").body == []
    assert 1.5 <= time.monotonic() - asked < 4


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


# -- deadline and size -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "each"),
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
    scripted: Serve, head: bytes, each: bytes
) -> None:
    server = scripted(drip(head, each))
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
        client(server).get("orders")  # nobody vouches for that certificate


def test_a_body_may_take_as_long_as_its_reader_has_though_headers_may_not(scripted: Serve) -> None:
    """A pass of the writing wing has two minutes for what an agent waits eight seconds for."""
    by = Deadline(0.5)  # when the call begins, and so for the headers

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
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unreachable) as error:
        Client(f"http://127.0.0.1:{port}", {}).get("orders", by=Deadline(0.5))
    assert error.value.code == "network"


def test_a_host_that_does_not_accept_costs_one_second_to_connect() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        seconds = seconds_of(lambda: Client(f"http://127.0.0.1:{port}", {}).send("GET", "x"))
        for each in waiting:
            each.close()
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


# -- redirects ---------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 T", "308 P"])
def test_a_redirect_to_another_host_never_gets_the_bearer(scripted: Serve, status: str) -> None:
    thief = scripted(answer())
    server = scripted(answer(b"", status, f"Location: {thief.url}/api/orders"))
    with pytest.raises(Unreadable, match="redirected"):
        client(server).get("orders")
    assert thief.requests == []


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("https://www.shop.example/wp-json/middag-account/v1/orders?key=s3cret", None),
        ("https://user:s3cret@www.shop.example/wp-json/middag-account/v1/orders", None),
        ("//www.shop.example/x", "to http://www.shop.example/x"),
        ("http://www.shop.example:99999/", "a redirect to nowhere"),
    ],
)
def test_a_refused_redirect_names_where_it_points(
    scripted: Serve, location: str, told: str | None
) -> None:
    with pytest.raises(Unreadable) as error:
        client(scripted(answer(b"", "301 Moved", f"Location: {location}"))).get("orders")
    expected = told or "to https://www.shop.example/wp-json/middag-account/v1/orders"
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


# -- the breaker -------------------------------------------------------------------------------


def broken_client(server: Scripted, pause: float = 0.3, limit: int = 3) -> Client:
    made = client(server)
    made.breaker = CircuitBreaker(limit=limit, own_limit=limit, subjects=1, pause=pause)
    for _ in range(limit):
        with pytest.raises(PanelError):
            made.send("GET", "x")
    return made


def test_the_breaker_opens_and_says_when_it_will_be_tried_again(scripted: Serve) -> None:
    server = scripted(answer(b"", "500 Error"))
    made = broken_client(server, pause=20)
    with pytest.raises(Paused) as error:
        made.send("GET", "x")
    assert error.value.retry_at == pytest.approx(time.time() + 20, abs=2)
    assert made.breaker.paused_until == error.value.retry_at
    assert len(server.requests) == 3


def test_a_paused_read_is_not_retried_but_told_at_once(scripted: Serve) -> None:
    made = broken_client(scripted(answer(b"", "500 Error")), pause=20)
    assert seconds_of(lambda: made.get("x")) < 0.5


def test_one_probe_goes_first_and_its_failure_pauses_again(scripted: Serve) -> None:
    server = scripted(answer(b"", "500 Error"))
    made = broken_client(server)
    wait_until(lambda: made.breaker.paused_until == 0)
    outcomes: list[str] = []

    def call() -> None:
        with pytest.raises(PanelError) as error:
            made.send("GET", "x")
        outcomes.append(error.value.code)

    threads = [threading.Thread(target=call) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["http_500", *["paused"] * 4]
    with pytest.raises(Paused):
        made.send("GET", "x")


def test_a_probe_that_succeeds_closes_the_breaker(scripted: Serve) -> None:
    bad, good = answer(b"", "500 Error"), answer(b"{}")
    server = scripted(bad, bad, bad, good)
    made = broken_client(server)
    wait_until(lambda: made.breaker.paused_until == 0)
    assert [made.send("GET", "x").status for _ in range(5)] == [200] * 5


@pytest.mark.parametrize("status", ["200 OK", "401 No", "403 No", "404 No", "422 No"])
def test_a_sign_of_life_forgives_the_failures_before_it(scripted: Serve, status: str) -> None:
    bad = answer(b"", "500 Error")
    server = scripted(bad, bad, answer(b"{}", status), bad, bad, answer(b"{}"))
    made = client(server)
    made.breaker = CircuitBreaker(limit=3, own_limit=3, subjects=1, pause=20)
    for _ in range(5):
        with suppress(PanelError):
            made.send("GET", "x")
    assert made.send("GET", "x").status == 200


def test_being_rate_limited_opens_no_breaker(scripted: Serve) -> None:
    server = scripted(answer(b"", "429 Slow", "Retry-After: 60"))
    made = broken_client(server, pause=20)
    with pytest.raises(Unwell, match="rate_limited"):
        made.send("GET", "x")


def test_a_polite_answer_to_the_probe_closes_the_breaker(scripted: Serve) -> None:
    bad, busy = answer(b"", "500 Error"), answer(b"", "429 Slow")
    made = broken_client(scripted(bad, bad, bad, busy, answer(b"{}")))
    wait_until(lambda: made.breaker.paused_until == 0)
    with pytest.raises(Unwell, match="rate_limited"):
        made.send("GET", "x")
    assert made.send("GET", "x").status == 200


def test_silence_opens_the_breaker_too(scripted: Serve) -> None:
    made = broken_client(scripted(closed), pause=20)
    with pytest.raises(Paused):
        made.send("GET", "x")


def test_running_out_of_time_before_the_call_is_no_failure_of_the_host(scripted: Serve) -> None:
    made = client(scripted(answer()))
    made.breaker = CircuitBreaker(limit=1, own_limit=1, subjects=1, pause=20)
    with pytest.raises(Unreachable):
        made.get("x", by=Deadline(0))
    assert made.get("x").status == 200


# -- what must not leak ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent", [closed, answer(HTML), answer(b"", "500 Error"), answer(b"{}", "401 No")]
)
def test_no_error_tells_the_secret(scripted: Serve, sent: Script) -> None:
    with pytest.raises(PanelError) as error:
        client(scripted(sent)).send("GET", "x")
    assert "our-secret" not in f"{error.value!r} {error.value} {error.value.detail}"


def test_no_cookie_of_the_other_side_is_sent_back(scripted: Serve) -> None:
    server = scripted(answer(b"{}", "200 OK", "Set-Cookie: visitor=42; Path=/"))
    made = client(server)
    made.get("x")
    made.get("x")
    assert "visitor" not in server.requests[1]


def test_neither_a_netrc_nor_a_proxy_of_the_machine_is_used(
    scripted: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, proxy = scripted(answer()), scripted(answer())
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password word\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.delenv("no_proxy", raising=False)
    client(server).get("x")
    assert "Authorization: Bearer our-secret" in server.requests[0]
    assert proxy.requests == []


def test_a_number_of_endless_digits_is_read_as_a_text_and_the_rest_as_it_is() -> None:
    """A visitor can write one into an attribute."""
    raw = b'{"id": 7, "custom_attributes": {"zz": ' + b"9" * 5000 + b"}}"
    assert decode(raw) == ({"id": 7, "custom_attributes": {"zz": "9" * 5000}}, True)
    assert decode(b'{"id": ' + b"9" * 5000 + b', "name": "\\ud800"}') == (None, False)
    assert decode(b'{"id": ' + b"9" * 5000 + b', "total": NaN}') == (None, False)


@pytest.mark.parametrize("endless", [b"", b', "zz": ' + b"9" * 5000])
@pytest.mark.parametrize(
    "written", ["80.5", "100.0", "0.10000000000000001", "1.25E+3", "1E+400", "-0.0"]
)
def test_a_fraction_keeps_its_digits_through_the_cache(written: str, endless: bytes) -> None:
    body, readable = decode(b'{"total": ' + written.encode() + endless + b"}")
    assert readable
    assert str(body["total"]) == written
    serializer = JsonSerializer()
    assert str(serializer.loads(serializer.dumps(body))["total"]) == written


def test_an_exponent_without_end_is_read_as_a_text() -> None:
    written = "1e" + "9" * 19
    assert decode(b'{"total": ' + written.encode() + b"}") == ({"total": written}, True)


def test_a_byte_order_mark_before_the_answer_is_skipped() -> None:
    assert decode(b'\xef\xbb\xbf{"id": 7}') == ({"id": 7}, True)
    assert decode(b"\xef\xbb\xbf") == (None, True)
    assert decode(b"\n\xef\xbb\xbf\r\n\xef\xbb\xbf\xef\xbb\xbf [7] \n") == ([7], True)
    assert decode(b"\n\xef\xbb\xbf \xef\xbb\xbf\n") == (None, True)


# -- a part of a large document ------------------------------------------------------------------


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
        found: int = client(server).get_parts("talk", Part, Deadline(seconds))["id"]
        return found

    def is_refused() -> bool:
        try:
            read(0.3)
        except Unreachable as error:
            return "other large answers" in error.detail
        return False

    with ThreadPoolExecutor(LARGE_AT_ONCE) as pool:
        held = [pool.submit(read, 60.0) for _ in range(LARGE_AT_ONCE)]
        wait_until(lambda: len(server.requests) >= LARGE_AT_ONCE)
        wait_until(is_refused)
        go_on.set()
        assert [each.result() for each in held] == [7] * LARGE_AT_ONCE
    assert read(60.0) == 7
