"""The one place that logs and counts faults in an answer of an outside world, rate limited.

A line names the host, the document, the record and the fault; never a value that was sent or
received. The first fault of a kind is logged at once, its repetitions once a minute together.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from panel import metrics
from panel.errors import Blocked, Busy, PanelError, Paused, Unauthorized, Unreadable
from panel.logs.events import MOST_KINDS, QUIET_SECONDS, LogThrottle  # noqa: F401
from panel.models.values import Oddity

log = logging.getLogger(__name__)
REMEMBERED_MINUTES = 15.0  # after so long, the failed read of a document no longer counts


class FailureLog:
    """Safe for threads. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._throttle = LogThrottle(clock)

    def report(
        self, host: str, document: str, record: int, error: PanelError, remedy: str = ""
    ) -> None:
        """Count the failure, and log it unless its kind was logged a moment ago.

        `remedy`: a sentence that tells the administrator what to do.
        """
        kind = (host, document, error.code)
        metrics.FAILURES.labels(*kind).inc()
        more = self._throttle.admit(kind)
        if more is not None:
            why = f" ({error.detail})" if error.detail else ""
            words = f"{error.code}{why}{more}" + (f". {remedy}" if remedy else "")
            ids = {"host": host, "document": document, "record": record, "code": error.code}
            log.warning("%s: %s %d: %s", host, document, record, words, extra={"fields": ids})

    def report_oddities(
        self, host: str, document: str, organization: int, oddities: Iterable[Oddity]
    ) -> None:
        """Count each odd value, and log it like a failure; a kind is a field and a reason."""
        for oddity in oddities:
            metrics.ODD_VALUES.labels(host, document, oddity.field).inc()
            more = self._throttle.admit((host, document, oddity.field, oddity.reason))
            if more is not None:
                log.warning(
                    "%s: %s of organization %d: record %s: %s: %s%s",
                    *(host, document, organization, oddity.record),
                    *(oddity.field, oddity.reason, more),
                    extra={"fields": {"document": document, "organization": organization}},
                )


@dataclass(frozen=True)
class Trouble:
    """A document whose last call failed. `since` and `last_at`: epoch seconds of the first and the
    last failure."""

    document: str
    code: str
    since: float
    last_at: float


class Troubles:
    """The present troubles of an outside world: the documents whose last call failed.

    The state is of this process alone, and safe for threads. `clock` counts seconds since the
    epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._standing: dict[str, Trouble] = {}

    def note_failure(self, document: str, error: PanelError) -> None:
        """Note a failed call. During a pause no call is made, and none is noted: the failure before
        the pause stands."""
        if isinstance(error, Paused | Busy):
            return
        with self._lock:
            now = self._clock()
            trouble = self._standing.get(document)
            if trouble and trouble.code == error.code:
                self._standing[document] = replace(trouble, last_at=now)
            else:
                self._standing[document] = Trouble(document, error.code, now, now)

    def note_success(self, document: str) -> None:
        """Note that the document's trouble, if it had any, is over."""
        if document in self._standing:  # read without the lock, since mostly nothing is in trouble
            with self._lock:
                self._standing.pop(document, None)

    @property
    def latest(self) -> Trouble | None:
        """Return the latest trouble; None when every document's last call succeeded."""
        with self._lock:
            return max(self._standing.values(), key=lambda trouble: trouble.last_at, default=None)


class UnreadDocuments:
    """The documents whose last read failed, with the reason. Safe for threads.

    Only failures that need an administrator count, not those that pass by themselves. The state is
    of this process alone.
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
        """Return the last code of each such document."""
        with self._lock:
            now = self._clock()
            self._codes = {key: row for key, row in self._codes.items() if now < row[1]}
            return {document: code for (document, _), (code, _) in self._codes.items()}
