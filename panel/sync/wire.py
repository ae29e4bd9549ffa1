"""The wire format of a hook: all that we assume about its sender (docs/hooks.md).

The order of the checks protects us: size, content type and proof are checked on the raw bytes, and
only a proven sender's body is parsed. Every fault is a `Refusal` with its answer. The names of the
`headers` are in lower case.
"""

import base64
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any

import msgspec
from standardwebhooks import Webhook, WebhookVerificationError

MOST_BYTES = 256 * 1024
MOST_CHARACTERS = 200  # of an id or an event's name
MOST_ORGANIZATION = 2**31 - 1  # the largest integer of a database's column
BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)


class Refusal(Exception):
    """Why a hook is refused: an HTTP status, a short code, and a sentence without the hook's
    content."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class Hook:
    """`occurred_at`: epoch seconds of the sender's clock. The last two are None where the hook
    names none."""

    id: str
    kind: str
    occurred_at: float
    organization: int | None = None
    subject: str | None = None


class _Envelope(msgspec.Struct):
    event: str
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    id: str | int | None = None
    organization_id: Any = None
    data: Any = None


def check_size(size: int) -> None:
    """`size`: bytes, announced or read. Raises 413."""
    if size > MOST_BYTES:
        raise Refusal(413, "too_large", f"a hook has at most {MOST_BYTES} bytes")


def check_type(content_type: str) -> None:
    """Raises 415."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "not_json", "Content-Type has to be application/json")


def check_proof(headers: Mapping[str, str], body: bytes, secrets: tuple[str, ...]) -> None:
    """Check the Bearer, the Standard Webhooks signature, or both. Raises 401 where one of them is
    wrong, and where there is neither."""
    bearer = headers.get("authorization")
    signature = headers.get("webhook-signature")
    proofs = []
    if bearer is not None:
        proofs.append(_bearer_is_right(bearer, secrets))
    if signature is not None:
        proofs.append(_signature_is_right(headers, body, secrets))
    if not proofs or not all(proofs):
        raise Refusal(401, "bad_proof", "neither a right Bearer nor a right signature")


def _bearer_is_right(header: str, secrets: tuple[str, ...]) -> bool:
    exact = BEARER.fullmatch(header)
    credential = (exact[1] if exact else "").encode("utf-8", "replace")
    # All secrets are compared, in constant time: the duration tells neither how many characters
    # matched nor which secret did.
    return any([hmac.compare_digest(credential, secret.encode()) for secret in secrets])  # noqa: C419


def _signature_is_right(headers: Mapping[str, str], body: bytes, secrets: tuple[str, ...]) -> bool:
    signed = {
        name: headers.get(name, "")
        for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    }
    return any([_verifies(secret, signed, body) for secret in secrets])  # noqa: C419 as above


def _verifies(secret: str, headers: dict[str, str], body: bytes) -> bool:
    try:
        # The key is the secret's bytes; the library wants them in base64.
        Webhook(base64.b64encode(secret.encode()).decode()).verify(body, headers, json_parse=False)
    except (WebhookVerificationError, ValueError):
        return False  # ValueError: the signature or the body is no text
    return True


def parse(headers: Mapping[str, str], body: bytes) -> Hook:
    """Parse a hook; raises 422 for a body that cannot be read."""
    try:
        body.decode()  # msgspec does not check the text of fields that it skips
        envelope = msgspec.json.decode(body, type=_Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(422, "unreadable", _explain(error)) from None
    return Hook(
        id=_read_id(headers, envelope, body),
        kind=_check_text(envelope.event, "event"),
        occurred_at=envelope.timestamp.timestamp(),
        organization=_read_organization(envelope),
        subject=_read_subject(envelope),
    )


def _explain(error: Exception) -> str:
    # msgspec names the place and the types, never a value.
    return str(error) if isinstance(error, msgspec.DecodeError) else "not a readable JSON document"


def _check_text(value: str, name: str) -> str:
    # `isprintable` refuses control characters and halves of characters, which no database keeps.
    if not value or len(value) > MOST_CHARACTERS or not value.isprintable():
        raise Refusal(422, f"bad_{name}", f"{name}: 1 to {MOST_CHARACTERS} printable characters")
    return value


def _read_id(headers: Mapping[str, str], envelope: _Envelope, body: bytes) -> str:
    header = headers.get("webhook-id", "").strip() or envelope.id
    # PHP writes 0 for no id. Taken for one, all hooks but the first would count as repetitions.
    if header is None or str(header).strip() in ("", "0"):
        return f"sha256:{sha256(body).hexdigest()}"
    return _check_text(str(header), "id")


def _read_organization(envelope: _Envelope) -> int | None:
    data = envelope.data if isinstance(envelope.data, dict) else {}
    inner = data.get("organization")
    places = [
        envelope.organization_id,
        data.get("organization_id"),
        inner.get("id") if isinstance(inner, dict) else None,
        data.get("id") if envelope.event.startswith("organization.") else None,
    ]
    return next((number for number in map(_read_number, places) if number), None)


def _read_number(value: Any) -> int | None:
    """Read an id of the back office: a positive integer or its digits. True is no number."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    usable = type(value) is int and 0 < value <= MOST_ORGANIZATION
    return value if usable else None


def _read_subject(envelope: _Envelope) -> str | None:
    """Return the id of the changed record; None for an organization's own hooks."""
    if not isinstance(envelope.data, dict) or envelope.event.startswith("organization."):
        return None
    value = envelope.data.get("id")
    # A longer number is no id, and is not stored: Python refuses to write out endless integers.
    if type(value) is int and abs(value) < 10**MOST_CHARACTERS:
        value = str(value)
    fits = isinstance(value, str) and 0 < len(value) <= MOST_CHARACTERS and value.isprintable()
    return value if fits else None
