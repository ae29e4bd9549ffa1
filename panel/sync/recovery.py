"""Which outside world was away and is well again: what waits for it is tried at once then."""

import threading
from collections import Counter

# Tries that failed one after another, with no call that succeeded in between: one alone may be a
# trouble of its organization, and would be tried again for ever by the success of others.
FAILURES_IN_A_ROW = 2


class Recovery:
    """Safe for threads. Sides: as administrators call the outside worlds (`errors`)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures = Counter[str]()
        self._recovered = set[str]()

    def note_failure(self, side: str) -> None:
        """A try failed, and it was this side."""
        with self._lock:
            self._failures[side] += bool(side)

    def note_success(self, side: str) -> None:
        """A call to this side succeeded."""
        if not self._failures[side]:  # the ordinary case takes no lock
            return
        with self._lock:
            if self._failures.pop(side, 0) >= FAILURES_IN_A_ROW:
                self._recovered.add(side)

    def suspect(self, sides: set[str]) -> None:
        """What failed before this process began may have been an outage."""
        with self._lock:
            self._failures.update(dict.fromkeys(sides, FAILURES_IN_A_ROW))

    def take_recovered(self) -> set[str]:
        """The sides that are well again since this was asked last."""
        with self._lock:
            recovered, self._recovered = self._recovered, set()
        return recovered
