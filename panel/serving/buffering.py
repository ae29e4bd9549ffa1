"""The worker class of gunicorn that reads a whole request before a thread gets it.

gunicorn's own `gthread` gives a thread to each client that sends a byte, and the thread waits for
the rest: as many half requests as there are threads stop the server. `gthread` also waits up to two
seconds for each client that does not close, and serves no other client meanwhile. Here one loop
reads from and writes to all clients, and threads never wait for a client. The class relies on
internals of gunicorn 27: tests/serving shows whether a newer version still fits.
"""

import errno
import logging
import selectors
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from panel.logs.events import LogThrottle
from panel.serving.connection import Connection
from panel.serving.framing import Arrival

log = logging.getLogger(__name__)
MOST_LARGE = 64  # bodies above 64 KB that wait in memory at the same time
MOST_HUGE = 4  # bodies above 1 MB in memory, until they are answered
TIMEOUT_CHECK_SECONDS = 0.5
NO_MORE_FILES = (errno.EMFILE, errno.ENFILE)
NOBODY_THERE = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED)
REFUSALS = {Arrival.HEAD_TOO_LARGE: 431, Arrival.CHUNKS_TOO_LARGE: 413}
# The application itself refuses a body whose announced length is too large, with its own error.
FOR_A_THREAD = (Arrival.WHOLE, Arrival.BODY_TOO_LARGE)


class BufferingWorker(ThreadWorker):  # type: ignore[misc]
    """Reads from and writes to all clients in one loop; threads do the work in between."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Connections for which no thread works, in the order in which they began to wait.
        self._waiting: dict[Connection, None] = {}
        self._large: dict[Connection, None] = {}  # the waiting ones whose body is large
        self._huge: dict[Connection, None] = {}  # those of a huge body, until it is answered
        self._next_check = 0.0
        self._events = LogThrottle()

    # -- reading and answering ------------------------------------------------------------

    def accept(self, listener: Any) -> None:
        if self.cfg.is_ssl:  # TLS is served in gunicorn's own way: only its threads can decrypt
            super().accept(listener)
            return
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno in NO_MORE_FILES:
                self._make_room(self._waiting)
            elif error.errno not in NOBODY_THERE:
                raise
            return
        self.nr_conns += 1
        if self.nr_conns >= self.worker_connections:
            self._make_room(self._waiting)
        connection = Connection(self.cfg, sock, client, listener.getsockname())
        with self._dropping(connection):
            self._listen(connection)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Called by gunicorn; with False at the stop, and while there are too many connections."""
        super().set_accept_enabled(enabled)
        if not (enabled or self.alive):
            self._stop_listening()

    def _stop_listening(self) -> None:
        """Close the listening sockets at once: the kernel refuses new connections from now on, and
        a proxy goes to the next panel.

        Connections that the kernel has accepted already are taken over first. gunicorn itself
        would close the sockets after the last answer: connections that came in between would
        wait, and be reset in the end.
        """
        for listener in self.sockets:
            while self._takes_one(listener):
                pass
            listener.close()

    def _takes_one(self, listener: Any) -> bool:
        before = self.nr_conns
        self.accept(listener)
        return bool(self.nr_conns > before)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Called when a thread has made the answer."""
        if not isinstance(conn, Connection):
            super().finish_request(conn, fs)
            return
        self._huge.pop(conn, None)
        with self._dropping(conn):
            conn.finish_request(not fs.cancelled() and bool(fs.result()), self.cfg.keepalive)
            self._answer(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Called in a thread."""
        if not isinstance(conn, Connection):
            return super().handle_request(req, conn)
        conn.prepare(req)
        keeps_alive = super().handle_request(req, conn)
        if keeps_alive and req.body is not None:
            # All of the body is in memory. gunicorn drops 64 KB of an unread one, and above that it
            # closes a connection that it has just called open: a proxy would send its next request
            # there.
            req.body.read()
        return keeps_alive

    def _resume(self, connection: Connection, _socket: object) -> None:
        """Go on with a client that has sent something, or can take more of the answer."""
        if connection not in self._waiting:
            return  # the connection was dropped a moment ago
        with self._dropping(connection):
            if connection.lingering:
                self._wait(connection, selectors.EVENT_READ, connection.discard())
            elif connection.closing or connection.sock.unsent:
                self._answer(connection)
            else:
                self._listen(connection)

    def _listen(self, connection: Connection) -> None:
        connection.receive()
        self._take_request(connection)

    def _take_request(self, connection: Connection) -> None:
        """Give the next request to a thread if all of it has arrived; else wait for the rest."""
        arrival = connection.look()
        if arrival in FOR_A_THREAD:
            self._stop_waiting(connection)
            self.enqueue_req(connection)
        elif arrival in REFUSALS:
            self._refuse(connection, REFUSALS[arrival])
        else:
            self._wait(connection, selectors.EVENT_READ, connection.find_deadline())
            self._bound_memory(connection)

    def _bound_memory(self, connection: Connection) -> None:
        """Bound the memory for large bodies. Where there are too many of one size, the connection
        that has waited longest is dropped. Where none of them waits, because all are being
        answered, the new one is refused."""
        if connection.is_huge and connection not in self._huge:
            if len(self._huge) >= MOST_HUGE:
                self._make_room(row for row in self._huge if row in self._waiting)
            if len(self._huge) >= MOST_HUGE:
                self._refuse(connection, 503)
                return
            self._huge[connection] = None
        if connection.is_large and connection not in self._large:
            if len(self._large) >= MOST_LARGE:
                self._make_room(self._large)
            self._large[connection] = None

    def _answer(self, connection: Connection) -> None:
        """Send the rest of an answer; then wait for the next request, or close."""
        if not connection.sock.flush():
            self._wait(connection, selectors.EVENT_WRITE, connection.timeout)
        elif connection.closing:
            self._wait(connection, selectors.EVENT_READ, connection.say_goodbye())
        else:
            self._take_request(connection)

    def _refuse(self, connection: Connection, status: int) -> None:
        connection.refuse(status)
        self._answer(connection)

    # -- waiting connections -------------------------------------------------------------------

    def _wait(self, connection: Connection, event: int, until: float) -> None:
        """Resume the connection at this event, or drop it at `until` (monotonic)."""
        connection.timeout = until
        if connection not in self._waiting:
            self._waiting[connection] = None
            self.poller.register(connection.raw, event, partial(self._resume, connection))
        elif self.poller.get_key(connection.raw).events != event:
            self.poller.modify(connection.raw, event, partial(self._resume, connection))

    def _stop_waiting(self, connection: Connection) -> None:
        if connection in self._waiting:
            del self._waiting[connection]
            self.poller.unregister(connection.raw)
        self._large.pop(connection, None)

    def _drop(self, connection: Connection) -> None:
        self._stop_waiting(connection)
        self._huge.pop(connection, None)
        self.nr_conns -= 1
        connection.close()

    @contextmanager
    def _dropping(self, connection: Connection) -> Iterator[None]:
        """Drop the connection of a client that fails; the loop goes on."""
        try:
            yield
        except OSError:
            self._drop(connection)
        except Exception:
            log.exception("a connection broke")
            self._drop(connection)

    def _make_room(self, among: Iterable[Connection]) -> None:
        """Close the connection that has waited longest. So clients that send quickly are served,
        however many others do not."""
        oldest = next(iter(among), None)
        if oldest is not None:
            words = "connections run out: who waited longest was dropped"
            self._events.record(log.warning, words, address=oldest.address)
            self._drop(oldest)

    # -- time ----------------------------------------------------------------------------------

    def murder_pending(self) -> None:
        """Called by gunicorn's loop each time, once a second at least."""
        super().murder_pending()
        now = time.monotonic()
        if now >= self._next_check:
            self._next_check = now + TIMEOUT_CHECK_SECONDS
            for connection in [
                candidate for candidate in self._waiting if candidate.timeout <= now
            ]:
                with self._dropping(connection):
                    self._give_up(connection)

    def _give_up(self, connection: Connection) -> None:
        if connection.is_partly_received:
            address = connection.address
            self._events.record(log.warning, "half a request was cut off", address=address)
            self._refuse(connection, 408)
        else:
            self._drop(connection)

    def _cap_keepalive(self, deadline: float) -> None:
        """Called when the worker is told to stop; gunicorn's deadline is two seconds away.

        Idle connections keep their usual time here. A proxy that gives up its connections sooner,
        as ours does, closes them itself. If we closed them, its next request might be on the way,
        and a proxy does not send a POST twice. A request that still comes is answered with
        "Connection: close".
        """
        super()._cap_keepalive(deadline)

    def murder_keepalived(self, force: bool = False) -> None:
        """`force`: the worker ends."""
        super().murder_keepalived(force)
        for connection in list(self._waiting) if force else ():
            self._drop(connection)
