"""Generations: absent during a write, a new one afterwards, the same for every process."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from panel.cache.backend import sweep_files
from panel.cache.entries import Lifetimes
from panel.cache.generations import (
    MOST_GENERATIONS,
    FileGenerations,
    Generations,
    ProcessGenerations,
    RedisGenerations,
)
from tests.conftest import Redis


@pytest.fixture(params=["here", "files", "redis"])
def generations(request: pytest.FixtureRequest, tmp_path: Path) -> Generations:
    if request.param == "redis":
        server: Redis = request.getfixturevalue("redis_server")
        client = redis.Redis.from_url(server.url)
        client.flushall()
        return RedisGenerations(client, "panel:")
    return ProcessGenerations() if request.param == "here" else FileGenerations(tmp_path / "marks")


def test_an_organization_has_no_generation_until_something_was_written(
    generations: Generations,
) -> None:
    assert generations.get(42) is None
    generations.renew(42)
    assert generations.get(42)
    assert generations.get(43) is None


def test_every_renewal_is_another_generation_and_stands(generations: Generations) -> None:
    marks = set()
    for _ in range(5):
        generations.renew(42)
        generation = generations.get(42)
        assert generation == generations.get(42)
        marks.add(generation)
    assert len(marks) == 5


def test_a_dropped_generation_is_gone_and_may_be_dropped_again(generations: Generations) -> None:
    generations.renew(42)
    generations.renew(43)
    generations.drop(42)
    generations.drop(42)
    assert generations.get(42) is None
    assert generations.get(43)


def test_many_writers_may_renew_at_once(generations: Generations) -> None:
    def work(_: int) -> None:
        for _ in range(20):
            generations.drop(42)
            generations.renew(42)
            generations.get(42)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert generations.get(42)


def test_redis_keeps_a_generation_for_longer_than_any_copy_lives(redis_server: Redis) -> None:
    client = redis.Redis.from_url(redis_server.url)
    client.flushall()
    RedisGenerations(client, "panel:").renew(42)
    assert client.ttl("panel:mark:42") > Lifetimes(fresh=60).kept


def test_files_are_read_by_every_process_and_swept_when_they_are_old(tmp_path: Path) -> None:
    generations = FileGenerations(tmp_path / "marks")
    generations.renew(42)
    assert FileGenerations(tmp_path / "marks").get(42) == generations.get(42)
    assert len(list((tmp_path / "marks").iterdir())) == 1
    assert sweep_files(tmp_path, time.time) == 0
    assert sweep_files(tmp_path, lambda: time.time() + 49 * 3600) == 1
    assert generations.get(42) is None


def test_a_folder_that_is_gone_is_a_trouble_and_no_generation(tmp_path: Path) -> None:
    generations = FileGenerations(tmp_path / "marks")
    (tmp_path / "marks").rmdir()
    assert generations.get(42) is None
    generations.drop(42)
    with pytest.raises(FileNotFoundError):
        generations.renew(42)


def test_in_one_process_the_generations_do_not_grow_for_ever() -> None:
    generations = ProcessGenerations()
    for number in range(MOST_GENERATIONS + 2):
        generations.renew(number)
    assert generations.get(0) is None
    assert generations.get(MOST_GENERATIONS + 1)
