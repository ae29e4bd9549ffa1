"""`doctor` on a PostgreSQL that grants few connections, and on one that grants none any more."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from panel.doctor.diagnosis import FAULT, WARNING, Diagnosis
from panel.doctor.work import examine_connections
from panel.services import Services, get
from tests import postgres
from tests.broken.site import Site, site
from tests.doctor.well import ask

MOST = 20


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Run a server for these tests alone, because they take all of its connections."""
    folder = postgres.programs()
    if folder is None:
        pytest.skip(postgres.ABSENT)
    with postgres.cluster(folder, max_connections=MOST) as server:
        with psycopg.connect(f"{server}postgres", autocommit=True) as connection:
            connection.execute("CREATE ROLE ours LOGIN")
        yield server


@pytest.fixture(scope="module")
def small(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A panel that is no superuser there, as it should be."""
    url = f"{address}postgres".replace("panel@", "ours@")
    with site(tmp_path_factory.mktemp("small"), PANEL_DATABASE_URL=url) as running_site:
        yield running_site


def examine(small: Site) -> list[Diagnosis]:
    return list(examine_connections(get(Services, small.app)))


def test_too_few_connections_are_told(small: Site) -> None:
    (diagnosis,) = examine(small)
    assert diagnosis.state == WARNING
    assert f"max_connections of the database is {MOST}" in diagnosis.cause
    assert f"max_connections of the database is {MOST}: one web process" in ask(small).output


@pytest.mark.parametrize(
    ("held", "cause"),
    [
        (MOST - 4, f"{MOST - 3} of {MOST} connections of the database are in use"),
        (MOST, "the database has no connection left for us"),
    ],
)
def test_connections_that_run_out_are_told(
    small: Site, address: str, held: int, cause: str
) -> None:
    get(Services, small.app).database.dispose()
    with ExitStack() as stack:
        for _ in range(held):
            stack.enter_context(psycopg.connect(f"{address}postgres"))
        (diagnosis,) = examine(small)
        get(Services, small.app).database.dispose()
    assert diagnosis == Diagnosis(FAULT, cause, diagnosis.fix)
    assert "raise max_connections" in diagnosis.fix


def test_a_database_that_is_away_is_no_matter_of_connections(small: Site, tmp_path: Path) -> None:
    away = small.beside(tmp_path, PANEL_DATABASE_URL="postgresql://panel@127.0.0.1:9/panel")
    (diagnosis,) = examine(away)
    assert diagnosis.cause == "the database does not answer"
