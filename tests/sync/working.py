"""Hooks, a Chatwoot that a test troubles, and how a hook ended."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from sqlalchemy import select

from panel.data import inbox
from tests.sync.engine import Engine
from tests.sync.executor import hook
from tests.sync.until import until

DAY = 24 * 3600.0


@dataclass
class Chatwoot:
    """Stands for a pass's work: notes when it ran, and does what a test sets."""

    ran: list[tuple[int, float, float]] = field(default_factory=list)
    act: Callable[[int], None] = lambda _organization: None

    def __call__(self, organization: int) -> None:
        started_at = time.time()
        try:
            self.act(organization)
        finally:
            self.ran.append((organization, started_at, time.time()))

    def hold(self) -> tuple[threading.Event, threading.Event]:
        """Let passes stop midway from now on. The first event tells that one has stopped; the
        second one lets them go on."""
        inside, go = threading.Event(), threading.Event()

        def act(_organization: int) -> None:
            inside.set()
            assert go.wait(20)

        self.act = act
        return inside, go

    def count(self, organization: int) -> int:
        return sum(entry[0] == organization for entry in self.ran)


@pytest.fixture
def chatwoot() -> Chatwoot:
    return Chatwoot()


def answered(engine: Engine) -> bool:
    return engine.intake.stats().oldest_waiting is None


def raising(error: Exception) -> Callable[[int], None]:
    def act(_organization: int) -> None:
        raise error

    return act


def rows(engine: Engine) -> list[tuple[str, str]]:
    """Return (id, status) of every hook, in the order in which they were kept."""
    with engine.database.connect() as connection:
        columns = select(inbox.hooks.c.hook_id, inbox.hooks.c.status)
        return [(row[0], row[1]) for row in connection.execute(columns.order_by("seq"))]


def delay(engine: Engine, chatwoot: Chatwoot, organization: int) -> float:
    """Seconds from a hook to the beginning of its pass."""
    rung = time.time()
    assert engine.intake.accept(hook(f"of {organization}", organization)) == "accepted"
    until(lambda: chatwoot.count(organization))
    return chatwoot.ran[-1][1] - rung
