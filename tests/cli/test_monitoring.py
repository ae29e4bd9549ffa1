"""The worker's own port, and several processes that count together: real processes."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import requests

from panel.demo.worlds import SECRET
from tests.conftest import Worlds, environment, wait_until
from tests.ports import free_port
from tests.test_machines import ring
from tests.test_processes import gunicorn, open_like_a_browser
from tests.web.test_metrics import Figures, parse_figures

ROOT = Path(__file__).resolve().parent.parent.parent


def read(url: str) -> Figures:
    return parse_figures(requests.get(f"{url}/metrics", timeout=30).text)


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=60).ok
    except requests.RequestException:
        return False


@contextmanager
def worker(settings: dict[str, str], *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "flask", "--app", "app", "sync", "worker", *options]
    env = {**settings, "PATH": os.environ["PATH"]}
    process = subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_two_processes_answer_for_both(worlds: Worlds, tmp_path: Path) -> None:
    """Each process answers with the sum of both, and the sum never falls."""
    settings = environment(worlds.office_url, worlds.chat_url, tmp_path)
    with gunicorn(settings, workers=2) as served:
        before = read(served.url)
        assert before["panel_request_seconds_count", "answered", "contact"] == 0
        for _ in range(6):
            open_like_a_browser(served.url)
        counted = [read(served.url) for _ in range(8)]  # either process may answer
    for figures in counted:
        assert figures["panel_request_seconds_count", "answered", "contact"] == 6
        assert figures["panel_upstream_seconds_count", "orders", "127.0.0.1", "ok"] == 1
        assert figures["panel_waiting_threads_limit",] == 2 * 42


def test_a_worker_on_its_own_tells_its_passes(worlds: Worlds, tmp_path: Path) -> None:
    settings = environment(worlds.office_url, worlds.chat_url, tmp_path, PANEL_WORKER="separate")
    url = f"http://127.0.0.1:{free_port()}"
    with gunicorn(settings) as served, worker(settings, "--monitor", url.removeprefix("http://")):
        wait_until(lambda: answers(url), 60)
        assert ring(served.url, "order.paid", 42).status_code == 202
        wait_until(lambda: read(url)["panel_pass_seconds_count", "done"] == 1, 60)
        # A worker counts for itself.
        assert read(served.url)["panel_pass_seconds_count", "done"] == 0
        ours = {key: value for key, value in read(url).items() if key[0] == "panel_hooks_waiting"}
        assert ours == {("panel_hooks_waiting",): 0}
        for path in ("/", "/contact", "/sync/hooks", "/static/panel.js", "/metrics/x"):
            assert requests.get(f"{url}{path}", timeout=30).status_code == 404
        elsewhere = {"X-Forwarded-For": "203.0.113.5"}
        assert requests.get(f"{url}/metrics", headers=elsewhere, timeout=30).status_code == 401
        elsewhere["Authorization"] = f"Bearer {SECRET}"
        assert requests.get(f"{url}/readyz", headers=elsewhere, timeout=30).status_code == 200


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1:nowhere", "is no HOST:PORT"),
        ("203.0.113.5:80", "cannot be had: "),
        ("127.0.0.1:99999", "cannot be had: "),
    ],
)
def test_a_port_that_cannot_be_had_is_one_sentence(
    worlds: Worlds, tmp_path: Path, address: str, reason: str
) -> None:
    settings = environment(worlds.office_url, worlds.chat_url, tmp_path, PANEL_WORKER="separate")
    with worker(settings, "--monitor", address) as process:
        _, output = process.communicate(timeout=60)
    assert process.returncode == 2
    assert output.startswith(f"--monitor {address} {reason}")
    assert len(output.splitlines()) == 1


@pytest.mark.parametrize("changes", [{}, {"CHATWOOT_URL": "nowhere"}], ids=["stopped", "refused"])
def test_the_folder_of_the_counters_goes_with_its_gunicorn(
    worlds: Worlds, tmp_path: Path, changes: dict[str, str]
) -> None:
    """Systemd or a person tries a refused start again and again, so no folder may be left each
    time."""
    settings = environment(worlds.office_url, worlds.chat_url, tmp_path) | changes
    process, listening = start(settings)
    try:
        wait_until(lambda: process.poll() is not None or answers(f"http://{listening}"), 60)
        if not changes:
            assert find_folders(process.pid) != []
    finally:
        process.terminate()
        process.wait(30)
    assert find_folders(process.pid) == []


def start(settings: dict[str, str]) -> tuple[subprocess.Popen[bytes], str]:
    """Start two workers; returns the gunicorn and its address."""
    command = [sys.executable, "-m", "gunicorn", "app:create_app()", "--workers", "2"]
    listening = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [*command, "--bind", listening],
        cwd=ROOT,
        env={**settings, "PATH": os.environ["PATH"]},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return process, listening


def find_folders(master: int) -> list[Path]:
    """Return the folders that this gunicorn has made."""
    folders = [Path("/dev/shm"), Path(tempfile.gettempdir())]
    return [path for folder in folders for path in folder.glob(f"panel-counters-{master}-*")]


def test_the_counters_of_a_killed_gunicorn_go_with_the_next_start(
    worlds: Worlds, tmp_path: Path
) -> None:
    """The folder of the counters takes memory. The folder of a gunicorn that lives stays."""
    settings = environment(worlds.office_url, worlds.chat_url, tmp_path, PANEL_WORKER="separate")
    processes = []
    try:
        for _ in range(3):
            process, listening = start(settings)
            processes.append(process)
            wait_until(partial(answers, f"http://{listening}"), 60)
            [folder] = find_folders(process.pid)
            os.utime(folder, (0, 0))
            if len(processes) == 1:
                os.killpg(process.pid, signal.SIGKILL)  # as for want of memory
                process.wait(30)
        killed, alive, last = (find_folders(process.pid) for process in processes)
        assert (len(killed), len(alive), len(last)) == (0, 1, 1)
    finally:
        for process in processes:
            process.terminate()
            process.wait(30)
