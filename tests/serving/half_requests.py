"""A gunicorn with our worker class, and sockets on which requests are sent in halves."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).resolve().parent.parent.parent
SETTINGS = ROOT / "bench" / "rival_gunicorn.py"  # our settings without those of the application
ECHO = "tests.serving.echo:application"
PROMPT = 2.0  # seconds on a busy machine; a server that is stuck takes ten or more

GET = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Server:
    port: int
    master: int

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def ask(self, path: str) -> float:
        """Return the seconds for a request over a connection of its own."""
        started_at = time.monotonic()
        answer = requests.get(f"http://127.0.0.1:{self.port}/{path}", timeout=30)
        assert answer.status_code == 200
        return time.monotonic() - started_at


@contextmanager
def gunicorn(application: str, environ: dict[str, str], *options: str) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        command = [sys.executable, "-m", "gunicorn", application, *options]
        process = subprocess.Popen(
            [*command, "--bind", f"fd://{listener.fileno()}"],
            cwd=ROOT,
            env={**environ, "PATH": os.environ["PATH"]},
            pass_fds=[listener.fileno()],
        )
        server = Server(listener.getsockname()[1], process.pid)
        try:
            server.ask("healthz")
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


@pytest.fixture(scope="module")
def echo() -> Iterator[Server]:
    with gunicorn(ECHO, {}, "--config", str(SETTINGS)) as server:
        yield server


def receive(sock: socket.socket, until: bytes = b"") -> bytes:
    """Receive all bytes, to the end or up to these."""
    data = b""
    while not (until and until in data) and (part := sock.recv(65536)):
        data += part
    return data


def answer(sock: socket.socket) -> tuple[bytes, bytes]:
    """Receive an answer of known length: head and body."""
    data = receive(sock, b"\r\n\r\n")
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += sock.recv(65536)
    return head, body
