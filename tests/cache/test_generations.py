"""Marks: gone while something is written, another one afterwards, the same for every process."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from panel.cache.backend import sweep_files
from panel.cache.generations import (
    MOST_GENERATIONS,
    FileGenerations,
    Generations,
    ProcessGenerations,
    RedisGenerations,
)
from tests.conftest import Redis


@pytest.fixture(params=["here", "files", "redis"])
def marks(request: pytest.FixtureRequest, tmp_path: Path) -> Generations:
    if request.param == "redis":
        server: Redis = request.getfixturevalue("redis_server")
        client = redis.Redis.from_url(server.url)
        client.flushall()
        return RedisGenerations(client, "panel:")
    return ProcessGenerations() if request.param == "here" else FileGenerations(tmp_path / "marks")


def test_an_organization_has_no_mark_until_something_was_written(marks: Generations) -> None:
    assert marks.get(42) is None
    marks.renew(42)
    assert marks.get(42)
    assert marks.get(43) is None


def test_every_renewal_is_another_mark_and_stands(marks: Generations) -> None:
    seen = set()
    for _ in range(5):
        marks.renew(42)
        mark = marks.get(42)
        assert mark == marks.get(42)
        seen.add(mark)
    assert len(seen) == 5


def test_a_dropped_mark_is_gone_and_may_be_dropped_again(marks: Generations) -> None:
    marks.renew(42)
    marks.renew(43)
    marks.drop(42)
    marks.drop(42)
    assert marks.get(42) is None
    assert marks.get(43)


def test_many_writers_may_renew_at_once(marks: Generations) -> None:
    def work(_: int) -> None:
        for _ in range(20):
            marks.drop(42)
            marks.renew(42)
            marks.get(42)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert marks.get(42)


def test_files_are_read_by_every_process_and_swept_when_they_are_old(tmp_path: Path) -> None:
    marks = FileGenerations(tmp_path / "marks")
    marks.renew(42)
    assert FileGenerations(tmp_path / "marks").get(42) == marks.get(42)
    assert len(list((tmp_path / "marks").iterdir())) == 1
    assert sweep_files(tmp_path, time.time) == 0
    assert sweep_files(tmp_path, lambda: time.time() + 49 * 3600) == 1
    assert marks.get(42) is None


def test_a_folder_that_is_gone_is_a_trouble_and_no_mark(tmp_path: Path) -> None:
    marks = FileGenerations(tmp_path / "marks")
    (tmp_path / "marks").rmdir()
    assert marks.get(42) is None
    marks.drop(42)
    with pytest.raises(FileNotFoundError):
        marks.renew(42)


def test_in_one_process_the_marks_do_not_grow_for_ever() -> None:
    marks = ProcessGenerations()
    for number in range(MOST_GENERATIONS + 2):
        marks.renew(number)
    assert marks.get(0) is None
    assert marks.get(MOST_GENERATIONS + 1)
