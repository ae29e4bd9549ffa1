"""JSON over HTTP: deadline, one retry, size cap, breaker; every failure is one of our errors.

The only importer of `requests`. Libraries' own retries know no deadline, hence the small loop here
(docs/decisions.md, 2026-11-22).
"""

import io
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urljoin, urlsplit

import msgspec
import requests
from prometheus_client import Counter
from requests.adapters import HTTPAdapter
from requests.utils import default_headers
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from panel.breaker import Breaker
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

CONNECT_SECONDS = 1.0
READ_SECONDS = 8.0  # a whole read, with its retry; the caller's deadline may be shorter
RETRY_AFTER_SECONDS = 1.0
LARGEST_ANSWER = 2 * 1024 * 1024
REDIRECTS = 3
LONGEST_PAUSE = 3600  # of a `Retry-After` that we believe
POOL = 64
CALLS = Counter("panel_upstream_calls", "Calls to the outside worlds", ["host", "outcome"])


class Deadline:
    """A moment on the monotonic clock; `left()` is never negative."""

    def __init__(self, seconds: float = READ_SECONDS) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        return max(0.0, self._end - time.monotonic())

    def last_longer(self, seconds: float) -> None:
        self._end += seconds


def _seconds(wait: Callable[[], None]) -> float:
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
        self._host = urlsplit(base).hostname or ""
        self._headers = {**default_headers(), "Accept": "application/json", **headers}
        self._gate = gate
        self.breaker = Breaker()
        # Without a session: no cookies, no redirects of its own (it would read their bodies first,
        # past any deadline), no .netrc that replaces our Authorization, no proxy that sees it.
        self._adapter = _Adapter(pool_connections=4, pool_maxsize=POOL)

    def get(self, path: str, params: Any = None, headers: Any = None, by: Any = None) -> Answer:
        """GET with one retry for what may heal, inside the deadline `by`."""
        return self._repeated("GET", path, by, params=params, headers=headers)

    def repeat(self, method: str, path: str, body: Any) -> Answer:
        """Like `get`, for a question by POST, or a write that may as well be done twice."""
        return self._repeated(method, path, None, json=body)

    def _repeated(self, method: str, path: str, by: Deadline | None, **kwargs: Any) -> Answer:
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
        by.last_longer(_seconds(self._gate))  # a turn waited for is not the other side's time
        try:
            answer = self._exchange(method, urljoin(self._base, path), by, **kwargs)
        except (Unreachable, Unwell) as error:
            CALLS.labels(self._host, error.code).inc()
            polite = error.code == "rate_limited"  # the other side lives
            (self.breaker.alive if polite else self.breaker.failed)()
            raise
        except PanelError as error:
            CALLS.labels(self._host, error.code).inc()
            self.breaker.alive()
            raise
        CALLS.labels(self._host, "ok").inc()
        self.breaker.alive()
        return answer

    def _exchange(self, method: str, url: str, by: Deadline, **kwargs: Any) -> Answer:
        for _ in range(REDIRECTS + 1):
            with self._opened(method, url, by, **kwargs) as response:
                if not response.is_redirect:
                    return _judged(response.status_code, response.headers, _read(response, by))
                if method != "GET":
                    raise Unreadable("redirected", "a write is not repeated elsewhere")
                url = self._followed(url, response.headers["Location"])
            kwargs.pop("params", None)  # they stand in the new address, if it wants them
        raise Unreadable("redirects", "too many redirects")

    def _followed(self, url: str, location: str) -> str:
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
    def _opened(
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


def _read(response: requests.Response, by: Deadline) -> bytes:
    """The whole body, decoded, before the deadline."""
    received: Any = response.raw
    received._original_response.until(by)  # a `_TimelyAnswer`
    body = bytearray()
    for chunk in response.iter_content(65536):
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise Unreadable("too_large", f"more than {LARGEST_ANSWER} bytes")
    if not by.left():
        raise Unreachable("timeout", "the body took too long")
    return bytes(body)


def _judged(status: int, headers: Mapping[str, str], raw: bytes) -> Answer:
    if status == 429 or status >= 500:
        code = "rate_limited" if status == 429 else f"http_{status}"
        raise Unwell(code, f"status {status}", retry_at=_retry_at(headers.get("Retry-After")))
    body, readable = _decoded(raw)
    if 200 <= status < 300:
        if not readable:
            raise Unreadable("unreadable", "not JSON")
        return Answer(status, body)
    named = {401: Unauthorized(), 403: Refused(), 404: Missing()}
    error = named.get(status) or Unreadable(f"http_{status}")
    error.body, error.detail = body, f"status {status}"
    raise error


def _decoded(raw: bytes) -> tuple[Any, bool]:
    if not raw.strip():
        return None, True
    try:
        return msgspec.json.decode(raw), True
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, False


def _retry_at(header: str | None) -> float | None:
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


class _Timely(io.RawIOBase):
    """What a socket sends until a moment; a socket's own timeout would start anew at each byte."""

    def __init__(self, sock: socket.socket, by: Deadline) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self.by = by

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int | None:
        left = self.by.left()
        if not left:
            raise TimeoutError
        self._sock.settimeout(min(left, READ_SECONDS))
        return self._raw.readinto(into)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimelyAnswer(HTTPResponse):
    """Its headers must have come before the read timeout ends, however they drip."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self._timely = _Timely(sock, Deadline(sock.gettimeout() or READ_SECONDS))
        self.fp = io.BufferedReader(self._timely)

    def until(self, by: Deadline) -> None:
        """The rest must have come before this deadline."""
        self._timely.by = by


class _Plain(HTTPConnection):
    response_class = _TimelyAnswer


class _Secure(HTTPSConnection):
    response_class = _TimelyAnswer


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        pools = {"http": _PlainPool, "https": _SecurePool}
        self.poolmanager.pool_classes_by_scheme = pools
