"""The lanes in the engine: nobody is overtaken, hooks go first, and an outage is over at once."""

import threading
import time
from collections.abc import Callable

import pytest

from panel.data import inbox, lanes, pass_states
from panel.data.lanes import Lane
from panel.errors import BACK_OFFICE_SIDE, CHATWOOT_SIDE, TryLater
from panel.sync.dispatcher import Dispatcher, Starts
from panel.sync.pass_queue import AT_ONCE
from panel.sync.rate_limit import RateLimit, Turn, find_turn, working
from panel.sync.recovery import Recovery
from panel.sync.work import Work
from tests.sync.conftest import BuildEngine
from tests.sync.engine import Engine
from tests.sync.executor import hook
from tests.sync.until import until
from tests.sync.wings import Minutes


class Passes:
    """Notes the order in which passes begin; passes of a slow lane may be held until `go`."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.held: set[int] = set()
        self.go = threading.Event()

    def __call__(self, organization: int) -> None:
        self.begun.append(organization)
        if organization in self.held:
            assert self.go.wait(60)


def is_answered(engine: Engine) -> bool:
    return engine.intake.stats().oldest_waiting is None


def test_no_organization_is_overtaken(build: BuildEngine) -> None:
    """There are far more organizations than passes run at once, one has two hooks, and passes end
    in any order."""
    engine, begun = build(), list[int]()
    numbers = [(37 * at) % 211 + 1 for at in range(120)]
    for number in numbers:
        engine.intake.accept(hook(f"h{number}", number))
    engine.intake.accept(hook("again", numbers[50]))

    def begin(organization: int, pass_id: str) -> None:
        with inbox.write_transaction(engine.database, organization) as connection:
            pass_states.begin_pass(connection, organization, pass_id)
        begun.append(organization)
        ids.append(pass_id)

    ids = list[str]()
    dispatcher = Dispatcher(
        engine.database, Starts(begin, lambda _task, _try_id: None), Recovery(), time.time
    )
    while len(begun) < len(numbers):
        with engine.database.connect() as connection:
            rows = lanes.find_next(connection, Lane.URGENT, AT_ONCE[Lane.URGENT], time.time())
        with engine.database.connect() as connection:
            dispatcher.look(connection)
        assert [number for number, _ in rows] == begun[-len(rows) :]
        for pass_id in reversed(ids):
            dispatcher.leave(pass_id)
    assert begun == numbers


def test_a_hook_begins_while_the_slow_lanes_are_full(build: BuildEngine) -> None:
    engine, passes = build(), Passes()
    passes.held = set(range(1, 100))
    engine.intake.line_up(range(1, 50), Lane.RECONCILE)
    engine.intake.line_up(range(50, 100), Lane.BACKFILL)
    engine.worker.start(passes)
    most = AT_ONCE[Lane.RECONCILE] + AT_ONCE[Lane.BACKFILL]
    until(lambda: len(passes.begun) == most)
    engine.intake.accept(hook("new", 1000))
    engine.intake.accept(hook("lined up", 40))
    until(lambda: {1000, 40} <= set(passes.begun))
    assert len(passes.begun) == most + 2
    passes.go.set()
    until(lambda: is_answered(engine), 60)


def test_a_pass_that_somebody_begins_to_wait_for_gets_the_first_lanes_calls(
    build: BuildEngine,
) -> None:
    engine, order = build(), list[Lane]()
    inside = threading.Event()

    def bring(_organization: int) -> None:
        order.append(find_turn().lane)
        inside.set()
        if order == [Lane.RECONCILE]:
            until(lambda: find_turn().lane == Lane.URGENT)

    engine.intake.line_up([7], Lane.RECONCILE)
    engine.worker.start(bring)
    assert inside.wait(60)
    engine.intake.accept(hook("h", 7))
    until(lambda: is_answered(engine), 60)
    assert order == [Lane.RECONCILE, Lane.URGENT]
    assert engine.intake.stats().done == 2  # no hook was buried in between


def test_when_a_world_is_well_again_what_waits_for_it_is_tried_at_once(build: BuildEngine) -> None:
    engine, recovery, sick = build(waits=(3600.0,)), Recovery(), [True]

    def bring(organization: int) -> None:
        if sick[0] and organization < 50:
            raise _fail(CHATWOOT_SIDE if organization < 40 else BACK_OFFICE_SIDE)
        if organization == 50:
            recovery.note_success(CHATWOOT_SIDE)

    for number in (1, 2, 3, 40):
        engine.intake.accept(hook(f"h{number}", number))
    engine.worker.start_work(Work(bring, recovery=recovery))
    until(lambda: len(engine.intake.stats().retrying) == 4)
    sick[0] = False
    engine.intake.accept(hook("of another", 50))
    until(lambda: [number for number, _ in engine.intake.stats().retrying] == [40])
    until(lambda: engine.intake.stats().done == 4)


def _fail(side: str) -> TryLater:
    error = TryLater("timeout")
    error.side = side
    return error


def test_one_organizations_own_trouble_is_no_outage() -> None:
    recovery = Recovery()
    for _ in range(5):
        recovery.note_failure(CHATWOOT_SIDE)
        recovery.note_success(CHATWOOT_SIDE)
    assert recovery.take_recovered() == set()
    recovery.note_failure(CHATWOOT_SIDE)
    recovery.note_failure(CHATWOOT_SIDE)
    recovery.note_success(BACK_OFFICE_SIDE)
    assert recovery.take_recovered() == set()
    recovery.note_success(CHATWOOT_SIDE)
    assert recovery.take_recovered() == {CHATWOOT_SIDE}
    assert recovery.take_recovered() == set()


# -- the budget ------------------------------------------------------------------------------------


def spend(limit: RateLimit, turn: Turn, times: int) -> None:
    for _ in range(times):
        with working(turn), limit.take():
            pass


def test_a_burst_does_not_spend_the_minute() -> None:
    clock = Minutes()
    limit, started_at = RateLimit(300, clock, clock.sleep), clock.now
    spend(limit, Turn(Lane.URGENT, clock.now), 60)
    assert clock.now == started_at
    spend(limit, Turn(Lane.URGENT, clock.now), 1)
    assert 0.1 < clock.now - started_at < 1


def test_the_slow_lanes_leave_the_reserve_and_use_the_rest() -> None:
    clock = Minutes()
    limit, started_at = RateLimit(300, clock, clock.sleep), clock.now
    spend(limit, Turn(Lane.BACKFILL, clock.now), 200)
    assert 45 < clock.now - started_at < 55, "four a second"
    at = clock.now
    spend(limit, Turn(Lane.URGENT, clock.now), 55)
    assert clock.now == at


def test_a_slow_lane_makes_up_for_the_share_that_it_did_not_use() -> None:
    clock = Minutes()
    limit, quarter = RateLimit(300, clock, clock.sleep), 60 / (300 / 4)
    spend(limit, Turn(Lane.URGENT, clock.now), 60)  # what may be made at once
    clock.advance(4 * quarter)
    at = clock.now
    spend(limit, Turn(Lane.BACKFILL, clock.now), 5)
    assert clock.now == at
    spend(limit, Turn(Lane.BACKFILL, clock.now), 1)
    assert clock.now == pytest.approx(at + quarter)


@pytest.mark.parametrize("lane", [Lane.BACKFILL, Lane.RECONCILE])
def test_the_slow_lanes_have_a_quarter_beside_a_flood_of_hooks(lane: Lane) -> None:
    """The test runs in real time, at a budget that needs only seconds."""
    limit, counts = RateLimit(3000), dict.fromkeys(Lane, 0)
    spend(limit, Turn(Lane.URGENT), 600)  # what may be made at once
    until_then = time.monotonic() + 3

    def flood(lane: Lane) -> Callable[[], None]:
        def run() -> None:
            turn = Turn(lane, time.monotonic())
            while time.monotonic() < until_then:
                spend(limit, turn, 1)
                counts[lane] += 1

        return run

    threads = [
        threading.Thread(target=flood(thread_lane)) for thread_lane in [Lane.URGENT] * 8 + [lane]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    share = counts[lane] / sum(counts.values())
    assert 0.2 < share < 0.4  # a quarter of the budget, whose reserve is a fifth


def test_a_pass_of_few_calls_does_not_wait_for_the_large_ones_beside_it() -> None:
    limit = RateLimit(600)
    order: list[str] = []

    def spend_as(name: str, calls: int) -> None:
        turn = Turn(Lane.URGENT, time.monotonic(), calls)
        with working(turn), limit.take():
            order.append(name)

    spend(limit, Turn(Lane.URGENT), 120)  # what may be made at once
    large = [threading.Thread(target=spend_as, args=("large", 40)) for _ in range(6)]
    for thread in large:
        thread.start()
    until(lambda: limit.count_waiting() >= 5)
    small = threading.Thread(target=spend_as, args=("small", 1))
    small.start()
    small.join()
    assert order.index("small") <= 3
    for thread in large:
        thread.join()
