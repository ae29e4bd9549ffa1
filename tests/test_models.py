"""What the back office writes, with all its contradictions, as plain values; and the rules."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.errors import Unreadable
from panel.models import (
    Collaborator,
    License,
    Money,
    Order,
    Organization,
    Quote,
    read_rows,
    sum_amounts,
)

NOW = datetime(2026, 5, 4, 15, 0, tzinfo=UTC)
TODAY = NOW.date()


def order(**fields: Any) -> Order:
    return Order.from_json({"id": 501, "status": "pending", **fields}, "cents")


def quote(**fields: Any) -> Quote:
    return Quote.from_json({"id": 201, "status": "sent", **fields}, "cents")


def license_(**fields: Any) -> License:
    return License.from_json({"id": 601, "status": "active", **fields})


def organization(**fields: Any) -> Organization:
    return Organization.from_json({"id": 42, "name": "Acme", **fields})


# -- money -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "how", "amount"),
    [
        ("1250.00", "cents", "1250.00"),
        ("1250.00", "units", "1250.00"),
        (" 1250.5 ", "cents", "1250.5"),
        ("-80.00", "cents", "-80.00"),
        ("0", "cents", "0"),
        (125000, "cents", "1250"),
        (125050, "cents", "1250.50"),
        (125000, "units", "125000"),
        (-5, "cents", "-0.05"),
        (0, "cents", "0"),
    ],
)
def test_money_is_exact(sent: object, how: str, amount: str) -> None:
    row = {"id": 1, "status": "pending", "total": sent, "currency": "brl"}
    assert Order.from_json(row, how).total == Money(Decimal(amount), "BRL")


@pytest.mark.parametrize("sent", [None, ""])
def test_an_amount_that_is_not_stated_is_none(sent: object) -> None:
    assert order(total=sent).total is None
    assert order().total is None


@pytest.mark.parametrize(
    "sent",
    [
        1250.0, 0.1, True, False, [], ["1.00"], {}, {"amount": "1.00"},
        "1.250,00", "R$ 10", "ten", "  ", "NaN", "-NaN", "sNaN", "Infinity", "-Infinity",
        "1e16", "1e9999999", "-1e9999999", "9" * 400, 10**18, -(10**30),
    ],
    ids=lambda sent: repr(sent)[:20],
)  # fmt: skip
def test_money_that_cannot_be_trusted_makes_the_answer_unreadable(sent: object) -> None:
    for read in (order, quote):
        with pytest.raises(Unreadable, match="wrong_shape"):
            read(total=sent, currency="BRL")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(total=json_values | st.from_regex(r"-?\d{1,30}(\.\d{0,30})?([eE][+-]?\d{1,9})?"))
def test_no_amount_crashes_or_becomes_a_float(total: Any) -> None:
    try:
        found = order(total=total, currency="BRL").total
    except Unreadable:
        return
    assert found is None or type(found.amount) is Decimal
    assert not isinstance(total, float)


@given(cents=st.integers(min_value=1 - 10**17, max_value=10**17 - 1))
def test_whole_numbers_lose_no_cent(cents: int) -> None:
    found = order(total=cents, currency="BRL").total
    assert found is not None
    assert found.amount * 100 == cents


@given(st.lists(st.tuples(st.integers(-(10**17), 10**17), st.sampled_from(["BRL", "USD", ""]))))
def test_totals_are_exact_and_never_cross_currencies(pairs: list[tuple[int, str]]) -> None:
    sums = sum_amounts([Money(Decimal(cents).scaleb(-2), currency) for cents, currency in pairs])
    wanted = {currency: sum(c for c, each in pairs if each == currency) for _, currency in pairs}
    assert {money.currency: money.amount * 100 for money in sums} == wanted


# -- dates -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "moment"),
    [
        ("2026-04-01T14:30:00Z", datetime(2026, 4, 1, 14, 30, tzinfo=UTC)),
        ("2026-04-01T11:30:00-03:00", datetime(2026, 4, 1, 14, 30, tzinfo=UTC)),
        ("2026-04-01T14:30:00", datetime(2026, 4, 1, 14, 30, tzinfo=UTC)),
        ("2026-04-01 14:30:00", datetime(2026, 4, 1, 14, 30, tzinfo=UTC)),
        ("2026-04-01", datetime(2026, 4, 1, 23, 59, 59, tzinfo=UTC)),  # as people mean it
        ("", None),
        (None, None),
        ("0000-00-00 00:00:00", None),
    ],
)
def test_a_moment_without_an_offset_is_utc(sent: object, moment: datetime | None) -> None:
    assert order(date_created=sent).created == moment
    assert license_(expires_at=sent).expires == moment
    assert order(created_at=sent).created == moment


@pytest.mark.parametrize(
    ("sent", "day"),
    [
        ("2026-05-15", date(2026, 5, 15)),
        ("2026-05-15T23:59:59-03:00", date(2026, 5, 15)),
        ("2026-05-15 00:00:00", date(2026, 5, 15)),
        (None, None),
        ("0000-00-00", None),
    ],
)
def test_a_quote_is_valid_until_the_day_that_is_written(sent: object, day: date | None) -> None:
    assert quote(valid_until=sent).valid_until == day


STRANGE_DATES = ["soon", "2026-13-01", "01/05/2026", 1777852800, 1.5, {"date": "2026"}]


@pytest.mark.parametrize("sent", STRANGE_DATES, ids=repr)
def test_an_end_that_cannot_be_read_is_not_called_endless(sent: object) -> None:
    with pytest.raises(Unreadable, match="wrong_shape"):
        license_(expires_at=sent)
    with pytest.raises(Unreadable, match="wrong_shape"):
        quote(valid_until=sent)


@given(sent=json_values | st.datetimes().map(str) | st.dates().map(str))
def test_no_date_crashes(sent: Any) -> None:
    readers: tuple[Callable[[], date | None], ...] = (
        lambda: order(date_created=sent).created,
        lambda: license_(expires_at=sent).expires,
        lambda: quote(valid_until=sent).valid_until,
    )
    for read in readers:
        try:
            found = read()
        except Unreadable:
            continue
        assert found is None or isinstance(found, date)
        assert not isinstance(found, datetime) or found.tzinfo is not None


# -- rows, ids and statuses --------------------------------------------------------------------


@given(row=st.dictionaries(st.sampled_from([
    "id", "status", "total", "currency", "date_created", "created_at", "payment_method", "name",
    "items_count", "valid_until", "line_items", "license_key", "product_name", "expires_at",
    "activations_limit", "activations_count", "activated_domains", "plan", "cnpj", "country",
]), json_values))  # fmt: skip
def test_no_row_raises_anything_but_unreadable(row: dict[str, Any]) -> None:
    readers: tuple[Callable[[], Order | Quote | License | Organization | Collaborator], ...] = (
        lambda: Order.from_json(row, "cents"),
        lambda: Quote.from_json(row, "units"),
        lambda: License.from_json(row),
        lambda: Organization.from_json(row),
        lambda: Collaborator.from_json(row),
    )
    for read in readers:
        with suppress(Unreadable):
            assert read().id == int(row["id"])


@pytest.mark.parametrize("sent", [None, "", "x", "1.0", 1.0, True, [], {}])
def test_a_record_without_an_id_is_unreadable(sent: object) -> None:
    with pytest.raises(Unreadable, match="wrong_shape"):
        order(id=sent)


def test_an_id_may_be_digits_in_a_string() -> None:
    assert order(id="501").id == 501


@pytest.mark.parametrize("value", [None, {}, "rows", 3, [1], [None], [{}, "x"]])
def test_rows_are_a_list_of_objects(value: object) -> None:
    with pytest.raises(Unreadable, match="wrong_shape"):
        read_rows(value)


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        ("on-hold", "on-hold"), ("wc-on-hold", "on-hold"), ("On Hold", "on-hold"),
        ("on_hold", "on-hold"), ("wc-On Hold", "on-hold"), ("Processing", "processing"),
        (" pending ", "pending"), ("awaiting-shipment", "awaiting-shipment"),
        (None, "unknown"), ("", "unknown"), (3, "unknown"),
    ],
)  # fmt: skip
def test_a_status_is_compared_in_one_spelling_and_kept_as_it_came(sent: object, value: str) -> None:
    status = order(status=sent).status
    assert status.value == value
    assert status.raw == (sent.strip() if isinstance(sent, str) else "")


# -- organization ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"cnpj": "12.345.678/0001-90"}, "tax_id", "12.345.678/0001-90"),
        ({"tax_id": "12.ABC.345/01DE-35"}, "tax_id", "12.ABC.345/01DE-35"),
        ({"cnpj": None, "tax_id": "36-4827159"}, "tax_id", "36-4827159"),
        ({"cnpj": ""}, "tax_id", None),
        ({"billing_entity": "middag_br"}, "billing_name", "MIDDAG BR"),
        ({"company": "middag_global"}, "billing_name", "MIDDAG GLOBAL"),
        ({"company": "middag_mars"}, "billing_name", "middag_mars"),
        ({}, "billing_name", None),
        ({"plan": "Business"}, "plan", "Business"),
        ({"plan": {"name": "Flex"}}, "plan", "Flex"),
        ({"plan": {}}, "plan", None),
        ({"plan": 3}, "plan", None),
        ({}, "plan", None),
        ({"name": None, "legal_name": "Acme Ltda"}, "name", "Acme Ltda"),
        ({"name": " "}, "name", "#42"),
        ({"country": "BR"}, "tax_label", "CNPJ"),
        ({"country": "US"}, "tax_label", "EIN"),
        ({"country": "DE"}, "tax_label", "Tax id"),
    ],
)
def test_an_organization_is_read_from_either_side_of_a_contradiction(
    fields: dict[str, Any], name: str, value: object
) -> None:
    assert getattr(organization(**fields), name) == value


def test_verified_is_kept_wherever_it_stands() -> None:
    by_reference = organization(status="publish", verification_status="Under Review")
    assert by_reference.verification is not None
    assert by_reference.verification.value == "under-review"
    by_example = organization(status="verified")
    assert by_example.status is not None
    assert by_example.status.raw == "verified"


# -- orders ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "active"),
    [
        ("pending", True), ("processing", True), ("on-hold", True), ("wc-processing", True),
        ("awaiting-shipment", True), (None, True), ("completed", False), ("cancelled", False),
        ("refunded", False), ("failed", False), ("wc-completed", False), ("Refunded", False),
    ],
)  # fmt: skip
def test_an_order_is_active_unless_it_is_surely_over(status: object, active: bool) -> None:
    assert order(status=status).active is active


# -- quotes ------------------------------------------------------------------------------------


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
    end = None if days is None else str(TODAY + timedelta(days=days))
    found = quote(status=status, valid_until=end)
    assert (found.pending(TODAY), found.lapsed(TODAY)) == (pending, lapsed)


def test_a_quote_names_its_products() -> None:
    lines = [{"product_name": "Reports"}, {"product_name": None}, {"quantity": 1}]
    assert quote(line_items=lines).products == ("Reports",)
    assert quote(line_items=[]).products == quote(line_items=None).products == quote().products


# -- licenses ----------------------------------------------------------------------------------


def ends(seconds: float) -> str:
    return (NOW + timedelta(seconds=seconds)).isoformat()


DAY = 86400


@pytest.mark.parametrize(
    ("status", "end", "active", "expiring", "recently"),
    [
        ("active", None, True, False, False),
        ("active", 31 * DAY, True, False, False),
        ("active", 30 * DAY, True, True, False),
        ("active", 1, True, True, False),
        ("Active", 1, True, True, False),
        ("wc-active", 1, True, True, False),
        ("active", 0, False, False, True),
        ("active", -1, False, False, True),
        ("active", -30 * DAY, False, False, True),
        ("active", -30 * DAY - 1, False, False, False),
        ("expired", -5 * DAY, False, False, True),
        ("expired", -200 * DAY, False, False, False),
        ("expired", None, False, False, False),
        ("expired", 5 * DAY, False, False, False),
        ("disabled", 5 * DAY, False, False, False),
        ("disabled", -5 * DAY, False, False, False),
        ("paused", None, False, False, False),
    ],
)
def test_a_license_is_active_expiring_or_recently_expired(
    status: str, end: float | None, active: bool, expiring: bool, recently: bool
) -> None:
    found = license_(status=status, expires_at=None if end is None else ends(end))
    assert found.active(NOW) is active
    assert found.expiring(NOW, 30) is expiring
    assert found.recently_expired(NOW, 30) is recently


@pytest.mark.parametrize(
    ("sent", "limit"), [(3, 3), ("3", 3), (None, None), (0, None), (-1, None), ("-1", None)]
)
def test_an_unlimited_license_has_no_limit(sent: object, limit: int | None) -> None:
    assert license_(activations_limit=sent).limit == limit


# -- collaborators -----------------------------------------------------------------------------


def test_a_collaborators_email_and_role_have_one_spelling() -> None:
    row = {"id": 1, "email": "Hugo@Example.COM", "role": "Owner", "user_id": None}
    found = Collaborator.from_json(row)
    assert (found.email, found.role, found.user_id) == ("hugo@example.com", "owner", None)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("MARIA DA SILVA 12345678909", "MARIA DA SILVA"),
        ("MARIA DA SILVA 123.456.789-09", "MARIA DA SILVA"),
        ("12.345.678/0001-95 JOSE LTDA", "JOSE LTDA"),
        ("Studio 2000 Ltda", "Studio 2000 Ltda"),
    ],
)
def test_a_name_is_read_without_the_tax_id_in_it(name: str, shown: str) -> None:
    found = Organization.from_json({"id": 42, "name": name, "legal_name": name})
    assert (found.name, found.legal_name) == (shown, shown)
