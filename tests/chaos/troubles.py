"""TROUBLES: the troubles that a storm makes, a row each; every trouble ends by itself.

Most of them are breaks of `tests/broken`. The others kill processes with SIGKILL and start them
again, at the same address.
"""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from tests.broken.outside import CHAT, OFFICE, answer_always, change_world, show_page, stop_server
from tests.broken.rows import Make
from tests.broken.servers import CLOSE, OPEN, change_postgresql, freeze_redis
from tests.chaos.scene import Scene
from tests.conftest import Redis
from tests.sync.until import until

PATIENCE = 60.0


@dataclass(frozen=True)
class Trouble:
    """`make` breaks something of the scene, and mends it at its end."""

    name: str
    make: Callable[[Scene], AbstractContextManager[object]]


def on_site(name: str, make: Make) -> Trouble:
    """A break that `tests/broken` knows how to make."""
    return Trouble(name, lambda scene: make(scene.site))


def kill(*names: str) -> Callable[[Scene], AbstractContextManager[object]]:
    """Kill the process groups of these programs of ours."""

    @contextmanager
    def make(scene: Scene) -> Iterator[None]:
        scene.house.kill(list(names))
        scene.house.killed.update(names)
        yield
        for name in names:
            scene.house.start(name)

    return make


@contextmanager
def kill_redis(scene: Scene) -> Iterator[None]:
    """Kill Redis, which has nothing on a disk: all its keys are lost."""
    server: Redis = scene.site.servers["redis"]
    server.process.kill()
    server.process.wait()
    yield
    server.process = subprocess.Popen(
        server.process.args, stdout=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]}
    )


@contextmanager
def kill_postgresql(scene: Scene) -> Iterator[None]:
    """Kill the server and its processes, in the midst of a write."""
    url = make_url(scene.site.environ["PANEL_DATABASE_URL"])
    address = url.set(database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(address) as connection:
        row = connection.execute("SHOW data_directory").fetchone()
    assert row
    pid_file = Path(row[0], "postmaster.pid")
    pid = int(pid_file.read_text().splitlines()[0])
    command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().rstrip("\0").split("\0")
    children = [int(child) for child in list_children(pid)]
    os.kill(pid, signal.SIGKILL)
    for child in children:
        with suppress(ProcessLookupError):  # a process of its own for a moment, which has ended
            os.kill(child, signal.SIGKILL)
    yield
    until(lambda: not any(is_alive(child) for child in children), PATIENCE)
    # The lock files name a dead process that has no parent to wait for it, so it looks alive.
    for lock in (pid_file, *pid_file.parent.parent.glob(".s.PGSQL.*.lock")):
        lock.unlink()
    owner = {"user": "postgres", "group": "postgres", "extra_groups": []}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    identity = owner if os.geteuid() == 0 else {}
    server = subprocess.Popen(command, cwd=pid_file.parent, **quiet, **identity)  # type: ignore[call-overload]
    scene.site.stack.callback(end, server)
    until(lambda: is_answering(address), PATIENCE)


def end(server: "subprocess.Popen[bytes]") -> None:
    server.send_signal(signal.SIGQUIT)
    server.wait(PATIENCE)


def list_children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def is_alive(pid: int) -> bool:
    """Tell whether the process still runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def is_answering(address: str) -> bool:
    try:
        psycopg.connect(address).close()
    except psycopg.OperationalError:
        return False
    return True


SLOW = 3.0  # seconds for each answer of a world
TROUBLES = (
    Trouble("the web processes are killed", kill("web")),
    Trouble("a worker is killed", kill("worker")),
    Trouble("both workers are killed", kill("worker", "second worker")),
    Trouble("everything of ours is killed", kill("web", "worker", "second worker")),
    Trouble("Redis is killed", kill_redis),
    on_site("Redis is frozen", freeze_redis),
    Trouble("PostgreSQL is killed", kill_postgresql),
    on_site("PostgreSQL is cut off", change_postgresql((CLOSE,), (OPEN,))),
    on_site("the back office is gone", stop_server("office")),
    on_site("the back office is slow", change_world("office", delay=SLOW)),
    on_site("a page stands before the back office", answer_always(OFFICE, show_page(403))),
    on_site("Chatwoot is gone", stop_server("chat")),
    on_site("Chatwoot is slow", change_world("chat", delay=SLOW)),
    on_site("a page stands before Chatwoot", answer_always(CHAT, show_page(502))),
)
