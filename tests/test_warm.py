"""There before the agent looks: what a warm open asks of others, and over how many connections."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from panel.http import POOL, Client
from panel.sections import SECTIONS
from tests.conftest import Panel


def test_a_warm_open_asks_chatwoot_once_and_the_back_office_never(panel: Panel) -> None:
    seal = panel.picked()
    for name in SECTIONS:
        panel.section(name, seal)
    panel.open()
    panel.office.forget()
    panel.chat.forget()
    page = panel.open().text
    assert page.count('data-state="fresh"') == len(SECTIONS)
    assert panel.office.calls == []
    assert panel.chat.count() == 1, "the conversation, asked anew"


class Kept(ThreadingHTTPServer):
    """A server that keeps connections, and counts them."""

    daemon_threads = True
    request_queue_size = 128
    connections = 0

    def process_request(self, request: object, client_address: object) -> None:
        self.connections += 1
        super().process_request(request, client_address)  # type: ignore[arg-type]


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    together = threading.Barrier(8)

    def do_GET(self) -> None:
        if self.path == "/together":
            self.together.wait(20)
        body = b"{}"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Kept]:
    with Kept(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


def test_reads_run_in_parallel_and_share_their_connections(server: Kept) -> None:
    client = Client(f"http://127.0.0.1:{server.server_address[1]}", {})
    for _ in range(10):
        client.get("alone")
    assert server.connections == 1
    with ThreadPoolExecutor(8) as pool:
        # The server answers only when all eight are there.
        list(pool.map(client.get, ["together"] * 8))
        list(pool.map(client.get, ["together"] * 8))
    assert server.connections == 8
    assert POOL >= 64, "a connection for each thread of gunicorn"
