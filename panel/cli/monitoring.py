"""The worker's own port, for monitoring: it answers `routes.MACHINES` and nothing else.

The worker counts in its own memory, perhaps on another machine than the panels, so monitoring asks
it directly. Routes and access rules are the panel's (`web.health`).
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from socket import AF_INET6
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from panel.routes import MACHINES

SCRAPE_HEAD_SECONDS = 10.0  # the longest wait for the head of a request
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _Handler(WSGIRequestHandler):
    timeout = SCRAPE_HEAD_SECONDS  # of the socket

    def log_message(self, *_: object) -> None:
        """Log no request: monitoring asks several times a minute."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _ServerIPv6(_Server):
    address_family = AF_INET6


@contextmanager
def answer_monitoring(app: Application, address: str) -> Iterator[int]:
    """Answer at `HOST:PORT` while the block runs; yields the port (0 chooses one).

    Raises `OSError` where the port is taken, `ValueError` where the address is malformed.
    """
    host, _, port = address.rpartition(":")
    kind = _ServerIPv6 if ":" in host else _Server
    with kind((host.strip("[]"), int(port)), _Handler) as server:
        server.set_app(_only_machines(app))
        threading.Thread(target=server.serve_forever, name="monitoring", daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


def _only_machines(app: Application) -> Any:
    paths = {path for _, path, _, _ in MACHINES}

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] in paths:
            return app(environ, start)
        start("404 Not Found", [("Content-Length", "0")])
        return []

    return answer
