"""The settings, read once from the environment: every fault is named at once, no value printed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

SHORTEST_SECRET = 24
RECORDS = ("organization", "order", "quote", "license")


class SettingsError(Exception):
    """`faults`: one line each, the variable's name and what would be right; never its value."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class Settings:
    """Every setting of design §4.1, parsed. Secrets do not show in `repr`."""

    secrets: tuple[str, ...]
    middag_api_url: str
    chatwoot_url: str
    chatwoot_account_id: int
    chatwoot_api_token: str
    chatwoot_webhook_secret: str
    frame_origins: tuple[str, ...]
    panel_url: str
    cache_url: str
    database_url: str
    worker: str
    agent_proof: str
    expiring_days: int
    timezone: ZoneInfo
    locale: str
    integer_money: str
    trusted_proxies: int
    session_hours: int
    keep_days: int
    inboxes: tuple[int, ...]
    check_inbox: bool
    calls_per_minute: int
    link_organization: str
    link_order: str
    link_quote: str
    link_license: str

    def __repr__(self) -> str:
        return f"Settings({self.middag_api_url!r}, {self.chatwoot_url!r})"

    @property
    def secret(self) -> str:
        """The secret that we send and sign with; the others are only accepted (rotation)."""
        return self.secrets[0]


def _secrets(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    if not parts or any(len(part) < SHORTEST_SECRET or not part.isascii() for part in parts):
        raise ValueError(
            f"one secret, or several with commas, of {SHORTEST_SECRET} ASCII characters or more"
        )
    return parts


def _token(text: str) -> str:
    # A token goes into a header: anything but printable ASCII would break the request, or split it.
    if text and (not text.isascii() or not text.isprintable() or " " in text):
        raise ValueError("printable ASCII characters without spaces")
    return text


def _url(text: str) -> str:
    parts = urlsplit(text)
    whole = parts.scheme in ("http", "https") and parts.hostname and _port_is_right(text)
    if not whole or parts.username or parts.query or parts.fragment:
        raise ValueError("an http:// or https:// address without user, query and fragment")
    return text.rstrip("/")


def _port_is_right(text: str) -> bool:
    try:
        return urlsplit(text).port != 0
    except ValueError:
        return False


def origin(url: str) -> str:
    """`scheme://host[:port]` of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _origins(text: str) -> tuple[str, ...]:
    found = tuple(part.strip().rstrip("/") for part in text.split(",") if part.strip())
    for part in found:
        # It is written into a response header (frame-ancestors): nothing but an origin may pass.
        if any(char in part for char in " ;,'\"*\\") or origin(_url(part)) != part.lower():
            raise ValueError("origins such as https://chat.example.com, separated by commas")
    return found


def _optional_url(text: str) -> str:
    return _url(text) if text else ""


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return int(text)

    return parse


def _choice(*options: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in options:
            raise ValueError("one of " + ", ".join(repr(option) for option in options))
        return text

    return parse


def _yes(text: str) -> bool:
    return _choice("yes", "no")(text) == "yes"


def _cache_url(text: str) -> str:
    known = (text.startswith("file:") and len(text) > len("file:")) or text == "memory:"
    if not known and not (text.startswith(("redis://", "rediss://")) and urlsplit(text).hostname):
        raise ValueError("file:PATH, redis://HOST:PORT/N or memory:")
    return text


def _database_url(text: str) -> str:
    sqlite = text.startswith("sqlite:///") and len(text) > len("sqlite:///")
    if not sqlite and not (text.startswith("postgresql://") and urlsplit(text).path.strip("/")):
        raise ValueError("sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME")
    return text


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ValueError("a time zone's name such as America/Sao_Paulo") from None


def _ids(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if any(not part.isascii() or not part.isdigit() for part in parts):
        raise ValueError("whole numbers separated by commas")
    return tuple(int(part) for part in parts)


def _template(text: str) -> str:
    # The id may stand anywhere but in the host: a record must not choose where a click leads.
    if text and ("{id}" not in text.partition("//")[2].partition("/")[2] or not _fills(text)):
        raise ValueError("an http:// or https:// address with {id} behind the host")
    return text


def _fills(text: str) -> bool:
    filled = text.replace("{id}", "1")
    return "{" not in filled and urlsplit(filled).scheme in ("http", "https")


@dataclass(frozen=True)
class Variable:
    """One row of the table: its name outside, its field inside, and `None` where it is required."""

    name: str
    field: str
    parse: Callable[[str], Any]
    default: str | None = None


VARIABLES = (
    Variable("CHATWOOT_CONTACT_VIEW_SECRET", "secrets", _secrets),
    Variable("MIDDAG_API_URL", "middag_api_url", _url),
    Variable("CHATWOOT_URL", "chatwoot_url", _url),
    Variable("CHATWOOT_ACCOUNT_ID", "chatwoot_account_id", _whole(1, 2**31)),
    Variable("CHATWOOT_API_TOKEN", "chatwoot_api_token", _token),
    Variable("CHATWOOT_WEBHOOK_SECRET", "chatwoot_webhook_secret", _token, ""),
    Variable("CHATWOOT_FRAME_ORIGINS", "frame_origins", _origins, ""),
    Variable("PANEL_URL", "panel_url", _optional_url, ""),
    Variable("PANEL_CACHE_URL", "cache_url", _cache_url, "file:var/cache"),
    Variable("PANEL_DATABASE_URL", "database_url", _database_url, "sqlite:///var/panel.db"),
    Variable("PANEL_WORKER", "worker", _choice("", "inside", "separate"), ""),
    Variable(
        "PANEL_AGENT_PROOF",
        "agent_proof",
        _choice("shared-secret", "access-token", "chatwoot-session"),
        "shared-secret",
    ),
    Variable("PANEL_EXPIRING_DAYS", "expiring_days", _whole(1, 3650), "30"),
    Variable("PANEL_TIMEZONE", "timezone", _zone, "America/Sao_Paulo"),
    Variable("PANEL_LOCALE", "locale", _choice("", "en", "pt_BR"), ""),
    Variable("MIDDAG_INTEGER_MONEY", "integer_money", _choice("cents", "units"), "cents"),
    Variable("PANEL_TRUSTED_PROXIES", "trusted_proxies", _whole(0, 10), "0"),
    Variable("PANEL_SESSION_HOURS", "session_hours", _whole(1, 720), "12"),
    Variable("PANEL_KEEP_DAYS", "keep_days", _whole(1, 3650), "90"),
    Variable("PANEL_INBOXES", "inboxes", _ids, ""),
    Variable("PANEL_CHECK_INBOX", "check_inbox", _yes, "yes"),
    Variable("CHATWOOT_CALLS_PER_MINUTE", "calls_per_minute", _whole(1, 100_000), "300"),
    *(
        Variable(f"MIDDAG_LINK_{record.upper()}", f"link_{record}", _template, "")
        for record in RECORDS
    ),
)


def from_env(environ: Mapping[str, str]) -> Settings:
    """Parse the environment; raises `SettingsError` with *all* faults."""
    values: dict[str, Any] = {}
    faults: list[str] = []
    for variable in VARIABLES:
        text = environ.get(variable.name, "").strip()
        if not text and variable.default is None:
            faults.append(f"{variable.name} is missing: {_expected(variable)}")
            continue
        try:
            values[variable.field] = variable.parse(text or variable.default or "")
        except ValueError as wrong:
            faults.append(f"{variable.name} should be {wrong}")
    if faults:
        raise SettingsError(faults)
    return Settings(**_derived(values))


def _expected(variable: Variable) -> str:
    try:
        variable.parse("")
    except ValueError as wrong:
        return f"it should be {wrong}"
    return "it is required"


def _derived(values: dict[str, Any]) -> dict[str, Any]:
    on_sqlite = values["database_url"].startswith("sqlite:")
    values["frame_origins"] = values["frame_origins"] or (origin(values["chatwoot_url"]),)
    values["worker"] = values["worker"] or ("inside" if on_sqlite else "separate")
    return values
