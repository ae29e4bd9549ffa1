"""Carrying out the revisions that a database lacks.

Loaded only when there is something to upgrade: Alembic is 8 MB in every process.
"""

import logging
from collections.abc import Iterable
from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, MetaData, inspect

from panel.data.migrations.version import WrongSchema, write_oldest_code

log = logging.getLogger(__name__)
FOLDERS = [Path(__file__).parent / "versions"]


def upgrade(connection: Connection, expected: MetaData) -> None:
    """All of it in the transaction that the caller has begun, or nothing.

    A database without a version gets what it lacks of the first revision, then a version.
    Raises `WrongSchema` when it then has not the tables of `expected`: they are not ours.
    """
    scripts = ScriptDirectory(str(FOLDERS[0]), version_locations=[str(each) for each in FOLDERS])
    context = MigrationContext.configure(connection)
    done = context.get_current_revision() or "base"
    missing = list(scripts.iterate_revisions("heads", done))
    for script in reversed(missing):
        log.warning("upgrading the database to schema %s", script.revision)
        with Operations.context(context):
            script.module.upgrade()
        context.stamp(scripts, script.revision)
    write_oldest_code(connection, _find_oldest_code(scripts.walk_revisions()))
    _refuse_strange_tables(connection, expected)


def _find_oldest_code(scripts: Iterable[Script]) -> int:
    return max(int(script.module.OLDEST_CODE) for script in scripts)


def _refuse_strange_tables(connection: Connection, expected: MetaData) -> None:
    """Names were compared so far: a table of another program may have one of ours."""
    found = inspect(connection)
    for table in expected.sorted_tables:
        columns = {column["name"] for column in found.get_columns(table.name)}
        lacking = [column.name for column in table.columns if column.name not in columns]
        if lacking:
            raise WrongSchema(
                f"The table {table.name} of the database has no column {lacking[0]}: it is not "
                "this program's. Nothing was changed; set PANEL_DATABASE_URL to another database."
            )
