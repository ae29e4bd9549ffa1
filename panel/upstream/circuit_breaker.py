"""A circuit breaker for each host: one that keeps failing is not asked for a while."""

import threading
import time
from dataclasses import dataclass, field

from panel.errors import Paused


@dataclass
class CircuitBreaker:
    """After `limit` failures in a row within `window` seconds nobody calls for `pause` seconds.

    Then one caller goes first, as a probe; the others wait for its result or for one more pause.
    Any answer that is no 5xx counts as a sign of life.
    """

    limit: int = 10
    pause: float = 15.0
    window: float = 60.0
    _failures: list[float] = field(default_factory=list)
    _until: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self) -> None:
        with self._lock:
            now = time.time()
            if now < self._until:
                raise Paused(detail="no call while the other side is unwell", retry_at=self._until)
            if self._until:
                # This caller is the probe: it leases one more pause, so that only one goes first.
                self._until = now + self.pause

    def record_success(self) -> None:
        with self._lock:
            self._failures.clear()
            self._until = 0.0

    def record_failure(self) -> None:
        with self._lock:
            now = time.time()
            self._failures = [at for at in self._failures if at > now - self.window] + [now]
            if len(self._failures) >= self.limit:
                self._until = now + self.pause

    @property
    def paused_until(self) -> float:
        """Epoch seconds, 0 while calls go through."""
        with self._lock:
            return self._until if self._until > time.time() else 0.0
