"""A cache over each of its stores, with a clock and a back office that a test moves."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis
from flask import Flask

from panel.cache.backend import CacheBackend
from panel.cache.entries import Lifetimes, Reading, Resource
from panel.cache.generations import ProcessGenerations
from panel.cache.policy import Cache, CacheControl
from panel.errors import PanelError, Unreadable
from panel.locks import ThreadLocks
from tests.conftest import Clock, Redis, build_cache

Rows = list[Any]


def parse(body: Any) -> Rows:
    if not isinstance(body, list):
        raise Unreadable("wrong_shape")
    return body


ORDERS: Resource[Rows] = Resource("orders", 42, Lifetimes(60), parse, lambda rows: not rows)


@dataclass
class Office:
    """A back office with an answer, or an error to raise; `reads` counts the calls."""

    answer: Any = field(default_factory=lambda: [1])
    reads: int = 0

    def __call__(self, _by: object) -> Any:
        self.reads += 1
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


def is_news(cache: Cache, version: str, resource: Resource[Rows] = ORDERS) -> bool:
    [news] = cache.changed((resource, version))
    return news


def over(url: str, clock: Clock) -> Cache:
    """Build the cache for an address, on the test's clock."""
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
def store_reader(url: str) -> Kept:
    clock = Clock()
    return Kept(over(url, clock), clock, Office())


@pytest.fixture
def memory() -> Kept:
    clock = Clock()
    return Kept(over("memory:", clock), clock, Office())


class Interrupted(ProcessGenerations):
    """Calls `intrude` at moment number `at`, before or after one of its steps."""

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
    """A store that two processes share, and the moments of its generations."""

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
    reader, toucher = (Kept(cache, clock, office) for cache in caches)
    return Between(reader, toucher, generations)


@pytest.fixture
def both(url: str) -> tuple[Kept, Kept]:
    """Readers of two processes over the same store."""
    clock, office = Clock(), Office()
    return Kept(over(url, clock), clock, office), Kept(over(url, clock), clock, office)
