"""A connection of a client: the worker's loop reads and writes its socket, and never waits for it.

A thread gets the bytes of one whole request, and leaves its answer to be sent.
"""

import io
import socket
import time
from typing import Any

from gunicorn.http import get_parser  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn  # type: ignore[import-untyped]

from panel.serving.framing import LARGEST_HEAD, Arrival, RequestScan

HEAD_SECONDS = 10.0
BODY_SECONDS = 15.0
# Bytes a second. A body that comes faster gets the time that it needs: 1 MB over two minutes.
SLOWEST_BODY = 8 * 1024
SEND_SECONDS = 15.0  # for the whole answer
LINGER_SECONDS = 2.0
REASON_PHRASES = {
    408: b"Request Timeout",
    413: b"Content Too Large",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}
REFUSAL = b"HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class PatientSocket:
    """Stands in for the socket in a thread: bytes that cannot be sent at once wait for the loop."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.unsent = bytearray()

    def sendall(self, data: bytes) -> None:
        count = 0 if self.unsent else self._send(data)
        self.unsent += memoryview(data)[count:]

    def send(self, data: bytes) -> int:
        self.sendall(data)
        return len(data)

    def flush(self) -> bool:
        """Send the waiting bytes as far as the client takes them; True if none are left."""
        del self.unsent[: self._send(self.unsent)]
        return not self.unsent

    def _send(self, data: bytes | bytearray) -> int:
        try:
            return self._sock.send(data) if data else 0
        except BlockingIOError:
            return 0

    # gunicorn calls the following methods in its threads; the loop does their work.

    def gettimeout(self) -> float:
        return 0.0

    def setblocking(self, _blocks: bool) -> None:
        """Do nothing: this socket never blocks."""

    def shutdown(self, _how: int) -> None:
        raise OSError("the loop closes it")

    def close(self) -> None:
        """Do nothing: the loop closes the socket when all bytes are sent."""


class Connection(TConn):  # type: ignore[misc]
    """`closing`: nothing more is read; `lingering`: the answer is sent, and we wait for the client
    to close. `timeout`: the moment at which the loop drops the connection. Times are of the
    monotonic clock. Methods that the loop calls raise `OSError` when the client is gone.
    """

    def __init__(self, cfg: Any, sock: socket.socket, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)
        self.parser: Any = None
        self.raw = sock
        self.sock = PatientSocket(sock)
        self.data_ready = True  # otherwise gunicorn's thread would wait for data
        self.closing = self.lingering = False
        self._received = bytearray()
        self._begin(HEAD_SECONDS)

    def _begin(self, idle_seconds: float) -> None:
        """Begin to wait for a request, for so many seconds."""
        self._scan = RequestScan()
        self._arrival = Arrival.HEAD
        self._since = time.monotonic()
        self._idle_seconds = idle_seconds
        self._has_sent_continue = False

    # -- called by the loop --------------------------------------------------------------------

    @property
    def is_partly_received(self) -> bool:
        """Tell whether a part of a request has come, and none is being answered."""
        return bool(self._received) and not self.closing and not self.sock.unsent

    @property
    def address(self) -> str:
        """Return the peer's address without its port; empty on a Unix socket."""
        return str(self.client[0]) if isinstance(self.client, tuple) else ""

    @property
    def is_huge(self) -> bool:
        return self._scan.is_huge(self._received)

    @property
    def is_large(self) -> bool:
        return self._scan.is_large(self._received)

    def receive(self) -> None:
        try:
            data = self.raw.recv(LARGEST_HEAD)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionAbortedError
        if not self._received:
            self._since = time.monotonic()
        self._received += data

    def look(self) -> Arrival:
        """Tell how much of the next request has arrived. A client that waits for `100 Continue`
        gets it."""
        before, self._arrival = self._arrival, self._scan.look(self._received)
        if self._arrival is Arrival.BODY and before is Arrival.HEAD:
            self._since = time.monotonic()
            if self._scan.awaits_continue:
                self._has_sent_continue = True
                self.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return self._arrival

    def find_deadline(self) -> float:
        """Return the moment by which the rest of the request has to come."""
        if not self._received:
            return self._since + self._idle_seconds
        if self._arrival is Arrival.HEAD:
            return self._since + HEAD_SECONDS
        come = len(self._received) - (self._scan.body_at or 0)
        return self._since + BODY_SECONDS + come / SLOWEST_BODY

    def finish_request(self, keeps_alive: bool, idle_seconds: float) -> None:
        """End the request that a thread has answered, and take back the bytes that the client sent
        after it."""
        self.closing = not keeps_alive
        self.timeout = time.monotonic() + SEND_SECONDS
        if self.parser is not None:
            self._received += self.parser.unreader.take_buffered()
        self._begin(idle_seconds)

    def refuse(self, status: int) -> None:
        """Answer with this status, and read nothing more."""
        self.closing = True
        self.timeout = time.monotonic() + SEND_SECONDS
        self.sock.send(REFUSAL % (status, REASON_PHRASES[status]))

    def say_goodbye(self) -> float:
        """End our side; returns the moment by which the client has to end theirs.

        If the socket were closed at once, further bytes of the client would be answered by a reset,
        and the client might lose the answer.
        """
        self.raw.shutdown(socket.SHUT_WR)
        self.lingering = True
        return time.monotonic() + LINGER_SECONDS

    def discard(self) -> float:
        """Read and drop bytes until the client ends their side; returns the moment by which they
        have to."""
        if not self.raw.recv(LARGEST_HEAD):
            raise ConnectionAbortedError
        return self.timeout or 0.0

    def close(self, graceful: bool = False) -> None:  # noqa: ARG002 (gunicorn's word)
        self.raw.close()

    # -- called by gunicorn's threads ----------------------------------------------------------

    def init(self) -> None:
        """Give gunicorn's parser the received bytes, of this request and of those behind it.

        The parser's source has no other bytes, so the parser never waits.
        """
        self.initialized = True
        if self.parser is None:
            self.parser = get_parser(self.cfg, iter(()), self.client)
        self.parser.unreader.unread(bytes(self._received))
        self._received.clear()

    def prepare(self, request: Any) -> None:
        """Give gunicorn the facts that its parser does not know. Raises the parser's errors."""
        is_whole = self._arrival is Arrival.WHOLE
        if not is_whole:
            request.force_close()  # the rest of the body that comes is no request
        if self._has_sent_continue or not is_whole:
            request._expected_100_continue = False
        if self._scan.is_chunked and is_whole:
            # The body is read here, where invalid chunks are answered by 400. Otherwise the
            # application would meet them in the midst of its work.
            request.body = io.BytesIO(request.body.read())
