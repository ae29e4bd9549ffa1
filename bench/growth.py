"""The rows of costs that may grow with the number of organizations and of kept hooks."""

import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from uuid import uuid4

from flask import Flask
from sqlalchemy import Engine

from bench.figures import Samples, alternate
from bench.filling import HOOKS_EACH, fill_database
from bench.stage import Absent, Stage
from panel.application import create_app
from panel.data import db
from panel.data.lanes import Lane
from panel.data.schema import migrate
from panel.data.search_index import SearchIndex
from panel.settings import Settings, from_env
from panel.sync.intake import Intake
from panel.sync.pass_queue import PassQueue
from panel.sync.wire import Hook
from panel.sync.worker import Worker
from tests import postgres

FEW, MANY = 1000, 20_000  # organizations
QUERIES = ("ltda", "padaria", "cliente 500", "padaria cliente", "contato@empresa77.example", "500")
Work = Callable[["Home"], object]


@dataclass(frozen=True)
class Home:
    """A database with so many organizations, and the panel's parts on it."""

    count: int
    settings: Settings
    database: Engine
    app: Flask
    intake: Intake
    worker: Worker
    index: SearchIndex


# -- the measured calls
# ------------------------------------------------------------------------------


def _accept(home: Home) -> None:
    number = random.randint(1, home.count)  # noqa: S311 (no secret)
    home.intake.accept(Hook(str(uuid4()), "order.paid", time.time(), number))


def _ask_status(home: Home) -> None:
    outcome = home.app.test_cli_runner().invoke(args=["sync", "status"])
    if "waiting " not in outcome.output:
        raise RuntimeError(outcome.output)


def _ask_metrics(home: Home) -> None:
    answer = home.app.test_client().get("/metrics")
    if b"panel_hooks_waiting" not in answer.data:
        raise RuntimeError(answer.text[:300])


def _search(home: Home) -> None:
    for query in QUERIES:
        if not home.index.find(query).rows:
            raise RuntimeError(f"nobody is found by {query}")


def _start(home: Home) -> None:
    """Start as a web process does, with the check whether the database needs an upgrade."""
    app = create_app(home.settings)
    with app.test_client() as client:
        client.get("/readyz")


def _sweep(home: Home) -> None:
    home.worker.sweep()


IDLE: tuple[tuple[str, Work, int], ...] = (
    ("accept", _accept, 60),
    ("sync status", _ask_status, 9),
    ("/metrics", _ask_metrics, 9),
    ("search", _search, 15),
    ("start-up", _start, 5),
    ("hourly sweep", _sweep, 9),
)
WAITING: tuple[tuple[str, Work, int], ...] = (
    ("sync status, all wait", _ask_status, 9),
    ("/metrics, all wait", _ask_metrics, 9),
    ("hourly sweep, all wait", _sweep, 9),
)
MEASURED = tuple(name for name, _, _ in (*IDLE, *WAITING))


def growth(stage: Stage, shape: str) -> list[Samples]:
    """Compare each of `MEASURED` with `MANY` organizations and with `FEW`, in turns, on SQLite."""
    urls = {count: stage.environ(shape)["PANEL_DATABASE_URL"] for count in (FEW, MANY)}
    return _compare(stage, shape, urls)


def growth_on_postgresql(stage: Stage, shape: str) -> list[Samples]:
    """Compare the same on PostgreSQL."""
    with _postgresql() as address:
        urls = {count: postgres.create(address, f"many{count}") for count in (FEW, MANY)}
        return _compare(stage, shape, urls)


def _compare(stage: Stage, shape: str, urls: dict[int, str]) -> list[Samples]:
    with ExitStack() as stack:
        few, many = (
            stack.enter_context(_furnish(stage, shape, urls[count], count)) for count in (FEW, MANY)
        )
        pairs = [_time_both(many, few, *shape) for shape in IDLE]
        for home in (few, many):
            home.intake.line_up(range(1, home.count + 1), Lane.RECONCILE)
        return pairs + [_time_both(many, few, *shape) for shape in WAITING]


def _time_both(many: Home, few: Home, name: str, work: Work, times: int) -> Samples:
    work(many), work(few)
    pairs = alternate(lambda: _time(work, many), lambda: _time(work, few), times)
    ours, theirs = (1000 * statistics.median(column) for column in zip(*pairs, strict=True))
    note = f"{name}: {ours:.1f} ms with {MANY:,} organizations and {MANY * HOOKS_EACH:,} hooks"
    # The medians are compared: a single call may wait for the disk, or for other processes.
    return Samples([ours / theirs], f"{note}, {theirs:.1f} with {FEW:,}")


def _time(work: Work, home: Home) -> float:
    started_at = time.perf_counter()
    work(home)
    return time.perf_counter() - started_at


@contextmanager
def _furnish(stage: Stage, shape: str, url: str, count: int) -> Iterator[Home]:
    settings = from_env(stage.environ(shape, PANEL_DATABASE_URL=url))
    database = db.connect(settings.database_url)
    migrate(database)
    queue = PassQueue(database)
    queue.migrate()
    fill_database(database, count)
    app, intake = create_app(settings), Intake(database)
    try:
        yield Home(
            count, settings, database, app, intake, Worker(settings, queue), SearchIndex(database)
        )
    finally:
        database.dispose()


# -- lining up -------------------------------------------------------------------------------------


def lining_up(stage: Stage, shape: str) -> list[Samples]:
    """Line up so many organizations that do not wait; then line up the same ones once more."""
    return [_line_up(stage.environ(shape)["PANEL_DATABASE_URL"], stage.times(1, 3))]


def lining_up_on_postgresql(stage: Stage, _shape: str) -> list[Samples]:
    with _postgresql() as address:
        return [_line_up(postgres.create(address, "lined"), stage.times(1, 3))]


def _line_up(url: str, times: int) -> Samples:
    database = db.connect(url)
    migrate(database)
    intake, seconds = Intake(database), []
    for _ in range(times):
        started_at = time.perf_counter()
        intake.line_up(range(1, MANY + 1), Lane.RECONCILE)
        seconds.append(time.perf_counter() - started_at)
    database.dispose()
    figures_text = ", ".join(f"{second:.2f}" for second in seconds)
    return Samples(seconds, f"{figures_text} s; fsynced")


@contextmanager
def _postgresql() -> Iterator[str]:
    folder = postgres.programs()
    if folder is None:
        raise Absent("no PostgreSQL here")
    with postgres.cluster(folder, fsync="on") as address:
        yield address
