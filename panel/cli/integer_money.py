"""The meaning of `MIDDAG_INTEGER_MONEY`, explained with real amounts from the back office."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from panel.cache.policy import CacheControl
from panel.errors import Missing, PanelError, Refused
from panel.models.money import CENTS, UNITS, Money, UnclearAmount, read_amount
from panel.models.orders import Order, Quote
from panel.upstream.documents import ORDERS, QUOTES, Document, RecordList
from panel.upstream.middag import BackOffice

EXAMPLES = 3
MOST_ASKED = 20  # organizations that are searched for examples
DOCUMENTS_WITH_MONEY: Mapping[str, Document[Any]] = {"order": ORDERS, "quote": QUOTES}


def explain_integer_money(back_office: BackOffice, organizations: Iterable[int]) -> list[str]:
    """Return lines for an administrator who has not set it, with amounts that are unclear without
    it.

    `organizations`: those whose orders and quotes may be read. Raises nothing.
    """
    sample = list(islice(organizations, MOST_ASKED))
    if not sample:
        return [
            "MIDDAG_INTEGER_MONEY is not set, and no organization is known yet: run setup again",
            "after the first pass, to see real amounts.",
        ]
    try:
        examples = list(islice(_list_examples(back_office, sample), EXAMPLES))
    except PanelError as error:
        return [f"Whether MIDDAG_INTEGER_MONEY is needed is not known: the back office: {error}"]
    if not examples:
        return [f"No amount of {len(sample)} organizations needs MIDDAG_INTEGER_MONEY."]
    return [
        "MIDDAG_INTEGER_MONEY is not set, and the back office writes amounts as whole numbers:",
        *(f"  - {example}" for example in examples),
        "Look one of them up in the back office, then set it to cents or units. Until then the",
        "panel calls such amounts unclear, and leaves them out of totals.",
    ]


def _list_examples(back_office: BackOffice, organizations: Iterable[int]) -> Iterator[str]:
    for organization in organizations:
        for noun, document in DOCUMENTS_WITH_MONEY.items():
            for row in _read_rows(back_office, document, organization):
                if isinstance(row.total, UnclearAmount):
                    readings = _describe(row.total)
                    yield f"{noun} {row.id} of organization {organization}: {readings}"


def _read_rows(
    back_office: BackOffice, document: Document[Any], organization: int
) -> Iterable[Order | Quote]:
    """Return the rows of a document; empty for an organization that is gone, or that may not be
    read."""
    try:
        records: RecordList[Any] = back_office.read(
            document, organization, CacheControl.FRESH
        ).value
    except (Missing, Refused):
        return ()
    return records.rows


def _describe(amount: UnclearAmount) -> str:
    cents, units = (
        read_amount(int(amount.number), amount.currency, reading) for reading in (CENTS, UNITS)
    )
    return f"{amount.number:f} is {_write(cents)} as cents, {_write(units)} as units"


def _write(amount: Money | UnclearAmount | None) -> str:
    return f"{amount.amount:f} {amount.currency}".strip() if isinstance(amount, Money) else ""
