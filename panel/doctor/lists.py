"""Examines whether the back office pages its lists. Where it does not, lists are cut, or they cost
many calls."""

from collections.abc import Iterator
from typing import Any

from panel.doctor.back_office import NOBODY, list_known
from panel.doctor.diagnosis import FAULT, WARNING, Diagnosis
from panel.models.values import read_whole
from panel.services import Services
from panel.upstream.documents import ORDERS
from panel.upstream.inspection import inspect
from panel.upstream.middag_rejections import name_rejection
from panel.upstream.transport import Egress


def examine_paging(shared: Services) -> Iterator[Diagnosis]:
    """Read two pages of one order each, of an organization that has two."""
    for number in list_known(shared):
        if number == NOBODY:
            continue
        first, second = (_read_ids(shared, number, page) for page in (1, 2))
        if not first or not second:
            continue
        if first[0] == second[0]:
            yield Diagnosis(
                FAULT,
                f"page 2 of the orders of organization {number} is page 1 again: longer lists are "
                "cut, or refused",
                "update the plugin, or see whether a cache before it leaves out the query",
            )
        elif len(first) > 1:
            yield Diagnosis(
                WARNING,
                "the back office does not take per_page: long lists cost a call for each few rows",
                "update the plugin; nothing is lost, but passes and openings are slower",
            )
        return


def _read_ids(shared: Services, number: int, page: int) -> list[int | None]:
    """Return the ids of a page of one row; empty where the page could not be read, which other
    checks report."""
    settings = shared.settings
    answer = inspect(
        settings.middag_api_url,
        ORDERS.path.format(id=number),
        {"Authorization": f"Bearer {settings.secret}"},
        name_rejection,
        Egress(settings.certificates, settings.middag_proxy),
        params={"page": page, "per_page": 1, "org": number},
        headers={"X-Middag-Organization": str(number), "Cache-Control": "no-cache"},
    )
    rows: Any = answer.body.get("data") if isinstance(answer.body, dict) else None
    rows = rows if isinstance(rows, list) else []
    return [read_whole(row, "id") for row in rows if isinstance(row, dict)]
