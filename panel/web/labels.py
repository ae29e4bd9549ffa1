"""Labels: the words for codes, causes and reasons, in English; translated when rendered.

A code that stands in no table is shown as it came: an unknown value is kept, not dropped.
"""

from panel.customer.disclosure import FREE_TEXT, LICENSE_KEY, TAX_ID, VALUE_KINDS
from panel.customer.matching import CLAIMED, PHONE_CHANNELS
from panel.upstream.chatwoot import Conversation

# The reason why an amount is in no total.
LEFT_OUT = {
    "not_stated": ("%(count)d amount not stated", "%(count)d amounts not stated"),
    "unclear": ("%(count)d amount unclear", "%(count)d amounts unclear"),
    "unreadable": ("%(count)d amount unreadable", "%(count)d amounts unreadable"),
    "no_currency": (
        "%(count)d amount without a currency",
        "%(count)d amounts without a currency",
    ),
    "unknown_status": (
        "%(count)d amount of an unknown status",
        "%(count)d amounts of an unknown status",
    ),
    "unreadable_date": (
        "%(count)d amount with an unreadable date",
        "%(count)d amounts with an unreadable date",
    ),
}

# The reason why there is no newer answer, or no answer at all, by the code that is shown beside it.
CAUSES = {
    "timeout": "MIDDAG Account took too long.",
    "network": "MIDDAG Account cannot be reached.",
    "rate_limited": "MIDDAG Account asks the panel to slow down.",
    "paused": "MIDDAG Account failed several times. The panel asks it again in a moment.",
    "unreadable": "MIDDAG Account sent something unreadable.",
    "wrong_shape": "MIDDAG Account sent something unexpected.",
    "too_large": "MIDDAG Account sent too much.",
    "foreign_rows": "MIDDAG Account sent data of another company, so none of it is shown.",
    "unauthorized": "MIDDAG Account does not accept the panel's secret, or never receives it.",
    "no_route": "MIDDAG Account does not answer at this address.",
    "redirected": "MIDDAG Account points to another address, which the log names.",
    "http_500": "MIDDAG Account has an internal error.",
    "http_502": "MIDDAG Account is down.",
    "http_503": "MIDDAG Account is down.",
    "http_504": "MIDDAG Account took too long.",
    "access_unchecked": "Chatwoot did not confirm in time that you may see this.",
    "header_dropped": "The web server of MIDDAG Account drops the Authorization header.",
    "secret_refused": "MIDDAG Account does not accept the panel's secret.",
    "user_not_found": "The user that the panel's secret stands for does not exist in MIDDAG "
    "Account.",
    "config_error": "MIDDAG Account cannot check the panel's secret: its key is not set up.",
    "rest_closed": "The REST API of MIDDAG Account is closed to guests.",
    "jwt_plugin": "Another plugin of MIDDAG Account refuses the panel's secret.",
    "site_password": "The web server of MIDDAG Account asks for a password of its own.",
    "blocked": "A firewall in front of MIDDAG Account refuses the panel.",
    "cached_upstream": "A cache in front of MIDDAG Account answers in its place.",
}

# The reason why MIDDAG Account was not asked for an id.
SEARCH_CAUSES = {
    **CAUSES,
    "too_many_ids": "Too many unknown IDs in one minute: wait a minute, then search again.",
}

# The reason why Chatwoot could not be asked, where an administrator can mend it.
CHATWOOT_CAUSES = {
    "wrong_token": "Chatwoot does not know the panel's access token. An administrator must enter "
    "it again.",
    "token_missing": "The panel's access token did not reach Chatwoot. Something in between "
    "removes it.",
    "bot_token": "The panel's access token belongs to a bot, not to a user. An administrator must "
    "enter a user's.",
    "other_account": "The panel's Chatwoot user does not belong to this account.",
    "account_suspended": "Chatwoot has suspended this account.",
    "no_account": "The panel is set up for a Chatwoot account that does not exist.",
    "not_permitted": "The panel's Chatwoot user may not see this conversation. An administrator "
    "must add it to the inbox.",
    "feature_off": "Chatwoot's API is turned off for this account.",
    "no_api": "The panel is set up with an address where there is no Chatwoot.",
    "redirected": "The panel is set up with an address of Chatwoot that leads elsewhere.",
    "blocked": "A firewall or proxy in front of Chatwoot refuses the panel.",
    "unauthorized": "Chatwoot refuses the panel's access token.",
    "too_large": "Chatwoot's answer about this conversation is too large.",
    "timeout": "Chatwoot took too long.",
    "network": "Chatwoot cannot be reached.",
    "rate_limited": "Chatwoot asks the panel to slow down.",
    "paused": "Chatwoot failed several times. The panel asks it again in a moment.",
    "http_500": "Chatwoot has an internal error.",
    "http_502": "Chatwoot is down.",
    "http_503": "Chatwoot is down.",
    "http_504": "Chatwoot took too long.",
    "access_unchecked": "Chatwoot did not confirm in time that you may see this.",
    "busy": "Too many panels are waiting for an answer right now. This one asks again by itself.",
}

# The effects of the keys in `static/js/shortcuts.js`.
SHORTCUTS = {
    "R": "Refresh",
    "/": "Search another company",
    "N": "Next section",
    "?": "These shortcuts",
}

# The reason why a viewer is refused.
REASONS = {
    "no_proof": "This page was reloaded or opened outside Chatwoot. Reopen the tab in Chatwoot.",
    "no_key": "The address of this dashboard app is registered without its key, the part from # "
    "on. Ask an administrator to register the whole address.",
    "wrong_proof": "The address of this dashboard app is out of date. Ask an administrator.",
    "not_an_agent": "You are not in this account's list of agents.",
    "not_in_inbox": "You are not a member of this conversation's inbox.",
    "inbox_not_served": "This panel does not serve this inbox.",
    "another_account": "This conversation belongs to another Chatwoot account.",
    "no_such_conversation": "Chatwoot has no such conversation.",
    "another_contact": "The conversation has another contact. Open it again.",
    "bad_request": "Chatwoot's message could not be understood.",
    "another_agent": "You are signed in here as somebody else than in Chatwoot. Please sign out.",
    "too_many_proofs": "Too many wrong proofs from your address. Wait a minute, then try again.",
    "too_many_guesses": "Too many requests named a contact that does not belong to the "
    "conversation. Wait a minute, then try again.",
    "no_sign_in": "This panel does not ask for signing in. Reopen the tab in Chatwoot.",
}

# The reason why an agent is asked to sign in (again); empty where there is nothing to explain.
SIGN_IN = {
    "session_expired": "Your session has ended. Please sign in again.",
    "signed_out": "You are signed out.",
    "signed_out_here": "You are signed out in this browser only, because the panel's database does "
    "not answer. Sessions in other browsers end when their time is up.",
    "wrong_token": "Chatwoot does not know this access token. It may be incomplete or reset.",
    "not_in_account": "This Chatwoot user is not in this account, or the account is suspended.",
    "not_an_agent": "You are not in this account's list of agents.",
    "dashboard_session_ended": "Your Chatwoot session has ended. Sign in there again, or here.",
    "cookie_refused": "Your browser did not keep the session. Allow cookies for this address, or "
    "ask an administrator to put the panel under the same domain as Chatwoot.",
}

# The words for an agent who names an organization that cannot be picked.
NOTICES = {
    **CAUSES,
    "unknown_organization": "MIDDAG Account has no company with this ID.",
    "denied": "MIDDAG Account refuses to show this company.",
    "chatwoot_not_told": "Saved in this panel, but Chatwoot could not be updated.",
    "only_hint": "That is right, and it is noted. It is only a hint, so nothing was opened.",
    "shown_before": "That is right, but it proves nothing: the panel has shown it to an agent "
    "today. Call the person, or ask them for something else.",
    "links_unknown": "What agents confirmed or refused cannot be read now: this is only what "
    "stands in Chatwoot.",
}

# The words for the set of masked kinds (`customer.disclosure`).
HIDDEN_KINDS = {
    VALUE_KINDS: "Amounts, tax ID and license keys are hidden.",
    frozenset({TAX_ID, LICENSE_KEY, FREE_TEXT}): "Tax ID and license keys are hidden.",
}

# The warnings about channels that do not prove who is writing; most channels have the last row.
CHANNEL_WARNINGS = {
    "Channel::Email": "By e-mail: a sender's address can be forged.",
    "signed": "The website signed this visitor in, but the contact may have been changed or merged "
    "since.",
    **dict.fromkeys(PHONE_CHANNELS, "This phone number does not prove who is writing."),
    "": "This channel does not prove who is writing.",
}


def describe_channel(conversation: Conversation, link: str = "") -> str:
    """Return the warning about this conversation's channel, or about its signed visitor.

    A claim has a warning of its own (`link`), which stands in place of the general one.
    """
    kind = "signed" if conversation.signed else conversation.channel
    usual = "" if link == CLAIMED else CHANNEL_WARNINGS[""]
    return CHANNEL_WARNINGS.get(kind, usual)


# The way in which an organization was found: by which key, or where a claim stands.
SOURCES = {
    "email": "e-mail",
    "phone": "phone",
    "conversation attribute": "a field of the conversation",
    "contact attribute": "a field of the contact",
    "contact": "contact",
    "conversation": "conversation",
    "tax id": "tax ID",
    "entitlement code": "entitlement code",
}

# The words for each outcome of a private note.
NOTE_OUTCOMES_SAID = {
    "written": "Added as a private note.",
    "written_before": "This note is in the conversation already.",
    "being_written": "The note is being written: look into the conversation.",
    "unsettled": "Chatwoot did not confirm the note, so it may have been written: look into the "
    "conversation, or press again in half a minute.",
    "failed": "The note was not written.",
}

# The reasons to uncover a masked value; the access log stores the English text.
UNCOVER_REASONS = (
    "Customer gave the order number",
    "Customer confirmed the tax ID",
    "Called back on the registered phone",
    "Other",
)
