from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Engine as Database

from panel.data import db
from panel.sync.worker import Worker
from tests.conftest import with_tables
from tests.sync import postgres
from tests.sync.executor import settings_for
from tests.sync.until import until

BuildEngine = Callable[..., Worker]
_numbers = count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    folder = postgres.programs()
    if folder is None:
        pytest.skip(postgres.ABSENT)
    with postgres.cluster(folder) as address:
        url = postgres.create(address, "template")
        # Tables are made once: each test gets a copy.
        database = db.connect(url)
        db.migrate(database)
        Worker(settings_for(url), database).migrate()
        database.dispose()
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{with_tables(tmp_path)}/panel.db"
    address: str = request.getfixturevalue("cluster")
    return postgres.create(address, f"panel{next(_numbers)}", "template")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{with_tables(tmp_path)}/panel.db"


@pytest.fixture
def build(url: str) -> Iterator[BuildEngine]:
    """Makes engines on one database; they are stopped at the end."""
    made: list[tuple[Worker, Database]] = []

    def make(**options: object) -> Worker:
        database = db.connect(url)
        db.migrate(database)
        engine = Worker(settings_for(url), database, **options)  # type: ignore[arg-type]
        engine.migrate()
        made.append((engine, database))
        return engine

    yield make
    for engine, database in made:
        halt(engine)
        database.dispose()


def halt(engine: Worker) -> None:
    """Stop it when nothing runs: in the midst of a pass or a sweep, a connection would be lost."""
    if engine._thread:  # what a killed process was at is not ours to wait for
        until(lambda: not engine._client.list_workflows(status="PENDING"))
    engine.stop(grace_seconds=0)
