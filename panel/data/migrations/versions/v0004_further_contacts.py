"""Several contacts of one person, and what an administrator has to know of some (2026-11-30).

Older programs see each person's first contact alone, as before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
OLDEST_CODE = 1


def upgrade() -> None:
    """A table of further contacts, and two columns of people."""
    op.create_table(
        "further_contacts",
        sa.Column("organization", sa.BigInteger, nullable=False),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("contact", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("organization", "key", "contact"),
    )
    op.create_index("ix_further_contacts_contact", "further_contacts", ["contact"])
    op.add_column("people", sa.Column("former_email", sa.Text))
    zero = sa.text("0")
    op.add_column(
        "people", sa.Column("merged_into", sa.BigInteger, nullable=False, server_default=zero)
    )
