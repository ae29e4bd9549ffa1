"""A touch at any moment, also in the midst of a read, leaves the copy touched."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from panel.cache.policy import Cache, CacheControl
from panel.errors import Unreachable, Unreadable
from panel.locks import ThreadLocks
from tests.cache.kept import (
    ORDERS,
    Between,
    Kept,
    Rows,
    between,
    is_news,
    memory,
    over,
    store_reader,
    url,
)
from tests.conftest import Clock, wait_until

__all__ = ["between", "memory", "store_reader", "url"]  # fixtures


def test_a_touched_copy_makes_the_read_wait(store_reader: Kept) -> None:
    store_reader.read()
    store_reader.touch()
    store_reader.office.answer = [2]
    assert store_reader.read().value == [2]
    assert store_reader.read().late is None
    assert store_reader.office.reads == 2


def test_a_touched_copy_stands_in_when_the_read_fails(store_reader: Kept) -> None:
    store_reader.read()
    store_reader.touch()
    store_reader.office.answer = Unreachable("timeout")
    for _ in range(2):
        late = store_reader.read()
        assert (late.value, late.late) == ([1], "timeout")
    assert store_reader.office.reads == 3


def test_a_touch_of_something_else_touches_nothing(store_reader: Kept) -> None:
    store_reader.read()
    store_reader.cache.touch(42, "quotes")
    store_reader.cache.touch(43, "orders")
    store_reader.read()
    assert store_reader.office.reads == 1


def test_a_touch_during_a_read_is_not_swallowed_by_its_answer(store_reader: Kept) -> None:
    def touched_meanwhile(_by: object) -> Rows:
        store_reader.touch()
        return ["old"]

    before = store_reader.cache.read(ORDERS, CacheControl.STALE_WHILE_REVALIDATE, touched_meanwhile)
    assert before.value == ["old"]
    assert is_news(store_reader.cache, before.version)
    store_reader.office.answer = ["new"]
    assert store_reader.read().value == ["new"]
    assert store_reader.read().late is None


@pytest.mark.parametrize(
    ("age_known", "at"), [(True, at) for at in range(1, 8)] + [(False, at) for at in range(1, 12)]
)
def test_a_touch_at_any_moment_of_a_read_leaves_its_copy_touched(
    between: Between, age_known: bool, at: int
) -> None:
    reader, generations = between.reader, between.generations
    if age_known:
        reader.read()
        reader.clock.advance(ORDERS.lifetimes.fresh + 1)

    def fetch(by: object) -> Any:
        answer = reader.office(by)
        generations.moment()  # the answer has come, and is not stored yet
        return answer

    generations.at, generations.intrude = at, between.touch
    reading = reader.cache.read(ORDERS, CacheControl.FRESH, fetch)
    assert generations.at <= 0, "it was touched"
    if reading.value == [1]:
        assert is_news(reader.cache, reading.version)
        assert is_news(between.toucher.cache, reading.version)
    assert reader.read().value == between.toucher.read().value == [2]


@pytest.mark.parametrize("at", range(1, 5))
def test_a_touch_holds_whatever_is_read_and_written_between_its_steps(
    between: Between, at: int
) -> None:
    reader, generations = between.reader, between.generations
    reader.read()

    def read() -> None:
        # The write of another section makes a new generation.
        reader.read(CacheControl.NO_CACHE, replace(ORDERS, name="quotes"))
        reader.read()  # the reader remembers its state under the new generation

    generations.at, generations.intrude = at, read
    between.touch()
    assert generations.at <= 0, "it was read"
    assert reader.read().value == [2]


@pytest.mark.parametrize("at", range(1, 5))
def test_a_write_is_seen_whatever_is_read_between_its_steps(between: Between, at: int) -> None:
    reader, writer, generations = between.reader, between.toucher, between.generations
    version = reader.read().version
    reader.clock.advance(1)
    reader.office.answer = [2]
    generations.at, generations.intrude = at, lambda: is_news(reader.cache, version)
    writer.read(CacheControl.NO_CACHE)
    assert generations.at <= 0, "it was read"
    assert is_news(reader.cache, version)
    assert reader.read().value == [2]


def test_who_waits_for_a_read_does_not_take_what_was_touched_meanwhile(store_reader: Kept) -> None:
    has_begun, end = threading.Event(), threading.Event()

    def slow(by: object) -> Any:
        answer = store_reader.office(by)
        has_begun.set()
        assert end.wait(10)
        return answer

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(
            store_reader.cache.read, ORDERS, CacheControl.STALE_WHILE_REVALIDATE, slow
        )
        assert has_begun.wait(10)
        second = pool.submit(
            store_reader.cache.read,
            ORDERS,
            CacheControl.STALE_WHILE_REVALIDATE,
            store_reader.office,
        )
        wait_until(lambda: waiting(store_reader.cache) == 2)
        store_reader.office.answer = [2]
        store_reader.touch()
        end.set()
        assert (first.result(10).value, second.result(10).value) == ([1], [2])


def waiting(cache: Cache) -> int:
    """Return the number of threads that wait to read the orders."""
    assert isinstance(cache.locks, ThreadLocks)
    return cache.locks.count_threads(ORDERS.lock_key)


def test_a_touch_of_what_nobody_has_read_leaves_nothing_behind(tmp_path: Path) -> None:
    built = over(f"file:{tmp_path}", Clock())
    assert built.touch(42, "orders", "licenses")
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == []


def test_a_touch_during_a_failing_read_is_not_swallowed_either(store_reader: Kept) -> None:
    def touched_meanwhile(_by: object) -> Rows:
        store_reader.touch()
        raise Unreadable

    with pytest.raises(Unreadable):
        store_reader.cache.read(ORDERS, CacheControl.STALE_WHILE_REVALIDATE, touched_meanwhile)
    assert store_reader.read().value == [1]
