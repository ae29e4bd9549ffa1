"""Setup's findings beside its steps: obstacles of webhooks, and the gaps of an old Chatwoot.

A problem has to be mended; a note is worth knowing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from panel.cli.setup_plan import SIGNING_VERSION, Exposure
from panel.cli.survey import Survey
from panel.health.finding import Finding
from panel.settings import Settings

SHOW_SECRET = "`flask --app app setup --show-secret` prints the line to set"  # noqa: S105 (words)
# The gaps of a Chatwoot that is older than a version.
LACKS = {
    (4, 16, 0): "an inbox that enforces identity validation does not validate later changes: a "
    "visitor can still claim to be somebody else",
}
# From this version on Chatwoot refuses private addresses, unless they are allowed.
PRIVATE_REFUSED = (4, 14, 0)
OLDEST_TRIED = (4, 3, 0)


@dataclass(frozen=True)
class SetupProblem:
    """`is_next`: the problem is the usual next work of an administrator after a good setup."""

    text: str
    is_next: bool = False


def write_version(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def find_version_problems(survey: Survey) -> Iterator[SetupProblem]:
    """Yield the problem of a Chatwoot that signs no webhooks: none of them can be accepted."""
    if survey.version and survey.version < SIGNING_VERSION:
        yield SetupProblem(
            f"Chatwoot {write_version(survey.version)} does not sign its webhooks (it does from "
            f"{write_version(SIGNING_VERSION)} on), so none can be accepted. New conversations are "
            "named by the passes of their organization alone: after a hook of the plugin, and at "
            "night."
        )


def find_webhook_problems(
    survey: Survey, settings: Settings, arrivals: Finding
) -> Iterator[SetupProblem]:
    """Yield the problems of the present webhook; `arrivals`: the finding about its deliveries."""
    webhook, ours = survey.webhook, settings.chatwoot_webhook_secret
    if "webhooks" in survey.unlisted:
        yield SetupProblem("The webhook cannot be seen with this token: it is no administrator's.")
    elif webhook is None:
        return
    elif not (theirs := webhook.get("secret")) and survey.version >= SIGNING_VERSION:
        yield SetupProblem(
            "The webhook has no secret, so Chatwoot does not sign it: remove it, run setup again."
        )
    elif theirs and not ours:
        text = f"CHATWOOT_WEBHOOK_SECRET is empty, so every webhook is refused: {SHOW_SECRET}."
        yield SetupProblem(text, is_next=True)
    elif theirs and theirs != ours:
        yield SetupProblem(
            f"CHATWOOT_WEBHOOK_SECRET is not the secret of the webhook: {SHOW_SECRET}."
        )
    yield from _find_arrival_problems(survey, arrivals)


def _find_arrival_problems(survey: Survey, arrivals: Finding) -> Iterator[SetupProblem]:
    if arrivals.word == "refused":
        yield SetupProblem(f"Webhooks are {arrivals.detail}.")
    elif arrivals.word == "unknown":
        text = f"Whether webhooks arrive cannot be told: {arrivals.detail}."
        yield SetupProblem(text, is_next=True)
    elif arrivals.word in ("never", "unused"):
        text = f"No webhook has ever been accepted. {_explain_silence(survey)}"
        yield SetupProblem(text, is_next=True)


def _explain_silence(survey: Survey) -> str:
    words = (
        "Write to an inbox as a customer. If none comes, Chatwoot cannot reach PANEL_URL: see the "
        "log of its Sidekiq"
    )
    if survey.version and survey.version < PRIVATE_REFUSED:
        return f"{words}."
    return (
        f"{words}. Since {write_version(PRIVATE_REFUSED)} it refuses private addresses (`has no "
        "public ip addresses`) unless it has SAFE_FETCH_ALLOW_PRIVATE_NETWORK=true."
    )


def write_notes(survey: Survey, exposure: Exposure) -> Iterator[str]:
    """Yield notes about the version of Chatwoot, other panels, and the abilities of a visitor."""
    yield from _write_version_notes(survey.version)
    for place in survey.others:
        yield (
            f"Another panel is registered in this account: {place} (neither its launch key nor its "
            "webhook's secret is ours). Two panels overwrite each other's attributes. If it is a "
            "former address of this one, remove its tab and webhook by hand."
        )
    yield from _write_exposure_notes(exposure)


def _write_version_notes(version: tuple[int, ...]) -> Iterator[str]:
    if not version:
        yield "Chatwoot does not say its version (GET /api): what an old one lacks is not known."
        return
    if version < OLDEST_TRIED:
        yield f"The oldest Chatwoot that was tried is {write_version(OLDEST_TRIED)}."
    for since, lack in LACKS.items():
        if version < since:
            yield f"Chatwoot {write_version(version)} is older than {write_version(since)}: {lack}."


def _write_exposure_notes(exposure: Exposure) -> Iterator[str]:
    if exposure.waiting or exposure.identifiers:
        ours = "an unknown number" if exposure.waiting is None else exposure.waiting
        yield (
            f"Identifiers that can be guessed: {exposure.identifiers} in Chatwoot, {ours} in our "
            "own table. The next pass of their organization removes them; `flask sync reconcile` "
            "lines up all."
        )
    for name in exposure.open_inboxes:
        yield (
            f"Inbox {name}: identity validation is not enforced. A visitor can claim to be whoever "
            "has an e-mail, phone or identifier, and read that contact (docs/security.md)."
        )
