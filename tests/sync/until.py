"""Waiting for a condition, with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

from tests.clocks import LONGEST_PAUSE

T = TypeVar("T")


def until(look: Callable[[], T], seconds: float = 20.0) -> T:
    """Return the first true answer of `look`; fails when none comes in time.

    The pause is as long as the look was, because looks keep a busy process busy.
    """
    end = time.monotonic() + seconds
    while True:
        started_at = time.monotonic()
        result = look()
        if result:
            return result
        now = time.monotonic()
        assert now < end, f"not within {seconds} s: {result!r}"
        time.sleep(min(max(0.02, now - started_at), LONGEST_PAUSE))
