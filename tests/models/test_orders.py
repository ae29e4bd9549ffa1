"""Orders and quotes: which are open, whatever their status."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from panel.models.orders import Order, Quote

NOW = datetime(2026, 5, 4, 15, 0, tzinfo=UTC)


def order(**fields: Any) -> Order:
    return Order.from_json({"id": 501, "status": "pending", **fields})


def quote(**fields: Any) -> Quote:
    return Quote.from_json({"id": 201, "status": "sent", **fields})


@pytest.mark.parametrize(
    ("status", "active"),
    [
        ("pending", True), ("processing", True), ("on-hold", True), ("wc-processing", True),
        ("awaiting-shipment", True), (None, True), (3, True),
        ("completed", False), ("cancelled", False), ("Concluído", False),
        ("refunded", False), ("failed", False), ("wc-completed", False), ("Refunded", False),
    ],
)  # fmt: skip
def test_an_order_is_active_unless_it_is_surely_over(status: object, active: bool) -> None:
    assert order(status=status).active is active


@pytest.mark.parametrize(
    ("status", "days", "pending", "lapsed"),
    [
        ("sent", 10, True, False), ("viewed", 10, True, False), ("Viewed", 10, True, False),
        ("sent", 0, True, False), ("sent", -1, False, True), ("viewed", -30, False, True),
        ("sent", None, True, False), ("draft", 10, False, False), ("draft", -1, False, False),
        ("accepted", 10, False, False), ("rejected", -1, False, False),
        ("expired", -1, False, False), ("refunded", 10, False, False),
    ],
)  # fmt: skip
def test_a_quote_is_pending_until_its_day_is_over_and_then_lapsed(
    status: str, days: int | None, pending: bool, lapsed: bool
) -> None:
    end = None if days is None else str(NOW.date() + timedelta(days=days))
    result = quote(status=status, valid_until=end)
    assert (result.pending(NOW), result.lapsed(NOW)) == (pending, lapsed)
    assert not result.undecided(NOW)


SAO_PAULO = ZoneInfo("America/Sao_Paulo")


@pytest.mark.parametrize(
    "value",
    [
        "2026-05-15", "2026-05-15T00:00:00Z", "2026-05-15T23:59:59Z", "2026-05-15T23:59:59-03:00",
        "2026-05-16T02:59:59Z", "2026-05-15 12:00:00", "15/05/2026",
    ],
)  # fmt: skip
def test_a_quote_is_valid_through_its_day_whatever_time_was_written(value: str) -> None:
    evening = datetime(2026, 5, 15, 23, 59, tzinfo=SAO_PAULO)
    assert quote(valid_until=value).pending(evening)
    assert quote(valid_until=value).lapsed(evening + timedelta(minutes=1))


@pytest.mark.parametrize(
    ("fields", "undecided"),
    [
        ({"status": "Enviada"}, True), ({"status": None}, True), ({"status": 3}, True),
        ({"status": "sent", "valid_until": "soon"}, True),
        ({"status": "paid", "valid_until": "soon"}, False),
        ({"status": "Rascunho"}, False), ({"status": "canceled"}, False),
    ],
)  # fmt: skip
def test_a_quote_that_nobody_can_decide_is_neither_pending_nor_lapsed(
    fields: dict[str, Any], undecided: bool
) -> None:
    result = quote(**fields)
    assert result.undecided(NOW) is undecided
    if undecided:
        assert (result.pending(NOW), result.lapsed(NOW)) == (False, False)


@pytest.mark.parametrize(
    ("status", "paid"),
    [
        ("pending", False), ("on-hold", False), ("wc-pending", False), ("Pendente", False),
        ("processing", True), ("awaiting-shipment", None), (None, None), (3, None),
    ],
)  # fmt: skip
def test_an_open_order_is_paid_unpaid_or_nobody_knows(status: object, paid: bool | None) -> None:
    assert order(status=status).paid is paid


@pytest.mark.parametrize(
    ("value", "number"),
    [("1449", "1449"), (1449, "1449"), ("#1449", "1449"), ("", None), (None, None), (False, None)],
)
def test_an_order_has_its_number_where_it_is_stated(value: object, number: str | None) -> None:
    assert order(number=value).number == number


def test_a_quote_names_its_products() -> None:
    lines = [{"product_name": "Reports"}, {"product_name": None}, {"quantity": 1}]
    assert quote(line_items=lines).products == ("Reports",)
    assert quote(line_items={"7": lines[0], "9": None}).products == ("Reports",)
    assert quote(line_items="Reports").products == ()
    assert quote(line_items=[]).products == quote(line_items=None).products == quote().products
