"""The settings of an inbox as the built-in Chatwoot tells them; few of them are ever read.

Source: the recorded inboxes (API, e-mail) and _inbox.json.jbuilder of v4.16.2 (website).
"""

from __future__ import annotations

from panel.demo.account import API_CHANNEL, WIDGET_CHANNEL
from panel.demo.world import Json

EMAIL_CHANNEL = "Channel::Email"
_NOTHING = (
    *("greeting_message", "out_of_office_message", "callback_webhook_url", "business_name"),
    *("allowed_domains", "widget_color", "website_url", "welcome_title", "welcome_tagline"),
    *("web_widget_script", "selected_feature_flags", "reply_time", "messaging_service_sid"),
    *("phone_number", "provider"),
)
_OFF = ("greeting_enabled", "working_hours_enabled", "csat_survey_enabled")
_ON = ("enable_email_collect", "enable_auto_assignment", "allow_messages_after_resolved")
_EVERY_INBOX: Json = {
    **dict.fromkeys(_NOTHING),
    **dict.fromkeys((*_OFF, "lock_to_single_conversation"), False),
    **dict.fromkeys(_ON, True),
    **{key: {} for key in ("csat_config", "auto_assignment_config")},
    "avatar_url": "",
    "channel_id": 1,
    "sender_name_type": "friendly",
    "timezone": "UTC",
}
_OF_CHANNEL: dict[str, Json] = {
    API_CHANNEL: {"webhook_url": None, "additional_attributes": {}},
    WIDGET_CHANNEL: {
        **dict.fromkeys(("allowed_domains", "welcome_title", "welcome_tagline"), ""),
        "continuity_via_email": True,
        "pre_chat_form_enabled": False,
        "pre_chat_form_options": {},
        "reply_time": "in_a_few_minutes",
        "selected_feature_flags": ["attachments", "emoji_picker", "end_conversation"],
        "web_widget_script": "<script></script>",
        "website_url": "https://site.example",
        "widget_color": "#1f93ff",
    },
    EMAIL_CHANNEL: {"email": "suporte@middag.example", "forwarding_enabled": False},
}
_MAIL_TEXTS = (
    *("imap_login", "imap_password", "imap_address", "smtp_login", "smtp_password"),
    *("smtp_address", "smtp_domain"),
)
_OF_ADMINISTRATORS: dict[str, Json] = {
    API_CHANNEL: {"secret": "inbox-secret"},
    EMAIL_CHANNEL: {
        **dict.fromkeys(_MAIL_TEXTS, ""),
        **dict.fromkeys(("imap_port", "smtp_port"), 0),
        **dict.fromkeys(("imap_enabled", "smtp_enabled", "smtp_enable_ssl_tls"), False),
        **dict.fromkeys(("imap_enable_ssl", "smtp_enable_starttls_auto"), True),
        "imap_authentication": "plain",
        "smtp_authentication": "login",
        "smtp_openssl_verify_mode": "none",
    },
}


def show_inbox(inbox: Json, channel: Json, administrator: bool) -> Json:
    """`channel`: the way in for visitors; its key is not shown to an agent."""
    kind = inbox["channel_type"]
    settings = {key: channel.get(key) for key in ("website_token", "hmac_mandatory")}
    body = {**_EVERY_INBOX, **_OF_CHANNEL.get(kind, {}), **inbox, **settings}
    body["working_hours"] = [_open_hours(day) for day in range(7)]
    if kind == API_CHANNEL:
        body["inbox_identifier"] = channel.get("inbox_identifier")
    if administrator:
        body |= _OF_ADMINISTRATORS.get(kind, {})
    if administrator and kind in (API_CHANNEL, WIDGET_CHANNEL):
        body["hmac_token"] = channel.get("hmac_token")
    return body


def _open_hours(day: int) -> Json:
    """Opening hours are from Monday to Friday, nine to five; Sunday is 0."""
    is_closed = day in (0, 6)
    opens, closes, sharp = (None, None, None) if is_closed else (9, 17, 0)
    hours = {"open_hour": opens, "open_minutes": sharp, "close_hour": closes}
    whole = {"day_of_week": day, "closed_all_day": is_closed, "open_all_day": False}
    return {**whole, **hours, "close_minutes": sharp}
