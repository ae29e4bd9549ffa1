"""Chatwoot's own webhooks, `POST /sync/chatwoot`.

They come once, in any order, and our own writes come back as events. What is worth a pass lines one
up under the delivery's id; a customer who writes has the kept copies warmed; the rest is free.
A refused one is lost, since Chatwoot repeats none: every refusal is counted and logged by reason.
"""

import hmac
import logging
import time
from hashlib import sha256
from typing import Any

import msgspec
from flask import request
from flask.typing import ResponseReturnValue
from prometheus_client import Counter
from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge

from panel.auth.throttle import normalize_address
from panel.data.delivery_log import ACCEPTED, CHATWOOT
from panel.errors import PanelError
from panel.logs.events import LogThrottle
from panel.models.text import clean, normalize_email
from panel.services import get, services
from panel.sync.intake import Intake, NotKept
from panel.sync.receipts import note_accepted, note_refused
from panel.sync.wire import Refusal

log = logging.getLogger(__name__)

TOLERANCE = 300  # seconds, either way
LONGEST_STAMP = 12  # digits
LARGEST = 1024 * 1024  # a conversation comes with its last messages
IDENTIFYING = frozenset({"email", "phone_number", "identifier"})


ANSWERS = (
    *(ACCEPTED, "no_secret", "unsigned", "wrong_signature", "stale"),
    *("too_large", "unreadable", "not_kept"),
)
WEBHOOKS_ANSWERED = Counter("panel_chatwoot_webhooks", "Chatwoot's webhooks by answer", ["answer"])
for _answer in ANSWERS:
    WEBHOOKS_ANSWERED.labels(_answer)  # from the start: a rate misses what begins with its first


def receive_webhook() -> ResponseReturnValue:
    """The one route; every answer is counted by its word."""
    try:
        passes = _take(services().settings.chatwoot_webhook_secret)
    except Refusal as refusal:
        WEBHOOKS_ANSWERED.labels(refusal.code).inc()
        note_refused(CHATWOOT, refusal, normalize_address(request.remote_addr or ""))
        return {"error": {"code": refusal.code, "detail": refusal.detail}}, refusal.status
    WEBHOOKS_ANSWERED.labels(ACCEPTED).inc()
    note_accepted(CHATWOOT)
    get(LogThrottle).record(log.info, "a webhook was accepted", passes=passes)
    return {"status": ACCEPTED, "passes": passes}, 202


def _take(secret: str) -> int:
    """How many passes were lined up. Raises `Refusal`."""
    raw = _read_body()
    if not secret:
        raise Refusal(401, "no_secret", "this panel knows no webhook secret")
    check_signature(secret, request.headers, raw, time.time())
    event = _read_event(raw)
    try:
        return _line_up(event, _read_delivery(raw))
    except (NotKept, PanelError) as error:
        raise Refusal(503, "not_kept", str(error)) from error


def _read_body() -> bytes:
    request.max_content_length = LARGEST
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise Refusal(413, "too_large", f"more than {LARGEST} bytes") from None


def _read_event(raw: bytes) -> dict[str, Any]:
    try:
        event = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise Refusal(422, "unreadable", "no JSON object")
    return event


def check_signature(secret: str, headers: Headers, raw: bytes, now: float) -> None:
    """`sha256=` and the HMAC of `<timestamp>.<raw body>`, not older than the tolerance.

    Chatwoot sends it since 4.11.2. Raises `Refusal` with the reason.
    """
    stamp = headers.get("X-Chatwoot-Timestamp", "")
    given = headers.get("X-Chatwoot-Signature", "")
    if not stamp or not given:
        raise Refusal(401, "unsigned", "no signature and timestamp of Chatwoot")
    if not (len(stamp) <= LONGEST_STAMP and stamp.isascii() and stamp.isdigit()):
        raise Refusal(401, "wrong_signature", "no timestamp of Chatwoot")
    right = hmac.new(secret.encode(), stamp.encode() + b"." + raw, sha256).hexdigest()
    if not hmac.compare_digest(given.encode(), f"sha256={right}".encode()):
        raise Refusal(401, "wrong_signature", "no signature of our webhook")
    # Last: how far the clocks differ is told of Chatwoot's own stamp alone.
    if abs(now - int(stamp)) > TOLERANCE:
        raise Refusal(401, "stale", f"its time minus ours: {int(stamp) - now:.0f} s")


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
