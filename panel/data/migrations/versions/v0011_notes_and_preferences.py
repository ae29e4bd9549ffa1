"""Notes that agents had written, and what each agent prefers (2026-11-30).

An older program writes no notes and shows the usual order.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
OLDEST_CODE = 1


def upgrade() -> None:
    """Two tables."""
    op.create_table(
        "private_notes",
        sa.Column("conversation", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("mark", sa.String(48), primary_key=True),
        sa.Column("begun_at", sa.Float, nullable=False),
        sa.Column("leased_until", sa.Float, nullable=False),
        sa.Column("written_at", sa.Float),
    )
    op.create_table(
        "preferences",
        sa.Column("agent", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("ordered", sa.String(200), nullable=False),
        sa.Column("collapsed", sa.String(200), nullable=False),
        sa.Column("changed_at", sa.Float, nullable=False),
    )
