"""The standing of an organization in our own database, as passes left it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Integer, Select, bindparam, func, select

from panel.data.db import transaction
from panel.data.directory_tables import COMPANY, organizations, people
from panel.data.inbox_tables import BURIED, hooks


@dataclass(frozen=True)
class Standing:
    """The fields as the last pass saw them; all are empty where there was no pass.

    `people`: the number of its known persons, without the company's own contact; `buried`: the
    number of its hooks that were given up.
    """

    name: str = ""
    plan: str | None = None
    billing_entity: str | None = None
    entitlement_status: str = ""
    people: int = 0
    buried: int = 0


UNKNOWN = Standing()


def _make_query() -> Select[Any]:
    asked_id = bindparam("organization", type_=Integer)
    members = (
        select(func.count())
        .select_from(people)
        .where(people.c.organization == asked_id, people.c.key != COMPANY)
    )
    buried = (
        select(func.count())
        .select_from(hooks)
        .where(hooks.c.organization == asked_id, hooks.c.status == BURIED)
    )
    ids = select(asked_id.label("id")).subquery()
    columns = (organizations.c.name, organizations.c.plan, organizations.c.billing_entity)
    return select(
        *columns,
        organizations.c.entitlement_status,
        members.scalar_subquery().label("people"),
        buried.scalar_subquery().label("buried"),
    ).select_from(ids.outerjoin(organizations, organizations.c.id == ids.c.id))


_SELECT_STANDING = _make_query()  # built once, because every opening runs it


def read_standing(engine: Engine, organization: int) -> Standing:
    """Read the standing in one query. Raises `Unreachable("database")`."""
    with transaction(engine) as connection:
        row = connection.execute(_SELECT_STANDING, {"organization": organization}).mappings().one()
    texts = {key: row[key] or "" for key in ("name", "entitlement_status")}
    return Standing(**{**row, **texts})
