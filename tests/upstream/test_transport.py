"""The way to an outside world: trusted authorities, and proxies."""

import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from panel.deadline import Deadline
from panel.errors import Unreachable
from panel.upstream.client import Client
from panel.upstream.transport import Egress
from tests.conftest import certify
from tests.ports import free_port


def say_hello(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "application/json")])
    return [f'"{environ["HTTP_HOST"]}"'.encode()]


@contextmanager
def world(tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Yield the address of a server that answers with the host name of the request."""
    server = make_server("127.0.0.1", 0, say_hello, threaded=True, ssl_context=tls)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class TunnelProxy:
    """An HTTP proxy that passes on bytes both ways: CONNECT and absolute addresses."""

    def __init__(self) -> None:
        self.first_lines: list[str] = []
        self.drips = False
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):  # the other side may have closed already
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(65536)
            line = head.partition(b"\r\n")[0].decode()
            self.first_lines.append(line)
            if self.drips:
                client.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while not self._over.wait(0.1):
                    client.sendall(b"x")
                return
            method, target, _ = line.split()
            netloc = target if method == "CONNECT" else target.split("/")[2]
            host, _, port = netloc.partition(":")
            with socket.create_connection((host, int(port))) as server:
                if method == "CONNECT":
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    server.sendall(head)
                _pass_on(client, server)


def _pass_on(first: socket.socket, other: socket.socket) -> None:
    """Pass on bytes both ways, until one side closes."""
    partners = {first: other, other: first}
    while True:
        for source in select.select(list(partners), [], [])[0]:
            if not (data := source.recv(65536)):
                return
            partners[source].sendall(data)


@pytest.fixture
def proxy() -> Iterator[TunnelProxy]:
    new_proxy = TunnelProxy()
    yield new_proxy
    new_proxy.close()


def test_a_proxy_of_the_settings_is_asked_and_one_of_the_environment_is_not(
    proxy: TunnelProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    with world() as address:
        assert Client(address, {}).get("x").body
        assert proxy.first_lines == []
        assert Client(address, {}, egress=Egress(proxy=proxy.url)).get("x").body
    assert proxy.first_lines == [f"GET {address}/x HTTP/1.1"]


def test_an_encrypted_call_goes_through_the_proxy_in_a_tunnel_and_its_deadline_holds(
    proxy: TunnelProxy, tmp_path: Path
) -> None:
    certificate, key = certify(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with world(context) as address:
        egress = Egress(str(certificate), proxy.url)
        assert Client(address, {}, egress=egress).get("x").body
        [line] = proxy.first_lines
        assert line.startswith("CONNECT 127.0.0.1:")
        proxy.drips = True
        assert_left_in_time(Client(address, {}, egress=egress))


def test_a_proxy_that_drips_is_left_at_the_deadline(proxy: TunnelProxy) -> None:
    proxy.drips = True
    with world() as address:
        assert_left_in_time(Client(address, {}, egress=Egress(proxy=proxy.url)))


def assert_left_in_time(client: Client) -> None:
    started_at = time.monotonic()
    with pytest.raises(Unreachable):
        client.get("x", by=Deadline(0.6))
    assert time.monotonic() - started_at < 3


def test_a_proxy_that_is_away_is_a_failure_and_never_a_direct_call() -> None:
    away = f"http://127.0.0.1:{free_port()}"
    with world() as address, pytest.raises(Unreachable):
        Client(address, {}, egress=Egress(proxy=away)).get("x")
