"""Warm openings: the calls to the outside worlds, and the number of connections."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from panel.customer import matching
from panel.demo import conversations
from panel.demo.chatwoot import Chatwoot
from panel.demo.scenarios import SCENARIOS
from panel.upstream.chatwoot import ID_ATTRIBUTE
from panel.upstream.chatwoot_records import parse_conversation
from panel.upstream.client import Client
from panel.upstream.exchange import POOL
from panel.web.sections import SECTIONS
from tests.conftest import Panel

HEALTHY = SCENARIOS["healthy"]


def test_a_warm_open_asks_chatwoot_for_what_proves_and_the_back_office_never(panel: Panel) -> None:
    seal = panel.proven()
    for name in SECTIONS:
        panel.section(name, seal)
    panel.open()
    panel.office.forget()
    panel.chat.forget()
    page = panel.open().text
    assert page.count('data-state="fresh"') == len(SECTIONS)
    assert panel.office.calls == []
    assert panel.chat.count() == 2, "the conversation and the sources of the contact, asked anew"


def shown(panel: Panel) -> str:
    """Return the customer as the dashboard shows them, as Chatwoot answered last."""
    return matching.describe_customer(panel.services.chatwoot.conversation(HEALTHY.conversation))


def opened(panel: Panel, customer: str) -> int:
    """Count the calls to Chatwoot of an opening whose dashboard shows this."""
    panel.chat.forget()
    assert panel.open(customer=customer).ok
    return panel.chat.count()


def test_a_warm_open_asks_nobody_while_the_dashboard_shows_what_is_known(clocked: Panel) -> None:
    clocked.open()
    customer = shown(clocked)
    assert opened(clocked, customer) == 0
    clocked.clock.advance(39)
    assert opened(clocked, customer) == 0
    clocked.clock.advance(2)
    assert opened(clocked, customer) > 0, "who sees what is checked within the minute"


@pytest.mark.parametrize("customer", ["", "another", "another\t\t\t\t\t\t"])
def test_who_does_not_say_the_same_does_not_get_the_copy(panel: Panel, customer: str) -> None:
    panel.open()
    assert opened(panel, shown(panel) + customer if customer == "another" else customer) == 1


CHANGES: dict[str, Callable[[Chatwoot], None]] = {
    "email": lambda chat: chat.contacts[HEALTHY.contact].update(email="outra@empresa.example"),
    "phone": lambda chat: chat.contacts[HEALTHY.contact].update(phone_number="+5561987654321"),
    "identifier": lambda chat: chat.contacts[HEALTHY.contact].update(identifier="middag:user:9"),
    "claim of the contact": lambda chat: chat.contacts[HEALTHY.contact].update(
        custom_attributes={ID_ATTRIBUTE: "45"}
    ),
    "claim of the conversation": lambda chat: chat.conversations[HEALTHY.conversation].update(
        custom_attributes={ID_ATTRIBUTE: "45"}
    ),
    "signature": lambda chat: chat.conversations[HEALTHY.conversation].update(hmac_verified=True),
    "contact": lambda chat: chat.conversations[HEALTHY.conversation].update(contact_id=302),
}


@pytest.mark.parametrize("changed", CHANGES)
def test_whatever_changes_who_the_customer_is_is_asked_of_chatwoot_again(
    panel: Panel, changed: str
) -> None:
    """The dashboard shows the change before anybody can open the panel."""
    panel.open()
    before = shown(panel)
    CHANGES[changed](panel.chat)
    conversation = panel.services.chatwoot.peek_conversation(HEALTHY.conversation)
    assert conversation is not None
    assert matching.describe_customer(conversation) == before, "the copy is outdated"
    row = panel.chat.conversations[HEALTHY.conversation]
    body = conversations.shown(panel.chat, row, messages=False)
    panel.chat.forget()
    panel.open(customer=matching.describe_customer(parse_conversation(body)))
    assert f"/conversations/{HEALTHY.conversation}" in panel.chat.calls[0].path
    assert shown(panel) != before


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
