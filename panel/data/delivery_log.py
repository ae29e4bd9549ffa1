"""The delivery log: our answers to the deliveries of the plugin and Chatwoot, over all processes.

The one owner of the table `deliveries`: the count and the last time, by sender, answer and minute.
Strangers can send us floods, so a process writes once in ten seconds at most, and no request waits
for that. Counts that a process has not written when it dies are lost.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    String,
    Table,
    and_,
    case,
    delete,
    func,
    select,
)

from panel.data.db import insert, metadata, transaction
from panel.errors import PanelError

log = logging.getLogger(__name__)

CHATWOOT, PLUGIN, AGENTS = "chatwoot", "plugin", "agents"  # the senders
ACCEPTED = "accepted"
PROBE = "probe"  # the sender of a row that is removed at once
WRITE_EVERY_SECONDS = 10.0
COUNTED_MINUTES = 60
MOST_UNWRITTEN = 1000  # remembered while the database is away

deliveries = Table(
    "deliveries",
    metadata,
    Column("sender", String(8), primary_key=True),
    Column("answer", String(20), primary_key=True),
    Column("minute", BigInteger, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("last_at", Float, nullable=False),
)
Key = tuple[str, str, int]  # sender, answer, minute since the epoch


@dataclass(frozen=True)
class Tally:
    """The number of times an answer was given in the last hour, and the last time it was given,
    however long ago."""

    count: int
    last_at: float


class DeliveryLog:
    """Safe for threads. `engine` may be one of `db.connect_without_sync`."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock
        self._lock = threading.Lock()  # guards the next three fields; it is held for a moment only
        self._unwritten: dict[Key, Tally] = {}
        self._timer: threading.Timer | None = None
        self._next_write = 0.0
        self._writing = threading.Lock()  # held while the database is asked
        self._unwritable_until = 0.0

    def count(self, sender: str, answer: str) -> None:
        """Count one delivery. The count is written at once, or ten seconds after the last write."""
        now = self._clock()
        with self._lock:
            self._add((sender, answer, int(now // 60)), Tally(1, now))
            if self._timer is None:
                delay = max(0.0, self._next_write - now)
                self._timer = threading.Timer(delay, self._write_in_time)
                self._timer.daemon = True
                self._timer.start()

    def read(self, sender: str) -> dict[str, Tally]:
        """Return every answer that the sender ever got. Raises `Unreachable("database")`.

        Counts that are not written yet are missing where the database refused a write a moment ago.
        """
        if self._clock() >= self._unwritable_until:
            self.flush()
        recent = deliveries.c.minute > int(self._clock() // 60) - COUNTED_MINUTES
        columns = (
            deliveries.c.answer,
            func.sum(case((recent, deliveries.c.count), else_=0)),
            func.max(deliveries.c.last_at),
        )
        tallied = select(*columns).where(deliveries.c.sender == sender)
        with transaction(self._engine) as connection:
            rows = connection.execute(tallied.group_by(deliveries.c.answer))
            return {answer: Tally(int(count), last_at) for answer, count, last_at in rows}

    def flush(self) -> None:
        """Write this process's counts. Raises `Unreachable("database")`; then the counts are
        kept."""
        # A read that waits here finds the counts that another thread was writing.
        with self._writing:
            with self._lock:
                batch, self._unwritten = self._unwritten, {}
            if not batch:
                return
            try:
                with transaction(self._engine) as connection:
                    _write(connection, batch)
            except PanelError:
                with self._lock:
                    for key, tally in batch.items():
                        self._add(key, tally)
                raise

    def prove_writable(self) -> None:
        """Write a row to the disk and remove it again. Raises `Unreachable("database")`.

        A row that is rolled back would never reach the disk, and a full disk would go unnoticed.
        """
        key = {"sender": PROBE, "answer": PROBE, "minute": secrets.randbits(48)}
        probe = and_(deliveries.c.sender == PROBE, deliveries.c.minute == key["minute"])
        self._unwritable_until = self._clock() + WRITE_EVERY_SECONDS
        with transaction(self._engine) as connection:
            connection.execute(deliveries.insert(), {**key, "count": 0, "last_at": 0.0})
            connection.execute(delete(deliveries).where(probe))
        self._unwritable_until = 0.0

    def stop(self) -> None:
        """Write the remaining counts at the end of the process; later deliveries are not
        counted."""
        with self._lock:
            timer = self._timer
        if timer is not None:
            timer.cancel()
            timer.join()  # the timer's thread may be writing already
        self._try_to_flush()

    def _write_in_time(self) -> None:
        with self._lock:
            self._timer = None
            self._next_write = self._clock() + WRITE_EVERY_SECONDS
        self._try_to_flush()

    def _try_to_flush(self) -> None:
        try:
            self.flush()
        except PanelError as error:
            log.warning("deliveries cannot be counted in the database: %s", error.code)

    def _add(self, key: Key, more: Tally) -> None:
        sum_so_far = self._unwritten.get(key, Tally(0, 0.0))
        self._unwritten[key] = Tally(
            sum_so_far.count + more.count, max(sum_so_far.last_at, more.last_at)
        )
        while len(self._unwritten) > MOST_UNWRITTEN:
            self._unwritten.pop(next(iter(self._unwritten)))


def _write(connection: Connection, tallies: Mapping[Key, Tally]) -> None:
    new = insert(connection.dialect.name, deliveries)
    later = case(
        (new.excluded.last_at > deliveries.c.last_at, new.excluded.last_at),
        else_=deliveries.c.last_at,
    )
    upsert = new.on_conflict_do_update(
        index_elements=["sender", "answer", "minute"],
        set_={"count": deliveries.c.count + new.excluded.count, "last_at": later},
    )
    # Sorted, so that two processes that write the same rows never wait for each other.
    rows = [
        {"sender": sender, "answer": answer, "minute": minute, **vars(tallies[key])}
        for key in sorted(tallies)
        for sender, answer, minute in [key]
    ]
    connection.execute(upsert, rows)
    for sender, answer, minute in sorted(tallies):
        # The newest row of an answer stays, however old: it tells when the answer was given last.
        older = deliveries.c.minute <= minute - COUNTED_MINUTES
        same = and_(deliveries.c.sender == sender, deliveries.c.answer == answer)
        connection.execute(delete(deliveries).where(same, older))
