"""The schema in numbered steps: from every state that there was, on both databases, whole or not.

The newer program is a process of its own (`tests.data.newer`); we are the older one.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from filelock import FileLock
from sqlalchemy import Connection, Engine, MetaData, select, text
from sqlalchemy.exc import OperationalError

from panel.auth.throttle import Throttle, limit_failures
from panel.data import (
    db,
    dead_letters,
    erasures,
    inbox,
    installation,
    nights,
    notes,
    pass_states,
    preferences,
    readings,
    schema,
    sightings,
    tasks,
    workers,
)
from panel.data.audit_log import AuditEntry, AuditLog
from panel.data.delivery_log import CHATWOOT, PLUGIN, DeliveryLog, Tally
from panel.data.directory import Directory
from panel.data.links import CONVERSATION, PICKED, REFUSED, Link, Links
from panel.data.migrations import upgrade, version
from panel.data.migrations.version import Version, WrongSchema
from panel.data.search_index import SearchIndex
from panel.data.verification_tries import verification_tries
from panel.data.verifications import verifications
from tests import postgres
from tests.conftest import wait_until
from tests.data.newer import NEWER, our_tables, write_revision

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = Path(__file__).parent / "fixtures"
_numbers = count(1)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        made = db.connect(f"sqlite:///{tmp_path / 'new folder' / 'panel.db'}")
        Path(str(made.url.database)).parent.mkdir()
    else:
        cluster = request.getfixturevalue("cluster")
        made = db.connect(postgres.create(cluster, f"migrated{next(_numbers)}"))
    yield made
    made.dispose()


def run_file(engine: Engine, name: str) -> None:
    statements = (FIXTURES / name).read_text(encoding="utf-8").split(";\n")
    with engine.begin() as connection:
        for statement in statements:
            if statement.strip():
                connection.exec_driver_sql(statement)


def make_old(engine: Engine) -> None:
    """A database as the panel of 2026-11-23 left it."""
    run_file(engine, f"schema-2026-11-23.{engine.dialect.name}.sql")
    run_file(engine, "rows-2026-11-23.sql")


# Columns that revisions after the first have added.
ADDED = {
    *("links.disclosed", "organizations.phone_shared", "people.phone_shared"),
    *("agent_generations.agent", "agent_generations.generation"),
    *("deliveries.sender", "deliveries.answer", "deliveries.minute"),
    *("deliveries.count", "deliveries.last_at"),
    *("people.former_email", "people.merged_into", "people.lacks"),
    *(f"verifications.{column.name}" for column in verifications.c),
    *(f"verification_tries.{column.name}" for column in verification_tries.c),
    *("further_contacts.organization", "further_contacts.key"),
    "further_contacts.contact",
    *("hooks.side", "hooks.settled_at", "hooks.settled_by"),
    *("passes.reason", "passes.side", "passes.tried_at"),
    *("hooks.lane", "passes.lane", "passes.position", "passes.due_at"),
    *(f"tasks.{column.name}" for column in tasks.tasks.c),
    *(f"workers.{column.name}" for column in workers.workers.c),
    *(f"installation.{column.name}" for column in installation.installation.c),
    *(f"erasures.{column.name}" for column in erasures.erasures.c),
    *(f"erasure_key.{column.name}" for column in erasures.erasure_key.c),
    *(f"nights.{column.name}" for column in nights.nights.c),
    *(f"readings.{column.name}" for column in readings.readings.c),
    *(f"sightings.{column.name}" for column in sightings.sightings.c),
    *(f"private_notes.{column.name}" for column in notes.private_notes.c),
    *(f"preferences.{column.name}" for column in preferences.preferences.c),
}


def read_rows(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of ours, as far as the first revision knows it."""
    found = {}
    with engine.connect() as connection:
        for table in our_tables().sorted_tables:
            columns = [each for each in table.c if f"{table.name}.{each.name}" not in ADDED]
            if columns:
                rows = connection.execute(select(*columns))
                found[table.name] = sorted((tuple(row) for row in rows), key=repr)
    return found


def read_version(engine: Engine) -> Version:
    with engine.connect() as connection:
        return version.read_version(connection)


CATALOGUE = {
    "sqlite": ["SELECT tbl_name, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"],
    "postgresql": [
        """SELECT table_name, column_name, ordinal_position, data_type, character_maximum_length,
        is_nullable, column_default, collation_name
        FROM information_schema.columns WHERE table_schema = 'public'""",
        "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'",
        """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace""",
    ],
}


def describe(engine: Engine) -> dict[str, list[str]]:
    """All that the database's catalogue says of each table, for comparing before and after."""
    found: dict[str, list[str]] = {}
    with engine.connect() as connection:
        for question in CATALOGUE[engine.dialect.name]:
            for table, *rest in connection.execute(text(question)):
                found.setdefault(table, []).append(" ".join(" ".join(map(str, rest)).split()))
    return {table: sorted(rest) for table, rest in found.items()}


def differences(engine: Engine) -> list[Any]:
    """Between the models and the database."""
    expected = MetaData()
    for table in (*our_tables().sorted_tables, version.compatibility):
        table.to_metadata(expected)
    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), expected))


def start_newer(engine: Engine, folder: Path) -> subprocess.Popen[bytes]:
    url = engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.data.newer", url, str(folder)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)


def run_newer(engine: Engine, folder: Path) -> None:
    with start_newer(engine, folder) as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said.decode()


# -- what the revisions make -----------------------------------------------------------------------


def test_the_revisions_make_what_the_models_say(engine: Engine) -> None:
    """Else somebody has changed a table without a revision, or a revision without its table."""
    schema.migrate(engine)
    assert differences(engine) == []


def test_the_first_revision_makes_what_there_was_before_there_were_versions(
    engine: Engine,
) -> None:
    run_file(engine, f"schema-2026-11-23.{engine.dialect.name}.sql")
    old = describe(engine)
    with engine.begin() as connection:
        for name in old:
            connection.exec_driver_sql(f"DROP TABLE {name}")
        upgrade.upgrade(connection, "0001")
    new = describe(engine)
    assert {name: new[name] for name in old} == old
    assert new.keys() - old.keys() == {"alembic_version", "compatibility"}


def test_revisions_are_numbered_and_name_the_oldest_program_that_may_run_on_them() -> None:
    scripts = ScriptDirectory(str(upgrade.FOLDERS[0]), version_locations=[upgrade.FOLDERS[0]])
    newest_first = list(scripts.walk_revisions())
    numbers = [script.revision for script in reversed(newest_first)]
    assert numbers == [f"{number:04}" for number in range(1, version.SCHEMA + 1)]
    for script in newest_first:
        assert 1 <= script.module.OLDEST_CODE <= int(script.revision)
        assert not hasattr(script.module, "downgrade")


# -- databases from before there were versions -----------------------------------------------------


def test_a_database_without_a_version_is_recognized_and_keeps_every_row(engine: Engine) -> None:
    make_old(engine)
    before, tables = read_rows(engine), describe(engine)
    assert all(before.values())
    schema.migrate(engine)
    assert read_rows(engine) == before
    unchanged = tables.keys() - {name.partition(".")[0] for name in ADDED}
    after = describe(engine)
    assert {name: after[name] for name in unchanged} == {name: tables[name] for name in unchanged}
    assert read_version(engine) == Version(version.SCHEMA, 1)


def test_what_an_older_program_wrote_proves_nobody_and_is_not_disclosed(engine: Engine) -> None:
    make_old(engine)
    schema.migrate(engine)
    with engine.connect() as connection:
        for table in ("people", "organizations"):
            shared = set(connection.scalars(text(f"SELECT phone_shared FROM {table}")))
            assert [bool(each) for each in shared] == [True]
        disclosed = set(connection.scalars(text("SELECT disclosed FROM links")))
        assert [bool(each) for each in disclosed] == [False]


def test_when_the_last_hook_came_is_known_from_what_was_kept(engine: Engine) -> None:
    make_old(engine)
    ours = "INSERT INTO hooks (hook_id, kind, organization, occurred_at, received_at, status)"
    with engine.begin() as connection:
        for hook_id, kind in (
            ("reconcile:0b1c", "reconcile"),
            ("organization.deleted:7f", "organization.deleted"),
            ("chatwoot:d1:42", "chatwoot.conversation_created"),
        ):
            values = f"VALUES ('{hook_id}', '{kind}', 42, 1795000090, 1795000090.5, 'done')"
            connection.exec_driver_sql(f"{ours} {values}")
    schema.migrate(engine)
    log = DeliveryLog(engine, lambda: 1795000100.0)
    assert log.read(PLUGIN) == {"accepted": Tally(0, 1795000006.0)}
    assert log.read(CHATWOOT) == {"accepted": Tally(0, 1795000090.5)}


def test_the_product_finds_what_it_kept_before(engine: Engine) -> None:
    make_old(engine)
    schema.migrate(engine)
    [picked, matched] = sorted(Links(engine).find(101, 301), key=lambda link: link.organization)
    assert (picked.state, picked.agent, picked.at) == (PICKED, 2, 1795000000.25)
    assert (matched.organization, matched.rests_on) == (45, "email")
    known = Directory(engine)
    assert sorted(known.list_organizations()) == [42, 9000000001]
    [hit] = SearchIndex(engine).find("ação").rows
    assert (hit.organization, hit.matched) == (42, {"name": "acao"})
    [entry] = AuditLog(engine).list_entries()
    assert (entry.agent, entry.note) == (2, "não é nada")
    with engine.connect() as connection:
        assert inbox.count_hooks(connection, 1795000007.0).buried == 1
        assert inbox.list_waiting(connection) == {42: 5}
        assert [each.id for each in dead_letters.list_buried(connection)] == ["pass-1"]
        [row] = connection.execute(text("SELECT next_expiry FROM organizations WHERE id = 42"))
    assert str(row[0]) == date(2027, 1, 31).isoformat()


def test_the_product_writes_beside_what_it_kept_before(engine: Engine) -> None:
    make_old(engine)
    schema.migrate(engine)
    Links(engine).put(Link(CONVERSATION, 101, 42, REFUSED, agent=3))
    assert [link.state for link in Links(engine).find(101, 0)] == [REFUSED]
    AuditLog(engine).record(AuditEntry("shown", 3))
    assert len(list(AuditLog(engine).list_entries())) == 2
    throttle = Throttle(engine, "key", clock=lambda: 29916667 * 60.0)
    for _ in range(10):
        throttle.record_failure("key", "192.0.2.1")
    assert throttle.blocked_until(limit_failures("key"), "192.0.2.1")
    with inbox.write_transaction(engine, 42) as connection:
        assert pass_states.begin_pass(connection, 42, "pass-2") == (5, 5)
        pass_states.finish_pass(connection, 42, 5, 1795000008.0)
    with engine.connect() as connection:
        assert inbox.list_waiting(connection) == {}


def test_a_database_that_was_being_made_gets_the_rest(engine: Engine) -> None:
    """Before there were versions each table was kept at once: a death left some of them."""
    make_old(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE hooks")
        connection.exec_driver_sql("DROP INDEX ix_links_contact")
    schema.migrate(engine)
    assert read_rows(engine)["people"]
    assert differences(engine) == []


def test_a_table_of_another_program_is_not_taken_for_ours(engine: Engine) -> None:
    our_tables()
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE people (id INTEGER, name TEXT)")
    before = describe(engine)
    with pytest.raises(WrongSchema, match=r"table people .* has no column"):
        schema.migrate(engine)
    assert describe(engine) == before


def test_the_version_of_another_program_is_not_taken_for_ours(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('ae1027a6acf')")
    with pytest.raises(WrongSchema, match="belongs to another program"):
        schema.migrate(engine)


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
    # It was running meanwhile, it starts again, and it may be asked by a command.
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
    """The last revision bears older programs, but the one before it did not."""
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
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said.decode()
    assert (folder / "ran.txt").read_text() == "once\n"
    assert read_version(engine) == Version(NEWER, 1)


def test_an_older_program_that_waited_for_a_newer_one_finds_it_done(
    engine: Engine, tmp_path: Path
) -> None:
    """It has seen an empty database before: what is there now it does not know."""
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
    """On PostgreSQL all others would queue behind it for as long as a transaction is open."""
    engine = db.connect(postgres.create(cluster, f"migrated{next(_numbers)}"))
    schema.migrate(engine)
    folder = write_revision(tmp_path / "revisions", oldest_code=1)
    with engine.begin() as connection:
        _read_links(connection)
        with start_newer(engine, folder) as process:
            try:
                _, said = process.communicate(timeout=30)
            finally:
                process.kill()  # who waits for ever fails, and does not hang
    engine.dispose()
    assert process.returncode > 0
    assert b"lock timeout" in said


def _read_links(connection: Connection) -> None:
    connection.execute(text("SELECT * FROM links")).all()


# -- waiting for others ----------------------------------------------------------------------------


def test_programs_from_before_there_were_versions_are_waited_for_on_sqlite(tmp_path: Path) -> None:
    """They make tables under this lock."""
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
    engine = db.connect(postgres.create(cluster, f"migrated{next(_numbers)}"))
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
    engine = db.connect(postgres.create(cluster, f"migrated{next(_numbers)}"))
    with ThreadPoolExecutor() as pool, engine.connect() as connection:
        connection.execute(text(f"SELECT pg_advisory_lock({schema.ADVISORY_LOCK})"))
        try:
            with pytest.raises(OperationalError, match="timeout"):
                pool.submit(schema.migrate, engine).result(10)
        finally:
            connection.invalidate()  # who waits for it fails, and does not hang
    engine.dispose()


# -- what makes nothing ----------------------------------------------------------------------------


def test_asking_makes_no_database(tmp_path: Path) -> None:
    engine = db.connect(f"sqlite:///{tmp_path / 'folder' / 'panel.db'}")
    with pytest.raises(WrongSchema, match="There is no database yet"):
        schema.require_current(engine)
    schema.refuse_newer(engine)
    engine.dispose()
    assert list(tmp_path.iterdir()) == []


def test_asking_upgrades_nothing(engine: Engine) -> None:
    make_old(engine)
    before = describe(engine)
    with pytest.raises(WrongSchema, match="start the panel or the worker once"):
        schema.require_current(engine)
    assert describe(engine) == before
