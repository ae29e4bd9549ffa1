"""Examines whether PANEL_URL leads to this very installation, and what happens to a request on its
way."""

import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec

from panel.doctor.diagnosis import FAULT, SKIPPED, WARNING, Diagnosis
from panel.environment.parsers import origin
from panel.services import Services
from panel.settings import Settings
from panel.upstream.inspection import Inspection, inspect
from panel.upstream.transport import Egress
from panel.web.arrival import (
    CHALLENGE_SECONDS,
    ArrivalReport,
    make_challenge_key,
    prove_settings,
)

RESTART = "restart the panel with the settings of its service, and run doctor with the same ones"


def examine_installation(shared: Services) -> Iterator[Diagnosis]:
    """Compare the installation at PANEL_URL with ours; the check `panel_url` reports a missing
    one."""
    settings, challenge = shared.settings, secrets.token_hex(16)
    if not settings.panel_url:
        yield Diagnosis(SKIPPED, "PANEL_URL is empty")
        return
    key = make_challenge_key(challenge)
    is_noted = shared.cache.store.note(key, challenge, CHALLENGE_SECONDS)
    answer = _ask(settings, "healthz", {"challenge": challenge})
    if answer.error:
        return
    report = _read_report(answer.body)
    if report is None:
        yield Diagnosis(WARNING, "what answers at PANEL_URL is no panel of this version", RESTART)
    elif report.proof != prove_settings(settings, challenge):
        cause = "the panel at PANEL_URL is another installation, or runs with other settings"
        yield Diagnosis(FAULT, cause, RESTART)
    else:
        yield from _judge_way(settings, report)
        if is_noted and not report.cache and not settings.cache_url.startswith("memory:"):
            cause = "the panel at PANEL_URL has another cache than these settings: two that are one"
            yield Diagnosis(
                FAULT,
                f"{cause} by name only show what a hook outdated for up to a minute",
                "one Redis for all machines, or the same folder of the same machine",
            )


def _ask(settings: Settings, path: str, params: dict[str, str] | None = None) -> Inspection:
    egress = Egress(settings.certificates)
    return inspect(settings.panel_url, path, {}, egress=egress, params=params or {})


def _read_report(body: object) -> ArrivalReport | None:
    try:
        return msgspec.convert(body, ArrivalReport)
    except msgspec.ValidationError:
        return None


def _judge_way(settings: Settings, report: ArrivalReport) -> Iterator[Diagnosis]:
    trusted, scheme = settings.trusted_proxies, urlsplit(settings.panel_url).scheme
    if report.hops > trusted:
        yield Diagnosis(
            WARNING,
            f"requests come through {report.hops} proxies, and PANEL_TRUSTED_PROXIES is {trusted}: "
            "all clients share an address, and links and cookies may be wrong",
            f"PANEL_TRUSTED_PROXIES={report.hops}, restart",
        )
    elif report.hops < trusted:
        yield Diagnosis(
            FAULT,
            f"PANEL_TRUSTED_PROXIES is {trusted}, and requests name {report.hops}: anybody may say "
            "which address is theirs",
            "let the proxy set X-Forwarded-For (deploy/nginx/panel-proxy.conf), or correct the "
            "number",
        )
    elif report.scheme != scheme:
        yield Diagnosis(
            FAULT,
            f"PANEL_URL is {scheme}, and the panel is told {report.scheme}",
            "let the proxy set X-Forwarded-Proto, and name it in PANEL_TRUSTED_PROXIES",
        )


def examine_policy(shared: Services) -> Iterator[Diagnosis]:
    """Examine the policy as it comes out of the proxy, which the browser in Chatwoot's page
    obeys."""
    settings = shared.settings
    if not settings.panel_url:
        yield Diagnosis(SKIPPED, "PANEL_URL is empty")
        return
    answer = _ask(settings, "")
    if answer.status != 200:
        return
    chatwoot, panel = origin(settings.chatwoot_url), origin(settings.panel_url)
    place = f"{urlsplit(chatwoot).scheme}://{urlsplit(chatwoot).netloc}"
    policies = answer.headers.get("Content-Security-Policy") or ""
    refusing = [
        sources for sources in _list_ancestors(policies) if not _allows(sources, place, panel)
    ]
    if refusing or "frame-ancestors" not in policies:
        yield Diagnosis(
            FAULT,
            f"as it comes out of the proxy, the panel may not be shown in {place}",
            "CHATWOOT_FRAME_ORIGINS names it, and no proxy adds or removes Content-Security-Policy",
        )
    if answer.headers.get("X-Frame-Options"):
        cause = "a proxy adds X-Frame-Options, so browsers may refuse to show the panel in Chatwoot"
        yield Diagnosis(WARNING, cause, "remove that header from the proxy's configuration")


def _list_ancestors(policies: str) -> list[list[str]]:
    """Return the sources of each `frame-ancestors`. A browser obeys all policies, also several in
    one header."""
    directives = [words.split() for words in policies.replace(",", ";").split(";")]
    return [words[1:] for words in directives if words[:1] == ["frame-ancestors"]]


def _allows(sources: list[str], place: str, panel: str) -> bool:
    return place in sources or "*" in sources or ("'self'" in sources and place == panel)
