"""Kept copies: for how long and for whom, and when a panel has a reason to ask."""

from dataclasses import replace
from typing import Any

import pytest

from panel.cache.policy import CacheControl
from panel.errors import Unauthorized, Unwell
from tests.cache.kept import ORDERS, Kept, Office, Rows, is_news, kept, memory, over, parse, url
from tests.conftest import Clock

__all__ = ["kept", "memory", "url"]  # fixtures


# -- how long --------------------------------------------------------------------------------------


def test_what_is_kept_is_not_asked_again(kept: Kept) -> None:
    kept.office.answer = [{"id": 1, "name": "ã\u202e<b>"}]
    first, second = kept.read(), kept.read()
    assert second.value == first.value == [{"id": 1, "name": "ã\u202e<b>"}]
    assert second.version == first.version
    assert (second.late, second.follow, kept.office.asked) == (None, False, 1)


def test_read_at_is_when_the_answer_came(kept: Kept) -> None:
    came = kept.read().read_at
    assert came == kept.clock.now
    kept.clock.advance(30)
    assert kept.read().read_at == came


@pytest.mark.parametrize(("answer", "seconds"), [([1], 60), ([], 30)], ids=["rows", "empty"])
def test_an_answer_is_fresh_for_its_time_to_live(kept: Kept, answer: Rows, seconds: int) -> None:
    kept.office.answer = answer
    kept.read()
    kept.clock.advance(seconds - 1)
    assert kept.read().late is None
    kept.clock.advance(1)
    assert kept.read().late == "aged"


def test_an_aged_copy_is_shown_at_once_and_asks_to_be_followed(kept: Kept) -> None:
    kept.read()
    kept.clock.advance(61)
    aged = kept.read(CacheControl.STALE_WHILE_REVALIDATE)
    assert (aged.value, aged.late, aged.follow, kept.office.asked) == ([1], "aged", True, 1)
    kept.office.answer = [2]
    assert kept.read(CacheControl.FRESH).value == [2]


def test_an_aged_copy_that_cannot_be_renewed_is_late_with_the_reason(kept: Kept) -> None:
    kept.read()
    kept.clock.advance(61)
    kept.office.answer = Unwell("http_500", retry_at=123.0)
    late = kept.read(CacheControl.FRESH)
    assert (late.value, late.late, late.retry_at, late.follow) == ([1], "http_500", 123.0, False)


def test_no_copy_is_shown_after_a_day(memory: Kept) -> None:
    memory.read()
    memory.clock.advance(24 * 3600 - 1)
    memory.office.answer = Unwell()
    assert memory.read(CacheControl.FRESH).late == "http_500"
    memory.clock.advance(2)
    assert memory.fail(CacheControl.FRESH).code == "http_500"


def test_a_peek_never_asks(kept: Kept) -> None:
    assert kept.cache.peek(ORDERS) is None
    kept.read()
    assert kept.cache.peek(ORDERS) == kept.read()
    kept.clock.advance(61)
    aged = kept.cache.peek(ORDERS)
    assert aged is not None
    assert (aged.late, aged.follow) == ("aged", True)
    kept.touch()
    assert kept.cache.peek(ORDERS) is None
    assert kept.office.asked == 1


def test_new_waits_for_an_answer_that_comes_after_the_question(kept: Kept) -> None:
    kept.read()
    kept.office.answer = [2]
    assert kept.read(CacheControl.NO_CACHE).value == [2]
    assert kept.read().value == [2]
    assert kept.office.asked == 2


def test_organizations_and_sections_are_kept_apart(kept: Kept) -> None:
    kept.read()
    kept.office.answer = [2]
    assert kept.read(resource=replace(ORDERS, organization=43)).value == [2]
    assert kept.read(resource=replace(ORDERS, name="quotes")).value == [2]
    assert kept.read().value == [1]


def test_who_asked_only_what_has_changed_gets_the_value_all_the_same(kept: Kept) -> None:
    version = kept.read().version
    assert not is_news(kept.cache, version)
    shown = kept.cache.peek(ORDERS)
    assert shown is not None
    assert shown.value == [1]
    assert kept.office.asked == 1


def test_a_look_without_values_costs_nobody_a_parse(kept: Kept) -> None:
    parsed: list[object] = []

    def counted(body: Any) -> Rows:
        parsed.append(body)
        return parse(body)

    orders = replace(ORDERS, parse=counted)
    quotes = replace(orders, name="quotes")
    kept.read(resource=orders)
    kept.cache.peek(orders)
    before = len(parsed)
    kept.cache.changed((orders, ""), (quotes, ""))
    kept.cache.peek(orders)
    assert len(parsed) == before


# -- versions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["file", "redis"], indirect=True)
def test_who_shows_the_same_has_the_same_version(url: str) -> None:
    clock, office = Clock(), Office()
    mine, yours = Kept(over(url, clock), clock, office), Kept(over(url, clock), clock, office)
    assert mine.read().version == yours.read().version
    clock.advance(61)
    mine.read(CacheControl.FRESH)
    assert mine.read().version == yours.read().version
    assert office.asked == 2


def test_an_answer_that_is_the_same_as_before_has_the_same_version(kept: Kept) -> None:
    before = kept.read().version
    assert kept.read(CacheControl.NO_CACHE).version == before
    kept.office.answer = [2]
    assert kept.read(CacheControl.NO_CACHE).version != before


def test_nothing_has_changed_for_who_shows_what_is_there(kept: Kept) -> None:
    version = kept.read().version
    assert not is_news(kept.cache, version)
    assert kept.cache.version(ORDERS) == version
    assert kept.office.asked == 1


def test_there_is_a_reason_to_ask(kept: Kept) -> None:
    version = kept.read().version
    assert is_news(kept.cache, "another")
    assert is_news(kept.cache, "")
    kept.clock.advance(61)
    assert is_news(kept.cache, version)
    kept.read(CacheControl.FRESH)
    assert not is_news(kept.cache, version)
    kept.touch()
    assert is_news(kept.cache, version)


def test_a_failure_that_is_shown_is_no_news_until_it_is_forgotten(kept: Kept) -> None:
    kept.office.answer = Unauthorized()
    kept.fail()
    shown = kept.cache.version(ORDERS)
    assert not is_news(kept.cache, shown)
    kept.clock.advance(31)
    assert is_news(kept.cache, shown)


def test_what_may_heal_is_asked_again_by_open_panels_every_quarter_of_a_minute(kept: Kept) -> None:
    kept.office.answer = Unwell("http_500")
    kept.fail()
    shown = kept.cache.version(ORDERS)
    assert not is_news(kept.cache, shown)
    kept.clock.advance(14)
    assert not is_news(kept.cache, shown)
    kept.clock.advance(2)
    assert is_news(kept.cache, shown)
    kept.fail()
    assert not is_news(kept.cache, kept.cache.version(ORDERS))
    kept.touch()
    assert is_news(kept.cache, shown), "a touch does not wait"


def test_a_copy_that_became_late_is_news_for_who_shows_it_as_fresh(kept: Kept) -> None:
    fresh = kept.read().version
    kept.office.answer = Unauthorized()
    late = kept.read(CacheControl.NO_CACHE)
    assert late.version != fresh
    assert is_news(kept.cache, fresh)
    assert not is_news(kept.cache, late.version)
