"""How deliveries of the plugin and of Chatwoot were answered (2026-11-30).

When the last one was accepted is taken from the hooks that were kept so far.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
OLDEST_CODE = 1

# Our own hooks have an id that begins with their kind.
KEPT = {
    "chatwoot": "kind LIKE 'chatwoot.%'",
    "plugin": "kind NOT LIKE 'chatwoot.%' AND hook_id NOT LIKE kind || ':%'",
}


def upgrade() -> None:
    """Make the table, and a row for each sender whose hooks were kept."""
    op.create_table(
        "deliveries",
        sa.Column("sender", sa.String(8), primary_key=True),
        sa.Column("answer", sa.String(20), primary_key=True),
        sa.Column("minute", sa.BigInteger, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("last_at", sa.Float, nullable=False),
    )
    for sender, condition in KEPT.items():
        last_kept = (
            f"SELECT '{sender}', 'accepted', CAST(max(received_at) / 60 AS BIGINT), 0, "  # noqa: S608
            f"max(received_at) FROM hooks WHERE {condition} HAVING max(received_at) IS NOT NULL"
        )
        op.execute(f"INSERT INTO deliveries (sender, answer, minute, count, last_at) {last_kept}")
