"""Recent hooks of an organization, since an agent looked at it last; read in one query."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Float, Integer, Select, bindparam, cast, func, select

from panel.data.audit_log import SHOWN, access_log
from panel.data.db import transaction
from panel.data.inbox import IGNORED, hooks

MOST_HOOKS = 40  # the newest ones; the panel shows the last one of each record


@dataclass(frozen=True)
class RecentHook:
    """A hook; `subject`: the id of the record that it names, else empty."""

    kind: str
    subject: str


@dataclass(frozen=True)
class Recent:
    """`since`: epoch seconds; `hooks`: the newest first."""

    since: float = 0.0
    hooks: tuple[RecentHook, ...] = ()


def _make_query() -> Select[Any]:
    asked_id, before = bindparam("organization", type_=Integer), bindparam("before", type_=Float)
    last_shown = (
        select(func.max(access_log.c.at))
        .where(access_log.c.organization == asked_id)
        .where(access_log.c.what == SHOWN, access_log.c.at < before)
        .scalar_subquery()
    )
    since = func.coalesce(last_shown, cast(bindparam("otherwise", type_=Float), Float))
    return (
        select(hooks.c.kind, hooks.c.subject, since.label("since"))
        .where(hooks.c.organization == asked_id, hooks.c.status != IGNORED)
        .where(hooks.c.received_at > since)
        .order_by(hooks.c.seq.desc())
        .limit(MOST_HOOKS)
    )


_SELECT_NEWEST = _make_query()  # built once, because every opening runs it


def find_recent(engine: Engine, organization: int, before: float, otherwise: float) -> Recent:
    """Find the hooks since the organization was last shown to an agent before the moment `before`.
    Where it was never shown, they are the hooks since `otherwise` (both epoch seconds). Raises
    `Unreachable("database")`.

    The time of a hook is that of its arrival, not the plugin's own: a late hook is news, too.
    """
    values = {"organization": organization, "before": before, "otherwise": otherwise}
    with transaction(engine) as connection:
        rows = list(connection.execute(_SELECT_NEWEST, values))
    newest = tuple(RecentHook(row.kind, row.subject or "") for row in rows)
    return Recent(rows[0].since, newest) if rows else Recent()
