"""gunicorn with our worker class: half requests hold up nobody, and whole ones are served as
usual."""

import os
import signal
import socket
import time
from contextlib import ExitStack

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


def test_requests_follow_each_other_over_one_connection(echo: Server) -> None:
    with echo.connect() as sock:
        for body in (b"one", b"", b"x" * 100_000, b"four"):
            sock.sendall(POST % len(body) + body)
            head, data = answer(sock)
            assert data == (body or b"/echo")
            assert b"connection: keep-alive" in head.lower()


def test_a_large_body_that_is_not_read_leaves_the_connection_open(echo: Server) -> None:
    """A proxy keeps it, for it was told that it may."""
    unread = (POST % 900_000).replace(b"/echo", b"/deaf") + b"x" * 900_000
    with echo.connect() as sock:
        for _ in range(3):
            sock.sendall(unread)
            head, _body = answer(sock)
            assert b"connection: keep-alive" in head.lower()
            sock.sendall(GET % b"next")
            assert answer(sock)[1] == b"/next"


def test_pipelined_requests_are_answered_in_order(echo: Server) -> None:
    with echo.connect() as sock:
        stream = b"".join(GET % b"n%02d" % number for number in range(50))
        sock.sendall(stream + CHUNKED + b"3\r\nabc\r\n0\r\n\r\n" + POST % 3 + b"end")
        data = receive(sock, b"end")
    assert data.count(b"HTTP/1.1 200 OK") == 52
    assert data.index(b"\r\n\r\nabc") < data.index(b"\r\n\r\nend")
    places = [data.index(b"\r\n\r\n/n%02d" % number) for number in range(50)]
    assert places == sorted(places)


def test_a_request_may_come_byte_by_byte(echo: Server) -> None:
    chunks = b"2\r\nab\r\n3;name=value\r\ncde\r\n0\r\nX-Trailer: 1\r\n\r\n"
    for request in (b"\r\n" + POST % 5 + b"abcde", CHUNKED + chunks):
        with echo.connect() as sock:
            for at in range(len(request)):
                sock.sendall(request[at : at + 1])
            assert answer(sock)[1] == b"abcde"


def test_who_waits_to_be_told_to_go_on_is_told_once(echo: Server) -> None:
    with echo.connect() as sock:
        sock.sendall(POST.replace(b"Host", b"Expect: 100-continue\r\nHost") % 5)
        assert receive(sock, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"abcde" + GET % b"last")
        data = receive(sock, b"/last\r\n\r\n/last")
    assert data.count(b"HTTP/1.1 200 OK") == 2
    assert b"100 Continue" not in data


def test_a_body_that_nobody_reads_is_no_request(echo: Server) -> None:
    hidden = GET % b"smuggled"
    with echo.connect() as sock:
        sock.sendall(POST.replace(b"/echo", b"/deaf") % len(hidden) + hidden + GET % b"next")
        data = receive(sock, b"\r\n\r\n/next")
    assert data.count(b"HTTP/1.1 200 OK") == 2
    assert b"smuggled" not in data


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
        *(CHUNKED + chunk for chunk in chunks),
    )
    for request in wrong:
        started_at = time.monotonic()
        with echo.connect() as sock:
            sock.sendall(request)
            data = receive(sock)
        assert data.startswith(b"HTTP/1.1 400 "), request
        assert time.monotonic() - started_at < PROMPT


def test_who_sends_too_much_hears_why(echo: Server) -> None:
    """The rest of a body must not be read as a request, although it looks like one."""
    length = 2 * 1024 * 1024
    filling = GET % b"smuggled"
    body = (filling * (length // len(filling) + 1))[:length]
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    tries = (
        (POST.replace(b"/echo", b"/deaf") % length + body, b"HTTP/1.1 200 OK"),
        (CHUNKED + chunk * 2 + b"0\r\n\r\n", b"HTTP/1.1 413 "),
        (b"GET / HTTP/1.1\r\nX-A: " + b"a" * 100_000, b"HTTP/1.1 431 "),
    )
    for request, status in tries:
        with echo.connect() as sock:
            sock.sendall(request)
            data = receive(sock)
        assert data.startswith(status)
        assert data.count(b"HTTP/1.1") == 1
        assert b"connection: close" in data.lower()


def test_a_stopping_server_answers_what_is_under_way() -> None:
    with gunicorn(ECHO, {}, "--config", str(SETTINGS)) as server, ExitStack() as stack:
        working, idle, sending = [stack.enter_context(server.connect()) for _ in range(3)]
        for sock in (idle, working):
            sock.sendall(GET % b"first")
            answer(sock)
        sending.sendall(POST % 5 + b"ab")
        working.sendall(GET % b"work")
        time.sleep(0.2)  # the request is at work by then; an earlier look would test less
        os.kill(server.master, signal.SIGTERM)
        assert answer(working)[1] == b"/work"
        sending.sendall(b"cde")
        head, body = answer(sending)
        assert (body, b"connection: close" in head.lower()) == (b"abcde", True)
        assert receive(idle) == b""
