"""Agents' preferences: the order of the sections, and the collapsed ones.

The one owner of the table `preferences`. Rows hold no data of a customer, so they stay until their
agent changes them.
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
    """The names of sections: `ordered` from the top; empty for the usual order."""

    ordered: tuple[str, ...] = ()
    collapsed: frozenset[str] = frozenset()

    def arrange(self, names: Sequence[str]) -> list[str]:
        """Return the sections in this order. Sections that the preference does not name follow, in
        their given order."""
        first = [name for name in self.ordered if name in names]
        return [*first, *(name for name in names if name not in first)]


class Preferences:
    """Raises `Unreachable("database")`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, agent: int) -> Preference:
        with transaction(self._engine) as connection:
            query = select(preferences).where(preferences.c.agent == agent)
            row = connection.execute(query).one_or_none()
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
