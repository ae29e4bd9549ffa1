"""Examines the way to Chatwoot, and the rights of our token there."""

import re
from collections.abc import Callable, Iterable, Iterator

from panel.doctor.back_office import examine_organization, judge_clock, tell_failure
from panel.doctor.diagnosis import FAULT, WARNING, Diagnosis
from panel.errors import PanelError
from panel.services import Services
from panel.upstream.chatwoot import ADMINISTRATOR, ID_ATTRIBUTE, Chatwoot, Condition, connect
from panel.upstream.chatwoot_rejections import REMEDIES, name_rejection
from panel.upstream.inspection import Inspection, inspect
from panel.upstream.transport import Egress

OLDEST_VERSION = (4, 3)


def _ask(shared: Services, path: str) -> Inspection:
    settings = shared.settings
    return inspect(
        settings.chatwoot_url,
        path,
        {"Api-Access-Token": settings.chatwoot_api_token},
        name_rejection,
        Egress(settings.certificates, settings.chatwoot_proxy),
    )


def _connect(shared: Services) -> Chatwoot:
    """Return a client of our own. With the panel's client, a failed question that the panel itself
    seldom asks would stand in `/readyz` until the next examination."""
    settings = shared.settings
    egress = Egress(settings.certificates, settings.chatwoot_proxy)
    client = connect(settings.chatwoot_url, settings.chatwoot_api_token, egress=egress)
    return Chatwoot(client, shared.cache, settings.chatwoot_account_id)


def examine_version(shared: Services) -> Iterator[Diagnosis]:
    """Read the version, which needs no token. The check `setup` reports what a version lacks."""
    answer = _ask(shared, "api")
    version = answer.body.get("version") if isinstance(answer.body, dict) else None
    numbers = re.findall(r"\d+", version)[:2] if isinstance(version, str) else []
    if answer.error or len(numbers) < 2:
        cause = "what answers at CHATWOOT_URL does not say which Chatwoot it is (GET /api)"
        yield Diagnosis(WARNING, cause, "set CHATWOOT_URL to Chatwoot's own address")
    elif tuple(map(int, numbers)) < OLDEST_VERSION:
        oldest = ".".join(map(str, OLDEST_VERSION))
        cause = f"Chatwoot is {version}, older than any that was tried ({oldest})"
        yield Diagnosis(FAULT, cause, "update Chatwoot; from 4.11.2 on its webhooks are accepted")


def examine_token(shared: Services) -> Iterator[Diagnosis]:
    """Examine the token: does the account accept it, and is it an administrator's?"""
    account = shared.settings.chatwoot_account_id
    answer = _ask(shared, f"api/v1/accounts/{account}/agents")
    if answer.error:
        try:
            _connect(shared).check_token()  # raises the right code for a missing account
        except PanelError as error:
            shown_error = error if error.code not in ("paused", "network") else answer.error
            yield tell_failure("Chatwoot", shown_error, REMEDIES)
        return
    profile = _ask(shared, "api/v1/profile")
    if (role := _read_role(profile.body, account)) not in ("", ADMINISTRATOR):
        yield Diagnosis(
            FAULT,
            f"the user of CHATWOOT_API_TOKEN is no administrator, but {role} (not_permitted)",
            REMEDIES["not_permitted"],
        )


def _read_role(profile: object, account: int) -> str:
    accounts = profile.get("accounts") if isinstance(profile, dict) else None
    for row in accounts if isinstance(accounts, list) else ():
        if isinstance(row, dict) and row.get("id") == account:
            return str(row.get("role") or "")
    return ""


def examine_chatwoot_clock(shared: Services) -> Iterator[Diagnosis]:
    yield from judge_clock("Chatwoot", _ask(shared, "api"))


def examine_filter(shared: Services) -> Iterator[Diagnosis]:
    """Examine `contacts/filter`: without it passes find no contacts."""
    try:
        _connect(shared).find_contacts([Condition("email", "nobody@invalid")])
    except PanelError as error:
        failure = tell_failure("Chatwoot (contacts/filter)", error, REMEDIES)
        yield Diagnosis(WARNING, failure.cause, failure.fix)


def try_conversation(number: int) -> Callable[[Services], Iterable[Diagnosis]]:
    """Examine whether the conversation can be read, and the organization that its contact names."""

    def examine(shared: Services) -> Iterator[Diagnosis]:
        try:
            conversation = shared.chatwoot.conversation(number)
        except PanelError as error:
            yield tell_failure(f"Chatwoot (conversation {number})", error, REMEDIES)
            return
        claim = str(conversation.contact.attributes.get(ID_ATTRIBUTE) or "")
        if claim.isascii() and claim.isdigit():
            yield from examine_organization(shared, int(claim))

    return examine
