"""Kept copies: how long, for whom, and what happens when the store lies, dies or is slow."""

import json
import os
import pickle
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from flask import Flask

from panel.cache.backend import CacheBackend, sweep_files
from panel.cache.entries import Copy, Entry, Failure, Lifetimes, Reading, Resource
from panel.cache.generations import (
    FileGenerations,
    Generations,
    ProcessGenerations,
    RedisGenerations,
)
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
from tests.conftest import Clock, Redis, build_cache, start_redis, wait_until

Rows = list[Any]


def parse(body: Any) -> Rows:
    if not isinstance(body, list):
        raise Unreadable("wrong_shape")
    return body


ORDERS: Resource[Rows] = Resource("orders", 42, Lifetimes(60), parse, lambda rows: not rows)


@dataclass
class Office:
    """What is read: an answer, or an error to raise; `asked` counts."""

    answer: Any = field(default_factory=lambda: [1])
    asked: int = 0

    def __call__(self, _by: object) -> Any:
        self.asked += 1
        if isinstance(self.answer, PanelError):
            raise self.answer
        return self.answer


@dataclass
class Kept:
    """A cache over one of the stores, with a clock that tests move."""

    cache: Cache
    clock: Clock
    office: Office

    def read(
        self,
        control: CacheControl = CacheControl.STALE_WHILE_REVALIDATE,
        resource: Resource[Rows] = ORDERS,
    ) -> Reading[Rows]:
        self.clock.advance(0.001)
        return self.cache.read(resource, control, self.office)

    def fail(self, control: CacheControl = CacheControl.STALE_WHILE_REVALIDATE) -> PanelError:
        with pytest.raises(PanelError) as error:
            self.read(control)
        return error.value

    def touch(self) -> None:
        self.cache.touch(42, "orders")


def is_news(cache: Cache, seen: str, resource: Resource[Rows] = ORDERS) -> bool:
    [news] = cache.changed((resource, seen))
    return news


def over(url: str, clock: Clock) -> Cache:
    """The cache behind the address, on our clock."""
    return build_cache(url, Flask("test"), clock=clock)


@pytest.fixture(params=["memory", "file", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "redis":
        server: Redis = request.getfixturevalue("redis_server")
        with redis.Redis.from_url(server.url) as client:
            client.flushall()
        return server.url
    return f"file:{tmp_path / 'cache'}" if request.param == "file" else "memory:"


@pytest.fixture
def kept(url: str) -> Kept:
    clock = Clock()
    return Kept(over(url, clock), clock, Office())


@pytest.fixture
def memory() -> Kept:
    clock = Clock()
    return Kept(over("memory:", clock), clock, Office())


# -- how long ----------------------------------------------------------------------------------


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


# -- touch -------------------------------------------------------------------------------------


def test_a_touched_copy_makes_the_read_wait(kept: Kept) -> None:
    kept.read()
    kept.touch()
    kept.office.answer = [2]
    assert kept.read().value == [2]
    assert kept.read().late is None
    assert kept.office.asked == 2


def test_a_touched_copy_stands_in_when_the_read_fails(kept: Kept) -> None:
    kept.read()
    kept.touch()
    kept.office.answer = Unreachable("timeout")
    for _ in range(2):
        late = kept.read()
        assert (late.value, late.late) == ([1], "timeout")
    assert kept.office.asked == 3


def test_a_touch_of_something_else_touches_nothing(kept: Kept) -> None:
    kept.read()
    kept.cache.touch(42, "quotes")
    kept.cache.touch(43, "orders")
    kept.read()
    assert kept.office.asked == 1


def test_a_touch_during_a_read_is_not_swallowed_by_its_answer(kept: Kept) -> None:
    def touched_meanwhile(_by: object) -> Rows:
        kept.touch()
        return ["old"]

    before = kept.cache.read(ORDERS, CacheControl.STALE_WHILE_REVALIDATE, touched_meanwhile)
    assert before.value == ["old"]
    assert is_news(kept.cache, before.version)
    kept.office.answer = ["new"]
    assert kept.read().value == ["new"]
    assert kept.read().late is None


class Interrupted(ProcessGenerations):
    """At its moment number `at`, before or after one of its steps, somebody else comes between."""

    def __init__(self) -> None:
        super().__init__()
        self.at = 0
        self.intrude: Callable[[], object] = lambda: None

    def moment(self) -> None:
        self.at -= 1
        if self.at == 0:
            self.intrude()

    def get(self, organization: int) -> str | None:
        self.moment()
        generation = super().get(organization)
        self.moment()
        return generation

    def drop(self, organization: int) -> None:
        self.moment()
        super().drop(organization)
        self.moment()

    def renew(self, organization: int) -> None:
        self.moment()
        super().renew(organization)
        self.moment()


@dataclass
class Between:
    """Two processes over one store, and the moments of its generations."""

    reader: Kept
    toucher: Kept
    generations: Interrupted

    def touch(self) -> None:
        self.toucher.office.answer = [2]
        self.toucher.touch()


@pytest.fixture
def between() -> Between:
    app, generations, clock, office = Flask("test"), Interrupted(), Clock(), Office()
    build_cache("memory:", app)
    [store] = app.extensions["cache"]
    caches = [
        Cache(CacheBackend(store, clock, generations=generations), ThreadLocks(), clock)
        for _ in "ab"
    ]
    reader, toucher = (Kept(each, clock, office) for each in caches)
    return Between(reader, toucher, generations)


@pytest.mark.parametrize(
    ("known", "at"), [(True, at) for at in range(1, 8)] + [(False, at) for at in range(1, 12)]
)
def test_a_touch_at_any_moment_of_a_read_leaves_its_copy_touched(
    between: Between, known: bool, at: int
) -> None:
    reader, generations = between.reader, between.generations
    if known:
        reader.read()
        reader.clock.advance(ORDERS.lifetimes.fresh + 1)

    def fetch(by: object) -> Any:
        answer = reader.office(by)
        generations.moment()  # the answer is there, and is not stored
        return answer

    generations.at, generations.intrude = at, between.touch
    shown = reader.cache.read(ORDERS, CacheControl.FRESH, fetch)
    assert generations.at <= 0, "it was touched"
    if shown.value == [1]:
        assert is_news(reader.cache, shown.version)
        assert is_news(between.toucher.cache, shown.version)
    assert reader.read().value == between.toucher.read().value == [2]


@pytest.mark.parametrize("at", range(1, 5))
def test_a_touch_holds_whatever_is_read_and_written_between_its_steps(
    between: Between, at: int
) -> None:
    reader, generations = between.reader, between.generations
    reader.read()

    def read() -> None:
        reader.read(CacheControl.NO_CACHE, replace(ORDERS, name="quotes"))  # a generation again
        reader.read()  # and what it shows is remembered under it

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


def test_who_waits_for_a_read_does_not_take_what_was_touched_meanwhile(kept: Kept) -> None:
    begun, end = threading.Event(), threading.Event()

    def slow(by: object) -> Any:
        answer = kept.office(by)
        begun.set()
        assert end.wait(10)
        return answer

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(kept.cache.read, ORDERS, CacheControl.STALE_WHILE_REVALIDATE, slow)
        assert begun.wait(10)
        second = pool.submit(
            kept.cache.read, ORDERS, CacheControl.STALE_WHILE_REVALIDATE, kept.office
        )
        wait_until(lambda: waiting(kept.cache) == 2)
        kept.office.answer = [2]
        kept.touch()
        end.set()
        assert (first.result(10).value, second.result(10).value) == ([1], [2])


def waiting(cache: Cache) -> int:
    """How many threads want to read the orders."""
    locks = cache._locks
    assert isinstance(locks, ThreadLocks)
    _, count = locks._waiting.get(ORDERS.lock_key, (None, 0))
    return count


def test_a_touch_of_what_nobody_has_read_leaves_nothing_behind(tmp_path: Path) -> None:
    built = over(f"file:{tmp_path}", Clock())
    assert built.touch(42, "orders", "licenses")
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == []


def test_a_touch_during_a_failing_read_is_not_swallowed_either(kept: Kept) -> None:
    def touched_meanwhile(_by: object) -> Rows:
        kept.touch()
        raise Unreadable

    with pytest.raises(Unreadable):
        kept.cache.read(ORDERS, CacheControl.STALE_WHILE_REVALIDATE, touched_meanwhile)
    assert kept.read().value == [1]


# -- failures ----------------------------------------------------------------------------------

PASSING = [Unreachable("timeout"), Unreachable("network"), Unwell("http_503"), TryLater("paused")]
FINAL = [Unauthorized(), Unreadable("wrong_shape"), GiveUp("else")]
FORBIDDING = [Refused(), Missing("unknown_organization"), Missing("not_found")]


@pytest.mark.parametrize("error", PASSING, ids=str)
def test_what_may_heal_is_never_kept(kept: Kept, error: PanelError) -> None:
    kept.office.answer = error
    assert [kept.fail().code for _ in range(3)] == [error.code] * 3
    assert kept.office.asked == 3
    kept.office.answer = [1]
    assert kept.read().late is None


@pytest.mark.parametrize("error", [*FINAL, *FORBIDDING], ids=str)
def test_what_repeats_itself_is_remembered_for_half_a_minute(kept: Kept, error: PanelError) -> None:
    kept.office.answer = error
    failed = kept.clock.now
    for control in (CacheControl.STALE_WHILE_REVALIDATE, CacheControl.FRESH, CacheControl.NO_CACHE):
        again = kept.fail(control)
        assert (type(again), again.code) == (type(error), error.code)
        assert again.retry_at == pytest.approx(failed + 30, abs=1)
    kept.clock.advance(29)
    with pytest.raises(type(error)):
        kept.cache.peek(ORDERS)
    assert kept.office.asked == 1
    kept.clock.advance(1)
    kept.fail()
    assert kept.office.asked == 2


def test_a_touch_ends_the_memory_of_a_failure(kept: Kept) -> None:
    kept.office.answer = Unauthorized()
    kept.fail()
    kept.touch()
    kept.office.answer = [1]
    assert kept.read().value == [1]


@pytest.mark.parametrize("error", FINAL, ids=str)
def test_a_copy_stands_in_for_what_repeats_itself(kept: Kept, error: PanelError) -> None:
    kept.read()
    kept.office.answer = error
    assert [kept.read(CacheControl.NO_CACHE).late for _ in range(3)] == [error.code] * 3
    assert kept.read().late == error.code
    assert kept.office.asked == 2


@pytest.mark.parametrize("error", FORBIDDING, ids=str)
def test_a_copy_that_may_not_be_shown_is_gone_for_good(kept: Kept, error: PanelError) -> None:
    kept.read()
    kept.office.answer = error
    assert kept.fail(CacheControl.NO_CACHE).code == error.code
    kept.clock.advance(31)
    kept.office.answer = Unwell("http_500")
    assert kept.fail().code == "http_500"


@pytest.mark.parametrize("error", [*PASSING, *FINAL], ids=str)
@pytest.mark.parametrize("url", ["file", "redis"], indirect=True)
def test_a_failure_keeps_the_copy_for_every_process(
    both: tuple[Kept, Kept], error: PanelError
) -> None:
    mine, yours = both
    mine.read()
    mine.office.answer = error
    for _ in range(3):
        assert mine.read(CacheControl.NO_CACHE).late == error.code
    mine.clock.advance(ORDERS.lifetimes.refused + 1)
    kept = yours.cache.peek(ORDERS)
    assert kept is not None
    assert (kept.value, kept.late) == ([1], None)


def test_an_answer_ends_the_memory_of_a_failure(kept: Kept) -> None:
    kept.office.answer = Unauthorized()
    kept.fail()
    kept.clock.advance(ORDERS.lifetimes.refused)
    kept.office.answer = [1]
    assert kept.read().late is None
    [stored] = kept.cache.store.get(ORDERS.entry_key)
    assert (stored["copy"]["body"], stored["failure"]) == ([1], None)


def test_no_copy_lives_on_from_failure_to_failure(kept: Kept) -> None:
    kept.read()
    kept.office.answer = Unwell()
    kept.clock.advance(ORDERS.lifetimes.kept - 1)
    assert kept.read(CacheControl.NO_CACHE).value == [1]
    kept.clock.advance(1)
    kept.fail()
    [stored] = kept.cache.store.get(ORDERS.entry_key)
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


def test_a_failure_is_forgotten_in_time_though_its_copy_lives_on(kept: Kept) -> None:
    kept.read()
    kept.clock.advance(61)
    kept.office.answer = Unwell("http_503", retry_at=kept.clock.now + 600)
    shown = kept.read(CacheControl.FRESH).version
    kept.clock.advance(ORDERS.lifetimes.refused - 1)
    assert not is_news(kept.cache, shown)
    kept.clock.advance(11)
    assert is_news(kept.cache, shown)


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
    kept = Kept(Cache(CacheBackend(flaky, clock), ThreadLocks(), clock), clock, Office())
    kept.read()
    clock.advance(1)

    def fails(_by: object) -> Rows:
        flaky.away = True
        raise Unwell("http_500")

    assert kept.cache.read(ORDERS, CacheControl.NO_CACHE, fails).late == "http_500"
    flaky.away = False
    clock.advance(2)
    assert kept.read().value == [1]
    assert kept.office.asked == 1


def test_a_copy_beside_a_failure_that_forbids_it_is_not_shown(kept: Kept) -> None:
    kept.read()
    token, entry = kept.cache.store.get(ORDERS.token_key, ORDERS.entry_key)
    entry["failure"] = {"kind": "Refused", "code": "denied", "at": kept.clock.now, "token": token}
    kept.cache.store.put(42, ORDERS.entry_key, entry, 60)
    assert kept.fail().code == "denied"
    with pytest.raises(Refused):
        kept.cache.peek(ORDERS)


def test_a_copy_that_came_after_a_failure_outdates_it(kept: Kept) -> None:
    """As when a writer that lost its lock stores its failure beside the copy of another one."""
    kept.read()
    token, entry = kept.cache.store.get(ORDERS.token_key, ORDERS.entry_key)
    failed = kept.clock.now - 1
    entry["failure"] = {"kind": "Unreadable", "code": "old", "at": failed, "token": token}
    kept.cache.store.put(42, ORDERS.entry_key, entry, 60)
    assert kept.read(CacheControl.FRESH).late is None
    assert kept.office.asked == 1


def test_a_body_that_cannot_be_parsed_is_not_kept(kept: Kept) -> None:
    kept.read()
    kept.office.answer = {"not": "a list"}
    late = kept.read(CacheControl.NO_CACHE)
    assert (late.value, late.late) == ([1], "wrong_shape")


def test_an_accident_while_reading_leaves_no_lock_behind(kept: Kept) -> None:
    with pytest.raises(ZeroDivisionError):
        kept.cache.read(ORDERS, CacheControl.STALE_WHILE_REVALIDATE, lambda _by: 1 / 0)
    assert kept.read().value == [1]


@pytest.mark.parametrize("number", [2**64, -(2**70), 10**40])
def test_a_huge_number_is_kept_like_any_other(kept: Kept, number: int) -> None:
    kept.office.answer = [number]
    assert kept.read().value == kept.read().value == [number]
    assert kept.office.asked == 1


# -- versions ----------------------------------------------------------------------------------


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


# -- what a process remembers --------------------------------------------------------------------


@pytest.fixture
def both(url: str) -> tuple[Kept, Kept]:
    """Two processes over one store."""
    clock, office = Clock(), Office()
    return Kept(over(url, clock), clock, office), Kept(over(url, clock), clock, office)


@pytest.mark.parametrize("url", ["file", "redis"], indirect=True)
def test_what_one_process_writes_the_others_see_at_once(both: tuple[Kept, Kept]) -> None:
    mine, yours = both
    version = mine.read().version
    assert yours.read().version == version
    assert not is_news(yours.cache, version)
    mine.touch()
    assert is_news(yours.cache, version)
    mine.office.answer = [2]
    mine.read()
    assert yours.read().value == [2]
    mine.office.answer = Refused()
    assert mine.fail(CacheControl.NO_CACHE).code == yours.fail().code == "denied"
    assert yours.office.asked == 3


@pytest.mark.parametrize("url", ["file", "redis"], indirect=True)
def test_what_was_written_without_its_generation_is_seen_all_the_same(
    url: str, both: tuple[Kept, Kept]
) -> None:
    mine, yours = both
    version = yours.read().version
    assert not is_news(yours.cache, version)
    mine.office.answer = [2]
    mine.read(CacheControl.NO_CACHE)
    generations_of(url).drop(42)  # as if the writer had died before the last of its steps
    assert is_news(yours.cache, version)
    assert yours.read().value == [2]


def generations_of(url: str) -> Generations:
    if url.startswith("file:"):
        return FileGenerations(Path(url.removeprefix("file:")) / "marks")
    with redis.Redis.from_url(url) as client:
        [name] = [key.decode() for key in client.keys("*:mark:42")]
    return RedisGenerations(redis.Redis.from_url(url), name.removesuffix("mark:42"))


@pytest.mark.parametrize("url", ["file", "redis"], indirect=True)
def test_under_its_generation_an_organization_is_not_read_again_for_ten_seconds(url: str) -> None:
    clock = Clock()
    kept = Kept(over(url, clock), clock, Office())
    version = kept.read().version
    assert not is_news(kept.cache, version)
    lose_copies(url)
    assert not is_news(kept.cache, version)
    clock.advance(9)
    assert not is_news(kept.cache, version)
    clock.advance(2)
    assert is_news(kept.cache, version)


def lose_copies(url: str) -> None:
    if url.startswith("file:"):
        shutil.rmtree(Path(url.removeprefix("file:")) / "copies")
        return
    with redis.Redis.from_url(url) as client:
        client.delete(*(key for key in client.keys("*") if b":mark:" not in key))


class Overtaken(ProcessGenerations):
    """Somebody touches just before the generation is read."""

    def __init__(self) -> None:
        super().__init__()
        self.overtake: Callable[[], object] = lambda: None

    def get(self, organization: int) -> str | None:
        overtake, self.overtake = self.overtake, lambda: None
        overtake()
        return super().get(organization)


@pytest.mark.parametrize("renewed", [False, True], ids=["none", "a new one"])
def test_a_touch_that_comes_between_the_generation_and_the_keys_is_not_overlooked(
    renewed: bool,
) -> None:
    app, generations, clock = Flask("test"), Overtaken(), Clock()
    build_cache("memory:", app)
    [store] = app.extensions["cache"]
    kept = Kept(
        Cache(CacheBackend(store, clock, generations=generations), ThreadLocks(), clock),
        clock,
        Office(),
    )
    version = kept.read().version

    def overtake() -> None:
        kept.touch()
        if renewed:
            kept.read(CacheControl.NO_CACHE, replace(ORDERS, name="quotes"))

    generations.overtake = overtake
    assert is_news(kept.cache, version)
    assert is_news(kept.cache, version)


class Dying(ProcessGenerations):
    """A writer that may die before the last of its steps."""

    dead = False

    def renew(self, organization: int) -> None:
        if not self.dead:
            super().renew(organization)


def test_a_writer_that_dies_before_its_new_generation_leaves_none() -> None:
    app, generations, clock = Flask("test"), Dying(), Clock()
    build_cache("memory:", app)
    [store] = app.extensions["cache"]
    kept = Kept(
        Cache(CacheBackend(store, clock, generations=generations), ThreadLocks(), clock),
        clock,
        Office(),
    )
    version = kept.read().version
    assert not is_news(kept.cache, version)
    generations.dead = True
    kept.touch()
    assert is_news(kept.cache, version)


def test_after_any_number_of_writers_every_reader_sees_the_last_word(url: str) -> None:
    built = build_cache(url, Flask("test"))
    reader = built if url == "memory:" else build_cache(url, Flask("other"))
    office = Office()
    built.read(ORDERS, CacheControl.STALE_WHILE_REVALIDATE, office)

    def write(number: int) -> None:
        for _ in range(20):
            if number % 2:
                built.touch(42, "orders")
            else:
                reader.changed((ORDERS, "x"))
                reader.read(ORDERS, CacheControl.STALE_WHILE_REVALIDATE, office)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    built.touch(42, "orders")
    office.answer = ["last"]
    assert reader.read(ORDERS, CacheControl.STALE_WHILE_REVALIDATE, office).value == ["last"]
    assert built.read(ORDERS, CacheControl.STALE_WHILE_REVALIDATE, office).value == ["last"]
    assert reader.version(ORDERS) == built.version(ORDERS)


# -- single flight --------------------------------------------------------------------------------


def together(reads: int, read: Callable[[], Any]) -> list[Any]:
    barrier = threading.Barrier(reads)

    def go(_: int) -> Any:
        barrier.wait(10)
        try:
            return read()
        except PanelError as error:
            return error.code

    with ThreadPoolExecutor(reads) as pool:
        return list(pool.map(go, range(reads)))


@pytest.mark.parametrize(
    "control", [CacheControl.STALE_WHILE_REVALIDATE, CacheControl.FRESH, CacheControl.NO_CACHE]
)
def test_simultaneous_reads_make_one_call(url: str, control: CacheControl) -> None:
    built, office = build_cache(url, Flask("test")), Office()

    def slow(by: object) -> Any:
        time.sleep(0.2)
        return office(by)

    readings = together(50, lambda: built.read(ORDERS, control, slow).value)
    assert readings == [[1]] * 50
    assert office.asked == 1


@pytest.mark.parametrize("error", [Unwell("http_500"), Unreadable()], ids=str)
def test_a_failure_is_shared_by_those_who_waited(url: str, error: PanelError) -> None:
    built, office = build_cache(url, Flask("test")), Office(error)

    def slow(by: object) -> Any:
        time.sleep(0.2)
        return office(by)

    assert (
        together(20, lambda: built.read(ORDERS, CacheControl.NO_CACHE, slow)) == [error.code] * 20
    )
    assert office.asked == 1


@pytest.mark.parametrize("url", ["file", "redis"], indirect=True)
def test_a_failure_is_shared_by_those_who_waited_in_another_process(url: str) -> None:
    office = Office(Unwell("http_500"))
    processes = cycle([build_cache(url, Flask("one")), build_cache(url, Flask("two"))])

    def slow(by: object) -> Any:
        time.sleep(0.4)
        return office(by)

    def read() -> Reading[Rows]:
        return next(processes).read(ORDERS, CacheControl.NO_CACHE, slow)

    assert together(6, read) == ["http_500"] * 6
    assert office.asked == 1


# -- a store that lies -------------------------------------------------------------------------


class Bomb:
    """Unpickling it makes a folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (self.folder,)


def planted(marker: Path) -> dict[str, bytes]:
    copy = {"body": [9], "at": time.time(), "token": "0", "digest": "x", "empty": False}

    def entry(**changes: object) -> bytes:
        return json.dumps({"copy": {**copy, **changes}, "failure": None}).encode()

    return {
        "pickle": pickle.dumps(Bomb(str(marker))),
        "flagged pickle": b"!" + pickle.dumps(Bomb(str(marker))),
        "nothing": b"",
        "garbage": os.urandom(64),
        "half": entry()[:-9],
        "number": b"7",
        "deep": b"[" * 100_000,
        "no body": entry(body={"not": "a list"}),
        "text for time": entry(at="now"),
        "missing field": json.dumps({"copy": {"body": [9]}}).encode(),
        "text for a failure": json.dumps({"copy": copy, "failure": "timeout"}).encode(),
        "a copy of an earlier version": json.dumps({**copy, "print": "x"}).encode(),
        "no UTF-8": b'{"copy": {"body": "\xff\xfe"}}',
    }


@pytest.mark.parametrize("name", planted(Path()))
@pytest.mark.parametrize("store", ["file", "redis"])
def test_a_planted_entry_counts_as_absent(
    request: pytest.FixtureRequest, tmp_path: Path, store: str, name: str
) -> None:
    raw, marker, clock = planted(tmp_path / "marker")[name], tmp_path / "marker", Clock()
    folder = tmp_path / "cache" / "copies"
    if store == "file":
        kept = Kept(over(f"file:{tmp_path / 'cache'}", clock), clock, Office())
        kept.read()
        [*files] = [path for path in folder.iterdir() if b"body" in path.read_bytes()]
        head = (2**31).to_bytes(4, "little")  # cachelib: until when
        for path in files:
            path.write_bytes(head + raw)
    else:
        server: Redis = request.getfixturevalue("redis_server")
        with redis.Redis.from_url(server.url) as client:
            client.flushall()
            kept = Kept(over(server.url, clock), clock, Office())
            kept.read()
            files = [key for key in client.keys("*") if b"body" in (client.get(key) or b"")]
            for key in files:
                client.set(key, raw)
    assert len(files) == 1
    kept.office.answer = [2]
    assert kept.read().value == [2]
    assert kept.read().late is None
    assert not marker.exists()


def test_a_file_cut_off_anywhere_counts_as_absent(tmp_path: Path) -> None:
    clock = Clock()
    kept = Kept(over(f"file:{tmp_path}", clock), clock, Office())
    kept.read()
    [path] = [p for p in (tmp_path / "copies").iterdir() if b"body" in p.read_bytes()]
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        # A cache of its own each time, which remembers nothing.
        assert over(f"file:{tmp_path}", clock).peek(ORDERS) is None, length
    path.write_bytes(whole)
    assert over(f"file:{tmp_path}", clock).peek(ORDERS) is not None


def test_only_json_is_written(tmp_path: Path) -> None:
    clock = Clock()
    kept = Kept(over(f"file:{tmp_path}", clock), clock, Office())
    kept.read()
    kept.touch()
    kept.office.answer = Unauthorized()
    kept.read(CacheControl.NO_CACHE)
    bodies = [path.read_bytes()[4:] for path in (tmp_path / "copies").iterdir()]
    assert len([json.loads(body) for body in bodies]) == 2


def test_nobody_else_on_the_machine_reads_the_files(tmp_path: Path) -> None:
    build_cache(f"file:{tmp_path / 'cache'}", Flask("test")).read(
        ORDERS, CacheControl.STALE_WHILE_REVALIDATE, Office()
    )
    for path in (tmp_path / "cache").rglob("*"):
        assert path.lstat().st_mode & 0o077 == 0 or path.parent.stat().st_mode & 0o077 == 0
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0


OLD_COPY = {"body": [9], "print": "x", "empty": False}
OLD_NOTE = {"kind": "Unauthorized", "code": "unauthorized", "retry_at": None}


def leave_old_keys(kept: Kept) -> None:
    """As an earlier version left them, which had a key each for the copy and the failure."""
    token = {"at": kept.clock.now, "token": "0123456789abcdef"}
    kept.cache.store.put(42, "token:42:orders", token["token"], 48 * 3600)
    kept.cache.store.put(42, "copy:42:orders", {**OLD_COPY, **token}, 24 * 3600)
    kept.cache.store.put(42, "note:42:orders", {**OLD_NOTE, **token}, 30)


def test_what_an_earlier_version_kept_counts_as_absent(kept: Kept) -> None:
    leave_old_keys(kept)
    assert kept.cache.peek(ORDERS) is None
    assert is_news(kept.cache, kept.cache.version(ORDERS))
    assert kept.read().value == [1]
    assert kept.read(CacheControl.FRESH).late is None
    assert kept.office.asked == 1


def test_what_an_earlier_version_kept_is_swept(tmp_path: Path) -> None:
    clock = Clock()
    leave_old_keys(Kept(over(f"file:{tmp_path}", clock), clock, Office()))
    assert len(list((tmp_path / "copies").iterdir())) == 3
    assert sweep_files(tmp_path, lambda: time.time() + 25 * 3600) == 2
    assert sweep_files(tmp_path, lambda: time.time() + 49 * 3600) == 2
    assert list((tmp_path / "copies").iterdir()) == []


# -- a store that is down ----------------------------------------------------------------------


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Redis]:
    started = start_redis(tmp_path)
    yield started
    started.process.send_signal(signal.SIGCONT)
    started.process.kill()
    started.process.wait()


@pytest.mark.parametrize("how", ["down", "hung"])
def test_without_redis_the_answers_are_slower_and_still_right(own_redis: Redis, how: str) -> None:
    built, office = build_cache(own_redis.url, Flask("test")), Office()
    built.read(ORDERS, CacheControl.STALE_WHILE_REVALIDATE, office)
    own_redis.process.send_signal(signal.SIGKILL if how == "down" else signal.SIGSTOP)
    start = time.monotonic()
    office.answer = [2]
    assert built.read(ORDERS, CacheControl.STALE_WHILE_REVALIDATE, office).value == [2]
    assert time.monotonic() - start < 1.5
    assert not built.touch(42, "orders")
    office.answer = Unwell()
    with pytest.raises(Unwell):
        built.read(ORDERS, CacheControl.STALE_WHILE_REVALIDATE, office)
    assert built.peek(ORDERS) is None


def test_many_readers_of_a_hung_redis_do_not_queue_behind_it(own_redis: Redis) -> None:
    built, office = build_cache(own_redis.url, Flask("test")), Office()
    resources = [replace(ORDERS, organization=number) for number in range(1, 21)]
    own_redis.process.send_signal(signal.SIGSTOP)
    start = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        values = pool.map(
            lambda resource: (
                built.read(resource, CacheControl.STALE_WHILE_REVALIDATE, office).value
            ),
            resources,
        )
        assert list(values) == [[1]] * 20
    assert time.monotonic() - start < 3


def test_redis_is_used_again_when_it_is_back(own_redis: Redis) -> None:
    built, office = build_cache(own_redis.url, Flask("test")), Office()
    own_redis.process.send_signal(signal.SIGSTOP)
    built.read(ORDERS, CacheControl.STALE_WHILE_REVALIDATE, office)
    own_redis.process.send_signal(signal.SIGCONT)
    wait_until(
        lambda: (
            built.read(ORDERS, CacheControl.STALE_WHILE_REVALIDATE, office) == built.peek(ORDERS)
        )
    )


def test_a_folder_that_is_gone_costs_speed_only(tmp_path: Path) -> None:
    built, office = build_cache(f"file:{tmp_path / 'cache'}", Flask("test")), Office()
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("in the way")
    for _ in range(2):
        assert built.read(ORDERS, CacheControl.STALE_WHILE_REVALIDATE, office).value == [1]
    built.touch(42, "orders")
    assert office.asked == 2


def test_without_a_store_those_who_waited_share_the_answer_all_the_same(tmp_path: Path) -> None:
    built, office = build_cache(f"file:{tmp_path / 'cache'}", Flask("test")), Office()
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("in the way")

    def slow(by: object) -> Any:
        time.sleep(0.4)
        return office(by)

    readings = together(
        30, lambda: built.read(ORDERS, CacheControl.STALE_WHILE_REVALIDATE, slow).value
    )
    assert readings == [[1]] * 30
    assert office.asked < 10


@pytest.mark.parametrize("error", [Unwell("http_500"), Unreadable()], ids=str)
def test_without_a_store_those_who_waited_share_the_failure_all_the_same(
    tmp_path: Path, error: PanelError
) -> None:
    built, office = build_cache(f"file:{tmp_path / 'cache'}", Flask("test")), Office(error)
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("in the way")

    def slow(by: object) -> Any:
        time.sleep(0.4)
        return office(by)

    control = CacheControl.STALE_WHILE_REVALIDATE
    assert together(30, lambda: built.read(ORDERS, control, slow)) == [error.code] * 30
    assert office.asked < 10


# -- the sweep ---------------------------------------------------------------------------------


def test_the_sweep_removes_what_has_expired_and_nothing_else(tmp_path: Path) -> None:
    built = build_cache(f"file:{tmp_path}", Flask("test"))
    built.read(ORDERS, CacheControl.STALE_WHILE_REVALIDATE, Office())
    built.touch(43, "orders")
    copy, *_ = [path for path in (tmp_path / "copies").iterdir() if b"body" in path.read_bytes()]
    lock, *_ = (tmp_path / "flights").iterdir()
    every = {path for path in tmp_path.rglob("*") if not path.is_dir()}
    os.utime(lock, (1, 1))
    built.read(ORDERS, CacheControl.NO_CACHE, Office())  # a lock is as old as its last use
    assert sweep_files(tmp_path, time.time) == 0
    assert sweep_files(tmp_path, lambda: time.time() + 25 * 3600) == 1
    assert every - {path for path in tmp_path.rglob("*") if not path.is_dir()} == {copy}
    assert sweep_files(tmp_path, lambda: time.time() + 49 * 3600) == len(every) - 1
    assert not lock.exists()


def test_a_sweep_of_what_is_no_cache_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "copies").mkdir()
    (tmp_path / "copies" / "x").write_bytes(b"")
    (tmp_path / "copies" / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    assert sweep_files(tmp_path, lambda: time.time() + 60) == 0
    sweep_files(tmp_path, lambda: time.time() + 10**8)
    assert (tmp_path / "notes.txt").exists()
    assert sweep_files(tmp_path / "nowhere", time.time) == 0
