"""The rate limit of calls to Chatwoot: passes share it, opening a panel never waits for it."""

import threading
import time
from collections import deque
from collections.abc import Callable

from panel.settings import Settings
from panel.upstream.chatwoot import connect
from panel.upstream.client import Client

WINDOW = 60.0


class RateLimit:
    """At most `calls` in any minute. One process executes passes at a time, so memory is enough."""

    def __init__(
        self,
        calls: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._calls = calls
        self._clock = clock
        self._sleep = sleep
        self._taken: deque[float] = deque()
        self._lock = threading.Lock()

    def take(self) -> None:
        """Wait for one's turn: at once, or when the call that is a minute old makes room."""
        while wait := self._try_take():
            self._sleep(wait)

    def _try_take(self) -> float:
        with self._lock:
            now = self._clock()
            while self._taken and self._taken[0] <= now - WINDOW:
                self._taken.popleft()
            if len(self._taken) >= self._calls:
                return self._taken[0] + WINDOW - now + 0.001
            self._taken.append(now)
            return 0.0


def make_limited_client(settings: Settings) -> Client:
    """A client of Chatwoot whose calls wait for their turn."""
    limit = RateLimit(settings.calls_per_minute)
    return connect(settings.chatwoot_url, settings.chatwoot_api_token, gate=limit.take)
