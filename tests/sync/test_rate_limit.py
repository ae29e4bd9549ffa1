"""Passes are gentle with the back office: few calls at once, a rest after each call, openings
first."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.wrappers import Response

from panel import services
from panel.cache.policy import CacheControl
from panel.demo.backoffice import BackOffice
from panel.demo.chatwoot import Chatwoot
from panel.demo.world import Call
from panel.demo.worlds import ADMIN_TOKEN, SECRET, serve
from panel.services import Services
from panel.settings import from_env
from panel.sync.jobs import Jobs
from panel.sync.rate_limit import BACK_OFFICE_WORKERS, LONGEST_REST, REST, RateLimit
from panel.upstream.documents import DOCUMENTS, ORGANIZATION
from tests.conftest import environment, wait_until, with_tables
from tests.sync.engine import make_engine
from tests.sync.passes import company, person
from tests.sync.wings import Minutes

PHP_WORKERS = 5  # a small PHP-FPM has so many
SECONDS = 0.15  # the time of a call


def test_no_minute_has_more_calls_than_the_budget() -> None:
    clock, at = Minutes(), list[float]()
    limit = RateLimit(5, clock, clock.sleep, BACK_OFFICE_WORKERS)
    for _ in range(23):
        with limit.take():
            at.append(clock.now)
    for first, sixth in zip(at, at[5:], strict=False):
        assert sixth - first >= 60


def list_starts(seconds: float, count: int) -> list[float]:
    """Return the starts of calls that take so long and follow each other, counted from the
    first."""
    clock, at = Minutes(), list[float]()
    limit = RateLimit(10_000, clock, clock.sleep, BACK_OFFICE_WORKERS)
    for _ in range(count):
        with limit.take():
            at.append(clock.now)
            clock.advance(seconds)
    return [round(moment - at[0], 3) for moment in at]


def test_a_worker_rests_twice_as_long_as_it_worked() -> None:
    assert (BACK_OFFICE_WORKERS, REST) == (2, 2.0)
    assert list_starts(1.0, 6) == [0, 1, 3, 4, 6, 7]
    assert list_starts(0.0, 6) == [0] * 6


def test_a_call_that_hung_keeps_nobody_for_minutes() -> None:
    assert list_starts(100.0, 3) == [0, 100, 200]
    assert list_starts(10.0, 3)[2] == 10 + LONGEST_REST


def test_a_call_that_fails_gives_its_worker_back() -> None:
    clock = Minutes()
    limit = RateLimit(10_000, clock, clock.sleep, BACK_OFFICE_WORKERS)
    for _ in range(2 * BACK_OFFICE_WORKERS):
        with pytest.raises(ZeroDivisionError), limit.take():
            raise ZeroDivisionError


class SmallShop(BackOffice):
    """A back office behind as many PHP workers as a small host has, which counts its guests."""

    def __init__(self) -> None:
        super().__init__([SECRET])
        self.workers = threading.BoundedSemaphore(PHP_WORKERS)
        self.at_once, self.most_at_once = 0, 0

    def respond(self, call: Call) -> Response:
        with self.lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            self.wait(SECONDS)
            return super().respond(call)
        finally:
            with self.lock:
                self.at_once -= 1


@pytest.fixture
def shop() -> SmallShop:
    small_shop = SmallShop()
    for number in range(100, 180):
        company(small_shop, number, f"Company {number}")
        person(small_shop, number, number, f"p{number}@acme.example", "owner", number)
    return small_shop


@pytest.fixture
def build(shop: SmallShop, tmp_path: Path) -> Iterator[Callable[..., Services]]:
    """`build(MIDDAG_CALLS_PER_MINUTE="1")`: the shared objects of a panel before this shop."""
    chat = Chatwoot()
    chat.add_agent(1, "Service", "service@panel.example", "administrator", ADMIN_TOKEN)
    office_at, chat_at, all_services = serve(shop), serve(chat), list[Services]()

    def build_services(**changes: str) -> Services:
        environ = environment(office_at.url, chat_at.url, with_tables(tmp_path), **changes)
        all_services.append(services.build(from_env(environ), Flask("shop")))
        return all_services[-1]

    yield build_services
    office_at.stop()
    chat_at.stop()
    for part in all_services:
        part.database.dispose()


Build = Callable[..., Services]


def run_passes(shared: Services, numbers: Iterable[int], threads: int = 8) -> None:
    """Run several passes at once, as the worker does."""
    jobs = Jobs(shared, make_engine(shared.settings, shared.database).intake)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(jobs.bring_in_line, numbers))


def test_passes_take_two_workers_at_once_and_two_thirds_of_one_on_average(
    shop: SmallShop, build: Build
) -> None:
    started_at = time.monotonic()
    run_passes(build(), range(100, 108))
    seconds = time.monotonic() - started_at
    assert shop.count() == 8 * 3
    assert shop.most_at_once == BACK_OFFICE_WORKERS
    assert shop.count() * SECONDS / seconds < 0.75


def test_nobody_else_is_asked_so_gently(shop: SmallShop, build: Build) -> None:
    """The control: without their limit, passes would occupy all workers."""
    shared = build()
    with ThreadPoolExecutor(8) as pool:
        fetch = shared.back_office.fetch
        list(pool.map(lambda number: fetch(ORGANIZATION, number), range(100, 116)))
    assert shop.most_at_once == PHP_WORKERS


def test_an_opening_waits_for_no_budget(shop: SmallShop, build: Build) -> None:
    shared = build(MIDDAG_CALLS_PER_MINUTE="1")

    def wait_in_vain() -> None:
        # The calls may end long after this test, when the worlds are gone.
        with suppress(Exception):
            run_passes(shared, [100, 101])

    threading.Thread(target=wait_in_vain, daemon=True).start()
    wait_until(shop.count)
    started_at = time.monotonic()
    for document in DOCUMENTS:
        shared.back_office.read(document, 102, CacheControl.FRESH)
    Jobs(shared, make_engine(shared.settings, shared.database).intake).warm(103)
    assert time.monotonic() - started_at < 10
    assert shop.count() == 1 + 2 * len(DOCUMENTS)
