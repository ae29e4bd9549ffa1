"""Where hooks arrive when no panel is needed: it answers as the panel does, or as a test tells it to."""

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
    """An answer that is no panel's, or a refusal of it."""

    status: int
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    type: str = "text/html"


def refusal(status: int, code: str, **headers: str) -> Reply:
    """A refusal in the panel's own words."""
    body = json.dumps({"error": {"code": code, "detail": "…"}})
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Reply(status, body, named, "application/json")


class Receiver:
    """Takes hooks on loopback. `delay`: seconds before each answer; `reply`: instead of taking it.

    `hang` set: nobody is answered until it is cleared. Ids are remembered, as the panel does.
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
        self._server = _Server(("127.0.0.1", self.port), _handler(self))
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """As a panel that is gone: its port refuses, its connections are cut."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        for each in list(self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    @property
    def records(self) -> list[int | str | None]:
        return [arrival.record for arrival in self.arrivals]

    @property
    def doubled(self) -> int:
        """How many records came more than once under different ids."""
        return sum(n > 1 for n in Counter((a.event, a.record) for a in self.arrivals).values())

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


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet for head and body: else each answer takes 40 ms

        def setup(self) -> None:
            super().setup()
            receiver._sockets.add(self.request)
            receiver.connections += 1
            self.number = receiver.connections

        def finish(self) -> None:
            receiver._sockets.discard(self.request)
            with suppress(OSError):
                super().finish()

        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            receiver.tries += 1
            body = self.rfile.read(int(self.headers["Content-Length"]))
            while receiver.hang.is_set():
                time.sleep(0.02)
            time.sleep(receiver.delay)
            hook = json.loads(body)
            reply = receiver.reply(hook)
            if reply is None and self.headers["Authorization"] != f"Bearer {SECRET}":
                reply = refusal(401, "bad_proof")
            if reply is None and self.path != "/sync/hooks":
                reply = Reply(404, "<html>nothing here")
            if reply is None:
                word = receiver.take(hook, self.number)
                told = json.dumps({"status": word, "id": hook["id"]})
                reply = Reply(200 if word == "duplicate" else 202, told, (), "application/json")
            with suppress(OSError):
                self._answer(reply)

        def _answer(self, reply: Reply) -> None:
            body = reply.body.encode()
            self.send_response(reply.status)
            for name, value in (*reply.headers, ("Content-Type", reply.type)):
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
