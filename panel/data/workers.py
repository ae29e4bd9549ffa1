"""The table of workers: every process that may execute passes writes its own state.

Without it a worker that is missing, dead, frozen or standing by looks like one that works. A row is
written about every ten seconds, and waits for no disk. The times are the database's: the clocks of
two machines may differ.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Column, Connection, Engine, Float, String, Table, delete, select, text

from panel.data.db import metadata, transaction, upsert

# `state` of a row. HELD_BACK: another installation writes into the account.
STANDING_BY, EXECUTING, HELD_BACK, STOPPED = "standing_by", "executing", "held_back", "stopped"
BEAT_SECONDS = 10.0
FORGOTTEN_SECONDS = 24 * 3600.0  # the row of a silent worker is removed after this time
_POSTGRESQL_NOW = text("SELECT extract(epoch FROM clock_timestamp())::float")

workers = Table(
    "workers",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("state", String(12), nullable=False),
    Column("since", Float, nullable=False),
    Column("beat_at", Float, nullable=False),
    Column("ended_at", Float),
)


@dataclass(frozen=True)
class WorkerRow:
    """`name`: machine and process; `since`: the beginning of this `state`; `beat_at`: the last
    beat.

    `ended_at`: when a try of a pass or of a task ended there last. Times are epoch seconds.
    """

    name: str
    state: str
    since: float
    beat_at: float
    ended_at: float | None = None


class Workers:
    """Raises `Unreachable("database")`. `engine` may be one of `db.connect_without_sync`."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock

    def put(self, name: str, state: str, has_ended: bool = False) -> None:
        """Write this worker's state; `has_ended`: a try ended since the last call.

        The rows of workers that were silent for a day are deleted.
        """
        with transaction(self._engine) as connection:
            now = self._read_time(connection)
            before = connection.execute(select(workers).where(workers.c.name == name)).first()
            since = before.since if before and before.state == state else now
            ended_at = now if has_ended else before.ended_at if before else None
            row = WorkerRow(name, state, since, now, ended_at)
            connection.execute(upsert(self._engine, workers, vars(row)))
            connection.execute(delete(workers).where(workers.c.beat_at < now - FORGOTTEN_SECONDS))

    def list_rows(self) -> tuple[list[WorkerRow], float]:
        """Return the rows of the last day, the latest beat first; and the present time of their
        clock."""
        with transaction(self._engine) as connection:
            rows = connection.execute(select(workers).order_by(workers.c.beat_at.desc()))
            return [WorkerRow(**row) for row in rows.mappings()], self._read_time(connection)

    def _read_time(self, connection: Connection) -> float:
        if connection.dialect.name == "sqlite":  # then the database is on this machine
            return self._clock()
        return float(connection.scalar(_POSTGRESQL_NOW) or 0.0)
