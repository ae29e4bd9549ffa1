"""Search for an organization: in the search index, and by id at the back office too.

The results reveal no more than the mask allows: of a masked kind, only that the search matched it.
"""

import re
from dataclasses import dataclass

from panel.auth.throttle import UNKNOWN_IDS
from panel.cache.policy import CacheControl
from panel.customer.acquaintance import learn_organization
from panel.customer.disclosure import EMAIL, LICENSE_KEY, PHONE_NUMBER, TAX_ID, masked_kinds
from panel.data.directory import Known
from panel.data.search_index import (
    BY_EMAIL,
    BY_ENTITLEMENT,
    BY_ID,
    BY_NAME,
    BY_PHONE,
    BY_TAX_ID,
    Hit,
    Hits,
    parse_query,
)
from panel.errors import Missing, PanelError
from panel.models.organizations import Organization
from panel.services import Services
from panel.upstream.documents import ORGANIZATION

# As people write an id. With other signs it is a phone or a tax id, which nobody may ask the back
# office for as an id: the address of that call stands in logs.
WRITTEN_ID = re.compile(r"#?([0-9]{1,18})")


@dataclass(frozen=True)
class Result:
    """An organization of the results. `tax_id`: whether it has one. `why`: the kind and the word of
    the match, where the shown texts do not contain the word; where the kind is masked, the kind
    alone."""

    organization: int
    name: str
    city: str | None
    plan: str | None
    tax_id: bool
    why: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Results:
    """`asked` False: the query has too few words; `code`: why the back office could not be asked.
    `by_number`: the query may be an id, for which the back office was asked."""

    query: str
    rows: tuple[Result, ...] = ()
    more: bool = False
    asked: bool = True
    by_number: bool = False
    code: str = ""


# The kind of value that a word of each kind would reveal.
VALUES_OF_WORDS = {
    BY_TAX_ID: TAX_ID,
    BY_EMAIL: EMAIL,
    BY_PHONE: PHONE_NUMBER,
    BY_ENTITLEMENT: LICENSE_KEY,
}


def find_masked_words(mask: str, trust: str) -> frozenset[str]:
    """Return the kinds of words that are not echoed.

    A tax id is never echoed: a search proves nothing about the person.
    """
    masked = masked_kinds(mask, trust)
    return frozenset({BY_TAX_ID}) | {
        word for word, value in VALUES_OF_WORDS.items() if value in masked
    }


def says_enough(query: str) -> bool:
    """Tell whether the query has a word to search by."""
    return bool(parse_query(query))


def search(services: Services, query: str, masked: frozenset[str], agent: int) -> Results:
    """`masked`: kinds of words that are not shown; `agent`: the agent whose look-ups are counted.

    Raises `Unreachable("database")`: a search that cannot be carried out is not "nothing found".
    """
    query = " ".join(query.split())
    question = parse_query(query)
    if not question:
        return Results(query, asked=False)
    hits = services.search_index.find(query)
    rows = _make_results(services, hits, masked)
    number = _read_id(query, hits)
    if number is None or any(row.organization == number for row in rows):
        return Results(query, tuple(rows), hits.more, by_number=number is not None)
    by_id, code = _search_by_id(services, number, agent)
    return Results(query, (*by_id, *rows), hits.more, by_number=True, code=code)


def _read_id(query: str, hits: Hits) -> int | None:
    """Return the id that the query may be: digits that are nobody's phone or tax id."""
    written = WRITTEN_ID.fullmatch(query)
    is_taken = any(hit.matched.keys() & {BY_PHONE, BY_TAX_ID} for hit in hits.rows)
    return int(written[1]) if written and not is_taken else None


def _make_results(services: Services, hits: Hits, masked: frozenset[str]) -> list[Result]:
    """An organization that no pass has seen has its name in the kept copy, if there is one."""
    organizations = services.directory.get_organizations([hit.organization for hit in hits.rows])
    results: list[Result] = []
    for hit in hits.rows:
        organization = organizations.get(hit.organization) or _peek(services, hit.organization)
        if organization:
            results.append(_make_result(organization, hit, masked))
    return results


def _peek(services: Services, number: int) -> Organization | None:
    try:
        reading = services.back_office.peek(ORGANIZATION, number)
    except PanelError:
        return None  # gone, or refused: its copy is not shown
    return reading.value if reading else Organization(number, f"#{number}")


def _make_result(organization: Known | Organization, hit: Hit, masked: frozenset[str]) -> Result:
    is_visible = BY_NAME in hit.matched or BY_ID in hit.matched
    words = [(kind, "" if kind in masked else word) for kind, word in hit.matched.items()]
    why = [] if is_visible else words
    return Result(
        organization.id,
        organization.name,
        organization.city,
        organization.plan,
        bool(organization.tax_id),
        tuple(why),
    )


def _search_by_id(services: Services, number: int, agent: int) -> tuple[list[Result], str]:
    """Ask the back office for an id that no pass has seen: one read, whose answer is kept. The
    reads are limited by the minute for each agent, since ids can be counted through."""
    if not number:
        return [], ""
    try:
        reading = services.back_office.peek(ORGANIZATION, number)
        if reading is None:
            limit = services.authenticator.attempts.count(UNKNOWN_IDS, f"agent {agent}")
            if limit:
                return [], "too_many_ids"
            reading = services.back_office.read(
                ORGANIZATION, number, CacheControl.STALE_WHILE_REVALIDATE
            )
            learn_organization(services, reading)
    except Missing:
        return [], ""
    except PanelError as error:
        return [], error.code
    organization = reading.value
    return [
        Result(
            organization.id,
            organization.name,
            organization.city,
            organization.plan,
            bool(organization.tax_id),
        )
    ], ""
