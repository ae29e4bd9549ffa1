"""What ends an agent's seals and sessions; which picks may be told to Chatwoot (2026-11-29).

An older program writes links without the new column, which then says no.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
OLDEST_CODE = 1


def upgrade() -> None:
    """A table of generations of agents, and a column of links."""
    op.create_table(
        "agent_generations",
        sa.Column("agent", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("generation", sa.Integer, nullable=False),
    )
    op.add_column(
        "links", sa.Column("disclosed", sa.Boolean, nullable=False, server_default=sa.false())
    )
