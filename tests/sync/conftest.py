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
    engines: list[tuple[Engine, Database]] = []

    def make(**options: object) -> Engine:
        database = db.connect(url)
        schema.migrate(database)
        engine = make_engine(settings_for(url), database, **options)  # type: ignore[arg-type]
        engine.migrate()
        engines.append((engine, database))
        return engine

    yield make
    for engine, database in engines:
        halt(engine)
        database.dispose()


def halt(engine: Engine) -> None:
    """Stop the engine when nothing runs: in the midst of a pass or a sweep, a connection would be
    lost."""
    if engine.worker.is_started:  # the work of a killed process is not awaited
        until(lambda: not engine.queue.client.list_workflows(status="PENDING"))
    engine.worker.stop(grace_seconds=0)


@pytest.fixture
def bench(url: str, tmp_path: Path) -> Iterator[Bench]:
    """Passes on either database; a test file may replace this fixture by its own `bench`."""
    with bench_on(url, tmp_path) as new_bench:
        yield new_bench
