"""The built-in Chatwoot's webhooks on their way: one after another, each once.

Source: lib/webhooks/trigger.rb of v4.16.2. No webhook is sent again, whatever its answer, and even
if none came. The outcome is shown nowhere: the real one logs it in Sidekiq alone.
"""

from __future__ import annotations

import hmac
import queue
import threading
import time
import uuid
from dataclasses import dataclass
from hashlib import sha256

import requests

from panel.demo.rails import encode
from panel.demo.world import Json

_SECONDS = 5  # for an answer


@dataclass(frozen=True)
class Delivery:
    """A webhook that was sent; `status` is 0 where no answer came."""

    url: str
    headers: dict[str, str]
    raw: bytes
    status: int


class Outbox:
    """Sends only while `sending` is set: the addresses of most tests belong to no server.

    The real one refuses private addresses since 4.14, unless it is told to allow them
    (`SAFE_FETCH_ALLOW_PRIVATE_NETWORK=true`); this one always allows them.
    """

    def __init__(self) -> None:
        self.sending = False
        self.sent: list[Delivery] = []
        self._waiting: queue.SimpleQueue[tuple[str, dict[str, str], bytes] | None]
        self._waiting = queue.SimpleQueue()
        self._settled = threading.Condition()
        self._open = 0
        self._worker: threading.Thread | None = None

    def send(self, url: str, secret: str | None, event: Json) -> None:
        """Queue one event; without a secret (before 4.11.2) the event is not signed."""
        if not self.sending:
            return
        raw = encode(event).encode()
        headers = {"User-Agent": "Ruby", "Content-Type": "application/json"}
        if secret is not None:
            stamp = str(int(time.time()))
            key, signed = secret.encode(), stamp.encode() + b"." + raw
            headers["X-Chatwoot-Delivery"] = str(uuid.uuid4())
            headers["X-Chatwoot-Timestamp"] = stamp
            digest = hmac.new(key, signed, sha256).hexdigest()
            headers["X-Chatwoot-Signature"] = f"sha256={digest}"
        with self._settled:
            self._open += 1
            self._waiting.put((url, headers, raw))
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, daemon=True)
                self._worker.start()

    def settle(self, seconds: float = 10) -> None:
        """Wait until everything is sent; raises TimeoutError."""
        with self._settled:
            if not self._settled.wait_for(lambda: self._open == 0, seconds):
                raise TimeoutError(f"{self._open} webhooks are not sent")

    def close(self) -> None:
        """Stop sending."""
        self.sending = False
        self._waiting.put(None)

    def _work(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            url, headers, raw = waiting
            self.sent.append(Delivery(url, headers, raw, _post(url, headers, raw)))
            with self._settled:
                self._open -= 1
                self._settled.notify_all()
        self._worker = None


def _post(url: str, headers: dict[str, str], raw: bytes) -> int:
    try:
        return requests.post(url, data=raw, headers=headers, timeout=_SECONDS).status_code
    except requests.RequestException:
        return 0
