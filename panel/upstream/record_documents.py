"""The documents about one record, which are read when an agent opens its row.

The lists leave out an order's items and a quote's notes. An answer is kept like a list: for as
long, and until the section of the record is touched.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from panel.cache.entries import Lifetimes, Resource
from panel.errors import Unreadable
from panel.models.licenses import Entitlement
from panel.models.lines import OrderDetails, QuoteDetails
from panel.models.money import find_rule
from panel.models.orders import Order
from panel.models.values import Row
from panel.upstream.documents import (
    COLLABORATORS,
    LICENSES,
    ORDERS,
    ORGANIZATION,
    QUOTES,
    Document,
    parse_list,
)

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class RecordDocument(Document[T]):
    """A document about one record, or about the organization where `record` is 0. `path` holds
    `{id}`.

    `section`: the document whose touch outdates this one as well.
    """

    section: str = ""
    record: int = 0

    def of(self, record: int) -> "RecordDocument[T]":
        name, path = f"{self.name}-{record}", self.path.format(id=record)
        return replace(self, name=name, path=path, record=record)

    def resource(self, organization: int, integer_money: str) -> Resource[T]:
        """The resource shares its section's token. Where both are read at the same moment without a
        token, each may write its own. Then the copy under the first token is read once more.
        """
        resource = self.make_resource(organization, integer_money)
        return replace(resource, token_name=self.section)


def _parse_record(make: Callable[[Row, str], T]) -> Callable[[Any, str], T]:
    def parse(body: Any, integer_money: str) -> T:
        if not isinstance(body, dict):
            raise Unreadable("wrong_shape", "the record is no object")
        return make(body, find_rule([body], integer_money).reading)

    return parse


ORDER = RecordDocument(
    "order",
    "orders/{id}",
    ORDERS.lifetimes,
    _parse_record(OrderDetails.from_json),
    is_list=False,
    section=ORDERS.name,
)
QUOTE = RecordDocument(
    "quote",
    "quotes/{id}",
    QUOTES.lifetimes,
    _parse_record(QuoteDetails.from_json),
    is_list=False,
    section=QUOTES.name,
)
ENTITLEMENT = RecordDocument(
    "entitlement",
    "entitlements/{id}",
    LICENSES.lifetimes,
    _parse_record(lambda row, _: Entitlement.from_json(row)),
    is_list=False,
    section=LICENSES.name,
)
# A payment touches the licenses too, so a new order appears here as soon as the licenses are read
# again.
ENTITLEMENT_ORDERS = RecordDocument(
    "entitlement_orders",
    "entitlements/{id}/orders",
    Lifetimes(ORDERS.lifetimes.fresh),
    parse_list(Order.from_json),
    section=ORDERS.name,
)
# The people as agents see them: kept, and of no more pages than an agent waits for.
PEOPLE = RecordDocument(
    COLLABORATORS.name,
    COLLABORATORS.path,
    ORGANIZATION.lifetimes,
    COLLABORATORS.parse,
    section=ORGANIZATION.name,
)
RECORD_DOCUMENTS: tuple[RecordDocument[Any], ...] = (ORDER, QUOTE, ENTITLEMENT, ENTITLEMENT_ORDERS)
