"""Carrying out the revisions that a database lacks.

Loaded only when there is something to upgrade: Alembic is 4 MB in every process.
"""

import logging
from collections.abc import Iterable
from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection

from panel.data.migrations.version import write_oldest_code

log = logging.getLogger(__name__)
FOLDERS = [Path(__file__).parent / "versions"]


def upgrade(connection: Connection, target: str = "head") -> None:
    """Upgrade to a revision, in the transaction that the caller has begun: wholly, or not at all.

    A database without a version gets what it lacks of the first revision, then a version. Raises
    `WrongSchema` when a table there is not ours.
    """
    scripts = ScriptDirectory(str(FOLDERS[0]), version_locations=FOLDERS)
    context = MigrationContext.configure(connection)
    present = context.get_current_revision() or "base"
    for script in reversed(list(scripts.iterate_revisions(target, present))):
        if present != "base":  # a first start is not logged
            log.warning("upgrading the database to schema %s", script.revision)
        with Operations.context(context):
            script.module.upgrade()
        context.stamp(scripts, script.revision)
    write_oldest_code(connection, _find_oldest_code(scripts.walk_revisions()))


def _find_oldest_code(scripts: Iterable[Script]) -> int:
    """Return the oldest program that may run: a later revision never admits a program that an
    earlier one excluded."""
    return max(int(script.module.OLDEST_CODE) for script in scripts)
