"""The readers of an opened row: of its record, and of the records that it is tied to.

The record stands in the copy that its section was drawn from. The values that the list leaves out
are read by the record's id, which comes from that copy. So an agent cannot reach a record of
another organization, or one that does not exist.
"""

from collections.abc import Callable
from datetime import date
from typing import Any

from panel.errors import Missing
from panel.models.dates import order_key
from panel.models.licenses import License
from panel.models.lines import Grant, holds
from panel.models.orders import Order, Quote
from panel.models.organizations import Collaborator, Organization
from panel.upstream.documents import LICENSES, ORDERS, QUOTES, Document, RecordList
from panel.upstream.record_documents import ENTITLEMENT, ENTITLEMENT_ORDERS, ORDER, PEOPLE, QUOTE
from panel.web.details import UNTOLD, DetailPart, Details, Reader, Wanted
from panel.web.groups import Moment, read_status
from panel.web.sections import Section

MOST_RENEWALS = 3  # quotes that are read one by one, to see what each renews
ROLE_ORDER = ("owner", "admin", "member", "guest", "pending")
RowParts = tuple[dict[str, DetailPart], dict[str, tuple[Any, ...]]]  # parts, and related rows


def read_details(section: Section, number: int, reader: Reader) -> Details | None:
    """Return None where the organization has no such record, or where such rows do not open."""
    if section.name not in READERS:
        return None
    copy = reader.read_copy(section.document)
    if copy.value is None:
        missing = isinstance(copy.error, Missing)
        return None if missing else Details(section, None, {"copy": copy})
    rows = copy.value.rows if isinstance(copy.value, RecordList) else (copy.value,)
    record = next((row for row in rows if row.id == number), None)
    if record is None:
        return None
    parts, related = READERS[section.name](record, reader)
    if any(isinstance(part.error, Missing) for part in parts.values()):
        return None
    return Details(section, record, {"copy": copy, **parts}, related)


def _read_order(order: Order, reader: Reader) -> RowParts:
    part = DetailPart("fresh", order.details) if order.details else reader.read(ORDER.of(order.id))
    grants = part.value.grants if part.value else ()
    return {"order": part}, {"licenses": _list_licenses(grants, reader)}


def _list_licenses(grants: tuple[Grant, ...], reader: Reader) -> tuple[License, ...]:
    return tuple(
        owned
        for owned in reader.list_rows(LICENSES)
        if holds(grants, owned.entitlement_id, owned.entitlement)
    )


def _read_quote(quote: Quote, reader: Reader) -> RowParts:
    part = DetailPart("fresh", quote.details) if quote.details else reader.read(QUOTE.of(quote.id))
    details = part.value
    if not details:
        return {"quote": part}, {}
    orders = tuple(order for order in reader.list_rows(ORDERS) if order.id == details.order)
    return {"quote": part}, {"orders": orders, "licenses": _list_licenses(details.grants, reader)}


def _read_license(owned: License, reader: Reader) -> RowParts:
    """Read a license with its chain: its entitlement, the orders that paid for that, and the quotes
    to renew it.

    A quote names the entitlements that it is about. An open quote is about renewing existing
    entitlements; a paid one may be the origin of the license.
    """
    number = owned.entitlement_id
    if not number:
        return {}, {}
    quotes = reader.read_copy(QUOTES)
    candidates = _list_candidates(owned, quotes.value, reader.moment) if quotes.value else []
    unread: dict[str, Document[Any]] = {
        f"quote {quote.id}": QUOTE.of(quote.id) for quote in candidates if not quote.details
    }
    chain: Wanted = {
        "entitlement": ENTITLEMENT.of(number),
        "orders": ENTITLEMENT_ORDERS.of(number),
    }
    details_read = reader.read_all({**chain, **unread})
    parts = {name: _mark_untold(part) for name, part in {**details_read, "quotes": quotes}.items()}
    renewals = tuple(
        quote
        for quote in candidates
        if (details := quote.details or parts[f"quote {quote.id}"].value)
        and holds(details.grants, number, owned.entitlement)
    )
    orders = parts["orders"].value
    paid, unpaid = _split_paid(orders.rows) if orders else ((), ())
    return parts, {"quotes": renewals, "paid": paid, "unpaid": unpaid}


def _split_paid(orders: tuple[Order, ...]) -> tuple[tuple[Order, ...], tuple[Order, ...]]:
    """Return the paid orders and the others, the newest first."""
    ranked = sorted(
        orders, key=lambda order: (order.created is not None, order_key(order.created or date.min))
    )
    newest = ranked[::-1]
    return tuple(filter(is_paid, newest)), tuple(order for order in newest if not is_paid(order))


def is_paid(order: Order) -> bool:
    return bool(order.active and order.paid) or read_status(order) == "completed"


def _list_candidates(owned: License, quotes: RecordList[Quote], moment: Moment) -> list[Quote]:
    """List open quotes that may be about this license, those that name its product first."""
    open_ones = [
        quote
        for quote in quotes.rows
        if quote.pending(moment.now) or read_status(quote) == "accepted"
    ]
    ranked = sorted(open_ones, key=lambda quote: owned.product not in quote.products)
    detailed = [quote for quote in ranked if quote.details]
    return detailed + [quote for quote in ranked if not quote.details][:MOST_RENEWALS]


def _mark_untold(part: DetailPart) -> DetailPart:
    """Mark a part that a license can do without: some back offices have no such answer."""
    is_untold = isinstance(part.error, Missing) or part.code == "no_route"
    return DetailPart(UNTOLD) if is_untold else part


def _read_people(_: Organization, reader: Reader) -> RowParts:
    return {"people": reader.read(PEOPLE)}, {}


def sort_people(people: RecordList[Collaborator], organization: Organization) -> list[Collaborator]:
    """Sort the owner first, then by rights, then by e-mail."""

    def rank(person: Collaborator) -> tuple[bool, int, str, int]:
        is_known = person.role in ROLE_ORDER
        place = ROLE_ORDER.index(person.role) if is_known else len(ROLE_ORDER)
        return not is_owner(person, organization), place, person.email or "", person.id

    return sorted(people.rows, key=rank)


def is_owner(person: Collaborator, organization: Organization) -> bool:
    """Tell whether the person is the owner: by the organization's own field, or by their role."""
    is_user = bool(person.user_id) and person.user_id == organization.owner_id
    return is_user or person.role == "owner"


READERS: dict[str, Callable[[Any, Reader], RowParts]] = {
    "orders": _read_order,
    "quotes": _read_quote,
    "licenses": _read_license,
    "organization": _read_people,
}
