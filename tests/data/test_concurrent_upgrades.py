"""A newer program upgrades while others start, read, write, wait or are killed."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from panel.data import db, schema
from panel.data.links import CONVERSATION, PICKED, REFUSED, Link, Links
from panel.data.migrations import version
from panel.data.migrations.version import Version, WrongSchema
from tests import postgres
from tests.conftest import wait_until
from tests.data.newer import NEWER, write_revision
from tests.data.old_databases import describe, engine, make_old, numbers, read_rows, read_version

__all__ = ["engine"]  # a fixture


ROOT = Path(__file__).resolve().parents[2]


def start_newer(engine: Engine, folder: Path) -> subprocess.Popen[bytes]:
    url = engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.data.newer", url, str(folder)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)


def run_newer(engine: Engine, folder: Path) -> None:
    with start_newer(engine, folder) as process:
        _, output = process.communicate(timeout=60)
    assert process.returncode == 0, output.decode()


# -- a newer program upgrades ----------------------------------------------------------------------


def test_old_data_is_kept_and_an_older_program_that_is_allowed_still_works(
    engine: Engine, tmp_path: Path
) -> None:
    make_old(engine)
    schema.migrate(engine)
    running, before = Links(engine), read_rows(engine)
    assert running.find(101, 301)
    run_newer(engine, write_revision(tmp_path / "revisions", oldest_code=1))
    assert read_version(engine) == Version(NEWER, 1)
    assert read_rows(engine) == before
    with engine.connect() as connection:
        notes = connection.scalars(text("SELECT note FROM links ORDER BY note"))
        assert list(notes) == ["kept", "none"]
    # The older program was running meanwhile, starts again, and may serve a command.
    running.put(Link(CONVERSATION, 101, 42, REFUSED, agent=3))
    schema.migrate(engine)
    schema.require_current(engine)


def test_a_program_that_is_too_old_is_refused_in_one_sentence(
    engine: Engine, tmp_path: Path
) -> None:
    schema.migrate(engine)
    run_newer(engine, write_revision(tmp_path / "revisions", oldest_code=NEWER))
    before = describe(engine)
    for ask in (schema.migrate, schema.require_current, schema.refuse_newer):
        with pytest.raises(WrongSchema, match="too new for this program") as error:
            ask(engine)
        assert "\n" not in str(error.value)
    assert describe(engine) == before


def test_what_a_revision_forbids_stays_forbidden(engine: Engine, tmp_path: Path) -> None:
    """The last revision admits older programs, but the one before it did not."""
    folder = write_revision(tmp_path / "revisions", oldest_code=NEWER)
    numbers = f'"{NEWER + 1:04}", "{NEWER:04}", 1'
    third = f"revision, down_revision, OLDEST_CODE = {numbers}\ndef upgrade(): pass\n"
    (folder / f"v{NEWER + 1:04}_nothing.py").write_text(third)
    run_newer(engine, folder)
    assert read_version(engine) == Version(NEWER + 1, NEWER)


def test_processes_that_start_at_once_upgrade_once(engine: Engine, tmp_path: Path) -> None:
    make_old(engine)
    folder = write_revision(tmp_path / "revisions", oldest_code=1)
    (folder / "wait.txt").touch()
    several = [start_newer(engine, folder) for _ in range(3)]
    wait_until((folder / "ran.txt").exists, 60)
    wait_until(lambda: len(list(folder.glob("started.*"))) == 3, 60)
    time.sleep(0.5)  # so that the others stand at the lock
    (folder / "wait.txt").unlink()
    for process in several:
        _, output = process.communicate(timeout=60)
        assert process.returncode == 0, output.decode()
    assert (folder / "ran.txt").read_text() == "once\n"
    assert read_version(engine) == Version(NEWER, 1)


def test_an_older_program_that_waited_for_a_newer_one_finds_it_done(
    engine: Engine, tmp_path: Path
) -> None:
    """The older program saw an empty database before, and does not know the present schema."""
    folder = write_revision(tmp_path / "revisions", oldest_code=1)
    (folder / "wait.txt").touch()
    with start_newer(engine, folder) as process, ThreadPoolExecutor() as pool:
        wait_until((folder / "ran.txt").exists, 60)
        older = pool.submit(schema.migrate, engine)
        time.sleep(0.5)
        (folder / "wait.txt").unlink()
        older.result(60)
        process.communicate(timeout=60)
    assert read_version(engine) == Version(NEWER, 1)


def test_an_upgrade_that_is_killed_leaves_the_old_schema_and_is_done_by_the_next(
    engine: Engine, tmp_path: Path
) -> None:
    make_old(engine)
    before, rows = describe(engine), read_rows(engine)
    folder = write_revision(tmp_path / "revisions", oldest_code=NEWER)
    (folder / "wait.txt").touch()
    with start_newer(engine, folder) as process:
        wait_until((folder / "ran.txt").exists, 60)
        process.kill()
    assert describe(engine) == before
    assert read_rows(engine) == rows
    (folder / "wait.txt").unlink()
    run_newer(engine, folder)
    assert read_version(engine) == Version(NEWER, NEWER)
    assert read_rows(engine) == rows
    assert "ix_links_note" in repr(describe(engine)["links"])


def test_who_reads_goes_on_while_an_upgrade_is_under_way_on_sqlite(tmp_path: Path) -> None:
    engine = db.connect(f"sqlite:///{tmp_path / 'panel.db'}")
    schema.migrate(engine)
    Links(engine).put(Link(CONVERSATION, 101, 42, PICKED, agent=2))
    folder = write_revision(tmp_path / "revisions", oldest_code=1)
    (folder / "wait.txt").touch()
    with start_newer(engine, folder) as process:
        wait_until((folder / "ran.txt").exists, 60)
        assert [link.state for link in Links(engine).find(101, 0)] == [PICKED]
        (folder / "wait.txt").unlink()
        process.communicate(timeout=60)
    assert process.returncode == 0
    engine.dispose()


def test_a_change_gives_up_on_who_uses_the_table_rather_than_stop_everyone(
    cluster: str, tmp_path: Path
) -> None:
    """On PostgreSQL all other users would queue behind the change as long as a transaction is
    open."""
    engine = db.connect(postgres.create(cluster, f"migrated{next(numbers)}"))
    schema.migrate(engine)
    folder = write_revision(tmp_path / "revisions", oldest_code=1)
    with engine.begin() as connection:
        _read_links(connection)
        with start_newer(engine, folder) as process:
            try:
                _, output = process.communicate(timeout=30)
            finally:
                # A process that would wait for ever fails the test, which does not hang.
                process.kill()
    engine.dispose()
    assert process.returncode > 0
    assert b"lock timeout" in output


def _read_links(connection: Connection) -> None:
    connection.execute(text("SELECT * FROM links")).all()


# -- waiting for others ----------------------------------------------------------------------------


def test_programs_from_before_there_were_versions_are_waited_for_on_sqlite(tmp_path: Path) -> None:
    """Programs from before there were versions make tables under this lock."""
    engine = db.connect(f"sqlite:///{tmp_path / 'panel.db'}")
    with ThreadPoolExecutor() as pool:
        with FileLock(tmp_path / "panel.db.lock"):
            waiting = pool.submit(schema.migrate, engine)
            time.sleep(0.3)
            assert not waiting.done()
        waiting.result(30)
    assert read_version(engine).schema == version.SCHEMA
    engine.dispose()


def test_a_writer_is_waited_for_longer_than_in_a_request_on_sqlite(tmp_path: Path) -> None:
    engine = db.connect(f"sqlite:///{tmp_path / 'panel.db'}")
    with ThreadPoolExecutor() as pool:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            waiting = pool.submit(schema.migrate, engine)
            time.sleep(5.5)
            assert not waiting.done()
        waiting.result(30)
    engine.dispose()


def test_an_upgrade_by_another_machine_is_waited_for_longer_than_in_a_request(
    cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "ANSWER_SECONDS", 0.5)
    engine = db.connect(postgres.create(cluster, f"migrated{next(numbers)}"))
    with ThreadPoolExecutor() as pool:
        with engine.connect() as connection:
            connection.execute(text(f"SELECT pg_advisory_lock({schema.ADVISORY_LOCK})"))
            waiting = pool.submit(schema.migrate, engine)
            time.sleep(1.5)
            assert not waiting.done()
            connection.invalidate()
        waiting.result(30)
    engine.dispose()


def test_an_upgrade_by_a_machine_that_is_frozen_is_not_waited_for_for_ever(
    cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "MIGRATE_SECONDS", 1)
    engine = db.connect(postgres.create(cluster, f"migrated{next(numbers)}"))
    with ThreadPoolExecutor() as pool, engine.connect() as connection:
        connection.execute(text(f"SELECT pg_advisory_lock({schema.ADVISORY_LOCK})"))
        try:
            with pytest.raises(OperationalError, match="timeout"):
                pool.submit(schema.migrate, engine).result(10)
        finally:
            # A process that waits for this session fails the test, which does not hang.
            connection.invalidate()
    engine.dispose()
