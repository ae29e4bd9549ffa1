"""Rotation of the shared secret: chooses the secret of the list that is sent to the back office.

While a secret is changed, one side has the new one first. The first secret is sent; where the
plugin itself refuses it, the next one is tried, once. The secret that worked is sent for a minute.
"""

import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from panel.errors import Missing, Refused, Unauthorized
from panel.upstream.exchange import Answer
from panel.upstream.middag_rejections import SECRET_REFUSED

REMEMBERED_MINUTE = 60.0
# The plugin's own codes about the secret. A dropped header, a firewall, another plugin or a page
# tells nothing about the secret: there a second secret would only be shown to one more stranger.
REFUSALS_OF_SECRET = {"unauthorized", SECRET_REFUSED}
THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}


class SecretRotation:
    """Safe for threads. `base`: the address of the API. A second secret is sent only over https, or
    to this machine; the client follows no redirect to another host."""

    def __init__(
        self, secrets: Sequence[str], base: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._secrets = tuple(secrets)
        self._clock = clock
        address = urlsplit(base)
        is_private = address.scheme == "https" or address.hostname in THIS_MACHINE
        self._may_try = is_private and len(self._secrets) > 1
        # The place of the accepted secret in the list, and the end of its minute, in one atomic
        # value.
        self._worked = (0, 0.0)

    def send(self, ask: Callable[[dict[str, str]], Answer]) -> Answer:
        """`ask` sends one request with the given headers. Raises as `ask` does."""
        place = self._choose()
        try:
            return ask(self._make_headers(place))
        except Unauthorized as refusal:
            if not self._may_try or refusal.code not in REFUSALS_OF_SECRET:
                raise
            return self._try_next((place + 1) % len(self._secrets), ask, refusal)

    def _try_next(
        self, place: int, ask: Callable[[dict[str, str]], Answer], refusal: Unauthorized
    ) -> Answer:
        try:
            answer = ask(self._make_headers(place))
        except Unauthorized:
            raise refusal from None
        except (Missing, Refused):
            self._remember(place)  # the answer shows that the secret was accepted
            raise
        self._remember(place)
        return answer

    def _choose(self) -> int:
        place, until = self._worked
        return place if self._clock() < until else 0

    def _remember(self, place: int) -> None:
        self._worked = place, self._clock() + REMEMBERED_MINUTE

    def _make_headers(self, place: int) -> dict[str, str]:
        """Return no headers where there is no secret: the client has its own."""
        return {"Authorization": f"Bearer {self._secrets[place]}"} if self._secrets else {}
