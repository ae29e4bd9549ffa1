"""Examines the way to the back office, and its answers."""

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from panel.data import schema
from panel.data.db import transaction
from panel.data.migrations.version import WrongSchema
from panel.data.pass_states import list_failing
from panel.doctor.diagnosis import FAULT, WARNING, Diagnosis
from panel.errors import Missing, PanelError
from panel.models.money import UnclearAmount
from panel.services import Services
from panel.upstream.cache_headers import find_age
from panel.upstream.documents import ORDERS, ORGANIZATION, QUOTES, Document
from panel.upstream.inspection import Inspection, explain_network, inspect
from panel.upstream.middag_rejections import BACK_OFFICE_REMEDIES, name_rejection
from panel.upstream.transport import Egress

NOBODY = 999_999_999  # no organization has this id: the answer "unknown" shows that the API works
MOST_SAMPLED = 2  # organizations
MOST_SKEW_SECONDS = 60.0
SAMPLED: tuple[Document[Any], ...] = (ORGANIZATION, ORDERS, QUOTES)
NETWORK_FIX = "look at name, port, firewall and certificate there (docs/operate.md)"


def ask_back_office(shared: Services, secret: str) -> Inspection:
    """Ask for the organization that is known longest, as a section would; an empty secret asks as a
    guest."""
    settings, number = shared.settings, list_known(shared)[0]
    return inspect(
        settings.middag_api_url,
        ORGANIZATION.path.format(id=number),
        {"Authorization": f"Bearer {secret}"} if secret else {},
        name_rejection,
        Egress(settings.certificates, settings.middag_proxy),
        params={"org": number},
        headers={"X-Middag-Organization": str(number), "Cache-Control": "no-cache"},
    )


def list_known(shared: Services) -> list[int]:
    """Return organizations to ask for: first those whose passes fail, as they show the cause.

    Returns `[NOBODY]` where the database knows none, is away, or does not exist: opening a missing
    file would make it.
    """
    try:
        schema.require_current(shared.database)
        ids = shared.directory.list_organizations()[:MOST_SAMPLED]
        with transaction(shared.database) as connection:
            failing = [row.organization for row in list_failing(connection)]
    except (WrongSchema, SQLAlchemyError, PanelError):
        return [NOBODY]
    return list(dict.fromkeys([*failing, *ids]))[:MOST_SAMPLED] or [NOBODY]


def tell_failure(whose: str, error: PanelError, remedies: Any) -> Diagnosis:
    """Make the diagnosis of an outside world's failure; `whose`: its name for administrators."""
    why = explain_network(error) if error.code in ("network", "timeout") else error.detail
    cause = f"{whose} does not answer as it should: {error.code}" + (f", {why}" if why else "")
    fallback = NETWORK_FIX if error.code in ("network", "timeout") else "see its own log"
    return Diagnosis(FAULT, cause, remedies.get(error.code, fallback))


def examine_secret(shared: Services) -> Iterator[Diagnosis]:
    """Try all secrets of the list: while they rotate, the first may be refused."""
    first, *rest = [ask_back_office(shared, secret) for secret in shared.settings.secrets]
    if _is_answered(first):
        return
    accepted = [number for number, answer in enumerate(rest, 2) if _is_answered(answer)]
    if accepted:
        yield Diagnosis(
            WARNING,
            f"the back office accepts number {accepted[0]} of the list in "
            "CHATWOOT_CONTACT_VIEW_SECRET, and refuses the first, which is the one that we send",
            "give the plugin the first one, or put the accepted one first, and restart",
        )
    elif first.error:
        yield tell_failure("the back office", first.error, BACK_OFFICE_REMEDIES)


def _is_answered(answer: Inspection) -> bool:
    return answer.error is None or isinstance(answer.error, Missing)


def examine_privacy(shared: Services) -> Iterator[Diagnosis]:
    """Ask without the secret, which has to be refused: otherwise a cache there answers
    everybody."""
    answer = ask_back_office(shared, "")
    if 200 <= answer.status < 300 and answer.error is None:
        yield Diagnosis(
            FAULT,
            "the back office answers without the secret: a page cache or an open plugin shows "
            "customers to everybody",
            BACK_OFFICE_REMEDIES["cached_upstream"],
        )
    elif find_age(answer.headers) != 0.0:
        yield Diagnosis(
            WARNING,
            "a cache stands between the panel and the back office",
            BACK_OFFICE_REMEDIES["cached_upstream"],
        )


def examine_office_clock(shared: Services) -> Iterable[Diagnosis]:
    return judge_clock("the back office", ask_back_office(shared, shared.settings.secret))


def judge_clock(whose: str, answer: Inspection) -> Iterator[Diagnosis]:
    skew = answer.skew if answer.status else None
    if skew is not None and abs(skew) > MOST_SKEW_SECONDS:
        way = "behind" if skew > 0 else "ahead of"
        yield Diagnosis(
            FAULT,
            f"this machine's clock is {abs(skew):.0f} s {way} that of {whose}",
            "let NTP set the clock on both machines",
        )


def examine_documents(shared: Services) -> Iterator[Diagnosis]:
    """Read real records of a few organizations, and report illegible ones and unclear amounts."""
    for number in list_known(shared):
        if number != NOBODY:
            yield from examine_organization(shared, number)


def examine_organization(shared: Services, number: int) -> Iterator[Diagnosis]:
    """Read an organization's documents, up to the first failure: the next one would fail alike."""
    for document in SAMPLED:
        try:
            value = shared.back_office.fetch(document, number)
        except Missing:
            return
        except PanelError as error:
            whose = f"the back office ({document.name} of organization {number})"
            yield tell_failure(whose, error, BACK_OFFICE_REMEDIES)
            return
        yield from _judge_rows(document.name, number, value)


def _judge_rows(name: str, number: int, value: Any) -> Iterator[Diagnosis]:
    totals = [getattr(row, "total", None) for row in getattr(value, "rows", ())]
    if any(isinstance(total, UnclearAmount) for total in totals):
        yield Diagnosis(
            WARNING,
            f"MIDDAG_INTEGER_MONEY is not set, and {name} of organization {number} have amounts "
            "as whole numbers: units or cents?",
            "`setup --dry-run` shows both readings; look one up, set cents or units",
        )
    if unread := getattr(value, "unread", 0):
        cause = f"{unread} of the {name} of organization {number} cannot be read"
        yield Diagnosis(WARNING, cause, "the log names record and field")
