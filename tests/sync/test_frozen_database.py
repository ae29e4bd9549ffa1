"""A PostgreSQL that is frozen and not gone: its machine goes on to acknowledge packets."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count

import pytest
from sqlalchemy import Connection, Engine, text

from panel.data import db
from panel.errors import Unreachable
from tests.postgres import create

PATIENCE = 0.5
THAW_SECONDS = 15
_numbers = count()


class Servers:
    """The processes that serve sessions; the frozen ones go on after the test."""

    def __init__(self) -> None:
        self.frozen: list[int] = []

    def freeze(self, connection: Connection) -> int:
        """Freeze the process of this session; returns its number."""
        number = int(connection.scalar(text("SELECT pg_backend_pid()")) or 0)
        os.kill(number, signal.SIGSTOP)
        self.frozen.append(number)
        return number

    def thaw(self) -> None:
        for number in self.frozen:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGCONT)


@pytest.fixture
def servers() -> Iterator[Servers]:
    new_servers = Servers()
    thaw = threading.Timer(
        THAW_SECONDS, new_servers.thaw
    )  # a test that waits for them fails, and does not hang
    thaw.start()
    yield new_servers
    thaw.cancel()
    new_servers.thaw()


@pytest.fixture
def engine(cluster: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setattr(db, "ANSWER_SECONDS", PATIENCE)
    new_engine = db.connect(create(cluster, f"frozen{next(_numbers)}"))
    yield new_engine
    new_engine.dispose()


def test_a_session_that_does_not_answer_is_given_up_and_nobody_waits_for_it_again(
    engine: Engine, servers: Servers
) -> None:
    def ask() -> None:
        with db.transaction(engine) as connection:
            servers.freeze(connection)
            connection.scalar(text("SELECT 1"))

    start = time.monotonic()
    with pytest.raises(Unreachable):
        ask()
    assert PATIENCE <= time.monotonic() - start < PATIENCE + 4
    with db.transaction(engine) as connection:
        assert connection.scalar(text("SELECT 1")) == 1


def test_a_kept_session_that_froze_is_replaced_before_it_is_used(
    engine: Engine, servers: Servers
) -> None:
    with db.transaction(engine) as connection:
        frozen = servers.freeze(connection)
        os.kill(frozen, signal.SIGCONT)
    os.kill(frozen, signal.SIGSTOP)
    with db.transaction(engine) as connection:
        assert connection.scalar(text("SELECT pg_backend_pid()")) != frozen
