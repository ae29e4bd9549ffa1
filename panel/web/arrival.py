"""The answer of a process to `doctor`, which calls it by PANEL_URL with a random challenge.

From the answer doctor learns whether the panel there has the same settings, whether both share one
cache, and how the request came. A stranger learns only how many proxies the request passed.
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
    """`proof`: see `prove_settings`; `hops`: the number of addresses in X-Forwarded-For; `scheme`:
    the one that the panel believes, by the proxies that it trusts; `cache`: whether the process
    finds the challenge in its cache."""

    proof: str
    hops: int
    scheme: str
    cache: bool


def prove_settings(settings: Settings, challenge: str) -> str:
    """Return a digest that is the same for processes with the same secret, account and database.
    The digest reveals none of these."""
    same_settings = (
        settings.database_url,
        settings.chatwoot_url,
        str(settings.chatwoot_account_id),
    )
    statement = "\n".join(("middag panel: arrival", challenge, *same_settings))
    return hmac.new(settings.secret.encode(), statement.encode(), sha256).hexdigest()


def make_challenge_key(challenge: str) -> str:
    """Return the key in the cache: doctor writes it for a minute, and the process looks there."""
    return f"challenge:{challenge}"


def describe_arrival(shared: Services, challenge: str) -> dict[str, object]:
    """Return an empty report where the text is no challenge."""
    if not CHALLENGE.fullmatch(challenge):
        return {}
    forwarded = request.headers.get("X-Forwarded-For", "")
    [value] = shared.cache.store.get(make_challenge_key(challenge))
    report = ArrivalReport(
        prove_settings(shared.settings, challenge),
        len([address for address in forwarded.split(",") if address.strip()]),
        request.scheme,
        value == challenge,
    )
    return asdict(report)
