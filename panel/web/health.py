"""The routes for monitoring: alive, ready, metrics."""

import hmac
import ipaddress

from flask import Response, make_response, request
from flask.typing import ResponseReturnValue

from panel import metrics
from panel.auth import tokens
from panel.checks import run_checks
from panel.services import get, services
from panel.web.arrival import describe_arrival
from panel.web.figures import list_figures
from panel.web.watch import HealthWatch

FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-Ip")


def answer_alive() -> dict[str, object]:
    """Answer without asking any other part; `challenge` comes from `doctor`, see `arrival`."""
    return {"status": "alive", **describe_arrival(services(), request.args.get("challenge", ""))}


def answer_ready() -> ResponseReturnValue:
    """Answer 200 as long as the panel can show something: a missing part makes it `degraded`.

    `parts` has a word for each check, and `details` a sentence where there is more to say.
    `doctor`: the last result of its dearer checks in this process, with its time.
    """
    if not _may_know():
        return _refuse()
    findings = run_checks(services(), cheap_only=True)
    get(HealthWatch).note(findings)
    return {
        "status": "ready" if all(finding.is_fine for finding in findings.values()) else "degraded",
        "parts": {name: finding.word for name, finding in findings.items()},
        "details": {name: finding.detail for name, finding in findings.items() if finding.detail},
        "doctor": get(HealthWatch).examined,
    }


def answer_metrics() -> ResponseReturnValue:
    if not _may_know():
        return _refuse()
    answer = make_response(metrics.render(list_figures(services())))
    answer.headers["Content-Type"] = metrics.CONTENT_TYPE
    return answer


def _may_know() -> bool:
    """Allow a caller with the token as Bearer, or a caller on this very machine without a proxy in
    between."""
    token = tokens.parse_bearer(request.headers.get("Authorization")).encode()
    accepted = services().settings.monitoring_tokens
    right = [hmac.compare_digest(token, accepted_token.encode()) for accepted_token in accepted]
    forwarded = any(name in request.headers for name in FORWARDED)
    return any(right) or (_is_loopback(request.remote_addr) and not forwarded)


def _is_loopback(address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False


def _refuse() -> Response:
    error = {
        "error": {
            "code": "no_proof",
            "detail": "PANEL_METRICS_TOKEN as Bearer, or from this machine",
        }
    }
    return make_response(error, 401)
