"""Amounts: an amount is either right, or not shown as an amount.

The back office documents decimal strings, and elsewhere says that amounts are whole cents. PHP
writes `(float) "100.00"` as the JSON number `100`. So a string is always decimal units, and so is a
number with a fraction; a whole number is read as `MIDDAG_INTEGER_MONEY` says, else as the rest of
the answer proves, else it is unclear.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from babel.numbers import get_currency_precision

from panel.errors import Unreadable
from panel.models.text import decode_entities
from panel.models.values import Illegible, Oddity, Row, read_list, read_whole

CENTS, UNITS = "cents", "units"  # the readings of a whole number: smallest coins, or units
UNCLEAR = ""  # nothing says how a whole number is read

MOST_DIGITS = 15  # before the point, and behind it; a longer number is a mistake
NOISE = Decimal("0.001")  # parts of the smallest coin: the error of a binary float
MONEY_FIELDS = ("total", "subtotal", "tax_total", "unit_price")
FRACTION_UNDER_CENTS = "a fraction, although MIDDAG_INTEGER_MONEY says cents"

DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
# The digits behind the point by ISO 4217, where Babel's source (CLDR) counts as people pay today.
ISO_PLACES = {"IQD": 3} | dict.fromkeys(
    ("AFN", "ALL", "IRR", "KPW", "LAK", "LBP", "MGA", "MMK", "RSD", "SLL", "SOS", "SYP", "YER"), 2
)
SYMBOLS = {"R$": "BRL", "US$": "USD", "U$": "USD", "€": "EUR", "£": "GBP"}


@dataclass(frozen=True)
class Money:
    """`amount` in units, exact; `currency` is the ISO 4217 code, or empty when not stated."""

    amount: Decimal
    currency: str


@dataclass(frozen=True)
class UnclearAmount:
    """A whole number of which it is unknown whether it counts units or the smallest coins."""

    number: Decimal
    currency: str


Amount = Money | UnclearAmount | Illegible


@dataclass(frozen=True)
class MoneyRule:
    """The reading of whole numbers of one answer; `fault`: its contradiction to the setting."""

    reading: str
    fault: Oddity | None = None


def sum_amounts(amounts: Iterable[Money]) -> tuple[Money, ...]:
    """Return one sum per currency, in order of first appearance; currencies are never added
    together.

    Every amount must have its currency: two without one may be of different currencies.
    """
    sums: dict[str, Decimal] = {}
    for money in amounts:
        sums[money.currency] = sums.get(money.currency, Decimal(0)) + money.amount
    return tuple(Money(amount, currency) for currency, amount in sums.items())


def read_amount(value: Any, currency: str, reading: str) -> Money | UnclearAmount | None:
    """Return None where the amount is not stated. Raises `ValueError` with a reason.

    `reading`: the reading of a whole number, `cents` or `units`. Zero, and a currency without
    smaller coins, need no reading.
    """
    if value is None or value == "":
        return None
    number = _read_number(value)
    if isinstance(value, str) or is_fraction(value):
        return Money(_check_size(_remove_noise(number, currency)), currency)
    coins = Money(_check_size(number.scaleb(-count_places(currency))), currency)
    if coins.amount == number or reading == CENTS:
        return coins
    if reading == UNITS:
        return Money(_check_size(number), currency)
    return UnclearAmount(number, currency)


def _read_number(value: Any) -> Decimal:
    if isinstance(value, str) and DECIMAL.fullmatch(value.strip()):
        return _check_magnitude(Decimal(value.strip()))
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return _check_magnitude(Decimal(value))
    raise ValueError("no amount")


def _check_magnitude(number: Decimal) -> Decimal:
    """Count the digits without arithmetic, which would overflow on 1e9999999."""
    if not number:
        return Decimal(0)
    if number.adjusted() >= MOST_DIGITS + 4 or number.adjusted() < -4 * MOST_DIGITS:
        raise ValueError("an amount out of all proportion")
    return number


def _check_size(amount: Decimal) -> Decimal:
    if _count_decimals(amount) > MOST_DIGITS or amount.adjusted() >= MOST_DIGITS:
        raise ValueError("an amount out of all proportion")
    return amount


def _remove_noise(amount: Decimal, currency: str) -> Decimal:
    """Remove the error of a binary float, such as 80.30000000000000426 for 80.30. An amount like
    80.305 stays as it is written."""
    places = count_places(currency)
    if amount.adjusted() >= MOST_DIGITS or _count_decimals(amount) <= places:
        return amount
    coin = Decimal(1).scaleb(-places)
    rounded = amount.quantize(coin)
    return rounded + 0 if abs(amount - rounded) < coin * NOISE else amount


def is_fraction(value: Any) -> bool:
    """Tell whether it is a JSON number that was written with a fraction, even a zero."""
    return isinstance(value, Decimal) and _count_decimals(value) > 0


def _count_decimals(number: Decimal) -> int:
    """Return the number of digits behind the point, zeros too; below zero for 1E+3."""
    return -int(number.as_tuple().exponent)  # a word for NaN only, which JSON lacks


def read_currency(value: Any) -> str:
    """Return the ISO 4217 code in capitals; a sign that only one currency has is read too."""
    text = decode_entities(value).upper() if isinstance(value, str) else ""
    return SYMBOLS.get(text, text)


@lru_cache(maxsize=256)
def count_places(currency: str) -> int:
    """Return the number of digits behind the point; two where the currency is not known."""
    return ISO_PLACES.get(currency) or get_currency_precision(currency)


# -- evidence ------------------------------------------------------------------------------------


def find_rule(records: Iterable[Any], setting: str) -> MoneyRule:
    """Return the reading of this answer's whole numbers: the setting's, else the one that the
    answer proves.

    A number with a fraction proves that amounts are units. Under `cents` that is a fault, and then
    the whole numbers beside it are unclear.
    """
    rows = [record for record in records if isinstance(record, dict)]
    fraction = next(_find_fractions(rows), None)
    if setting == CENTS and fraction:
        return MoneyRule(UNCLEAR, fraction)
    if setting:
        return MoneyRule(setting)
    readings = {UNITS} if fraction else set()
    readings |= {reading for row in rows if (reading := _compare_lines(row))}
    return MoneyRule(readings.pop() if len(readings) == 1 else UNCLEAR)


def _find_fractions(rows: list[Row]) -> Iterator[Oddity]:
    for row in rows:
        for part in (row, *_list_lines(row)):
            for field in MONEY_FIELDS:
                if is_fraction(part.get(field)):
                    yield Oddity(str(read_whole(row, "id")), field, FRACTION_UNDER_CENTS)


def _compare_lines(row: Row) -> str | None:
    """Return the one reading in which the lines, whose prices are strings, add up to the total."""
    total, prices = read_whole(row, "total"), [_read_price(line) for line in _list_lines(row)]
    if not prices or not total or isinstance(row["total"], str) or None in prices:
        return None
    currency = read_currency(row.get("currency"))
    coins = Decimal(total).scaleb(-count_places(currency))
    lines = sum(price for price in prices if price is not None)
    return {total: UNITS, coins: CENTS}.get(lines) if coins != total else None


def _read_price(line: Row) -> Decimal | None:
    price, quantity = line.get("unit_price"), read_whole(line, "quantity")
    if not isinstance(price, str) or quantity is None:
        return None
    try:
        return _check_size(_read_number(price)) * quantity
    except ValueError:
        return None


def _list_lines(row: Row) -> list[Row]:
    lines = row.get("line_items")
    if not lines:
        return []
    try:
        return [line for line in read_list(lines) if isinstance(line, dict)]
    except Unreadable:
        return []
