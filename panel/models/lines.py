"""The contents of an order or a quote: its lines, and the fields in the answer about one record
alone.

An order's items, its tax and a quote's notes stand in the answer about that one record; the lists
leave them out. An absent field is None or empty. Only the fields that are named here are read;
internal notes, costs and addresses are not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from panel.errors import Unreadable
from panel.models.fields import Fields
from panel.models.money import UNCLEAR, Amount
from panel.models.values import Oddity, Row, is_nothing, read_list, read_whole

FOR_THE_CUSTOMER = ("customer_note", "is_customer_note")  # WooCommerce's mark of such a note


@dataclass(frozen=True)
class LineItem:
    """`price`: the price of one piece; `total`: the price of the line."""

    product: str | None
    quantity: int | None = None
    price: Amount | None = None
    total: Amount | None = None


@dataclass(frozen=True)
class Grant:
    """An entitlement as an order or a quote names it: by its id, its code, or both."""

    id: int | None
    code: str | None = None


@dataclass(frozen=True)
class OrderDetails:
    lines: tuple[LineItem, ...] = ()
    subtotal: Amount | None = None
    tax: Amount | None = None
    total: Amount | None = None
    created: date | None = None
    completed: date | None = None
    payment_method: str | None = None
    grants: tuple[Grant, ...] = ()
    oddities: tuple[Oddity, ...] = ()

    @classmethod
    def from_json(cls, row: Row, integer_money: str = UNCLEAR) -> "OrderDetails":
        fields = Fields(row)
        return cls(
            lines=_read_lines(row, fields, integer_money),
            subtotal=fields.amount("subtotal", integer_money),
            tax=fields.amount("tax_total", integer_money),
            total=fields.amount("total", integer_money),
            created=fields.moment("date_created", "created_at"),
            completed=fields.moment("date_completed"),
            payment_method=fields.text("payment_method"),
            grants=_read_grants(row, fields, "entitlements"),
            oddities=fields.oddities,
        )


@dataclass(frozen=True)
class QuoteDetails:
    """`notes` and `reason` (why it was declined): paragraphs of what people typed."""

    lines: tuple[LineItem, ...] = ()
    subtotal: Amount | None = None
    total: Amount | None = None
    billing_entity: str | None = None
    order: int | None = None
    grants: tuple[Grant, ...] = ()
    notes: tuple[str, ...] = ()
    reason: tuple[str, ...] = ()
    created: date | None = None
    updated: date | None = None
    oddities: tuple[Oddity, ...] = ()

    @classmethod
    def from_json(cls, row: Row, integer_money: str = UNCLEAR) -> "QuoteDetails":
        fields = Fields(row)
        return cls(
            lines=_read_lines(row, fields, integer_money),
            subtotal=fields.amount("subtotal", integer_money),
            total=fields.amount("total", integer_money),
            billing_entity=fields.verbatim("company"),
            order=fields.whole("order_id") or None,
            grants=_read_grants(row, fields, "entitlement_ids"),
            notes=_read_notes(row, fields, "notes"),
            reason=_read_notes(row, fields, "rejection_reason"),
            created=fields.moment("created_at"),
            updated=fields.moment("updated_at"),
            oddities=fields.oddities,
        )


def _read_lines(row: Row, fields: Fields, integer_money: str) -> tuple[LineItem, ...]:
    """The fields have the plugin's names, or those of WooCommerce; the currency is the record's."""
    return tuple(
        _read_line(line, fields, row.get("currency"), integer_money)
        for line in _list_values(row, fields, "line_items")
        if isinstance(line, dict | str)
    )


def _read_line(line: Row | str, fields: Fields, currency: Any, integer_money: str) -> LineItem:
    if isinstance(line, str):
        line = {"name": line}
    # An odd value of a line is logged under the id of its record.
    own = Fields({**line, "id": fields.id, "currency": line.get("currency") or currency})
    item = LineItem(
        product=own.text("product_name", "name"),
        quantity=own.whole("quantity"),
        price=own.amount("unit_price", integer_money) or own.amount("price", integer_money),
        total=own.amount("total", integer_money),
    )
    fields.adopt(own)
    return item


def _read_grants(row: Row, fields: Fields, key: str) -> tuple[Grant, ...]:
    return tuple(filter(None, map(_read_grant, _list_values(row, fields, key))))


def _read_grant(value: Any) -> Grant | None:
    """Read an id, a code, or an object that has them; any other value is left out."""
    parts = value if isinstance(value, dict) else {"id": value, "code": value}
    number = read_whole(parts, "id") or read_whole(parts, "entitlement_id")
    code = Fields({**parts, "id": 0}).verbatim("code", "entitlement_code")
    return Grant(number, None if code == str(number) else code) if number or code else None


def _read_notes(row: Row, fields: Fields, key: str) -> tuple[str, ...]:
    """Read a text, a list of texts, or WooCommerce's notes, but only those for the customer."""
    value = row.get(key)
    if isinstance(value, str):
        return _split(fields, value)
    texts = (_read_note(value) for value in _list_values(row, fields, key))
    return tuple(part for text in texts for part in _split(fields, text))


def _read_note(value: Any) -> str:
    if isinstance(value, dict):
        is_for_customer = any(value.get(name) in (True, 1, "1") for name in FOR_THE_CUSTOMER)
        value = (value.get("note") or value.get("content")) if is_for_customer else ""
    return value if isinstance(value, str) else ""


def _split(fields: Fields, text: str) -> tuple[str, ...]:
    """Return the paragraphs, each as a text of one line."""
    parts = (Fields({"id": fields.id, "part": part}).text("part") for part in text.splitlines())
    return tuple(part for part in parts if part)


def _list_values(row: Row, fields: Fields, key: str) -> Iterator[Any]:
    value = row.get(key)
    if is_nothing(value):
        return
    try:
        yield from read_list(value)
    except Unreadable:
        fields.note(key, "not a list")


def holds(grants: tuple[Grant, ...], number: int | None, code: str | None) -> bool:
    """Tell whether this entitlement is among the grants, by its id or by its code."""
    return any(
        (grant.id and grant.id == number) or (grant.code and grant.code == code) for grant in grants
    )
