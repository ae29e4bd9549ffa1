"""gunicorn with our worker class: half requests hold up nobody, whole ones are served as ever."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.conftest import environment, wait_until
from tests.serving.echo import LARGE

ROOT = Path(__file__).resolve().parent.parent.parent
SETTINGS = ROOT / "bench" / "rival_gunicorn.py"  # ours, without what belongs to our application
ECHO = "tests.serving.echo:application"
THREADS = 64
PROMPT = 2.0  # seconds, on a machine that does much else: a server that stands takes ten or more

GET = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Server:
    port: int
    master: int

    def connect(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def ask(self, path: str) -> float:
        """Seconds for one request over a connection of its own."""
        begun = time.monotonic()
        answer = requests.get(f"http://127.0.0.1:{self.port}/{path}", timeout=30)
        assert answer.status_code == 200
        return time.monotonic() - begun


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
    """All that comes, to the end or up to these bytes."""
    got = b""
    while not (until and until in got) and (part := sock.recv(65536)):
        got += part
    return got


def answer(sock: socket.socket) -> tuple[bytes, bytes]:
    """One answer of known length: head, body."""
    got = receive(sock, b"\r\n\r\n")
    head, _, body = got.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += sock.recv(65536)
    return head, body


# -- what goes on as ever ------------------------------------------------------------------------


def test_requests_follow_each_other_over_one_connection(echo: Server) -> None:
    with echo.connect() as sock:
        for body in (b"one", b"", b"x" * 100_000, b"four"):
            sock.sendall(POST % len(body) + body)
            head, got = answer(sock)
            assert got == (body or b"/echo")
            assert b"connection: keep-alive" in head.lower()


def test_pipelined_requests_are_answered_in_order(echo: Server) -> None:
    with echo.connect() as sock:
        asked = b"".join(GET % b"n%02d" % number for number in range(50))
        sock.sendall(asked + CHUNKED + b"3\r\nabc\r\n0\r\n\r\n" + POST % 3 + b"end")
        got = receive(sock, b"end")
    assert got.count(b"HTTP/1.1 200 OK") == 52
    assert got.index(b"\r\n\r\nabc") < got.index(b"\r\n\r\nend")
    places = [got.index(b"\r\n\r\n/n%02d" % number) for number in range(50)]
    assert places == sorted(places)


def test_a_request_may_come_byte_by_byte(echo: Server) -> None:
    chunks = b"2\r\nab\r\n3;name=value\r\ncde\r\n0\r\nX-Trailer: 1\r\n\r\n"
    for asked in (b"\r\n" + POST % 5 + b"abcde", CHUNKED + chunks):
        with echo.connect() as sock:
            for at in range(len(asked)):
                sock.sendall(asked[at : at + 1])
            assert answer(sock)[1] == b"abcde"


def test_who_waits_to_be_told_to_go_on_is_told_once(echo: Server) -> None:
    with echo.connect() as sock:
        sock.sendall(POST.replace(b"Host", b"Expect: 100-continue\r\nHost") % 5)
        assert receive(sock, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"abcde" + GET % b"last")
        got = receive(sock, b"/last\r\n\r\n/last")
    assert got.count(b"HTTP/1.1 200 OK") == 2
    assert b"100 Continue" not in got


def test_a_body_that_nobody_reads_is_no_request(echo: Server) -> None:
    hidden = GET % b"smuggled"
    with echo.connect() as sock:
        sock.sendall(POST.replace(b"/echo", b"/deaf") % len(hidden) + hidden + GET % b"next")
        got = receive(sock, b"\r\n\r\n/next")
    assert got.count(b"HTTP/1.1 200 OK") == 2
    assert b"smuggled" not in got


def test_half_a_request_and_its_end_are_answered_by_the_end(echo: Server) -> None:
    for half in (b"GET / HT", POST % 5 + b"ab", CHUNKED + b"5\r\nab"):
        with echo.connect() as sock:
            sock.sendall(half)
            sock.shutdown(socket.SHUT_WR)
            assert receive(sock) == b""


def test_what_is_no_request_is_refused_at_once(echo: Server) -> None:
    chunks = (b"-5\r\nabcde\r\n", b"zz\r\n", b"5\r\nabcdeXX0\r\n\r\n", b"0\r\nno trailer\r\n\r\n")
    wrong = (
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"nonsense\r\n\r\n",
        *(CHUNKED + each for each in chunks),
    )
    for asked in wrong:
        begun = time.monotonic()
        with echo.connect() as sock:
            sock.sendall(asked)
            got = receive(sock)
        assert got.startswith(b"HTTP/1.1 400 "), asked
        assert time.monotonic() - begun < PROMPT


def test_who_sends_too_much_hears_why(echo: Server) -> None:
    """The rest of a body is no request, although it looks like one."""
    length = 2 * 1024 * 1024
    filling = GET % b"smuggled"
    body = (filling * (length // len(filling) + 1))[:length]
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    tries = (
        (POST.replace(b"/echo", b"/deaf") % length + body, b"HTTP/1.1 200 OK"),
        (CHUNKED + chunk * 2 + b"0\r\n\r\n", b"HTTP/1.1 413 "),
        (b"GET / HTTP/1.1\r\nX-A: " + b"a" * 100_000, b"HTTP/1.1 431 "),
    )
    for asked, status in tries:
        with echo.connect() as sock:
            sock.sendall(asked)
            got = receive(sock)
        assert got.startswith(status)
        assert got.count(b"HTTP/1.1") == 1
        assert b"connection: close" in got.lower()


def test_a_stopping_server_answers_what_is_under_way() -> None:
    with gunicorn(ECHO, {}, "--config", str(SETTINGS)) as server, ExitStack() as stack:
        working, idle, sending = [stack.enter_context(server.connect()) for _ in range(3)]
        for sock in (idle, working):
            sock.sendall(GET % b"first")
            answer(sock)
        sending.sendall(POST % 5 + b"ab")
        working.sendall(GET % b"work")
        time.sleep(0.2)  # it is at work; too early, the test would ask for less than it says
        os.kill(server.master, signal.SIGTERM)
        assert answer(working)[1] == b"/work"
        sending.sendall(b"cde")
        head, body = answer(sending)
        assert (body, b"connection: close" in head.lower()) == (b"abcde", True)
        assert receive(idle) == b""


# -- who does not send, or does not take in -------------------------------------------------------


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
    """The first ones make room; small requests go on."""
    with ExitStack() as stack:
        large = [stack.enter_context(echo.connect()) for _ in range(80)]
        for sock in large:
            sock.sendall(POST % 1_000_000 + b"x" * 1000)
        assert receive(large[0]) == b""
        assert echo.ask("small") < PROMPT
        large[-1].sendall(b"x" * 999_000)
        assert len(answer(large[-1])[1]) == 1_000_000


KINDS: dict[str, tuple[bytes, bytes]] = {  # what is sent, and what follows each second
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


def send_slowly(server: Server, done: list[bytes]) -> None:
    """A quarter of a megabyte in 17 s: longer than a body that stands still may take."""
    with server.connect() as sock:
        sock.sendall(b"POST /sync/hooks HTTP/1.1\r\nHost: a\r\nContent-Length: 255000\r\n\r\n")
        for _ in range(17):
            sock.sendall(b"x" * 15_000)
            time.sleep(1)
        done.append(answer(sock)[0])


def test_half_requests_of_every_kind_hold_up_nobody_and_end(tmp_path: Path) -> None:
    settings = environment("http://a.invalid", "http://b.invalid", tmp_path)
    stop, slow = threading.Event(), list[bytes]()
    with gunicorn("app:create_app()", settings) as server, ExitStack() as stack:
        stack.callback(stop.set)
        sockets: dict[str, list[socket.socket]] = {}
        threads = [threading.Thread(target=send_slowly, args=(server, slow))]
        for kind, (sent, drop) in KINDS.items():
            sockets[kind] = [stack.enter_context(server.connect()) for _ in range(THREADS)]
            for sock in sockets[kind]:
                sock.sendall(sent)
            threads.append(threading.Thread(target=drip, args=(sockets[kind], drop, stop)))
        for thread in threads:
            thread.start()
        begun, times = time.monotonic(), list[float]()
        while time.monotonic() - begun < 18:
            times.append(server.ask("healthz"))
            time.sleep(0.1)
        assert max(times) < PROMPT
        every = [sock for kind in KINDS for sock in sockets[kind]]
        wait_until(lambda: all(is_closed(sock) for sock in every), 20)
        threads[0].join(30)
    assert slow[0].startswith(b"HTTP/1.1 415")  # of the application, so it was all there
