"""gunicorn with our worker class, and clients that do not send, or do not receive."""

import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from panel.serving.buffering import MOST_HUGE
from tests.conftest import environment, wait_until
from tests.serving.echo import LARGE
from tests.serving.half_requests import (
    CHUNKED,
    ECHO,
    GET,
    POST,
    PROMPT,
    SETTINGS,
    Server,
    answer,
    echo,
    gunicorn,
    receive,
)

__all__ = ["echo"]  # a fixture


THREADS = 64


def test_a_slow_reader_gets_all_of_it_and_holds_no_thread(echo: Server) -> None:
    with ExitStack() as stack:
        readers = [stack.enter_context(echo.connect()) for _ in range(THREADS)]
        for sock in readers:
            sock.sendall(GET % b"large")
        worst = max(echo.ask("quick") for _ in range(5))
        assert [len(answer(sock)[1]) for sock in readers] == [LARGE] * THREADS
    assert worst < PROMPT


def test_who_does_not_close_holds_up_nobody(echo: Server) -> None:
    with ExitStack() as stack:
        for _ in range(THREADS):
            sock = stack.enter_context(echo.connect())
            sock.sendall(b"GET /one HTTP/1.0\r\n\r\n")
            assert receive(sock).endswith(b"/one")
            assert echo.ask("other") < PROMPT


def test_when_connections_run_out_who_waited_longest_makes_room() -> None:
    options = ("--config", str(SETTINGS), "--worker-connections", "100")
    with gunicorn(ECHO, {}, *options) as server, ExitStack() as stack:
        silent = [stack.enter_context(server.connect()) for _ in range(150)]
        assert server.ask("served") < PROMPT
        assert receive(silent[0]) == b""
        silent[-1].sendall(GET % b"late")
        assert answer(silent[-1])[1] == b"/late"


def test_many_large_bodies_at_once_are_bounded(echo: Server) -> None:
    """The first large bodies make room; small requests go on."""
    with ExitStack() as stack:
        large = [stack.enter_context(echo.connect()) for _ in range(80)]
        for sock in large:
            sock.sendall(POST % 1_000_000 + b"x" * 1000)
        assert receive(large[0]) == b""
        assert echo.ask("small") < PROMPT
        large[-1].sendall(b"x" * 999_000)
        assert len(answer(large[-1])[1]) == 1_000_000


def test_few_huge_bodies_at_once_are_in_memory(echo: Server) -> None:
    """The first huge body makes room; the last one is served."""
    head = b"POST /sync/chatwoot HTTP/1.1\r\nHost: a\r\nX-Chatwoot-Signature: sha256=00\r\n"
    head += b"Content-Length: 3000000\r\n\r\n"
    with ExitStack() as stack:
        huge = [stack.enter_context(echo.connect()) for _ in range(MOST_HUGE + 1)]
        for sock in huge:
            sock.sendall(head + b"x" * 1000)
            echo.ask("small")  # the server has seen this body before the next one is sent
        assert receive(huge[0]) == b""
        huge[-1].sendall(b"x" * 2_999_000)
        assert len(answer(huge[-1])[1]) == 3_000_000


KINDS: dict[str, tuple[bytes, bytes]] = {  # the first bytes, and the bytes that follow each second
    "says nothing": (b"", b""),
    "stops within the head": (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: ", b""),
    "drips the head": (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: ", b"a"),
    "stops within the body": (b"POST /sync/hooks HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{}", b""),
    "drips the body": (b"POST /sync/hooks HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{}", b"a"),
    "stops within a chunk": (CHUNKED.replace(b"/echo", b"/sync/hooks") + b"5\r\nab", b""),
    "drips after a request": (GET % b"healthz" + b"GET /", b"a"),
    "takes nothing in": (GET % b"static/panel.js" * 100, b""),
}


def drip(socks: list[socket.socket], drop: bytes, until: threading.Event) -> None:
    while drop and not until.wait(1):
        for sock in socks:
            try:
                sock.sendall(drop)
            except OSError:
                return


def is_closed(sock: socket.socket) -> bool:
    sock.setblocking(False)
    try:
        while sock.recv(65536):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return True


def send_slowly(server: Server, chunks: list[bytes]) -> None:
    """Send a quarter of a megabyte in 17 s: longer than a body that stands still may take."""
    with server.connect() as sock:
        sock.sendall(b"POST /sync/hooks HTTP/1.1\r\nHost: a\r\nContent-Length: 255000\r\n\r\n")
        for _ in range(17):
            sock.sendall(b"x" * 15_000)
            time.sleep(1)
        chunks.append(answer(sock)[0])


def test_half_requests_of_every_kind_hold_up_nobody_and_end(tmp_path: Path) -> None:
    settings = environment("http://a.invalid", "http://b.invalid", tmp_path)
    stop, slow = threading.Event(), list[bytes]()
    with gunicorn("app:create_app()", settings) as server, ExitStack() as stack:
        stack.callback(stop.set)
        sockets: dict[str, list[socket.socket]] = {}
        threads = [threading.Thread(target=send_slowly, args=(server, slow))]
        for kind, (script, drop) in KINDS.items():
            sockets[kind] = [stack.enter_context(server.connect()) for _ in range(THREADS)]
            for sock in sockets[kind]:
                sock.sendall(script)
            threads.append(threading.Thread(target=drip, args=(sockets[kind], drop, stop)))
        for thread in threads:
            thread.start()
        started_at, times = time.monotonic(), list[float]()
        while time.monotonic() - started_at < 18:
            times.append(server.ask("healthz"))
            time.sleep(0.1)
        assert max(times) < PROMPT
        every = [sock for kind in KINDS for sock in sockets[kind]]
        wait_until(lambda: all(is_closed(sock) for sock in every), 20)
        threads[0].join(30)
    # The application answered, so the whole body had come.
    assert slow[0].startswith(b"HTTP/1.1 415")
