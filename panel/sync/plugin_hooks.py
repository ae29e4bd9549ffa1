"""The plugin's hooks, `POST /sync/hooks`: check, keep, touch, answer.

A 2xx means that the hook is on the disk. Any fault before that is answered with its reason, and the
hook is not kept.
"""

import logging
import time
from collections import deque
from collections.abc import Callable

from flask import Request, request
from flask.typing import ResponseReturnValue

from panel.auth.throttle import normalize_address
from panel.cache.policy import Cache
from panel.data.delivery_log import PLUGIN
from panel.deliveries import REFUSAL_REASONS
from panel.logs.events import LogThrottle
from panel.metrics import HOOKS_ANSWERED, start_series
from panel.services import get, services
from panel.sync import events, wire
from panel.sync.intake import Intake, NotKept
from panel.sync.receipts import note_accepted, note_refused

log = logging.getLogger(__name__)
NO_KIND = "none"  # the kind of a refused hook, whose content is not believed
TAKEN_ANSWERS = ("accepted", "duplicate", "ignored")
start_series(HOOKS_ANSWERED, [*events.GROUPS, events.OTHER_GROUP], TAKEN_ANSWERS)
start_series(HOOKS_ANSWERED, [NO_KIND], REFUSAL_REASONS)
# A body that is refused for its size is read all the same. Otherwise gunicorn would close the
# connection while the sender still sends, and the sender would see a reset, or a proxy's 502,
# instead of our answer.
MOST_READ = 1024 * 1024
RETRY_AFTER = "30"  # seconds after which the sender shall repeat a hook that could not be kept
MOST_WRONG, WRONG_SECONDS = 20, 60.0
MOST_ADDRESSES = 10_000  # a bound, so that strangers cannot fill our memory


class WrongProofs:
    """Wrong proofs by client address, in a sliding window; of this process alone.

    The count only changes the code of a refusal. A right proof is never turned away, because behind
    a proxy unknown to us the plugin and a stranger share one address. The length of the secret
    makes guessing hopeless.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: dict[str, deque[float]] = {}

    def count_addresses(self) -> int:
        """Return how many addresses are remembered."""
        return len(self._wrong)

    def add(self, address: str) -> bool:
        """Count one more; returns True when there were too many."""
        if len(self._wrong) >= MOST_ADDRESSES:
            self._wrong.clear()
        now = self._clock()
        times = self._wrong.setdefault(address, deque(maxlen=MOST_WRONG + 1))
        times.append(now)
        return len(times) > MOST_WRONG and times[0] > now - WRONG_SECONDS


def receive_hook() -> ResponseReturnValue:
    """Answer a hook; every answer is counted by its word or code."""
    try:
        hook = _read(request, services().settings.secrets)
        status = get(Intake).accept(hook)
    except wire.Refusal as refusal:
        return _refuse(refusal)
    except NotKept as trouble:
        detail = f"it could not be kept ({trouble}), bring it again"
        again = wire.Refusal(503, "not_kept", detail)
        again.__cause__ = trouble  # the log shows the cause
        return _refuse(again, RETRY_AFTER)
    # The hook is kept first, then the sections are touched. If the process dies in between, the
    # pass touches again, and so does the sender's repetition.
    _touch(services().cache, hook)
    HOOKS_ANSWERED.labels(events.find_group(hook.kind), status).inc()
    note_accepted(PLUGIN)
    ids = {"kind": hook.kind, "hook": hook.id, "organization": hook.organization}
    get(LogThrottle).record(log.info, f"a hook was {status}", hook.kind, **ids)
    return {"status": status, "id": hook.id}, 200 if status == "duplicate" else 202


def _read(request: Request, secrets: tuple[str, ...]) -> wire.Hook:
    announced = request.content_length or 0
    body = _body(request) if announced <= MOST_READ else b""
    wire.check_size(max(announced, len(body)))
    wire.check_type(request.headers.get("Content-Type", ""))
    headers = {name.lower(): value for name, value in request.headers}
    wire.check_proof(headers, body, secrets)
    return wire.parse(headers, body)


def _body(request: Request) -> bytes:
    """Read the whole body, up to `MOST_READ`: a chunked body announces no length."""
    request.max_content_length = MOST_READ  # the application's own limit is smaller
    body = bytearray()
    while len(body) < MOST_READ and (part := request.stream.read(MOST_READ - len(body))):
        body += part
    return bytes(body)


def _touch(cache: Cache, hook: wire.Hook) -> None:
    kind = events.find_kind(hook.kind)
    if kind is not None and hook.organization is not None:
        cache.touch(hook.organization, *kind.touches)


def _refuse(refusal: wire.Refusal, retry_after: str = "") -> ResponseReturnValue:
    headers = {}
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
        if get(WrongProofs).add(normalize_address(request.remote_addr or "")):
            refusal = wire.Refusal(429, "too_many", "too many wrong proofs from this address")
            retry_after = f"{WRONG_SECONDS:.0f}"
    if retry_after:
        headers["Retry-After"] = retry_after
    HOOKS_ANSWERED.labels(NO_KIND, refusal.code).inc()
    note_refused(PLUGIN, refusal, normalize_address(request.remote_addr or ""))
    error = {"code": refusal.code, "detail": refusal.detail}
    return {"error": error}, refusal.status, headers
