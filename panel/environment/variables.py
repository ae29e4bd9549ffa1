"""The table of settings: the name, the parser and the default of each environment variable."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from panel.environment.parsers import (
    SHORTEST_SECRET,
    make_choice_parser,
    make_names_parser,
    make_range_parser,
    parse_api_url,
    parse_cache_url,
    parse_certificates,
    parse_database_url,
    parse_ids,
    parse_optional_url,
    parse_origins,
    parse_proxy_url,
    parse_secrets,
    parse_template,
    parse_token,
    parse_url,
    parse_yes,
    parse_zone,
)

RECORDS = ("organization", "order", "quote", "license")  # the kinds that may have a link


@dataclass(frozen=True)
class Variable:
    """A variable of the environment, and the field of `Settings` that gets its value.

    `right`: a description of right values, for the message of a fault. `default` None: the variable
    is required.
    """

    name: str
    field: str
    parse: Callable[[str], Any]
    right: str
    default: str | None = None


ADDRESS = "an http:// or https:// address without user, query and fragment"
TOKEN = "printable ASCII characters without spaces"  # noqa: S105 words about a token


def name_link(record: str) -> str:
    """The variable that holds the address of this kind of record."""
    return f"MIDDAG_LINK_{record.upper()}"


MASK_NAMES = ("unproven", "secrets", "never")
VERIFY_NAMES = ("key", "call", "tax_id", "order", "quote", "email")
# As requests and OpenSSL call them; the first that is set is taken.
CERTIFICATE_NAMES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
PROOF_NAMES = ("shared-secret", "access-token", "chatwoot-session")

VARIABLES = (
    Variable(
        "CHATWOOT_CONTACT_VIEW_SECRET",
        "secrets",
        parse_secrets,
        f"one secret, or several with commas, each of {SHORTEST_SECRET} printable ASCII "
        "characters or more",
    ),
    Variable(
        "MIDDAG_API_URL",
        "middag_api_url",
        parse_api_url,
        f"{ADDRESS}, but for ?rest_route=/middag-account/v1 where permalinks are plain",
    ),
    Variable("CHATWOOT_URL", "chatwoot_url", parse_url, ADDRESS),
    Variable(
        "CHATWOOT_ACCOUNT_ID", "chatwoot_account_id", make_range_parser(1, 2**31), "a whole number"
    ),
    Variable("CHATWOOT_API_TOKEN", "chatwoot_api_token", parse_token, TOKEN),
    Variable("CHATWOOT_WEBHOOK_SECRET", "chatwoot_webhook_secret", parse_token, TOKEN, ""),
    Variable(
        "CHATWOOT_FRAME_ORIGINS",
        "frame_origins",
        parse_origins,
        "origins such as https://chat.example.com, separated by commas",
        "",
    ),
    Variable("PANEL_URL", "panel_url", parse_optional_url, ADDRESS, ""),
    Variable(
        "PANEL_CACHE_URL",
        "cache_url",
        parse_cache_url,
        "file:PATH, redis://HOST:PORT/N or memory:",
        "file:var/cache",
    ),
    Variable(
        "PANEL_DATABASE_URL",
        "database_url",
        parse_database_url,
        "sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME",
        "sqlite:///var/panel.db",
    ),
    Variable(
        "PANEL_WORKER",
        "worker",
        make_choice_parser("", "inside", "separate"),
        "inside or separate",
        "",
    ),
    Variable(
        "PANEL_AGENT_PROOF",
        "agent_proof",
        make_choice_parser(*PROOF_NAMES),
        " or ".join(PROOF_NAMES),
        PROOF_NAMES[0],
    ),
    Variable(
        "PANEL_EXPIRING_DAYS",
        "expiring_days",
        make_range_parser(1, 3650),
        "a number from 1 to 3650",
        "30",
    ),
    Variable(
        "PANEL_TIMEZONE",
        "timezone",
        parse_zone,
        "a name such as America/Sao_Paulo",
        "America/Sao_Paulo",
    ),
    Variable("PANEL_LOCALE", "locale", make_choice_parser("", "en", "pt_BR"), "en or pt_BR", ""),
    Variable(
        "MIDDAG_INTEGER_MONEY",
        "integer_money",
        make_choice_parser("", "cents", "units"),
        "cents or units",
        "",
    ),
    Variable(
        "PANEL_MASK",
        "mask",
        make_choice_parser(*MASK_NAMES),
        " or ".join(MASK_NAMES),
        MASK_NAMES[0],
    ),
    Variable(
        "PANEL_VERIFY_BY",
        "verify_by",
        make_names_parser(*VERIFY_NAMES),
        "one or several of " + ", ".join(VERIFY_NAMES) + ", separated by commas",
        "key,call",
    ),
    Variable(
        "PANEL_TRUSTED_PROXIES",
        "trusted_proxies",
        make_range_parser(0, 10),
        "a number from 0 to 10",
        "0",
    ),
    Variable(
        "PANEL_SESSION_HOURS",
        "session_hours",
        make_range_parser(1, 720),
        "a number from 1 to 720",
        "12",
    ),
    Variable(
        "PANEL_KEEP_DAYS", "keep_days", make_range_parser(1, 3650), "a number from 1 to 3650", "90"
    ),
    Variable("PANEL_INBOXES", "inboxes", parse_ids, "whole numbers separated by commas", ""),
    Variable("PANEL_CHECK_INBOX", "check_inbox", parse_yes, "yes or no", "yes"),
    Variable(
        "CHATWOOT_CALLS_PER_MINUTE",
        "calls_per_minute",
        make_range_parser(1, 100_000),
        "a number from 1 to 100000",
        "300",
    ),
    Variable(
        "MIDDAG_CALLS_PER_MINUTE",
        "middag_calls_per_minute",
        make_range_parser(1, 100_000),
        "a number from 1 to 100000",
        "120",
    ),
    Variable("PANEL_METRICS_TOKEN", "metrics_token", parse_token, TOKEN, ""),
    *(
        Variable(
            name, name.lower(), parse_certificates, "a file of certificates that can be read", ""
        )
        for name in CERTIFICATE_NAMES
    ),
    *(
        Variable(name, name.lower(), parse_proxy_url, "such as http://proxy.example.com:3128", "")
        for name in ("MIDDAG_PROXY", "CHATWOOT_PROXY")
    ),
    *(
        Variable(
            name_link(record),
            f"link_{record}",
            parse_template,
            "an http:// or https:// address with {id} behind the host, or empty for no link",
            "",
        )
        for record in RECORDS
    ),
)
