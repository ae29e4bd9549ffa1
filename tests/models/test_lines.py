"""The answer about one order or quote alone, in every form in which PHP may write it."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from panel.models.lines import Grant, LineItem, OrderDetails, QuoteDetails, holds
from panel.models.money import CENTS, Money
from panel.models.orders import Order, Quote
from panel.models.values import Illegible
from tests.models.json_values import json_values


def brl(amount: str) -> Money:
    return Money(Decimal(amount), "BRL")


def read_order(**fields: Any) -> OrderDetails:
    return OrderDetails.from_json({"id": 1, "currency": "BRL", **fields})


def read_quote(**fields: Any) -> QuoteDetails:
    return QuoteDetails.from_json({"id": 1, "currency": "BRL", **fields})


@pytest.mark.parametrize(
    ("line", "item"),
    [
        (
            {"product_name": "Tema &amp; Cia", "quantity": "2", "unit_price": "10.00"},
            LineItem("Tema & Cia", 2, brl("10.00"), None),
        ),
        (
            {"name": "Plugin", "quantity": 1, "price": "5.50", "total": "5.50"},
            LineItem("Plugin", 1, brl("5.50"), brl("5.50")),
        ),
        ({"product_name": "", "name": "Plugin"}, LineItem("Plugin")),
        ("Plugin", LineItem("Plugin")),
        ({"quantity": "some"}, LineItem(None)),
    ],
)
def test_a_line_is_read_by_the_names_of_either_side(line: Any, item: LineItem) -> None:
    assert read_order(line_items=[line]).lines == (item,)
    assert read_order(line_items={"7": line}).lines == (item,)


def test_a_line_has_the_currency_of_its_record_unless_it_names_one() -> None:
    lines = [{"total": "1.00"}, {"total": "2.00", "currency": "USD"}]
    result = read_order(line_items=lines).lines
    assert [line.total for line in result] == [brl("1.00"), Money(Decimal("2.00"), "USD")]


def test_whole_numbers_of_a_line_are_read_as_those_of_the_record() -> None:
    row = {"id": 1, "currency": "BRL", "total": 1000, "line_items": [{"total": 1000}]}
    details = OrderDetails.from_json(row, CENTS)
    assert details.total == details.lines[0].total == brl("10.00")


def test_what_is_odd_in_a_line_is_logged_under_its_record() -> None:
    order = read_order(line_items=[{"id": 9, "unit_price": "much"}])
    assert isinstance(order.lines[0].price, Illegible)
    assert [(oddity.record, oddity.field) for oddity in order.oddities] == [("1", "unit_price")]


@pytest.mark.parametrize(
    ("value", "grants"),
    [
        ([101, "102"], (Grant(101), Grant(102))),
        (["PLG-2026040001"], (Grant(None, "PLG-2026040001"),)),
        ([{"id": 101, "code": "PLG-1", "status": "active"}], (Grant(101, "PLG-1"),)),
        ([{"entitlement_id": "101"}], (Grant(101),)),
        ([None, True, 0, {}, [], ""], ()),
        ({"0": 101}, (Grant(101),)),
        ("101", ()),
        (None, ()),
    ],
)
def test_entitlements_are_ids_codes_or_objects(value: Any, grants: tuple[Grant, ...]) -> None:
    assert read_order(entitlements=value).grants == grants
    assert read_quote(entitlement_ids=value).grants == grants


def test_an_entitlement_is_held_by_its_id_or_its_code_and_by_nothing_else() -> None:
    grants = (Grant(101), Grant(None, "PLG-2"))
    assert holds(grants, 101, None)
    assert holds(grants, None, "PLG-2")
    assert not holds(grants, None, None)
    assert not holds(grants, 102, "PLG-3")
    assert not holds((), 101, "PLG-2")


@pytest.mark.parametrize(
    ("value", "notes"),
    [
        ("Um\n\n dois\r\nO&#8217;Brien", ("Um", "dois", "O’Brien")),
        (["Um", "dois"], ("Um", "dois")),
        ([{"note": "Interno"}, {"note": "Para ela", "customer_note": "1"}], ("Para ela",)),
        ([{"content": "Para ela", "is_customer_note": True}], ("Para ela",)),
        ([{"note": "Interno", "customer_note": "0"}], ()),
        (None, ()),
        ({}, ()),
        (7, ()),
    ],
)
def test_of_notes_only_those_for_the_customer_are_read(value: Any, notes: tuple[str, ...]) -> None:
    assert read_quote(notes=value).notes == notes


@pytest.mark.parametrize("name", ["notes", "internal_notes", "customer_note"])
def test_no_note_of_an_order_is_read(name: str) -> None:
    assert "Interno" not in repr(read_order(**{name: "Interno"}))


def test_a_list_that_tells_the_details_is_not_asked_for_them_again() -> None:
    row = {"id": 1, "status": "pending"}
    assert Order.from_json(row).details is None
    assert Quote.from_json({**row, "line_items": []}).details is None
    lines = [{"product_name": "Plugin"}]
    details = Order.from_json({**row, "line_items": lines}).details
    assert details is not None
    assert details.lines == (LineItem("Plugin"),)
    assert Quote.from_json({**row, "notes": None}).details is not None


@given(value=json_values)
def test_no_value_breaks_a_record(value: Any) -> None:
    names = ("line_items", "entitlements", "entitlement_ids", "notes", "rejection_reason",
             "subtotal", "tax_total", "total", "currency", "order_id", "company")  # fmt: skip
    for name in names:
        read_order(**{name: value})
        read_quote(**{name: value})
        read_order(line_items=[{name: value}])
