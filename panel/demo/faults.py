"""Every way in which the back office can fail, as a table.

A fault gets the data that it may need (`Case`), and returns the answer in place of the right one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from werkzeug.wrappers import Response

from panel.demo.world import Json, answer

HUGE = 3_000_000


@dataclass(frozen=True)
class Case:
    """The right answer that a fault spoils, and what is set on the back office."""

    document: Json
    organization: int
    retry_after: int
    elsewhere: str


@dataclass(frozen=True)
class Fault:
    """`label` for the bench; `wait` seconds pass first; `spoil` makes the answer (None: right)."""

    label: str
    spoil: Callable[[Case], Response] | None
    wait: float = 0.0


def refusal(status: int, code: str, detail: str, **headers: str) -> Response:
    """Make an error in the back office's own envelope (REST API reference, error codes)."""
    errors = {"code": code, "detail": detail}
    document = {"success": False, "data": None, "meta": None, "message": detail, "errors": errors}
    return answer(status, document, **headers)


def native(status: int, code: str, message: str) -> Response:
    """Make an error as WordPress itself renders a WP_Error, outside the envelope."""
    return answer(status, {"code": code, "message": message, "data": {"status": status}})


def page(status: int, title: str) -> Response:
    """Make the HTML answer of a proxy or a maintenance mode."""
    html = f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{title}</body></html>"
    return Response(html, status, content_type="text/html; charset=UTF-8")


def _truncated(case: Case) -> Response:
    body = json.dumps(case.document).encode()
    headers = {"Content-Length": str(len(body))}
    # The body is an iterator, since werkzeug would correct the length of bytes.
    half = iter([body[: len(body) // 2]])
    return Response(half, 200, headers, content_type="application/json")


def _wrong_shape(case: Case) -> Response:
    data: Any = {"rows": "none"} if isinstance(case.document["data"], list) else ["not", "one"]
    return answer(200, case.document | {"data": data})


def _foreign(case: Case) -> Response:
    other = case.organization + 1000
    data = case.document["data"]
    if isinstance(data, list):
        row = {**(data[0] if data else {}), "id": other, "organization_id": other}
        return answer(200, case.document | {"data": [*data, row]})
    return answer(200, case.document | {"data": {**(data or {}), "id": other}})


# Odd forms of values that decide something, as PHP may write them; only fields that a row has are
# replaced.
_ODD_VALUES = {
    "status": {"value": "active", "label": "Ativa"},
    "total": False,
    "valid_until": "20 de dezembro",
    "expires_at": "soon",
    "verification_status": 1,
}


def _odd_values(case: Case) -> Response:
    data = case.document["data"]
    rows = data if isinstance(data, list) else [data or {"id": case.organization}]
    odd = [{**row, **{key: _ODD_VALUES[key] for key in row if key in _ODD_VALUES}} for row in rows]
    return answer(200, case.document | {"data": odd if isinstance(data, list) else odd[0]})


def _odd_records(case: Case) -> Response:
    data = case.document["data"]
    rows = [None, *data, [], {"status": "pending"}] if isinstance(data, list) else data
    return answer(200, case.document | {"data": rows or {"id": case.organization}})


def _reset(_case: Case) -> Response:
    # The server drops the connection on this error, without a line of an answer.
    raise ConnectionResetError


def _busy(case: Case) -> Response:
    detail = "5 requests/min exceeded"
    return refusal(429, "RATE_LIMIT", detail, Retry_After=str(case.retry_after))


def _elsewhere(case: Case) -> Response:
    return answer(302, None, Location=case.elsewhere)


FAULTS: dict[str, Fault] = {
    "slow": Fault("slow (3 s)", None, wait=3.0),
    "hang": Fault("hangs", lambda _: page(504, "504 Gateway Time-out"), wait=30.0),
    "500": Fault(
        "500, own envelope",
        lambda _: refusal(500, "INTERNAL_ERROR", "An unexpected error occurred"),
    ),
    "502": Fault("502, proxy page", lambda _: page(502, "502 Bad Gateway")),
    "429": Fault("429 with Retry-After", _busy),
    "wordpress401": Fault(
        "401, WordPress's own shape",
        lambda _: native(401, "unauthorized", "User not authenticated."),
    ),
    "html": Fault("HTML page with 200", lambda _: page(200, "Briefly unavailable")),
    "badjson": Fault(
        "broken JSON",
        lambda _: Response('{"success": true, "data": [{', 200, mimetype="application/json"),
    ),
    "truncated": Fault("answer cut off", _truncated),
    "wrongshape": Fault("JSON of the wrong shape", _wrong_shape),
    "foreign": Fault("another organization's rows", _foreign),
    "oddvalues": Fault("values that cannot be read", _odd_values),
    "oddrecords": Fault("records that cannot be read", _odd_records),
    "404": Fault(
        "404, unknown organization",
        lambda case: refusal(404, "NOT_FOUND", f"Organization {case.organization} not found"),
    ),
    "403": Fault(
        "403, not allowed",
        lambda _: refusal(403, "AUTHORIZATION_ERROR", "Scope 'organization' required"),
    ),
    "rest_no_route": Fault(
        "404, plugin switched off",
        lambda _: native(
            404, "rest_no_route", "No route was found matching the URL and request method."
        ),
    ),
    "reset": Fault("connection dropped", _reset),
    "huge": Fault("3 MB answer", lambda case: answer(200, case.document | {"message": "x" * HUGE})),
    "redirect": Fault("redirect to another host", _elsewhere),
}
