"""Examines the settings alone, and the addresses in them."""

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from panel.doctor.diagnosis import FAULT, WARNING, Diagnosis
from panel.environment.parsers import origin
from panel.environment.variables import VERIFY_NAMES
from panel.services import Services
from panel.upstream.inspection import explain_network, inspect, read_expiry
from panel.upstream.transport import Egress

LOCAL = {"localhost", "127.0.0.1", "::1"}
SOON_DAYS = 14
STRONG_PROOFS = {"key", "call"}
DAY = 86400.0
API_PATH = "middag-account/v1"


def examine_secrets(shared: Services) -> Iterator[Diagnosis]:
    """Look for quotation marks around secrets: they belong to a shell's syntax, and were copied
    along."""
    settings = shared.settings
    values_by_name = {
        "CHATWOOT_CONTACT_VIEW_SECRET": settings.secrets,
        "CHATWOOT_API_TOKEN": (settings.chatwoot_api_token,),
        "CHATWOOT_WEBHOOK_SECRET": (settings.chatwoot_webhook_secret,),
        "PANEL_METRICS_TOKEN": (settings.metrics_token,),
    }
    for name, values in values_by_name.items():
        if any(value[:1] in ("'", '"') or value[-1:] in ("'", '"') for value in values):
            yield Diagnosis(FAULT, f"{name} has quotes around it", "remove the quotes, restart")


def examine_addresses(shared: Services) -> Iterator[Diagnosis]:
    settings = shared.settings
    if path := urlsplit(settings.chatwoot_url).path:
        yield Diagnosis(
            WARNING,
            f"CHATWOOT_URL has a path ({path})",
            "set it to Chatwoot's address alone, such as https://chat.example.com",
        )
    if API_PATH not in settings.middag_api_url:
        fix = f"it ends in /wp-json/{API_PATH}"
        yield Diagnosis(WARNING, "MIDDAG_API_URL does not look like the plugin's API", fix)
    for name, url in _list_addresses(shared):
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname not in LOCAL:
            cause = f"{name} is http: whoever is between reads secrets and customers"
            yield Diagnosis(WARNING, cause, "use https")


def _list_addresses(shared: Services) -> list[tuple[str, str]]:
    settings = shared.settings
    urls = {
        "CHATWOOT_URL": settings.chatwoot_url,
        "MIDDAG_API_URL": settings.middag_api_url,
        "PANEL_URL": settings.panel_url,
    }
    return [(name, url) for name, url in urls.items() if url]


def examine_certificates(shared: Services) -> Iterator[Diagnosis]:
    """Examine whether certificates expire soon. The check that connects there reports an expired
    one."""
    for name, url in _list_addresses(shared):
        ends = read_expiry(url, shared.settings.certificates)
        if ends is not None and (days := (ends - time.time()) / DAY) < SOON_DAYS:
            cause = f"the TLS certificate at {name} ends in {days:.0f} days"
            yield Diagnosis(WARNING, cause, "renew it: see why the renewal does not run")


def examine_panel_url(shared: Services) -> Iterator[Diagnosis]:
    """Examine whether this machine reaches a panel at PANEL_URL."""
    settings = shared.settings
    if not settings.panel_url:
        cause = "PANEL_URL is empty, so neither setup nor webhooks know where the panel is"
        yield Diagnosis(WARNING, cause, "set it to where agents reach the panel, restart")
        return
    answer = inspect(settings.panel_url, "healthz", {}, egress=Egress(settings.certificates))
    if answer.error:
        why = explain_network(answer.error) or answer.error.code
        yield Diagnosis(
            FAULT, f"no panel answers at PANEL_URL: {why}", "correct PANEL_URL, or the proxy there"
        )


def examine_frame(shared: Services) -> Iterator[Diagnosis]:
    settings = shared.settings
    place = origin(settings.chatwoot_url)
    place = "://".join((urlsplit(place).scheme, urlsplit(place).netloc))
    if place not in settings.frame_origins:
        yield Diagnosis(
            WARNING,
            f"CHATWOOT_FRAME_ORIGINS does not name {place}: a browser refuses to show the panel in "
            "Chatwoot if agents open it there",
            "name every address at which agents open Chatwoot",
        )
    if settings.agent_proof != "shared-secret" and settings.panel_url.startswith("http://"):
        cause = f"{settings.agent_proof} needs https, and PANEL_URL is http"
        yield Diagnosis(FAULT, cause, "serve the panel by https")


def examine_verification(shared: Services) -> Iterator[Diagnosis]:
    """Examine PANEL_VERIFY_BY: a value that anybody can look up, or that visitors type themselves,
    proves nothing."""
    settings = shared.settings
    weak = [name for name in VERIFY_NAMES if name in settings.verify_by - STRONG_PROOFS]
    if weak:
        cause = f"PANEL_VERIFY_BY takes {', '.join(weak)} for a proof of who is writing"
        yield Diagnosis(
            WARNING, cause, "leave only key and call: the others may be known to anybody"
        )


def examine_sharing(shared: Services) -> Iterator[Diagnosis]:
    """Examine whether several machines would share the cache: a database server suggests that there
    are several."""
    settings = shared.settings
    if settings.database_url.startswith("postgresql:") and not settings.cache_url.startswith(
        "redis"
    ):
        kind = settings.cache_url.partition(":")[0]
        yield Diagnosis(
            WARNING,
            f"the database is shared and the cache ({kind}:) is not: another machine shows what a "
            "hook outdated for up to a minute",
            "set PANEL_CACHE_URL to one Redis for all, or SQLite where there is one machine",
        )
