"""The recovery of an outside world: passes that failed because of it are tried at once then."""

import threading
from collections import Counter

# Failed tries in a row that mean an outage, with no successful call in between. A single failure
# may concern its organization alone, and would be tried again at every success of others.
OUTAGE_TRIES = 2


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
            if self._failures.pop(side, 0) >= OUTAGE_TRIES:
                self._recovered.add(side)

    def suspect(self, sides: set[str]) -> None:
        """Count these sides as down: failures before this process began may mean an outage."""
        with self._lock:
            self._failures.update(dict.fromkeys(sides, OUTAGE_TRIES))

    def take_recovered(self) -> set[str]:
        """The sides that are well again since this was asked last."""
        with self._lock:
            recovered, self._recovered = self._recovered, set()
        return recovered
