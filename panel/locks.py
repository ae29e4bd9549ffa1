"""Single flight: one holder at a time of each key, over threads, over processes, over machines.

`hold(key, seconds)` yields True to the one holder, and False to a caller that could not get the
lock in time. A holder that dies leaves no lock behind: the kernel frees a file lock, and Redis
forgets a lease.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from hashlib import blake2s
from pathlib import Path
from typing import Protocol

import redis
from filelock import lock_descriptor
from redis.exceptions import LockError
from redis.lock import Lock

REDIS_LEASE_SECONDS = 3.0  # renewed while the holder lives; a dead one's lock ends soon
LOCK_POLL_SECONDS = 0.02
OPEN_FLAGS = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW


class Locks(Protocol):
    def hold(self, key: str, seconds: float) -> AbstractContextManager[bool]: ...


class ThreadLocks:
    """Locks over the threads of this process."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def hold(self, key: str, seconds: float) -> Iterator[bool]:
        lock = self._join(key)
        is_mine = lock.acquire(timeout=seconds)
        try:
            yield is_mine
        finally:
            if is_mine:
                lock.release()
            self._leave(key)

    def count_threads(self, key: str) -> int:
        """Return how many threads of this process hold the lock of this key, or wait for it."""
        with self._guard:
            _, count = self._waiting.get(key, (None, 0))
            return count

    def _join(self, key: str) -> threading.Lock:
        with self._guard:
            lock, count = self._waiting.get(key, (threading.Lock(), 0))
            self._waiting[key] = (lock, count + 1)
            return lock

    def _leave(self, key: str) -> None:
        with self._guard:
            lock, count = self._waiting.pop(key)
            if count > 1:
                self._waiting[key] = (lock, count - 1)


class ProcessLocks(ThreadLocks):
    """Locks over several processes. Of the threads of this process that want a key, one at a time
    competes with the other processes for it."""

    @contextmanager
    def hold(self, key: str, seconds: float) -> Iterator[bool]:
        end = time.monotonic() + seconds
        with super().hold(key, seconds) as first:
            if not first:
                yield False
                return
            with self._hold_for_process(key, max(0.0, end - time.monotonic())) as is_mine:
                yield is_mine

    def _hold_for_process(self, key: str, seconds: float) -> AbstractContextManager[bool]:
        raise NotImplementedError


class FileLocks(ProcessLocks):
    """Locks over the processes of this machine."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder

    @contextmanager
    def _hold_for_process(self, key: str, seconds: float) -> Iterator[bool]:
        path = self._folder / blake2s(key.encode(), digest_size=16).hexdigest()
        file, is_mine = None, True  # a broken disk costs an extra call, never an answer
        try:
            with suppress(OSError):
                # Opening truncates the file, so its age is that of its last use: see
                # `backend.sweep_files`.
                file = os.open(path, OPEN_FLAGS, 0o600)
                is_mine = lock_file(file, seconds)
            yield is_mine
        finally:
            if file is not None:
                os.close(file)


def lock_file(file: int, seconds: float, poll: float = LOCK_POLL_SECONDS) -> bool:
    """Take the kernel's lock of an open file, if it can be had in time; closing gives it back.

    The library's `FileLock` takes 0.1 ms each time, a hundred times as long.
    """
    end = time.monotonic() + seconds
    while not lock_descriptor(file, blocking=False):
        if time.monotonic() > end:
            return False
        time.sleep(poll)
    return True


class RedisLocks(ProcessLocks):
    """Locks over machines, through Redis: `SET NX PX` with an owner's token (redis-py's own)."""

    def __init__(self, client: redis.Redis, prefix: str = "panel:") -> None:
        super().__init__()
        self._client = client
        self._prefix = prefix

    @contextmanager
    def _hold_for_process(self, key: str, seconds: float) -> Iterator[bool]:
        # The lock is not bound to this thread, because another thread renews it.
        lock = self._client.lock(
            f"{self._prefix}{key}",
            timeout=REDIS_LEASE_SECONDS,
            sleep=LOCK_POLL_SECONDS,
            thread_local=False,
        )
        try:
            is_mine = lock.acquire(blocking_timeout=seconds)
        except redis.RedisError:
            is_mine = True  # without Redis, every process asks the outside world itself
        stop = threading.Event()
        threading.Thread(target=_renew, args=(lock, stop), daemon=True).start()
        try:
            yield is_mine
        finally:
            stop.set()
            with suppress(LockError, redis.RedisError):
                lock.release()


def _renew(lock: Lock, stop: threading.Event) -> None:
    while not stop.wait(REDIS_LEASE_SECONDS / 3):
        with suppress(LockError, redis.RedisError):
            lock.reacquire()
