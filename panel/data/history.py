"""The history of an organization or a conversation, read from the tables of other modules.

Read are the hooks and passes of `inbox`, and the rows of `audit_log`. Times are epoch seconds.
Every function raises `Unreachable("database")`.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Engine, select

from panel.data.audit_log import AuditEntry, access_log
from panel.data.db import transaction
from panel.data.inbox import hooks, passes
from panel.data.readings import readings

MOST_ROWS = 30  # of one kind


@dataclass(frozen=True)
class Span:
    """The time from `since` to `until`; `most`: the number of rows of each kind, the newest
    ones."""

    since: float
    until: float
    most: int = MOST_ROWS


@dataclass(frozen=True)
class HookRow:
    """A hook as the inbox has it. `status`: waiting, done, ignored, buried or settled."""

    hook_id: str
    kind: str
    organization: int | None
    occurred_at: float
    received_at: float
    status: str
    reason: str | None
    finished_at: float | None
    side: str | None


@dataclass(frozen=True)
class PassState:
    """The passes of an organization. `read_at`: when the back office was read last for a pass that
    went well; `gone_at`: when the back office did not know the organization, 0 if it did.

    `tries`: the number of tries that failed in a row, the last one with `reason` at `side`;
    `due_at`: when the next try is due.
    """

    waits: bool = False
    runs: bool = False
    tries: int = 0
    reason: str = ""
    side: str = ""
    tried_at: float = 0.0
    due_at: float = 0.0
    read_at: float = 0.0
    gone_at: float = 0.0


def find_hook(engine: Engine, hook_id: str) -> HookRow | None:
    rows = _list_hooks(engine, hooks.c.hook_id == hook_id, most=1)
    return rows[0] if rows else None


def list_hooks(engine: Engine, organization: int, span: Span) -> list[HookRow]:
    """The hooks of an organization in this span, the newest first."""
    at = hooks.c.received_at
    condition = (hooks.c.organization == organization) & at.between(span.since, span.until)
    return _list_hooks(engine, condition, span.most)


def _list_hooks(engine: Engine, condition: ColumnElement[bool], most: int) -> list[HookRow]:
    columns = [hooks.c[name] for name in HookRow.__dataclass_fields__]
    newest = select(*columns).where(condition).order_by(hooks.c.received_at.desc()).limit(most)
    with transaction(engine) as connection:
        return [HookRow(**row) for row in connection.execute(newest).mappings()]


def read_pass_state(engine: Engine, organization: int) -> PassState:
    with transaction(engine) as connection:
        row = connection.execute(
            select(passes).where(passes.c.organization == organization)
        ).one_or_none()
        reading = connection.execute(
            select(readings.c.read_at, readings.c.gone_at).where(
                readings.c.organization == organization
            )
        ).one_or_none()
    times = (reading.read_at, reading.gone_at) if reading else (0.0, 0.0)
    if row is None:
        return PassState(read_at=times[0], gone_at=times[1])
    return PassState(
        waits=row.waiting is not None,
        runs=row.running is not None,
        tries=row.tries,
        reason=row.reason or "",
        side=row.side or "",
        tried_at=row.tried_at or 0.0,
        due_at=row.due_at,
        read_at=times[0],
        gone_at=times[1],
    )


def list_access(
    engine: Engine,
    span: Span,
    conversation: int = 0,
    organization: int = 0,
    agent: int = 0,
) -> list[AuditEntry]:
    """Return the access log's rows of the conversation, else of the organization; the newest
    first."""
    about = access_log.c.conversation == conversation
    if not conversation:
        about = access_log.c.organization == organization
    conditions = [about, access_log.c.at.between(span.since, span.until)]
    if agent:
        conditions.append(access_log.c.agent == agent)
    columns = [column for column in access_log.c if column.name != "id"]
    newest = select(*columns).where(*conditions).order_by(access_log.c.id.desc()).limit(span.most)
    with transaction(engine) as connection:
        return [AuditEntry(**row) for row in connection.execute(newest).mappings()]
