"""The HTTP client for JSON: deadline, one retry, size cap, circuit breaker, one tree of errors.

The only importer of `requests`. Libraries' own retries know no deadline, hence the small loop here
(docs/decisions.md, 2026-11-22).
"""

import json
import math
import threading
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
    Blocked,
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
LARGEST_IN_PARTS = 16 * 1024 * 1024  # of an answer of which only a few parts are built
LARGE_AT_ONCE = 4  # answers above `LARGEST_ANSWER` that a process holds at the same time
LIMIT_SECONDS = 60.0  # Chatwoot and WordPress's plugins count their calls by the minute
REDIRECTS = 3
LONGEST_PAUSE = 3600  # of a `Retry-After` that we believe
POOL = 64
LONGEST_WHOLE = 4000  # digits; longer ones msgspec does not read
CALLS = Counter("panel_upstream_calls", "Calls to the outside worlds", ["host", "outcome"])


_large_answers = threading.BoundedSemaphore(LARGE_AT_ONCE)


def _measure(wait: Callable[[], None]) -> float:
    begun = time.monotonic()
    wait()
    return time.monotonic() - begun


@dataclass(frozen=True)
class Answer:
    """A 2xx: `body` is the decoded JSON (`None` for an empty body)."""

    status: int
    body: Any


@dataclass(frozen=True)
class Rejection:
    """An answer of 4xx other than 429, or one of 2xx that is no JSON.

    `body` is the decoded JSON, None where it is none.
    """

    status: int
    headers: Mapping[str, str]
    body: Any


NameRejection = Callable[[Rejection], PanelError]


def name_by_status(rejection: Rejection) -> PanelError:
    """What the status alone says. An outside world whose words tell more has its own function."""
    named: dict[int, PanelError] = {401: Unauthorized(), 403: Refused(), 404: Missing()}
    if rejection.status < 300:
        return Unreadable("unreadable", "not JSON")
    return named.get(rejection.status) or Unreadable(f"http_{rejection.status}")


class Client:
    """Calls below one base address with fixed headers. Safe for threads; connections are shared."""

    def __init__(
        self,
        base: str,
        headers: Mapping[str, str],
        gate: Callable[[], None] = lambda: None,
        name_rejection: NameRejection = name_by_status,
    ) -> None:
        """`gate` is passed before each call: it may wait, or raise. `name_rejection`: the error
        that an answer means which is no JSON, or 4xx."""
        self._base = base.rstrip("/") + "/"
        self.host = urlsplit(base).hostname or ""
        self._headers = {**default_headers(), "Accept": "application/json", **headers}
        self._gate = gate
        self._name_rejection = name_rejection
        self.breaker = CircuitBreaker()
        # Without a session: no cookies, no redirects of its own (it would read their bodies first,
        # past any deadline), no .netrc that replaces our Authorization, no proxy that sees it.
        self._adapter = TimelyAdapter(pool_connections=4, pool_maxsize=POOL)

    def get(
        self,
        path: str,
        params: Any = None,
        headers: Any = None,
        by: Deadline | None = None,
        subject: str = "",
    ) -> Answer:
        """GET with one retry for what may heal, inside the deadline `by`.

        `subject`: whose trouble it is when this fails (see `circuit_breaker`); else the path's.
        """
        return self._send_with_retry(
            "GET", path, by, subject=subject, params=params, headers=headers
        )

    def get_parts(
        self,
        path: str,
        shape: type[msgspec.Struct],
        by: Deadline | None = None,
        question: Any = None,
    ) -> dict[str, Any]:
        """GET of a large document (`LARGEST_IN_PARTS`) of which only the fields of `shape` matter.

        What `shape` does not name is never built. Its fields are `msgspec.Raw`, or such structs,
        or lists of them; the answer is plain JSON that holds those alone. `question`: where it is
        asked by POST, as Chatwoot's filters are.
        """
        method, sent = ("POST", {"json": question}) if question is not None else ("GET", {})
        answer = self._send_with_retry(method, path, by, shape=shape, **sent)
        return dict(answer.body)

    def repeat(self, method: str, path: str, body: Any) -> Answer:
        """Like `get`, for a question by POST, or a write that may as well be done twice."""
        return self._send_with_retry(method, path, None, json=body)

    def _send_with_retry(
        self, method: str, path: str, by: Deadline | None, **kwargs: Any
    ) -> Answer:
        by = by or Deadline()
        try:
            return self._attempt(method, path, by, **kwargs)
        except (Paused, Blocked):
            raise  # neither changes within a second
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

    def _attempt(
        self, method: str, path: str, by: Deadline | None, subject: str = "", **kwargs: Any
    ) -> Answer:
        if by and not by.left():
            raise Unreachable("timeout", "no time left")  # ours, no failure of the other side
        subject = subject or path.partition("?")[0]
        self.breaker.check(subject)
        by = by or Deadline()
        by.last_longer(_measure(self._gate))  # a turn waited for is not the other side's time
        try:
            answer = self._exchange(method, urljoin(self._base, path), by, **kwargs)
        except (Unreachable, Unwell) as error:
            CALLS.labels(self.host, error.code).inc()
            polite = error.code == "rate_limited"  # the other side lives
            (self.breaker.record_success if polite else self.breaker.record_failure)(subject)
            raise
        except PanelError as error:
            CALLS.labels(self.host, error.code).inc()
            garbled = error.code == "unreadable"
            (self.breaker.record_garbage if garbled else self.breaker.record_success)(subject)
            raise
        CALLS.labels(self.host, "ok").inc()
        self.breaker.record_success(subject)
        return answer

    def _exchange(
        self,
        method: str,
        url: str,
        by: Deadline,
        shape: type[msgspec.Struct] | None = None,
        **kwargs: Any,
    ) -> Answer:
        for _ in range(REDIRECTS + 1):
            with self._open(method, url, by, **kwargs) as response, _BodyReader(by) as reader:
                if not response.is_redirect:
                    raw = reader.read(response, LARGEST_IN_PARTS if shape else LARGEST_ANSWER)
                    return self._judge(response, raw, shape)
                if method != "GET":
                    raise Unreadable("redirected", "a write is not repeated elsewhere")
                url = self._follow(url, response.headers["Location"])
            kwargs.pop("params", None)  # they stand in the new address, if it wants them
        raise Unreadable("redirects", "too many redirects")

    def _judge(
        self, response: requests.Response, raw: bytearray, shape: type[msgspec.Struct] | None
    ) -> Answer:
        status, headers = response.status_code, response.headers
        if status == 429 or status >= 500:
            raise _name_trouble(status, headers.get("Retry-After"))
        is_answer = 200 <= status < 300
        body, readable = _decode_parts(raw, shape) if shape and is_answer else _decode(raw)
        if is_answer and readable:
            return Answer(status, body)
        error = self._name_rejection(Rejection(status, headers, body))
        error.body, error.detail = body, error.detail or f"status {status}"
        raise error

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


class _BodyReader:
    """Reads bodies before the deadline; a large one waits for its turn, which ends with this."""

    def __init__(self, by: Deadline) -> None:
        self._by = by
        self._is_large = False

    def __enter__(self) -> "_BodyReader":
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_large:
            _large_answers.release()

    def read(self, response: requests.Response, largest: int) -> bytearray:
        """The whole body, decompressed. Raises `Unreadable` above `largest` bytes."""
        received: Any = response.raw
        received._original_response.until(self._by)  # a `TimelyAnswer`
        body = bytearray()
        for chunk in response.iter_content(65536):
            body += chunk
            if len(body) > largest:
                raise Unreadable("too_large", f"more than {largest} bytes")
            if len(body) > LARGEST_ANSWER and not self._is_large:
                self._wait_for_turn()
        if not self._by.left():
            raise Unreachable("timeout", "the body took too long")
        return body

    def _wait_for_turn(self) -> None:
        """So that many large answers at once do not fill the memory of the process."""
        if not _large_answers.acquire(timeout=self._by.left()):
            raise Unreachable("timeout", "other large answers are being read")
        self._is_large = True


def _name_trouble(status: int, retry_after: str | None) -> Unwell:
    """A limit that does not say when it ends is kept until its minute is over."""
    retry_at = _parse_retry_after(retry_after)
    if status != 429:
        return Unwell(f"http_{status}", f"status {status}", retry_at=retry_at)
    return Unwell("rate_limited", "status 429", retry_at=retry_at or time.time() + LIMIT_SECONDS)


def _decode_parts(raw: bytearray, shape: type[msgspec.Struct]) -> tuple[Any, bool]:
    try:
        return _unpack(msgspec.json.decode(raw, type=shape)), True
    except msgspec.ValidationError as error:
        raise Unreadable("wrong_shape", str(error)) from None  # it names the place, no value
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, False


def _unpack(part: Any) -> Any:
    """Plain JSON of decoded parts; a field that was not there is left out."""
    if isinstance(part, msgspec.Raw):
        body, readable = _decode(bytes(part))
        if not readable:
            raise Unreadable("unreadable", "a part that is not JSON")
        return body
    if isinstance(part, list):
        return [_unpack(each) for each in part]
    if isinstance(part, msgspec.Struct):
        fields = {name: getattr(part, name) for name in part.__struct_fields__}
        return {name: _unpack(each) for name, each in fields.items() if each is not msgspec.UNSET}
    return part


def _decode(raw: bytes | bytearray) -> tuple[Any, bool]:
    if not raw.strip():
        return None, True
    try:
        return msgspec.json.decode(raw), True
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decode_huge_numbers(raw)


def _decode_huge_numbers(raw: bytes | bytearray) -> tuple[Any, bool]:
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
