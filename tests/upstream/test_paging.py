"""Long lists on a slow WordPress: few calls, at once where they can be, and true to the end."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from werkzeug.wrappers import Request, Response

from panel.cache.policy import CacheControl
from panel.deadline import Deadline
from panel.demo.worlds import SECRET, serve
from panel.errors import Unreachable, Unreadable, Unwell
from panel.upstream.bodies import LARGEST_ANSWER
from panel.upstream.client import Client
from panel.upstream.documents import COLLABORATORS, DOCUMENTS, LICENSES, ORDERS, QUOTES
from panel.upstream.middag import CALLS_AT_ONCE, BackOffice
from panel.upstream.paging import CallSlots
from tests.conftest import build_cache

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Refuse = Callable[[dict[str, str]], Response | None]


def envelope(data: Any, meta: Any = None) -> Response:
    return Response(json.dumps({"success": True, "data": data, "meta": meta}))


def refuse_size(answer: Response) -> Refuse:
    return lambda query: answer if "per_page" in query else None


@dataclass
class Shop:
    """`rows` of each list, `largest` on a page; `seconds` for each call.

    `refuse` may answer in its place; `meta` may change what is said of the list; `headers`: of
    each answer.
    """

    rows: int = 450
    largest: int = 100
    seconds: float = 0.0
    refuse: Refuse = lambda _query: None
    meta: Callable[[int, dict[str, Any]], Any] = lambda _page, meta: meta
    headers: dict[str, str] = field(default_factory=dict)
    queries: list[dict[str, str]] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        request = Request(environ)
        with self._lock:
            self.queries.append(dict(request.args.items()))
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        time.sleep(self.seconds)
        answer = self.answer(request)
        answer.headers.extend(self.headers)
        with self._lock:
            self._now -= 1
        return answer(environ, start)

    def answer(self, request: Request) -> Response:
        query = dict(request.args.items())
        if request.path.startswith("/organizations/") and request.path.count("/") == 2:
            return envelope({"id": int(query["org"]), "name": "Firm"})
        if refused := self.refuse(query):
            return refused
        page, size = int(query["page"]), min(int(query.get("per_page", 20)), self.largest)
        rows = [{"id": at, "status": "pending"} for at in range(1, self.rows + 1)]
        shown = rows[(page - 1) * size : page * size]
        pages = -(-self.rows // size)
        told = {"page": page, "per_page": size, "total": self.rows, "pages": pages}
        return envelope(shown, self.meta(page, told))

    @property
    def asked(self) -> list[tuple[str, str | None]]:
        """Page and `per_page` of each call."""
        return [(query["page"], query.get("per_page")) for query in self.queries]


Open = Callable[[Shop], BackOffice]


@pytest.fixture
def opened() -> Iterator[Open]:
    servers = []

    def open_shop(shop: Shop) -> BackOffice:
        servers.append(serve(shop))
        client = Client(servers[-1].url, {"Authorization": f"Bearer {SECRET}"})
        return BackOffice(client, build_cache("memory:", Flask("test")), "cents")

    yield open_shop
    for server in servers:
        server.stop()


def read_ids(office: BackOffice, document: Any = ORDERS, organization: int = 42) -> list[int]:
    rows = office.read(document, organization, CacheControl.NO_CACHE).value.rows
    return [row.id for row in rows]


# -- the size of a page ------------------------------------------------------------------------


def test_four_hundred_and_fifty_orders_are_five_calls_in_two_rounds(opened: Open) -> None:
    shop = Shop(seconds=1.0)
    office, begun = opened(shop), time.monotonic()
    assert read_ids(office) == list(range(1, 451))
    assert time.monotonic() - begun < 3.5
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
def test_a_size_that_is_refused_costs_one_call_more_and_only_once(opened: Open, name: str) -> None:
    shop = Shop(rows=30, refuse=refuse_size(REFUSALS[name]))
    office = opened(shop)
    assert read_ids(office) == list(range(1, 31))
    assert shop.asked == [("1", "100"), ("1", None), ("2", None)]
    shop.queries.clear()
    assert len(read_ids(office, organization=43)) == 30
    assert shop.asked == [("1", None), ("2", None)]


def test_one_list_may_take_a_size_that_another_refuses(opened: Open) -> None:
    refused = REFUSALS["400 in the envelope"]
    shop = Shop(rows=3, refuse=refuse_size(refused))
    office = opened(shop)
    read_ids(office, QUOTES)
    shop.refuse = lambda _query: None
    shop.queries.clear()
    read_ids(office, QUOTES)
    read_ids(office, LICENSES)
    assert shop.asked == [("1", None), ("1", "100")]


def test_a_refusal_of_something_else_is_not_taken_for_one_of_the_size(opened: Open) -> None:
    shop = Shop(rows=3, refuse=lambda _query: Response("{}", 400))
    office = opened(shop)
    for _ in range(2):
        with pytest.raises(Unreadable, match="http_400"):
            office.fetch(ORDERS, 42)
    assert shop.asked == [("1", "100"), ("1", None)] * 2
    shop.refuse = lambda _query: None
    read_ids(office)
    assert shop.asked[4:] == [("1", "100")]


def test_rows_too_large_for_a_large_page_come_on_small_ones(opened: Open) -> None:
    """They are one organization's: the next one is asked for large pages again."""
    huge = Response(" " * (LARGEST_ANSWER + 1))
    shop = Shop(rows=30, refuse=refuse_size(huge))
    office = opened(shop)
    assert len(read_ids(office)) == 30
    shop.refuse = lambda _query: None
    shop.queries.clear()
    read_ids(office, organization=43)
    assert shop.asked == [("1", "100")]


def test_a_size_that_is_cut_down_is_believed(opened: Open) -> None:
    shop = Shop(rows=120, largest=50)
    assert len(read_ids(opened(shop))) == 120
    assert sorted(shop.asked) == [("1", "100"), ("2", "100"), ("3", "100")]


def test_a_size_that_is_ignored_is_believed_too_up_to_the_tenth_page(opened: Open) -> None:
    shop = Shop(largest=20)
    found = opened(shop).read(ORDERS, 42, CacheControl.NO_CACHE).value
    assert (len(found.rows), found.total, found.cut) == (200, 450, True)
    assert len(shop.asked) == 10


# -- at once -----------------------------------------------------------------------------------


def test_all_sections_of_an_organization_make_four_calls_at_once_at_most(opened: Open) -> None:
    shop = Shop(seconds=0.1)
    office = opened(shop)

    def read(document: Any) -> object:
        return office.read(document, 42, CacheControl.FRESH).value

    with ThreadPoolExecutor(len(DOCUMENTS)) as pool:
        assert len(list(pool.map(read, DOCUMENTS))) == 4
    assert len(shop.queries) == 1 + 3 * 5
    assert shop.most_at_once == CALLS_AT_ONCE == 4


def test_organizations_do_not_wait_for_each_other(opened: Open) -> None:
    shop = Shop(seconds=0.2)
    office = opened(shop)
    with ThreadPoolExecutor(3) as pool:
        for found in pool.map(lambda number: read_ids(office, organization=number), (1, 2, 3)):
            assert len(found) == 450
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
    assert slots._slots == {}


def test_a_page_that_fails_fails_the_list(opened: Open) -> None:
    broken = Response("<html>", 500)
    shop = Shop(refuse=lambda query: broken if query["page"] == "4" else None)
    with pytest.raises(Unwell, match="http_500"):
        opened(shop).fetch(ORDERS, 42)


def test_a_pass_reads_page_after_page(opened: Open) -> None:
    shop, passed = Shop(rows=450, seconds=0.02), list[int]()
    office = opened(shop).behind(lambda: passed.append(len(shop.queries)))
    assert len(office.fetch(COLLABORATORS, 42).rows) == 450
    assert shop.most_at_once == 1
    assert passed == [0, 1, 2, 3, 4], "the gate is passed before each call"


# -- totals ------------------------------------------------------------------------------------


def test_a_list_that_changed_meanwhile_is_read_once_more(opened: Open) -> None:
    def grow(page: int, meta: dict[str, Any]) -> Any:
        return meta | {"total": 251} if page == 3 and len(shop.queries) <= 3 else meta

    shop = Shop(rows=250, meta=grow)
    found = opened(shop).read(ORDERS, 42, CacheControl.NO_CACHE).value
    assert (len(found.rows), found.total, found.cut) == (250, 250, False)
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
    opened: Open, odd: Callable[[int, dict[str, Any]], Any]
) -> None:
    shop = Shop(rows=250, meta=odd)
    found = opened(shop).read(ORDERS, 42, CacheControl.NO_CACHE).value
    assert found.cut is True
    assert len(shop.queries) in (4, 6)


def test_fewer_counted_than_there_are_is_no_reason_to_doubt_them(opened: Open) -> None:
    shop = Shop(rows=30, meta=lambda _page, meta: meta | {"total": 5})
    found = opened(shop).read(ORDERS, 42, CacheControl.NO_CACHE).value
    assert (len(found.rows), found.cut) == (30, False)
    assert len(shop.queries) == 1


@pytest.mark.parametrize("pages", [10**18, "10000000", -(10**18), 0])
def test_no_number_of_pages_makes_more_than_ten_calls(opened: Open, pages: Any) -> None:
    shop = Shop(rows=5000, meta=lambda _page, meta: {"pages": pages})
    found = opened(shop).read(ORDERS, 42, CacheControl.NO_CACHE).value
    assert len(shop.queries) <= 10
    assert len(found.rows) >= 100


def test_a_list_without_an_end_that_repeats_itself_ends(opened: Open) -> None:
    rows = [{"id": at, "status": "pending"} for at in range(20)]
    shop = Shop(refuse=lambda _query: envelope(rows, {"pages": 99}))
    found = opened(shop).read(ORDERS, 42, CacheControl.NO_CACHE).value
    assert len(found.rows) == 20
    assert len(shop.queries) == 5


# -- pages out of a cache ----------------------------------------------------------------------


def test_a_list_is_as_old_as_its_oldest_page(opened: Open) -> None:
    def age(query: dict[str, str]) -> Response | None:
        shop.headers = {"Age": "50"} if query["page"] == "2" else {}
        return None

    shop = Shop(rows=40, largest=20, refuse=age)
    reading = opened(shop).read(ORDERS, 42, CacheControl.FRESH)
    assert time.time() - reading.read_at == pytest.approx(50, abs=3)
    assert reading.late is None


def test_what_no_cache_says_its_age_of_is_known_by_no_time(opened: Open) -> None:
    office = opened(Shop(rows=4, headers={"X-Cache": "HIT"}))
    assert office.read(ORDERS, 42, CacheControl.FRESH).late == "cached_upstream"
    assert office.trouble is not None
    assert (office.trouble.document, office.trouble.code) == ("orders", "cached_upstream")
