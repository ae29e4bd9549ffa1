"""Kept copies: their lifetimes, their readers, and the reasons for a panel to ask again."""

from dataclasses import replace
from typing import Any

import pytest

from panel.cache.policy import CacheControl
from panel.errors import Unauthorized, Unwell
from tests.cache.kept import (
    ORDERS,
    Kept,
    Office,
    Rows,
    is_news,
    memory,
    over,
    parse,
    store_reader,
    url,
)
from tests.conftest import Clock

__all__ = ["memory", "store_reader", "url"]  # fixtures


# -- how long --------------------------------------------------------------------------------------


def test_what_is_kept_is_not_asked_again(store_reader: Kept) -> None:
    store_reader.office.answer = [{"id": 1, "name": "ã\u202e<b>"}]
    first, second = store_reader.read(), store_reader.read()
    assert second.value == first.value == [{"id": 1, "name": "ã\u202e<b>"}]
    assert second.version == first.version
    assert (second.late, second.follow, store_reader.office.reads) == (None, False, 1)


def test_read_at_is_when_the_answer_came(store_reader: Kept) -> None:
    came = store_reader.read().read_at
    assert came == store_reader.clock.now
    store_reader.clock.advance(30)
    assert store_reader.read().read_at == came


@pytest.mark.parametrize(("answer", "seconds"), [([1], 60), ([], 30)], ids=["rows", "empty"])
def test_an_answer_is_fresh_for_its_time_to_live(
    store_reader: Kept, answer: Rows, seconds: int
) -> None:
    store_reader.office.answer = answer
    store_reader.read()
    store_reader.clock.advance(seconds - 1)
    assert store_reader.read().late is None
    store_reader.clock.advance(1)
    assert store_reader.read().late == "aged"


def test_an_aged_copy_is_shown_at_once_and_asks_to_be_followed(store_reader: Kept) -> None:
    store_reader.read()
    store_reader.clock.advance(61)
    aged = store_reader.read(CacheControl.STALE_WHILE_REVALIDATE)
    assert (aged.value, aged.late, aged.follow, store_reader.office.reads) == ([1], "aged", True, 1)
    store_reader.office.answer = [2]
    assert store_reader.read(CacheControl.FRESH).value == [2]


def test_an_aged_copy_that_cannot_be_renewed_is_late_with_the_reason(store_reader: Kept) -> None:
    store_reader.read()
    store_reader.clock.advance(61)
    store_reader.office.answer = Unwell("http_500", retry_at=123.0)
    late = store_reader.read(CacheControl.FRESH)
    assert (late.value, late.late, late.retry_at, late.follow) == ([1], "http_500", 123.0, False)


def test_no_copy_is_shown_after_a_day(memory: Kept) -> None:
    memory.read()
    memory.clock.advance(24 * 3600 - 1)
    memory.office.answer = Unwell()
    assert memory.read(CacheControl.FRESH).late == "http_500"
    memory.clock.advance(2)
    assert memory.fail(CacheControl.FRESH).code == "http_500"


def test_a_peek_never_asks(store_reader: Kept) -> None:
    assert store_reader.cache.peek(ORDERS) is None
    store_reader.read()
    assert store_reader.cache.peek(ORDERS) == store_reader.read()
    store_reader.clock.advance(61)
    aged = store_reader.cache.peek(ORDERS)
    assert aged is not None
    assert (aged.late, aged.follow) == ("aged", True)
    store_reader.touch()
    assert store_reader.cache.peek(ORDERS) is None
    assert store_reader.office.reads == 1


def test_new_waits_for_an_answer_that_comes_after_the_question(store_reader: Kept) -> None:
    store_reader.read()
    store_reader.office.answer = [2]
    assert store_reader.read(CacheControl.NO_CACHE).value == [2]
    assert store_reader.read().value == [2]
    assert store_reader.office.reads == 2


def test_organizations_and_sections_are_kept_apart(store_reader: Kept) -> None:
    store_reader.read()
    store_reader.office.answer = [2]
    assert store_reader.read(resource=replace(ORDERS, organization=43)).value == [2]
    assert store_reader.read(resource=replace(ORDERS, name="quotes")).value == [2]
    assert store_reader.read().value == [1]


def test_who_asked_only_what_has_changed_gets_the_value_all_the_same(store_reader: Kept) -> None:
    version = store_reader.read().version
    assert not is_news(store_reader.cache, version)
    reading = store_reader.cache.peek(ORDERS)
    assert reading is not None
    assert reading.value == [1]
    assert store_reader.office.reads == 1


def test_a_look_without_values_costs_nobody_a_parse(store_reader: Kept) -> None:
    parsed: list[object] = []

    def counted(body: Any) -> Rows:
        parsed.append(body)
        return parse(body)

    orders = replace(ORDERS, parse=counted)
    quotes = replace(orders, name="quotes")
    store_reader.read(resource=orders)
    store_reader.cache.peek(orders)
    before = len(parsed)
    store_reader.cache.changed((orders, ""), (quotes, ""))
    store_reader.cache.peek(orders)
    assert len(parsed) == before


# -- versions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["file", "redis"], indirect=True)
def test_who_shows_the_same_has_the_same_version(url: str) -> None:
    clock, office = Clock(), Office()
    ours, yours = Kept(over(url, clock), clock, office), Kept(over(url, clock), clock, office)
    assert ours.read().version == yours.read().version
    clock.advance(61)
    ours.read(CacheControl.FRESH)
    assert ours.read().version == yours.read().version
    assert office.reads == 2


def test_an_answer_that_is_the_same_as_before_has_the_same_version(store_reader: Kept) -> None:
    before = store_reader.read().version
    assert store_reader.read(CacheControl.NO_CACHE).version == before
    store_reader.office.answer = [2]
    assert store_reader.read(CacheControl.NO_CACHE).version != before


def test_nothing_has_changed_for_who_shows_what_is_there(store_reader: Kept) -> None:
    version = store_reader.read().version
    assert not is_news(store_reader.cache, version)
    assert store_reader.cache.version(ORDERS) == version
    assert store_reader.office.reads == 1


def test_there_is_a_reason_to_ask(store_reader: Kept) -> None:
    version = store_reader.read().version
    assert is_news(store_reader.cache, "another")
    assert is_news(store_reader.cache, "")
    store_reader.clock.advance(61)
    assert is_news(store_reader.cache, version)
    store_reader.read(CacheControl.FRESH)
    assert not is_news(store_reader.cache, version)
    store_reader.touch()
    assert is_news(store_reader.cache, version)


def test_a_failure_that_is_shown_is_no_news_until_it_is_forgotten(store_reader: Kept) -> None:
    store_reader.office.answer = Unauthorized()
    store_reader.fail()
    version = store_reader.cache.version(ORDERS)
    assert not is_news(store_reader.cache, version)
    store_reader.clock.advance(31)
    assert is_news(store_reader.cache, version)


def test_what_may_heal_is_asked_again_by_open_panels_every_quarter_of_a_minute(
    store_reader: Kept,
) -> None:
    store_reader.office.answer = Unwell("http_500")
    store_reader.fail()
    version = store_reader.cache.version(ORDERS)
    assert not is_news(store_reader.cache, version)
    store_reader.clock.advance(14)
    assert not is_news(store_reader.cache, version)
    store_reader.clock.advance(2)
    assert is_news(store_reader.cache, version)
    store_reader.fail()
    assert not is_news(store_reader.cache, store_reader.cache.version(ORDERS))
    store_reader.touch()
    assert is_news(store_reader.cache, version), "a touch does not wait"


def test_a_copy_that_became_late_is_news_for_who_shows_it_as_fresh(store_reader: Kept) -> None:
    fresh = store_reader.read().version
    store_reader.office.answer = Unauthorized()
    late = store_reader.read(CacheControl.NO_CACHE)
    assert late.version != fresh
    assert is_news(store_reader.cache, fresh)
    assert not is_news(store_reader.cache, late.version)
