"""Tasks: kept once, tried again, given up with a reason, and no longer reported once they are
done."""

import time
from collections.abc import Callable

import pytest
from sqlalchemy import ColumnElement, select, true, update

from panel.data import inbox
from panel.data.inbox import SETTLED
from panel.data.lanes import Lane
from panel.data.tasks import (
    NAMING,
    REPAIR,
    REPAIR_DELAY_SECONDS,
    REPAIR_EVERY_SECONDS,
    Task,
    tasks,
)
from panel.errors import GiveUp, PanelError, TryLater, Unauthorized
from panel.sync.work import Work
from tests.conftest import Clock
from tests.sync.conftest import BuildEngine
from tests.sync.engine import Engine
from tests.sync.until import until
from tests.waiting import list_waiting

TASK = Task(NAMING, 59)
TRUE = true()


class Doing:
    """Stands for a task's work: notes its calls, and raises the error that a test sets."""

    def __init__(self) -> None:
        self.done: list[Task] = []
        self.error: PanelError | None = None

    def __call__(self, task: Task) -> None:
        self.done.append(task)
        if self.error:
            raise self.error


def start(
    engine: Engine, doing: Callable[[Task], None], is_due: Callable[[Task], bool] = lambda _: True
) -> None:
    engine.worker.start_work(Work(lambda _: None, do_task=doing, is_due=is_due))


def list_due(engine: Engine, condition: ColumnElement[bool] = TRUE) -> list[float]:
    """Return the moments at which the waiting tries may begin."""
    columns = select(tasks.c.due_at).where(tasks.c.waiting.is_not(None), condition)
    with engine.database.connect() as connection:
        return list(connection.scalars(columns))


def runs(engine: Engine) -> bool:
    with engine.database.connect() as connection:
        return bool(connection.scalar(select(tasks.c.number).where(tasks.c.running.is_not(None))))


def test_a_task_that_waits_is_asked_for_once(build: BuildEngine) -> None:
    engine = build()
    assert [engine.tasks.ask(TASK) for _ in range(5)] == [True, False, False, False, False]
    assert (engine.intake.stats().tasks, len(list_due(engine))) == (1, 1)
    assert engine.tasks.ask(Task(NAMING, 60)) is True


def test_a_naming_that_runs_is_not_asked_for_again(build: BuildEngine) -> None:
    engine, calls = build(), list[bool]()
    start(engine, lambda task: calls.append(engine.tasks.ask(task)))
    engine.tasks.ask(TASK)
    until(lambda: calls and engine.intake.stats().tasks == 0)
    assert calls == [False]
    assert engine.tasks.ask(TASK) is True  # after the try it is asked for again


def test_what_changes_while_a_repair_runs_is_repaired_ten_minutes_later(
    build: BuildEngine,
) -> None:
    clock = Clock()
    engine, calls = build(clock=clock), list[bool]()
    task = Task(REPAIR, 7)

    def do(_task: Task) -> None:
        calls.append(engine.tasks.ask(task))

    engine.tasks.ask(task)
    clock.advance(REPAIR_DELAY_SECONDS)
    start(engine, do)
    until(lambda: calls)
    assert calls == [True]
    until(lambda: not runs(engine))
    assert len(list_due(engine, tasks.c.due_at > clock())) == 1


def test_a_second_repair_keeps_its_distance(build: BuildEngine) -> None:
    clock, doing = Clock(), Doing()
    engine, task = build(clock=clock), Task(REPAIR, 7)
    assert engine.tasks.ask(task)
    assert list_due(engine) == [clock() + REPAIR_DELAY_SECONDS]
    clock.advance(REPAIR_DELAY_SECONDS)
    start(engine, doing)
    until(lambda: doing.done and engine.intake.stats().tasks == 0)
    clock.advance(REPAIR_EVERY_SECONDS - 100)
    assert engine.tasks.ask(task)
    assert list_due(engine) == [clock() + 100]


def test_a_task_that_is_not_due_waits_and_counts_no_try(build: BuildEngine) -> None:
    engine, doing = build(), Doing()
    engine.tasks.ask(TASK)
    start(engine, doing, is_due=lambda _: False)
    until(lambda: list_due(engine, tasks.c.due_at > time.time()))
    assert doing.done == []
    assert engine.intake.stats().failing_tasks == ()


def test_what_may_heal_is_tried_again_with_its_reason(build: BuildEngine) -> None:
    engine, doing = build(waits=(3600.0,)), Doing()
    doing.error = Unauthorized("wrong_token", "Invalid Access Token")
    doing.error.side = "Chatwoot"
    engine.tasks.ask(TASK, 42)
    start(engine, doing)
    (failing,) = until(lambda: engine.intake.stats().failing_tasks)
    assert (failing.task, failing.tries, failing.side) == (TASK, 1, "Chatwoot")
    assert failing.reason == "wrong_token: Invalid Access Token"
    until(lambda: list_due(engine, tasks.c.due_at > time.time()))
    assert engine.intake.list_buried() == []


def test_what_fails_for_a_day_is_given_up(build: BuildEngine) -> None:
    engine, doing = build(waits=(0.1, 0.1)), Doing()
    doing.error = TryLater("http_500")
    engine.tasks.ask(TASK, 42)
    start(engine, doing)
    (row,) = until(engine.intake.list_buried)
    assert (row.id, row.organization, row.reason) == ("naming:59", 42, "http_500")
    assert len(doing.done) == 3
    assert (engine.intake.stats().tasks, engine.intake.stats().buried) == (0, 1)


def refused(build: BuildEngine) -> tuple[Engine, Doing]:
    engine, doing = build(), Doing()
    doing.error = GiveUp("refused_by_chatwoot", "conversation 59: custom_attributes")
    engine.tasks.ask(TASK, 42)
    start(engine, doing)
    until(engine.intake.list_buried)
    return engine, doing


def test_what_will_not_heal_is_given_up_at_once(build: BuildEngine) -> None:
    engine, doing = refused(build)
    assert len(doing.done) == 1
    assert engine.intake.replay("naming:59") is False  # the id is no pass's


def test_what_was_given_up_and_is_done_after_all_is_settled(build: BuildEngine) -> None:
    engine, doing = refused(build)
    doing.error = None
    assert engine.tasks.ask(TASK, 42)
    until(lambda: engine.intake.list_buried() == [])
    (row,) = engine.intake.list_buried(SETTLED)
    assert (row.id, row.settled_by[:5]) == ("naming:59", "task ")


def test_what_was_given_up_can_be_run_again_and_dismissed(build: BuildEngine) -> None:
    engine, doing = refused(build)
    assert engine.tasks.replay(TASK) is True
    until(lambda: len(doing.done) == 2)
    (row,) = until(engine.intake.list_buried)
    assert engine.intake.dismiss(row.id, "ana") is True
    assert engine.intake.list_buried() == []
    assert engine.tasks.replay(TASK) is False
    settlers = [burial.settled_by for burial in engine.intake.list_buried(SETTLED)]
    assert sorted(settlers) == ["dismissed by ana", "run again"]


def test_a_good_pass_of_the_organization_settles_it(build: BuildEngine) -> None:
    engine, _ = refused(build)
    engine.intake.line_up([42], Lane.BACKFILL)
    until(lambda: engine.intake.list_buried() == [])
    (row,) = engine.intake.list_buried(SETTLED)
    assert row.settled_by.startswith("pass ")


def test_a_task_whose_try_the_engine_lost_gets_another_one(build: BuildEngine) -> None:
    engine, doing = build(), Doing()
    engine.tasks.ask(TASK)
    with engine.database.begin() as connection:
        connection.execute(update(tasks).values(waiting=None, running="lost"))
    start(engine, doing)
    engine.worker.sweep()
    until(lambda: doing.done == [TASK] and engine.intake.stats().tasks == 0)


def test_the_sweep_forgets_old_repairs(build: BuildEngine) -> None:
    clock, doing = Clock(), Doing()
    engine = build(clock=clock)
    engine.tasks.ask(Task(REPAIR, 7))
    clock.advance(REPAIR_DELAY_SECONDS)
    start(engine, doing)
    until(lambda: doing.done and engine.intake.stats().tasks == 0)
    clock.advance(REPAIR_EVERY_SECONDS + 1)
    engine.worker.sweep()
    engine.tasks.ask(Task(REPAIR, 7))
    assert list_due(engine) == [clock() + REPAIR_DELAY_SECONDS]


@pytest.mark.parametrize("sent_by", [NAMING, REPAIR])
def test_tasks_are_no_hooks_of_a_pass(build: BuildEngine, sent_by: str) -> None:
    engine = build()
    engine.tasks.ask(Task(sent_by, 42), 42)
    with engine.database.connect() as connection:
        assert connection.execute(select(inbox.hooks)).all() == []
        assert list_waiting(connection) == {}
