"""Search for an organization: in the search index, and by id at the back office too.

It says no more than the mask: of a masked kind, only that it was found by it.
"""

from dataclasses import dataclass

from panel.cache.policy import CacheControl
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
    parse_query,
)
from panel.errors import Missing, PanelError
from panel.services import Services
from panel.upstream.documents import ORGANIZATION

LONGEST_ID = 18


@dataclass(frozen=True)
class Result:
    """`tax_id`: there is one. `why`: kind and word, where the words are not seen anyway; of what is
    masked the kind alone."""

    organization: int
    name: str
    city: str | None
    plan: str | None
    tax_id: bool
    why: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Results:
    """`asked` False: too little to search by; `code`: why the back office could not be asked."""

    query: str
    rows: tuple[Result, ...] = ()
    more: bool = False
    asked: bool = True
    code: str = ""


# What a word of a masked kind would tell.
VALUES_OF_WORDS = {
    BY_TAX_ID: TAX_ID,
    BY_EMAIL: EMAIL,
    BY_PHONE: PHONE_NUMBER,
    BY_ENTITLEMENT: LICENSE_KEY,
}


def find_masked_words(mask: str, trust: str) -> frozenset[str]:
    """The kinds of words that are not echoed.

    A tax id never is: whom a search finds, nobody has proven.
    """
    masked = masked_kinds(mask, trust)
    return frozenset({BY_TAX_ID}) | {
        word for word, value in VALUES_OF_WORDS.items() if value in masked
    }


def says_enough(query: str) -> bool:
    """Is there a word to search by?"""
    return bool(parse_query(query))


def search(services: Services, query: str, masked: frozenset[str]) -> Results:
    """`masked`: kinds of words that are not shown.

    Raises `Unreachable("database")`: what cannot be searched is not "nothing found".
    """
    query = " ".join(query.split())
    wanted = parse_query(query)
    if not wanted:
        return Results(query, asked=False)
    hits = services.search_index.find(query)
    known = services.directory.get_organizations([hit.organization for hit in hits.rows])
    rows = [
        _make_result(known[hit.organization], hit, masked)
        for hit in hits.rows
        if hit.organization in known
    ]
    number = wanted[0][0] if wanted[0][0].isdigit() and len(wanted) == 1 else ""
    if not number or len(number) > LONGEST_ID or any(str(each) == number for each in known):
        return Results(query, tuple(rows), hits.more)
    named, code = _search_by_id(services, int(number))
    return Results(query, (*named, *rows), hits.more, code=code)


def _make_result(known: Known, hit: Hit, masked: frozenset[str]) -> Result:
    seen = BY_NAME in hit.matched or BY_ID in hit.matched
    told = [(kind, "" if kind in masked else word) for kind, word in hit.matched.items()]
    why = [] if seen else told
    return Result(known.id, known.name, known.city, known.plan, bool(known.tax_id), tuple(why))


def _search_by_id(services: Services, number: int) -> tuple[list[Result], str]:
    """What no pass has seen yet may be known at the back office all the same."""
    if not number:
        return [], ""
    try:
        found = services.back_office.read(
            ORGANIZATION, number, CacheControl.STALE_WHILE_REVALIDATE
        ).value
    except Missing:
        return [], ""
    except PanelError as error:
        return [], error.code
    return [Result(found.id, found.name, found.city, found.plan, bool(found.tax_id))], ""
