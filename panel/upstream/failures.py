"""The one way to log and count a failure of an outside world, rate limited.

A line names the host, the document, the record and the outcome; never a value that was sent or
received. The first failure of a kind is logged at once, its repetitions once a minute together.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import Counter

from panel.errors import PanelError

log = logging.getLogger(__name__)
FAILURES = Counter(
    "panel_upstream_failures",
    "Failed reads and writes of the outside worlds",
    ["host", "document", "outcome"],
)
QUIET_SECONDS = 60.0
MOST_KINDS = 1000  # remembered at once: nobody fills our memory with new kinds of failure
FailureKind = tuple[str, str, str]  # host, document, outcome


@dataclass
class _Repeated:
    """Until when a kind of failure stays out of the log, and how many were left out so far."""

    quiet_until: float
    count: int = 0


class FailureLog:
    """Safe for threads. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._repeated: dict[FailureKind, _Repeated] = {}

    def report(
        self, host: str, document: str, record: int, error: PanelError, remedy: str = ""
    ) -> None:
        """Count the failure, and log it unless its kind was logged a moment ago.

        `remedy`: sentences for the administrator, where there is something to be done.
        """
        kind = (host, document, error.code)
        FAILURES.labels(*kind).inc()
        repeated = self._admit(kind)
        if repeated is not None:
            more = f", and {repeated} more like it" if repeated else ""
            why = f" ({error.detail})" if error.detail else ""
            what = f"{error.code}{why}{more}" + (f". {remedy}" if remedy else "")
            log.warning("%s: %s %d: %s", host, document, record, what)

    def _admit(self, kind: FailureKind) -> int | None:
        """How many of this kind were left out before this one; None when this one is, too."""
        with self._lock:
            now = self._clock()
            known = self._repeated.get(kind)
            if known and now < known.quiet_until:
                known.count += 1
                return None
            if len(self._repeated) >= MOST_KINDS:
                self._repeated.clear()
            self._repeated[kind] = _Repeated(now + QUIET_SECONDS)
            return known.count if known else 0
