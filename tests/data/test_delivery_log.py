"""The delivery log: added up over processes, kept over restarts, written seldom, never lost."""

import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, select, text

from panel.data import db
from panel.data.delivery_log import CHATWOOT, PLUGIN, DeliveryLog, Tally, deliveries
from panel.errors import Unreachable
from tests.conftest import Clock, wait_until

MakeLog = Callable[..., DeliveryLog]


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    new_engine = db.connect(url)
    yield new_engine
    new_engine.dispose()


@pytest.fixture
def make_log(engine: Engine) -> Iterator[MakeLog]:
    """Makes the delivery log of a process, which ends with the test."""
    items = []

    def make(clock: Callable[[], float] = time.time) -> DeliveryLog:
        items.append(DeliveryLog(engine, clock))
        return items[-1]

    yield make
    for log in items:
        log.stop()


def read_counts(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return list(connection.scalars(select(deliveries.c.count)))


def test_processes_add_up_and_senders_stand_apart(make_log: MakeLog) -> None:
    clock = Clock()
    first_log, two = make_log(clock), make_log(clock)
    for _ in range(3):
        first_log.count(CHATWOOT, "unsigned")
    clock.advance(1)
    two.count(CHATWOOT, "unsigned")
    two.count(PLUGIN, "accepted")
    first_log.flush()
    assert two.read(CHATWOOT) == {"unsigned": Tally(4, clock.now)}
    assert first_log.read(PLUGIN) == {"accepted": Tally(1, clock.now)}


def test_whoever_writes_later_about_earlier_ones_leaves_the_last_time(
    engine: Engine, make_log: MakeLog
) -> None:
    clock = Clock()
    clock.now = 1_800_000_000.0
    early, late = make_log(clock), make_log(clock)
    early.count(CHATWOOT, "stale")
    wait_until(lambda: read_counts(engine) == [1])  # so that the next counts wait for their turn
    early.count(CHATWOOT, "stale")
    clock.advance(1)
    late.count(CHATWOOT, "stale")
    late.flush()
    early.flush()
    assert late.read(CHATWOOT) == {"stale": Tally(3, clock.now)}


def test_the_first_is_written_at_once_and_the_next_wait_for_their_turn(
    engine: Engine, make_log: MakeLog
) -> None:
    log = make_log()
    log.count(CHATWOOT, "unsigned")
    wait_until(lambda: read_counts(engine) == [1])
    for _ in range(1000):
        log.count(CHATWOOT, "unsigned")
    assert read_counts(engine) == [1]
    log.stop()
    assert sum(read_counts(engine)) == 1001


def test_the_last_hour_is_counted_and_the_last_time_is_kept_for_ever(make_log: MakeLog) -> None:
    clock = Clock()
    log = make_log(clock)
    for _ in range(3):
        log.count(CHATWOOT, "unsigned")
        log.flush()
        clock.advance(40 * 60)
    last = clock.now - 40 * 60
    assert log.read(CHATWOOT) == {"unsigned": Tally(1, last)}
    clock.advance(90 * 24 * 3600)
    assert log.read(CHATWOOT) == {"unsigned": Tally(0, last)}


def test_only_an_hour_of_rows_is_kept(engine: Engine, make_log: MakeLog) -> None:
    clock = Clock()
    log = make_log(clock)
    log.count(PLUGIN, "accepted")
    for _ in range(100):
        log.count(CHATWOOT, "unsigned")
        log.flush()
        clock.advance(60)
    assert len(read_counts(engine)) == 60 + 1


def test_what_a_database_that_is_away_did_not_take_is_written_later(
    engine: Engine, make_log: MakeLog
) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE deliveries RENAME TO elsewhere"))
    log = make_log()
    log.count(CHATWOOT, "unsigned")
    with pytest.raises(Unreachable):
        log.read(CHATWOOT)
    log.count(CHATWOOT, "unsigned")
    log.stop()  # the failure is logged, and ends nothing
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO deliveries"))
    assert log.read(CHATWOOT)["unsigned"].count == 2
