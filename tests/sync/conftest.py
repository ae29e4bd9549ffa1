from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine as Database

from panel.data import db, schema
from tests.sync.benches import bench_on
from tests.sync.engine import Engine, make_engine
from tests.sync.executor import settings_for
from tests.sync.passes import Bench
from tests.sync.until import until

BuildEngine = Callable[..., Engine]


@pytest.fixture
def build(url: str) -> Iterator[BuildEngine]:
    """Makes engines on one database; they are stopped at the end."""
    made: list[tuple[Engine, Database]] = []

    def make(**options: object) -> Engine:
        database = db.connect(url)
        schema.migrate(database)
        engine = make_engine(settings_for(url), database, **options)  # type: ignore[arg-type]
        engine.migrate()
        made.append((engine, database))
        return engine

    yield make
    for engine, database in made:
        halt(engine)
        database.dispose()


def halt(engine: Engine) -> None:
    """Stop it when nothing runs: in the midst of a pass or a sweep, a connection would be lost."""
    if engine.worker.is_started:  # what a killed process was at is not ours to wait for
        until(lambda: not engine.queue.client.list_workflows(status="PENDING"))
    engine.worker.stop(grace_seconds=0)


@pytest.fixture
def bench(url: str, tmp_path: Path) -> Iterator[Bench]:
    """Passes on either database; a test file with a `bench` of its own has that one."""
    with bench_on(url, tmp_path) as made:
        yield made
