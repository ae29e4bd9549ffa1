"""Chatwoot's own webhooks, `POST /sync/chatwoot` (contracts/chatwoot.md §2).

They come once, in any order, and our own writes come back as events. What is worth a pass lines one
up under the delivery's id; a customer who writes has the kept copies warmed; the rest is free.
"""

import hmac
import time
from hashlib import sha256
from typing import Any

import msgspec
from flask import request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import Headers

from panel.errors import PanelError
from panel.models.text import clean, normalize_email
from panel.services import get, services
from panel.sync.intake import Intake, NotKept

TOLERANCE = 300  # seconds, either way
LONGEST_STAMP = 12  # digits
LARGEST = 1024 * 1024  # a conversation comes with its last messages
IDENTIFYING = frozenset({"email", "phone_number", "identifier"})


def receive_webhook() -> ResponseReturnValue:
    secret = services().settings.chatwoot_webhook_secret
    request.max_content_length = LARGEST
    raw = request.get_data(cache=False)
    if not secret or not is_signed(secret, request.headers, raw, time.time()):
        return {"error": {"code": "wrong_signature", "detail": "no signature of our webhook"}}, 401
    try:
        event = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        event = None
    if not isinstance(event, dict):
        return {"error": {"code": "unreadable", "detail": "no JSON object"}}, 422
    try:
        return {"status": "accepted", "passes": _line_up(event, _read_delivery(raw))}, 202
    except (NotKept, PanelError) as error:
        return {"error": {"code": "not_kept", "detail": str(error)}}, 503


def is_signed(secret: str, headers: Headers, raw: bytes, now: float) -> bool:
    """`sha256=` and the HMAC of `<timestamp>.<raw body>` (§2.2), not older than the tolerance."""
    stamp = headers.get("X-Chatwoot-Timestamp", "")
    short = len(stamp) <= LONGEST_STAMP and stamp.isascii() and stamp.isdigit()
    if not (short and abs(now - int(stamp)) <= TOLERANCE):
        return False
    right = hmac.new(secret.encode(), stamp.encode() + b"." + raw, sha256).hexdigest()
    given = headers.get("X-Chatwoot-Signature", "")
    return hmac.compare_digest(given.encode(), f"sha256={right}".encode())


def _read_delivery(raw: bytes) -> str:
    return request.headers.get("X-Chatwoot-Delivery", "")[:64] or sha256(raw).hexdigest()


def _line_up(event: dict[str, Any], delivery: str) -> int:
    """How many passes were lined up."""
    name = str(event.get("event"))
    intake = get(Intake)
    wanted: set[int] = set()
    if name == "conversation_created":
        wanted = _find_seated(_find_sender(event))
    elif name == "contact_created" or (name == "contact_updated" and _identifies(event)):
        wanted = _find_unseated(event)
    for organization in sorted(wanted):
        hook_id = f"chatwoot:{delivery}:{organization}"
        intake.line_up(organization, f"chatwoot.{name}", hook_id)
    if name == "conversation_created" or _is_from_customer(event):
        for organization in _find_seated(_find_sender(event)):
            intake.enqueue_warming(organization)
    return len(wanted)


def _find_sender(event: dict[str, Any]) -> Any:
    """The contact of a conversation, or of the message in it."""
    conversation = event.get("conversation") or event
    meta = conversation.get("meta") if isinstance(conversation, dict) else None
    return (meta.get("sender") if isinstance(meta, dict) else None) or event.get("sender")


def _find_seated(contact: Any) -> set[int]:
    """The organizations that a pass knows this contact to belong to."""
    number = contact.get("id") if isinstance(contact, dict) else None
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 2**63:
        return set()
    return {known.id for known, _ in services().directory.memberships_of(number)}


def _find_unseated(contact: dict[str, Any]) -> set[int]:
    """Organizations that know this e-mail or phone under another contact, or under none.

    Our own writes come back here, too: those contacts are seated, and cost nothing.
    """
    number = contact.get("id")
    email = normalize_email(_read_key(contact, "email")) or ""
    seats = services().directory.find_people(email, _read_key(contact, "phone_number"))
    return {seat.organization for seat in seats if seat.contact != number}


def _read_key(contact: dict[str, Any], name: str) -> str:
    """Nobody's where it holds what no database takes: a NUL, the half of a character."""
    value = contact.get(name)
    return value if isinstance(value, str) and value == clean(value) else ""


def _identifies(event: dict[str, Any]) -> bool:
    """Did anything change that tells who somebody is? Most updates are mere activity (§2.3)."""
    changed = event.get("changed_attributes")
    rows = changed if isinstance(changed, list) else []
    return any(IDENTIFYING & row.keys() for row in rows if isinstance(row, dict))


def _is_from_customer(event: dict[str, Any]) -> bool:
    incoming = event.get("event") == "message_created" and event.get("message_type") == "incoming"
    return incoming and not event.get("private")
