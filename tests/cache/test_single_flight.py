"""Readers who come at once make one call, also without a store."""

import shutil
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from panel.cache.policy import CacheControl
from panel.errors import PanelError, Unreadable, Unwell
from tests.cache.kept import ORDERS, Office, Rows, memory, url
from tests.conftest import Redis, build_cache, wait_until

__all__ = ["memory", "url"]  # fixtures


# -- single flight ---------------------------------------------------------------------------------


def together(reads: int, task: Callable[[], Any]) -> list[Any]:
    barrier = threading.Barrier(reads)

    def go(_: int) -> Any:
        barrier.wait(10)
        try:
            return task()
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
    assert office.reads == 1


@pytest.mark.parametrize("error", [Unwell("http_500"), Unreadable()], ids=str)
def test_a_failure_is_shared_by_those_who_waited(url: str, error: PanelError) -> None:
    built, office = build_cache(url, Flask("test")), Office(error)

    def slow(by: object) -> Any:
        time.sleep(0.2)
        return office(by)

    assert (
        together(20, lambda: built.read(ORDERS, CacheControl.NO_CACHE, slow)) == [error.code] * 20
    )
    assert office.reads == 1


class Readers:
    """Readers of two processes, all of whom have asked before the answer comes."""

    def __init__(self, url: str, office: Office) -> None:
        self.office, self.asked = office, list[int]()
        self.processes = cycle([build_cache(url, Flask("one")), build_cache(url, Flask("two"))])

    def answer(self, by: object) -> Any:
        wait_until(lambda: len(self.asked) == 6)
        time.sleep(0.4)  # a slow back office, for which they wait
        return self.office(by)

    def read(self) -> Rows | None:
        self.asked.append(1)
        return next(self.processes).read(ORDERS, CacheControl.NO_CACHE, self.answer).value


@pytest.mark.parametrize("url", ["file", "redis"], indirect=True)
@pytest.mark.parametrize(
    ("answer", "result"), [([1], [1]), (Unwell("http_500"), "http_500")], ids=["rows", "failure"]
)
def test_who_waited_in_another_process_shares_the_answer_or_the_failure(
    url: str, answer: object, result: object
) -> None:
    office = Office(answer)
    assert together(6, Readers(url, office).read) == [result] * 6
    assert office.reads == 1


# -- a store that is down --------------------------------------------------------------------------


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
    assert office.reads == 2


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
    assert office.reads < 10


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
    assert office.reads < 10
