"""The check against cross-site request forgery: a POST has to come from a page of ours.

The check reads the header `Origin`, which the browser writes: no page can choose it.
"""

import logging

from flask import request
from flask.typing import ResponseReturnValue

from panel import metrics
from panel.auth.tokens import SHARED_SECRET
from panel.data.delivery_log import AGENTS
from panel.environment.parsers import origin
from panel.logs.events import LogThrottle
from panel.services import get, services

log = logging.getLogger(__name__)
LONGEST_ORIGIN = 200  # characters


def refuse_foreign_pages() -> ResponseReturnValue | None:
    """Refuse a POST from a page of another site: the browser would send the agent's cookies
    along."""
    if request.method != "POST":
        return None
    sender, settings = request.headers.get("Origin"), services().settings
    own = {origin(request.host_url.rstrip("/"))}
    if settings.panel_url:
        own.add(origin(settings.panel_url))
    by_cookie = settings.agent_proof != SHARED_SECRET
    if sender in own or (sender is None and not by_cookie):
        return None
    _record_refusal(sender, sorted(own))
    metrics.REFUSED_PROOFS.labels("foreign_origin").inc()
    services().deliveries.count(AGENTS, "foreign_origin")
    return {"error": {"code": "foreign_origin", "detail": "not a page of ours: see PANEL_URL"}}, 403


def _record_refusal(origin: str | None, own: list[str]) -> None:
    text = (origin or "none")[:LONGEST_ORIGIN]
    get(LogThrottle).record(
        log.warning,
        "a POST of a page that is not ours was refused: see PANEL_URL",
        text,
        code="foreign_origin",
        origin=text,
        own=", ".join(own),
    )
