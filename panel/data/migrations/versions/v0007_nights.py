"""Nights, when each organization was read last, and when each contact was seen last (2026-11-30).

An older program reads every contact each night, as before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
OLDEST_CODE = 1


def upgrade() -> None:
    """Three tables."""
    op.create_table(
        "nights",
        sa.Column("begun_at", sa.Float, primary_key=True),
        sa.Column("ended_at", sa.Float),
        sa.Column("noted_at", sa.Float, nullable=False),
        sa.Column("phase", sa.String(12), nullable=False),
        sa.Column("place", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in _COUNTS),
        sa.Column("trouble", sa.Text),
        sa.Column("side", sa.String(16)),
    )
    op.create_table(
        "readings",
        sa.Column("organization", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(32)),
        sa.Column("read_at", sa.Float, nullable=False),
        sa.Column("tried_at", sa.Float, nullable=False),
        sa.Column("gone_at", sa.Float, nullable=False),
    )
    op.create_table(
        "sightings",
        sa.Column("contact", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("told", sa.String(32), nullable=False),
        sa.Column("shown", sa.String(32)),
        sa.Column("seen_at", sa.Float, nullable=False),
    )


_COUNTS = ("known", "contacts", "single", "wanted", "compared", "lined_up", "skipped", "withheld")
