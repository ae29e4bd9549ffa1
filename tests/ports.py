"""Ports for programs that open theirs themselves, so that nobody can hold it for them meanwhile."""

import random
import socket
from contextlib import suppress

# Below those that a system gives away by itself (`ip_local_port_range`): between our look and the
# program's start, no other test's socket or connection can come by it.
PORTS = range(10_000, 32_000)
_choice = random.SystemRandom()  # tests that begin side by side must not draw the same ones


def free_port() -> int:
    """A port on loopback where nobody listens."""
    while True:
        port = _choice.choice(PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
