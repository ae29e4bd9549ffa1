"""Hooks as bytes, signed well or badly."""

import base64
import json
from datetime import UTC, datetime

from standardwebhooks import Webhook

SECRET, OLD = "the-present-secret-of-ours", "the-former-secret-of-ours"
SECRETS = (SECRET, OLD)
STAMP = "2026-05-04T14:30:00Z"
BODY = json.dumps({"event": "order.paid", "timestamp": STAMP}).encode()


def signed(
    body: bytes = BODY, secret: str = SECRET, at: datetime | None = None, name: str = "msg_1"
) -> dict[str, str]:
    at = at or datetime.now(UTC)
    hook = Webhook(base64.b64encode(secret.encode()).decode())
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": hook.sign(name, at, body.decode()),
    }
