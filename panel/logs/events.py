"""Events in the log. Of many events of one kind, a few have a line each; the others are counted. An
event has fixed words and its ids, but no value that was sent or received.
"""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

QUIET_SECONDS = 60.0
MOST_KINDS = 1000  # in memory, which a sender who invents kinds could fill otherwise
MOST_ALIKE = 10  # lines of one kind in `QUIET_SECONDS`
Write = Callable[..., None]  # a logger's `info`, `warning`, `error`


@dataclass
class _Repeated:
    """The events of a kind until `quiet_until`: how many of them have a line, and how many were
    left out."""

    quiet_until: float
    lines: int = 0
    left_out: int = 0


class LogThrottle:
    """Lets the first lines of a kind into the log, and once a minute one line for its repetitions.

    Safe for threads. `clock` counts seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._repeated: dict[Hashable, _Repeated] = {}

    def __len__(self) -> int:
        """Return the number of kinds in memory."""
        return len(self._repeated)

    def record(self, write: Write, words: str, *alike: Hashable, **ids: object) -> None:
        """Log an event with its ids, unless there were `MOST_ALIKE` of its kind a moment ago.

        The words and `alike` make the kind.
        """
        more = self.admit((words, *alike), MOST_ALIKE)
        if more is not None:
            write("%s%s", words, more, extra={"fields": ids})

    def admit(self, kind: Hashable, most: int = 1) -> str | None:
        """Return the words to append to a line of this kind: `, and 2 more like it`, or `""`.
        Returns None for a line that is left out.
        """
        with self._lock:
            now = self._clock()
            repetition = self._repeated.get(kind)
            if repetition and now < repetition.quiet_until and repetition.lines >= most:
                repetition.left_out += 1
                return None
            more = (
                f", and {repetition.left_out} more like it"
                if repetition and repetition.left_out
                else ""
            )
            if repetition is None or now >= repetition.quiet_until:
                if len(self._repeated) >= MOST_KINDS:
                    self._repeated.clear()
                repetition = self._repeated[kind] = _Repeated(now + QUIET_SECONDS)
            repetition.lines += 1
            return more
