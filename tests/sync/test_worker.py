"""The engine in one process, on SQLite and on PostgreSQL."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from uuid import uuid4

import psycopg
import pytest
from dbos import DBOS, EnqueueOptions
from sqlalchemy import create_engine, select, text

from panel.data import inbox, leader
from panel.data.inbox import InboxRow
from panel.data.lanes import Lane
from panel.errors import Refused, TryLater, Unwell
from panel.sync import intake, pass_queue
from panel.sync import worker as engines
from panel.sync.pass_queue import PASS_WORKFLOW
from panel.sync.tries import RETRY_JITTER, RETRY_WAITS
from tests.sync.conftest import BuildEngine, halt
from tests.sync.engine import Engine
from tests.sync.executor import hook
from tests.sync.until import until

DAY = 24 * 3600.0


@dataclass
class Chatwoot:
    """Stands for what a pass does: notes when it ran, and does what it is told."""

    ran: list[tuple[int, float, float]] = field(default_factory=list)
    act: Callable[[int], None] = lambda _organization: None

    def __call__(self, organization: int) -> None:
        begun = time.time()
        try:
            self.act(organization)
        finally:
            self.ran.append((organization, begun, time.time()))

    def count(self, organization: int) -> int:
        return sum(one[0] == organization for one in self.ran)


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
    """(id, status) of every hook, in the order in which they were kept."""
    with engine.database.connect() as connection:
        columns = select(inbox.hooks.c.hook_id, inbox.hooks.c.status)
        return [(row[0], row[1]) for row in connection.execute(columns.order_by("seq"))]


# -- hooks and passes --------------------------------------------------------------------------


def test_a_hook_is_answered_by_a_pass_within_a_second(
    build: BuildEngine, chatwoot: Chatwoot
) -> None:
    engine = build()
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("first", 1))
    until(lambda: answered(engine))

    delays = [delay(engine, chatwoot, organization) for organization in (2, 3, 4)]
    # The best of three: the machine that runs the tests may have other things to do.
    assert min(delays) < 1.0
    until(lambda: answered(engine))
    assert {status for _, status in rows(engine)} == {"done"}
    assert engine.intake.stats().done == 4


def delay(engine: Engine, chatwoot: Chatwoot, organization: int) -> float:
    """Seconds from a hook to the beginning of its pass."""
    rung = time.time()
    assert engine.intake.accept(hook(f"of {organization}", organization)) == "accepted"
    until(lambda: chatwoot.count(organization))
    return chatwoot.ran[-1][1] - rung


def test_a_thousand_hooks_melt_into_a_few_passes(build: BuildEngine, chatwoot: Chatwoot) -> None:
    engine = build()
    engine.worker.start(chatwoot)
    chatwoot.act = lambda _organization: time.sleep(0.1)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: engine.intake.accept(hook(f"h{n}", 7)), range(1000)))
    assert answers == ["accepted"] * 1000
    until(lambda: answered(engine), 30)
    assert {status for _, status in rows(engine)} == {"done"}
    # One at the start, one for each poll while they poured in, one at the end.
    assert len(chatwoot.ran) <= 30


def test_while_a_pass_waits_nothing_else_is_enqueued(build: BuildEngine) -> None:
    engine = build()
    for number in range(50):
        engine.intake.accept(hook(f"h{number}", 7))
    assert engine.intake.stats().waiting == 1


def test_a_hook_during_a_pass_has_its_own_pass_afterwards(
    build: BuildEngine, chatwoot: Chatwoot
) -> None:
    engine, inside, go = build(), threading.Event(), threading.Event()

    def act(_organization: int) -> None:
        inside.set()
        assert go.wait(20)

    chatwoot.act = act
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("before", 1))
    assert inside.wait(20)
    # It may be about something that this pass has read already.
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


# -- the same, again and at once ---------------------------------------------------------------


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
    (lost,) = engine.intake.list_buried()
    assert (lost.id, lost.organization, lost.reason) == ("e", None, "no_organization")


# -- trying again ------------------------------------------------------------------------------


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
    begun = time.time()
    engine.worker.start(chatwoot)
    until(lambda: len(engine.intake.stats().retrying) == 12)
    retrying = engine.intake.stats().retrying
    waits = [at - begun for _, at in retrying]
    assert min(waits) >= 3600.0
    assert max(waits) <= 3600.0 * (1 + RETRY_JITTER) + 30
    assert max(waits) - min(waits) > 60
    halt(engine)
    # Nothing of it lives in this process.
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
    """Trap 7: far more of them than can run at once, and none holds a slot or a thread."""
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
    """Else it would be a further try at once, of what has just failed."""
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


# -- burying and replaying ---------------------------------------------------------------------


def test_after_the_last_try_the_hooks_are_buried_with_the_reason(
    build: BuildEngine, chatwoot: Chatwoot
) -> None:
    engine = build(waits=(0.1, 0.1))
    chatwoot.act = raising(Unwell("http_500", "it said so"))
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("a", 1))
    engine.intake.accept(hook("b", 1))
    (lost,) = until(engine.intake.list_buried)
    assert chatwoot.count(1) == 3
    assert (lost.organization, lost.hooks, lost.reason) == (1, 2, "http_500: it said so")
    assert answered(engine)
    assert engine.intake.stats().buried == 2


def test_a_younger_hook_is_not_buried_with_the_elder(
    build: BuildEngine, chatwoot: Chatwoot
) -> None:
    """It has not had its day yet: its tries begin when those of the elder end."""
    engine = build(waits=(0.3,))

    def act(organization: int) -> None:
        if not chatwoot.count(organization):
            engine.intake.accept(hook("younger", 1))
        if chatwoot.count(organization) < 2:
            raise Unwell("http_500")

    chatwoot.act = act
    engine.intake.accept(hook("elder", 1))
    engine.worker.start(chatwoot)
    until(lambda: answered(engine))
    assert rows(engine) == [("elder", "settled"), ("younger", "done")]


def test_what_will_not_heal_is_buried_at_once(build: BuildEngine, chatwoot: Chatwoot) -> None:
    engine = build()
    chatwoot.act = raising(Refused("denied", "no administrator"))
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("h", 1))
    (lost,) = until(engine.intake.list_buried)
    assert lost.reason == "denied: no administrator"
    assert chatwoot.count(1) == 1


def test_a_pass_that_breaks_is_buried_without_telling_what_it_held(
    build: BuildEngine, chatwoot: Chatwoot, caplog: pytest.LogCaptureFixture
) -> None:
    engine = build()
    chatwoot.act = raising(KeyError("maria@example.com"))
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("h", 1))
    (lost,) = until(engine.intake.list_buried)
    assert lost.reason == "unexpected KeyError"
    assert "a pass broke" in caplog.text


@pytest.mark.parametrize("by_hook", [False, True])
def test_a_buried_pass_is_run_again(build: BuildEngine, chatwoot: Chatwoot, by_hook: bool) -> None:
    engine = build()
    chatwoot.act = raising(Refused("denied"))
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("a", 1))
    (lost,) = until(engine.intake.list_buried)
    chatwoot.act = lambda _organization: None
    assert engine.intake.replay("a" if by_hook else lost.id) is True
    until(lambda: answered(engine))
    assert rows(engine) == [("a", "done")]
    assert engine.intake.list_buried() == []
    assert engine.intake.replay(lost.id) is False


def test_a_replay_has_all_its_tries_again(build: BuildEngine, chatwoot: Chatwoot) -> None:
    engine = build(waits=(0.1, 0.1))
    chatwoot.act = raising(Unwell("http_500"))
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("a", 1))
    (lost,) = until(engine.intake.list_buried)
    assert engine.intake.replay(lost.id)
    until(lambda: chatwoot.count(1) == 6)
    (lost,) = until(engine.intake.list_buried)
    assert lost.hooks == 1


def test_a_replay_joins_the_pass_that_waits(build: BuildEngine, chatwoot: Chatwoot) -> None:
    engine = build()
    chatwoot.act = raising(Refused("denied"))
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("a", 1))
    (lost,) = until(engine.intake.list_buried)
    halt(engine)
    engine = build()
    engine.intake.accept(hook("b", 1))
    assert engine.intake.replay(lost.id)
    assert engine.intake.stats().waiting == 1
    engine.worker.start(chatwoot := Chatwoot())
    until(lambda: answered(engine))
    assert rows(engine) == [("a", "done"), ("b", "done")]
    assert chatwoot.count(1) == 1


def test_what_cannot_be_replayed_is_said(build: BuildEngine) -> None:
    engine = build()
    engine.intake.accept(hook("lost", None))
    assert engine.intake.replay("lost") is False
    assert engine.intake.replay("nobody") is False


def test_a_pass_that_somebody_cancelled_leaves_nothing_stuck(
    build: BuildEngine, chatwoot: Chatwoot
) -> None:
    engine, inside, go = build(), threading.Event(), threading.Event()

    def act(_organization: int) -> None:
        inside.set()
        assert go.wait(20)

    chatwoot.act = act
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("a", 1))
    assert inside.wait(20)
    (begun,) = engine.queue.client.list_workflows(status="PENDING")
    engine.queue.client.cancel_workflow(begun.workflow_id)
    go.set()
    until(lambda: chatwoot.ran)
    engine.worker.sweep()
    (lost,) = engine.intake.list_buried()
    assert lost.reason == "lost its pass"
    engine.intake.accept(hook("b", 1))
    # Whichever is first: this, or the pass of "b", which settles what was given up before.
    was_first = engine.intake.replay(lost.id)
    until(lambda: answered(engine))
    assert rows(engine) == [("a", "done" if was_first else "settled"), ("b", "done")]


def test_hooks_that_nobody_cares_for_are_found(build: BuildEngine, chatwoot: Chatwoot) -> None:
    engine = build()
    engine.intake.accept(hook("a", 1))
    with engine.database.begin() as connection:
        connection.execute(inbox.passes.delete())
    engine.worker.start(chatwoot)
    engine.worker.sweep()
    until(lambda: answered(engine))
    assert rows(engine) == [("a", "done")]


def test_the_sweep_leaves_living_passes_alone(build: BuildEngine, chatwoot: Chatwoot) -> None:
    engine = build(waits=(3600.0,))
    chatwoot.act = raising(TryLater("timeout"))
    engine.intake.accept(hook("retrying", 1))
    engine.worker.start(chatwoot)
    until(lambda: engine.intake.stats().retrying)
    halt(engine)
    engine = build()
    engine.intake.accept(hook("waiting", 2))
    engine.worker.sweep()
    assert [status for _, status in rows(engine)] == ["waiting", "waiting"]


# -- what the engine keeps ---------------------------------------------------------------------


def test_finished_work_is_deleted(build: BuildEngine, chatwoot: Chatwoot) -> None:
    """Trap 9; ids are remembered for 30 days all the same."""
    engine = build()
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("good", 1))
    until(lambda: answered(engine))
    chatwoot.act = raising(Refused("denied"))
    engine.intake.accept(hook("bad", 2))
    (lost,) = until(engine.intake.list_buried)
    until(lambda: engine.queue.client.list_workflows(status="ERROR"))
    until(lambda: engine.queue.client.list_workflows(status="SUCCESS"))
    halt(engine)

    build(clock=lambda: time.time() + 2 * DAY).worker.sweep()
    assert engine.queue.client.list_workflows(status="SUCCESS") == []
    build(clock=lambda: time.time() + 29 * DAY).worker.sweep()
    assert engine.intake.accept(hook("good", 1)) == "duplicate"
    assert [one.id for one in engine.intake.list_buried()] == [lost.id]
    assert len(engine.queue.client.list_workflows(status="ERROR")) == 1
    build(clock=lambda: time.time() + 91 * DAY).worker.sweep()
    assert engine.queue.client.list_workflows() == []
    assert rows(engine) == []


def test_a_sweep_deletes_many_rows_little_by_little(
    build: BuildEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "SWEPT_AT_ONCE", 10)
    engine = build()
    for number in range(35):
        engine.intake.accept(hook(f"h{number}", 1, "ticket.created"))
    build(clock=lambda: time.time() + 91 * DAY).worker.sweep()
    assert rows(engine) == []


def test_the_engine_sweeps_and_reconciles_by_its_own_clock(
    build: BuildEngine, chatwoot: Chatwoot
) -> None:
    engine, reconciled = build(clock=lambda: time.time() + 91 * DAY), threading.Event()
    engine.worker.start(chatwoot, reconciled.set)
    engine.intake.accept(hook("old", 1, "ticket.created"))
    until(lambda: len(engine.queue.client.list_schedules()) == 2)
    plans = engine.queue.client.list_schedules()
    assert {(one["schedule_name"], one["cron_timezone"]) for one in plans} == {
        ("sweep", None),
        ("reconcile", "America/Sao_Paulo"),
    }
    # As they fire: under the same names, on the engine's own queue.
    with engine.database.begin() as connection:
        connection.execute(text("UPDATE hooks SET received_at = received_at - 91 * 86400"))
    engine.queue.client.trigger_schedule("reconcile")
    engine.queue.client.trigger_schedule("sweep")
    assert reconciled.wait(20)
    until(lambda: rows(engine) == [])


def test_nothing_is_pickled_and_versions_are_constant(build: BuildEngine) -> None:
    """Traps 4 and 5: a version computed from the code would leave all of this lying."""
    engine = build()
    engine.worker.start(lambda _organization: None)
    engine.intake.accept(hook("h", 1))
    until(lambda: answered(engine))
    prefix = "" if engine.on_sqlite else "dbos."
    with engine.database.connect() as connection:
        kept = connection.execute(
            text(
                f"SELECT serialization, application_version FROM {prefix}workflow_status "
                "WHERE name = 'pass'"
            )
        ).one()
    assert tuple(kept) == ("portable_json", "1")


def test_the_work_of_an_older_process_is_picked_up(build: BuildEngine, chatwoot: Chatwoot) -> None:
    """Trap 4: the functions are other ones after each start, the version is not."""
    engine = build()
    engine.worker.start(lambda _organization: None)
    engine.intake.accept(hook("a", 1))
    until(lambda: answered(engine))
    halt(engine)
    engine.intake.accept(hook("b", 2))
    later = build()
    later.worker.start(chatwoot)
    until(lambda: answered(later))
    assert chatwoot.count(2) == 1


def enqueue_as_before(engine: Engine, organization: int, delay: float | None = None) -> None:
    """As programs before the lanes did: a row that names its pass, and the pass in a queue of the
    engine, which is partitioned by organization."""
    pass_id = str(uuid4())
    row = InboxRow(f"h{organization}", "order.paid", organization, None, time.time(), time.time())
    options: EnqueueOptions = {
        "workflow_name": PASS_WORKFLOW,
        "workflow_id": pass_id,
        "queue_name": "passes",
        "queue_partition_key": str(organization),
        "app_version": "1",
    }
    if delay is not None:
        options["delay_seconds"] = delay
    with inbox.write_transaction(engine.database, organization) as connection:
        inbox.insert_hooks(connection, [row])
        connection.execute(inbox.passes.insert().values(organization=organization, waiting=pass_id))
        engine.queue.client.enqueue_in_transaction(connection, options, organization)


def test_what_an_older_program_has_enqueued_is_done_once(
    build: BuildEngine, chatwoot: Chatwoot
) -> None:
    """Its passes wait in the engine's own queue, one of them for its next try."""
    engine = build()
    enqueue_as_before(engine, 1)
    enqueue_as_before(engine, 2)
    enqueue_as_before(engine, 3, delay=3600.0)
    engine.worker.start(chatwoot)
    until(lambda: answered(engine), 60)
    until(lambda: not engine.queue.list_living(PASS_WORKFLOW), 60)
    assert [chatwoot.count(number) for number in (1, 2, 3)] == [1, 1, 1]


def test_sequence_numbers_are_never_used_again(build: BuildEngine) -> None:
    """Trap 1, as far as it is left: what a pass answers is told by the sequence, not by a clock."""
    engine = build()
    engine.intake.accept(hook("a", 1, "ticket.created"))
    with engine.database.begin() as connection:
        first = connection.scalar(select(inbox.hooks.c.seq))
        connection.execute(inbox.hooks.delete())
    engine.intake.accept(hook("b", 1, "ticket.created"))
    with engine.database.connect() as connection:
        second = connection.scalar(select(inbox.hooks.c.seq))
    assert first is not None
    assert second is not None
    assert second > first


def test_executing_begins_when_the_database_is_back(
    build: BuildEngine,
    chatwoot: Chatwoot,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engines, "DATABASE_REST_SECONDS", 0.2)
    engine = build()
    engine.intake.accept(hook("h", 1))
    schema = "" if engine.on_sqlite else "dbos."
    with engine.database.begin() as connection:
        connection.execute(text(f"ALTER TABLE {schema}queues RENAME TO gone"))
    engine.worker.start(chatwoot)
    until(lambda: "no passes can be executed now" in caplog.text)
    assert chatwoot.ran == []
    with engine.database.begin() as connection:
        connection.execute(text(f"ALTER TABLE {schema}gone RENAME TO queues"))
    until(lambda: answered(engine))


def test_a_row_without_its_pass_is_not_kept(build: BuildEngine) -> None:
    """One transaction: else a hook would be accepted that nothing will ever answer."""
    engine = build()
    with engine.database.begin() as connection:
        connection.execute(text("ALTER TABLE passes RENAME TO gone"))
    with pytest.raises(intake.NotKept):
        engine.intake.accept(hook("h", 1))
    assert rows(engine) == []
    with engine.database.begin() as connection:
        connection.execute(text("ALTER TABLE gone RENAME TO passes"))
    assert engine.intake.accept(hook("h", 1)) == "accepted"


def test_an_organization_has_one_writer_at_a_time(build: BuildEngine) -> None:
    """Else a hook is kept with a lower sequence than one that a pass has answered, and lost."""
    database, order = build().database, list[str]()

    def write(name: str) -> None:
        with inbox.write_transaction(database, 7):
            order.append(f"{name} in")
            time.sleep(0.2)
            order.append(f"{name} out")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, "ab"))
    assert order in (["a in", "a out", "b in", "b out"], ["b in", "b out", "a in", "a out"])


# -- on SQLite ---------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_every_commit_is_on_the_disk(build: BuildEngine, chatwoot: Chatwoot) -> None:
    """Trap 6: read back from the connections that write, ours and those of DBOS."""
    engine = build()
    with inbox.write_transaction(engine.database, 1) as connection:
        asked = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        ]
    assert asked == ["wal", 2, 5000]
    engine.worker.start(chatwoot)
    until(engine.queue.client.list_schedules)
    # The one that runs: there is one per process.
    instance = DBOS(config=engine.worker._executor._config())
    with instance._sys_db.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_dbos_tells_its_life_story_to_nobody(build: BuildEngine, chatwoot: Chatwoot) -> None:
    engine = build()
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("h", 1))
    until(lambda: answered(engine))
    theirs = logging.getLogger("dbos")
    assert [type(one) for one in theirs.handlers] == [logging.NullHandler]
    assert theirs.propagate
    assert theirs.level == logging.WARNING


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_foreign_writer_delays_a_pass_and_loses_nothing(
    build: BuildEngine, chatwoot: Chatwoot, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "WRITE_SECONDS", 0.2)
    engine, inside, go = build(), threading.Event(), threading.Event()

    def act(_organization: int) -> None:
        inside.set()
        assert go.wait(20)

    chatwoot.act = act
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("h", 1))
    assert inside.wait(20)
    foreign = create_engine(url)
    with foreign.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        go.set()
        until(lambda: chatwoot.ran)
        with pytest.raises(intake.NotKept):
            engine.intake.accept(hook("refused", 1))
        connection.rollback()
    foreign.dispose()
    until(lambda: answered(engine))
    assert chatwoot.count(1) == 1


# -- on PostgreSQL -----------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_when_the_database_restarts_the_lease_is_taken_anew(
    build: BuildEngine, chatwoot: Chatwoot, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine = build()
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("before", 1))
    until(lambda: answered(engine))
    held = f"SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = {leader.LEADER_KEY}"
    with psycopg.connect(url, autocommit=True) as connection:
        (held_by,) = connection.execute(held.encode()).fetchone() or (None,)
        assert held_by
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        until(lambda: (one := connection.execute(held.encode()).fetchone()) and one[0] != held_by)
    assert engine.intake.accept(hook("after", 2)) == "accepted"
    until(lambda: answered(engine))
    assert chatwoot.count(2) == 1
