"""The tables as they were before there were versions (2026-11-23).

A database of that time has no version and some or all of them: each start made what was missing,
in many transactions on SQLite. So this step makes what is missing too.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem

from panel.data.migrations.version import WrongSchema

revision = "0001"
down_revision = None
OLDEST_CODE = 1


def upgrade() -> None:
    """Make the tables of words, people and links first; then those of hooks, of the access log, and
    of wrong proofs."""
    _make_links()
    _make_organizations()
    _make_people()
    _make_terms()
    _make_access_log()
    _make_attempts()
    _make_hooks()
    _make_passes()


def _make_links() -> None:
    _make_table(
        "links",
        sa.Column("scope", sa.String(12), nullable=False),
        sa.Column("subject", sa.BigInteger, nullable=False),
        sa.Column("organization", sa.BigInteger, nullable=False),
        sa.Column("said_by", sa.String(5), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("rests_on", sa.String(12), nullable=False),
        sa.Column("agent", sa.BigInteger),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("contact", sa.BigInteger, nullable=False),
        sa.Column("email", sa.Text),
        sa.Column("phone", sa.Text),
        sa.Column("identifier", sa.Text),
        sa.PrimaryKeyConstraint("scope", "subject", "organization", "said_by"),
    )
    _make_index("links", "contact")


def _make_organizations() -> None:
    _make_table(
        "organizations",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("billing_entity", sa.Text),
        sa.Column("plan", sa.Text),
        sa.Column("tax_id", sa.Text),
        sa.Column("email", sa.Text),
        sa.Column("phone", sa.String(16)),
        sa.Column("city", sa.Text),
        sa.Column("entitlement_status", sa.String(12), nullable=False),
        sa.Column("active_entitlements", sa.Integer, nullable=False),
        sa.Column("next_expiry", sa.Date),
    )
    _make_index("organizations", "email")
    _make_index("organizations", "phone")


def _make_people() -> None:
    _make_table(
        "people",
        sa.Column("organization", sa.BigInteger, nullable=False),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("contact", sa.BigInteger, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("email", sa.Text),
        sa.Column("phone", sa.String(16)),
        sa.Column("identifier", sa.Text),
        sa.PrimaryKeyConstraint("organization", "key"),
    )
    for column in ("contact", "email", "phone", "identifier"):
        _make_index("people", column)


def _make_terms() -> None:
    _make_table(
        "terms",
        # Both databases sort this column by bytes: a range of prefixes needs an order that knows no
        # language.
        sa.Column(
            "word",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("organization", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("word", "organization"),
    )
    _make_index("terms", "organization")


def _make_access_log() -> None:
    _make_table(
        "access_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("what", sa.String(16), nullable=False),
        sa.Column("agent", sa.BigInteger, nullable=False),
        sa.Column("conversation", sa.BigInteger, nullable=False),
        sa.Column("organization", sa.BigInteger, nullable=False),
        sa.Column("proof", sa.String(20), nullable=False),
        sa.Column("link", sa.String(12), nullable=False),
        sa.Column("source", sa.String(24), nullable=False),
        sa.Column("note", sa.String(200), nullable=False),
    )
    for column in ("at", "agent", "organization"):
        _make_index("access_log", column)


def _make_attempts() -> None:
    _make_table(
        "attempts",
        sa.Column("who", sa.String(32), nullable=False),
        sa.Column("minute", sa.BigInteger, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("who", "minute"),
    )
    _make_index("attempts", "minute")


def _make_hooks() -> None:
    _make_table(
        "hooks",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("hook_id", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(200), nullable=False),
        sa.Column("organization", sa.Integer),
        sa.Column("subject", sa.String(200)),
        sa.Column("occurred_at", sa.Float, nullable=False),
        sa.Column("received_at", sa.Float, nullable=False),
        sa.Column("status", sa.String(8), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("finished_at", sa.Float),
        sa.Column("pass_id", sa.String(40)),
        sa.UniqueConstraint("hook_id"),
        sqlite_autoincrement=True,  # a sequence number that was swept must not come again
    )
    _make_index("hooks", "organization", "status", "seq", name="hooks_of_organization")
    _make_index("hooks", "status", "received_at", name="hooks_by_status")


def _make_passes() -> None:
    _make_table(
        "passes",
        sa.Column("organization", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("waiting", sa.String(40)),
        sa.Column("running", sa.String(40)),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("first", sa.Integer, nullable=False),
    )


def _make_table(name: str, *parts: SchemaItem, **options: bool) -> None:
    """Make the table unless it exists. Raises `WrongSchema` when a table of that name is not
    ours."""
    inspector = sa.inspect(op.get_bind())
    if not inspector.has_table(name):
        op.create_table(name, *parts, **options)
        return
    columns = {column["name"] for column in inspector.get_columns(name)}
    for part in parts:
        if isinstance(part, sa.Column) and part.name not in columns:
            raise WrongSchema(
                f"The table {name} in the database has no column {part.name}, so it is another "
                "program's: set PANEL_DATABASE_URL to a database of the panel's own."
            )


def _make_index(table: str, *columns: str, name: str = "") -> None:
    op.create_index(name or f"ix_{table}_{columns[0]}", table, columns, if_not_exists=True)
