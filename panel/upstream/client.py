"""The HTTP client for JSON: deadline, one retry, size cap, circuit breaker, one tree of errors.

The only importer of `requests`. Libraries' own retries know no deadline, hence the small loop here
(docs/decisions.md, 2026-11-22).
"""

import codecs
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import copy
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import msgspec
import requests
from requests.utils import default_headers

from panel import exact_json, metrics
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
from panel.logs import request_id
from panel.logs.events import LogThrottle
from panel.upstream.addresses import make_url, name_document, tell_address
from panel.upstream.cache_headers import find_age
from panel.upstream.circuit_breaker import CircuitBreaker
from panel.upstream.transport import DIRECT, Egress, TimelyAdapter

# The name and the version of pyproject.toml. The library's own name is on many firewalls' lists.
USER_AGENT = "middag-contact-panel/0.1.0"
CONNECT_SECONDS = 1.0
RETRY_AFTER_SECONDS = 1.0
LARGEST_ANSWER = 2 * 1024 * 1024
LARGEST_IN_PARTS = 16 * 1024 * 1024  # of an answer of which only a few parts are built
LARGE_AT_ONCE = 4  # answers above `LARGEST_ANSWER` that a process holds at the same time
LIMIT_SECONDS = 60.0  # Chatwoot and WordPress's plugins count their calls by the minute
REDIRECTS = 3
LONGEST_PAUSE = 3600  # of a `Retry-After` that we believe
POOL = 64
SHORTEST_WAIT_SECONDS = 0.01  # for a turn, that counts as one
LONGEST_WHOLE = 4000  # digits; longer ones msgspec does not read
SLOW_SECONDS = 3.0  # an answer that took longer leaves a line in the log
log = logging.getLogger(__name__)


_large_answers = threading.BoundedSemaphore(LARGE_AT_ONCE)


@dataclass(frozen=True)
class Answer:
    """A 2xx: `body` is the decoded JSON (`None` for an empty body).

    `age`: see `cache_headers.find_age`.
    """

    status: int
    body: Any
    age: float | None = 0.0


@dataclass(frozen=True)
class Rejection:
    """An answer that is no 2xx, or no JSON: `body` is the decoded JSON, None where it is none."""

    status: int
    headers: Mapping[str, str]
    body: Any


# None: what the status alone says.
NameRejection = Callable[[Rejection], PanelError | None]
# What it returns is closed after the call.
Gate = Callable[[], AbstractContextManager[object] | None]


# Of Cloudflare, SiteGround and AWS WAF, which ask for a human, some of them with status 202.
CHALLENGE_HEADERS = ("cf-mitigated", "sg-captcha", "x-amzn-waf-action")


def is_challenge(headers: Mapping[str, str]) -> bool:
    """Did a firewall answer, to see whether a human asks?"""
    return any(name in headers for name in CHALLENGE_HEADERS)


def name_by_status(rejection: Rejection) -> PanelError:
    """What the status alone says. An outside world whose words tell more has its own function."""
    status = rejection.status
    if status == 429 or status >= 500:
        return _name_trouble(status, rejection.headers.get("Retry-After"))
    named: dict[int, PanelError] = {401: Unauthorized(), 403: Refused(), 404: Missing()}
    if status < 300:
        return Unreadable("unreadable", "not JSON")
    return named.get(status) or Unreadable(f"http_{status}")


class Client:
    """Calls below one base address with fixed headers. Safe for threads; connections are shared."""

    def __init__(
        self,
        base: str,
        headers: Mapping[str, str],
        gate: Gate = lambda: None,
        name_rejection: NameRejection = lambda _: None,
        egress: Egress = DIRECT,
    ) -> None:
        """`gate` is passed before each call: it may wait, or raise. `name_rejection`: the error
        that an answer means which is no JSON, or no 2xx."""
        self._base = base
        self.host = urlsplit(base).hostname or ""
        ours = {"User-Agent": USER_AGENT, "Accept": "application/json"}
        self._headers = {**default_headers(), **ours, **headers}
        self._gate = gate
        self._name_rejection = name_rejection
        self.breaker = CircuitBreaker()
        self._events = LogThrottle()
        # Without a session: no cookies, no redirects of its own (it would read their bodies first,
        # past any deadline), no .netrc that replaces our Authorization, no proxy that sees it
        # but the one of the settings.
        self._adapter = TimelyAdapter(egress, pool_connections=4, pool_maxsize=POOL)

    def with_names(self, name_rejection: NameRejection) -> "Client":
        """The same connections and breaker, for who knows what this world's words mean."""
        named = copy(self)
        named._name_rejection = name_rejection
        return named

    def with_gate(self, gate: Gate) -> "Client":
        """The same, for calls that wait for their turn."""
        limited = copy(self)
        limited._gate = gate
        return limited

    def get(
        self,
        path: str,
        params: Any = None,
        headers: Any = None,
        by: Deadline | None = None,
        subject: str = "",
        document: str = "",
    ) -> Answer:
        """GET with one retry for what may heal, inside the deadline `by`.

        `subject`: whose trouble it is when this fails (see `circuit_breaker`); else the path's.
        `document`: under which it is counted; else by its path.
        """
        named = {"subject": subject, "document": document}
        return self._send_with_retry("GET", path, by, **named, params=params, headers=headers)

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

    def repeat(
        self, method: str, path: str, body: Any, shape: type[msgspec.Struct] | None = None
    ) -> Answer:
        """Like `get`, for a write that may as well be done twice; `shape`: see `get_parts`."""
        return self._send_with_retry(method, path, None, json=body, shape=shape)

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
        kwargs["document"] = kwargs.get("document") or name_document(path)
        try:
            self.breaker.check(subject)
        except Paused as error:
            metrics.CALLS.labels(self.host, error.code).inc()
            raise
        try:
            answer = self._exchange_in_turn(
                method, make_url(self._base, path), by or Deadline(), **kwargs
            )
        except PanelError as error:
            self._note(subject, error)
            raise
        self._note(subject, None)
        return answer

    def _note(self, subject: str, error: PanelError | None) -> None:
        """What a call has shown of the other side."""
        metrics.CALLS.labels(self.host, error.code if error else "ok").inc()
        # One that asks us to slow down lives.
        if isinstance(error, Unreachable | Unwell) and error.code != "rate_limited":
            self.breaker.record_failure(subject)
        elif error and error.code == "unreadable":
            self.breaker.record_garbage(subject)
        else:
            self.breaker.record_success(subject)
        metrics.PAUSED_UNTIL.labels(self.host).set(self.breaker.paused_until)

    def _exchange_in_turn(
        self, method: str, url: str, by: Deadline, document: str, **kwargs: Any
    ) -> Answer:
        begun = time.monotonic()
        with self._gate() or nullcontext():
            # A turn that was waited for is not the other side's time.
            waited = time.monotonic() - begun
            by.last_longer(waited)
            if waited > SHORTEST_WAIT_SECONDS:
                metrics.BUDGET_WAITS.labels(self.host).observe(waited)
            turned = time.monotonic()
            with self._timing(document):
                answer = self._exchange(method, url, by, **kwargs)
            self._record_slow(method, url, time.monotonic() - turned)
            return answer

    @contextmanager
    def _timing(self, document: str) -> Iterator[None]:
        begun, outcome = time.monotonic(), "failed"
        try:
            yield
            outcome = "ok"
        except (Missing, Refused, Unauthorized):
            outcome = "refused"
            raise
        finally:
            seconds = time.monotonic() - begun
            metrics.CALL_SECONDS.labels(self.host, document, outcome).observe(seconds)

    def _record_slow(self, method: str, url: str, seconds: float) -> None:
        """One that fails as well is told by whoever asked, with what it was asked for."""
        if seconds > SLOW_SECONDS:
            path = urlsplit(url).path
            ids = {"method": method, "path": path, "seconds": round(seconds, 1)}
            self._events.record(log.warning, f"{self.host} was slow", host=self.host, **ids)

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
                seen = Rejection(response.status_code, response.headers, None)
                if error := self._name_rejection(seen):
                    raise error
                url = self._follow(url, response.headers["Location"], method)
            kwargs.pop("params", None)  # they stand in the new address, if it wants them
        raise Unreadable("redirects", f"too many redirects, the last one to {tell_address(url)}")

    def _judge(
        self, response: requests.Response, raw: bytearray, shape: type[msgspec.Struct] | None
    ) -> Answer:
        status, headers = response.status_code, response.headers
        is_answer = 200 <= status < 300
        body, readable = _decode_parts(raw, shape) if shape and is_answer else _decode(raw)
        if is_answer and readable and not is_challenge(headers):
            return Answer(status, body, find_age(headers))
        rejection = Rejection(status, headers, body)
        error = self._name(rejection)
        error.body, error.detail = body, error.detail or f"status {status}"
        raise error

    def _name(self, rejection: Rejection) -> PanelError:
        if is_challenge(rejection.headers):
            return Blocked("blocked", f"status {rejection.status}, a firewall asks for a human")
        return self._name_rejection(rejection) or name_by_status(rejection)

    def _follow(self, url: str, location: str, method: str) -> str:
        try:
            target = urljoin(url, location)
            elsewhere = urlsplit(target)[:2] != urlsplit(self._base)[:2]
            told = f"to {tell_address(target)}"
        except ValueError:
            raise Unreadable("redirected", "a redirect to nowhere") from None
        if elsewhere:
            # The Bearer must not travel: neither to another host nor onto another scheme or port.
            raise Unreadable("redirected", told)
        if method != "GET":
            raise Unreadable("redirected", f"a write is not repeated elsewhere: {told}")
        return target

    @contextmanager
    def _open(
        self, method: str, url: str, by: Deadline, **kwargs: Any
    ) -> Iterator[requests.Response]:
        left = by.left() or 0.001
        given = kwargs.pop("headers", None) or {}
        headers = {**self._headers, **request_id.make_headers(), **given}
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
    raw = _skip_byte_order_marks(raw)
    if not raw:
        return None, True
    try:
        return exact_json.decode(raw), True
    except exact_json.UNDECODABLE:
        return _decode_huge_numbers(raw)


def _skip_byte_order_marks(raw: bytes | bytearray) -> bytes | bytearray:
    """Without what PHP files put out that were saved with a mark, or with lines before `<?php`.

    Each of several files leaves its own, so they come one behind another.
    """
    rest = raw.strip()
    while rest.startswith(codecs.BOM_UTF8):
        rest = rest.removeprefix(codecs.BOM_UTF8).strip()
    return rest


def _decode_huge_numbers(raw: bytes | bytearray) -> tuple[Any, bool]:
    """JSON in which somebody wrote a number of thousands of digits: it is read as a text.

    A visitor can put one into an attribute, and must not keep everybody from reading the rest.
    Whoever needs a number there finds a text, which is no number: nothing is taken for absent.
    """
    try:
        body = json.loads(
            raw,
            parse_int=_parse_whole,
            parse_float=exact_json.parse_fraction,
            parse_constant=_refuse_constant,
        )
        exact_json.encode(body)  # halves of characters are no text
    except (ValueError, RecursionError):
        return None, False
    return body, True


def _parse_whole(digits: str) -> int | str:
    return int(digits) if len(digits) <= LONGEST_WHOLE else digits


def _refuse_constant(text: str) -> None:
    """`NaN` and `Infinity` are no JSON."""
    raise ValueError(text)


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
