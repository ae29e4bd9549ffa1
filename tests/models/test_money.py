"""Amounts as PHP writes them: right to the last coin, or called unclear or unreadable."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel import exact_json
from panel.models.money import (
    CENTS,
    FRACTION_UNDER_CENTS,
    UNCLEAR,
    UNITS,
    Money,
    UnclearAmount,
    count_places,
    find_rule,
    read_amount,
    read_currency,
    sum_amounts,
)
from panel.models.orders import Order, Quote
from panel.models.values import Illegible
from tests.models.json_values import json_values

READINGS = (CENTS, UNITS, UNCLEAR)


def of(text: str) -> Any:
    """Decode a value as our client does from an answer's text."""
    return exact_json.decode(text.encode())


def order(total: Any, currency: Any = "BRL", reading: str = UNCLEAR) -> Order:
    return Order.from_json({"id": 501, "total": total, "currency": currency}, reading)


# -- amounts that are never unclear
# ---------------------------------------------------------------------


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ('"1250.00"', "BRL", "1250.00"),
        ('" 1250.5 "', "BRL", "1250.5"),
        ('"1250"', "BRL", "1250"),
        ('"-80.00"', "BRL", "-80.00"),
        ('"1.25e3"', "BRL", "1250"),
        ('"100"', "CLP", "100"),
        ('"0"', "BRL", "0"),
        ("0", "BRL", "0"),
        ("0", "", "0"),
        ("0.0", "BRL", "0"),
        ("80.5", "BRL", "80.5"),
        ("100.0", "BRL", "100"),
        ("80.305", "BRL", "80.305"),
        ("100", "CLP", "100"),
        ("100", "JPY", "100"),
        ("1.125", "KWD", "1.125"),
        ("80.5", "", "80.5"),
    ],
)
def test_a_string_a_fraction_a_zero_and_a_currency_without_coins_are_never_unclear(
    text: str, currency: str, amount: str, reading: str
) -> None:
    assert read_amount(of(text), currency, reading) == Money(Decimal(amount), currency)


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("80.299999999999997", "BRL", "80.30"),
        ("80.30000000000000426", "BRL", "80.30"),
        ("0.30000000000000004", "BRL", "0.30"),
        ("0.1000000000000000055511151231257827", "BRL", "0.10"),
        ('"1250.0000000001"', "BRL", "1250.00"),
        ("-80.299999999999997", "BRL", "-80.30"),
        ("99999999999999.99609375", "BRL", "99999999999999.99609375"),
        ("80.305", "BRL", "80.305"),  # half a coin is no noise
        ("80.30001", "BRL", "80.30001"),  # neither is a thousandth of a coin
        ("80.300009", "BRL", "80.30"),
        ("1.0010000001", "KWD", "1.001"),
        ("1.0000009", "KWD", "1.000"),
        ("99.9999999", "JPY", "100"),
        ("99.5", "JPY", "99.5"),
        ("-0.00000000000000004", "BRL", "0.00"),
    ],
)
def test_only_the_noise_of_a_binary_float_is_rounded_away(
    text: str, currency: str, amount: str
) -> None:
    result = read_amount(of(text), currency, UNCLEAR)
    assert isinstance(result, Money)
    assert str(result.amount) == amount


@pytest.mark.parametrize("value", [None, ""])
def test_an_amount_that_is_not_stated_is_none(value: object) -> None:
    assert order(value).total is None
    assert Order.from_json({"id": 1}).total is None


# -- whole numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "currency", "cents", "units"),
    [
        ("125000", "BRL", "1250", "125000"),
        ("125050", "BRL", "1250.50", "125050"),
        ("-5", "BRL", "-0.05", "-5"),
        ("1500", "KWD", "1.5", "1500"),
        ("1E+3", "BRL", "10", "1000"),
        ("100", "", "1", "100"),
        ("100", "QQQ", "1", "100"),
    ],
)
def test_a_whole_number_is_read_as_the_setting_says_and_is_else_unclear(
    text: str, currency: str, cents: str, units: str
) -> None:
    value = of(text)
    assert read_amount(value, currency, CENTS) == Money(Decimal(cents), currency)
    assert read_amount(value, currency, UNITS) == Money(Decimal(units), currency)
    assert read_amount(value, currency, UNCLEAR) == UnclearAmount(Decimal(value), currency)


@given(cents=st.integers(min_value=1 - 10**17, max_value=10**17 - 1))
def test_whole_numbers_lose_no_cent(cents: int) -> None:
    amount = read_amount(cents, "BRL", CENTS)
    assert isinstance(amount, Money)
    assert amount.amount * 100 == cents


@pytest.mark.parametrize(
    ("currency", "places"),
    [
        *(("BRL", 2), ("CLP", 0), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("PYG", 0), ("COP", 2)),
        # ISO 4217 counts these places, whatever people pay with.
        *(("RSD", 2), ("IQD", 3), ("LBP", 2)),
    ],
)
def test_smaller_coins_follow_the_currency(currency: str, places: int) -> None:
    assert count_places(currency) == places


@pytest.mark.parametrize(
    ("value", "currency"),
    [
        ("brl", "BRL"), (" BRL ", "BRL"), ("R$", "BRL"), ("&#82;&#36;", "BRL"), ("US$", "USD"),
        ("$", "$"), (None, ""), ("", ""), (986, ""), ([], ""), ({"code": "BRL"}, ""),
    ],
)  # fmt: skip
def test_a_sign_of_one_currency_is_its_code(value: object, currency: str) -> None:
    assert read_currency(value) == currency


# -- unreadable amounts -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"), (False, "false"), ([], "[]"), (["1.00"], '["1.00"]'), ({}, "{}"),
        ({"amount": "1.00"}, '{"amount":"1.00"}'), ("1.250,00", "1.250,00"), ("R$ 10", "R$ 10"),
        ("1,250.00", "1,250.00"), ("ten", "ten"), ("  ", ""), ("NaN", "NaN"), ("-NaN", "-NaN"),
        ("Infinity", "Infinity"), ("1_000", "1_000"), ("१००", "१००"), ("1e16", "1e16"),
        ("1e9999999", "1e9999999"), ("1e-100", "1e-100"), ("9" * 400, "9" * 40),
        (10**18, "1000000000000000000"),
        (Decimal("1E+400"), "1E+400"), ("0.1234567890123456789", "0.1234567890123456789"),
        ('<span class="amount">R$ 10,00</span>', '<span class="amount">R$ 10,00</span>'),
    ],
)  # fmt: skip
def test_money_that_cannot_be_trusted_is_unreadable_and_keeps_its_row(
    value: object, text: str
) -> None:
    for reading in READINGS:
        result = order(value, reading=reading)
        assert isinstance(result.total, Illegible)
        assert result.total.text == text
        assert [oddity.field for oddity in result.oddities] == ["total"]


@given(total=json_values | st.from_regex(r"-?\d{1,30}(\.\d{0,30})?([eE][+-]?\d{1,9})?"))
@pytest.mark.parametrize("reading", READINGS)
def test_no_amount_crashes_or_becomes_a_float(reading: str, total: Any) -> None:
    result = order(total, reading=reading).total
    if isinstance(result, Money):
        assert type(result.amount) is Decimal
    if isinstance(result, UnclearAmount):
        assert type(result.number) is Decimal


# -- totals ------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(-(10**17), 10**17), st.sampled_from(["BRL", "USD", "KWD"]))))
def test_totals_are_exact_and_never_cross_currencies(pairs: list[tuple[int, str]]) -> None:
    sums = sum_amounts([Money(Decimal(cents).scaleb(-2), currency) for cents, currency in pairs])
    totals = {currency: sum(c for c, code in pairs if code == currency) for _, currency in pairs}
    assert {money.currency: money.amount * 100 for money in sums} == totals


# -- evidence ----------------------------------------------------------------------------------


def line(price: Any, quantity: Any = 1) -> dict[str, Any]:
    return {"product_name": "Plugin", "quantity": quantity, "unit_price": price}


def quoted(total: str, *lines: dict[str, Any], currency: str = "BRL") -> dict[str, Any]:
    return {"id": 201, "total": of(total), "currency": currency, "line_items": list(lines)}


FRACTION = {"id": 501, "total": of("80.5"), "currency": "BRL"}
WHOLE = {"id": 502, "total": 100, "currency": "BRL"}
AS_UNITS = quoted("5400", line("5400.00"))
AS_CENTS = quoted("540000", line("5400.00"))


@pytest.mark.parametrize(
    ("records", "reading"),
    [
        ([WHOLE], UNCLEAR),
        ([FRACTION, WHOLE], UNITS),
        ([WHOLE, {"id": 1, "total": of("100.0")}], UNITS),
        ([WHOLE, {"id": 1, "subtotal": of("0.5")}], UNITS),
        ([quoted("5400", line(of("80.5")))], UNITS),
        ([AS_UNITS], UNITS),
        ([AS_CENTS], CENTS),
        ([AS_UNITS, AS_CENTS], UNCLEAR),  # they disagree
        ([AS_CENTS, FRACTION], UNCLEAR),
        ([AS_UNITS, FRACTION], UNITS),
        ([quoted("5400", line("1800.00", 3))], UNITS),
        ([quoted("5400", line("1800.00", "2"), line("1800.00", 1))], UNITS),
        ([quoted("5400", line("5000.00"))], UNCLEAR),  # a tax, a discount: neither reading fits
        ([quoted("5400", line(5400))], UNCLEAR),  # the price is a number itself
        ([quoted("5400", line("5400.00", None))], UNCLEAR),
        ([quoted("5400", line("5400.00"), line("x"))], UNCLEAR),
        ([quoted("5400")], UNCLEAR),
        ([quoted('"5400.00"', line("5400.00"))], UNCLEAR),  # a string proves nothing about numbers
        ([quoted("0", line("0.00"))], UNCLEAR),
        ([quoted("5400", line("5400"), currency="JPY")], UNCLEAR),  # both readings are one
        ([quoted("5400", line("5.400"), currency="KWD")], CENTS),
        ([{**AS_UNITS, "line_items": {"7": line("5400.00")}}], UNITS),
        ([{**AS_UNITS, "line_items": [None, line("5400.00"), "x"]}], UNITS),
        ([{**AS_UNITS, "line_items": "none"}], UNCLEAR),
        ([None, 3, [], "x", WHOLE], UNCLEAR),
        ([], UNCLEAR),
    ],
)
def test_an_answer_proves_by_itself_how_its_whole_numbers_are_read(
    records: list[Any], reading: str
) -> None:
    assert find_rule(records, UNCLEAR).reading == reading


@pytest.mark.parametrize("records", [[WHOLE], [AS_UNITS], [AS_CENTS], [AS_UNITS, AS_CENTS]])
@pytest.mark.parametrize("setting", [CENTS, UNITS])
def test_a_set_value_wins_over_evidence(records: list[Any], setting: str) -> None:
    assert find_rule(records, setting) == find_rule([], setting)
    assert find_rule(records, setting).reading == setting


def test_a_fraction_under_cents_is_a_fault_and_whole_numbers_beside_it_are_unclear() -> None:
    rule = find_rule([WHOLE, FRACTION], CENTS)
    assert rule.reading == UNCLEAR
    assert rule.fault
    assert (rule.fault.record, rule.fault.field) == ("501", "total")
    assert rule.fault.reason == FRACTION_UNDER_CENTS
    assert find_rule([WHOLE, FRACTION], UNITS).fault is None


def test_a_quote_reads_its_total_by_the_rule_of_its_answer() -> None:
    reading = find_rule([AS_UNITS], UNCLEAR).reading
    assert Quote.from_json(AS_UNITS, reading).total == Money(Decimal(5400), "BRL")
