"""The meaning of the back office's refusals, and the other servers that refuse in its place.

The back office has two forms of its own: its envelope (`success`, `errors.code`), and WordPress's
form (a `code` on top) of the plugin's check before each route: `unauthorized`, `forbidden`, and the
codes of its tokens. Source: the plugin's REST API reference and its public PHP library. All other
codes come from WordPress, from another plugin, or from a server in front of them.
"""

import re
from typing import Any

from panel.errors import Blocked, Missing, PanelError, Refused, Unauthorized, Unreadable
from panel.upstream.rejections import Rejection

HEADER_DROPPED, SECRET_REFUSED, REST_CLOSED = "header_dropped", "secret_refused", "rest_closed"
# The plugin's codes about the credentials, whatever the status: `user_not_found` comes with 404,
# and `config_error` with 500.
CREDENTIAL_CODES = {
    "unauthorized": "unauthorized",
    "token_missing": HEADER_DROPPED,  # we always send one
    "user_not_found": "user_not_found",
    "config_error": "config_error",
}
# Codes of other plugins, which refuse before MIDDAG Account is asked.
FOREIGN_CODES = {
    "jwt_auth_no_auth_header": HEADER_DROPPED,
    "missing_authorization_header": HEADER_DROPPED,
}
# Statuses that the back office itself may use in another form than its envelope.
OWN_STATUSES = {400, 409, 422}
WORDPRESS_KEYS = {"code", "message", "data"}  # of a WP_Error
LOGIN_PAGE = "/wp-login.php"

# For the administrator: the cause and its remedy.
BACK_OFFICE_REMEDIES = {
    "unauthorized": "The back office takes the panel for a guest. Either "
    "CHATWOOT_CONTACT_VIEW_SECRET is not the secret that the plugin has, or the web server drops "
    "the header Authorization (Apache: renew the rules of WordPress in .htaccess, or set "
    "CGIPassAuth On).",
    HEADER_DROPPED: "The header Authorization does not reach WordPress. Apache: renew the rules of "
    "WordPress in .htaccess, or set CGIPassAuth On. A proxy: let the header through.",
    SECRET_REFUSED: "CHATWOOT_CONTACT_VIEW_SECRET is not the secret that the plugin has.",
    "user_not_found": "The WordPress user that the panel's secret stands for does not exist any "
    "more.",
    "config_error": "The plugin cannot check any token, as its own key is missing: see its "
    "settings.",
    REST_CLOSED: "WordPress, or a plugin that closes its REST API to guests, refuses before MIDDAG "
    "Account is asked. Make an exception for /wp-json/middag-account/.",
    "jwt_plugin": "Another plugin (JWT Authentication) takes the panel's secret for a token of its "
    "own. Make an exception there for /wp-json/middag-account/.",
    "site_password": "The web server asks for a password of its own (HTTP Basic). Make an "
    "exception for the panel, or for /wp-json/middag-account/.",
    "blocked": "A firewall or a proxy in front of WordPress refuses the panel. Let its requests "
    "to /wp-json/middag-account/ pass: by its address, or by its User-Agent middag-contact-panel.",
    "unreadable": "Something else came than data: a page of a firewall, of a login or of a "
    "maintenance, or a PHP warning in front of the answer. See what MIDDAG_API_URL answers to "
    "`curl -i`, and take it out of the way of /wp-json/middag-account/.",
    "no_route": "There is no MIDDAG Account at MIDDAG_API_URL: the plugin is switched off, or the "
    "address is wrong. Where permalinks are plain it ends in /?rest_route=/middag-account/v1.",
    "redirected": "MIDDAG_API_URL leads elsewhere. Set it to the address at which WordPress itself "
    "answers, with the right scheme (mostly https) and host.",
    "cached_upstream": "A cache in front of WordPress answers in its place, and tells others what "
    "it keeps. Exclude /wp-json/middag-account/ from it.",
}
WORD = re.compile(r"[\w.-]{1,60}", re.ASCII)
SERVER_NAME = re.compile(r"[\w ./()-]{1,40}", re.ASCII)


def name_rejection(rejection: Rejection) -> PanelError | None:
    """Return the error of a refusal; None where the status decides. `detail` names the server that
    refused."""
    status, own, word = rejection.status, _read_own_code(rejection), _read_word(rejection)
    detail = _tell(rejection, own or word)
    if status < 400:
        return _name_page(rejection, detail)
    if code := _find_credentials_fault((own or word).lower()):
        return Unauthorized(code, detail)
    if status == 429 or status >= 500:
        return None
    if own is not None:
        return _name_own(status, own, detail)
    return _name_foreign(rejection, word, detail)


def _name_page(rejection: Rejection, detail: str) -> PanelError | None:
    """Return the error of a redirect to the login, or of a page in place of an answer; None for any
    other redirect."""
    if rejection.status < 300:
        kind = rejection.headers.get("Content-Type") or ""
        return Unreadable("unreadable", f"{detail}, {'a page' if 'html' in kind else 'not JSON'}")
    where = (rejection.headers.get("Location") or "").partition("?")[0]
    return (
        Blocked(REST_CLOSED, f"{detail}, to {LOGIN_PAGE}") if where.endswith(LOGIN_PAGE) else None
    )


def _find_credentials_fault(word: str) -> str:
    return CREDENTIAL_CODES.get(word) or (SECRET_REFUSED if word.startswith("token_") else "")


def _name_own(status: int, code: str, detail: str) -> PanelError:
    """Return the error of a refusal in the envelope."""
    if status == 401:
        return Unauthorized("unauthorized", detail)
    if status == 403:
        return Refused("denied", detail)
    if status == 404:
        missing = code == "NOT_FOUND"
        return (
            Missing("unknown_organization", detail) if missing else Unreadable("no_route", detail)
        )
    return Unreadable(f"http_{status}", detail)


def _name_foreign(rejection: Rejection, word: str, detail: str) -> PanelError | None:
    """Return the error of a refusal outside the envelope: the plugin's check, or another's."""
    status = rejection.status
    if status == 403 and word == "forbidden":
        return Refused("denied", detail)
    if status in OWN_STATUSES:
        return None
    code = _find_cause(rejection, word.lower())
    return Unreadable(code, detail) if status == 404 else Blocked(code, detail)


def _find_cause(rejection: Rejection, word: str) -> str:
    """Find the server that refused, by the code in its answer, or by the answer's form."""
    if word in FOREIGN_CODES:
        return FOREIGN_CODES[word]
    if word.startswith("jwt_auth"):
        return "jwt_plugin"
    if rejection.status == 404:
        return "no_route"
    if not word:
        asks = (rejection.headers.get("WWW-Authenticate") or "").lower()
        is_password = rejection.status == 401 and asks.startswith("basic")
        return "site_password" if is_password else "blocked"
    is_wordpress = word.startswith("rest_") or rejection.body.keys() >= WORDPRESS_KEYS
    return REST_CLOSED if is_wordpress and rejection.status in (401, 403) else "blocked"


def _read_own_code(rejection: Rejection) -> str | None:
    """Return `errors.code` of the envelope; None: there is no envelope, or it has no code."""
    body = rejection.body if isinstance(rejection.body, dict) else {}
    errors = body.get("errors")
    if body.get("success") is not False or not isinstance(errors, dict):
        return None
    return _read_code(errors) or None


def _read_word(rejection: Rejection) -> str:
    """Return the `code` on top of an error that WordPress writes, else an empty text."""
    return _read_code(rejection.body) if isinstance(rejection.body, dict) else ""


def _read_code(row: dict[str, Any]) -> str:
    code = row.get("code")
    return code if isinstance(code, str) and WORD.fullmatch(code) else ""


def _tell(rejection: Rejection, word: str) -> str:
    """Describe the refusal for the log: the status, and the code or the server's name."""
    server = rejection.headers.get("Server") or ""
    by = word or (f"of {server}" if SERVER_NAME.fullmatch(server) else "")
    return f"status {rejection.status}" + (f", {by}" if by else "")
