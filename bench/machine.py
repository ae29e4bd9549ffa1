"""The processes of a run, each in a session of its own: Ctrl-C reaches us alone, and we stop the
rest.

CPU time and memory are read from /proc: the benchmark runs on Linux.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from bench.wire import HOST, Connection, request

ROOT = Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
RIVAL_SETTINGS = ROOT / "bench" / "rival_gunicorn.py"
START_SECONDS = 60.0


def wait_until(condition: Callable[[], object], seconds: float = START_SECONDS) -> None:
    """Poll until the condition holds; raises `TimeoutError`."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("waited in vain")
        time.sleep(0.01)


@contextmanager
def process(
    command: Sequence[str], environ: Mapping[str, str], log: Path, listener: int | None = None
) -> Iterator[int]:
    """Run a process; yields its id. It is asked to end afterwards, and killed after half a
    minute."""
    with log.open("ab") as output:
        started = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**environ, "PATH": os.environ["PATH"]},
            stdout=output,
            stderr=output,
            pass_fds=[listener] if listener is not None else [],
            start_new_session=True,
        )
    try:
        yield started.pid
    finally:
        started.send_signal(signal.SIGTERM)
        try:
            started.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            started.wait()


@dataclass(frozen=True)
class Served:
    """A gunicorn; `master` is the process whose children are the workers."""

    port: int
    master: int

    @property
    def workers(self) -> list[int]:
        pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        return [pid for pid in pids if _parent(pid) == self.master]

    @property
    def cpu(self) -> float:
        """Return the seconds of CPU that the workers have used."""
        return sum(sum(map(int, _stat(pid)[11:13])) for pid in self.workers) / TICKS

    @property
    def megabytes(self) -> float:
        """Return the resident memory of the largest worker."""
        return max(_resident(pid) for pid in self.workers)


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat behind the name, which may contain anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ["", "0"] + ["0"] * 20


def _parent(pid: int) -> int:
    return int(_stat(pid)[1])


def _resident(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    (kilobytes,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")]
    return int(kilobytes) / 1024


@contextmanager
def gunicorn(
    application: str,
    environ: Mapping[str, str],
    log: Path,
    workers: int = 1,
    settings: Path | None = None,
) -> Iterator[Served]:
    """Serve with gunicorn.conf.py, or with another file of settings where its hooks do not fit."""
    options = ["--config", str(settings)] if settings else []
    with socket.create_server((HOST, 0), backlog=512) as listener:
        port, number = listener.getsockname()[1], listener.fileno()
        command = [sys.executable, "-m", "gunicorn", application, *options]
        command += ["--workers", str(workers), "--bind", f"fd://{number}"]
        with process(command, environ, log, number) as pid:
            served = Served(port, pid)
            try:
                _await_workers(served, workers)
            except (OSError, TimeoutError) as error:
                raise RuntimeError(
                    f"{application} does not start: {log.read_text()[-2000:]}"
                ) from error
            yield served


def _await_workers(served: Served, workers: int) -> None:
    wait_until(lambda: len(served.workers) == workers or _parent(served.master) == 0)
    connection = Connection(served.port)
    connection.ask(request("GET", "/healthz"))
    connection.close()


@contextmanager
def worker(environ: Mapping[str, str], log: Path) -> Iterator[int]:
    """`sync worker`: the process that executes passes."""
    command = [sys.executable, "-m", "flask", "--app", "app", "sync", "worker"]
    with process(command, environ, log) as pid:
        yield pid


def redis_program() -> str | None:
    return shutil.which("redis-server") or shutil.which("valkey-server")


@contextmanager
def redis_server(program: str, folder: Path, log: Path) -> Iterator[str]:
    """Run a Redis that saves nothing; yields its address."""
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    command = [program, "--port", str(port), "--bind", HOST, "--save", "", "--dir", str(folder)]
    url = f"redis://{HOST}:{port}"
    with process(command, {}, log):
        wait_until(lambda: answers_pings(url))
        yield url


def answers_pings(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_timeout=1) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
