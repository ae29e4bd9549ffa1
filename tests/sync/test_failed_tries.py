"""A failed try keeps its progress, and the next try goes on behind it."""

import itertools
import random
from contextlib import suppress

import pytest

from panel.demo.chatwoot import Failure, never
from panel.errors import TryLater
from panel.sync.jobs import Jobs
from panel.sync.tries import RETRY_JITTER, find_delay
from tests.sync.engine import make_engine
from tests.sync.passes import company, person
from tests.sync.until import until
from tests.sync.wings import Wing, answered, on_sqlite, ring, sockets, wing

__all__ = ["sockets", "wing"]  # fixtures


def add_colleagues(wing: Wing, count: int) -> None:
    for number in range(count):
        email = f"colleague{number}@acme.example"
        person(wing.office, 42, 100 + number, email, "member", None)


def fail_at(wing: Wing, *numbers: int, status: int = 429) -> None:
    """Let the calls of these numbers, counted from now, fail with this status."""
    calls = itertools.count(1)
    failing = set(numbers)
    wing.chat.failures = lambda _call: Failure(status) if next(calls) in failing else None


@on_sqlite
def test_the_next_try_goes_on_behind_whom_the_last_one_reached(wing: Wing) -> None:
    add_colleagues(wing, 20)
    fail_at(wing, 40)
    with pytest.raises(TryLater) as failure:
        wing.run(42)
    assert failure.value.has_progressed
    reached = len(wing.chat.contacts)
    assert 5 < reached < 24
    wing.chat.failures = never
    wing.chat.forget()
    wing.run(42)
    assert len(wing.chat.contacts) == 24
    # A new person costs three calls: the search, the creation, the conversations.
    assert len(wing.chat.calls) <= (24 - reached + 1) * 3


def test_a_new_process_goes_on_where_the_dead_one_was(wing: Wing) -> None:
    """A try's memory dies with its process; seated people stand in our table, and are only read."""
    add_colleagues(wing, 20)
    fail_at(wing, 40)
    with pytest.raises(TryLater):
        wing.run(42)
    seats = {
        f"contacts/{number}"
        for number, row in wing.chat.contacts.items()
        if row["custom_attributes"]
    }
    assert len(seats) > 5
    wing.chat.failures = never
    wing.chat.forget()
    Jobs(wing.services, wing.engine.intake).bring_in_line(42)
    assert len(wing.chat.contacts) == 24
    assert all(row["custom_attributes"] for row in wing.chat.contacts.values())
    paths = {call.path for call in wing.chat.calls if call.method in ("PUT", "POST")}
    assert not {path for path in paths if path.endswith(tuple(seats))}


def test_each_try_dies_and_one_call_in_twenty_fails_and_all_are_seated(wing: Wing) -> None:
    """A new process remembers nothing of the one before; a failed call fails its person."""
    add_colleagues(wing, 40)
    dice = random.Random(11)
    wing.chat.failures = lambda _call: Failure(500) if dice.random() < 0.05 else None
    rest = []
    for _ in range(8):
        with suppress(TryLater):
            Jobs(wing.services, wing.engine.intake).bring_in_line(42)
        rows = [row for row in wing.chat.contacts.values() if row["custom_attributes"]]
        rest.append(44 - len(rows))
        if not rest[-1]:
            break
    assert rest[0] < 22
    assert rest[-1] == 0
    assert len(wing.chat.contacts) == 44


@on_sqlite
def test_a_pass_after_one_that_went_well_looks_at_everybody(wing: Wing) -> None:
    wing.run(42)
    wing.chat.forget()
    wing.run(42)
    assert wing.chat.count("/contacts/filter") > 0
    assert sum(call.path.endswith("/conversations") for call in wing.chat.calls) == 4


@on_sqlite
def test_whoever_changed_meanwhile_is_looked_at_again(wing: Wing) -> None:
    add_colleagues(wing, 20)
    fail_at(wing, 30)
    with pytest.raises(TryLater):
        wing.run(42)
    wing.chat.failures = never
    company(wing.office, 42, "Acme II", "office@42.example")
    wing.run(42)
    names = {row["custom_attributes"]["middag_organization"] for row in wing.chat.contacts.values()}
    assert names == {"Acme II"}


@on_sqlite
def test_a_try_that_came_further_is_followed_by_a_first_one(wing: Wing) -> None:
    """A large organization is done at the pace that Chatwoot's limit allows, however low it is."""
    add_colleagues(wing, 12)
    engine = make_engine(wing.services.settings, wing.services.database, waits=(0.2, 3600.0))
    jobs = Jobs(wing.services, engine.intake)
    calls = itertools.count(1)
    wing.chat.failures = lambda _call: Failure(500) if next(calls) % 26 >= 20 else None
    engine.intake.accept(ring(42))
    engine.worker.start(jobs.bring_in_line)
    until(lambda: answered(engine), 60)
    engine.worker.stop()
    assert len(wing.chat.contacts) == 16


@pytest.mark.parametrize(
    ("tries", "asked_for", "wait"),
    [(1, None, 10), (2, None, 100), (1, 50, 50), (1, 5, 10), (1, 5000, 100)],
    ids=["first", "second", "as long as asked for", "asked for sooner", "asked for much later"],
)
def test_the_next_try_waits_as_long_as_asked_for_within_the_shortest_and_longest_wait(
    tries: int, asked_for: int | None, wait: int
) -> None:
    retry_at = None if asked_for is None else 1000.0 + asked_for
    delays = [find_delay((10.0, 100.0), tries, retry_at, 1000.0) for _ in range(20)]
    assert all(delay and wait <= delay <= wait * (1 + RETRY_JITTER) for delay in delays)
