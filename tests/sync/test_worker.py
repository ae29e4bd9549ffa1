"""The engine in one process, on SQLite and on PostgreSQL: hooks, passes, tries."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select

from panel.data import inbox
from panel.data.lanes import Lane
from panel.data.workers import Workers
from panel.errors import TryLater, Unwell
from panel.sync import pass_queue
from panel.sync.tries import RETRY_JITTER, RETRY_WAITS
from tests.sync.conftest import BuildEngine, halt
from tests.sync.executor import hook
from tests.sync.until import until
from tests.sync.working import DAY, Chatwoot, answered, chatwoot, delay, raising, rows

__all__ = ["chatwoot"]  # a fixture


# -- hooks and passes ------------------------------------------------------------------------------


def test_a_hook_is_answered_by_a_pass_within_a_second(
    build: BuildEngine, chatwoot: Chatwoot
) -> None:
    engine = build()
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("first", 1))
    until(lambda: answered(engine))

    delays = [delay(engine, chatwoot, organization) for organization in (2, 3, 4)]
    # The best of three counts, because the machine that runs the tests may be busy.
    assert min(delays) < 1.0
    until(lambda: answered(engine))
    assert {status for _, status in rows(engine)} == {"done"}
    assert engine.intake.stats().done == 4


def test_the_thread_of_passes_does_not_keep_the_process_alive(
    build: BuildEngine, chatwoot: Chatwoot
) -> None:
    build().worker.start(chatwoot)
    passes = [thread for thread in threading.enumerate() if thread.name == "passes"]
    assert {thread.daemon for thread in passes} == {True}


def test_a_worker_that_has_just_started_has_ended_no_try(
    build: BuildEngine, chatwoot: Chatwoot
) -> None:
    engine = build()
    engine.worker.start(chatwoot)
    [row] = until(lambda: Workers(engine.database).list_rows()[0])
    assert row.ended_at is None


def test_a_thousand_hooks_melt_into_a_few_passes(build: BuildEngine, chatwoot: Chatwoot) -> None:
    engine = build()
    engine.worker.start(chatwoot)
    chatwoot.act = lambda _organization: time.sleep(0.1)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: engine.intake.accept(hook(f"h{n}", 7)), range(1000)))
    assert answers == ["accepted"] * 1000
    until(lambda: answered(engine), 30)
    assert {status for _, status in rows(engine)} == {"done"}
    # A pass at the start, one for each poll while hooks came in, and one at the end.
    assert len(chatwoot.ran) <= 30


def test_while_a_pass_waits_nothing_else_is_enqueued(build: BuildEngine) -> None:
    engine = build()
    for number in range(50):
        engine.intake.accept(hook(f"h{number}", 7))
    assert engine.intake.stats().waiting == 1


def test_a_hook_during_a_pass_has_its_own_pass_afterwards(
    build: BuildEngine, chatwoot: Chatwoot
) -> None:
    engine, (inside, go) = build(), chatwoot.hold()
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("before", 1))
    assert inside.wait(20)
    # The hook may be about values that this pass has read already.
    engine.intake.accept(hook("during", 1))
    assert engine.intake.stats().waiting == 1
    go.set()
    until(lambda: answered(engine))
    assert chatwoot.count(1) == 2
    assert chatwoot.ran[0][2] <= chatwoot.ran[1][1], "two passes of one organization at once"


def test_several_organizations_are_worked_on_at_once(
    build: BuildEngine, chatwoot: Chatwoot
) -> None:
    engine, together = build(), threading.Barrier(8)
    chatwoot.act = lambda _organization: (together.wait(20), None)[1]
    for organization in range(1, 9):
        engine.intake.accept(hook(f"h{organization}", organization))
    engine.worker.start(chatwoot)
    until(lambda: answered(engine))
    assert not together.broken


def test_a_ring_of_our_own_is_a_hook_too(build: BuildEngine, chatwoot: Chatwoot) -> None:
    engine = build()
    assert engine.intake.ring(5, "chatwoot.contact_created") is True
    assert engine.intake.ring(5, "chatwoot.contact_created") is True
    assert engine.intake.ring(5, "chatwoot.contact_created", "of today") is True
    assert engine.intake.ring(5, "chatwoot.contact_created", "of today") is False
    assert engine.intake.line_up([5, 5], Lane.BACKFILL) == 1
    engine.worker.start(chatwoot)
    until(lambda: answered(engine))
    assert chatwoot.count(5) == 1
    assert engine.intake.stats().done == 4


# -- repetitions and simultaneous hooks
# ------------------------------------------------------------------


def test_an_id_is_one_hook_also_when_it_comes_at_once(build: BuildEngine) -> None:
    engine, together = build(), threading.Barrier(16)

    def ring(_number: int) -> str:
        together.wait(20)
        return engine.intake.accept(hook("the same", 3))

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ring, range(16)))
    assert sorted(answers) == ["accepted"] + ["duplicate"] * 15
    assert engine.intake.stats().waiting == 1


def test_what_needs_no_pass_is_settled_at_once(build: BuildEngine) -> None:
    engine = build()
    assert engine.intake.accept(hook("a", 1, "ticket.created")) == "accepted"
    assert engine.intake.accept(hook("b", 1, "license.activated")) == "accepted"
    assert engine.intake.accept(hook("c", 1, "weather.changed")) == "ignored"
    assert engine.intake.accept(hook("d", None, "weather.changed")) == "ignored"
    assert engine.intake.accept(hook("e", None)) == "accepted"
    assert engine.intake.accept(hook("c", 1, "weather.changed")) == "duplicate"
    assert [status for _, status in rows(engine)] == [
        "done",
        "done",
        "ignored",
        "ignored",
        "buried",
    ]
    assert engine.intake.stats().waiting == 0
    (burial,) = engine.intake.list_buried()
    assert (burial.id, burial.organization, burial.reason) == ("e", None, "no_organization")


# -- trying again ----------------------------------------------------------------------------------


def test_the_tries_stretch_over_more_than_a_day() -> None:
    assert sum(RETRY_WAITS) >= DAY
    assert list(RETRY_WAITS) == sorted(RETRY_WAITS)


def test_what_may_heal_is_tried_again(build: BuildEngine, chatwoot: Chatwoot) -> None:
    engine = build(waits=(0.1, 0.2, 0.3))

    def act(organization: int) -> None:
        if chatwoot.count(organization) < 2:
            raise Unwell("http_503")

    chatwoot.act = act
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("h", 1))
    until(lambda: answered(engine))
    assert chatwoot.count(1) == 3
    assert engine.intake.list_buried() == []
    # The failures are forgotten: the next trouble has all its tries.
    with engine.database.connect() as connection:
        assert connection.scalar(select(inbox.passes.c.tries)) == 0


def test_waits_are_durable_and_jittered(build: BuildEngine, chatwoot: Chatwoot) -> None:
    engine = build(waits=(3600.0,))
    chatwoot.act = raising(TryLater("timeout"))
    for organization in range(1, 13):
        engine.intake.accept(hook(f"h{organization}", organization))
    started_at = time.time()
    engine.worker.start(chatwoot)
    until(lambda: len(engine.intake.stats().retrying) == 12)
    retrying = engine.intake.stats().retrying
    waits = [at - started_at for _, at in retrying]
    assert min(waits) >= 3600.0
    assert max(waits) <= 3600.0 * (1 + RETRY_JITTER) + 30
    assert max(waits) - min(waits) > 60
    halt(engine)
    # No part of the state lives in this process.
    assert sorted(build().intake.stats().retrying) == sorted(retrying)


def test_the_wait_respects_when_we_were_told_to_come_back(
    build: BuildEngine, chatwoot: Chatwoot
) -> None:
    engine = build(waits=(1.0, 3600.0))
    chatwoot.act = raising(TryLater("rate_limited", retry_at=time.time() + 600))
    engine.intake.accept(hook("h", 1))
    engine.worker.start(chatwoot)
    ((_, at),) = until(lambda: engine.intake.stats().retrying)
    assert at > time.time() + 500


def test_a_healthy_organization_never_waits_behind_ones_that_back_off(
    build: BuildEngine, chatwoot: Chatwoot
) -> None:
    """Far more organizations fail than can run at once, and none of them holds a slot or a
    thread."""
    engine = build(waits=(3600.0,))
    sick = range(1, pass_queue.AT_ONCE[Lane.URGENT] * 3)

    def act(organization: int) -> None:
        if organization in sick:
            raise Unwell("http_500")

    chatwoot.act = act
    for organization in sick:
        engine.intake.accept(hook(f"h{organization}", organization))
    engine.worker.start(chatwoot)
    until(lambda: len(engine.intake.stats().retrying) == len(sick))
    assert min(delay(engine, chatwoot, healthy) for healthy in (1000, 1001, 1002)) < 1.0
    until(lambda: engine.intake.stats().running == 0)


def test_a_hook_during_a_failing_try_waits_as_that_try_does(
    build: BuildEngine, chatwoot: Chatwoot
) -> None:
    """Otherwise the hook would repeat at once a try that has just failed."""
    engine = build(waits=(3600.0, 3600.0))
    inside, go = threading.Event(), threading.Event()

    def act(_organization: int) -> None:
        inside.set()
        assert go.wait(20)
        raise TryLater("timeout")

    chatwoot.act = act
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("before", 1))
    assert inside.wait(20)
    engine.intake.accept(hook("during", 1))
    go.set()
    until(lambda: engine.intake.stats().retrying)
    assert engine.intake.stats().waiting + engine.intake.stats().running == 0
    assert chatwoot.count(1) == 1
    assert [status for _, status in rows(engine)] == ["waiting"] * 2


def test_a_fresh_hook_does_not_wait_for_an_older_back_off(
    build: BuildEngine, chatwoot: Chatwoot
) -> None:
    engine = build(waits=(3600.0,))
    chatwoot.act = raising(TryLater("timeout"))
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("before", 1))
    until(lambda: engine.intake.stats().retrying)
    chatwoot.act = lambda _organization: None
    engine.intake.accept(hook("after", 1))
    until(lambda: answered(engine))
    assert {status for _, status in rows(engine)} == {"done"}


def test_the_tries_that_hooks_hasten_bring_no_burial_nearer(
    build: BuildEngine, chatwoot: Chatwoot
) -> None:
    engine = build(waits=(3600.0, 3600.0))
    chatwoot.act = raising(TryLater("timeout"))
    engine.worker.start(chatwoot)
    for number in range(5):
        engine.intake.accept(hook(f"h{number}", 1))
        until(lambda: chatwoot.count(1) == number + 1 and engine.intake.stats().retrying)  # noqa: B023
    (failing,) = engine.intake.stats().failing
    assert failing.tries == 1
    assert engine.intake.list_buried() == []
