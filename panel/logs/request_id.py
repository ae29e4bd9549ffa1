"""The id of a piece of work: of a request, of a try of a pass, of a command. Every line of the log
carries the id. Our calls send it to both outside worlds as `X-Request-Id`. Agents read it beside
the code of a failure.
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
    """Return the id of this thread's work, or `""`."""
    return _current.get()


def begin(work_id: str = "") -> None:
    """Begin work in this thread under this id; under a new id where it is missing or malformed.

    `work_id` is shown and passed on, so it must come from a trusted proxy.
    """
    _current.set(work_id if SAFE_ID.fullmatch(work_id) else secrets.token_hex(5))


def end() -> None:
    """Forget the id: the thread is used again for other work."""
    _current.set("")


@contextmanager
def working() -> Iterator[None]:
    """Give the work inside the block an id of its own."""
    token = _current.set(secrets.token_hex(5))
    try:
        yield
    finally:
        _current.reset(token)


def make_headers() -> dict[str, str]:
    """Return the headers with the id for a call to an outside world."""
    return {HEADER: current()} if current() else {}
