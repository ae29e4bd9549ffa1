"""Ports for programs that open their port themselves, so that a test cannot hold it for them."""

import random
import socket
from contextlib import suppress

# Ports below those that a system assigns by itself (`ip_local_port_range`): so no other test's
# socket or connection gets the port between our check and the program's start.
PORTS = range(10_000, 32_000)
_choice = random.SystemRandom()  # tests that begin side by side must not draw the same ones


def free_port() -> int:
    """Return a port on loopback where nobody listens."""
    while True:
        port = _choice.choice(PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
