"""Framing: a request is whole at its last byte, however the bytes come."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from panel.serving.framing import (
    LARGEST_BODY,
    LARGEST_HEAD,
    LARGEST_WEBHOOK,
    Arrival,
    RequestScan,
)

GET = b"GET /search HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /sync/hooks HTTP/1.1\r\nHost: a\r\ncontent-LENGTH:  5 \r\n\r\nabcde"
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = CHUNKED + b"3\r\nabc\r\nA;x=1\r\n0123456789\r\n0\r\n\r\n"
TRAILERS = CHUNKED + b"1\r\na\r\n00\r\nX-A: 1\r\nX-B: 2\r\n\r\n"
WHOLE = (GET, b"\r\n" + GET, POST, CHUNKS, TRAILERS)


def look(*parts: bytes) -> Arrival:
    scan, data, arrival = RequestScan(), bytearray(), Arrival.HEAD
    for part in parts:
        data += part
        arrival = scan.look(data)
    return arrival


@given(st.sampled_from(WHOLE), st.lists(st.integers(0, 120), max_size=12))
def test_a_request_is_whole_with_its_last_byte(request: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cut for cut in cuts if cut < len(request) - 1), len(request) - 1]
    parts = [request[a:b] for a, b in pairwise(places)]
    assert look(*parts) in (Arrival.HEAD, Arrival.BODY)
    assert look(*parts, request[-1:]) is Arrival.WHOLE


def test_what_comes_behind_a_request_is_not_waited_for() -> None:
    for request in WHOLE:
        assert look(request + b"GET /next") is Arrival.WHOLE


def test_a_body_that_announces_too_much_is_not_waited_for() -> None:
    length = b"Content-Length: %d\r\n\r\n"
    assert look(HEAD + length % LARGEST_BODY) is Arrival.BODY
    assert look(HEAD + length % (LARGEST_BODY + 1)) is Arrival.BODY_TOO_LARGE
    assert look(HEAD + length % 10**17) is Arrival.BODY_TOO_LARGE


def test_only_a_webhook_with_a_signature_may_have_megabytes() -> None:
    head = b"POST /sync/chatwoot HTTP/1.1\r\nHost: a\r\n"
    signed = head + b"X-Chatwoot-Signature: sha256=00\r\n"
    for begin, largest in (
        (signed, LARGEST_WEBHOOK),
        (head, LARGEST_BODY),
        (signed.replace(b"/sync/chatwoot", b"/contact"), LARGEST_BODY),
    ):
        length = b"Content-Length: %d\r\n\r\n"
        assert look(begin + length % largest) is Arrival.BODY
        assert look(begin + length % (largest + 1)) is Arrival.BODY_TOO_LARGE


def test_chunks_end_where_a_body_is_too_large() -> None:
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    assert look(CHUNKED, *[chunk] * 15) is Arrival.BODY
    assert look(CHUNKED, *[chunk] * 17) is Arrival.CHUNKS_TOO_LARGE


def test_what_is_no_chunk_is_left_to_the_parser() -> None:
    for wrong in (
        b"-5\r\n",
        b"0x5\r\nabcde\r\n",
        b"zz\r\n",
        b"\r\n",
        b"123456789\r\n",
        b"a" * 2000,
    ):
        assert look(CHUNKED + wrong) is Arrival.WHOLE


def test_a_head_has_an_end_or_is_refused() -> None:
    assert look(HEAD, b"X-A: " + b"a" * (LARGEST_HEAD - 100)) is Arrival.HEAD
    assert look(HEAD, b"X-A: " + b"a" * LARGEST_HEAD) is Arrival.HEAD_TOO_LARGE


def test_lines_without_a_carriage_return_are_left_to_the_parser() -> None:
    assert look(GET.replace(b"\r", b"")) is Arrival.WHOLE


def test_only_a_body_above_the_size_of_a_head_is_large() -> None:
    for size, is_large in ((LARGEST_HEAD, False), (LARGEST_HEAD + 1, True)):
        scan = RequestScan()
        data = bytearray(HEAD + b"Content-Length: %d\r\n\r\n" % size)
        scan.look(data)
        assert scan.is_large(data) is is_large
