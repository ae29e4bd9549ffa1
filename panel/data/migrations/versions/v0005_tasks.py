"""Tasks, why a pass failed last, how hooks are settled, workers, the installation (2026-11-30).

An older program keeps hooks and passes as before: it runs no tasks, and settles nothing.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
OLDEST_CODE = 1


def upgrade() -> None:
    """Three tables, and columns of hooks and of passes."""
    _make_tasks()
    op.create_table(
        "workers",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("beat_at", sa.Float, nullable=False),
        sa.Column("ended_at", sa.Float),
    )
    op.create_table(
        "installation",
        sa.Column("row", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("verdict", sa.String(12)),
        sa.Column("mark", sa.Text),
        sa.Column("checked_at", sa.Float),
    )
    _add("hooks", side=sa.String(16), settled_at=sa.Float(), settled_by=sa.Text())
    _add("passes", reason=sa.Text(), side=sa.String(16), tried_at=sa.Float())


def _add(table: str, **columns: sa.types.TypeEngine[Any]) -> None:
    for name, kind in columns.items():
        op.add_column(table, sa.Column(name, kind))


def _make_tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("kind", sa.String(8), primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("waiting", sa.String(40)),
        sa.Column("running", sa.String(40)),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("asked_at", sa.Float, nullable=False),
        sa.Column("organization", sa.Integer),
        sa.Column("done_at", sa.Float),
        sa.Column("reason", sa.Text),
        sa.Column("side", sa.String(16)),
        sa.Column("tried_at", sa.Float),
    )
