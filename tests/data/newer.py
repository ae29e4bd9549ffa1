"""A program that is one schema ahead of us; the test writes its second revision.

As a process: `python -m tests.data.newer URL FOLDER` upgrades the database as its start would.
"""

import os
import sys
from pathlib import Path

from sqlalchemy import MetaData

from panel.auth import revocation, throttle
from panel.data import (
    audit_log,
    db,
    delivery_log,
    directory,
    inbox,
    installation,
    links,
    nights,
    notes,
    preferences,
    readings,
    schema,
    search_index,
    sightings,
    tasks,
    workers,
)
from panel.data.migrations import upgrade, version

NEWER = version.SCHEMA + 1  # until a test changes it
OWNERS = (
    *(audit_log, delivery_log, directory, inbox, installation, links, revocation, search_index),
    *(nights, notes, preferences, readings, sightings, tasks, throttle, workers),
)

REVISION = """
import time
from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision, down_revision, OLDEST_CODE = "{new}", "{old}", {oldest_code}
here = Path(__file__).parent


def upgrade():
    op.create_table("notes", sa.Column("id", sa.Integer, primary_key=True))
    op.add_column("links", sa.Column("note", sa.Text, nullable=False, server_default="none"))
    op.execute("UPDATE links SET note = 'kept' WHERE agent IS NOT NULL")
    with (here / "ran.txt").open("a") as file:
        file.write("once\\n")
    while (here / "wait.txt").exists():
        time.sleep(0.01)
    op.create_index("ix_links_note", "links", ["note"])
"""


def write_revision(folder: Path, oldest_code: int) -> Path:
    """Write a revision that adds a table, a column, a value and an index; returns the folder."""
    folder.mkdir(exist_ok=True)
    numbers = {"new": f"{NEWER:04}", "old": f"{NEWER - 1:04}", "oldest_code": oldest_code}
    (folder / f"v{NEWER:04}_notes.py").write_text(REVISION.format(**numbers))
    return folder


def our_tables() -> MetaData:
    """Return the tables of every owner, also where a single test runs."""
    assert all(OWNERS)
    return db.metadata


def main(url: str, folder: str) -> None:
    version.SCHEMA = NEWER
    upgrade.FOLDERS.append(Path(folder))
    Path(folder, f"started.{os.getpid()}").touch()
    database = db.connect(url)
    schema.migrate(database)
    database.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:])
