"""The id of a piece of work: of a request, of a try of a pass, of a command.

Each line of the log carries the id, both outside worlds are sent it as `X-Request-Id`, and agents
read it beside the code of a failure.
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
    """The id of this thread's work, or empty."""
    return _current.get()


def begin(given: str = "") -> None:
    """From now on this thread works under the given id, or under a new one.

    `given` is shown and passed on: it must come from a proxy that is trusted.
    """
    _current.set(given if SAFE_ID.fullmatch(given) else secrets.token_hex(5))


def end() -> None:
    """Forget the id: the thread is used again for other work."""
    _current.set("")


@contextmanager
def working() -> Iterator[None]:
    """The work inside the block has an id of its own."""
    token = _current.set(secrets.token_hex(5))
    try:
        yield
    finally:
        _current.reset(token)


def make_headers() -> dict[str, str]:
    """The headers that a call to an outside world carries."""
    return {HEADER: current()} if current() else {}
