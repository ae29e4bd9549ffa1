"""What Chatwoot means by an answer of 4xx: its words tell apart what the status does not.

401 is the answer to a wrong token, to a suspended account, and to a token whose user may not do
this (4.16.2, as recorded; the sentence about another account is translated into the account's
language). An answer in nobody's known words came from something before Chatwoot.
"""

from typing import Any

from panel.errors import Blocked, Missing, PanelError, Unauthorized, Unreadable
from panel.upstream.client import Rejection

ANOTHER_ACCOUNT, SUSPENDED, UNKNOWN_ACCOUNT = "other_account", "account_suspended", "no_account"
# Chatwoot's sentences, without case.
CODES_BY_WORDS = {
    "invalid access token": "wrong_token",
    "you need to sign in or sign up before continuing.": "token_missing",
    "you are not authorized to access this account": ANOTHER_ACCOUNT,
    "você não está autorizado a acessar esta conta": ANOTHER_ACCOUNT,
    "account is suspended": SUSPENDED,
    "you are not authorized to do this action": "not_permitted",
    "api access is not enabled for this account": "feature_off",
}
NOT_FOUND = "resource could not be found"
# 406, for CHATWOOT_URL with the path of the dashboard, /app: there are pages alone.
WRONG_ROUTE = "please use api routes"

# For the administrator: what is wrong, and what to do about it.
REMEDIES = {
    "wrong_token": "Chatwoot does not know CHATWOOT_API_TOKEN: it was reset, or belongs to another "
    "Chatwoot. Copy it anew from Profile settings > Access token.",
    "token_missing": "Chatwoot received no token. A proxy before Chatwoot drops the header "
    "Api-Access-Token: let it through.",
    ANOTHER_ACCOUNT: "The user of CHATWOOT_API_TOKEN does not belong to the account of "
    "CHATWOOT_ACCOUNT_ID. Correct one of the two.",
    SUSPENDED: "Chatwoot has suspended this account. Ask whoever runs Chatwoot (super admin).",
    UNKNOWN_ACCOUNT: "Chatwoot has no account with the number of CHATWOOT_ACCOUNT_ID. The number "
    "stands in Chatwoot's own addresses: /app/accounts/<number>/.",
    "not_permitted": "The user of CHATWOOT_API_TOKEN may not do this: be it an administrator's "
    "token, or add its user to every inbox.",
    "feature_off": "This Chatwoot account may not use the API (feature api_and_webhooks). Ask "
    "whoever runs Chatwoot to turn it on.",
    "no_api": "There is no Chatwoot API at this address. CHATWOOT_URL should be Chatwoot's own "
    "address, such as https://chat.example.com, without a path.",
    "blocked": "Something before Chatwoot (a firewall or a proxy) refuses the panel. Let its "
    "requests to /api/v1 pass.",
    "redirected": "CHATWOOT_URL leads elsewhere. Set it to the address at which Chatwoot itself "
    "answers, with the right scheme (mostly https) and host.",
    "unauthorized": "Chatwoot refuses CHATWOOT_API_TOKEN for a reason that this version of the "
    "panel does not know.",
}


def name_rejection(rejection: Rejection) -> PanelError | None:
    """The error of an answer of 4xx, or of one that is no JSON; None: what its status says.

    Its `detail` is Chatwoot's own sentence, where there is one.
    """
    if rejection.status < 300:
        # Chatwoot answers any address below /app with the page of its dashboard.
        page = "html" in rejection.headers.get("Content-Type", "")
        return Blocked("no_api", "a page") if page else Unreadable("unreadable", "not JSON")
    if rejection.status not in (401, 403, 404, 405, 406):
        return None
    words = read_words(rejection.body)
    if code := CODES_BY_WORDS.get(words.lower()):
        return Unauthorized(code, words)
    if rejection.status == 404 or words.lower().startswith(WRONG_ROUTE):
        is_gone = words.lower() == NOT_FOUND
        return Missing() if is_gone else Blocked("no_api", f"status {rejection.status}")
    if rejection.status == 401 and words:
        return Unauthorized("unauthorized", words)
    return Blocked("blocked", f"status {rejection.status}")


def read_words(body: Any) -> str:
    """Chatwoot's sentence in a decoded answer (`error`, the first of `errors`, or `message`)."""
    found = body if isinstance(body, dict) else {}
    errors = found.get("errors")
    listed = errors[0] if isinstance(errors, list) and errors else None
    words = found.get("error") or listed or found.get("message")
    return words[:200] if isinstance(words, str) else ""
