"""The reasons of failed tries: the meaning of each code, and the advice to an administrator.

`sync status`, `sync buried` and `sync drift` show these; docs/operate.md has the same table.
"""

import re
from dataclasses import dataclass

CODE = re.compile(r"lost its pass|[a-z_]+(?:\d+)?")
HTTP_CODE = re.compile(r"http_(\d)\d\d")


@dataclass(frozen=True)
class TryReason:
    """`words`: the failure, in words that follow the name of the side; `advice`: the remedy."""

    words: str
    advice: str


OUTAGE = "Look at its server and log. Once it is well, run again what was given up"
HEAL = "Nothing, unless it lasts for hours: then look at its server and log"
MEND_PLUGIN = "Mend or update the plugin, then run again what was given up"
OUR_FAULT = "Look at the log of that time, and tell the developers of the panel"
TRY_REASONS = {
    # An outage.
    "timeout": TryReason("does not answer in time", OUTAGE),
    "network": TryReason(
        "cannot be reached", "Look at its address in the settings, at DNS, TLS and firewall"
    ),
    "http_5xx": TryReason("answers with an error of its own", OUTAGE),
    "rate_limited": TryReason(
        "asks us to slow down",
        "Nothing, unless it lasts: then lower MIDDAG_CALLS_PER_MINUTE or CHATWOOT_CALLS_PER_MINUTE",
    ),
    "paused": TryReason("is left alone for a moment, after several failures", HEAL),
    "http_422": TryReason("is too slow: its database gave up", HEAL),
    "busy": TryReason("is asked by too many at once in this process", HEAL),
    # Rights.
    "unauthorized": TryReason(
        "refuses our secret or token",
        "MIDDAG Account: CHATWOOT_CONTACT_VIEW_SECRET is not the plugin's secret, or the web "
        "server drops the header Authorization. Chatwoot: copy CHATWOOT_API_TOKEN anew",
    ),
    "wrong_token": TryReason(
        "does not know CHATWOOT_API_TOKEN", "Copy it anew from Profile settings, set it, restart"
    ),
    "token_missing": TryReason(
        "received no token",
        "Have the proxy before Chatwoot let the header Api-Access-Token through",
    ),
    "bot_token": TryReason(
        "says that CHATWOOT_API_TOKEN is a bot's",
        "Copy a user's from Profile settings, set it, restart",
    ),
    "other_account": TryReason(
        "says that the token's user is not in this account",
        "Correct CHATWOOT_ACCOUNT_ID, or invite the user",
    ),
    "no_account": TryReason(
        "has no account with this number",
        "Correct CHATWOOT_ACCOUNT_ID: it is in Chatwoot's addresses, /app/accounts/<number>/",
    ),
    "account_suspended": TryReason(
        "has suspended the account", "Ask whoever runs Chatwoot (super admin)"
    ),
    "not_permitted": TryReason(
        "does not permit this to the token's user",
        "Set an administrator's token, or add its user to every inbox",
    ),
    "feature_off": TryReason(
        "does not allow this account to use the API",
        "Ask whoever runs Chatwoot to turn api_and_webhooks on",
    ),
    "header_dropped": TryReason(
        "does not receive the header Authorization",
        "Apache: renew WordPress's rules in .htaccess, or set CGIPassAuth On. A proxy: let it "
        "through",
    ),
    "secret_refused": TryReason(
        "has another secret", "Set CHATWOOT_CONTACT_VIEW_SECRET to the secret that the plugin has"
    ),
    "user_not_found": TryReason(
        "no longer has the WordPress user of our secret", "Give the secret another user there"
    ),
    "config_error": TryReason(
        "cannot check any token", "See the plugin's settings: its key is missing"
    ),
    "denied": TryReason(
        "denies us this organization, in its own words",
        "See the rights of the plugin's user; then run again what was given up",
    ),
    # Another server answers.
    "blocked": TryReason(
        "is kept from us by a firewall or a proxy",
        "Let the panel's requests pass: to /api/v1 of Chatwoot, to /wp-json/middag-account/ of "
        "WordPress",
    ),
    "no_api": TryReason(
        "is not at this address", "CHATWOOT_URL is Chatwoot's own address, without a path"
    ),
    "no_route": TryReason(
        "is not at this address", "Switch the plugin on, or correct MIDDAG_API_URL"
    ),
    "rest_closed": TryReason(
        "is closed to guests by WordPress or a plugin",
        "Make an exception for /wp-json/middag-account/",
    ),
    "jwt_plugin": TryReason(
        "is kept from us by the plugin JWT Authentication",
        "Make an exception there for /wp-json/middag-account/",
    ),
    "site_password": TryReason(
        "is behind a password of the web server", "Make an exception for /wp-json/middag-account/"
    ),
    "cached_upstream": TryReason(
        "is answered for by a cache", "Exclude /wp-json/middag-account/ from it"
    ),
    "redirected": TryReason(
        "leads elsewhere", "Set the address in the settings to the one that answers itself"
    ),
    "redirects": TryReason("leads in a circle", "Look at the redirects of its web server"),
    # Unusable answers.
    "unreadable": TryReason("answers no JSON", MEND_PLUGIN),
    "wrong_shape": TryReason("answers in another form than is documented", MEND_PLUGIN),
    "foreign_rows": TryReason("answers with rows of another organization", MEND_PLUGIN),
    "too_large": TryReason(
        "answers with more than we read at once", "Tell the developers of the panel which one it is"
    ),
    "http_4xx": TryReason("refuses the call as such", OUTAGE),
    "unknown_organization": TryReason(
        "does not know this organization",
        "If the number was wrong, dismiss it. If it was deleted there, the plugin has to say "
        "organization.deleted",
    ),
    "not_found": TryReason("does not know this record", HEAL),
    # Values of a contact or a conversation.
    "contact_refused": TryReason(
        "refuses to save a contact or a conversation as it is",
        "Correct that one in Chatwoot: its phone is not in international form, another contact has "
        "the value, or a text is longer than 1,500 characters. Everything else was done",
    ),
    "refused_by_chatwoot": TryReason(
        "refuses to save a contact or a conversation as it is",
        "Correct that one in Chatwoot, then run it again",
    ),
    "contact_lost": TryReason(
        "has a contact that may be the company's own, and nothing proves it",
        "Delete that contact (a new one is made), or give it and the company the same e-mail",
    ),
    "contact_busy": TryReason("another pass was writing the same contact", HEAL),
    "contact_moved": TryReason("merged or deleted the contact meanwhile", HEAL),
    # Causes on our own side.
    "no_organization": TryReason(
        "the plugin named no organization",
        "Nothing to run again: tell the plugin's developers, then dismiss it",
    ),
    "lost its pass": TryReason(
        "the process died again and again on it", "Read the log of that time, then run it again"
    ),
    "database": TryReason(
        "our own database could not be asked", "See the part database of /readyz; it is tried again"
    ),
    "unexpected": TryReason(
        "a fault of the panel's own", f"{OUR_FAULT}; run it again after the update"
    ),
    "error": TryReason("a fault without a name", OUR_FAULT),
}


def find_reason(reason: str) -> TryReason:
    """Return the row of a reason, by its code; `http_503` is in the row `http_5xx`."""
    match = CODE.match(reason)
    code = match[0] if match else ""
    if code in TRY_REASONS:
        return TRY_REASONS[code]
    status = HTTP_CODE.fullmatch(code)
    return TRY_REASONS.get(f"http_{status[1]}xx" if status else "", TRY_REASONS["error"])


def explain_reason(reason: str, side: str = "") -> str:
    """Return such as `MIDDAG Account does not answer in time (timeout)`."""
    words = find_reason(reason).words
    return f"{side} {words} ({reason})" if side else f"{words[:1].upper()}{words[1:]} ({reason})"
