"""The settings, read once from the environment: every fault is named at once, no value printed."""

import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

SHORTEST_SECRET = 24
LONGEST_NUMBER = 18  # digits
HOST = re.compile(r"([a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
RECORDS = ("organization", "order", "quote", "license")  # those that may have a link


class SettingsError(Exception):
    """`faults`: one line each, the variable's name and what would be right; never its value."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class Settings:
    """Every setting, parsed. Secrets do not show in `repr`.

    `certificates`: the file of the authorities that we trust; empty: those of `certifi`.
    `verify_by`: those of `VERIFY_NAMES` that prove who is writing.
    `links`: the address of each kind of record that is given one, with `{id}` in it; `unlinked`:
    the kinds that shall have none.
    """

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
    mask: str
    verify_by: frozenset[str]
    trusted_proxies: int
    session_hours: int
    keep_days: int
    inboxes: tuple[int, ...]
    check_inbox: bool
    calls_per_minute: int
    middag_calls_per_minute: int
    metrics_token: str
    certificates: str
    middag_proxy: str
    chatwoot_proxy: str
    links: Mapping[str, str]
    unlinked: frozenset[str]

    def __repr__(self) -> str:
        return f"Settings({self.middag_api_url!r}, {self.chatwoot_url!r})"

    @property
    def monitoring_tokens(self) -> tuple[str, ...]:
        """The tokens that may read `/readyz` and `/metrics`: their own, else the shared secret."""
        return (self.metrics_token,) if self.metrics_token else self.secrets

    @property
    def secret(self) -> str:
        """The secret that we send and sign with; the others are only accepted (rotation)."""
        return self.secrets[0]


def _secrets(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    _require(bool(parts) and all(len(part) >= SHORTEST_SECRET for part in parts))
    return tuple(_token(part) for part in parts)


def _token(text: str) -> str:
    # The secret goes into a header, where other characters would break the request, or split it.
    _require(text.isascii() and text.isprintable() and " " not in text)
    return text


def _url(text: str) -> str:
    parts = urlsplit(text)
    _require(parts.scheme in ("http", "https") and bool(HOST.fullmatch(parts.netloc.lower())))
    _require(parts.port != 0 and not parts.query and not parts.fragment and text.isprintable())
    return text.rstrip("/")


def _api_url(text: str) -> str:
    """Where WordPress's permalinks are plain, its API lies below a parameter."""
    address, _, query = text.partition("?")
    if not query:
        return _url(text)
    _url(address)
    routes = [value for name, value in parse_qsl(query) if name == "rest_route"]
    _require(len(routes) == 1 and routes[0].startswith("/"))
    _require("#" not in text and text.isprintable())
    return text.rstrip("/")


def origin(url: str) -> str:
    """`scheme://host[:port]` as a browser writes it: lower case, without the usual port."""
    parts = urlsplit(url.lower())
    usual = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return f"{parts.scheme}://{parts.netloc.removesuffix(usual)}"


def _origins(text: str) -> tuple[str, ...]:
    found = tuple(part.strip().rstrip("/") for part in text.split(",") if part.strip())
    # Origins are written into a response header: nothing else may pass.
    _require(not any(urlsplit(_url(part)).path for part in found))
    return tuple(origin(part) for part in found)


def _optional_url(text: str) -> str:
    return _url(text) if text else ""


def _number(text: str) -> int:
    _require(text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER)
    return int(text)


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        _require(least <= _number(text) <= most)
        return int(text)

    return parse


def _choice(*options: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        _require(text in options)
        return text

    return parse


def _yes(text: str) -> bool:
    return _choice("yes", "no")(text) == "yes"


def _cache_url(text: str) -> str:
    if text.startswith(("redis://", "rediss://")):
        parts = urlsplit(text)
        _require(bool(parts.hostname) and parts.port != 0 and not parts.query)
        _require(not parts.path.strip("/") or parts.path.strip("/").isdecimal())
    else:
        _require(text == "memory:" or (text.startswith("file:") and text != "file:"))
    return text


def _database_url(text: str) -> str:
    if text.startswith("postgresql://"):
        parts = urlsplit(text)
        _require(bool(parts.path.strip("/")) and parts.port != 0)
    else:
        path = text.removeprefix("sqlite:///")
        _require(text.startswith("sqlite:///") and path not in ("", ":memory:"))
        _require("?" not in path)
    return text


def _proxy_url(text: str) -> str:
    if text:
        parts = urlsplit(text)
        _require(parts.scheme == "http" and bool(parts.hostname) and bool(parts.port))
        _require(not parts.path.strip("/") and not parts.query and text.isprintable())
    return text.rstrip("/")


def _certificates(text: str) -> str:
    if text:
        try:
            ssl.create_default_context(cafile=text)
        except OSError:  # no file, closed to us, or no certificates in it
            raise ValueError from None
    return text


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (KeyError, OSError):
        raise ValueError from None


def _ids(text: str) -> tuple[int, ...]:
    return tuple(_number(part.strip()) for part in text.split(",") if part.strip())


def _verify_names(text: str) -> frozenset[str]:
    found = frozenset(part.strip().replace("-", "_") for part in text.split(",") if part.strip())
    _require(bool(found) and found <= set(VERIFY_NAMES))
    return found


def _template(text: str) -> str:
    if text:
        # The id may stand anywhere but in the host: a record must not choose where a click leads.
        host, _, path = text.partition("//")[2].partition("/")
        _require("{" not in host and "{id}" in path and "{" not in path.replace("{id}", ""))
        _url(f"{text.partition('//')[0]}//{host}")
        _require(text.isprintable() and not set(text) & set(" '\"<>"))
    return text


def _require(right: bool) -> None:
    """Raise `ValueError` without words: the table has them, and no value may be shown."""
    if not right:
        raise ValueError


@dataclass(frozen=True)
class Variable:
    """A row: its name outside, its field inside, what is right, `None` where it is required."""

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
        _secrets,
        f"one secret, or several with commas, each of {SHORTEST_SECRET} printable ASCII "
        "characters or more",
    ),
    Variable(
        "MIDDAG_API_URL",
        "middag_api_url",
        _api_url,
        f"{ADDRESS}, but for ?rest_route=/middag-account/v1 where permalinks are plain",
    ),
    Variable("CHATWOOT_URL", "chatwoot_url", _url, ADDRESS),
    Variable("CHATWOOT_ACCOUNT_ID", "chatwoot_account_id", _whole(1, 2**31), "a whole number"),
    Variable("CHATWOOT_API_TOKEN", "chatwoot_api_token", _token, TOKEN),
    Variable("CHATWOOT_WEBHOOK_SECRET", "chatwoot_webhook_secret", _token, TOKEN, ""),
    Variable(
        "CHATWOOT_FRAME_ORIGINS",
        "frame_origins",
        _origins,
        "origins such as https://chat.example.com, separated by commas",
        "",
    ),
    Variable("PANEL_URL", "panel_url", _optional_url, ADDRESS, ""),
    Variable(
        "PANEL_CACHE_URL",
        "cache_url",
        _cache_url,
        "file:PATH, redis://HOST:PORT/N or memory:",
        "file:var/cache",
    ),
    Variable(
        "PANEL_DATABASE_URL",
        "database_url",
        _database_url,
        "sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME",
        "sqlite:///var/panel.db",
    ),
    Variable("PANEL_WORKER", "worker", _choice("", "inside", "separate"), "inside or separate", ""),
    Variable(
        "PANEL_AGENT_PROOF",
        "agent_proof",
        _choice(*PROOF_NAMES),
        " or ".join(PROOF_NAMES),
        PROOF_NAMES[0],
    ),
    Variable(
        "PANEL_EXPIRING_DAYS", "expiring_days", _whole(1, 3650), "a number from 1 to 3650", "30"
    ),
    Variable(
        "PANEL_TIMEZONE", "timezone", _zone, "a name such as America/Sao_Paulo", "America/Sao_Paulo"
    ),
    Variable("PANEL_LOCALE", "locale", _choice("", "en", "pt_BR"), "en or pt_BR", ""),
    Variable(
        "MIDDAG_INTEGER_MONEY",
        "integer_money",
        _choice("", "cents", "units"),
        "cents or units",
        "",
    ),
    Variable("PANEL_MASK", "mask", _choice(*MASK_NAMES), " or ".join(MASK_NAMES), MASK_NAMES[0]),
    Variable(
        "PANEL_VERIFY_BY",
        "verify_by",
        _verify_names,
        "one or several of " + ", ".join(VERIFY_NAMES) + ", separated by commas",
        "key,call",
    ),
    Variable(
        "PANEL_TRUSTED_PROXIES", "trusted_proxies", _whole(0, 10), "a number from 0 to 10", "0"
    ),
    Variable(
        "PANEL_SESSION_HOURS", "session_hours", _whole(1, 720), "a number from 1 to 720", "12"
    ),
    Variable("PANEL_KEEP_DAYS", "keep_days", _whole(1, 3650), "a number from 1 to 3650", "90"),
    Variable("PANEL_INBOXES", "inboxes", _ids, "whole numbers separated by commas", ""),
    Variable("PANEL_CHECK_INBOX", "check_inbox", _yes, "yes or no", "yes"),
    Variable(
        "CHATWOOT_CALLS_PER_MINUTE",
        "calls_per_minute",
        _whole(1, 100_000),
        "a number from 1 to 100000",
        "300",
    ),
    Variable(
        "MIDDAG_CALLS_PER_MINUTE",
        "middag_calls_per_minute",
        _whole(1, 100_000),
        "a number from 1 to 100000",
        "120",
    ),
    Variable("PANEL_METRICS_TOKEN", "metrics_token", _token, TOKEN, ""),
    *(
        Variable(name, name.lower(), _certificates, "a file of certificates that can be read", "")
        for name in CERTIFICATE_NAMES
    ),
    *(
        Variable(name, name.lower(), _proxy_url, "such as http://proxy.example.com:3128", "")
        for name in ("MIDDAG_PROXY", "CHATWOOT_PROXY")
    ),
    *(
        Variable(
            name_link(record),
            f"link_{record}",
            _template,
            "an http:// or https:// address with {id} behind the host, or empty for no link",
            "",
        )
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
            faults.append(f"{variable.name} is missing: it should be {variable.right}")
            continue
        try:
            text.encode()  # bytes that are no UTF-8 come as halves of characters
            values[variable.field] = variable.parse(text or variable.default or "")
        except ValueError:
            faults.append(f"{variable.name} should be {variable.right}")
    if faults:
        raise SettingsError(faults)
    # Set to nothing is another thing than not set: then nothing is derived either.
    empty = {name for name, text in environ.items() if not text.strip()}
    unlinked = frozenset(record for record in RECORDS if name_link(record) in empty)
    return Settings(**_derived(values), unlinked=unlinked)


def _derived(values: dict[str, Any]) -> dict[str, Any]:
    on_sqlite = values["database_url"].startswith("sqlite:")
    values["frame_origins"] = values["frame_origins"] or (origin(values["chatwoot_url"]),)
    values["worker"] = values["worker"] or ("inside" if on_sqlite else "separate")
    files = [values.pop(name.lower()) for name in CERTIFICATE_NAMES]
    values["certificates"] = next(filter(None, files), "")
    links = {record: values.pop(f"link_{record}") for record in RECORDS}
    values["links"] = {record: link for record, link in links.items() if link}
    return values
