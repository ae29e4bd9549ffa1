"""The budget of calls: no minute has more calls, and no opening waits for the budget."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from flask import Flask

from panel import services
from panel.deadline import Deadline
from panel.demo.worlds import Server
from panel.errors import Unreachable
from panel.settings import from_env
from panel.sync.jobs import Jobs
from panel.sync.rate_limit import RateLimit
from panel.upstream.client import Client
from tests.conftest import Clock
from tests.sync.until import until
from tests.sync.wings import Minutes, Wing, on_sqlite, sockets, wing

__all__ = ["sockets", "wing"]  # fixtures


def test_no_minute_has_more_calls_than_the_budget() -> None:
    clock, at = Minutes(), []
    budget = RateLimit(5, clock, clock.sleep)
    for number in range(23):
        budget.take()
        at.append(clock.now)
        clock.advance(number % 4)
    for first, sixth in zip(at, at[5:], strict=False):
        assert sixth - first >= 60


def test_within_the_budget_nobody_waits() -> None:
    clock = Minutes()
    started_at, budget = clock.now, RateLimit(300, clock, clock.sleep)
    for _ in range(60):  # a fifth of a minute's calls may be made at once
        budget.take()
    assert clock.now == started_at


def test_many_threads_share_one_budget() -> None:
    tired: list[float] = []

    def sleep(seconds: float) -> None:
        tired.append(seconds)
        raise Unreachable("tired")

    budget = RateLimit(100, Clock(), sleep)
    with ThreadPoolExecutor(16) as threads:
        takes = [threads.submit(budget.take) for _ in range(160)]
    assert sum(take.exception() is None for take in takes) == 20


def test_who_waited_for_a_turn_has_the_whole_time_for_the_call(
    sockets: tuple[Server, Server],
) -> None:
    """Otherwise a spent budget would look like a silent Chatwoot, and the breaker would open."""
    client = Client(sockets[1].url, {}, gate=lambda: time.sleep(0.4))
    assert client.get("api", by=Deadline(0.3)).status == 200


@on_sqlite
def test_opening_a_panel_does_not_wait_for_the_budget(wing: Wing) -> None:
    settings = from_env({**wing.environ, "CHATWOOT_CALLS_PER_MINUTE": "1"})
    shared = services.build(settings, Flask("other"))
    passes = Jobs(shared, wing.engine.intake)
    number = wing.chat.add_contact(name="Ana", email="ana@acme.example")["id"]
    talk = wing.chat.add_conversation(number)["id"]

    def waits() -> None:
        # The calls may end long after this test, when the worlds are gone.
        with suppress(Exception):
            passes.bring_in_line(42)

    threading.Thread(target=waits, daemon=True).start()
    until(lambda: wing.chat.calls)
    started_at = time.monotonic()
    assert shared.chatwoot.conversation(talk).contact.id == number
    assert shared.chatwoot.agents()
    assert time.monotonic() - started_at < 2
