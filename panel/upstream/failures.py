"""The one way to log and count what is wrong with an answer of an outside world, rate limited.

A line names the host, the document, the record and what is wrong; never a value that was sent or
received. The first of a kind is logged at once, its repetitions once a minute together.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client import Counter

from panel.errors import Blocked, PanelError, Unauthorized, Unreadable
from panel.models.values import Problem

log = logging.getLogger(__name__)
FAILURES = Counter(
    "panel_upstream_failures",
    "Failed reads and writes of the outside worlds",
    ["host", "document", "outcome"],
)
ODD_VALUES = Counter(
    "panel_upstream_odd_values",
    "Values and records of the back office that could not be read",
    ["host", "document", "field"],
)
QUIET_SECONDS = 60.0
REMEMBERED_MINUTES = 15.0  # of a document that could not be read and was not asked for again
MOST_KINDS = 1000  # remembered at once: nobody fills our memory with new kinds of failure
FailureKind = tuple[str, ...]  # host, document, outcome; or field and reason


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

    def report_problems(
        self, host: str, document: str, organization: int, problems: Iterable[Problem]
    ) -> None:
        """Count each odd value, and log it as above; a kind is a field and a reason."""
        for problem in problems:
            ODD_VALUES.labels(host, document, problem.field).inc()
            repeated = self._admit((host, document, problem.field, problem.reason))
            if repeated is not None:
                more = f", and {repeated} more like it" if repeated else ""
                log.warning(
                    "%s: %s of organization %d: record %s: %s: %s%s",
                    *(host, document, organization, problem.record),
                    *(problem.field, problem.reason, more),
                )

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


class UnreadDocuments:
    """Which documents could not be read when they were last asked for, and why. Safe for threads.

    Only what waiting does not heal, so that somebody has to look. Of this process alone.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._codes: dict[tuple[str, int], tuple[str, float]] = {}

    def note(self, document: str, organization: int, error: PanelError) -> None:
        if not isinstance(error, Unreadable | Unauthorized | Blocked):
            return
        with self._lock:
            if len(self._codes) >= MOST_KINDS:
                self._codes.clear()
            until = self._clock() + REMEMBERED_MINUTES * 60
            self._codes[document, organization] = (error.code, until)

    def clear(self, document: str, organization: int) -> None:
        with self._lock:
            self._codes.pop((document, organization), None)

    def list_codes(self) -> dict[str, str]:
        """The last code of each such document."""
        with self._lock:
            now = self._clock()
            self._codes = {key: row for key, row in self._codes.items() if now < row[1]}
            return {document: code for (document, _), (code, _) in self._codes.items()}
