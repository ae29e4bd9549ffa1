"""The table of nights: how far each nightly comparison came, so that it goes on after a restart.

A night without an end is under way. The process that executes passes runs them one at a time. Times
are epoch seconds.
"""

from dataclasses import asdict, dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    String,
    Table,
    Text,
    delete,
    func,
    select,
)

from panel.data.db import metadata, transaction, upsert

CONTACTS, MISSED, OFFICE, CLOSING = "contacts", "missed", "office", "closing"
NEXT_PHASE = {CONTACTS: MISSED, MISSED: OFFICE, OFFICE: CLOSING, CLOSING: CLOSING}
NIGHTS_KEPT_SECONDS = 90 * 86400.0

nights = Table(
    "nights",
    metadata,
    Column("begun_at", Float, primary_key=True),
    Column("ended_at", Float),
    Column("noted_at", Float, nullable=False),
    Column("phase", String(12), nullable=False),
    Column("place", BigInteger, nullable=False),
    Column("known", Integer, nullable=False),
    Column("contacts", Integer, nullable=False),
    Column("single", Integer, nullable=False),
    Column("wanted", Integer, nullable=False),
    Column("compared", Integer, nullable=False),
    Column("lined_up", Integer, nullable=False),
    Column("skipped", Integer, nullable=False),
    Column("withheld", Integer, nullable=False),
    Column("trouble", Text),
    Column("side", String(16)),
)


@dataclass(frozen=True)
class NightRow:
    """`place`: how far the phase has come: the page of contacts, or the last contact that was read.

    Counts: organizations `known` at its beginning; `contacts` read in bulk, and those read
    `single`; organizations `wanted` for the comparison with the back office, and `compared`; those
    `lined_up` for a pass; turns `skipped` because of a trouble; deletions `withheld`. `trouble`:
    the last trouble, and `side` the outside world that it came from. `noted_at`: the moment of the
    last progress.
    """

    begun_at: float
    noted_at: float
    ended_at: float | None = None
    phase: str = CONTACTS
    place: int = 0
    known: int = 0
    contacts: int = 0
    single: int = 0
    wanted: int = 0
    compared: int = 0
    lined_up: int = 0
    skipped: int = 0
    withheld: int = 0
    trouble: str | None = None
    side: str | None = None


class Nights:
    """Raises `Unreachable("database")`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def read_last(self) -> NightRow | None:
        """Return the night that began last, under way or ended."""
        with transaction(self._engine) as connection:
            return read_last(connection)

    def put(self, night: NightRow) -> None:
        with transaction(self._engine) as connection:
            connection.execute(upsert(self._engine, nights, asdict(night)))

    def prune(self, now: float) -> None:
        with transaction(self._engine) as connection:
            connection.execute(delete(nights).where(nights.c.begun_at < now - NIGHTS_KEPT_SECONDS))


def read_last(connection: Connection) -> NightRow | None:
    """See `Nights.read_last`."""
    row = connection.execute(select(nights).order_by(nights.c.begun_at.desc()).limit(1)).first()
    return NightRow(**row._mapping) if row else None


def find_last_end(connection: Connection) -> float | None:
    """Return the last moment at which a night ended."""
    ended_at: float | None = connection.scalar(select(func.max(nights.c.ended_at)))
    return ended_at
