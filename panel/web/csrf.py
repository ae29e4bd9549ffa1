"""The check against cross-site request forgery: a POST has to come from a page of ours.

The check reads `Origin`, which no page of another site can choose.
"""

from flask import request
from flask.typing import ResponseReturnValue

from panel import metrics
from panel.auth.tokens import SHARED_SECRET
from panel.services import services
from panel.settings import origin


def refuse_foreign_pages() -> ResponseReturnValue | None:
    """A page of another site may not post in an agent's name: cookies would go with it."""
    if request.method != "POST":
        return None
    given, settings = request.headers.get("Origin"), services().settings
    own = {origin(request.host_url.rstrip("/"))}
    if settings.panel_url:
        own.add(origin(settings.panel_url))
    by_cookie = settings.agent_proof != SHARED_SECRET
    if given in own or (given is None and not by_cookie):
        return None
    metrics.REFUSED_PROOFS.labels("foreign_origin").inc()
    return {"error": {"code": "foreign_origin", "detail": "not a page of ours: see PANEL_URL"}}, 403
