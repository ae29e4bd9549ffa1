"""A client that costs less than the server that it measures: prepared bytes out, length-delimited
bytes in.

A single thread serves all connections of a load, so on two cores the server has a core for itself.
"""

import select
import socket
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import cycle
from urllib.parse import urlencode

HOST = "127.0.0.1"
PATIENCE = 60.0  # seconds without a byte, after which the run fails
# The headers of a browser that matter here.
USUAL = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "HX-Request": "true"}


def request(
    method: str,
    path: str,
    bearer: str = "",
    form: Mapping[str, object] | None = None,
    body: bytes = b"",
    **headers: str,
) -> bytes:
    """Return the bytes of a request; `Content_Type` names the header Content-Type."""
    if form is not None:
        body = urlencode(form).encode()
        headers["Content_Type"] = "application/x-www-form-urlencoded"
    all_headers = {"Host": HOST, **USUAL}
    if bearer:
        all_headers["Authorization"] = f"Bearer {bearer}"
    if method == "POST":
        all_headers["Content-Length"] = str(len(body))
    all_headers |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in all_headers.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


@dataclass(frozen=True)
class Answer:
    status: int
    head: bytes
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers by name in lower case."""
        pairs = (line.partition(":")[::2] for line in self.head.decode("latin1").split("\r\n")[1:])
        return {name.lower(): value.strip() for name, value in pairs if name}

    @property
    def text(self) -> str:
        packed = self.headers.get("content-encoding") == "gzip"
        return (zlib.decompress(self.body, 31) if packed else self.body).decode()


class Connection:
    """A kept connection, which is made anew when the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket = self._connect()
        self._sent = b""
        self._got = bytearray()

    def _connect(self) -> socket.socket:
        connection = socket.create_connection((HOST, self._port), timeout=PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def renew(self) -> None:
        self._socket.close()
        self._socket = self._connect()
        self._got.clear()

    def send(self, request_bytes: bytes) -> None:
        self._sent = request_bytes
        try:
            self._socket.sendall(request_bytes)
        except (BrokenPipeError, ConnectionResetError):
            self.renew()
            self._socket.sendall(request_bytes)

    def receive(self) -> Answer | None:
        """Receive the answer; returns None while a part is missing. Blocks for the first byte.

        The server may close a kept connection at the moment of its use: then the request is sent
        once more.
        """
        try:
            part = self._socket.recv(1 << 16)
        except ConnectionResetError:
            part = b""
        if not part:
            if self._got:
                raise ConnectionError("the answer was cut off")
            self.renew()
            self._socket.sendall(self._sent)
            return None
        self._got += part
        answer = _parsed(self._got)
        if answer:
            self._got.clear()
            if b"\nConnection: close" in answer.head:
                self.renew()
        return answer

    def ask(self, request_bytes: bytes) -> Answer:
        self.send(request_bytes)
        return self.awaited()

    def awaited(self) -> Answer:
        while (answer := self.receive()) is None:
            pass
        return answer


def _parsed(data: bytearray) -> Answer | None:
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head, status = bytes(data[:end]), int(data[9:12])
    # gunicorn and Flask write this spelling, and every answer but a 204 has a length.
    at = head.find(b"\nContent-Length: ")
    length = int(head[at + 17 :].partition(b"\r\n")[0]) if at >= 0 else 0
    if at < 0 and status != 204:
        raise ConnectionError(f"an answer without a length: {head[:200]!r}")
    whole = len(data) >= end + 4 + length
    return Answer(status, head, bytes(data[end + 4 :])) if whole else None


@dataclass
class Load:
    """The result of a load: answers by status, and the seconds of each."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Return the answers per second."""
        return len(self.times) / self.seconds

    def only(self, *statuses: int) -> "Load":
        """Return the load itself if every answer had one of these statuses; a fast error is no
        result."""
        if set(self.statuses) - set(statuses):
            raise RuntimeError(f"unexpected answers: {dict(self.statuses)}")
        return self


def load(
    port: int,
    requests: Iterable[bytes],
    connections: int,
    seconds: float = 0.0,
    count: int = 0,
) -> Load:
    """Send the requests in turn, repeatedly or to their end, for so many seconds or so many
    times."""
    todo, outcome = cycle(requests) if seconds or count else iter(requests), Load()
    most = count or float("inf")
    with ExitStack() as stack:
        idle = [stack.enter_context(closing(Connection(port))) for _ in range(connections)]
        started: dict[Connection, float] = {}
        started_at = now = time.perf_counter()
        until, request_count = started_at + (seconds or float("inf")), 0
        while True:
            while idle and request_count < most and now < until and (following := next(todo, None)):
                connection = idle.pop()
                connection.send(following)
                request_count, started[connection] = request_count + 1, now
            if not started:
                break
            for connection in ready(started):
                answer = connection.receive()
                now = time.perf_counter()
                if answer:
                    outcome.times.append(now - started.pop(connection))
                    outcome.statuses[answer.status] += 1
                    idle.append(connection)
        outcome.seconds = time.perf_counter() - started_at
    return outcome


def ready(waiting: Iterable[Connection], seconds: float = PATIENCE) -> list[Connection]:
    """Return the connections with received bytes; raises `TimeoutError` after a long silence."""
    # A selector would not do: a connection that was made anew would have to be registered again.
    readable, _, _ = select.select(list(waiting), [], [], seconds)
    if not readable and seconds >= PATIENCE:
        raise TimeoutError(f"no answer for {PATIENCE:.0f} s")
    return readable


def at_once(port: int, requests: Sequence[bytes]) -> list[Answer]:
    """Send each request over its own connection, all at the same time; returns the answers in
    order."""
    with ExitStack() as stack:
        connections = [stack.enter_context(closing(Connection(port))) for _ in requests]
        for connection, request_bytes in zip(connections, requests, strict=True):
            connection.send(request_bytes)
        return [connection.awaited() for connection in connections]
