"""Erasures: marks of people whose contact was deleted in Chatwoot, and the marks' key (2026-11-30).

An older program makes such a contact again, as before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
OLDEST_CODE = 1


def upgrade() -> None:
    """Two tables."""
    op.create_table(
        "erasures",
        sa.Column("mark", sa.String(64), primary_key=True),
        sa.Column("contact", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("organization", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_table(
        "erasure_key",
        sa.Column("row", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(64), nullable=False),
    )
