"""Readings: when the back office was read last for each organization, and a digest of its answer.

The longest unread organization has the next turn. Times are epoch seconds.
"""

from collections.abc import Collection
from datetime import date
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Float,
    Select,
    String,
    Table,
    and_,
    delete,
    func,
    or_,
    select,
    update,
)

from panel.data.db import insert, metadata, transaction
from panel.data.directory import organizations
from panel.data.inbox_tables import BURIED, hooks

readings = Table(
    "readings",
    metadata,
    Column("organization", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", String(32)),
    Column("read_at", Float, nullable=False, default=0.0),
    Column("tried_at", Float, nullable=False, default=0.0),
    Column("gone_at", Float, nullable=False, default=0.0),
)


class Readings:
    """Raises `Unreachable("database")`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find_digest(self, organization: int) -> str | None:
        with transaction(self._engine) as connection:
            condition = readings.c.organization == organization
            return connection.scalar(select(readings.c.digest).where(condition))

    def note_read(self, organization: int, digest: str, at: float) -> None:
        """Note that a pass wrote this answer into Chatwoot, or that a comparison found the same
        one."""
        self._put(organization, digest=digest, read_at=at, gone_at=0.0)

    def note_turn(self, organization: int, at: float) -> None:
        """Note that the organization had its turn of this night, whatever the result."""
        self._put(organization, tried_at=at)

    def note_gone(self, organization: int, at: float) -> None:
        """Note that the organization is gone: the plugin called it deleted, and the back office
        does not know it."""
        self._put(organization, tried_at=at, gone_at=at)

    def bring_forward(self, organizations: Collection[int]) -> None:
        """Give these organizations the first turns of the next night."""
        condition = and_(readings.c.organization.in_(organizations), readings.c.read_at > 0)
        with transaction(self._engine) as connection:
            connection.execute(update(readings).where(condition).values(read_at=0.0))

    def forget(self, organization: int) -> None:
        with transaction(self._engine) as connection:
            condition = readings.c.organization == organization
            connection.execute(delete(readings).where(condition))

    def _put(self, organization: int, **values: str | float) -> None:
        row = {"organization": organization, **values}
        new = insert(self._engine.dialect.name, readings).values(**row)
        with transaction(self._engine) as connection:
            connection.execute(
                new.on_conflict_do_update(index_elements=["organization"], set_=values)
            )

    # -- of a night ------------------------------------------------------------------------------

    def list_next(self, begun_at: float, most: int) -> list[int]:
        """Return organizations that had no turn since then, the longest unread one first."""
        read_at = func.coalesce(readings.c.read_at, 0.0)
        had_turn = or_(readings.c.tried_at >= begun_at, readings.c.read_at >= begun_at)
        join = organizations.outerjoin(readings, readings.c.organization == organizations.c.id)
        without_turn = or_(readings.c.organization.is_(None), ~had_turn)
        query = select(organizations.c.id).select_from(join).where(without_turn)
        with transaction(self._engine) as connection:
            first = query.order_by(read_at, organizations.c.id).limit(most)
            return list(connection.scalars(first))

    def list_turned(self, since: float, first: int, most: int) -> list[int]:
        """Return known organizations from number `first` on that were read or had a turn since
        then."""
        had_turn = or_(readings.c.tried_at >= since, readings.c.read_at >= since)
        query = select(readings.c.organization).where(had_turn, readings.c.organization >= first)
        rows = query.where(readings.c.organization.in_(select(organizations.c.id)))
        with transaction(self._engine) as connection:
            return list(connection.scalars(rows.order_by(readings.c.organization).limit(most)))

    def count_known(self) -> int:
        """Count the organizations that a pass has seen."""
        with transaction(self._engine) as connection:
            return connection.scalar(select(func.count()).select_from(organizations)) or 0

    def list_gone(self, since: float) -> list[int]:
        """Return known organizations that were found gone since then."""
        query = select(readings.c.organization).where(readings.c.gone_at >= since)
        return self._list_known(query)

    def list_by_hook(self, kind: str) -> list[int]:
        """Return known organizations of which a hook of this kind ever came."""
        return self._list_known(select(hooks.c.organization).where(hooks.c.kind == kind))

    def list_needy(self, today: date) -> list[int]:
        """Return known organizations that need a pass although no hook asks for it: hooks of theirs
        were given up, or an expiry has passed."""
        of_buried_hooks = and_(hooks.c.status == BURIED, hooks.c.organization.is_not(None))
        expired = organizations.c.next_expiry < today
        return self._list_known(
            select(hooks.c.organization).where(of_buried_hooks),
            select(organizations.c.id).where(expired),
        )

    def _list_known(self, *queries: Select[Any]) -> list[int]:
        condition = or_(*(organizations.c.id.in_(ids) for ids in queries))
        query = select(organizations.c.id).where(condition).order_by(organizations.c.id)
        with transaction(self._engine) as connection:
            return list(connection.scalars(query))
