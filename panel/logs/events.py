"""Events in the log: one line for each, and when many are alike, a few of them and how many more.

Each has its words, which are always the same, and its ids: never a value that was sent or received.
"""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

QUIET_SECONDS = 60.0
MOST_KINDS = 1000  # remembered at once: nobody fills our memory with new kinds of event
MOST_ALIKE = 10  # lines of one kind in `QUIET_SECONDS`
Write = Callable[..., None]  # a logger's `info`, `warning`, `error`


@dataclass
class _Repeated:
    """The lines of a kind since a moment, and how many were left out since."""

    quiet_until: float
    written: int = 0
    left_out: int = 0


class EventLog:
    """Safe for threads. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._repeated: dict[Hashable, _Repeated] = {}

    def record(
        self,
        write: Write,
        words: str,
        *alike: Hashable,
        most: int = MOST_ALIKE,
        **ids: object,
    ) -> None:
        """Log the event, unless `most` lines of its kind were written in the last minute.

        The words and `alike` make the kind. Of how many were left out, the next line tells.
        """
        left_out = self._admit((words, *alike), most)
        if left_out is None:
            return
        more: dict[str, Any] = {"more": left_out} if left_out else {}
        text = f"{words}, and {left_out} more like it" if left_out else words
        write("%s", text, extra={"fields": {**ids, **more}})

    def _admit(self, kind: Hashable, most: int) -> int | None:
        """How many of this kind were left out before this one; None when this one is, too."""
        with self._lock:
            now = self._clock()
            known = self._repeated.get(kind)
            left_out = known.left_out if known else 0
            if known is None or now >= known.quiet_until:
                if len(self._repeated) >= MOST_KINDS:
                    self._repeated.clear()
                known = self._repeated[kind] = _Repeated(now + QUIET_SECONDS)
            if known.written >= most:
                known.left_out += 1
                return None
            known.written += 1
            return left_out if known.written == 1 else 0
