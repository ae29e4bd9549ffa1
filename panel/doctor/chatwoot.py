"""What is wrong with the way to Chatwoot, and with what our token may do there."""

import re
from collections.abc import Callable, Iterable, Iterator

from panel.doctor.back_office import examine_organization, judge_clock, tell_failure
from panel.doctor.diagnosis import FAULT, WARNING, Diagnosis
from panel.errors import PanelError
from panel.services import Services
from panel.upstream.chatwoot import ADMINISTRATOR, ID_ATTRIBUTE, Condition
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


def examine_version(shared: Services) -> Iterator[Diagnosis]:
    """It is told without a token. What a version lacks for us, the check `setup` tells."""
    found = _ask(shared, "api")
    told = found.body.get("version") if isinstance(found.body, dict) else None
    numbers = re.findall(r"\d+", told)[:2] if isinstance(told, str) else []
    if found.error or len(numbers) < 2:
        cause = "what answers at CHATWOOT_URL does not say which Chatwoot it is (GET /api)"
        yield Diagnosis(WARNING, cause, "set CHATWOOT_URL to Chatwoot's own address")
    elif tuple(map(int, numbers)) < OLDEST_VERSION:
        wanted = ".".join(map(str, OLDEST_VERSION))
        cause = f"Chatwoot is {told}, older than any that was tried ({wanted})"
        yield Diagnosis(FAULT, cause, "update Chatwoot; from 4.11.2 on its webhooks are accepted")


def examine_token(shared: Services) -> Iterator[Diagnosis]:
    """Whether the account answers it, and whether it is an administrator's."""
    account = shared.settings.chatwoot_account_id
    found = _ask(shared, f"api/v1/accounts/{account}/agents")
    if found.error:
        try:
            shared.chatwoot.check_token()  # it tells an account that is not there
        except PanelError as error:
            found_error = error if error.code not in ("paused", "network") else found.error
            yield tell_failure("Chatwoot", found_error, REMEDIES)
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
    """Passes find contacts with it; without it no customer is brought in line."""
    try:
        shared.chatwoot.find_contacts([Condition("email", "nobody@invalid")])
    except PanelError as error:
        told = tell_failure("Chatwoot (contacts/filter)", error, REMEDIES)
        yield Diagnosis(WARNING, told.cause, told.fix)


def try_conversation(number: int) -> Callable[[Services], Iterable[Diagnosis]]:
    """Whether the conversation can be read, and the organization that stands in its contact."""

    def examine(shared: Services) -> Iterator[Diagnosis]:
        try:
            read = shared.chatwoot.conversation(number)
        except PanelError as error:
            yield tell_failure(f"Chatwoot (conversation {number})", error, REMEDIES)
            return
        claimed = str(read.contact.attributes.get(ID_ATTRIBUTE) or "")
        if claimed.isascii() and claimed.isdigit():
            yield from examine_organization(shared, int(claimed))

    return examine
