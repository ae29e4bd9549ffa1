"""The hooks that wait in the inbox."""

from sqlalchemy import Connection, func, select

from panel.data.inbox import WAITING, hooks


def list_waiting(connection: Connection) -> dict[int, int]:
    """Return the organizations with waiting hooks, each with the highest sequence among its
    hooks."""
    rows = connection.execute(
        select(hooks.c.organization, func.max(hooks.c.seq))
        .where(hooks.c.status == WAITING)
        .group_by(hooks.c.organization)
    )
    return {row[0]: row[1] for row in rows}
