"""The schema in numbered steps: from every state that there was, on both databases."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, text

from panel.auth.throttle import Throttle, limit_failures
from panel.data import db, dead_letters, inbox, pass_states, schema
from panel.data.audit_log import AuditEntry, AuditLog
from panel.data.delivery_log import CHATWOOT, PLUGIN, DeliveryLog, Tally
from panel.data.directory import Directory
from panel.data.links import CONVERSATION, PICKED, REFUSED, Link, Links
from panel.data.migrations import upgrade, version
from panel.data.migrations.version import Version, WrongSchema
from panel.data.search_index import SearchIndex
from tests.data.newer import our_tables
from tests.data.old_databases import (
    ADDED,
    describe,
    engine,
    make_old,
    read_rows,
    read_version,
    run_file,
)
from tests.waiting import list_waiting

__all__ = ["engine"]  # a fixture


def differences(engine: Engine) -> list[Any]:
    """Return the differences between the models and the database."""
    expected = MetaData()
    for table in (*our_tables().sorted_tables, version.compatibility):
        table.to_metadata(expected)
    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), expected))


# -- the revisions ---------------------------------------------------------------------


def test_the_revisions_make_what_the_models_say(engine: Engine) -> None:
    """A difference means that a table was changed without a revision, or a revision without its
    table."""
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
            assert [bool(flag) for flag in shared] == [True]
        disclosed = set(connection.scalars(text("SELECT disclosed FROM links")))
        assert [bool(flag) for flag in disclosed] == [False]


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
    [pick, match_link] = sorted(Links(engine).find(101, 301), key=lambda link: link.organization)
    assert (pick.state, pick.agent, pick.at) == (PICKED, 2, 1795000000.25)
    assert (match_link.organization, match_link.rests_on) == (45, "email")
    directory = Directory(engine)
    assert sorted(directory.list_organizations()) == [42, 9000000001]
    [hit] = SearchIndex(engine).find("ação").rows
    assert (hit.organization, hit.matched) == (42, {"name": "acao"})
    [entry] = AuditLog(engine).list_entries()
    assert (entry.agent, entry.note) == (2, "não é nada")
    with engine.connect() as connection:
        assert inbox.count_hooks(connection, 1795000007.0).buried == 1
        assert list_waiting(connection) == {42: 5}
        assert [burial.id for burial in dead_letters.list_buried(connection)] == ["pass-1"]
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
        assert list_waiting(connection) == {}


def test_a_database_that_was_being_made_gets_the_rest(engine: Engine) -> None:
    """Before there were versions each table was committed alone, so a death left only some of
    them."""
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


# -- starts that make no database
# -------------------------------------------------------------------------


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
