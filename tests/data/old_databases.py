"""Databases of older programs, and a newer program that upgrades them."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from panel.data import (
    db,
    erasures,
    installation,
    nights,
    notes,
    preferences,
    readings,
    sightings,
    tasks,
    workers,
)
from panel.data.migrations import version
from panel.data.migrations.version import Version
from panel.data.verification_tries import verification_tries
from panel.data.verifications import verifications
from tests import postgres
from tests.data.newer import our_tables

FIXTURES = Path(__file__).parent / "fixtures"
numbers = count(1)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        new_engine = db.connect(f"sqlite:///{tmp_path / 'new folder' / 'panel.db'}")
        Path(str(new_engine.url.database)).parent.mkdir()
    else:
        cluster = request.getfixturevalue("cluster")
        new_engine = db.connect(postgres.create(cluster, f"migrated{next(numbers)}"))
    yield new_engine
    new_engine.dispose()


def run_file(engine: Engine, name: str) -> None:
    statements = (FIXTURES / name).read_text(encoding="utf-8").split(";\n")
    with engine.begin() as connection:
        for statement in statements:
            if statement.strip():
                connection.exec_driver_sql(statement)


def make_old(engine: Engine) -> None:
    """Make a database as the panel of 2026-11-23 left it."""
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
    """Return every row of ours, in the columns of the first revision."""
    fields = {}
    with engine.connect() as connection:
        for table in our_tables().sorted_tables:
            columns = [column for column in table.c if f"{table.name}.{column.name}" not in ADDED]
            if columns:
                rows = connection.execute(select(*columns))
                fields[table.name] = sorted((tuple(row) for row in rows), key=repr)
    return fields


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
    """Return the catalogue's description of each table, to compare before and after."""
    fields: dict[str, list[str]] = {}
    with engine.connect() as connection:
        for question in CATALOGUE[engine.dialect.name]:
            for table, *rest in connection.execute(text(question)):
                fields.setdefault(table, []).append(" ".join(" ".join(map(str, rest)).split()))
    return {table: sorted(rest) for table, rest in fields.items()}
