"""The HTTP client for JSON: deadline, one retry, circuit breaker, metrics, one tree of errors.

The retries of libraries know no deadline, hence the small loop here (docs/decisions.md,
2026-11-22).
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import copy
from typing import Any
from urllib.parse import urlsplit

import msgspec

from panel import metrics
from panel.deadline import Deadline
from panel.errors import (
    Blocked,
    Missing,
    PanelError,
    Paused,
    Refused,
    TryLater,
    Unauthorized,
    Unreachable,
    Unwell,
)
from panel.logs.events import LogThrottle
from panel.upstream.addresses import make_url, name_document
from panel.upstream.circuit_breaker import CircuitBreaker
from panel.upstream.exchange import Answer, Exchange
from panel.upstream.rejections import NameRejection
from panel.upstream.transport import DIRECT, Egress

RETRY_AFTER_SECONDS = 1.0
SHORTEST_WAIT_SECONDS = 0.01  # a shorter wait for a turn is not counted
SLOW_SECONDS = 3.0  # an answer that took longer leaves a line in the log
log = logging.getLogger(__name__)


# The context manager that a gate returns is closed after the call.
Gate = Callable[[], AbstractContextManager[object] | None]


class Client(Exchange):
    """Calls below one base address. Safe for threads; connections are shared."""

    def __init__(
        self,
        base: str,
        headers: Mapping[str, str],
        gate: Gate = lambda: None,
        name_rejection: NameRejection = lambda _: None,
        egress: Egress = DIRECT,
    ) -> None:
        """`gate` is passed before each call: it may wait, or raise. The rest: see `Exchange`."""
        super().__init__(base, headers, name_rejection, egress)
        self.host = urlsplit(base).hostname or ""
        self._gate = gate
        self.breaker = CircuitBreaker()
        self._events = LogThrottle()

    def with_names(self, name_rejection: NameRejection) -> "Client":
        """Return a client with the same connections and breaker, which names refusals by this
        function."""
        client = copy(self)
        client._name_rejection = name_rejection
        return client

    def with_gate(self, gate: Gate) -> "Client":
        """Return the same client for calls that wait for their turn."""
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
        """GET with one retry of failures that may pass, inside the deadline `by`.

        `subject`: the part that is in trouble when this fails (see `circuit_breaker`), the path by
        default. `document`: the name under which the call is counted, the path by default.
        """
        names = {"subject": subject, "document": document}
        return self._send_with_retry("GET", path, by, **names, params=params, headers=headers)

    def get_parts(
        self,
        path: str,
        shape: type[msgspec.Struct],
        by: Deadline | None = None,
        question: Any = None,
    ) -> dict[str, Any]:
        """GET of a large document (`LARGEST_IN_PARTS`) of which only the fields of `shape` matter.

        Fields that `shape` does not name are never built. Its fields are `msgspec.Raw`, or such
        structs, or lists of them; the answer is plain JSON of these alone. `question`: the body of
        a POST, as Chatwoot's filters need it.
        """
        method, options = ("POST", {"json": question}) if question is not None else ("GET", {})
        answer = self._send_with_retry(method, path, by, shape=shape, **options)
        return dict(answer.body)

    def repeat(
        self, method: str, path: str, body: Any, shape: type[msgspec.Struct] | None = None
    ) -> Answer:
        """Like `get`, for a write that may safely be done twice; `shape`: see `get_parts`."""
        return self._send_with_retry(method, path, None, json=body, shape=shape)

    def _send_with_retry(
        self, method: str, path: str, by: Deadline | None, **kwargs: Any
    ) -> Answer:
        by = by or Deadline()
        try:
            return self._attempt(method, path, by, **kwargs)
        except (Paused, Blocked):
            raise  # these do not change within a second
        except TryLater as first:
            pause = self._pause_before_retry(first)
            if pause >= by.left():
                raise
            time.sleep(pause)
        return self._attempt(method, path, by, **kwargs)

    def send(self, method: str, path: str, body: Any = None, by: Any = None) -> Answer:
        """A write is sent once, since only the caller knows whether repeating it is safe."""
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
            # Our own deadline has passed, which is no failure of the other side.
            raise Unreachable("timeout", "no time left")
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
        """Tell the circuit breaker the outcome of a call."""
        metrics.CALLS.labels(self.host, error.code if error else "ok").inc()
        # A server that limits our rate is alive.
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
        started_at = time.monotonic()
        with self._gate() or nullcontext():
            # The wait for a turn does not count as the other side's time.
            wait_seconds = time.monotonic() - started_at
            by.last_longer(wait_seconds)
            if wait_seconds > SHORTEST_WAIT_SECONDS:
                metrics.BUDGET_WAITS.labels(self.host).observe(wait_seconds)
            turn_at = time.monotonic()
            with self._timing(document):
                answer = self._exchange(method, url, by, **kwargs)
            self._record_slow(method, url, time.monotonic() - turn_at)
            return answer

    @contextmanager
    def _timing(self, document: str) -> Iterator[None]:
        started_at, outcome = time.monotonic(), "failed"
        try:
            yield
            outcome = "ok"
        except (Missing, Refused, Unauthorized):
            outcome = "refused"
            raise
        finally:
            seconds = time.monotonic() - started_at
            metrics.CALL_SECONDS.labels(self.host, document, outcome).observe(seconds)

    def _record_slow(self, method: str, url: str, seconds: float) -> None:
        """A failed call is not logged here: its caller logs it, with the name of the document."""
        if seconds > SLOW_SECONDS:
            path = urlsplit(url).path
            ids = {"method": method, "path": path, "seconds": round(seconds, 1)}
            self._events.record(log.warning, f"{self.host} was slow", host=self.host, **ids)
