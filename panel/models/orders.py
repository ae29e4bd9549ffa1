"""Orders and quotes, and which of them are open.

Every `from_json` raises `Unreadable("wrong_shape")` for a record without an id, and no other error.
`oddities` are read last, when every field has been read. `integer_money`: the reading of whole
numbers.
"""

from dataclasses import dataclass
from datetime import date, datetime

from panel.models.dates import find_day
from panel.models.fields import Fields
from panel.models.lines import OrderDetails, QuoteDetails
from panel.models.money import UNCLEAR, Amount
from panel.models.values import Illegible, Oddity, Row, Status

CLOSED_ORDERS = frozenset({"completed", "cancelled", "refunded", "failed"})
PAID = {"pending": False, "on-hold": False, "processing": True}  # of active orders
OPEN_QUOTES = frozenset({"sent", "viewed"})
CLOSED_QUOTES = frozenset(
    {"draft", "accepted", "paid", "fulfilled", "rejected", "expired", "cancelled", "refunded"}
)


@dataclass(frozen=True)
class Order:
    """`number`: the name by which people call it, where it is not the id.

    `completed`: its date; `details`: where the list has them already.
    """

    id: int
    status: Status | Illegible
    total: Amount | None
    created: date | None
    payment_method: str | None
    items: int | None
    number: str | None = None
    completed: date | None = None
    details: OrderDetails | None = None
    oddities: tuple[Oddity, ...] = ()

    @property
    def active(self) -> bool:
        """An order is active unless its status surely ends it; an unknown status does not."""
        return isinstance(self.status, Illegible) or self.status.value not in CLOSED_ORDERS

    @property
    def paid(self) -> bool | None:
        """Tell whether an active order is paid; None where its status does not tell."""
        return None if isinstance(self.status, Illegible) else PAID.get(self.status.value)

    @classmethod
    def from_json(cls, row: Row, integer_money: str = UNCLEAR) -> "Order":
        fields = Fields(row)
        return cls(
            id=fields.id,
            status=fields.status(),
            total=fields.amount("total", integer_money),
            created=fields.moment("date_created", "created_at"),
            payment_method=fields.text("payment_method"),
            items=fields.whole("items_count"),
            number=(fields.text("number") or "").removeprefix("#") or None,
            completed=fields.moment("date_completed"),
            details=OrderDetails.from_json(row, integer_money) if "line_items" in row else None,
            oddities=fields.oddities,
        )


@dataclass(frozen=True)
class Quote:
    """`valid_until`: the last day on which the quote is valid; a time that was written with it is
    ignored.

    `details`: where the list has them already.
    """

    id: int
    status: Status | Illegible
    total: Amount | None
    valid_until: date | Illegible | None
    created: date | None
    products: tuple[str, ...]
    details: QuoteDetails | None = None
    oddities: tuple[Oddity, ...] = ()

    def pending(self, now: datetime) -> bool:
        return self._is_open() and self._has_lapsed(now) is False

    def lapsed(self, now: datetime) -> bool:
        """Tell whether the quote is past its date while its status is still sent or viewed: the
        back office may set the status later."""
        return self._is_open() and self._has_lapsed(now) is True

    def undecided(self, now: datetime) -> bool:
        """Tell whether it is unclear if the quote is pending."""
        if isinstance(self.status, Illegible):
            return True
        unknown = self.status.value not in OPEN_QUOTES | CLOSED_QUOTES
        return unknown or (self._is_open() and self._has_lapsed(now) is None)

    def _is_open(self) -> bool:
        return isinstance(self.status, Status) and self.status.value in OPEN_QUOTES

    def _has_lapsed(self, now: datetime) -> bool | None:
        end = self.valid_until
        if isinstance(end, Illegible):
            return None
        return end is not None and find_day(end, now.tzinfo) < now.date()

    @classmethod
    def from_json(cls, row: Row, integer_money: str = UNCLEAR) -> "Quote":
        fields = Fields(row)
        return cls(
            id=fields.id,
            status=fields.status(),
            total=fields.amount("total", integer_money),
            valid_until=fields.end("valid_until"),
            created=fields.moment("created_at"),
            products=fields.texts("line_items", "product_name"),
            details=QuoteDetails.from_json(row, integer_money) if "notes" in row else None,
            oddities=fields.oddities,
        )
