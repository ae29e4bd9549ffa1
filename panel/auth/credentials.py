"""Credentials, by which a request proves its viewer, and the proof that follows from them."""

from dataclasses import dataclass
from urllib.parse import unquote

import msgspec

from panel.auth.access import Denied

LONGEST_COOKIE = 4096


@dataclass(frozen=True)
class Proof:
    """`name` stands in the seal; `agent` None: only the page names the agent (`shared-secret`).

    `generation`: of the session that proves; None where the proof is no session of ours. `locale`:
    the agent's own in Chatwoot, where the proof tells it (`whoami.Profile`).
    """

    name: str
    agent: int | None = None
    generation: int | None = None
    locale: str = ""

    def confirm(self, hinted: int) -> None:
        """Raises `Denied` when the page names another agent than the proven one."""
        if self.agent is not None and self.agent != hinted:
            raise Denied("another_agent")


@dataclass(frozen=True)
class Credentials:
    """The credentials that a request brings. `session`: our cookie's value; `address`: the key
    under which its proofs are counted (`throttle.normalize_address`)."""

    authorization: str | None
    session: str
    dashboard: str
    address: str


@dataclass(frozen=True)
class Asker:
    """The sender of a request for a conversation. `agent`: as the page says; `peer`: the other end
    of the connection, or the client that a trusted proxy names; `address`: as in `Credentials`."""

    agent: int
    peer: str
    address: str


class Dashboard(msgspec.Struct, frozen=True):
    """The part of the dashboard's session that we read; the cookie holds more."""

    token: str = msgspec.field(name="access-token")
    client: str
    uid: str


def parse_dashboard(cookie: str) -> Dashboard | None:
    """Return None for a value that Chatwoot's dashboard would never have written."""
    if not cookie or len(cookie) > LONGEST_COOKIE:
        return None
    try:
        return msgspec.json.decode(unquote(cookie, errors="strict"), type=Dashboard)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
