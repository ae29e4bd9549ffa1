"""What a process says to `doctor`, which asks it by PANEL_URL with a random challenge.

So doctor learns whether the panel there is the one whose settings it has, whether both have one
cache, and how the request came. To others it tells nothing of use: how many proxies it passed.
"""

import hmac
import re
from dataclasses import asdict, dataclass
from hashlib import sha256

from flask import request

from panel.services import Services
from panel.settings import Settings

CHALLENGE = re.compile(r"[0-9a-f]{32}", re.ASCII)
CHALLENGE_SECONDS = 60


@dataclass(frozen=True)
class ArrivalReport:
    """`proof`: see `prove_settings`; `hops`: addresses in X-Forwarded-For; `scheme`: as the panel
    takes it after the proxies that it trusts; `cache`: did it find the challenge there?"""

    proof: str
    hops: int
    scheme: str
    cache: bool


def prove_settings(settings: Settings, challenge: str) -> str:
    """The same for processes with the same secret, account and database. It tells none of them."""
    named = (settings.database_url, settings.chatwoot_url, str(settings.chatwoot_account_id))
    said = "\n".join(("middag panel: arrival", challenge, *named))
    return hmac.new(settings.secret.encode(), said.encode(), sha256).hexdigest()


def make_challenge_key(challenge: str) -> str:
    """In the cache: doctor writes there for a minute, the process looks."""
    return f"challenge:{challenge}"


def describe_arrival(shared: Services, challenge: str) -> dict[str, object]:
    """Empty where it is no challenge."""
    if not CHALLENGE.fullmatch(challenge):
        return {}
    forwarded = request.headers.get("X-Forwarded-For", "")
    [found] = shared.cache.store.get(make_challenge_key(challenge))
    report = ArrivalReport(
        prove_settings(shared.settings, challenge),
        len([each for each in forwarded.split(",") if each.strip()]),
        request.scheme,
        found == challenge,
    )
    return asdict(report)
