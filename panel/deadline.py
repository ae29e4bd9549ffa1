"""The deadline of a read of an outside world: pages, retry and body share it."""

import time

READ_SECONDS = 8.0  # a whole read, with its retry; the caller's deadline may be shorter


class Deadline:
    """A moment on the monotonic clock; `left()` is never negative."""

    def __init__(self, seconds: float = READ_SECONDS) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        return max(0.0, self._end - time.monotonic())

    def last_longer(self, seconds: float) -> None:
        self._end += seconds
