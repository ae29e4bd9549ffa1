"""Verifications, tries to verify, and the rights that people lack (2026-11-30).

An older program opens nothing that was verified: it does not know such a seal.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
OLDEST_CODE = 1


def upgrade() -> None:
    """Two tables, a column."""
    op.create_table(
        "verifications",
        sa.Column("conversation", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("organization", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(8), primary_key=True),
        sa.Column("token", sa.String(16), nullable=False),
        sa.Column("opens", sa.Boolean, nullable=False),
        sa.Column("note", sa.String(200), nullable=False),
        sa.Column("contact", sa.BigInteger, nullable=False, index=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("agent", sa.BigInteger, nullable=False),
        sa.Column("agent_proven", sa.Boolean, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
    )
    op.create_table(
        "verification_tries",
        sa.Column("contact", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("organization", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("times", sa.Text, nullable=False),
        sa.Column("last", sa.Float, nullable=False),
        sa.Column("searched", sa.String(64), nullable=False),
    )
    op.add_column("people", sa.Column("lacks", sa.Text))
