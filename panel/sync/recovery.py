"""The recovery of an outside world: passes that failed because of it are then tried at once."""

import threading
from collections import Counter

# Failed tries in a row that mean an outage, with no successful call in between. A single failure
# may concern its organization alone, and would be tried again at every success of others.
OUTAGE_TRIES = 2


class Recovery:
    """Notes failures and successes by side, as administrators call the outside worlds (`errors`).
    Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures = Counter[str]()
        self._recovered = set[str]()

    def note_failure(self, side: str) -> None:
        """Note that a try failed because of this side."""
        with self._lock:
            self._failures[side] += bool(side)

    def note_success(self, side: str) -> None:
        """Note that a call to this side succeeded."""
        if not self._failures[side]:  # the ordinary case takes no lock
            return
        with self._lock:
            if self._failures.pop(side, 0) >= OUTAGE_TRIES:
                self._recovered.add(side)

    def suspect(self, sides: set[str]) -> None:
        """Count these sides as down: failures before this process began may mean an outage."""
        with self._lock:
            self._failures.update(dict.fromkeys(sides, OUTAGE_TRIES))

    def take_recovered(self) -> set[str]:
        """Return the sides that have recovered since the last call."""
        with self._lock:
            recovered, self._recovered = self._recovered, set()
        return recovered
