"""The standing of an organization: what the passes left in our own database about it."""

from dataclasses import dataclass

from sqlalchemy import Engine, Integer, func, literal, select

from panel.data.db import transaction
from panel.data.directory_tables import COMPANY, organizations, people
from panel.data.inbox_tables import BURIED, hooks


@dataclass(frozen=True)
class Standing:
    """`name` and what follows: as the last pass saw it, empty where there was none.

    `people`: how many persons of it are known, the company's own contact left out; `buried`: how
    many changes of it were given up.
    """

    name: str = ""
    plan: str | None = None
    billing_entity: str | None = None
    entitlement_status: str = ""
    people: int = 0
    buried: int = 0


UNKNOWN = Standing()


def read_standing(engine: Engine, organization: int) -> Standing:
    """In one query. Raises `Unreachable("database")`."""
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
    wanted = select(literal(organization, Integer).label("id")).subquery()
    columns = (organizations.c.name, organizations.c.plan, organizations.c.billing_entity)
    query = select(
        *columns,
        organizations.c.entitlement_status,
        members.scalar_subquery().label("people"),
        buried.scalar_subquery().label("buried"),
    ).select_from(wanted.outerjoin(organizations, organizations.c.id == wanted.c.id))
    with transaction(engine) as connection:
        row = connection.execute(query).mappings().one()
    texts = {key: row[key] or "" for key in ("name", "entitlement_status")}
    return Standing(**{**row, **texts})
