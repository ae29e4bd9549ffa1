"""The programs that a WordPress needs: found, started, ended; a database of our own."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
WORDPRESS = Path("/usr/share/wordpress")
ABSENT = "NO WORDPRESS HERE: the must-use plugin was not tried ({} not found; tests/machine.sh)"


def find(pattern: str) -> str | None:
    """Find a program by the pattern of its name; Debian keeps servers off the PATH."""
    folders = [*os.environ["PATH"].split(os.pathsep), "/usr/sbin", "/usr/local/sbin"]
    files = [file for folder in folders for file in sorted(Path(folder).glob(pattern))]
    return str(files[-1]) if files else None


PROGRAMS = {name: find(name) for name in ("php", "php-fpm[0-9]*", "nginx", "mariadbd")}


def missing() -> list[str]:
    names = [name for name, program in PROGRAMS.items() if program is None]
    return names if WORDPRESS.is_dir() else [*names, "wordpress"]


def program(name: str) -> str:
    command = PROGRAMS[name]
    assert command, name
    return command


def await_port(port: int, process: subprocess.Popen[bytes], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert process.poll() is None, "it ended at its start"
        assert time.monotonic() < end, "it does not listen"
        time.sleep(0.02)


@contextmanager
def running(command: list[str], port: int, log: Path, **options: Any) -> Iterator[None]:
    """Run a server in the foreground, until the block ends."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=file, stdin=subprocess.DEVNULL, **options
        )
    try:
        await_port(port, process)
        yield
    finally:
        # The workers are ended too, where they have a group of their own.
        end = os.killpg if options.get("process_group") == 0 else os.kill
        end(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        with suppress(ProcessLookupError):
            end(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def database(folder: Path) -> Iterator[int]:
    """Run a MariaDB with the durability of its defaults; yields its port."""
    data = folder / "mysql"
    data.mkdir()
    options = ["--user=mysql"] if os.geteuid() == 0 else []
    if options:
        shutil.chown(data, "mysql", "mysql")
    install = [
        "mariadb-install-db",
        "--no-defaults",
        f"--datadir={data}",
        "--skip-test-db",
        *options,
    ]
    subprocess.run(
        [*install, "--auth-root-authentication-method=normal"], check=True, capture_output=True
    )
    port = free_port()
    places = [f"--datadir={data}", f"--socket={data}/socket", f"--pid-file={data}/pid"]
    net = ["--bind-address=127.0.0.1", f"--port={port}", "--skip-name-resolve"]
    command = [program("mariadbd"), "--no-defaults", *places, *net, *options]
    with running(command, port, folder / "mariadb.log"):
        yield port
