"""The rate limits of calls to both worlds: passes share them, opening a panel never waits for one.

WordPress serves everybody with a few PHP workers, the shop's customers too. So passes take two of
them at most, and leave each alone for longer than it worked for them.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from queue import PriorityQueue

from panel.services import Services
from panel.settings import Settings
from panel.upstream.chatwoot import connect
from panel.upstream.client import Client
from panel.upstream.middag import BackOffice
from panel.upstream.transport import Egress

WINDOW = 60.0
BACK_OFFICE_WORKERS = 2
REST = 2.0  # of a worker, as many times as long as it worked: so passes occupy two thirds of one
LONGEST_REST = 15.0


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


class GentleLimit:
    """At most `calls` in any minute and `BACK_OFFICE_WORKERS` at once, with a rest after each."""

    def __init__(
        self,
        calls: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limit = RateLimit(calls, clock, sleep)
        self._clock = clock
        self._sleep = sleep
        # When each worker has rested; what is not in here works.
        self._rested_at: PriorityQueue[float] = PriorityQueue()
        for _ in range(BACK_OFFICE_WORKERS):
            self._rested_at.put(0.0)

    def take(self) -> AbstractContextManager[None]:
        """Wait for one's turn. It ends with what is returned."""
        rested_at = self._rested_at.get()
        self._sleep(max(0.0, rested_at - self._clock()))
        self._limit.take()
        return self._work()

    @contextmanager
    def _work(self) -> Iterator[None]:
        begun = self._clock()
        try:
            yield
        finally:
            ended = self._clock()
            self._rested_at.put(ended + min(REST * (ended - begun), LONGEST_REST))


def make_limited_back_office(services: Services) -> BackOffice:
    """The back office for passes: their calls wait for their turn."""
    limit = GentleLimit(services.settings.middag_calls_per_minute)
    return services.back_office.behind(limit.take)


def make_limited_client(settings: Settings) -> Client:
    """A client of Chatwoot whose calls wait for their turn."""
    limit = RateLimit(settings.calls_per_minute)
    egress = Egress(settings.certificates, settings.chatwoot_proxy)
    return connect(settings.chatwoot_url, settings.chatwoot_api_token, limit.take, egress)
