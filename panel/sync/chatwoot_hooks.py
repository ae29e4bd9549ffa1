"""Chatwoot's own webhooks, `POST /sync/chatwoot`.

Chatwoot sends each webhook once, in any order, and tells us of our own writes too. An event that
needs a pass lines one up under the delivery's id. A conversation that came to life becomes a task,
and so does a contact whose values somebody changed. A customer's message warms the kept copies.
Other events cost nothing.

Chatwoot repeats no webhook, so a refused one is lost. Every refusal is counted and logged by
reason.
"""

import hmac
import logging
import time
from hashlib import sha256
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge

from panel.auth.throttle import normalize_address
from panel.data.delivery_log import ACCEPTED, CHATWOOT
from panel.data.tasks import WARMING, Task
from panel.errors import PanelError
from panel.logs.events import LogThrottle
from panel.metrics import WEBHOOKS_ANSWERED, start_series
from panel.services import get, services
from panel.serving.framing import LARGEST_WEBHOOK
from panel.sync.chatwoot_events import Demand, EventReader
from panel.sync.event_parts import read_event
from panel.sync.intake import Intake, NotKept
from panel.sync.receipts import note_accepted, note_refused
from panel.sync.task_intake import TaskIntake
from panel.sync.wire import Refusal

log = logging.getLogger(__name__)

TOLERANCE = 300  # seconds that our clock may differ from Chatwoot's, in both directions
LONGEST_STAMP = 12  # digits

ANSWERS = (
    ACCEPTED,
    "no_secret",
    "unsigned",
    "wrong_signature",
    "stale",
    "too_large",
    "unreadable",
    "not_kept",
)
start_series(WEBHOOKS_ANSWERED, ANSWERS)


def receive_webhook() -> ResponseReturnValue:
    """Answer a webhook; every answer is counted by its word."""
    try:
        demand = _take(services().settings.chatwoot_webhook_secret)
    except Refusal as refusal:
        WEBHOOKS_ANSWERED.labels(refusal.code).inc()
        note_refused(CHATWOOT, refusal, normalize_address(request.remote_addr or ""))
        return {"error": {"code": refusal.code, "detail": refusal.detail}}, refusal.status
    WEBHOOKS_ANSWERED.labels(ACCEPTED).inc()
    note_accepted(CHATWOOT)
    counts = {"passes": len(demand.passes), "tasks": len(demand.tasks)}
    get(LogThrottle).record(log.info, "a webhook was accepted", **counts)
    return {"status": ACCEPTED, **counts}, 202


def _take(secret: str) -> Demand:
    """Check a webhook, line up its demand and return the demand.

    The cheapest check comes first: the body of a request without a signature is not read. Raises
    `Refusal`.
    """
    if (request.content_length or 0) > LARGEST_WEBHOOK:
        raise Refusal(413, "too_large", f"more than {LARGEST_WEBHOOK} bytes")
    if not secret:
        raise Refusal(401, "no_secret", "this panel knows no webhook secret")
    _read_stamp(request.headers)
    raw = _read_body()
    check_signature(secret, request.headers, raw, time.time())
    event = _read_event(raw)
    try:
        return _line_up(event, _read_delivery(raw))
    except (NotKept, PanelError) as error:
        raise Refusal(503, "not_kept", str(error)) from error


def _read_body() -> bytes:
    request.max_content_length = LARGEST_WEBHOOK
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise Refusal(413, "too_large", f"more than {LARGEST_WEBHOOK} bytes") from None


def _read_event(raw: bytes) -> dict[str, Any]:
    event = read_event(raw)
    if event is None:
        raise Refusal(422, "unreadable", "no JSON object")
    return event


def check_signature(secret: str, headers: Headers, raw: bytes, now: float) -> None:
    """Check the signature: `sha256=` and the HMAC of `<timestamp>.<raw body>`, not older than the
    tolerance.

    Chatwoot signs since 4.11.2. Raises `Refusal` with the reason.
    """
    stamp, signature = _read_stamp(headers)
    digest = hmac.new(secret.encode(), stamp.encode() + b".", sha256)
    digest.update(raw)  # megabytes are not copied behind the stamp
    right = digest.hexdigest()
    if not hmac.compare_digest(signature.encode(), f"sha256={right}".encode()):
        raise Refusal(401, "wrong_signature", "no signature of our webhook")
    # The age is checked after the signature, so that the difference of clocks in the log comes from
    # a timestamp that Chatwoot has signed.
    if abs(now - int(stamp)) > TOLERANCE:
        raise Refusal(401, "stale", f"its time minus ours: {int(stamp) - now:.0f} s")


def _read_stamp(headers: Headers) -> tuple[str, str]:
    """Return Chatwoot's timestamp and signature, as they came. Raises `Refusal` where one is
    missing or malformed."""
    stamp = headers.get("X-Chatwoot-Timestamp", "")
    signature = headers.get("X-Chatwoot-Signature", "")
    if not stamp or not signature:
        raise Refusal(401, "unsigned", "no signature and timestamp of Chatwoot")
    if not (len(stamp) <= LONGEST_STAMP and stamp.isascii() and stamp.isdigit()):
        raise Refusal(401, "wrong_signature", "no timestamp of Chatwoot")
    return stamp, signature


def _read_delivery(raw: bytes) -> str:
    return request.headers.get("X-Chatwoot-Delivery", "")[:64] or sha256(raw).hexdigest()


def _line_up(event: dict[str, Any], delivery: str) -> Demand:
    """Keep the event's demand, and end the verifications of a conversation that was resolved."""
    demand = get(EventReader).read(event)
    if demand.resolved:
        services().verifications.end(demand.resolved)
    for organization in sorted(demand.passes):
        hook_id = f"chatwoot:{delivery}:{organization}"
        get(Intake).ring(organization, f"chatwoot.{event.get('event')}", hook_id)
    for task, organization_of_it in demand.tasks.items():
        get(TaskIntake).ask(task, organization_of_it)
    for organization in demand.warmings:
        get(TaskIntake).ask(Task(WARMING, organization), organization)
    return demand
