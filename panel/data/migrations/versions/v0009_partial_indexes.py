"""Indexes of the few passes and people that need work (2026-11-30).

The other rows do not stand in them, so a search costs the same among twenty thousand organizations
as among a thousand.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
OLDEST_CODE = 1


def upgrade() -> None:
    """Four indexes for one."""
    op.drop_index("passes_in_line", "passes")
    in_line = ["lane", "position", "due_at", "waiting"]
    _create("passes_waiting", "passes", in_line, "waiting IS NOT NULL")
    _create("passes_running", "passes", ["organization"], "running IS NOT NULL")
    _create("passes_failing", "passes", ["side"], "reason IS NOT NULL")
    unsettled = "former_email IS NOT NULL OR merged_into != 0"
    _create("people_unsettled", "people", ["organization", "key"], unsettled)


def _create(name: str, table: str, columns: list[str], only: str) -> None:
    where = sa.text(only)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
