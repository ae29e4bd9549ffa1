"""The session cookie of an agent who has signed in: a signed statement of ours.

It holds the agent's id and the account, nothing that opens anything elsewhere. It serves a frame on
another site and one on a sibling subdomain alike: `Partitioned` keeps it where browsers have done
away with third-party cookies, and one that does not know the word takes an ordinary cookie.
"""

from dataclasses import dataclass
from typing import Any

from itsdangerous import BadSignature, SignatureExpired

from panel.auth.tokens import Unproven, make_signer
from panel.settings import Settings

HOUR = 3600


@dataclass(frozen=True)
class Cookie:
    """Its attributes; `name`'s prefix makes browsers refuse one that a sibling host has planted."""

    name: str
    path: str
    max_age: int


class Sessions:
    """Every accepted secret verifies, the first signs: see `tokens`."""

    def __init__(self, settings: Settings) -> None:
        self._account = settings.chatwoot_account_id
        self._seconds = settings.session_hours * HOUR
        self._signer = make_signer(settings, "session")

    def cookie(self, root: str) -> Cookie:
        """`root`: the path that we are mounted at, empty for a host of our own."""
        # `__Host-` would be the stricter one, but it insists on the path `/`: under Chatwoot's
        # host that would send our session to Chatwoot with each of its requests.
        return Cookie("__Secure-panel" if root else "__Host-panel", f"{root}/", self._seconds)

    def make(self, agent: int) -> str:
        return str(self._signer.dumps({"agent": agent, "account": self._account}))

    def find_agent(self, value: str) -> int:
        """Whose session it is; raises `Unproven`: `session_expired`, or `wrong_session`."""
        try:
            told: Any = self._signer.loads(value, max_age=self._seconds)
            agent, account = told["agent"], told["account"]
        except SignatureExpired:
            raise Unproven("session_expired") from None
        except (BadSignature, KeyError, TypeError, ValueError):
            raise Unproven("wrong_session") from None
        if account != self._account or type(agent) is not int:  # True would be an int
            raise Unproven("wrong_session")
        return agent
