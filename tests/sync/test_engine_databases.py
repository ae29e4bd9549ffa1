"""The engine on each database: durable commits, foreign writers, a restart."""

import logging

import psycopg
import pytest
from dbos import DBOS
from sqlalchemy import create_engine

from panel.data import inbox, leader
from panel.sync import intake
from tests.sync.conftest import BuildEngine
from tests.sync.executor import hook
from tests.sync.until import until
from tests.sync.working import Chatwoot, answered, chatwoot

__all__ = ["chatwoot"]  # a fixture


# -- on SQLite -------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_every_commit_is_on_the_disk(build: BuildEngine, chatwoot: Chatwoot) -> None:
    """Some builds of SQLite lose commits by default, so the connections that write are asked: ours
    and those of DBOS."""
    engine = build()
    with inbox.write_transaction(engine.database, 1) as connection:
        results = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        ]
    assert results == ["wal", 2, 5000]
    engine.worker.start(chatwoot)
    until(engine.queue.client.list_schedules)
    # DBOS returns the running instance, the only one of a process.
    instance = DBOS(config=engine.worker.executor.make_config())
    with instance._sys_db.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_dbos_tells_its_life_story_to_nobody(build: BuildEngine, chatwoot: Chatwoot) -> None:
    engine = build()
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("h", 1))
    until(lambda: answered(engine))
    theirs = logging.getLogger("dbos")
    assert [type(handler) for handler in theirs.handlers] == [logging.NullHandler]
    assert theirs.propagate
    assert theirs.level == logging.WARNING


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_foreign_writer_delays_a_pass_and_loses_nothing(
    build: BuildEngine, chatwoot: Chatwoot, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "WRITE_SECONDS", 0.2)
    engine, (inside, go) = build(), chatwoot.hold()
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


# -- on PostgreSQL ---------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_when_the_database_restarts_the_lease_is_taken_anew(
    build: BuildEngine, chatwoot: Chatwoot, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine = build()
    engine.worker.start(chatwoot)
    engine.intake.accept(hook("before", 1))
    until(lambda: answered(engine))
    query = f"SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = {leader.LEADER_KEY}"
    with psycopg.connect(url, autocommit=True) as connection:
        (held_by,) = connection.execute(query.encode()).fetchone() or (None,)
        assert held_by
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        until(lambda: (row := connection.execute(query.encode()).fetchone()) and row[0] != held_by)
    assert engine.intake.accept(hook("after", 2)) == "accepted"
    until(lambda: answered(engine))
    assert chatwoot.count(2) == 1
