"""The routes of signing in and out, and the proof that every request brings.

`POST /sign-in` takes an agent's access token once and gives a session; see `auth`.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Response, make_response, render_template, request

from panel import metrics
from panel.auth.access import Denied, Unproven
from panel.auth.credentials import Asker, Credentials, Proof
from panel.auth.methods import DASHBOARD_COOKIE
from panel.auth.sessions import Cookie
from panel.auth.throttle import normalize_address
from panel.auth.tokens import ACCESS_TOKEN, SHARED_SECRET
from panel.customer.lookup import Hints
from panel.data.audit_log import SIGNED_IN, SIGNED_OUT, AuditEntry
from panel.data.delivery_log import AGENTS
from panel.deliveries import AGENT_REASONS
from panel.errors import PanelError
from panel.logs.events import LogThrottle
from panel.services import get, services
from panel.web.rendering import render_refusal

log = logging.getLogger(__name__)

MOST_ID_DIGITS = 12  # of an id that the log quotes
# Refusals by which a guesser would learn which contact a conversation has.
TELLING_REFUSALS = {"another_contact", "no_such_conversation"}


def prove_agent() -> Proof:
    """Raises `Unproven` or `Denied`; `PanelError` when Chatwoot could not be asked."""
    credentials = Credentials(
        authorization=request.headers.get("Authorization"),
        session=_read_session(),
        dashboard=request.cookies.get(DASHBOARD_COOKIE, ""),
        address=_read_address(),
    )
    try:
        return services().authenticator.prove(credentials)
    except Unproven as error:
        if error.code != "no_proof":
            raise
        raise Unproven(_explain_lack()) from None


def _explain_lack() -> str:
    """Return the reason for the missing proof, from the page's own report."""
    if "signed_in" in request.form:
        # The agent has just signed in and has no session: the browser has not kept the cookie.
        return "cookie_refused"
    if "keyless" in request.form and services().settings.agent_proof == SHARED_SECRET:
        return "no_key"
    return "no_proof"


@contextmanager
def limit_guesses(hints: Hints) -> Iterator[None]:
    """Count a conversation that Chatwoot does not have, or not with this contact, as a guess."""
    authenticator = services().authenticator
    asker = Asker(hints.agent_id, _read_peer(), _read_address())
    authenticator.refuse_guesser(asker)
    try:
        yield
    except Denied as error:
        if error.code not in TELLING_REFUSALS:
            raise
        pair = hints.conversation, hints.contact
        raise authenticator.record_wrong_pair(asker, pair, error) from None


def _read_address() -> str:
    """Return the address under which attempts are counted.

    Behind a proxy that is not in the settings all clients have the proxy's address, so ten wrong
    proofs of a stranger would lock out all agents. So the proxy's header counts here, although it
    is not trusted: it tells the clients apart. A client that makes up a header escapes the count;
    guessing is hopeless because the guessed values are long.
    """
    forwarded = request.headers.get("X-Forwarded-For", "")
    if services().settings.trusted_proxies or not forwarded:
        return _read_peer()
    return f"{normalize_address(forwarded.rpartition(',')[2].strip())} by {_read_peer()}"


def _read_peer() -> str:
    return normalize_address(request.remote_addr or "")


def answer_refusal(error: PanelError) -> Response:
    """Answer with the reason why nothing is shown. The cookie of an invalid session is deleted."""
    _record_refusal(error)
    if isinstance(error, Denied):
        metrics.REFUSED_PROOFS.labels(error.code).inc()
        if error.code in AGENT_REASONS:
            services().deliveries.count(AGENTS, error.code)
    answer = make_response(render_refusal(error))
    if error.retry_at and answer.status_code in (429, 503):
        answer.headers["Retry-After"] = str(max(1, round(error.retry_at - time.time())))
    if isinstance(error, Unproven) and _read_session():
        _forget_session(answer)
    return answer


def _record_refusal(error: PanelError) -> None:
    """Log the refusal with its code. The two ids are the page's own statement, and no evidence."""
    write = log.info if isinstance(error, Denied) else log.warning
    get(LogThrottle).record(
        write,
        "a panel was not shown",
        error.code,
        code=error.code,
        detail=error.detail,
        conversation=_read_number("conversation"),
        agent=_read_number("agent_id"),
    )


def _read_number(name: str) -> int | None:
    text = request.form.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_ID_DIGITS else None


def sign_in() -> Response:
    """Sign in. The answer triggers `panel:proven`, at which the page opens the panel again."""
    try:
        token = request.form.get("token", "")
        session = services().authenticator.sign_in(token, _read_address())
    except PanelError as error:
        return answer_refusal(error)
    services().audit_log.try_record(AuditEntry(SIGNED_IN, session.agent, proof=ACCESS_TOKEN))
    answer = make_response("", 204)
    answer.headers["HX-Trigger"] = "panel:proven"
    cookie = services().authenticator.sessions.make(session)
    _set_session(answer, cookie, _session_cookie().max_age)
    return answer


def sign_out() -> Response:
    if not services().authenticator.takes_tokens:
        return answer_refusal(Denied("no_sign_in"))
    code = "signed_out"
    try:
        session = services().authenticator.sessions.parse(_read_session())
        if not services().authenticator.sign_out(session):
            code = "signed_out_here"
        services().audit_log.try_record(AuditEntry(SIGNED_OUT, session.agent, proof=ACCESS_TOKEN))
    except Unproven:
        pass  # the session had ended by itself
    answer = make_response(render_template("signin.html", code=code))
    _forget_session(answer)
    return answer


def _session_cookie() -> Cookie:
    return services().authenticator.sessions.cookie(request.root_path.rstrip("/"))


def _read_session() -> str:
    return request.cookies.get(_session_cookie().name, "")


def _forget_session(answer: Response) -> None:
    _set_session(answer, "", 0)


def _set_session(answer: Response, value: str, seconds: int) -> None:
    cookie = _session_cookie()
    answer.set_cookie(
        cookie.name,
        value,
        max_age=seconds,
        path=cookie.path,
        secure=True,
        httponly=True,
        samesite="None",
        partitioned=True,
    )
