"""Real processes, killed with SIGKILL: all kept hooks are answered, by one executor at a time."""

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from panel.data.tasks import NAMING, Task
from tests.sync.conftest import BuildEngine
from tests.sync.engine import Engine
from tests.sync.executor import hook
from tests.sync.until import until

Spawn = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.touch()
    return path


@pytest.fixture
def spawn(url: str, log: Path, build: BuildEngine) -> Iterator[Spawn]:
    build()  # this makes the tables
    processes: list[subprocess.Popen[bytes]] = []

    def start(*arguments: object) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-W", "error", "-m", "tests.sync.executor", url, str(log)]
        process = subprocess.Popen([*command, *map(str, arguments)], stdin=subprocess.PIPE)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def lines(log: Path, word: str) -> list[tuple[str, int, float]]:
    """Return (name, process, time) of every line that begins with `word`, in order."""
    split = [line.split() for line in log.read_text().splitlines()]
    return [(parts[1], int(parts[2]), float(parts[3])) for parts in split if parts[0] == word]


def answered(engine: Engine) -> bool:
    return engine.intake.stats().oldest_waiting is None


def kill(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_pass_that_was_killed_is_done_again(spawn: Spawn, build: BuildEngine, log: Path) -> None:
    engine = build()
    for organization in (1, 2, 3):
        engine.intake.accept(hook(f"h{organization}", organization))
    first = spawn("run", 600)
    until(lambda: len(lines(log, "begin")) == 3)
    engine.intake.accept(hook("meanwhile", 1))
    kill(first)
    assert not lines(log, "end")
    spawn("run", 0.05)
    until(lambda: answered(engine))
    assert engine.intake.stats().done == 4
    assert Counter(name for name, *_ in lines(log, "end")) == {"1": 2, "2": 1, "3": 1}


def test_a_task_that_was_killed_is_done_again(spawn: Spawn, build: BuildEngine, log: Path) -> None:
    engine = build()
    for number in (1, 2, 3):
        assert engine.tasks.ask(Task(NAMING, number))
    first = spawn("run", 600, "somebody-else")
    until(lambda: len(lines(log, "begin")) == 3)
    kill(first)
    assert not lines(log, "end")
    spawn("run", 0.05)
    until(lambda: engine.intake.stats().tasks == 0)
    ended = Counter(name for name, *_ in lines(log, "end"))
    assert ended == {"naming:1": 1, "naming:2": 1, "naming:3": 1}


def test_kill_after_kill_loses_no_task(spawn: Spawn, build: BuildEngine, log: Path) -> None:
    engine, dice = build(), random.Random(20261130)
    executor = spawn("run", 0.02)
    for number in range(1, 121):
        assert engine.tasks.ask(Task(NAMING, number))
        if number % 40 == 20:
            until(lambda: any(lines(log, "up")))
            time.sleep(dice.uniform(0.0, 0.7))  # any moment will do
            kill(executor)
            executor = spawn("run", 0.02)
    until(lambda: engine.intake.stats().tasks == 0, 60)
    assert {name for name, *_ in lines(log, "end")} == {f"naming:{n}" for n in range(1, 121)}


def test_a_dead_executor_of_another_name_blocks_nobody(
    spawn: Spawn, build: BuildEngine, log: Path
) -> None:
    """DBOS alone would leave its pass "running" for ever, and hold up the organization's later
    ones."""
    engine = build()
    engine.intake.accept(hook("h", 1))
    first = spawn("run", 600, "another")
    until(lambda: lines(log, "begin"))
    kill(first)
    spawn("run", 0.05)
    until(lambda: answered(engine))
    assert len(lines(log, "end")) == 1


def test_of_two_only_one_executes_and_the_other_takes_over(
    spawn: Spawn, build: BuildEngine, log: Path
) -> None:
    """Two executors with the same id would do all work twice."""
    engine = build()
    both = {process.pid: process for process in (spawn("run", 0.3), spawn("run", 0.3))}
    until(lambda: len(lines(log, "up")) == 2)
    for number in range(60):
        engine.intake.accept(hook(f"h{number}", 1 + number % 6))
    until(lambda: answered(engine))
    (pid,) = {pid for _, pid, _ in lines(log, "begin")}

    for organization in range(1, 7):
        engine.intake.accept(hook(f"late{organization}", organization))
    until(lambda: len(lines(log, "begin")) > len(lines(log, "end")))
    killed = time.time()
    kill(both.pop(pid))
    until(lambda: answered(engine))
    ((other, _),) = both.items()
    after = [at for _, by, at in lines(log, "begin") if by == other]
    assert min(after) - killed < 10
    assert_no_overlap(log, dead=pid, died=killed)


def test_kill_after_kill_loses_nothing(spawn: Spawn, build: BuildEngine, log: Path) -> None:
    """A short form of test_chaos: executors and receivers die at random moments, and hooks
    repeat."""
    engine, dice = build(), random.Random(20261122)
    names = [f"h{number}" for number in range(300)]
    executors = [spawn("run", 0.02), spawn("run", 0.02)]
    accepted: set[str] = set()
    for number, name in enumerate(names):
        if engine.intake.accept(hook(name, 1 + number % 12)) == "accepted":
            accepted.add(name)
        if dice.random() < 0.3:
            assert engine.intake.accept(hook(dice.choice(sorted(accepted)), 5)) == "duplicate"
        if number % 50 == 25:
            until(lambda: any(lines(log, "up")))
            time.sleep(dice.uniform(0.0, 0.7))  # any moment will do
            kill(executors.pop(0))
            executors.append(spawn("run", 0.02))
    until(lambda: answered(engine), 60)
    assert accepted == set(names)
    assert engine.intake.stats().done == len(names)
    assert engine.intake.list_buried() == []
    ended = {name for name, *_ in lines(log, "end")}
    assert ended == {str(organization) for organization in range(1, 13)}


def test_one_id_in_several_processes_at_once_is_one_hook(
    spawn: Spawn, build: BuildEngine, log: Path
) -> None:
    doors = [spawn("ring", "same", 100, 5) for _ in range(3)]
    until(lambda: len(lines(log, "up")) == 3)
    for door in doors:
        assert door.stdin is not None
        door.stdin.write(b"g")
        door.stdin.flush()
    for door in doors:
        assert door.wait(60) == 0
    assert Counter(name for name, *_ in lines(log, "accepted")) == {
        f"same-{number}": 1 for number in range(100)
    }
    assert len(lines(log, "duplicate")) == 200
    assert build().intake.stats().waiting == 5


def test_what_was_accepted_outlives_its_process(
    spawn: Spawn, build: BuildEngine, log: Path
) -> None:
    door = spawn("ring", "h", 100_000, 5)
    assert door.stdin is not None
    door.stdin.write(b"g")
    door.stdin.flush()
    until(lambda: len(lines(log, "accepted")) > 50)
    kill(door)
    engine = build()
    names = {name for name, *_ in lines(log, "accepted")}
    assert {name: engine.intake.accept(hook(name, 1)) for name in names} == dict.fromkeys(
        names, "duplicate"
    )


def assert_no_overlap(log: Path, dead: int, died: float) -> None:
    """Check that no two passes of one organization overlap; passes of the dead process ended with
    it."""
    ends = lines(log, "end")
    spans = []
    for name, pid, started_at in lines(log, "begin"):
        end_times = [at for n, p, at in ends if (n, p) == (name, pid) and at >= started_at]
        spans.append((name, started_at, min(end_times) if end_times else died))
        assert end_times or pid == dead
    for name, started_at, over in spans:
        later_spans = [span for span in spans if span[0] == name and span[1] > started_at]
        assert all(span[1] >= over for span in later_spans)


def test_a_worker_that_is_asked_to_end_finishes_its_passes(
    spawn: Spawn, build: BuildEngine, log: Path
) -> None:
    engine = build()
    engine.intake.accept(hook("h", 1))
    first = spawn("run", 0.5)
    until(lambda: lines(log, "begin"))
    first.send_signal(signal.SIGTERM)
    assert first.wait(20) == 0
    assert answered(engine)
