"""Refusals and their meaning: those of the back office, and those of other servers."""

import re
from pathlib import Path
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from panel.errors import Blocked, Missing, PanelError, Refused, Unauthorized, Unreadable
from panel.upstream.middag_rejections import BACK_OFFICE_REMEDIES, name_rejection
from panel.upstream.rejections import Rejection
from panel.web.labels import CAUSES

OPERATE = Path(__file__).parents[2] / "docs/operate.md"


def envelope(code: Any, **more: Any) -> dict[str, Any]:
    errors = {"code": code, "detail": "x"}
    return {"success": False, "data": None, "meta": None, "message": "x", "errors": errors, **more}


def native(code: Any, status: int = 0) -> dict[str, Any]:
    return {"code": code, "message": "x", "data": {"status": status} if status else None}


def rejected(status: int, body: Any = None, **headers: str) -> PanelError | None:
    named_headers = CaseInsensitiveDict(
        {name.replace("_", "-"): text for name, text in headers.items()}
    )
    return name_rejection(Rejection(status, named_headers, body))


OWN = [
    (403, envelope("AUTHORIZATION_ERROR"), Refused, "denied"),
    (403, envelope("SOME_NEW_ERROR"), Refused, "denied"),
    (403, native("forbidden", 403), Refused, "denied"),
    (404, envelope("NOT_FOUND"), Missing, "unknown_organization"),
    (401, envelope("AUTHENTICATION_ERROR"), Unauthorized, "unauthorized"),
    (401, native("unauthorized", 401), Unauthorized, "unauthorized"),
    (401, native("token_missing", 401), Unauthorized, "header_dropped"),
    (401, native("token_invalid", 401), Unauthorized, "secret_refused"),
    (401, native("token_expired", 401), Unauthorized, "secret_refused"),
    (401, native("token_revoked", 401), Unauthorized, "secret_refused"),
    (401, envelope("token_expired"), Unauthorized, "secret_refused"),
    (404, native("user_not_found", 404), Unauthorized, "user_not_found"),
    (500, native("config_error", 500), Unauthorized, "config_error"),
]
FOREIGN: list[tuple[int, Any, type[PanelError], str]] = [
    (401, native("rest_not_logged_in", 401), Blocked, "rest_closed"),
    (401, native("rest_forbidden", 401), Blocked, "rest_closed"),
    (403, native("rest_forbidden", 403), Blocked, "rest_closed"),
    (401, native("rest_login_required", 401), Blocked, "rest_closed"),
    (401, native("rest_cannot_access", 401), Blocked, "rest_closed"),
    (403, native("itsec_rest_api_access_restricted", 403), Blocked, "rest_closed"),
    (403, native("Forbidden", 403), Blocked, "rest_closed"),
    (403, native("jwt_auth_invalid_token", 403), Blocked, "jwt_plugin"),
    (403, native("jwt_auth_bad_config", 403), Blocked, "jwt_plugin"),
    (403, native("jwt_auth_no_auth_header", 403), Blocked, "header_dropped"),
    (401, {"status": "error", "code": "MISSING_AUTHORIZATION_HEADER"}, Blocked, "header_dropped"),
    (401, None, Blocked, "blocked"),
    (401, {"message": "Unauthorized"}, Blocked, "blocked"),
    (403, None, Blocked, "blocked"),
    (403, [], Blocked, "blocked"),
    (403, {"success": False, "errors": [{"code": 10000}]}, Blocked, "blocked"),
    (403, {"success": False, "errors": {}}, Blocked, "blocked"),
    (403, {"success": False, "data": [{"code": "forbidden"}]}, Blocked, "blocked"),
    (403, {"success": True, "errors": {"code": "AUTHORIZATION_ERROR"}}, Blocked, "blocked"),
    (403, native(1020), Blocked, "blocked"),
    (403, {"code": "access_denied"}, Blocked, "blocked"),
    *((status, None, Blocked, "blocked") for status in (402, 405, 406, 407, 410, 412, 415, 451)),
    (405, native("rest_disabled", 405), Blocked, "blocked"),
    (404, None, Unreadable, "no_route"),
    (404, native("rest_no_route", 404), Unreadable, "no_route"),
    (404, native("NOT_FOUND", 404), Unreadable, "no_route"),
    (404, envelope("OTHER"), Unreadable, "no_route"),
    (404, {"errors": "NOT_FOUND"}, Unreadable, "no_route"),
    (404, envelope("NOT_FOUND", success=True), Unreadable, "no_route"),
]


@pytest.mark.parametrize(("status", "body", "kind", "code"), [*OWN, *FOREIGN])
def test_only_the_back_offices_own_words_hide_and_accuse(
    status: int, body: Any, kind: type[PanelError], code: str
) -> None:
    error = rejected(status, body)
    assert error is not None
    assert (type(error), error.code) == (kind, code)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, envelope(None)),
        (400, native("rest_invalid_param", 400)),
        (409, {}),
        (422, None),
        (429, native("too_many", 429)),
        (429, envelope("RATE_LIMIT")),
        (500, native("internal_server_error", 500)),
        (500, envelope("INTERNAL_ERROR")),
        (503, None),
    ],
)
def test_of_the_others_the_status_says_enough(status: int, body: Any) -> None:
    assert rejected(status, body) is None


def test_a_password_of_the_web_server_is_told_apart() -> None:
    error = rejected(401, None, WWW_Authenticate='Basic realm="Staging"')
    assert isinstance(error, Blocked)
    assert error.code == "site_password"


@pytest.mark.parametrize(
    "where", ["/wp-login.php?redirect_to=%2Fwp-json", "https://a.example/wp-login.php"]
)
def test_a_redirect_to_the_login_is_a_closed_api(where: str) -> None:
    error = rejected(302, None, Location=where)
    assert isinstance(error, Blocked)
    assert error.code == "rest_closed"
    assert rejected(302, None, Location="/wp-json/middag-account/v1/orders/") is None


@pytest.mark.parametrize(
    ("status", "body", "server", "detail"),
    [
        (403, None, "cloudflare", "status 403, of cloudflare"),
        (406, None, "Apache/2.4.57 (Debian)", "status 406, of Apache/2.4.57 (Debian)"),
        (403, None, "x" * 400, "status 403"),
        (403, None, "evil\u202e%s", "status 403"),
        (401, native("rest_not_logged_in", 401), "nginx", "status 401, rest_not_logged_in"),
        (401, native("maria@acme.example wrote", 401), "nginx", "status 401, of nginx"),
    ],
)
def test_the_log_learns_who_refused_and_no_other_word(
    status: int, body: Any, server: str, detail: str
) -> None:
    error = rejected(status, body, Server=server)
    assert error is not None
    assert error.detail == detail


CODES = {code for _, _, _, code in [*OWN, *FOREIGN]} | {"site_password"}
ANSWERS = {"denied", "unknown_organization"}  # answers without a fault to mend


@pytest.mark.parametrize("code", sorted(CODES - ANSWERS))
def test_each_code_has_a_cause_a_remedy_and_a_row_for_the_administrator(code: str) -> None:
    assert code in CAUSES
    assert code in BACK_OFFICE_REMEDIES
    rows = [line for line in OPERATE.read_text().splitlines() if line.startswith("| `")]
    assert any(code in re.findall(r"`(\w+)`", row.split("|")[1]) for row in rows)


def test_every_remedy_belongs_to_a_code() -> None:
    codes = {"redirected", "cached_upstream", "unreadable"}
    assert BACK_OFFICE_REMEDIES.keys() <= CODES | codes
