"""The tree of errors: what can go wrong outside, divided by what the caller does about it.

PanelError                 code: short, repeatable by an agent to an administrator
├── TryLater               may heal by itself: never remembered; a kept copy may stand in
│   ├── Unreachable        no answer: `timeout`, `network`
│   ├── Unwell             an answer that reports a fault: `http_500`, `rate_limited`
│   ├── Blocked            another program answered (firewall, proxy, page, another plugin):
│   │                      `blocked`, `no_api`, `rest_closed`, `cached_upstream`
│   ├── Busy               no thread of ours may wait, or another reader fetches: `busy`
│   └── Paused             the circuit breaker holds our calls back: `paused`
└── GiveUp                 asking again at once would bring the same answer
    ├── Unreadable         `unreadable`, `wrong_shape`, `foreign_rows` …: a copy may stand in
    ├── Unauthorized       our secret or token is wrong, or may not do this: a copy may stand in
    ├── Refused            `denied`: 403; a kept copy must not be shown
    └── Missing            `unknown_organization`, `not_found`: 404 in its own words
"""

from collections.abc import Iterator
from contextlib import contextmanager

CHATWOOT_SIDE, BACK_OFFICE_SIDE = "Chatwoot", "MIDDAG Account"


class PanelError(Exception):
    """`code` is shown to people; `detail` is for the log and holds no secret.

    `retry_at`: the epoch seconds from which asking again makes sense, where they are known. `side`:
    the outside world that failed, as administrators call it; empty where neither did.
    `has_progressed`: a part of a long work was done, and the next try goes on after that part.
    """

    code = "error"
    side = ""
    has_progressed = False

    def __init__(
        self, code: str = "", detail: str = "", retry_at: float | None = None, body: object = None
    ) -> None:
        self.code = code or type(self).code
        self.detail = detail
        self.retry_at = retry_at
        self.body = body
        super().__init__(f"{self.code}: {detail}" if detail else self.code)


class TryLater(PanelError):
    """The failure may heal by itself."""


class Unreachable(TryLater):
    code = "network"


class Unwell(TryLater):
    code = "http_500"


class Blocked(TryLater):
    """A firewall, a proxy or another program answered instead: an administrator can mend it."""

    code = "blocked"


class Busy(TryLater):
    """Our process is busy, not the other side: asking again in a moment makes sense."""

    code = "busy"


class Paused(TryLater):
    code = "paused"


class GiveUp(PanelError):
    """Asking again at once would bring the same answer."""


class Unreadable(GiveUp):
    code = "unreadable"


class Unauthorized(GiveUp):
    code = "unauthorized"


class Refused(GiveUp):
    code = "denied"


class Missing(GiveUp):
    code = "not_found"


@contextmanager
def naming_side(side: str) -> Iterator[None]:
    """Name this outside world as the side of the block's errors. Errors of our own database keep no
    side."""
    try:
        yield
    except PanelError as error:
        if not error.side and error.code != "database":
            error.side = side
        raise


# The kinds of error that a read can raise, by the name under which a failure is stored.
ERRORS_BY_NAME = {
    kind.__name__: kind
    for kind in (
        TryLater,
        Unreachable,
        Unwell,
        Blocked,
        Busy,
        Paused,
        GiveUp,
        Unreadable,
        Unauthorized,
        Refused,
        Missing,
    )
}
