"""The engine's records: kept ones, deleted ones, and those of older programs that it takes over."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from dbos import EnqueueOptions
from sqlalchemy import event, select, text

from panel.data import inbox
from panel.data.inbox import InboxRow
from panel.errors import Refused
from panel.sync import intake
from panel.sync import worker as engines
from panel.sync.pass_queue import PASS_WORKFLOW
from tests.sync.conftest import BuildEngine, halt
from tests.sync.engine import Engine
from tests.sync.executor import hook
from tests.sync.until import until
from tests.sync.working import DAY, Chatwoot, answered, chatwoot, raising, rows

__all__ = ["chatwoot"]  # a fixture


def test_finished_work_is_deleted(build: BuildEngine, chatwoot: Chatwoot) -> None:
    """The engine keeps finished work for ever, so we delete it; ids are remembered for 30 days all
    the same."""
    engine = build()
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("good", 1))
    until(lambda: answered(engine))
    chatwoot.act = raising(Refused("denied"))
    engine.intake.accept(hook("bad", 2))
    (burial,) = until(engine.intake.list_buried)
    until(lambda: engine.queue.client.list_workflows(status="ERROR"))
    until(lambda: engine.queue.client.list_workflows(status="SUCCESS"))
    halt(engine)

    build(clock=lambda: time.time() + 2 * DAY).worker.sweep()
    assert engine.queue.client.list_workflows(status="SUCCESS") == []
    build(clock=lambda: time.time() + 29 * DAY).worker.sweep()
    assert engine.intake.accept(hook("good", 1)) == "duplicate"
    assert [burial.id for burial in engine.intake.list_buried()] == [burial.id]
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
    assert {(plan["schedule_name"], plan["cron_timezone"]) for plan in plans} == {
        ("sweep", None),
        ("reconcile", "America/Sao_Paulo"),
    }
    # Schedules fire under the same names, on the engine's own queue.
    with engine.database.begin() as connection:
        connection.execute(text("UPDATE hooks SET received_at = received_at - 91 * 86400"))
    engine.queue.client.trigger_schedule("reconcile")
    engine.queue.client.trigger_schedule("sweep")
    assert reconciled.wait(20)
    until(lambda: rows(engine) == [])


def test_nothing_is_pickled_and_versions_are_constant(build: BuildEngine) -> None:
    """With a version that is computed from the code, a new program would leave the old one's work
    undone."""
    engine = build()
    engine.worker.start(lambda _organization: None)
    engine.intake.accept(hook("h", 1))
    until(lambda: answered(engine))
    prefix = "" if engine.on_sqlite else "dbos."
    with engine.database.connect() as connection:
        row = connection.execute(
            text(
                f"SELECT serialization, application_version FROM {prefix}workflow_status "
                "WHERE name = 'pass'"
            )
        ).one()
    assert tuple(row) == ("portable_json", "1")


def test_the_work_of_an_older_process_is_picked_up(build: BuildEngine, chatwoot: Chatwoot) -> None:
    """The functions are other objects after each start; the application version stays the same."""
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
    """Enqueue as programs before the lanes did: a row that names its pass, and the pass in a queue
    of the engine that is partitioned by organization."""
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
    """The older program's passes wait in the engine's own queue, one of them for its next try."""
    engine = build()
    enqueue_as_before(engine, 1)
    enqueue_as_before(engine, 2)
    enqueue_as_before(engine, 3, delay=3600.0)
    engine.worker.start(chatwoot)
    until(lambda: answered(engine), 60)
    until(lambda: not engine.queue.list_living(PASS_WORKFLOW), 60)
    assert [chatwoot.count(number) for number in (1, 2, 3)] == [1, 1, 1]


def test_sequence_numbers_are_never_used_again(build: BuildEngine) -> None:
    """The sequence tells which hooks a pass answers; clocks are not compared."""
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
    """Both are written in one transaction: otherwise a hook could be accepted that no pass ever
    answers."""
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
    """With two writers, a hook could get a lower sequence than one that a pass has answered, and be
    lost."""
    database, order = build().database, list[str]()

    def write(name: str) -> None:
        with inbox.write_transaction(database, 7):
            order.append(f"{name} in")
            time.sleep(0.2)
            order.append(f"{name} out")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, "ab"))
    assert order in (["a in", "a out", "b in", "b out"], ["b in", "b out", "a in", "a out"])


def test_a_pass_whose_end_could_not_be_noted_is_noted_later_and_not_run_twice(
    build: BuildEngine,
) -> None:
    engine, brought, failed = build(), list[int](), threading.Event()

    def rename(table: str, name: str) -> None:
        with engine.database.begin() as connection:
            connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {name}")

    def bring(organization: int) -> None:
        brought.append(organization)
        rename("passes", "lost_passes")
        thread = threading.get_ident()  # others meet the same error: only this thread notes the end
        event.listen(
            engine.database,
            "handle_error",
            lambda _: failed.set() if threading.get_ident() == thread else None,
        )

    engine.intake.accept(hook("h", 7))
    engine.worker.start(bring)
    assert failed.wait(20)
    rename("lost_passes", "passes")
    until(lambda: engine.intake.stats().done == 1)
    assert brought == [7]
