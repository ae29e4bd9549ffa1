"""A circuit breaker for each host, and within it one for each subject: an organization, a path.

A customer whose records break the back office is paused alone. The host is paused when several
subjects fail and no subject succeeds.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from panel.errors import Paused

MOST_SUBJECTS = 1000  # with failures, in memory


@dataclass
class _Streak:
    """The moments (epoch seconds) of failures without a success in between.

    `until` stays when the pause is over: the next caller is the probe.
    """

    failures: list[float] = field(default_factory=list)
    until: float = 0.0


@dataclass
class CircuitBreaker:
    """After `own_limit` failures in a row a subject is paused for `pause` seconds.

    After `limit` failures in a row of at least `subjects` subjects the host is paused. Failures
    count for `window` seconds. When a pause is over, one caller goes first, as a probe; the others
    wait for its result or for one more pause. A subject that failed itself does not probe for the
    host, since it would keep the others paused. Its own probes go on, and any success ends the
    pause of the host. Any answer that is no 5xx counts as a sign of life. A pause that seems longer
    than `pause` is over: the clock was set back.
    """

    limit: int = 10
    subjects: int = 3
    own_limit: int = 16  # four sections, each tried twice, in two openings
    pause: float = 15.0
    window: float = 60.0
    clock: Callable[[], float] = time.time
    _streaks: dict[str, _Streak] = field(default_factory=dict)
    _recent: list[tuple[float, str]] = field(default_factory=list)
    _until: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self, subject: str = "") -> None:
        """Raises `Paused` where this subject, or every subject, has to wait."""
        with self._lock:
            now = self.clock()
            own = self._find_streak(subject, now)
            if own is None or not own.until:
                self._refuse_before(self._until, now)
            if own and (own.until or self._until):
                self._refuse_before(own.until, now)
                # This caller is the probe; the others wait until its turn ends.
                own.until = now + self.pause
            elif self._until:
                self._until = now + self.pause  # the probe for the host, likewise

    def record_success(self, subject: str = "") -> None:
        with self._lock:
            self._streaks.pop(subject, None)
            self._clear_host()

    def record_garbage(self, subject: str = "") -> None:
        """Record an answer that cannot be read: the host lives, and this subject is in trouble."""
        with self._lock:
            self._lengthen_streak(subject, self.clock())
            self._clear_host()

    def record_failure(self, subject: str = "") -> None:
        with self._lock:
            now = self.clock()
            is_new = self._find_streak(subject, now) is None
            self._lengthen_streak(subject, now)
            recent = [failure for failure in self._recent if failure[0] > now - self.window]
            self._recent = [*recent[-self.limit :], (now, subject)]
            several = len({name for _, name in self._recent}) >= self.subjects
            # A further failure of the same subject says nothing new about the others.
            if several and len(self._recent) >= self.limit and (is_new or not self._until):
                self._until = now + self.pause

    def _find_streak(self, subject: str, now: float) -> _Streak | None:
        streak = self._streaks.get(subject)
        if streak and not streak.until and streak.failures[-1] < now - self.window:
            del self._streaks[subject]
            return None
        return streak

    def _lengthen_streak(self, subject: str, now: float) -> None:
        if len(self._streaks) >= MOST_SUBJECTS and subject not in self._streaks:
            self._streaks.clear()
        own = self._streaks.setdefault(subject, _Streak())
        own.failures = [*(at for at in own.failures if at > now - self.window), now]
        if own.until or len(own.failures) >= self.own_limit:
            own.until = now + self.pause

    def _clear_host(self) -> None:
        self._recent.clear()
        self._until = 0.0

    @property
    def paused_until(self) -> float:
        """Return the epoch seconds when the host is tried again, 0 while calls go through."""
        with self._lock:
            return self._until if self._is_ahead(self._until, self.clock()) else 0.0

    def _is_ahead(self, moment: float, now: float) -> bool:
        return now < moment <= now + self.pause

    def _refuse_before(self, moment: float, now: float) -> None:
        if self._is_ahead(moment, now):
            raise Paused(detail="no call while the other side is unwell", retry_at=moment)
