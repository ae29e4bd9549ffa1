"""The memory of a process for the store's values, and when the process must read again."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from flask import Flask

from panel.cache.backend import CacheBackend
from panel.cache.generations import (
    FileGenerations,
    Generations,
    ProcessGenerations,
    RedisGenerations,
)
from panel.cache.policy import Cache, CacheControl
from panel.errors import Refused
from panel.locks import ThreadLocks
from tests.cache.kept import ORDERS, Kept, Office, both, is_news, memory, over, store_reader, url
from tests.conftest import Clock, build_cache

__all__ = ["both", "memory", "store_reader", "url"]  # fixtures


@pytest.mark.parametrize("url", ["file", "redis"], indirect=True)
def test_what_one_process_writes_the_others_see_at_once(both: tuple[Kept, Kept]) -> None:
    ours, yours = both
    version = ours.read().version
    assert yours.read().version == version
    assert not is_news(yours.cache, version)
    ours.touch()
    assert is_news(yours.cache, version)
    ours.office.answer = [2]
    ours.read()
    assert yours.read().value == [2]
    ours.office.answer = Refused()
    assert ours.fail(CacheControl.NO_CACHE).code == yours.fail().code == "denied"
    assert yours.office.reads == 3


@pytest.mark.parametrize("url", ["file", "redis"], indirect=True)
def test_what_was_written_without_its_generation_is_seen_all_the_same(
    url: str, both: tuple[Kept, Kept]
) -> None:
    ours, yours = both
    version = yours.read().version
    assert not is_news(yours.cache, version)
    ours.office.answer = [2]
    ours.read(CacheControl.NO_CACHE)
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
    store_reader = Kept(over(url, clock), clock, Office())
    version = store_reader.read().version
    assert not is_news(store_reader.cache, version)
    lose_copies(url)
    assert not is_news(store_reader.cache, version)
    clock.advance(9)
    assert not is_news(store_reader.cache, version)
    clock.advance(2)
    assert is_news(store_reader.cache, version)


def lose_copies(url: str) -> None:
    if url.startswith("file:"):
        shutil.rmtree(Path(url.removeprefix("file:")) / "copies")
        return
    with redis.Redis.from_url(url) as client:
        client.delete(*(key for key in client.keys("*") if b":mark:" not in key))


def keep_under(generations: ProcessGenerations) -> Kept:
    """A cache in memory that asks these generations."""
    app, clock = Flask("test"), Clock()
    build_cache("memory:", app)
    [store] = app.extensions["cache"]
    backend = CacheBackend(store, clock, generations=generations)
    return Kept(Cache(backend, ThreadLocks(), clock), clock, Office())


class Overtaken(ProcessGenerations):
    """Generations with a touch just before the generation is read."""

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
    generations = Overtaken()
    store_reader = keep_under(generations)
    version = store_reader.read().version

    def overtake() -> None:
        store_reader.touch()
        if renewed:
            store_reader.read(CacheControl.NO_CACHE, replace(ORDERS, name="quotes"))

    generations.overtake = overtake
    assert is_news(store_reader.cache, version)
    assert is_news(store_reader.cache, version)


class Dying(ProcessGenerations):
    """A writer that may die before the last of its steps."""

    dead = False

    def renew(self, organization: int) -> None:
        if not self.dead:
            super().renew(organization)


def test_a_writer_that_dies_before_its_new_generation_leaves_none() -> None:
    generations = Dying()
    store_reader = keep_under(generations)
    version = store_reader.read().version
    assert not is_news(store_reader.cache, version)
    generations.dead = True
    store_reader.touch()
    assert is_news(store_reader.cache, version)


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
