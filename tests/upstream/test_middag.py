"""The back office's API: its requests, its pages, and the owners of rows."""

from collections.abc import Callable
from typing import Any

import pytest

from panel.cache.policy import CacheControl
from panel.demo.worlds import SECRET
from panel.errors import Unreadable
from panel.upstream.documents import (
    COLLABORATORS,
    DOCUMENTS,
    ENTITLEMENTS,
    LICENSES,
    ORDERS,
    ORGANIZATION,
    QUOTES,
    Document,
)
from panel.upstream.middag import BackOffice
from panel.upstream.record_documents import ORDER
from tests.conftest import API, Worlds
from tests.upstream.office import Told, make_office, office, row

__all__ = ["make_office", "office"]  # fixtures


def ids(office: BackOffice, document: Document[Any] = ORDERS, organization: int = 42) -> list[int]:
    return [row.id for row in office.read(document, organization, CacheControl.NO_CACHE).value.rows]


# -- requests --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (ORGANIZATION, "/organizations/42"),
        (ORDERS, "/orders"),
        (QUOTES, "/quotes"),
        (LICENSES, "/licenses"),
        (COLLABORATORS, "/organizations/42/collaborators"),
        (ENTITLEMENTS, "/entitlements"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_organization_is_named_in_header_and_query(
    worlds: Worlds, office: BackOffice, document: Document[Any], path: str
) -> None:
    office.fetch(document, 42)
    [call] = worlds.office.calls
    assert (call.method, call.path) == ("GET", API + path)
    assert call.headers["x-middag-organization"] == call.query["org"] == "42"
    assert call.headers["authorization"] == f"Bearer {SECRET}"
    assert call.headers["cache-control"] == "no-cache"


def test_every_document_is_read_of_the_healthy_company(office: BackOffice) -> None:
    assert office.fetch(ORGANIZATION, 42).name == "Acme Ltda"
    assert len(office.fetch(ORDERS, 42).rows) == 17
    assert len(office.fetch(QUOTES, 42).rows) == 10
    assert len(office.fetch(LICENSES, 42).rows) == 4
    assert len(office.fetch(COLLABORATORS, 42).rows) == 5
    assert len(office.fetch(ENTITLEMENTS, 42).rows) == 4


def test_what_is_asked_now_is_not_kept(worlds: Worlds, office: BackOffice) -> None:
    office.fetch(ORDERS, 42)
    assert office.peek(ORDERS, 42) is None
    assert worlds.office.count() == 1


@pytest.mark.parametrize(
    ("name", "fresh"), [("organization", 300), ("orders", 60), ("quotes", 60), ("licenses", 300)]
)
def test_the_times_to_live_stand_in_one_table(name: str, fresh: int) -> None:
    [life] = [document.lifetimes for document in DOCUMENTS if document.name == name]
    assert (life.fresh, life.empty, life.kept, life.refused) == (fresh, 30, 86400, 30)


# -- pages -----------------------------------------------------------------------------------------


def pages_of(total: int, size: int = 20, meta: Any = None) -> Callable[[int], Any]:
    def page(number: int) -> dict[str, Any]:
        rows = [row(at) for at in range(1, total + 1)][(number - 1) * size : number * size]
        make_office = {"page": number, "per_page": size, "total": total, "pages": -(-total // size)}
        return {"data": rows, "meta": make_office | (meta or {})}

    return page


@pytest.mark.parametrize(("total", "calls"), [(0, 1), (1, 1), (20, 1), (21, 2), (200, 10)])
def test_pages_are_walked_until_the_last(make_office: Told, total: int, calls: int) -> None:
    office, teller = make_office(pages_of(total))
    orders = office.fetch(ORDERS, 42)
    assert (len(orders.rows), orders.total, orders.cut) == (total, total, False)
    assert sorted(teller.pages) == list(range(1, calls + 1))


def test_after_ten_pages_the_list_is_cut(make_office: Told) -> None:
    office, teller = make_office(pages_of(250))
    orders = office.fetch(ORDERS, 42)
    assert (len(orders.rows), orders.total, orders.cut) == (200, 250, True)
    assert len(teller.pages) == 10


def test_numbers_may_come_as_digits_in_strings(make_office: Told) -> None:
    office, _ = make_office(pages_of(50, meta={"total": "50", "pages": "3"}))
    orders = office.fetch(ORDERS, 42)
    assert (len(orders.rows), orders.total) == (50, 50)


def test_a_list_that_is_shorter_than_counted_says_so(make_office: Told) -> None:
    office, _ = make_office({"data": [row(1)], "meta": {"total": 60}})
    assert office.fetch(ORDERS, 42).cut is True


@pytest.mark.parametrize("meta", [None, [], {}, "x", {"pages": None, "total": None}, {"pages": -1}])
def test_a_list_without_usable_meta_is_one_page(make_office: Told, meta: Any) -> None:
    office, teller = make_office({"data": [row(1)], "meta": meta})
    assert ids(office) == [1]
    assert len(teller.pages) == 1


def test_a_row_that_moved_to_the_next_page_is_counted_once(make_office: Told) -> None:
    def page(number: int) -> Any:
        rows = {1: [row(1), row(2)], 2: [row(2), row(3)]}[number]
        return {"data": rows, "meta": {"pages": 2, "total": 3}}

    office, _ = make_office(page)
    assert ids(office) == [1, 2, 3]


def test_a_page_that_is_empty_ends_the_walk(make_office: Told) -> None:
    def page(number: int) -> Any:
        return {"data": [row(1)] if number == 1 else [], "meta": {"pages": 9, "total": 1}}

    office, teller = make_office(page)
    assert ids(office) == [1]
    assert teller.pages == [1], "one row was counted, and one was there"


def test_a_full_page_without_meta_is_not_taken_for_the_whole_list(make_office: Told) -> None:
    """20 is the documented page size, so further rows may exist behind the last one."""

    def page(number: int) -> Any:
        return {"data": [row(at) for at in range(1, 51)][(number - 1) * 20 : number * 20]}

    office, _ = make_office(page)
    orders = office.fetch(ORDERS, 42)
    assert len(orders.rows) == 50 or orders.cut


# -- owners of rows
# -----------------------------------------------------------------------------------


@pytest.mark.parametrize("owner", [43, "43", 43.0, -1])
@pytest.mark.parametrize("page", [1, 2])
def test_a_row_of_another_organization_spoils_the_whole_answer(
    make_office: Told, owner: Any, page: int
) -> None:
    def pages(number: int) -> Any:
        foreign = {"organization_id": owner} if number == page else {}
        return {"data": [row(number), row(9, **foreign)], "meta": {"pages": 2, "total": 4}}

    office, _ = make_office(pages)
    with pytest.raises(Unreadable) as error:
        office.fetch(ORDERS, 42)
    assert error.value.code == "foreign_rows"


@pytest.mark.parametrize("owner", [{"id": 42}, {"id": 43}, [42], True, "acme", 4.5])
def test_a_row_whose_owner_nobody_can_read_is_counted_and_not_shown(
    make_office: Told, owner: Any
) -> None:
    office, _ = make_office({"data": [row(1), row(2, organization_id=owner)]})
    orders = office.fetch(ORDERS, 42)
    assert [listed_row.id for listed_row in orders.rows] == [1]
    assert (orders.unread, [oddity.reason for oddity in orders.oddities]) == (
        1,
        ["organization_id is no id"],
    )


@pytest.mark.parametrize(
    ("owner", "code"),
    [
        *((owner, "foreign_rows") for owner in (43, "43")),
        *((owner, "wrong_shape") for owner in ({"id": 43}, True, "acme")),
    ],
)
def test_one_record_of_another_organization_or_of_an_illegible_one_is_not_shown(
    make_office: Told, owner: Any, code: str
) -> None:
    office, _ = make_office({"data": row(7, organization_id=owner)})
    with pytest.raises(Unreadable) as error:
        office.read(ORDER.of(7), 42, CacheControl.NO_CACHE)
    assert error.value.code == code


@pytest.mark.parametrize("owner", [42, "42", 42.0, None, 0, "0", False, "", []])
def test_a_row_of_ours_or_of_nobody_is_shown(make_office: Told, owner: Any) -> None:
    office, _ = make_office({"data": [row(1, organization_id=owner)]})
    assert ids(office) == [1]


@pytest.mark.parametrize("number", [43, "43"])
def test_an_organization_with_another_id_is_not_the_one(make_office: Told, number: Any) -> None:
    office, _ = make_office({"data": {"id": number, "name": "Other"}})
    with pytest.raises(Unreadable, match="foreign_rows"):
        office.fetch(ORGANIZATION, 42)
