"""The thread that has the turn does the work of all waiting threads."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from panel.sync.group_commit import MOST_AT_ONCE, GroupCommit
from tests.conftest import wait_until


class Desk:
    """Work that a test can hold up, and the items of each call."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.batches: list[list[int]] = []
        self.turns = GroupCommit(self.work)

    def work(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        assert self.open.wait(10)
        if 13 in items:
            raise OSError("no room")
        return [item * 2 for item in items]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def waiting(desk: Desk) -> int:
    return desk.turns.count_waiting()


def test_who_comes_alone_is_served_alone(desk: Desk) -> None:
    desk.open.set()
    assert [desk.turns.submit(item) for item in (1, 2)] == [2, 4]
    assert desk.batches == [[1], [2]]


def test_all_who_wait_are_served_at_once_and_each_gets_their_own_answer(desk: Desk) -> None:
    with ThreadPoolExecutor(MOST_AT_ONCE + 12) as pool:
        first = pool.submit(desk.turns.submit, 100)
        wait_until(lambda: desk.batches)
        futures = [pool.submit(desk.turns.submit, 200 + item) for item in range(MOST_AT_ONCE + 10)]
        wait_until(lambda: waiting(desk) == MOST_AT_ONCE + 10)
        desk.open.set()
        assert first.result(10) == 200
        assert [future.result(10) for future in futures] == [
            400 + 2 * n for n in range(MOST_AT_ONCE + 10)
        ]
    assert [len(batch) for batch in desk.batches] == [1, MOST_AT_ONCE, 10]


def test_a_failure_is_told_to_all_whom_it_concerns_and_to_nobody_else(desk: Desk) -> None:
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(desk.turns.submit, 1)
        wait_until(lambda: desk.batches)
        futures = [pool.submit(desk.turns.submit, item) for item in (12, 13)]
        wait_until(lambda: waiting(desk) == 2)
        desk.open.set()
        assert first.result(10) == 2
        for future in futures:
            with pytest.raises(OSError, match="no room"):
                future.result(10)
    assert desk.turns.submit(5) == 10
