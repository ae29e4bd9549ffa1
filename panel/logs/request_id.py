"""The id of what is being done: of a request, of a try of a pass, of a command.

It stands in each line of the log, goes to both outside worlds as `X-Request-Id`, and stands beside
the code that an agent reads.
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

HEADER = "X-Request-Id"
SAFE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)  # nginx makes 32, most others 36

_current: ContextVar[str] = ContextVar("request_id", default="")


def current() -> str:
    """Empty outside of everything that has an id."""
    return _current.get()


def begin(given: str = "") -> None:
    """From now on this thread works under the id that was given, or under a new one.

    `given` is shown and passed on: it must come from a proxy that is trusted.
    """
    _current.set(given if SAFE_ID.fullmatch(given) else secrets.token_hex(5))


def end() -> None:
    """Threads are used again: what comes next has another id, or none."""
    _current.set("")


@contextmanager
def working() -> Iterator[None]:
    """Work that has an id of its own."""
    token = _current.set(secrets.token_hex(5))
    try:
        yield
    finally:
        _current.reset(token)


def make_headers() -> dict[str, str]:
    """What a call to an outside world carries."""
    return {HEADER: current()} if current() else {}
