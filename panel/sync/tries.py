"""A try of a pass or of a task: its outcome, and the delay until the next one."""

import logging
import random
from collections.abc import Callable, Sequence
from typing import TypedDict

from panel.errors import (
    CHATWOOT_SIDE,
    GiveUp,
    Missing,
    PanelError,
    Refused,
    TryLater,
    Unauthorized,
    Unreadable,
)

log = logging.getLogger(__name__)
# Seconds between the tries of an organization: more than 24 h in all, and the next try comes at
# most a good hour after the end of the trouble. Each wait is lengthened by up to RETRY_JITTER, so
# that a thousand passes are not tried at the same moment.
RETRY_WAITS = (15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 2400.0, *[3600.0] * 23)
RETRY_JITTER = 0.25


class TryOutcome(TypedDict):
    """The outcome of a try: `reason` is empty when it went well; `later`: trying again may help.

    `side`: the outside world that the reason came from, as administrators call it, or empty;
    `progressed`: the next try has less to do, so it may come as soon as after a first failure.
    """

    reason: str
    later: bool
    retry_at: float | None
    side: str
    progressed: bool


def run_try(what: str, work: Callable[[], None]) -> TryOutcome:
    """Do the work and return its outcome; `what`: its name in the log."""
    try:
        work()
    except PanelError as error:
        return TryOutcome(
            reason=str(error),
            later=_may_heal(error),
            retry_at=error.retry_at,
            side=error.side,
            progressed=error.has_progressed,
        )
    except Exception as error:
        # The error's text may hold anything, so people see only its class; the log has the trace.
        log.exception("%s broke", what)
        return _make_outcome(f"unexpected {type(error).__name__}")
    return _make_outcome("")


def _make_outcome(reason: str) -> TryOutcome:
    return TryOutcome(reason=reason, later=False, retry_at=None, side="", progressed=False)


def _may_heal(error: PanelError) -> bool:
    """Tell whether the next try may succeed. No try succeeds after the back office's own statement
    about this organization, nor after refused values.

    A plugin that is being updated, a proxy's page, a plan's limit and a secret that is being
    rotated are troubles that mostly pass.
    """
    if isinstance(error, Missing | Refused):
        return error.side == CHATWOOT_SIDE
    return isinstance(error, TryLater | Unreadable | Unauthorized) or not isinstance(error, GiveUp)


def find_delay(
    waits: Sequence[float], tries: int, retry_at: float | None, now: float
) -> float | None:
    """Return the seconds until the next try, after `tries` failed ones; None after the last.

    `retry_at`: the moment at which the side that refused us wants the next call (epoch seconds).
    """
    if tries > len(waits):
        return None
    requested = (retry_at or 0.0) - now
    spread = 1 + random.uniform(0, RETRY_JITTER)  # noqa: S311 (it protects no secret)
    return max(waits[tries - 1], min(requested, waits[-1])) * spread
