"""The session cookie of an agent who has signed in: a statement that we signed.

The cookie holds the agent's id and generation and the account, and no credential for any other
place. The same cookie serves a frame on another site and one on a sibling subdomain. `Partitioned`
keeps it where browsers have removed third-party cookies; a browser that does not know the word
takes an ordinary cookie.
"""

from dataclasses import dataclass
from typing import Any

import msgspec
from itsdangerous import BadData, BadSignature, SignatureExpired
from itsdangerous.encoding import base64_decode

from panel.auth.access import Unproven
from panel.auth.tokens import make_signer
from panel.settings import Settings

HOUR = 3600
LONGEST_SESSION = 500  # characters; ours have about a hundred


@dataclass(frozen=True)
class Cookie:
    """The attributes of our cookie. A browser takes a name that begins with `__Host-` or
    `__Secure-` from https alone, and the first of them from our own host alone."""

    name: str
    path: str
    max_age: int


@dataclass(frozen=True)
class Session:
    """The agent and account of a session; `generation`: see `revocation`; `locale`: `whoami`."""

    agent: int
    generation: int = 0
    locale: str = ""


class Sessions:
    """Signs and reads sessions. Every accepted secret verifies, the first one signs: see
    `tokens`."""

    def __init__(self, settings: Settings) -> None:
        self._account = settings.chatwoot_account_id
        self._seconds = settings.session_hours * HOUR
        self._signer = make_signer(settings, "session")

    def cookie(self, root: str) -> Cookie:
        """`root`: the path that we are mounted at, empty for a host of our own."""
        # `__Host-` would be stricter, but it requires the path `/`: under Chatwoot's host our
        # session would go to Chatwoot with each of its requests.
        return Cookie("__Secure-panel" if root else "__Host-panel", f"{root}/", self._seconds)

    def make(self, session: Session) -> str:
        return str(self._signer.dumps({**vars(session), "account": self._account}))

    def parse(self, value: str) -> Session:
        """Return the session that we signed; raises `Unproven`: `session_expired`, or
        `wrong_session`.

        A cookie in our form with another signature was ours before the secret changed, or is
        forged. Such a cookie opens nothing and costs nothing to check. The agent reads that it has
        expired: after a rotation a whole office brings such cookies at once.
        """
        try:
            content: Any = self._signer.loads(value, max_age=self._seconds)
            agent, account = content["agent"], content["account"]
            generation = content.get("generation", 0)
            locale = str(content.get("locale", ""))
        except SignatureExpired:
            raise Unproven("session_expired") from None
        except BadSignature:
            raise Unproven(self._name_forgery(value)) from None
        except (AttributeError, KeyError, TypeError, ValueError):
            raise Unproven("wrong_session") from None
        # isinstance would accept True.
        if account != self._account or {type(agent), type(generation)} != {int}:
            raise Unproven("wrong_session")
        return Session(agent, generation, locale)

    def _name_forgery(self, value: str) -> str:
        """Decide by the form alone. The content is not believed, and not even unpacked: a payload
        that begins with a dot is compressed, and may be huge."""
        payload, _, rest = value.partition(".")
        if not payload or "." not in rest or len(value) > LONGEST_SESSION:
            return "wrong_session"
        try:
            content = msgspec.json.decode(base64_decode(payload))
        except (BadData, msgspec.DecodeError, RecursionError):
            return "wrong_session"
        is_ours = isinstance(content, dict) and content.get("account") == self._account
        return (
            "session_expired" if is_ours and type(content.get("agent")) is int else "wrong_session"
        )
