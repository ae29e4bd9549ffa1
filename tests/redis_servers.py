"""A redis-server of our own."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from bench.machine import answers_pings, redis_program
from tests.clocks import wait_until
from tests.ports import free_port


@dataclass
class Redis:
    """A redis-server of our own."""

    process: subprocess.Popen[bytes]
    url: str

    def keys(self, pattern: str) -> list[str]:
        with redis.Redis.from_url(self.url, decode_responses=True) as client:
            return [str(key) for key in client.scan_iter(pattern)]


def start_redis(folder: Path) -> Redis:
    program = redis_program()
    if not program:
        pytest.skip("no redis-server here (tests/machine.sh)")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir"]
    process = subprocess.Popen(
        [*command, str(folder)], stdout=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]}
    )
    server = Redis(process, f"redis://127.0.0.1:{port}/0")
    wait_until(lambda: answers_pings(server.url))
    return server
