"""The lanes: places of passes, when tries are due, and the lane of each hook (2026-11-30).

An older program keeps hooks as before, in the first lane. An older worker does not see what a newer
program keeps: that waits until a newer worker executes.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
OLDEST_CODE = 1


def upgrade() -> None:
    """Columns of three tables; waiting passes stand in the first lane, in no order."""
    _add("hooks", "lane", sa.Integer(), "0")
    op.drop_index("hooks_by_status", "hooks")
    op.create_index("hooks_by_status", "hooks", ["status", "lane", "received_at"])
    op.create_index("hooks_by_end", "hooks", ["status", "finished_at"])
    _add("passes", "lane", sa.Integer(), "0")
    _add("passes", "position", sa.Integer(), "0")
    _add("passes", "due_at", sa.Float(), "0")
    op.create_index("passes_in_line", "passes", ["lane", "position"])
    _add("tasks", "due_at", sa.Float(), "0")


def _add(table: str, name: str, kind: sa.types.TypeEngine[Any], start: str) -> None:
    # With a default of the database: an older program names no such column.
    op.add_column(table, sa.Column(name, kind, nullable=False, server_default=start))
