"""The installation: the random id of this database, and whose mark Chatwoot's account had last.

The table has one row, which the first read makes. `sync/installation_mark` explains the mark.
"""

import secrets
from dataclasses import dataclass

from sqlalchemy import Column, Engine, Float, Integer, String, Table, Text, select, update

from panel.data.db import insert, metadata, transaction

ONLY_ROW = 1
ID_BYTES = 6

installation = Table(
    "installation",
    metadata,
    Column("row", Integer, primary_key=True, autoincrement=False),
    Column("id", String(32), nullable=False),
    Column("verdict", String(12)),
    Column("mark", Text),
    Column("checked_at", Float),
)


@dataclass(frozen=True)
class InstallationRow:
    """`verdict` and `mark`: as they were found at `checked_at` (epoch seconds); None before."""

    id: str
    verdict: str | None = None
    mark: str | None = None
    checked_at: float | None = None


class Installation:
    """Raises `Unreachable("database")`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def read(self) -> InstallationRow:
        """Return our row. Several processes may make it at once: the first one that is stored
        stays."""
        columns = [column for column in installation.c if column.name != "row"]
        with transaction(self._engine) as connection:
            row = connection.execute(select(*columns)).mappings().first()
            if row is None:
                values = {"row": ONLY_ROW, "id": secrets.token_hex(ID_BYTES)}
                new = insert(self._engine.dialect.name, installation).values(**values)
                connection.execute(new.on_conflict_do_nothing())
                row = connection.execute(select(*columns)).mappings().one()
            return InstallationRow(**row)

    def note_mark(self, verdict: str, mark: str, at: float) -> None:
        """Note the mark that was found in Chatwoot."""
        self.read()
        values = {"verdict": verdict, "mark": mark, "checked_at": at}
        with transaction(self._engine) as connection:
            connection.execute(update(installation).values(**values))
