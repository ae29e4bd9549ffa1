"""The meaning of Chatwoot's 4xx answers: their words tell apart cases that share a status.

Chatwoot answers 401 to a wrong token, to a suspended account, and to a token whose user may not do
this (4.16.2, as recorded; the sentences about bots by its source). The sentence about another
account is translated into the account's language. Chatwoot gives its reason in `error`; only a
request without a token has it in `errors`, in any language. An answer in another form came from a
server in front of Chatwoot.
"""

from typing import Any

from panel.errors import Blocked, Missing, PanelError, Unauthorized, Unreadable
from panel.upstream.rejections import Rejection

ANOTHER_ACCOUNT, SUSPENDED, UNKNOWN_ACCOUNT = "other_account", "account_suspended", "no_account"
TOKEN_MISSING, BOT_TOKEN = "token_missing", "bot_token"
# Chatwoot's sentences, compared without case.
CODES_BY_WORDS = {
    "invalid access token": "wrong_token",
    "you are not authorized to access this account": ANOTHER_ACCOUNT,
    "você não está autorizado a acessar esta conta": ANOTHER_ACCOUNT,
    "no está autorizado a acceder a esta cuenta": ANOTHER_ACCOUNT,
    "access to this endpoint is not authorized for bots": BOT_TOKEN,
    "bot is not authorized to access this account": BOT_TOKEN,
    "account is suspended": SUSPENDED,
    "you are not authorized to do this action": "not_permitted",
    "api access is not enabled for this account": "feature_off",
}
NOT_FOUND = "resource could not be found"
# Chatwoot answers 406 where CHATWOOT_URL has the path of the dashboard, /app: there are only pages.
WRONG_ROUTE = "please use api routes"

# For the administrator: the cause and its remedy.
REMEDIES = {
    "wrong_token": "Chatwoot does not know CHATWOOT_API_TOKEN: it was reset, or belongs to another "
    "Chatwoot. Copy it anew from Profile settings > Access token.",
    TOKEN_MISSING: "Chatwoot received no token. A proxy before Chatwoot drops the header "
    "Api-Access-Token: let it through.",
    BOT_TOKEN: "CHATWOOT_API_TOKEN belongs to a bot or to a platform app, not to a user. Copy the "
    "token of a user from Profile settings > Access token.",
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
    """Return the error of an answer of 4xx, or of one that is no JSON; None: its status says all.

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
    if rejection.status in (401, 403) and _has_chatwoots_form(rejection.body):
        return Unauthorized(_name_unknown(rejection), words)
    return Blocked("blocked", f"status {rejection.status}")


def _has_chatwoots_form(body: Any) -> bool:
    """Tell whether the refusal has Chatwoot's form. A gateway mostly sends `message` alone."""
    if not isinstance(body, dict):
        return False
    return isinstance(body.get("error"), str) or bool(_list_errors(body))


def _name_unknown(rejection: Rejection) -> str:
    """Return the code of a sentence that is not known."""
    no_token = rejection.status == 401 and "error" not in rejection.body
    return TOKEN_MISSING if no_token else "unauthorized"


def read_words(body: Any) -> str:
    """Return Chatwoot's sentence in an answer (`error`, the first of `errors`, or `message`)."""
    answer = body if isinstance(body, dict) else {}
    words = answer.get("error") or next(iter(_list_errors(answer)), None) or answer.get("message")
    return words[:200] if isinstance(words, str) else ""


def _list_errors(body: dict[str, Any]) -> list[str]:
    errors = body.get("errors")
    return [error for error in errors if isinstance(error, str)] if isinstance(errors, list) else []
