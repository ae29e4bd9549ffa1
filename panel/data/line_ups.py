"""Lining up many organizations: writes a hook and a place in a lane for each of them, in two
statements.

With statements for single rows, twenty thousand organizations took more than half a minute.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Float,
    FromClause,
    Integer,
    String,
    bindparam,
    cast,
    func,
    literal,
    select,
)

from panel.data.db import insert
from panel.data.inbox_tables import WAITING, hooks, passes
from panel.data.lanes import Lane, settle_conflict


@dataclass(frozen=True)
class LineUp:
    """`organizations` in this order, without repetition; `kind`: of their hooks; `token`: unique, a
    part of the ids of the hooks and passes; `at`: epoch seconds."""

    organizations: Sequence[int]
    lane: Lane
    kind: str
    token: str
    at: float


def insert_line_up(connection: Connection, batch: LineUp) -> None:
    """Insert the batch in the caller's transaction, which holds the lock of each organization."""
    values = {
        "organizations": json.dumps(list(batch.organizations)),
        "lane": int(batch.lane),
        "kind": batch.kind,
        "hook_id": f"{batch.kind}:{batch.token}-",
        "pass_id": f"{batch.token}-",
        "now": batch.at,
    }
    dialect = connection.dialect.name
    connection.execute(_hooks_statement(dialect), values)
    connection.execute(_places_statement(dialect), values)


def _select_given(dialect: str) -> FromClause:
    """Select the organizations (`value`), each with its number in their order (`key`)."""
    array = bindparam("organizations", type_=String)
    if dialect == "sqlite":
        return func.json_each(array).table_valued("key", "value", name="given")
    elements = func.json_array_elements_text(cast(array, JSON))
    table = elements.table_valued("value", with_ordinality="key")
    return table.render_derived(name="given")


@cache  # building a statement takes longer than running it
def _hooks_statement(dialect: str) -> Any:
    organizations = _select_given(dialect)
    number, now = cast(organizations.c.value, Integer), bindparam("now", type_=Float)
    values: dict[str, ColumnElement[Any]] = {
        "hook_id": _append(bindparam("hook_id", type_=String), number),
        "kind": bindparam("kind", type_=String),
        "organization": number,
        "occurred_at": now,
        "received_at": now,
        "status": literal(WAITING),
        "lane": bindparam("lane", type_=Integer),
    }
    rows = select(*(value.label(name) for name, value in values.items())).order_by(
        organizations.c.key
    )
    return hooks.insert().from_select(list(values), rows, include_defaults=False)


@cache
def _places_statement(dialect: str) -> Any:
    """Make the INSERT of places; the position of each place is the sequence of its hook."""
    organizations = _select_given(dialect)
    number = cast(organizations.c.value, Integer)
    values: dict[str, ColumnElement[Any]] = {
        "organization": number,
        "waiting": _append(bindparam("pass_id", type_=String), number),
        "lane": bindparam("lane", type_=Integer),
        "position": hooks.c.seq,
        "due_at": literal(0.0),
        "tries": literal(0),
        "first": literal(0),
    }
    hook_id = _append(bindparam("hook_id", type_=String), number)
    # A WHERE is needed: SQLite would take the ON of ON CONFLICT for that of a join.
    rows = select(*(value.label(name) for name, value in values.items())).where(
        hooks.c.hook_id == hook_id
    )
    new = insert(dialect, passes).from_select(list(values), rows, include_defaults=False)
    return settle_conflict(new)


def _append(prefix: ColumnElement[str], number: ColumnElement[int]) -> ColumnElement[str]:
    return prefix + cast(number, String)
