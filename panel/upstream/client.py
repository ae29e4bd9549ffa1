"""The HTTP client for JSON: deadline, one retry, size cap, circuit breaker, one tree of errors.

The only importer of `requests`. Libraries' own retries know no deadline, hence the small loop here
(docs/decisions.md, 2026-11-22).
"""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import msgspec
import requests
from prometheus_client import Counter
from requests.utils import default_headers

from panel.deadline import READ_SECONDS, Deadline
from panel.errors import (
    Missing,
    PanelError,
    Paused,
    Refused,
    TryLater,
    Unauthorized,
    Unreachable,
    Unreadable,
    Unwell,
)
from panel.upstream.circuit_breaker import CircuitBreaker
from panel.upstream.transport import TimelyAdapter

CONNECT_SECONDS = 1.0
RETRY_AFTER_SECONDS = 1.0
LARGEST_ANSWER = 2 * 1024 * 1024
REDIRECTS = 3
LONGEST_PAUSE = 3600  # of a `Retry-After` that we believe
POOL = 64
LONGEST_WHOLE = 4000  # digits; longer ones msgspec does not read
CALLS = Counter("panel_upstream_calls", "Calls to the outside worlds", ["host", "outcome"])


def _measure(wait: Callable[[], None]) -> float:
    begun = time.monotonic()
    wait()
    return time.monotonic() - begun


@dataclass(frozen=True)
class Answer:
    """A 2xx: `body` is the decoded JSON (`None` for an empty body)."""

    status: int
    body: Any


class Client:
    """Calls below one base address with fixed headers. Safe for threads; connections are shared."""

    def __init__(
        self,
        base: str,
        headers: Mapping[str, str],
        gate: Callable[[], None] = lambda: None,
    ) -> None:
        """`gate` is passed before each call: it may wait, or raise."""
        self._base = base.rstrip("/") + "/"
        self.host = urlsplit(base).hostname or ""
        self._headers = {**default_headers(), "Accept": "application/json", **headers}
        self._gate = gate
        self.breaker = CircuitBreaker()
        # Without a session: no cookies, no redirects of its own (it would read their bodies first,
        # past any deadline), no .netrc that replaces our Authorization, no proxy that sees it.
        self._adapter = TimelyAdapter(pool_connections=4, pool_maxsize=POOL)

    def get(self, path: str, params: Any = None, headers: Any = None, by: Any = None) -> Answer:
        """GET with one retry for what may heal, inside the deadline `by`."""
        return self._send_with_retry("GET", path, by, params=params, headers=headers)

    def repeat(self, method: str, path: str, body: Any) -> Answer:
        """Like `get`, for a question by POST, or a write that may as well be done twice."""
        return self._send_with_retry(method, path, None, json=body)

    def _send_with_retry(
        self, method: str, path: str, by: Deadline | None, **kwargs: Any
    ) -> Answer:
        by = by or Deadline()
        try:
            return self._attempt(method, path, by, **kwargs)
        except Paused:
            raise
        except TryLater as first:
            pause = self._pause_before_retry(first)
            if pause >= by.left():
                raise
            time.sleep(pause)
        return self._attempt(method, path, by, **kwargs)

    def send(self, method: str, path: str, body: Any = None, by: Any = None) -> Answer:
        """A write: asked once, since only the caller knows whether repeating it is safe."""
        return self._attempt(method, path, by, json=body)

    @staticmethod
    def _pause_before_retry(error: TryLater) -> float:
        if error.retry_at is None:
            return RETRY_AFTER_SECONDS
        return max(0.0, error.retry_at - time.time())

    def _attempt(self, method: str, path: str, by: Deadline | None, **kwargs: Any) -> Answer:
        if by and not by.left():
            raise Unreachable("timeout", "no time left")  # ours, no failure of the other side
        self.breaker.check()
        by = by or Deadline()
        by.last_longer(_measure(self._gate))  # a turn waited for is not the other side's time
        try:
            answer = self._exchange(method, urljoin(self._base, path), by, **kwargs)
        except (Unreachable, Unwell) as error:
            CALLS.labels(self.host, error.code).inc()
            polite = error.code == "rate_limited"  # the other side lives
            (self.breaker.record_success if polite else self.breaker.record_failure)()
            raise
        except PanelError as error:
            CALLS.labels(self.host, error.code).inc()
            self.breaker.record_success()
            raise
        CALLS.labels(self.host, "ok").inc()
        self.breaker.record_success()
        return answer

    def _exchange(self, method: str, url: str, by: Deadline, **kwargs: Any) -> Answer:
        for _ in range(REDIRECTS + 1):
            with self._open(method, url, by, **kwargs) as response:
                if not response.is_redirect:
                    return _judge(response.status_code, response.headers, _read_body(response, by))
                if method != "GET":
                    raise Unreadable("redirected", "a write is not repeated elsewhere")
                url = self._follow(url, response.headers["Location"])
            kwargs.pop("params", None)  # they stand in the new address, if it wants them
        raise Unreadable("redirects", "too many redirects")

    def _follow(self, url: str, location: str) -> str:
        try:
            target = urljoin(url, location)
            elsewhere = urlsplit(target)[:2] != urlsplit(self._base)[:2]
        except ValueError:
            raise Unreadable("redirected", "a redirect to nowhere") from None
        if elsewhere:
            # The Bearer must not travel: neither to another host nor onto another scheme or port.
            raise Unreadable("redirected", "a redirect to another host was refused")
        return target

    @contextmanager
    def _open(
        self, method: str, url: str, by: Deadline, **kwargs: Any
    ) -> Iterator[requests.Response]:
        left = by.left() or 0.001
        headers = {**self._headers, **(kwargs.pop("headers", None) or {})}
        try:
            prepared = requests.Request(method, url, headers=headers, **kwargs).prepare()
            timeout = (min(CONNECT_SECONDS, left), min(READ_SECONDS, left))
            with self._adapter.send(prepared, stream=True, timeout=timeout) as response:
                yield response
        except requests.exceptions.ContentDecodingError as error:
            raise Unreadable("unreadable", type(error).__name__) from error
        except requests.Timeout as error:
            raise Unreachable("timeout", type(error).__name__) from error
        except (requests.RequestException, OSError) as error:
            code = "network" if by.left() else "timeout"
            raise Unreachable(code, type(error).__name__) from error


def _read_body(response: requests.Response, by: Deadline) -> bytes:
    """The whole body, decoded, before the deadline."""
    received: Any = response.raw
    received._original_response.until(by)  # a `TimelyAnswer`
    body = bytearray()
    for chunk in response.iter_content(65536):
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise Unreadable("too_large", f"more than {LARGEST_ANSWER} bytes")
    if not by.left():
        raise Unreachable("timeout", "the body took too long")
    return bytes(body)


def _judge(status: int, headers: Mapping[str, str], raw: bytes) -> Answer:
    if status == 429 or status >= 500:
        code = "rate_limited" if status == 429 else f"http_{status}"
        raise Unwell(
            code, f"status {status}", retry_at=_parse_retry_after(headers.get("Retry-After"))
        )
    body, readable = _decode(raw)
    if 200 <= status < 300:
        if not readable:
            raise Unreadable("unreadable", "not JSON")
        return Answer(status, body)
    named = {401: Unauthorized(), 403: Refused(), 404: Missing()}
    error = named.get(status) or Unreadable(f"http_{status}")
    error.body, error.detail = body, f"status {status}"
    raise error


def _decode(raw: bytes) -> tuple[Any, bool]:
    if not raw.strip():
        return None, True
    try:
        return msgspec.json.decode(raw), True
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decode_huge_numbers(raw)


def _decode_huge_numbers(raw: bytes) -> tuple[Any, bool]:
    """JSON in which somebody wrote a number of thousands of digits: it is read as a text.

    A visitor can put one into an attribute, and must not keep everybody from reading the rest.
    Whoever needs a number there finds a text, which is no number: nothing is taken for absent.
    """
    try:
        body = json.loads(
            raw, parse_int=_parse_whole, parse_float=_parse_float, parse_constant=_parse_float
        )
        json.dumps(body, ensure_ascii=False).encode()  # halves of characters are no text
    except (ValueError, RecursionError):
        return None, False
    return body, True


def _parse_whole(digits: str) -> int | str:
    return int(digits) if len(digits) <= LONGEST_WHOLE else digits


def _parse_float(text: str) -> float:
    """Raises `ValueError` for `NaN`, `Infinity`, `1e400`, as msgspec does."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _parse_retry_after(header: str | None) -> float | None:
    """`Retry-After` in seconds or as an HTTP date (RFC 9110 §10.2.3), as epoch seconds."""
    if not header:
        return None
    seconds = header.strip()
    if seconds.isascii() and seconds.isdigit():
        return time.time() + (
            min(int(seconds), LONGEST_PAUSE) if len(seconds) < 10 else LONGEST_PAUSE
        )
    try:
        return min(parsedate_to_datetime(header).timestamp(), time.time() + LONGEST_PAUSE)
    except (TypeError, ValueError, OverflowError):
        return None
