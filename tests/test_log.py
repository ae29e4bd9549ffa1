"""All lines of a busy run: each has the one format and names its event, and no line names a
customer."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from panel.auth.tokens import derive_launch_key
from panel.demo.faults import FAULTS
from panel.demo.scenarios import SCENARIOS
from panel.demo.worlds import AGENT, SECRET
from panel.web.sections import SECTIONS
from tests.conftest import Worlds, environment, seal_of, wait_until

ROOT = Path(__file__).resolve().parent.parent
KEY = {"Authorization": f"Bearer {derive_launch_key(SECRET)}"}
REASON = "somebody typed this reason"
# The fields of both worlds that identify people, or tell what they own.
PRIVATE = {
    *("name", "legal_name", "email", "phone", "phone_number", "tax_id", "identifier"),
    *("license_key", "key", "code", "city", "address", "billing_entity", "subject", "content"),
}
EVENTS = {
    "a hook was accepted",
    "a hook of the plugin from 127.0.0.1 was refused",
    "a webhook of Chatwoot from 127.0.0.1 was refused",
    "a POST of a page that is not ours was refused: see PANEL_URL",
    "a wrong launch key from 127.0.0.1",
    "a panel was not shown",
    "a section was not fresh",
    "127.0.0.1 was slow",
    "127.0.0.1: orders 42: http_500",
    "127.0.0.1: conversations 119: http_503",
    "Chatwoot was written to",
    "a pass is done",
    "a try of a pass failed",
    "Invalid request from ip=127.0.0.1",
}


@contextmanager
def served(worlds: Worlds, folder: Path, log: Path) -> Iterator[str]:
    environ = environment(worlds.office_url, worlds.chat_url, folder)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener, log.open("wb") as output:
        command = [sys.executable, "-m", "gunicorn", "app:create_app()"]
        process = subprocess.Popen(
            [*command, "--bind", f"fd://{listener.fileno()}"],
            cwd=ROOT,
            env={**environ, "PATH": os.environ["PATH"]},
            pass_fds=[listener.fileno()],
            stdout=output,
            stderr=output,
        )
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            wait_until(lambda: requests.get(f"{url}/healthz", timeout=60).ok, 60)
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def find_private(value: Any) -> Iterator[str]:
    """Yield every text in a private field, however deep."""
    rows = value.items() if isinstance(value, dict) else enumerate(value)
    for name, inner in rows:
        if isinstance(inner, dict | list):
            yield from find_private(inner)
        elif isinstance(inner, str) and name in PRIVATE and len(inner) > 5:
            yield inner


class Visitor:
    """The actions of agents, the plugin, Chatwoot and strangers."""

    def __init__(self, url: str, worlds: Worlds) -> None:
        self.url = url
        self.worlds = worlds

    def ask(self, method: str, path: str, seal: str = "", **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {seal}"} if seal else {}
        headers |= options.pop("headers", {})
        return requests.request(method, self.url + path, headers=headers, timeout=60, **options)

    def open(self, scenario: str, agent: int = AGENT, headers: Any = None) -> requests.Response:
        row = SCENARIOS[scenario]
        hints = {"conversation": row.conversation, "contact": row.contact, "account": 1}
        form = {**hints, "agent_id": agent, "agent_email": "", "customer": ""}
        return self.ask("POST", "/contact", data=form, headers=headers or KEY)

    def work(self) -> None:
        """Make good requests: openings, sections, searches, an uncovering."""
        with ThreadPoolExecutor(4) as agents:
            pages = list(agents.map(self.open, SCENARIOS))
        seal = seal_of(pages[list(SCENARIOS).index("healthy")].text)
        for name in SECTIONS:
            self.ask("GET", f"/sections/{name}", seal)
        for text in {*find_private(self.worlds.office.organizations)}:
            self.ask("GET", "/search", seal, params={"q": text})
        form = {"section": "orders", "reason": "Another reason", "detail": REASON}
        self.ask("POST", "/uncover", seal, data=form)
        for number in self.worlds.office.organizations:
            hook = {"event": "organization.updated", "timestamp": "2026-05-04T14:30:00Z"}
            body = {**hook, "data": {"organization_id": number}}
            assert self.ask("POST", "/sync/hooks", SECRET, json=body).ok

    def fail(self) -> None:
        """Make every kind of bad request once."""
        office, chat = self.worlds.office, self.worlds.chat
        seal = seal_of(self.open("healthy").text)
        for fault in ("500", *sorted(FAULTS.keys() - {"500", "hang", "drip", "slow"})):
            office.fault(fault, 42, "orders")
            self.ask("POST", "/sections/orders/refresh", seal)
        office.heal()
        office.delay = 3.2
        self.ask("POST", "/sections/quotes/refresh", seal)
        office.delay = 0
        chat.down = True
        self.open("healthy")
        chat.down = False
        self.open("healthy", agent=999)
        self.open("healthy", headers={"Authorization": "Bearer guessed-launch-key"})
        self.open("healthy", headers={**KEY, "Origin": "https://elsewhere.example"})
        self.ask("POST", "/sync/hooks", "guessed-secret", json={"event": "order.updated"})
        contact = next(iter(chat.contacts.values()))
        self.ask("POST", "/sync/chatwoot", json={"event": "contact_updated", **contact})

    def say_nonsense(self) -> None:
        host, port = self.url.removeprefix("http://").split(":")
        for contact in list(self.worlds.chat.contacts.values())[:3]:
            with socket.create_connection((host, int(port)), 30) as wire:
                line = f"GET /search?q={contact['email']} {contact['name']} HTTP/9\r\n\r\n"
                wire.sendall(line.encode())
                wire.recv(1000)


@pytest.fixture
def lines(worlds: Worlds, tmp_path: Path) -> list[str]:
    log = tmp_path / "log"
    with served(worlds, tmp_path / "panel", log) as url:
        visitor = Visitor(url, worlds)
        visitor.work()
        visitor.fail()
        visitor.say_nonsense()
        # The passes of the broken customers wait for their turn before the back office.
        wait_until(lambda: "a pass is done" in log.read_text(), 90)
        wait_until(lambda: "a try of a pass failed" in log.read_text(), 90)
    return log.read_text().splitlines()


def test_a_busy_run_tells_its_events_and_no_customer(worlds: Worlds, lines: list[str]) -> None:
    events = [json.loads(line) for line in lines]
    for event in events:
        assert {"time", "level", "logger", "process", "message"} <= event.keys()
    messages = [event["message"] for event in events]
    assert {event for event in EVENTS if not any(m.startswith(event) for m in messages)} == set()
    assert [event for event in events if "trace" in event] == []
    of_requests = [event for event in events if event["logger"].startswith("panel.web")]
    assert of_requests
    assert all(event["request"] for event in of_requests)
    office, chat = worlds.office, worlds.chat
    lists = [vars(office)[name] for name in vars(office) if isinstance(vars(office)[name], dict)]
    private = {*find_private(lists), *find_private(chat.contacts), *find_private(chat.agents)}
    assert len(private) > 50
    text = "\n".join(lines)
    secrets = {SECRET, derive_launch_key(SECRET), "guessed-launch-key", "guessed-secret", REASON}
    assert [secret for secret in private | secrets if secret in text] == []
