"""The standing of an organization in our own database, as passes left it."""

from dataclasses import dataclass

from sqlalchemy import Engine, Integer, func, literal, select

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


def read_standing(engine: Engine, organization: int) -> Standing:
    """Read the standing in one query. Raises `Unreachable("database")`."""
    members = (
        select(func.count())
        .select_from(people)
        .where(people.c.organization == organization, people.c.key != COMPANY)
    )
    buried = (
        select(func.count())
        .select_from(hooks)
        .where(hooks.c.organization == organization, hooks.c.status == BURIED)
    )
    asked_id = select(literal(organization, Integer).label("id")).subquery()
    columns = (organizations.c.name, organizations.c.plan, organizations.c.billing_entity)
    query = select(
        *columns,
        organizations.c.entitlement_status,
        members.scalar_subquery().label("people"),
        buried.scalar_subquery().label("buried"),
    ).select_from(asked_id.outerjoin(organizations, organizations.c.id == asked_id.c.id))
    with transaction(engine) as connection:
        row = connection.execute(query).mappings().one()
    texts = {key: row[key] or "" for key in ("name", "entitlement_status")}
    return Standing(**{**row, **texts})
