"""Remembered failures: their lifetimes, and the copies that stand in for an answer."""

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
import redis
from flask import Flask

from panel.cache.backend import CacheBackend
from panel.cache.entries import Copy, Entry, Failure, Lifetimes
from panel.cache.policy import Cache, CacheControl
from panel.errors import (
    GiveUp,
    Missing,
    PanelError,
    Refused,
    TryLater,
    Unauthorized,
    Unreachable,
    Unreadable,
    Unwell,
)
from panel.locks import ThreadLocks
from tests.cache.kept import (
    ORDERS,
    Between,
    Kept,
    Office,
    Rows,
    between,
    both,
    is_news,
    memory,
    store_reader,
    url,
)
from tests.conftest import Clock, build_cache

__all__ = ["between", "both", "memory", "store_reader", "url"]  # fixtures


PASSING = [Unreachable("timeout"), Unreachable("network"), Unwell("http_503"), TryLater("paused")]
FINAL = [Unauthorized(), Unreadable("wrong_shape"), GiveUp("else")]
FORBIDDING = [Refused(), Missing("unknown_organization"), Missing("not_found")]


@pytest.mark.parametrize("error", PASSING, ids=str)
def test_what_may_heal_is_never_kept(store_reader: Kept, error: PanelError) -> None:
    store_reader.office.answer = error
    assert [store_reader.fail().code for _ in range(3)] == [error.code] * 3
    assert store_reader.office.reads == 3
    store_reader.office.answer = [1]
    assert store_reader.read().late is None


@pytest.mark.parametrize("error", [*FINAL, *FORBIDDING], ids=str)
def test_what_repeats_itself_is_remembered_for_half_a_minute(
    store_reader: Kept, error: PanelError
) -> None:
    store_reader.office.answer = error
    failed_at = store_reader.clock.now
    for control in (CacheControl.STALE_WHILE_REVALIDATE, CacheControl.FRESH, CacheControl.NO_CACHE):
        again = store_reader.fail(control)
        assert (type(again), again.code) == (type(error), error.code)
        assert again.retry_at == pytest.approx(failed_at + 30, abs=1)
    store_reader.clock.advance(29)
    with pytest.raises(type(error)):
        store_reader.cache.peek(ORDERS)
    assert store_reader.office.reads == 1
    store_reader.clock.advance(1)
    store_reader.fail()
    assert store_reader.office.reads == 2


def test_a_touch_ends_the_memory_of_a_failure(store_reader: Kept) -> None:
    store_reader.office.answer = Unauthorized()
    store_reader.fail()
    store_reader.touch()
    store_reader.office.answer = [1]
    assert store_reader.read().value == [1]


@pytest.mark.parametrize("error", FINAL, ids=str)
def test_a_copy_stands_in_for_what_repeats_itself(store_reader: Kept, error: PanelError) -> None:
    store_reader.read()
    store_reader.office.answer = error
    assert [store_reader.read(CacheControl.NO_CACHE).late for _ in range(3)] == [error.code] * 3
    assert store_reader.read().late == error.code
    assert store_reader.office.reads == 2


@pytest.mark.parametrize("error", FORBIDDING, ids=str)
def test_a_copy_that_may_not_be_shown_is_gone_for_good(
    store_reader: Kept, error: PanelError
) -> None:
    store_reader.read()
    store_reader.office.answer = error
    assert store_reader.fail(CacheControl.NO_CACHE).code == error.code
    store_reader.clock.advance(31)
    store_reader.office.answer = Unwell("http_500")
    assert store_reader.fail().code == "http_500"


@pytest.mark.parametrize("error", [*PASSING, *FINAL], ids=str)
@pytest.mark.parametrize("url", ["file", "redis"], indirect=True)
def test_a_failure_keeps_the_copy_for_every_process(
    both: tuple[Kept, Kept], error: PanelError
) -> None:
    ours, yours = both
    ours.read()
    ours.office.answer = error
    for _ in range(3):
        assert ours.read(CacheControl.NO_CACHE).late == error.code
    ours.clock.advance(ORDERS.lifetimes.refused + 1)
    store_reader = yours.cache.peek(ORDERS)
    assert store_reader is not None
    assert (store_reader.value, store_reader.late) == ([1], None)


def test_an_answer_ends_the_memory_of_a_failure(store_reader: Kept) -> None:
    store_reader.office.answer = Unauthorized()
    store_reader.fail()
    store_reader.clock.advance(ORDERS.lifetimes.refused)
    store_reader.office.answer = [1]
    assert store_reader.read().late is None
    [stored] = store_reader.cache.store.get(ORDERS.entry_key)
    assert (stored["copy"]["body"], stored["failure"]) == ([1], None)


def test_no_copy_lives_on_from_failure_to_failure(store_reader: Kept) -> None:
    store_reader.read()
    store_reader.office.answer = Unwell()
    store_reader.clock.advance(ORDERS.lifetimes.kept - 1)
    assert store_reader.read(CacheControl.NO_CACHE).value == [1]
    store_reader.clock.advance(1)
    store_reader.fail()
    [stored] = store_reader.cache.store.get(ORDERS.entry_key)
    assert stored["copy"] is None


def test_the_store_keeps_an_entry_until_both_parts_have_expired() -> None:
    life = Lifetimes(fresh=5, kept=40, refused=30)
    copy = Copy([1], at=1000.0, token="t", digest="d", empty=False)
    failure = Failure("Unwell", "http_500", at=1020.5, token="t")
    assert Entry(copy).seconds_left(1000.0, life) == 40
    assert Entry(copy, failure).seconds_left(1020.5, life) == 30
    assert Entry(copy, failure).seconds_left(1005.5, life) == 45 - 5
    assert Entry(None, failure).seconds_left(1020.5, life) == 30
    future = msgspec.structs.replace(copy, at=1e300)
    assert Entry(future).seconds_left(1000.0, life) == 40


def test_a_failure_is_forgotten_in_time_though_its_copy_lives_on(store_reader: Kept) -> None:
    store_reader.read()
    store_reader.clock.advance(61)
    store_reader.office.answer = Unwell("http_503", retry_at=store_reader.clock.now + 600)
    version = store_reader.read(CacheControl.FRESH).version
    store_reader.clock.advance(ORDERS.lifetimes.refused - 1)
    assert not is_news(store_reader.cache, version)
    store_reader.clock.advance(11)
    assert is_news(store_reader.cache, version)


def test_a_writer_that_lost_its_lock_brings_no_forbidden_copy_back(between: Between) -> None:
    slow, other = between.reader, between.toucher
    slow.read()
    slow.clock.advance(1)

    def overtaken(_by: object) -> Rows:
        other.office.answer = Refused()
        assert other.fail(CacheControl.NO_CACHE).code == "denied"
        raise Unwell("http_500")

    slow.cache.read(ORDERS, CacheControl.NO_CACHE, overtaken)
    [stored] = slow.cache.store.get(ORDERS.entry_key)
    assert stored["copy"] is None
    slow.clock.advance(31)
    other.office.answer = Unwell("http_500")
    assert slow.fail().code == other.fail().code == "http_500"


@dataclass
class Flaky:
    """A store that may be away while it is read."""

    store: Any
    away: bool = False

    def get_many(self, *keys: str) -> Any:
        if self.away:
            raise redis.ConnectionError
        return self.store.get_many(*keys)

    def set(self, key: str, value: Any, timeout: int) -> Any:
        return self.store.set(key, value, timeout=timeout)

    def unlink(self, *keys: str) -> Any:
        return self.store.unlink(*keys)


def test_a_failure_does_not_overwrite_what_could_not_be_read() -> None:
    app, clock = Flask("test"), Clock()
    build_cache("memory:", app)
    [store] = app.extensions["cache"]
    flaky = Flaky(store)
    store_reader = Kept(Cache(CacheBackend(flaky, clock), ThreadLocks(), clock), clock, Office())
    store_reader.read()
    clock.advance(1)

    def fails(_by: object) -> Rows:
        flaky.away = True
        raise Unwell("http_500")

    assert store_reader.cache.read(ORDERS, CacheControl.NO_CACHE, fails).late == "http_500"
    flaky.away = False
    clock.advance(2)
    assert store_reader.read().value == [1]
    assert store_reader.office.reads == 1


def test_a_copy_beside_a_failure_that_forbids_it_is_not_shown(store_reader: Kept) -> None:
    store_reader.read()
    token, entry = store_reader.cache.store.get(ORDERS.token_key, ORDERS.entry_key)
    entry["failure"] = {
        "kind": "Refused",
        "code": "denied",
        "at": store_reader.clock.now,
        "token": token,
    }
    store_reader.cache.store.put(42, ORDERS.entry_key, entry, 60)
    assert store_reader.fail().code == "denied"
    with pytest.raises(Refused):
        store_reader.cache.peek(ORDERS)


def test_a_copy_that_came_after_a_failure_outdates_it(store_reader: Kept) -> None:
    """A writer that lost its lock may store its failure beside another writer's copy."""
    store_reader.read()
    token, entry = store_reader.cache.store.get(ORDERS.token_key, ORDERS.entry_key)
    failed_at = store_reader.clock.now - 1
    entry["failure"] = {"kind": "Unreadable", "code": "old", "at": failed_at, "token": token}
    store_reader.cache.store.put(42, ORDERS.entry_key, entry, 60)
    assert store_reader.read(CacheControl.FRESH).late is None
    assert store_reader.office.reads == 1


def test_a_body_that_cannot_be_parsed_is_not_kept(store_reader: Kept) -> None:
    store_reader.read()
    store_reader.office.answer = {"not": "a list"}
    late = store_reader.read(CacheControl.NO_CACHE)
    assert (late.value, late.late) == ([1], "wrong_shape")


def test_an_accident_while_reading_leaves_no_lock_behind(store_reader: Kept) -> None:
    with pytest.raises(ZeroDivisionError):
        store_reader.cache.read(ORDERS, CacheControl.STALE_WHILE_REVALIDATE, lambda _by: 1 / 0)
    assert store_reader.read().value == [1]


@pytest.mark.parametrize("number", [2**64, -(2**70), 10**40])
def test_a_huge_number_is_kept_like_any_other(store_reader: Kept, number: int) -> None:
    store_reader.office.answer = [number]
    assert store_reader.read().value == store_reader.read().value == [number]
    assert store_reader.office.reads == 1
