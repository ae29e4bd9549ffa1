"""A store that lies: planted, cut off and old entries count as absent, and are swept."""

import json
import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from flask import Flask

from panel.cache.backend import sweep_files
from panel.cache.policy import CacheControl
from panel.errors import Unauthorized
from tests.cache.kept import ORDERS, Kept, Office, is_news, memory, over, store_reader, url
from tests.conftest import Clock, Redis, build_cache

__all__ = ["memory", "store_reader", "url"]  # fixtures


# -- a store that lies -----------------------------------------------------------------------------


class Bomb:
    """An object that makes a folder when it is unpickled."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (self.folder,)


def planted(marker: Path) -> dict[str, bytes]:
    copy = {"body": [9], "at": time.time(), "token": "0", "digest": "x", "empty": False}

    def entry(**changes: object) -> bytes:
        return json.dumps({"copy": {**copy, **changes}, "failure": None}).encode()

    return {
        "pickle": pickle.dumps(Bomb(str(marker))),
        "flagged pickle": b"!" + pickle.dumps(Bomb(str(marker))),
        "nothing": b"",
        "garbage": os.urandom(64),
        "half": entry()[:-9],
        "number": b"7",
        "deep": b"[" * 100_000,
        "no body": entry(body={"not": "a list"}),
        "text for time": entry(at="now"),
        "missing field": json.dumps({"copy": {"body": [9]}}).encode(),
        "text for a failure": json.dumps({"copy": copy, "failure": "timeout"}).encode(),
        "a copy of an earlier version": json.dumps({**copy, "print": "x"}).encode(),
        "no UTF-8": b'{"copy": {"body": "\xff\xfe"}}',
    }


@pytest.mark.parametrize("name", planted(Path()))
@pytest.mark.parametrize("store", ["file", "redis"])
def test_a_planted_entry_counts_as_absent(
    request: pytest.FixtureRequest, tmp_path: Path, store: str, name: str
) -> None:
    raw, marker, clock = planted(tmp_path / "marker")[name], tmp_path / "marker", Clock()
    folder = tmp_path / "cache" / "copies"
    if store == "file":
        store_reader = Kept(over(f"file:{tmp_path / 'cache'}", clock), clock, Office())
        store_reader.read()
        [*files] = [path for path in folder.iterdir() if b"body" in path.read_bytes()]
        head = (2**31).to_bytes(4, "little")  # the expiry, as cachelib writes it
        for path in files:
            path.write_bytes(head + raw)
    else:
        server: Redis = request.getfixturevalue("redis_server")
        with redis.Redis.from_url(server.url) as client:
            client.flushall()
            store_reader = Kept(over(server.url, clock), clock, Office())
            store_reader.read()
            files = [key for key in client.keys("*") if b"body" in (client.get(key) or b"")]
            for key in files:
                client.set(key, raw)
    assert len(files) == 1
    store_reader.office.answer = [2]
    assert store_reader.read().value == [2]
    assert store_reader.read().late is None
    assert not marker.exists()


def test_a_file_cut_off_anywhere_counts_as_absent(tmp_path: Path) -> None:
    clock = Clock()
    store_reader = Kept(over(f"file:{tmp_path}", clock), clock, Office())
    store_reader.read()
    [path] = [p for p in (tmp_path / "copies").iterdir() if b"body" in p.read_bytes()]
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        # A new cache each time, because it remembers nothing.
        assert over(f"file:{tmp_path}", clock).peek(ORDERS) is None, length
    path.write_bytes(whole)
    assert over(f"file:{tmp_path}", clock).peek(ORDERS) is not None


def test_only_json_is_written(tmp_path: Path) -> None:
    clock = Clock()
    store_reader = Kept(over(f"file:{tmp_path}", clock), clock, Office())
    store_reader.read()
    store_reader.touch()
    store_reader.office.answer = Unauthorized()
    store_reader.read(CacheControl.NO_CACHE)
    bodies = [path.read_bytes()[4:] for path in (tmp_path / "copies").iterdir()]
    assert len([json.loads(body) for body in bodies]) == 2


def test_nobody_else_on_the_machine_reads_the_files(tmp_path: Path) -> None:
    build_cache(f"file:{tmp_path / 'cache'}", Flask("test")).read(
        ORDERS, CacheControl.STALE_WHILE_REVALIDATE, Office()
    )
    for path in (tmp_path / "cache").rglob("*"):
        assert path.lstat().st_mode & 0o077 == 0 or path.parent.stat().st_mode & 0o077 == 0
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0


OLD_COPY = {"body": [9], "print": "x", "empty": False}
OLD_NOTE = {"kind": "Unauthorized", "code": "unauthorized", "retry_at": None}


def leave_old_keys(store_reader: Kept) -> None:
    """Leave the keys of an earlier version, which had separate keys for the copy and the
    failure."""
    token = {"at": store_reader.clock.now, "token": "0123456789abcdef"}
    store_reader.cache.store.put(42, "token:42:orders", token["token"], 48 * 3600)
    store_reader.cache.store.put(42, "copy:42:orders", {**OLD_COPY, **token}, 24 * 3600)
    store_reader.cache.store.put(42, "note:42:orders", {**OLD_NOTE, **token}, 30)


def test_what_an_earlier_version_kept_counts_as_absent(store_reader: Kept) -> None:
    leave_old_keys(store_reader)
    assert store_reader.cache.peek(ORDERS) is None
    assert is_news(store_reader.cache, store_reader.cache.version(ORDERS))
    assert store_reader.read().value == [1]
    assert store_reader.read(CacheControl.FRESH).late is None
    assert store_reader.office.reads == 1


def test_what_an_earlier_version_kept_is_swept(tmp_path: Path) -> None:
    clock = Clock()
    leave_old_keys(Kept(over(f"file:{tmp_path}", clock), clock, Office()))
    assert len(list((tmp_path / "copies").iterdir())) == 3
    assert sweep_files(tmp_path, lambda: time.time() + 25 * 3600) == 2
    assert sweep_files(tmp_path, lambda: time.time() + 49 * 3600) == 2
    assert list((tmp_path / "copies").iterdir()) == []


# -- the sweep -------------------------------------------------------------------------------------


def test_the_sweep_removes_what_has_expired_and_nothing_else(tmp_path: Path) -> None:
    built = build_cache(f"file:{tmp_path}", Flask("test"))
    built.read(ORDERS, CacheControl.STALE_WHILE_REVALIDATE, Office())
    built.touch(43, "orders")
    copy, *_ = [path for path in (tmp_path / "copies").iterdir() if b"body" in path.read_bytes()]
    lock, *_ = (tmp_path / "flights").iterdir()
    every = {path for path in tmp_path.rglob("*") if not path.is_dir()}
    os.utime(lock, (1, 1))
    built.read(ORDERS, CacheControl.NO_CACHE, Office())  # so a lock was used just now
    assert sweep_files(tmp_path, time.time) == 0
    assert sweep_files(tmp_path, lambda: time.time() + 25 * 3600) == 1
    assert every - {path for path in tmp_path.rglob("*") if not path.is_dir()} == {copy}
    assert sweep_files(tmp_path, lambda: time.time() + 49 * 3600) == len(every) - 1
    assert not lock.exists()


def test_a_sweep_of_what_is_no_cache_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "copies").mkdir()
    (tmp_path / "copies" / "x").write_bytes(b"")
    (tmp_path / "copies" / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    assert sweep_files(tmp_path, lambda: time.time() + 60) == 0
    sweep_files(tmp_path, lambda: time.time() + 10**8)
    assert (tmp_path / "notes.txt").exists()
    assert sweep_files(tmp_path / "nowhere", time.time) == 0
