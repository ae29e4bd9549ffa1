"""Waiting for a condition, with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(look: Callable[[], T], seconds: float = 20.0) -> T:
    """Return the first true answer of `look`; fails when none comes in time."""
    end = time.monotonic() + seconds
    while True:
        result = look()
        if result:
            return result
        assert time.monotonic() < end, f"not within {seconds} s: {result!r}"
        time.sleep(0.02)
