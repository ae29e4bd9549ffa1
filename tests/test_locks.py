"""Single flight: over threads, over processes, and when the holder dies."""

import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from panel.deadline import READ_SECONDS
from panel.locks import REDIS_LEASE_SECONDS, FileLocks, Locks, RedisLocks, ThreadLocks
from tests.conftest import Redis, wait_until

ROOT = Path(__file__).resolve().parent.parent
QUICK = {"socket_timeout": 0.2, "socket_connect_timeout": 0.2, "retry": None}


def shared(url: str) -> RedisLocks:
    return RedisLocks(redis.Redis.from_url(url, **QUICK))


@pytest.fixture(params=["threads", "files", "redis"])
def locks(request: pytest.FixtureRequest, tmp_path: Path) -> Locks:
    if request.param == "threads":
        return ThreadLocks()
    if request.param == "files":
        return FileLocks(tmp_path)
    server: Redis = request.getfixturevalue("redis_server")
    return shared(server.url)


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    name: str = request.node.name
    return name


def test_only_one_holds_at_a_time(locks: Locks, key: str) -> None:
    flying, most, turns = 0, 0, []

    def fly(number: int) -> None:
        nonlocal flying, most
        with locks.hold(key, 10) as alone:
            flying += 1
            most = max(most, flying)
            turns.append((number, alone))
            time.sleep(0.002)
            flying -= 1

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(fly, range(20)))
    assert most == 1
    assert sorted(turns) == [(number, True) for number in range(20)]


def test_who_waits_in_vain_is_told_so_in_time(locks: Locks, key: str) -> None:
    landed, took_off = threading.Event(), threading.Event()

    def fly() -> None:
        with locks.hold(key, 1):
            took_off.set()
            landed.wait(10)

    thread = threading.Thread(target=fly)
    thread.start()
    took_off.wait(5)
    start = time.monotonic()
    with locks.hold(key, 0.3) as alone:
        assert alone is False
    assert 0.25 < time.monotonic() - start < 1
    landed.set()
    thread.join()
    with locks.hold(key, 0.3) as alone:
        assert alone is True


def test_no_time_left_is_no_wait(locks: Locks, key: str) -> None:
    with locks.hold(key, 0) as alone:
        assert alone is True


def test_another_key_does_not_wait(locks: Locks, key: str) -> None:
    with locks.hold(key, 1) as first, locks.hold(f"{key} other", 1) as other:
        assert (first, other) == (True, True)


def test_a_holder_that_fails_lets_the_next_one_go(locks: Locks, key: str) -> None:
    with pytest.raises(ZeroDivisionError), locks.hold(key, 1):
        raise ZeroDivisionError
    with locks.hold(key, 0.5) as alone:
        assert alone is True


# -- over processes ----------------------------------------------------------------------------

HOLD_FILES = """
import sys, time
from pathlib import Path
from panel.locks import FileLocks
with FileLocks(Path(sys.argv[1])).hold("k", 5) as alone:
    print(alone, flush=True)
    time.sleep(60)
"""
HOLD_REDIS = """
import sys, time
import redis
from panel.locks import RedisLocks
with RedisLocks(redis.Redis.from_url(sys.argv[1])).hold("k", 5) as alone:
    print(alone, flush=True)
    time.sleep(60)
"""


def holder(script: str, argument: str) -> "subprocess.Popen[str]":
    """Start a process that holds the lock "k" until it is killed."""
    command = [sys.executable, "-c", script, argument]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    return process


def kill(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


def test_another_process_is_waited_for_and_its_death_releases_the_others(tmp_path: Path) -> None:
    process = holder(HOLD_FILES, str(tmp_path))
    with FileLocks(tmp_path).hold("k", 0.3) as alone:
        assert alone is False
    dying = threading.Timer(0.2, kill, [process])
    dying.start()
    with FileLocks(tmp_path).hold("k", 5) as alone:
        assert alone is True
    dying.join()


def test_a_lease_in_redis_ends_by_itself(own_redis: Redis) -> None:
    kill(holder(HOLD_REDIS, own_redis.url))
    locks = shared(own_redis.url)
    with locks.hold("k", 0.3) as alone:
        assert alone is False
    with redis.Redis.from_url(own_redis.url) as client:
        [lease] = client.keys("*")
        assert 0 < client.pttl(lease) <= REDIS_LEASE_SECONDS * 1000
        client.pexpire(lease, 200)
    with locks.hold("k", 3) as alone:
        assert alone is True


def test_a_holder_killed_in_redis_releases_the_others_within_the_deadline(
    own_redis: Redis,
) -> None:
    kill(holder(HOLD_REDIS, own_redis.url))
    with shared(own_redis.url).hold("k", READ_SECONDS) as alone:
        assert alone is True


def test_a_lease_is_renewed_while_its_holder_lives(own_redis: Redis) -> None:
    with redis.Redis.from_url(own_redis.url) as client, shared(own_redis.url).hold("k", 1):
        [lease] = client.keys("*")
        client.pexpire(lease, 2000)
        wait_until(lambda: client.pttl(lease) > 2000, 4)


def test_a_lease_that_went_to_somebody_else_is_not_taken_from_them(own_redis: Redis) -> None:
    with redis.Redis.from_url(own_redis.url) as client:
        with shared(own_redis.url).hold("k", 1):
            [lease] = client.keys("*")
            client.set(lease, "somebody else", px=60_000)
        assert client.get(lease) == b"somebody else"


@pytest.mark.parametrize("how", ["down", "hung"])
def test_without_redis_everybody_flies_for_themselves(own_redis: Redis, how: str) -> None:
    locks = shared(own_redis.url)
    own_redis.process.send_signal(signal.SIGKILL if how == "down" else signal.SIGSTOP)
    start = time.monotonic()
    with locks.hold("k", READ_SECONDS) as alone:
        assert alone is True
    assert time.monotonic() - start < 1


def test_a_folder_that_is_gone_costs_calls_and_no_answer(tmp_path: Path) -> None:
    locks = FileLocks(tmp_path / "flights")
    (tmp_path / "flights").rmdir()
    (tmp_path / "flights").write_text("in the way")
    with locks.hold("k", 1) as alone:
        assert alone is True
