"""An installation on several machines: two panels and a worker over Redis and PostgreSQL.

The last tests show what still works without either server.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
import requests
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from panel.auth.tokens import derive_launch_key
from panel.demo.scenarios import SCENARIOS
from panel.demo.worlds import AGENT, SECRET
from tests import postgres
from tests.conftest import (
    Redis,
    Worlds,
    attribute,
    environment,
    rows_of,
    seal_of,
    start_redis,
    state_of,
    wait_until,
    worlds_on_sockets,
)
from tests.test_processes import gunicorn, open_like_a_browser

ROOT = Path(__file__).resolve().parent.parent
SHOWN = {"fresh", "late"}  # `late` too: on a slow machine, copies outlive their time
_numbers = count(1)


@dataclass
class Machines:
    """`one` and `two`: the addresses of two panels that share only Redis and PostgreSQL."""

    worlds: Worlds
    redis: Redis
    database: str
    one: str
    two: str

    def open(self, url: str, scenario: str = "healthy") -> requests.Response:
        return open_at(url, scenario)

    def pick(self, url: str, seal: str, organization: int) -> requests.Response:
        form = {"action": "pick", "organization": organization, "scope": "conversation"}
        return ask("POST", f"{url}/links", seal, data=form)

    def uncover(self, url: str, seal: str, section: str) -> str:
        """Return the seal that shows this section unmasked."""
        form = {"section": section, "reason": "named the order"}
        return seal_of(ask("POST", f"{url}/uncover", seal, data=form).text)


def open_at(url: str, scenario: str = "healthy") -> requests.Response:
    row = SCENARIOS[scenario]
    hints = {"conversation": row.conversation, "contact": row.contact, "account": 1}
    return ask(
        "POST", f"{url}/contact", derive_launch_key(SECRET), data={**hints, "agent_id": AGENT}
    )


def ask(method: str, url: str, bearer: str, **options: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {bearer}"}
    return requests.request(method, url, headers=headers, timeout=30, **options)


def ring(url: str, kind: str, organization: int) -> requests.Response:
    hook = {"event": kind, "timestamp": "2026-05-04T14:30:00Z", "id": f"ring-{next(_numbers)}"}
    body = {**hook, "data": {"organization_id": organization}}
    return ask("POST", f"{url}/sync/hooks", SECRET, json=body)


def seen(html: str) -> str:
    """Return the versions that a panel shows, as it sends them to /changes."""
    matches = re.findall(r'data-section="(\w+)"[^>]*?data-version="([^"]*)"', html)
    return ",".join(f"{name}:{version}" for name, version in matches)


@contextmanager
def worker(settings: dict[str, str]) -> Iterator[None]:
    command = [sys.executable, "-m", "flask", "--app", "app", "sync", "worker"]
    env = {**settings, "PATH": os.environ["PATH"]}
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def machines_in(folder: Path) -> Iterator[Machines]:
    programs = postgres.programs()
    if programs is None:
        pytest.skip(postgres.ABSENT)
    server = start_redis(folder)
    with ExitStack() as stack:
        stack.callback(lambda: kill(server))
        worlds = stack.enter_context(worlds_on_sockets())
        database = postgres.create(stack.enter_context(postgres.cluster(programs)), "panel")
        shared = {"PANEL_CACHE_URL": server.url, "PANEL_DATABASE_URL": database}
        pages = [
            environment(worlds.office_url, worlds.chat_url, folder / name, **shared)
            for name in ("one", "two", "worker")
        ]
        stack.enter_context(worker(pages[2]))
        first, two = (stack.enter_context(gunicorn(settings)).url for settings in pages[:2])
        yield Machines(worlds, server, database, first, two)


def kill(server: Redis) -> None:
    server.process.kill()
    server.process.wait()


def stop_postgres(address: str) -> None:
    """Stop the server at once, with every session, as when its machine goes."""
    with psycopg.connect(address) as connection:
        row = connection.execute("SHOW data_directory").fetchone()
    assert row
    os.kill(int((Path(row[0]) / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)

    def gone() -> bool:
        try:
            psycopg.connect(address).close()
        except psycopg.OperationalError:
            return True
        return False

    wait_until(gone, 30)


@pytest.fixture(scope="module")
def _machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    with machines_in(tmp_path_factory.mktemp("machines")) as pair:
        yield pair


@pytest.fixture
def machines(_machines: Machines) -> Machines:
    _machines.worlds.office.forget()
    _machines.worlds.office.delay = 0
    return _machines


def test_what_was_sealed_and_picked_at_one_holds_at_the_other(machines: Machines) -> None:
    seal = seal_of(machines.open(machines.one).text)
    assert ask("GET", f"{machines.two}/sections/orders", seal).status_code == 200
    answer = machines.pick(machines.two, seal, 42)
    assert attribute(answer.text, "data-trust") == "unproven"
    again = machines.open(machines.one).text
    assert (attribute(again, "data-link"), attribute(again, "data-trust")) == ("picked", "unproven")


def test_a_hook_at_one_changes_the_open_panel_at_the_other(machines: Machines) -> None:
    seal = seal_of(machines.open(machines.two, "many").text)
    text = ask("GET", f"{machines.two}/sections/orders", seal).text
    address = f"{machines.two}/changes?seen={seen(text)}"
    assert "HX-Trigger" not in ask("GET", address, seal).headers
    assert ring(machines.one, "order.created", 44).status_code == 202
    assert "touched-orders" in ask("GET", address, seal).headers["HX-Trigger"]


def test_a_hook_is_done_by_the_worker_wherever_it_came_in(machines: Machines) -> None:
    """An agent at the other machine sees the link that the pass wrote."""
    assert attribute(machines.open(machines.one, "many").text, "data-link") == "claimed"
    assert ring(machines.two, "entitlement.activated", 44).status_code == 202

    def matched() -> bool:
        return attribute(machines.open(machines.one, "many").text, "data-link") == "matched"

    wait_until(matched, 60)


def test_simultaneous_openings_at_both_are_one_flight(machines: Machines) -> None:
    machines.worlds.office.delay = 0.5
    seals = [seal_of(machines.open(url, "expiring").text) for url in (machines.one, machines.two)]

    def orders(calls: tuple[str, str]) -> requests.Response:
        url, seal = calls
        return ask("GET", f"{url}/sections/orders", seal)

    calls = [(url, seal) for url in (machines.one, machines.two) for seal in seals] * 5
    with ThreadPoolExecutor(len(calls)) as pool:
        answers = list(pool.map(orders, calls))
    assert {state_of(answer.text) for answer in answers} == {"fresh"}
    assert machines.worlds.office.count("/orders") == 1


def test_without_redis_it_is_slower_and_still_true(machines: Machines) -> None:
    office = machines.worlds.office
    assert set(open_like_a_browser(machines.one).values()) <= SHOWN
    seal = seal_of(machines.open(machines.one).text)
    kill(machines.redis)
    try:
        for url in (machines.one, machines.two):
            assert set(open_like_a_browser(url).values()) == {"fresh"}
        assert ring(machines.one, "order.created", 42).status_code == 202
        rows = rows_of(ask("GET", f"{machines.two}/sections/orders", seal).text)[0]
        row = next(candidate for candidate in office.rows("orders", 42) if candidate["id"] == rows)
        office.remove("orders", 42, rows)
        answer = ask("GET", f"{machines.two}/sections/orders", seal)
        assert state_of(answer.text) == "fresh"
        assert rows not in rows_of(answer.text)
        office.put("orders", 42, row)
        assert ask("GET", f"{machines.two}/readyz", SECRET).json()["parts"]["cache"] == "away"
    finally:
        start_again(machines.redis)
    wait_until(lambda: kept_copies_serve(machines), 30)


def start_again(server: Redis) -> None:
    command = server.process.args
    assert isinstance(command, list)
    server.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    with redis.Redis.from_url(server.url, retry=Retry(ConstantBackoff(0.1), 100)) as client:
        client.ping()


def kept_copies_serve(machines: Machines) -> bool:
    open_like_a_browser(machines.one)
    machines.worlds.office.forget()
    open_like_a_browser(machines.two)
    return machines.worlds.office.count() == 0


def test_without_postgresql_the_panel_still_shows_and_hooks_are_put_off(
    machines: Machines,
) -> None:
    """The test has to be the last of these machines, because their database does not come back."""
    seal = machines.uncover(machines.one, seal_of(machines.open(machines.one).text), "orders")
    assert set(open_like_a_browser(machines.two).values()) <= SHOWN
    stop_postgres(machines.database)
    started_at = time.monotonic()
    # An open panel goes on, with all values that it was allowed to show.
    orders = ask("GET", f"{machines.one}/sections/orders", seal)
    assert orders.status_code == 200
    assert state_of(orders.text) in SHOWN
    assert "data-masked" not in orders.text
    assert ask("GET", f"{machines.one}/changes?seen={seen(orders.text)}", seal).status_code == 204
    # A new panel shows the company that Chatwoot names, as a claim.
    page = machines.open(machines.two)
    assert (page.status_code, attribute(page.text, "data-panel")) == (200, "ready")
    assert attribute(page.text, "data-link") == "claimed"
    assert attribute(page.text, "data-trust") == "unproven"
    assert "cannot be read now" in page.text
    # Without a claim, the panel names no company.
    unlinked = machines.open(machines.two, "unlinked")
    assert (unlinked.status_code, attribute(unlinked.text, "data-code")) == (503, "database")
    assert machines.pick(machines.one, seal, 43).status_code == 503
    hook = ring(machines.one, "order.created", 42)
    assert (hook.status_code, hook.json()["error"]["code"]) == (503, "not_kept")
    assert int(hook.headers["Retry-After"]) > 0
    ready = ask("GET", f"{machines.two}/readyz", SECRET)
    assert (ready.status_code, ready.json()["parts"]["database"]) == (200, "away")
    assert time.monotonic() - started_at < 30


def test_a_panel_that_starts_without_its_database_shows_claims_until_it_comes(
    tmp_path: Path,
) -> None:
    programs = postgres.programs()
    if programs is None:
        pytest.skip(postgres.ABSENT)
    with postgres.cluster(programs) as address, worlds_on_sockets() as worlds:
        settings = environment(
            worlds.office_url, worlds.chat_url, tmp_path, PANEL_DATABASE_URL=f"{address}later"
        )
        with gunicorn(settings) as served:
            page = open_at(served.url)
            assert attribute(page.text, "data-link") == "claimed"
            assert "cannot be read now" in page.text
            assert ring(served.url, "order.created", 42).status_code == 503
            postgres.create(address, "later")
            wait_until(lambda: ring(served.url, "order.created", 42).status_code == 202, 30)
