"""Long lists are read to their end, with wrong totals and pages out of a cache."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.wrappers import Response

from panel.cache.policy import CacheControl
from panel.upstream.documents import ORDERS
from tests.upstream.paged import Open, Shop, envelope, open_office

__all__ = ["open_office"]  # a fixture


# -- totals ----------------------------------------------------------------------------------------


def test_a_list_that_changed_meanwhile_is_read_once_more(open_office: Open) -> None:
    def grow(page: int, meta: dict[str, Any]) -> Any:
        return meta | {"total": 251} if page == 3 and len(shop.queries) <= 3 else meta

    shop = Shop(rows=250, meta=grow)
    orders = open_office(shop).read(ORDERS, 42, CacheControl.NO_CACHE).value
    assert (len(orders.rows), orders.total, orders.cut) == (250, 250, False)
    assert len(shop.queries) == 6


@pytest.mark.parametrize(
    "odd",
    [
        lambda page, meta: meta | {"total": 250 + page},
        lambda _page, meta: meta | {"total": 300},
        lambda _page, meta: meta | {"pages": 2},
    ],
    ids=["never the same", "too many", "pages missing"],
)
def test_a_total_that_still_does_not_fit_means_that_rows_may_be_missing(
    open_office: Open, odd: Callable[[int, dict[str, Any]], Any]
) -> None:
    shop = Shop(rows=250, meta=odd)
    orders = open_office(shop).read(ORDERS, 42, CacheControl.NO_CACHE).value
    assert orders.cut is True
    assert len(shop.queries) in (4, 6)


def test_fewer_counted_than_there_are_is_no_reason_to_doubt_them(open_office: Open) -> None:
    shop = Shop(rows=30, meta=lambda _page, meta: meta | {"total": 5})
    orders = open_office(shop).read(ORDERS, 42, CacheControl.NO_CACHE).value
    assert (len(orders.rows), orders.cut) == (30, False)
    assert len(shop.queries) == 1


@pytest.mark.parametrize("pages", [10**18, "10000000", -(10**18), 0])
def test_no_number_of_pages_makes_more_than_ten_calls(open_office: Open, pages: Any) -> None:
    shop = Shop(rows=5000, meta=lambda _page, meta: {"pages": pages})
    orders = open_office(shop).read(ORDERS, 42, CacheControl.NO_CACHE).value
    assert len(shop.queries) <= 10
    assert len(orders.rows) >= 100


def test_a_list_without_an_end_that_repeats_itself_ends(open_office: Open) -> None:
    rows = [{"id": at, "status": "pending"} for at in range(20)]
    shop = Shop(refuse=lambda _query: envelope(rows, {"pages": 99}))
    orders = open_office(shop).read(ORDERS, 42, CacheControl.NO_CACHE).value
    assert len(orders.rows) == 20
    assert len(shop.queries) == 5


# -- pages out of a cache --------------------------------------------------------------------------


def test_a_list_is_as_old_as_its_oldest_page(open_office: Open) -> None:
    def age(query: dict[str, str]) -> Response | None:
        shop.headers = {"Age": "50"} if query["page"] == "2" else {}
        return None

    shop = Shop(rows=40, largest=20, refuse=age)
    reading = open_office(shop).read(ORDERS, 42, CacheControl.FRESH)
    assert time.time() - reading.read_at == pytest.approx(50, abs=3)
    assert reading.late is None


def test_what_no_cache_says_its_age_of_is_known_by_no_time(open_office: Open) -> None:
    office = open_office(Shop(rows=4, headers={"X-Cache": "HIT"}))
    assert office.read(ORDERS, 42, CacheControl.FRESH).late == "cached_upstream"
    assert office.trouble is not None
    assert (office.trouble.document, office.trouble.code) == ("orders", "cached_upstream")
