"""A built-in MIDDAG Account: the part of its REST API that the panel reads.

Source: the plugin's REST API reference (overview, organizations, orders, quotes, licenses,
entitlements) and its permission model: no or a bad Bearer is WordPress's own 401; no
X-Middag-Organization 400; an organization that does not exist 404; not allowed 403.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

from panel.demo.faults import FAULTS, Case, native, page, refusal
from panel.demo.world import Call, Json, World, answer

LISTS = ("orders", "quotes", "licenses", "collaborators", "entitlements")
SECTIONS = ("organization", *LISTS)
_BASE = "/wp-json/middag-account/v1"
_MOST_PER_PAGE = 100  # WordPress's habit; the plugin's own limit is not documented
_ROUTES = Map(
    [
        Rule("/organizations/<int:organization>", endpoint="organization"),
        Rule("/organizations/<int:organization>/collaborators", endpoint="collaborators"),
        *(Rule(f"/{name}", endpoint=name) for name in LISTS if name != "collaborators"),
        *(
            Rule(f"/{name}/<int:record>", endpoint=name)
            for name in LISTS
            if name != "collaborators"
        ),
        Rule("/entitlements/<int:entitlement>/orders", endpoint="orders"),
    ]
)
# Fields that a list leaves out of a row; the answer about the record alone has them.
_DETAILS = {
    "orders": {"subtotal", "tax_total", "billing_address", "line_items", "entitlements", "notes"},
    "quotes": {
        *("subtotal", "company", "order_id", "entitlement_ids", "notes", "rejection_reason"),
        "updated_at",
    },
    "licenses": {"updated_at"},
}


class BackOffice(World):
    """The back office in memory. `organizations` and the lists are plain JSON that tests change.

    `bare`: organizations whose answers leave out every envelope key but `data`; `takes_page_size`:
    False refuses `per_page`, whose maximum is not documented. `totals`: the number of rows that a
    list claims, by its name, where the claim differs from the rows. `full_lists`: True leaves no
    field out of their rows.
    """

    base = _BASE

    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__()
        self.secrets = list(secrets)
        self.organizations: dict[int, Json] = {}
        self.orders: dict[int, list[Json]] = {}
        self.quotes: dict[int, list[Json]] = {}
        self.licenses: dict[int, list[Json]] = {}
        self.collaborators: dict[int, list[Json]] = {}
        self.entitlements: dict[int, list[Json]] = {}
        self.bare: set[int] = set()
        self.takes_page_size = True
        self.full_lists = False
        self.totals: dict[str, int] = {}
        self.faults: dict[tuple[int | None, str | None], str] = {}
        self.retry_after = 60
        self.elsewhere = "http://elsewhere.invalid/"

    def rows(self, section: str, organization: int) -> list[Json]:
        """Return the live list of one section of an organization; an absent list is made."""
        if section not in LISTS:
            raise KeyError(section)
        lists: dict[int, list[Json]] = getattr(self, section)
        return lists.setdefault(organization, [])

    def put(self, section: str, organization: int, row: Json) -> None:
        """Add a row, or replace the one with its id; section "organization": the document."""
        with self.lock:
            if section == "organization":
                self.organizations[organization] = {"id": organization, **row}
                return
            rows = self.rows(section, organization)
            rows[:] = [other for other in rows if _read_id(other) != row["id"]] + [row]

    def remove(self, section: str, organization: int, row: int) -> None:
        """Remove one row by its id; section "organization": the organization itself."""
        with self.lock:
            if section == "organization":
                self.organizations.pop(organization, None)
                return
            rows = self.rows(section, organization)
            rows[:] = [other for other in rows if _read_id(other) != row]

    def fault(self, name: str, organization: int | None = None, section: str | None = None) -> None:
        """Fail in this way (a name of FAULTS), for all or for this organization, section."""
        if name not in FAULTS or (section is not None and section not in SECTIONS):
            raise KeyError(name, section)
        with self.lock:
            self.faults[organization, section] = name

    def heal(self, organization: int | None = None) -> None:
        """End the faults: all of them, or those of one organization."""
        with self.lock:
            for scope in list(self.faults):
                if organization is None or scope[0] == organization:
                    del self.faults[scope]

    def fault_of(self, organization: int | None, section: str) -> str | None:
        """Return the fault that holds here; the narrower scope wins."""
        with self.lock:
            scopes = [(organization, section), (organization, None), (None, section), (None, None)]
            return next((self.faults[scope] for scope in scopes if scope in self.faults), None)

    def respond(self, call: Call) -> Response:
        """Answer one call: route, Bearer, fault, organization, then the true answer."""
        if call.path == "/" or call.path.startswith("/wp-admin/"):  # where our links lead
            return page(200, "The pages of MIDDAG Account are not built into this demo.")
        routes = _ROUTES.bind("backoffice")
        try:
            section, ids = routes.match(call.path.removeprefix(_BASE), method=call.method)
        except HTTPException:
            section, ids = "", {}
        if not section or call.method != "GET" or not call.path.startswith(_BASE + "/"):
            return native(404, "rest_no_route", "No route was found matching the URL.")
        if call.headers.get("authorization", "") not in {f"Bearer {s}" for s in self.secrets}:
            return native(401, "unauthorized", "User not authenticated.")
        return self._answer_scoped(call, section, ids)

    def _answer_scoped(self, call: Call, section: str, ids: Mapping[str, int]) -> Response:
        number = ids.get("organization")
        header = call.headers.get("x-middag-organization", "")
        organization = int(header) if header.isdecimal() else None
        fault = FAULTS.get(self.fault_of(organization or number, section) or "")
        if fault:
            self.wait(fault.wait)
        if organization is None:
            return refusal(400, "VALIDATION_ERROR", "X-Middag-Organization header is required")
        spoil = fault.spoil if fault else None
        if organization not in self.organizations and spoil is None:
            return refusal(404, "NOT_FOUND", f"Organization {organization} not found")
        if "per_page" in call.query and not self.takes_page_size:
            return refusal(400, "VALIDATION_ERROR", "per_page is not known")
        if number not in (None, organization):
            return refusal(403, "AUTHORIZATION_ERROR", "Not a collaborator of this organization")
        return self._answer(call, section, organization, ids, spoil)

    def _answer(
        self,
        call: Call,
        section: str,
        organization: int,
        ids: Mapping[str, int],
        spoil: Callable[[Case], Response] | None,
    ) -> Response:
        with self.lock:
            document = self._document(call, section, organization, ids)
        if document is None and spoil is None:
            return refusal(404, "NOT_FOUND", f"{section} {ids} not found")
        document = document or _envelope(None)
        if organization in self.bare:
            document = {"data": document["data"]}
        if spoil:
            return spoil(Case(document, organization, self.retry_after, self.elsewhere))
        return answer(200, document)

    def _document(
        self, call: Call, section: str, organization: int, ids: Mapping[str, int]
    ) -> Json | None:
        """Return None where this organization has no such record."""
        if section == "organization":
            organization_row = self.organizations.get(organization)
            return _envelope(dict(organization_row) if organization_row else None)
        rows: list[Json] = list(self.rows(section, organization))
        if "record" in ids:
            record = next((row for row in rows if _read_id(row) == ids["record"]), None)
            return _envelope(record) if record else None
        if "entitlement" in ids:
            rows = [row for row in rows if _names(row, ids["entitlement"])]
        hidden_keys = set() if self.full_lists else _DETAILS.get(section, set())
        document = _make_page([_without(row, hidden_keys) for row in rows], call.query)
        document["meta"]["total"] = self.totals.get(section, document["meta"]["total"])
        return document


def _without(row: object, keys: set[str]) -> Any:
    """A list may hold a row that is no record; such a row stays unchanged."""
    if not isinstance(row, dict) or not keys & row.keys():
        return row
    return {key: value for key, value in row.items() if key not in keys}


def _names(row: object, entitlement: int) -> bool:
    """Tell whether the order paid for this entitlement."""
    entitlements = row.get("entitlements") if isinstance(row, dict) else None
    return any(_read_id(grant) == entitlement for grant in entitlements or ())


def _read_id(row: object) -> object:
    """Return None for a row that is no record: a list may hold one, too."""
    return row.get("id") if isinstance(row, dict) else None


def _envelope(data: Json | list[Json] | None, meta: Json | None = None) -> Json:
    return {"success": True, "data": data, "meta": meta, "message": None, "errors": None}


def _make_page(rows: list[Json], query: dict[str, str]) -> Json:
    page = max(_number(query.get("page"), 1), 1)
    size = min(max(_number(query.get("per_page"), 20), 1), _MOST_PER_PAGE)
    meta = {"page": page, "per_page": size, "total": len(rows), "pages": -(-len(rows) // size)}
    return _envelope(rows[(page - 1) * size : page * size], meta)


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() else default
