"""Reserved for a step that is being written at the same time, which replaces this module."""

revision = "0010"
down_revision = "0009"
OLDEST_CODE = 1


def upgrade() -> None:
    """Nothing."""
