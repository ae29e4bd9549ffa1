"""Events in the log: one line for each, and when many are alike, a few of them and how many more.

An event has fixed words and its ids: never a value that was sent or received.
"""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

QUIET_SECONDS = 60.0
MOST_KINDS = 1000  # remembered at once: nobody fills our memory with new kinds of event
MOST_ALIKE = 10  # lines of one kind in `QUIET_SECONDS`
Write = Callable[..., None]  # a logger's `info`, `warning`, `error`


@dataclass
class _Repeated:
    """Until when the lines of a kind count together, how many there were, how many left out."""

    quiet_until: float
    written: int = 0
    left_out: int = 0


class LogThrottle:
    """Lets the first lines of a kind into the log, and its repetitions once a minute together.

    Safe for threads. `clock` counts seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._repeated: dict[Hashable, _Repeated] = {}

    def __len__(self) -> int:
        """How many kinds are remembered."""
        return len(self._repeated)

    def record(self, write: Write, words: str, *alike: Hashable, **ids: object) -> None:
        """Log an event with its ids, unless there were `MOST_ALIKE` of its kind a moment ago.

        The words and `alike` make the kind.
        """
        more = self.admit((words, *alike), MOST_ALIKE)
        if more is not None:
            write("%s%s", words, more, extra={"fields": ids})

    def admit(self, kind: Hashable, most: int = 1) -> str | None:
        """The words behind a line of this kind: `, and 2 more like it`, or nothing.

        None where the line is to be left out.
        """
        with self._lock:
            now = self._clock()
            known = self._repeated.get(kind)
            if known and now < known.quiet_until and known.written >= most:
                known.left_out += 1
                return None
            more = f", and {known.left_out} more like it" if known and known.left_out else ""
            if known is None or now >= known.quiet_until:
                if len(self._repeated) >= MOST_KINDS:
                    self._repeated.clear()
                known = self._repeated[kind] = _Repeated(now + QUIET_SECONDS)
            known.written += 1
            return more
