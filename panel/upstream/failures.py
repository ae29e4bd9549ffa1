"""The one way to log and count a failure of an outside world, rate limited.

A line names the host, the document, the record and the outcome; never a value that was sent or
received. The first failure of a kind is logged at once, its repetitions once a minute together.
"""

import logging

from prometheus_client import Counter

from panel.errors import PanelError
from panel.logs.events import MOST_KINDS as MOST_KINDS
from panel.logs.events import QUIET_SECONDS as QUIET_SECONDS
from panel.logs.events import EventLog

log = logging.getLogger(__name__)
FAILURES = Counter(
    "panel_upstream_failures",
    "Failed reads and writes of the outside worlds",
    ["host", "document", "outcome"],
)
FailureKind = tuple[str, str, str]  # host, document, outcome


class FailureLog(EventLog):
    """Safe for threads. `clock` counts seconds."""

    def report(
        self, host: str, document: str, record: int, error: PanelError, remedy: str = ""
    ) -> None:
        """Count the failure, and log it unless its kind was logged a moment ago.

        `remedy`: sentences for the administrator, where there is something to be done.
        """
        kind: FailureKind = (host, document, error.code)
        FAILURES.labels(*kind).inc()
        left_out = self._admit(kind, 1)
        if left_out is None:
            return
        why = f" ({error.detail})" if error.detail else ""
        more = f", and {left_out} more like it" if left_out else ""
        what = f"{error.code}{why}{more}" + (f". {remedy}" if remedy else "")
        fields = {"host": host, "document": document, "record": record, "code": error.code}
        log.warning("%s: %s %d: %s", host, document, record, what, extra={"fields": fields})
