"""Measures how long each request took and how it ended; the counters of the reading wing start from
0."""

import time

from flask import Flask, Response, request

from panel import metrics
from panel.upstream.documents import EVERY_DOCUMENT
from panel.web.sections import SECTIONS

NO_ROUTE = "none"
BEGUN = "panel.begun"
# The errors by which an agent is refused; see `auth` and `customer.lookup`.
REFUSED_REQUESTS = (
    "no_proof",
    "no_key",
    "wrong_proof",
    "wrong_session",
    "session_expired",
    "cookie_refused",
    "another_account",
    "another_agent",
    "another_contact",
    "no_such_conversation",
    "not_an_agent",
    "not_in_inbox",
    "inbox_not_served",
    "agent_removed",
    "bad_request",
    "seal_expired",
    "seal_invalid",
    "too_many_proofs",
    "too_many_guesses",
    "foreign_origin",
    "no_sign_in",
)


def register(app: Flask) -> None:
    """Call this when all routes are registered."""
    routes = {_name_route(rule.endpoint) for rule in app.url_map.iter_rules()}
    metrics.start_series(metrics.REQUEST_SECONDS, {*routes, NO_ROUTE}, metrics.REQUEST_OUTCOMES)
    for metric in (metrics.SECTIONS_SHOWN, metrics.SECTION_SECONDS):
        metrics.start_series(metric, SECTIONS, metrics.SECTION_STATES)
    documents = [document.name for document in EVERY_DOCUMENT]
    metrics.start_series(metrics.CACHE_READS, [*documents, "chatwoot"], metrics.CACHE_OUTCOMES)
    metrics.start_series(metrics.REFUSED_PROOFS, REFUSED_REQUESTS)
    app.before_request(_begin)
    app.after_request(_count)


def _begin() -> None:
    request.environ[BEGUN] = time.perf_counter()


def _count(answer: Response) -> Response:
    started_at = request.environ.get(BEGUN)
    if started_at is not None:  # it is None when the request was refused before this module saw it
        seconds = time.perf_counter() - started_at
        route, outcome = _name_route(request.endpoint or NO_ROUTE), _judge(answer.status_code)
        metrics.find_series(metrics.REQUEST_SECONDS, route, outcome).observe(seconds)
    return answer


def _name_route(endpoint: str) -> str:
    return endpoint.rpartition(".")[2]


def _judge(status: int) -> str:
    well, refused, failed = metrics.REQUEST_OUTCOMES
    return well if status < 400 else refused if status < 500 else failed
