"""The client of the back office, read through the cache (facts: contracts/middag.md §2 to §4).

`DOCUMENTS` says where each document is found, how it is parsed, and how long an answer is fresh.
What is kept is the back office's own JSON; it is parsed after the cache.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Generic, TypeVar

from panel.cache.entries import Lifetimes, Reading, Resource
from panel.cache.policy import Cache, CacheControl
from panel.deadline import Deadline
from panel.errors import (
    BACK_OFFICE_SIDE,
    Missing,
    PanelError,
    Refused,
    Unauthorized,
    Unreadable,
    naming_side,
)
from panel.models import (
    Collaborator,
    Entitlement,
    License,
    Order,
    Organization,
    Quote,
    Row,
    read_rows,
    read_whole,
)
from panel.upstream.client import Client
from panel.upstream.failures import FailureLog, Trouble, Troubles

MOST_PAGES = 10  # of a section: an agent waits
EVERY_PAGE = 1000  # of what a pass reads: it must not take the first people for all
PASS_SECONDS = 120.0
PAGE_ROWS = 20  # the documented default of `per_page` (§2.3)
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Listed(Generic[R]):
    """`rows` that were read; `total`: how many there are, where that is said; `more`: not all."""

    rows: tuple[R, ...]
    total: int | None = None
    more: bool = False

    @property
    def cut(self) -> bool:
        return self.more or (self.total is not None and self.total > len(self.rows))


@dataclass(frozen=True, eq=False)
class Document(Generic[T]):
    """One kind of document. `path` may hold `{id}`, the organization's."""

    name: str
    path: str
    lifetimes: Lifetimes
    parse: Callable[[Any, str], T]
    listed: bool = True
    most_pages: int = MOST_PAGES

    @lru_cache(maxsize=1024)  # noqa: B019 (six documents, which live as long as the program)
    def resource(self, organization: int, integer_money: str) -> Resource[T]:
        def parse(body: Any) -> T:
            return self.parse(body, integer_money)

        return Resource(self.name, organization, self.lifetimes, parse, _is_empty)


def _is_empty(value: Any) -> bool:
    return isinstance(value, Listed) and not value.rows


def _parse_organization(body: Any, _: str) -> Organization:
    if not isinstance(body, dict):
        raise Unreadable("wrong_shape", "the organization is no object")
    return Organization.from_json(body)


def _parse_list(make: Callable[[Row, str], R]) -> Callable[[Any, str], Listed[R]]:
    def parse(body: Any, integer_money: str) -> Listed[R]:
        rows = read_rows(body.get("rows") if isinstance(body, dict) else None)
        total = body.get("total")
        made = tuple(make(row, integer_money) for row in rows)
        return Listed(made, total if isinstance(total, int) else None, body.get("more") is True)

    return parse


ORGANIZATION = Document(
    "organization", "organizations/{id}", Lifetimes(300), _parse_organization, listed=False
)
ORDERS = Document("orders", "orders", Lifetimes(60), _parse_list(Order.from_json))
QUOTES = Document("quotes", "quotes", Lifetimes(60), _parse_list(Quote.from_json))
LICENSES = Document(
    "licenses", "licenses", Lifetimes(300), _parse_list(lambda r, _: License.from_json(r))
)
DOCUMENTS: tuple[Document[Any], ...] = (ORGANIZATION, ORDERS, QUOTES, LICENSES)

# For the passes of the writing wing: always read anew, never kept.
COLLABORATORS = Document(
    "collaborators",
    "organizations/{id}/collaborators",
    Lifetimes(0),
    _parse_list(lambda row, _: Collaborator.from_json(row)),
    most_pages=EVERY_PAGE,
)
ENTITLEMENTS = Document(
    "entitlements",
    "entitlements",
    Lifetimes(0),
    _parse_list(lambda row, _: Entitlement.from_json(row)),
    most_pages=EVERY_PAGE,
)


class BackOffice:
    """What the back office knows of an organization: `read` through the cache, `now` without it."""

    def __init__(
        self,
        client: Client,
        cache: Cache,
        integer_money: str,
        failures: FailureLog | None = None,
    ) -> None:
        self._client = client
        self._cache = cache
        self._integer_money = integer_money
        self._failures = failures or FailureLog()
        self._troubles = Troubles()

    @property
    def paused_until(self) -> float:
        return self._client.breaker.paused_until

    @property
    def trouble(self) -> Trouble | None:
        """What the back office did not answer when this process asked for it last."""
        return self._troubles.latest

    def read(self, document: Document[T], organization: int, control: CacheControl) -> Reading[T]:
        """A `Reading` of the document; raises `PanelError` when no truth and no copy can be had."""
        return self._cache.read(
            self.resource(document, organization),
            control,
            lambda by: self._ask(document, organization, by),
            partial(self._report, document, organization),
        )

    def peek(self, document: Document[T], organization: int) -> Reading[T] | None:
        return self._cache.peek(self.resource(document, organization))

    @naming_side(BACK_OFFICE_SIDE)
    def fetch(self, document: Document[T], organization: int) -> T:
        """The present truth, past the cache; raises `PanelError`."""
        try:
            body = self._ask(document, organization, Deadline(PASS_SECONDS))
            return document.parse(body, self._integer_money)
        except PanelError as error:
            self._report(document, organization, error)
            raise

    def _report(self, document: Document[Any], organization: int, error: PanelError) -> None:
        self._failures.report(self._client.host, document.name, organization, error)
        if isinstance(error, Missing):  # an answer: there is no such organization
            self._troubles.note_success(document.name)
        else:
            self._troubles.note_failure(document.name, error)

    def resource(self, document: Document[T], organization: int) -> Resource[T]:
        return document.resource(organization, self._integer_money)

    def _ask(self, document: Document[Any], organization: int, by: Deadline) -> Any:
        answer = self._fetch(document, organization, by)
        self._troubles.note_success(document.name)
        return answer

    def _fetch(self, document: Document[Any], organization: int, by: Deadline) -> Any:
        path = document.path.format(id=organization)
        if document.listed:
            return self._fetch_pages(path, organization, by, document.most_pages)
        body = self._read_data(self._get(path, organization, by, {}))
        if not isinstance(body, dict) or body.get("id") is None:
            raise Unreadable("wrong_shape", "no organization in the answer")
        if str(body["id"]) != str(organization):
            raise Unreadable("foreign_rows", "another organization than the one asked for")
        return body

    def _fetch_pages(self, path: str, organization: int, by: Deadline, most: int) -> dict[str, Any]:
        """Every page, up to `most`; one failing page fails the list."""
        rows: dict[str, Row] = {}
        total: int | None = None
        for page in range(1, most + 1):
            # No `per_page`: its maximum is unknown (§2.3), and a refusal would cost the section.
            body = self._get(path, organization, by, {"page": page})
            found = read_rows(self._read_data(body))
            _check_owner(found, organization)
            before = len(rows)
            # Rows move between pages while we walk them: the same id twice is one row.
            rows |= {str(row.get("id")): row for row in found}
            pages, counted = _read_counts(body)
            total = counted if total is None else total
            # Without a count of pages, the last one is short, or brings nothing new.
            full = len(found) >= PAGE_ROWS and len(rows) > before
            if not found or not (page < pages if pages is not None else full):
                break
        else:
            return {"rows": list(rows.values()), "total": total, "more": True}
        if total and not rows:
            raise Unreadable("wrong_shape", "no rows, although some are counted")
        return {"rows": list(rows.values()), "total": total, "more": False}

    def _get(
        self, path: str, organization: int, by: Deadline, query: Mapping[str, Any]
    ) -> dict[str, Any]:
        # Both are sent: one page of the documentation names the header, another the query (§3.1).
        query = {**query, "org": organization}
        headers = {"X-Middag-Organization": str(organization)}
        try:
            body = self._client.get(
                path, params=query, headers=headers, by=by, subject=str(organization)
            ).body
        except (Missing, Refused, Unauthorized) as error:
            raise _tell_missing(error) from error
        if not isinstance(body, dict) or body.get("success") is False:
            raise Unreadable("wrong_shape", "no envelope around the answer")
        return body

    @staticmethod
    def _read_data(body: dict[str, Any]) -> Any:
        """The envelope's `data`. Only what is there can be empty: a missing `data` is no `[]`."""
        if "data" not in body:
            raise Unreadable("wrong_shape", "the envelope holds no data")
        return body["data"]


def _check_owner(rows: list[Row], organization: int) -> None:
    """A row that names another organization makes the whole answer untrustworthy."""
    for row in rows:
        owner = row.get("organization_id")
        if owner is not None and str(owner) != str(organization):
            raise Unreadable("foreign_rows", "a row of another organization")


def _read_counts(body: Row) -> tuple[int | None, int | None]:
    """Pages and rows in all, as far as `meta` says."""
    meta = body.get("meta")
    return (
        (read_whole(meta, "pages"), read_whole(meta, "total"))
        if isinstance(meta, dict)
        else (None, None)
    )


def _tell_missing(error: PanelError) -> PanelError:
    """404 in the back office's own words means the organization; any other 404 is a wrong door.

    WordPress's `rest_no_route` (plugin deactivated) and a proxy's page must clear nothing (§2.4).
    """
    if not isinstance(error, Missing):
        return error
    body = error.body if isinstance(error.body, dict) else {}
    words = body.get("errors") if isinstance(body.get("errors"), dict) else {}
    if isinstance(words, dict) and words.get("code") == "NOT_FOUND":
        return Missing("unknown_organization", error.detail)
    return Unreadable("no_route", error.detail)
