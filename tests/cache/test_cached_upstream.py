"""Answers that come from a cache in between: as old as they are, and never fresh after a touch."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from panel.cache.entries import DatedBody, Entry, Lifetimes, Reading, Resource
from panel.cache.policy import Cache, CacheControl
from panel.errors import PanelError, Unwell
from tests.conftest import Clock, build_cache, wait_until

Rows = list[Any]
ORDERS: Resource[Rows] = Resource("orders", 42, Lifetimes(60), list, lambda rows: not rows)
QUOTES: Resource[Rows] = Resource("quotes", 42, Lifetimes(60), list, lambda rows: not rows)
SWR, FRESH, NO_CACHE = (
    CacheControl.STALE_WHILE_REVALIDATE,
    CacheControl.FRESH,
    CacheControl.NO_CACHE,
)


@dataclass
class Behind:
    """Our cache over an origin with another cache in between; `age` 0: the origin answers."""

    cache: Cache
    clock: Clock
    rows: Rows = field(default_factory=lambda: [1])
    age: float | None = 0.0
    error: PanelError | None = None
    reads: int = 0
    reported: list[str] = field(default_factory=list)

    def fetch(self, _by: object) -> DatedBody:
        self.reads += 1
        if self.error:
            raise self.error
        return DatedBody(self.rows, self.age)

    def read(
        self, control: CacheControl = FRESH, resource: Resource[Rows] = ORDERS
    ) -> Reading[Rows]:
        self.clock.advance(0.001)
        return self.cache.read(resource, control, self.fetch, self._report)

    def answer(self, rows: Rows, age: float | None) -> None:
        self.rows, self.age = rows, age

    def _report(self, error: PanelError) -> None:
        self.reported.append(f"{error.code}: {error.detail}")

    def seconds_old(self, reading: Reading[Rows]) -> float:
        return round(self.clock.now - reading.read_at, 1)


@pytest.fixture(params=["memory", "file"])
def behind(request: pytest.FixtureRequest, tmp_path: Path) -> Behind:
    clock = Clock()
    url = f"file:{tmp_path}" if request.param == "file" else "memory:"
    return Behind(build_cache(url, Flask("test"), clock), clock)


def test_a_copy_is_as_old_as_the_answer_was(behind: Behind) -> None:
    behind.age = 20.0
    reading = behind.read()
    assert (reading.late, behind.seconds_old(reading)) == (None, 20)
    behind.clock.advance(41)
    aged = behind.read(SWR)
    assert (aged.late, behind.seconds_old(aged)) == ("aged", 61)


def test_an_answer_past_its_time_to_live_is_late(behind: Behind) -> None:
    behind.age = 300.0
    reading = behind.read()
    assert (reading.value, reading.late) == ([1], "cached_upstream")
    assert behind.seconds_old(reading) == 300
    assert behind.reported == ["cached_upstream: a cache answered, 300 s old"]


def test_an_empty_answer_has_the_time_to_live_of_empty_ones(behind: Behind) -> None:
    behind.answer([], 40.0)
    assert behind.read().late == "cached_upstream"


@pytest.mark.parametrize("control", [SWR, FRESH, NO_CACHE])
@pytest.mark.parametrize("age", [3.0, 50.0, 900.0, None])
def test_a_touched_section_is_never_fresh_out_of_a_cache(
    behind: Behind, age: float | None, control: CacheControl
) -> None:
    behind.read()
    behind.clock.advance(2)
    behind.cache.touch(42, "orders")
    behind.clock.advance(1)
    behind.answer(["as before"], age)
    reading = behind.read(control)
    assert reading.late == "cached_upstream"
    # The copy stays touched: the next reader asks again.
    behind.answer(["new"], 0.0)
    assert (behind.read(SWR).value, behind.read(SWR).late) == (["new"], None)


@pytest.mark.parametrize(
    ("age", "precedes"), [(0.0, False), (8.0, False), (9.5, True), (900.0, True), (None, True)]
)
def test_an_answer_precedes_a_touch_by_its_age(
    behind: Behind, age: float | None, precedes: bool
) -> None:
    behind.cache.touch(42, "orders")
    behind.clock.advance(10)
    assert behind.cache.touches.outdates(42, age) == precedes


def test_the_newer_of_the_two_copies_is_shown(behind: Behind) -> None:
    behind.read()
    behind.clock.advance(100)
    behind.cache.touch(42, "orders")
    behind.clock.advance(20)
    behind.answer(["older"], 300.0)
    older = behind.read()
    assert (older.value, older.late, behind.seconds_old(older)) == ([1], "cached_upstream", 120)
    behind.answer(["newer"], 50.0)
    newer = behind.read()
    assert (newer.value, newer.late) == (["newer"], "cached_upstream")
    assert behind.seconds_old(newer) == 50
    behind.error = Unwell()
    again = behind.read()
    assert (again.value, again.late) == (["newer"], "http_500")


def test_an_answer_that_was_made_after_the_touch_is_fresh(behind: Behind) -> None:
    behind.read()
    behind.clock.advance(1)
    behind.cache.touch(42, "orders")
    behind.clock.advance(30)
    behind.answer(["new"], 10.0)
    reading = behind.read()
    assert (reading.value, reading.late, behind.seconds_old(reading)) == (["new"], None, 10)


def test_a_touch_holds_for_what_nobody_has_read_yet(behind: Behind) -> None:
    behind.cache.touch(42, "orders")
    behind.clock.advance(5)
    behind.age = 20.0
    assert behind.read().late == "cached_upstream"
    behind.age = 3.0
    assert behind.read().late is None


def test_a_touch_of_one_section_is_none_of_another(behind: Behind) -> None:
    behind.read(resource=QUOTES)
    behind.clock.advance(1)
    behind.cache.touch(42, "orders")
    behind.clock.advance(61)
    behind.age = 30.0
    assert behind.read(resource=QUOTES).late is None


@pytest.mark.parametrize("age_known", [False, True])
def test_a_hit_of_unknown_age_is_never_fresh(behind: Behind, age_known: bool) -> None:
    if age_known:
        behind.read()
        behind.clock.advance(100)
    behind.answer(["who knows"], None)
    reading = behind.read()
    assert (reading.value, reading.late) == (["who knows"], "cached_upstream")
    # The copy cannot be older than the one before it: then that cache had no copy, or the same one.
    assert behind.seconds_old(reading) == (100 if age_known else 0)
    assert behind.read(SWR).late == "aged"
    assert behind.read(FRESH).late == "cached_upstream"


def test_a_hit_of_unknown_age_does_not_make_a_known_copy_older(behind: Behind) -> None:
    behind.read()
    behind.clock.advance(10)
    behind.age = None
    for control in (NO_CACHE, FRESH):
        reading = behind.read(control)
        assert (reading.late, behind.seconds_old(reading)) == ("cached_upstream", 10)


def test_a_refresh_is_not_answered_by_what_was_made_before_it(behind: Behind) -> None:
    behind.age = 20.0
    behind.read()
    behind.clock.advance(10)
    behind.age = 30.0
    refreshed = behind.read(NO_CACHE)
    assert (refreshed.late, behind.seconds_old(refreshed)) == ("cached_upstream", 30)
    # A reader that asks for no more takes a copy within its time to live.
    assert behind.read(FRESH).late is None
    assert behind.reads == 3


def test_the_second_in_which_a_touch_came_is_in_doubt(behind: Behind) -> None:
    """`Age` is given in whole seconds: an answer of 10 may be 10.9 seconds old."""
    behind.read()
    behind.cache.touch(42, "orders")
    behind.clock.advance(10.5)
    behind.age = 10.0
    assert behind.read().late == "cached_upstream"


def test_another_process_knows_of_the_touch_once_such_a_cache_was_met(tmp_path: Path) -> None:
    clock = Clock()
    first_read, other = (
        Behind(build_cache(f"file:{tmp_path}", Flask("test"), clock), clock) for _ in "ab"
    )
    first_read.age = 20.0
    first_read.read(resource=QUOTES)
    first_read.cache.touch(42, "licenses")
    clock.advance(5)
    other.age = 20.0
    assert other.read().late == "cached_upstream"


def test_who_waits_for_such_a_read_takes_it_and_asks_nobody(behind: Behind) -> None:
    has_begun, end = threading.Event(), threading.Event()

    def slow(by: object) -> DatedBody:
        has_begun.set()
        assert end.wait(10)
        return behind.fetch(by)

    behind.read()
    behind.cache.touch(42, "orders")
    behind.clock.advance(1)
    behind.answer(["old"], 900.0)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(behind.cache.read, ORDERS, NO_CACHE, slow)
        assert has_begun.wait(10)
        rest = [pool.submit(behind.cache.read, ORDERS, NO_CACHE, behind.fetch) for _ in range(8)]
        wait_until(lambda: all(future.running() for future in rest))
        end.set()
        late = {future.result(10).late for future in [first, *rest]}
    assert late == {"cached_upstream"}
    assert behind.reads == 2


@pytest.mark.parametrize("age", [20.0, None])
def test_an_open_panel_is_sent_to_ask_again_after_a_while(
    behind: Behind, age: float | None
) -> None:
    behind.read()
    behind.clock.advance(61)
    behind.age = age and age + 60
    version = behind.read().version
    assert behind.cache.changed((ORDERS, version)) == [False]
    behind.clock.advance(16)
    assert behind.cache.changed((ORDERS, version)) == [True]


def test_a_copy_of_an_older_version_of_ours_is_read_as_one_from_the_origin(behind: Behind) -> None:
    behind.read()
    [stored] = behind.cache.store.get(ORDERS.entry_key)
    entry = Entry.parse(stored)
    assert entry.copy
    store_reader = {name: getattr(entry.copy, name) for name in entry.copy.__struct_fields__}
    del store_reader["age"]
    assert behind.cache.store.put(42, ORDERS.entry_key, {"copy": store_reader}, 60)
    assert behind.read().late is None
    assert behind.reads == 1
