"""The settings, read once from the environment: every fault is named at once, no value printed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from panel.environment.parsers import origin
from panel.environment.variables import CERTIFICATE_NAMES, RECORDS, VARIABLES, name_link


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
    # A link's variable that is set to an empty text says: no link. Where the variable is not set,
    # the address of the link is derived.
    empty = {name for name, text in environ.items() if not text.strip()}
    unlinked = frozenset(record for record in RECORDS if name_link(record) in empty)
    return Settings(**_derive(values), unlinked=unlinked)


def _derive(values: dict[str, Any]) -> dict[str, Any]:
    on_sqlite = values["database_url"].startswith("sqlite:")
    values["frame_origins"] = values["frame_origins"] or (origin(values["chatwoot_url"]),)
    values["worker"] = values["worker"] or ("inside" if on_sqlite else "separate")
    files = [values.pop(name.lower()) for name in CERTIFICATE_NAMES]
    values["certificates"] = next(filter(None, files), "")
    links = {record: values.pop(f"link_{record}") for record in RECORDS}
    values["links"] = {record: link for record, link in links.items() if link}
    return values
