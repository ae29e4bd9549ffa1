"""Generations of agents, disclosed picks, shared phones (2026-11-29).

An older program writes rows without the new columns. Its picks may not be disclosed, and its phones
prove nobody, until a pass of this version has looked at them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
OLDEST_CODE = 1


def upgrade() -> None:
    """A table of generations of agents, and a column of links, of people and of organizations."""
    op.create_table(
        "agent_generations",
        sa.Column("agent", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("generation", sa.Integer, nullable=False),
    )
    _add("links", "disclosed", sa.false())
    _add("organizations", "phone_shared", sa.true())
    _add("people", "phone_shared", sa.true())


def _add(table: str, name: str, otherwise: sa.ColumnElement[bool]) -> None:
    op.add_column(table, sa.Column(name, sa.Boolean, nullable=False, server_default=otherwise))
