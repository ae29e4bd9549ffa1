"""What each agent prefers: the order of the sections, and which of them are collapsed.

The one owner of the table `preferences`. A row stays until its agent changes it: it holds no data
of a customer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Engine, Float, String, Table, select

from panel.data.db import metadata, transaction, upsert

preferences = Table(
    "preferences",
    metadata,
    Column("agent", BigInteger, primary_key=True, autoincrement=False),
    Column("ordered", String(200), nullable=False),
    Column("collapsed", String(200), nullable=False),
    Column("changed_at", Float, nullable=False),
)


@dataclass(frozen=True)
class Preference:
    """Names of sections: `ordered` from the top, empty for the usual order."""

    ordered: tuple[str, ...] = ()
    collapsed: frozenset[str] = frozenset()

    def arrange(self, names: Sequence[str]) -> list[str]:
        """The sections that there are, in this order; one that it does not know keeps its place
        behind those."""
        known = [name for name in self.ordered if name in names]
        return [*known, *(name for name in names if name not in known)]


class Preferences:
    """Raises `Unreachable("database")`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, agent: int) -> Preference:
        with transaction(self._engine) as connection:
            mine = select(preferences).where(preferences.c.agent == agent)
            row = connection.execute(mine).one_or_none()
        if row is None:
            return Preference()
        return Preference(tuple(row.ordered.split()), frozenset(row.collapsed.split()))

    def keep(self, agent: int, preference: Preference, now: float) -> None:
        row = {
            "agent": agent,
            "ordered": " ".join(preference.ordered),
            "collapsed": " ".join(sorted(preference.collapsed)),
            "changed_at": now,
        }
        with transaction(self._engine) as connection:
            connection.execute(upsert(self._engine, preferences, row))
