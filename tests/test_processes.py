"""Real gunicorn processes before the built-in worlds: a thousand agents cost no more than one."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
import redis
import requests

from panel.auth.tokens import derive_launch_key
from panel.demo.worlds import AGENT, SECRET
from panel.web.sections import SECTIONS
from tests.conftest import Redis, Worlds, environment, seal_of, wait_until

ROOT = Path(__file__).resolve().parent.parent
OPENINGS = 50
HEAP = 64 << 20
BUSY, AGAIN_SECONDS = 'data-code="busy"', 0.5
UNCHECKED = 'data-code="access_unchecked"'


@dataclass(frozen=True)
class Served:
    url: str
    master: int  # the process whose children are the workers


@contextmanager
def gunicorn(environ: dict[str, str], workers: int = 1) -> Iterator[Served]:
    """Run a panel under gunicorn, with the settings of the repository."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        command = [sys.executable, "-m", "gunicorn", "app:create_app()", "--workers", str(workers)]
        process = subprocess.Popen(
            [*command, "--bind", f"fd://{listener.fileno()}"],
            cwd=ROOT,
            env={**environ, "PATH": os.environ["PATH"]},
            pass_fds=[listener.fileno()],
        )
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            wait_until(lambda: requests.get(f"{url}/healthz", timeout=60).ok, 60)
            yield Served(url, process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def sections_of(html: str) -> list[str]:
    return re.findall(r'data-section="(\w+)" data-state="loading"', html)


def open_like_a_browser(url: str) -> dict[str, str]:
    """Open the panel, then in parallel the sections that load themselves; returns name to state.

    A section that shall ask again does so, sooner than in a browser.
    """
    hints = {"conversation": 101, "contact": 301, "account": 1, "agent_id": AGENT}
    key = {"Authorization": f"Bearer {derive_launch_key(SECRET)}"}
    page = BUSY
    while BUSY in page:
        page = requests.post(f"{url}/contact", data=hints, headers=key, timeout=30).text
    seal = {"Authorization": f"Bearer {seal_of(page)}"}
    states = dict(re.findall(r'data-section="(\w+)" data-state="(\w+)"', page))

    def load(name: str) -> None:
        answer = requests.get(f"{url}/sections/{name}", headers=seal, timeout=30)
        while BUSY in answer.text or UNCHECKED in answer.text:
            time.sleep(AGAIN_SECONDS)
            answer = requests.get(f"{url}/sections/{name}", headers=seal, timeout=30)
        states.update(re.findall(r'data-section="(\w+)" data-state="(\w+)"', answer.text))

    # All sections are late where Chatwoot was slow to confirm that the agent may see them.
    loading = list(SECTIONS) if UNCHECKED in page else sections_of(page)
    with ThreadPoolExecutor(len(loading) or 1) as pool:
        list(pool.map(load, loading))
    return states


@pytest.fixture(params=["two workers over files", "two instances over redis"])
def urls(request: pytest.FixtureRequest, worlds: Worlds, tmp_path: Path) -> Iterator[list[str]]:
    office, chat = worlds.office_url, worlds.chat_url
    with ExitStack() as stack:
        if request.param == "two workers over files":
            first_url = stack.enter_context(
                gunicorn(environment(office, chat, tmp_path), workers=2)
            )
            yield [first_url.url]
        else:
            server: Redis = request.getfixturevalue("redis_server")
            with redis.Redis.from_url(server.url) as client:
                client.flushall()
            cache = {"PANEL_CACHE_URL": server.url}
            settings = [
                environment(office, chat, tmp_path / name, **cache) for name in ("one", "two")
            ]
            yield [stack.enter_context(gunicorn(setting)).url for setting in settings]


def test_fifty_simultaneous_openings_make_four_calls(urls: list[str], worlds: Worlds) -> None:
    worlds.office.delay = 0.3
    turns = [urls[at % len(urls)] for at in range(OPENINGS)]
    with ThreadPoolExecutor(OPENINGS) as pool:
        answers = list(pool.map(open_like_a_browser, turns))
    assert answers == [dict.fromkeys(SECTIONS, "fresh")] * OPENINGS
    paths = sorted(call.path.partition("/v1")[2] for call in worlds.office.calls)
    assert paths == ["/licenses", "/orders", "/organizations/42", "/quotes"]


def test_a_back_office_that_is_down_is_asked_as_rarely(urls: list[str], worlds: Worlds) -> None:
    """Fifty agents before a broken back office wait together once, and not one after the other."""
    worlds.office.fault("500")
    worlds.office.delay = 0.3
    turns = [urls[at % len(urls)] for at in range(20)]
    start = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(open_like_a_browser, turns))
    assert time.monotonic() - start < 8
    assert {state for states in answers for state in states.values()} == {"failed"}
    assert worlds.office.count() <= 40


def test_a_killed_worker_leaves_no_flight_behind(worlds: Worlds, tmp_path: Path) -> None:
    settings = environment(worlds.office_url, worlds.chat_url, tmp_path)
    with gunicorn(settings, workers=2) as served:
        url = served.url
        worlds.office.delay = 3
        with ThreadPoolExecutor(8) as pool:
            asking = [pool.submit(open_like_a_browser, url) for _ in range(2)]
            wait_until(lambda: worlds.office.count("/orders"))
            for pid in workers_of(served.master):
                os.kill(pid, signal.SIGKILL)
            # Requests under way are cut off, and later ones are served by the new workers.
            endings = [future.exception(40) for future in asking]
            assert any(isinstance(ending, requests.RequestException) for ending in endings)
        worlds.office.delay = 0
        wait_until(lambda: open_like_a_browser(url) == dict.fromkeys(SECTIONS, "fresh"), 20)


def test_a_worker_keeps_one_heap_however_many_threads_it_has(
    worlds: Worlds, tmp_path: Path
) -> None:
    with gunicorn(environment(worlds.office_url, worlds.chat_url, tmp_path)) as served:
        with ThreadPoolExecutor(16) as agents:
            list(agents.map(open_like_a_browser, [served.url] * 32))
        [worker] = workers_of(served.master)
        threads = list(Path(f"/proc/{worker}/task").iterdir())
        assert len(threads) > 8
        assert further_heaps(worker) == []


def further_heaps(pid: int) -> list[str]:
    """Return glibc's heaps besides the first: 64 MB each, at an address that is a multiple of that.

    The used part of a heap is mapped for writing, and the rest behind it without any right.
    """
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    maps = [re.match(r"(\w+)-(\w+) (\S+)", line) for line in lines]
    spans = [(int(match[1], 16), int(match[2], 16), match[3]) for match in maps if match]
    return [
        f"{start:x}"
        for (start, end, rights), (following, last, flags) in pairwise(spans)
        if (rights, flags) == ("rw-p", "---p") and end == following
        if start % HEAP == 0 and last == start + HEAP
    ]


def workers_of(master: int) -> list[int]:
    pids = [path.name for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [int(pid) for pid in pids if _parent(pid) == master]


def _parent(pid: str) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
