"""A receiver of hooks for tests without a panel: answers as the panel does, or as a test sets."""

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.ports import free_port
from tests.wordpress.sites import poll

SECRET = "a-secret-of-the-tests-with-many-characters"


@dataclass(frozen=True)
class Arrival:
    """`at`: when it was taken, epoch seconds; `connection`: the number of its connection."""

    event: str
    organization: int | None
    record: int | str | None
    id: str
    timestamp: str
    at: float
    connection: int


@dataclass(frozen=True)
class Reply:
    """An answer of another server, or a refusal of the panel."""

    status: int
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    type: str = "text/html"


def refusal(status: int, code: str, **headers: str) -> Reply:
    """A refusal in the panel's own words."""
    body = json.dumps({"error": {"code": code, "detail": "…"}})
    items = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Reply(status, body, items, "application/json")


class Receiver:
    """Takes hooks on loopback. `delay`: seconds before each answer; `reply`: the answer that is
    given without taking the hook.

    `hang` set: no request is answered until it is cleared. Ids are remembered, as the panel does.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.delay = 0.0
        self.hang = threading.Event()
        self.reply: Callable[[dict[str, Any]], Reply | None] = lambda hook: None
        self.arrivals: list[Arrival] = []
        self.tries = 0
        self._lock = threading.Lock()
        self._ids: set[str] = set()
        self._server: ThreadingHTTPServer | None = None
        self._sockets: set[socket.socket] = set()
        self.connections = 0

    def forget(self) -> None:
        with self._lock:
            self.delay, self.tries, self.connections = 0.0, 0, 0
            self.reply = lambda hook: None
            self.hang.clear()
            self.arrivals.clear()

    def start(self) -> None:
        self._server = _Server(self)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Stop like a panel that is gone: the port refuses, and connections are cut."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        for connection in list(self._sockets):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def records(self) -> list[int | str | None]:
        return [arrival.record for arrival in self.arrivals]

    def await_records(self, number: int, seconds: float = 30) -> float:
        """Return the seconds until so many distinct records have arrived; fails after the
        deadline."""
        return poll(lambda: len(set(self.records)) == number, seconds)

    @property
    def doubled(self) -> int:
        """Return the number of records that came more than once under different ids."""
        return sum(n > 1 for n in Counter((a.event, a.record) for a in self.arrivals).values())

    def greet(self, connection: socket.socket) -> int:
        """Return the number of a new connection."""
        self._sockets.add(connection)
        self.connections += 1
        return self.connections

    def answer(self, path: str, bearer: str, hook: dict[str, Any], connection: int) -> Reply:
        self.tries += 1
        while self.hang.is_set():
            time.sleep(0.02)
        time.sleep(self.delay)
        if reply := self.reply(hook):
            return reply
        if bearer != f"Bearer {SECRET}":
            return refusal(401, "bad_proof")
        if path != "/sync/hooks":
            return Reply(404, "<html>nothing here")
        word = self.take(hook, connection)
        body = json.dumps({"status": word, "id": hook["id"]})
        return Reply(200 if word == "duplicate" else 202, body, (), "application/json")

    def take(self, hook: dict[str, Any], connection: int) -> str:
        with self._lock:
            if hook["id"] in self._ids:
                return "duplicate"
            self._ids.add(hook["id"])
            data = hook["data"]
            self.arrivals.append(
                Arrival(
                    hook["event"],
                    data.get("organization_id"),
                    data.get("id"),
                    hook["id"],
                    hook["timestamp"],
                    time.time(),
                    connection,
                )
            )
        return "accepted"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        super().__init__(("127.0.0.1", receiver.port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body go in one packet: otherwise each answer takes 40 ms
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.number = self.server.receiver.greet(self.request)

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        bearer = self.headers["Authorization"]
        reply = self.server.receiver.answer(self.path, bearer, json.loads(body), self.number)
        with suppress(OSError):
            self._send(reply)

    def _send(self, reply: Reply) -> None:
        body = reply.body.encode()
        self.send_response(reply.status)
        for name, value in (*reply.headers, ("Content-Type", reply.type)):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
