"""A server with scripted answers, and a client of it."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from panel.errors import PanelError
from panel.upstream.client import Client

Script = bytes | Callable[[socket.socket], None]
HTML = b"<!DOCTYPE html><title>Briefly unavailable</title>"


def answer(body: bytes = b"{}", status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def closed(_: socket.socket) -> None:
    """Close the connection without a byte of an answer."""


@dataclass
class Scripted:
    """A server whose n-th request gets the n-th script, and every later one the last."""

    listener: socket.socket
    scripts: tuple[Script, ...]
    requests: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        scheme = "https" if isinstance(self.listener, ssl.SSLSocket) else "http"
        return f"{scheme}://127.0.0.1:{self.listener.getsockname()[1]}"

    def run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()  # over TLS, the handshake happens here
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
    servers: list[Scripted] = []

    def serve(*scripts: Script, tls: ssl.SSLContext | None = None) -> Scripted:
        listener = socket.create_server(("127.0.0.1", 0))
        listener = tls.wrap_socket(listener, server_side=True) if tls else listener
        server = Scripted(listener, scripts)
        threading.Thread(target=server.run, daemon=True).start()
        servers.append(server)
        return server

    yield serve
    for server in servers:
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()


def client(server: Scripted) -> Client:
    return Client(server.url + "/api", {"Authorization": "Bearer our-secret"})


def seconds_of(call: Callable[[], object]) -> float:
    start = time.monotonic()
    with suppress(PanelError):
        call()
    return time.monotonic() - start
