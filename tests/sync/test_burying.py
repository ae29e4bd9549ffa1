"""Hooks that are given up are buried with the reason, and can be run again."""

import pytest

from panel.data import inbox
from panel.errors import Refused, TryLater, Unwell
from tests.sync.conftest import BuildEngine, halt
from tests.sync.executor import hook
from tests.sync.until import until
from tests.sync.working import Chatwoot, answered, chatwoot, raising, rows

__all__ = ["chatwoot"]  # a fixture


def test_after_the_last_try_the_hooks_are_buried_with_the_reason(
    build: BuildEngine, chatwoot: Chatwoot
) -> None:
    engine = build(waits=(0.1, 0.1))
    chatwoot.act = raising(Unwell("http_500", "it said so"))
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("a", 1))
    engine.intake.accept(hook("b", 1))
    (burial,) = until(engine.intake.list_buried)
    assert chatwoot.count(1) == 3
    assert (burial.organization, burial.hooks, burial.reason) == (1, 2, "http_500: it said so")
    assert answered(engine)
    assert engine.intake.stats().buried == 2


def test_a_younger_hook_is_not_buried_with_the_elder(
    build: BuildEngine, chatwoot: Chatwoot
) -> None:
    """The tries of the younger hook begin when those of the elder end."""
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
    (burial,) = until(engine.intake.list_buried)
    assert burial.reason == "denied: no administrator"
    assert chatwoot.count(1) == 1


def test_a_pass_that_breaks_is_buried_without_telling_what_it_held(
    build: BuildEngine, chatwoot: Chatwoot, caplog: pytest.LogCaptureFixture
) -> None:
    engine = build()
    chatwoot.act = raising(KeyError("maria@example.com"))
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("h", 1))
    (burial,) = until(engine.intake.list_buried)
    assert burial.reason == "unexpected KeyError"
    assert "a pass broke" in caplog.text


@pytest.mark.parametrize("by_hook", [False, True])
def test_a_buried_pass_is_run_again(build: BuildEngine, chatwoot: Chatwoot, by_hook: bool) -> None:
    engine = build()
    chatwoot.act = raising(Refused("denied"))
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("a", 1))
    (burial,) = until(engine.intake.list_buried)
    chatwoot.act = lambda _organization: None
    assert engine.intake.replay("a" if by_hook else burial.id) is True
    until(lambda: answered(engine))
    assert rows(engine) == [("a", "done")]
    assert engine.intake.list_buried() == []
    assert engine.intake.replay(burial.id) is False


def test_a_replay_has_all_its_tries_again(build: BuildEngine, chatwoot: Chatwoot) -> None:
    engine = build(waits=(0.1, 0.1))
    chatwoot.act = raising(Unwell("http_500"))
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("a", 1))
    (burial,) = until(engine.intake.list_buried)
    assert engine.intake.replay(burial.id)
    until(lambda: chatwoot.count(1) == 6)
    (burial,) = until(engine.intake.list_buried)
    assert burial.hooks == 1


def test_a_replay_joins_the_pass_that_waits(build: BuildEngine, chatwoot: Chatwoot) -> None:
    engine = build()
    chatwoot.act = raising(Refused("denied"))
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("a", 1))
    (burial,) = until(engine.intake.list_buried)
    halt(engine)
    engine = build()
    engine.intake.accept(hook("b", 1))
    assert engine.intake.replay(burial.id)
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
    engine, (inside, go) = build(), chatwoot.hold()
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("a", 1))
    assert inside.wait(20)
    (workflow,) = engine.queue.client.list_workflows(status="PENDING")
    engine.queue.client.cancel_workflow(workflow.workflow_id)
    go.set()
    until(lambda: chatwoot.ran)
    engine.worker.sweep()
    (burial,) = engine.intake.list_buried()
    assert burial.reason == "lost its pass"
    engine.intake.accept(hook("b", 1))
    # Either this replay comes first, or the pass of "b", which settles buried hooks.
    was_first = engine.intake.replay(burial.id)
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
