"""The poll interval: when an open panel asks again what has changed.

An answer tells its panel when to ask again: later when the agent has been idle for a while, and
when this process is busy.
"""

import time
from collections.abc import Callable

SOON_SECONDS = 1.5  # with the section's own request, a touch is visible within two seconds
LATE_SECONDS = 15.0
IDLE_SECONDS = 300.0  # an agent who does nothing for less than this may be reading
BUSY_SHARE = 0.6  # of one core
POLL_JITTER = 0.1  # so that panels which were opened together do not ask at the same moments
WINDOW_SECONDS = 2.0


def choose_pause(idle: float, share: float, chance: float) -> float:
    """Return the seconds until a panel asks again.

    `idle`: seconds since the agent's last action; `share`: the share of one core that we use;
    `chance`: 0 to 1.
    """
    calm = max(1.0, idle / IDLE_SECONDS)
    over = max(0.0, min(share, 1.0) - BUSY_SHARE) / (1.0 - BUSY_SHARE)
    busy = 1.0 + over * (LATE_SECONDS / SOON_SECONDS - 1.0)
    seconds = min(LATE_SECONDS, SOON_SECONDS * max(calm, busy))
    return seconds * (1.0 + POLL_JITTER * (2.0 * chance - 1.0))


class CpuLoad:
    """The share of one core that this process has used lately; `cpu` and `clock` count seconds.

    No lock is needed: threads that measure at the same moment find the same value, and one of them
    is stored.
    """

    def __init__(
        self,
        cpu: Callable[[], float] = time.process_time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cpu = cpu
        self._clock = clock
        self._window = clock(), cpu(), 0.0

    def share(self) -> float:
        """Return the share of the last window of at least two seconds; 0 before the first."""
        since, used, share = self._window
        now = self._clock()
        if now - since < WINDOW_SECONDS:
            return share
        cpu = self._cpu()
        share = (cpu - used) / (now - since)
        self._window = now, cpu, share
        return share
