"""A PostgreSQL cluster of our own for one test run: a free loopback port, its own folder."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.memory import find_memory
from tests.ports import free_port

ABSENT = "NO POSTGRESQL HERE: nothing of this was tested with it (initdb and postgres not found)"


def programs() -> Path | None:
    """Return the folder of `initdb` and `postgres`, which Debian keeps off the PATH."""
    folders = [Path(program).parent] if (program := shutil.which("initdb")) else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((f for f in folders if (f / "initdb").exists() and (f / "postgres").exists()), None)


@contextmanager
def cluster(folder: Path, fsync: str = "off", **parameters: object) -> Iterator[str]:
    """Run a cluster; yields an address to which a database's name can be appended.

    `parameters`: settings of the server.
    """
    # PostgreSQL refuses to run as root, and pytest's own folders are closed to other users.
    somebody: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []}
    options = somebody if os.geteuid() == 0 else {}
    place = find_memory() if fsync == "off" else None
    data = Path(tempfile.mkdtemp(prefix="panel-postgres-", dir=place))
    if options:
        shutil.chown(data, "postgres", "postgres")
    init = f"{folder}/initdb -D {data}/data -U panel -A trust -E UTF8 --no-sync"
    subprocess.run(init.split(), check=True, stdout=subprocess.DEVNULL, cwd=data, **options)
    port = free_port()
    command = f"{folder}/postgres -D {data}/data -k {data} -p {port}"
    # The cluster is deleted afterwards, so mostly nothing has to reach the disk.
    quiet = f"-c listen_addresses=127.0.0.1 -c log_min_messages=panic -c fsync={fsync}"
    options_given = [f"--{name}={value}" for name, value in parameters.items()]
    server = subprocess.Popen(
        [*command.split(), *quiet.split(), *options_given],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=data,
        **options,
    )
    try:
        address = f"postgresql://panel@127.0.0.1:{port}/"
        _await(address)
        yield address
    finally:
        # This ends it at once, and closes sessions that a test forgot.
        server.send_signal(signal.SIGQUIT)
        server.wait(30)
        shutil.rmtree(data)


def create(address: str, name: str, template: str = "template0") -> str:
    with psycopg.connect(f"{address}postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    return f"{address}{name}"


def _await(address: str) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(f"{address}postgres").close()
        except psycopg.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return
