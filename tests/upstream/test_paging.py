"""Long lists on a slow WordPress: few calls, at once where possible."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from werkzeug.wrappers import Response

from panel.cache.policy import CacheControl
from panel.deadline import Deadline
from panel.errors import Unreachable, Unreadable, Unwell
from panel.upstream.bodies import LARGEST_ANSWER
from panel.upstream.documents import COLLABORATORS, DOCUMENTS, LICENSES, ORDERS, QUOTES
from panel.upstream.middag import CALLS_AT_ONCE, BackOffice
from panel.upstream.paging import CallSlots
from tests.upstream.paged import Open, Refuse, Shop, open_office

__all__ = ["open_office"]  # a fixture


def refuse_size(answer: Response) -> Refuse:
    return lambda query: answer if "per_page" in query else None


def read_ids(office: BackOffice, document: Any = ORDERS, organization: int = 42) -> list[int]:
    rows = office.read(document, organization, CacheControl.NO_CACHE).value.rows
    return [row.id for row in rows]


# -- the size of a page ----------------------------------------------------------------------------


def test_four_hundred_and_fifty_orders_are_five_calls_in_two_rounds(open_office: Open) -> None:
    shop = Shop(seconds=1.0)
    office, started_at = open_office(shop), time.monotonic()
    assert read_ids(office) == list(range(1, 451))
    assert time.monotonic() - started_at < 3.5
    assert sorted(shop.asked) == [(str(page), "100") for page in range(1, 6)]
    assert shop.most_at_once == 4


REFUSALS = {
    "400 in the envelope": Response(
        json.dumps({"success": False, "errors": {"code": "VALIDATION_ERROR"}}), 400
    ),
    "400 of WordPress": Response(
        json.dumps({"code": "rest_invalid_param", "message": "per_page", "data": {}}), 400
    ),
    "422 in the envelope": Response(
        json.dumps({"success": False, "errors": {"fields": {"per_page": ["at most 20"]}}}), 422
    ),
    "400 without a word": Response("", 400),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_size_that_is_refused_costs_one_call_more_and_only_once(
    open_office: Open, name: str
) -> None:
    shop = Shop(rows=30, refuse=refuse_size(REFUSALS[name]))
    office = open_office(shop)
    assert read_ids(office) == list(range(1, 31))
    assert shop.asked == [("1", "100"), ("1", None), ("2", None)]
    shop.queries.clear()
    assert len(read_ids(office, organization=43)) == 30
    assert shop.asked == [("1", None), ("2", None)]


def test_one_list_may_take_a_size_that_another_refuses(open_office: Open) -> None:
    refusal = REFUSALS["400 in the envelope"]
    shop = Shop(rows=3, refuse=refuse_size(refusal))
    office = open_office(shop)
    read_ids(office, QUOTES)
    shop.refuse = lambda _query: None
    shop.queries.clear()
    read_ids(office, QUOTES)
    read_ids(office, LICENSES)
    assert shop.asked == [("1", None), ("1", "100")]


def test_a_refusal_of_something_else_is_not_taken_for_one_of_the_size(open_office: Open) -> None:
    shop = Shop(rows=3, refuse=lambda _query: Response("{}", 400))
    office = open_office(shop)
    for _ in range(2):
        with pytest.raises(Unreadable, match="http_400"):
            office.fetch(ORDERS, 42)
    assert shop.asked == [("1", "100"), ("1", None)] * 2
    shop.refuse = lambda _query: None
    read_ids(office)
    assert shop.asked[4:] == [("1", "100")]


def test_rows_too_large_for_a_large_page_come_on_small_ones(open_office: Open) -> None:
    """Such rows concern one organization: the next one is read in large pages again."""
    huge = Response(" " * (LARGEST_ANSWER + 1))
    shop = Shop(rows=30, refuse=refuse_size(huge))
    office = open_office(shop)
    assert len(read_ids(office)) == 30
    shop.refuse = lambda _query: None
    shop.queries.clear()
    read_ids(office, organization=43)
    assert shop.asked == [("1", "100")]


def test_a_size_that_is_cut_down_is_believed(open_office: Open) -> None:
    shop = Shop(rows=120, largest=50)
    assert len(read_ids(open_office(shop))) == 120
    assert sorted(shop.asked) == [("1", "100"), ("2", "100"), ("3", "100")]


def test_a_size_that_is_ignored_is_believed_too_up_to_the_tenth_page(open_office: Open) -> None:
    shop = Shop(largest=20)
    orders = open_office(shop).read(ORDERS, 42, CacheControl.NO_CACHE).value
    assert (len(orders.rows), orders.total, orders.cut) == (200, 450, True)
    assert len(shop.asked) == 10


# -- calls at once
# --------------------------------------------------------------------------------------


def test_all_sections_of_an_organization_make_four_calls_at_once_at_most(open_office: Open) -> None:
    shop = Shop(seconds=0.1)
    office = open_office(shop)

    def read(document: Any) -> object:
        return office.read(document, 42, CacheControl.FRESH).value

    with ThreadPoolExecutor(len(DOCUMENTS)) as pool:
        assert len(list(pool.map(read, DOCUMENTS))) == 4
    assert len(shop.queries) == 1 + 3 * 5
    assert shop.most_at_once == CALLS_AT_ONCE == 4


def test_organizations_do_not_wait_for_each_other(open_office: Open) -> None:
    shop = Shop(seconds=0.2)
    office = open_office(shop)
    with ThreadPoolExecutor(3) as pool:
        for ids in pool.map(lambda number: read_ids(office, organization=number), (1, 2, 3)):
            assert len(ids) == 450
    assert shop.most_at_once > CALLS_AT_ONCE


def test_a_slot_that_never_gets_free_ends_with_the_deadline() -> None:
    slots = CallSlots(1)
    with slots.hold(42, Deadline()):
        with pytest.raises(Unreachable, match="timeout"), slots.hold(42, Deadline(0.05)):
            pytest.fail("there is only one")
        with slots.hold(43, Deadline(0.05)):
            pass
    with slots.hold(42, Deadline(0.05)):
        pass
    assert slots.count_organizations() == 0


def test_a_page_that_fails_fails_the_list(open_office: Open) -> None:
    broken = Response("<html>", 500)
    shop = Shop(refuse=lambda query: broken if query["page"] == "4" else None)
    with pytest.raises(Unwell, match="http_500"):
        open_office(shop).fetch(ORDERS, 42)


def test_a_pass_reads_page_after_page(open_office: Open) -> None:
    shop, passed = Shop(rows=450, seconds=0.02), list[int]()
    office = open_office(shop).behind(lambda: passed.append(len(shop.queries)))
    assert len(office.fetch(COLLABORATORS, 42).rows) == 450
    assert shop.most_at_once == 1
    assert passed == [0, 1, 2, 3, 4], "the gate is passed before each call"
