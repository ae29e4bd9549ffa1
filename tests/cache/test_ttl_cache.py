"""The bounds of a TTL cache: the number of values, and their time."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from panel.cache.ttl_cache import TtlCache
from tests.conftest import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_value_is_remembered_until_its_time(clock: Clock) -> None:
    memory = TtlCache[str](2, clock)
    memory.put("a", "first", clock.now + 10)
    assert memory.get("a") == "first"
    clock.advance(9.9)
    assert memory.get("a") == "first"
    clock.advance(0.1)
    assert memory.get("a") is None
    assert memory.get("b") is None


def test_the_oldest_gives_way(clock: Clock) -> None:
    memory = TtlCache[int](2, clock)
    for number, name in enumerate("abac"):
        memory.put(name, number, clock.now + 10)
    assert [memory.get(name) for name in "abc"] == [2, None, 3]


def test_what_weighs_more_leaves_room_for_fewer(clock: Clock) -> None:
    memory = TtlCache[str](10, clock, len)
    for name in "abcd":
        memory.put(name, name * 4, clock.now + 10)
    assert [memory.get(name) for name in "abcd"] == [None, None, "cccc", "dddd"]


def test_what_is_over_leaves_when_something_comes(clock: Clock) -> None:
    memory = TtlCache[int](100, clock)
    for number in range(8):
        memory.put(number, number, clock.now + 1)
    clock.advance(1)
    for number in range(8, 10):
        memory.put(number, number, clock.now + 1)
    assert len(memory) == 2


def test_many_threads_may_remember_at_once(clock: Clock) -> None:
    memory = TtlCache[int](10, clock)

    def work(start: int) -> int:
        for number in range(2_000):
            memory.put((start + number) % 40, number, clock.now + 10)
            memory.get(number % 40)
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) == 8
    assert sum(memory.get(number) is not None for number in range(40)) == 10
