"""The routes of an agent's actions: pick, undo, refuse, search, uncover."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from flask import Response, make_response, render_template, request

from panel import metrics
from panel.auth.access import Denied
from panel.auth.seal import Seal
from panel.auth.throttle import SEARCHES
from panel.cache.policy import CacheControl
from panel.customer import search
from panel.customer.decisions import CannotPick, Decisions
from panel.customer.lookup import parse_number
from panel.customer.verification import Verifier
from panel.data import audit_log
from panel.data.audit_log import AuditEntry
from panel.errors import PanelError
from panel.services import services
from panel.web.opening import render_panel
from panel.web.panel import answer_section
from panel.web.rendering import make_lookup, open_seal, render_refusal
from panel.web.sections import SECTIONS

metrics.start_series(
    metrics.SEARCHES_ANSWERED, ("found", "nothing", "not_asked", "limited", "failed")
)
TURN_SECONDS = 1.0  # the wait of a search until the same agent's previous search has ended
REASON_LENGTHS = range(3, 201)


def decide() -> tuple[str, int] | str:
    seal = open_seal()
    try:
        action, scope = request.form.get("action", ""), request.form.get("scope", "")
        organization = parse_number(request.form, "organization")
        visit = make_lookup().repeat(seal)
        try:
            undone = request.form.get("at", "")
            notice = Decisions(services()).decide(visit, organization, action, scope, undone)
        except CannotPick as error:
            return render_panel(visit, seal.organization, error.code), 422
        choice = organization if action == "pick" else 0
        return render_panel(make_lookup().repeat(seal), choice, notice)
    except PanelError as error:
        return render_refusal(error)


def search_organizations() -> Response:
    """Search. A search that cannot be carried out says so, and does not claim that nothing was
    found."""
    seal = open_seal()
    query = request.args.get("q", "")
    try:
        if search.says_enough(query):
            _limit_searches(seal)
        masked = search.find_masked_words(services().settings.mask, seal.trust)
        with _take_turn(seal):
            results = search.search(services(), query, masked, seal.agent)
        if results.asked:
            # The results are shown only after their row in the access log is written: reading a
            # list of customers by searching leaves a trace.
            services().audit_log.record(_make_search_entry(seal, results))
            is_wrong = not results.rows and not results.code
            if is_wrong:
                Verifier(services()).count_search(seal, results.query)
    except PanelError as error:
        return _answer_no_search(error)
    outcome = ("found" if results.rows else "nothing") if results.asked else "not_asked"
    metrics.SEARCHES_ANSWERED.labels(outcome).inc()
    return make_response(render_template("search.html", error=None, results=results))


def _limit_searches(seal: Seal) -> None:
    until = services().authenticator.attempts.count(SEARCHES, f"agent {seal.agent}")
    if until:
        raise Denied("too_many_searches", retry_at=until)


@contextmanager
def _take_turn(seal: Seal) -> Iterator[None]:
    """Allow one search at a time for each agent: many would slow down openings."""
    with services().locks.hold(f"search:{seal.agent}", TURN_SECONDS) as alone:
        if not alone:
            raise Denied("too_many_searches", retry_at=time.time() + TURN_SECONDS)
        yield


def _make_search_entry(seal: Seal, results: search.Results) -> AuditEntry:
    organizations = [row.organization for row in results.rows]
    note = audit_log.note_found(organizations, results.more)
    return AuditEntry(
        audit_log.SEARCHED, seal.agent, seal.conversation, proof=seal.proof, note=note
    )


def _answer_no_search(error: PanelError) -> Response:
    status = 429 if isinstance(error, Denied) else 503
    metrics.SEARCHES_ANSWERED.labels("limited" if status == 429 else "failed").inc()
    answer = make_response(render_template("search.html", error=error, results=None), status)
    if error.retry_at:
        answer.headers["Retry-After"] = str(max(1, round(error.retry_at - time.time())))
    return answer


def uncover_section() -> Response:
    """Show one section unmasked, for a reason that is stored first; without that row in the access
    log the values stay masked."""
    seal = open_seal()
    name = request.form.get("section", "")
    texts = (request.form.get("reason", ""), request.form.get("detail", ""))
    reason = ": ".join(part for part in (text.strip() for text in texts) if part)
    if name not in SECTIONS or not seal.organization:
        return make_response({"error": {"code": "no_such_section"}}, 404)
    if len(reason) not in REASON_LENGTHS or not reason.isprintable():
        return make_response({"error": {"code": "no_reason", "detail": "3 to 200 characters"}}, 422)
    services().audit_log.record(
        AuditEntry(
            audit_log.UNCOVERED,
            seal.agent,
            seal.conversation,
            seal.organization,
            seal.proof,
            note=f"{name}: {reason}",
        )
    )
    new_seal = replace(seal, uncovered=(name,))
    return answer_section(name, new_seal, services().seals.sign(new_seal), CacheControl.FRESH)
