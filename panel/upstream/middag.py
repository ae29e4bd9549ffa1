"""The client of the back office, read through the cache (facts: contracts/middag.md §2 to §4).

`DOCUMENTS` says where each document is found, how it is parsed, and how long an answer is fresh.
What is kept is the back office's own JSON; it is parsed after the cache.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Generic, TypeVar

from panel.cache.entries import Dated, Lifetimes, Reading, Resource
from panel.cache.policy import CACHED_UPSTREAM, Cache, CacheControl, tell_age
from panel.deadline import Deadline
from panel.errors import Blocked, PanelError, Unreadable
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
from panel.upstream.client import Answer, Client
from panel.upstream.failures import FailureLog
from panel.upstream.middag_rejections import BACK_OFFICE_REMEDIES, name_rejection
from panel.upstream.paging import CallSlots, Page, ReadPage, read_list

MOST_PAGES = 10  # of a section: an agent waits
EVERY_PAGE = 1000  # of what a pass reads: it must not take the first people for all
PASS_SECONDS = 120.0
LARGE_PAGE = 100  # rows, where the back office takes `per_page`, whose maximum is not documented
# How a back office answers that does not take it, or whose rows are too large for it.
SIZE_REFUSED = {"http_400", "http_422", "too_large"}
CALLS_AT_ONCE = 4  # for an organization, in all its sections together
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
        at_once: int = CALLS_AT_ONCE,
    ) -> None:
        """`at_once`: how many calls an organization may cause at the same time."""
        self._client = client.with_names(name_rejection)
        self._cache = cache
        self._integer_money = integer_money
        self._failures = failures or FailureLog()
        self._at_once = at_once
        self._slots = CallSlots(at_once)
        self._small_pages: set[str] = set()  # names of the documents that take no `per_page`
        self._is_cached = False

    @property
    def paused_until(self) -> float:
        return self._client.breaker.paused_until

    @property
    def trouble(self) -> str:
        """The code of what was wrong with the last call of this process; empty when nothing was."""
        error = self._client.trouble
        return error.code if error else CACHED_UPSTREAM if self._is_cached else ""

    def read(self, document: Document[T], organization: int, control: CacheControl) -> Reading[T]:
        """A `Reading` of the document; raises `PanelError` when no truth and no copy can be had."""
        return self._cache.read(
            self.resource(document, organization),
            control,
            lambda by: self._fetch(document, organization, by),
            partial(self._report, document, organization),
        )

    def peek(self, document: Document[T], organization: int) -> Reading[T] | None:
        return self._cache.peek(self.resource(document, organization))

    def fetch(self, document: Document[T], organization: int) -> T:
        """The present truth, past the cache; raises `PanelError`."""
        try:
            dated = self._fetch(document, organization, Deadline(PASS_SECONDS))
            if self._cache.touches.outdates(organization, dated.age):
                raise Blocked(CACHED_UPSTREAM, tell_age(dated.age))
            return document.parse(dated.body, self._integer_money)
        except PanelError as error:
            self._report(document, organization, error)
            raise

    def _report(self, document: Document[Any], organization: int, error: PanelError) -> None:
        remedy = BACK_OFFICE_REMEDIES.get(error.code, "")
        self._failures.report(self._client.host, document.name, organization, error, remedy)

    def resource(self, document: Document[T], organization: int) -> Resource[T]:
        return document.resource(organization, self._integer_money)

    def _fetch(self, document: Document[Any], organization: int, by: Deadline) -> Dated:
        if document.listed:
            return self._fetch_list(document, organization, by)
        answer = self._get(document, organization, by, {})
        body = self._read_data(answer.body)
        if not isinstance(body, dict) or body.get("id") is None:
            raise Unreadable("wrong_shape", "no organization in the answer")
        if str(body["id"]) != str(organization):
            raise Unreadable("foreign_rows", "another organization than the one asked for")
        return Dated(body, answer.age)

    def _fetch_list(self, document: Document[Any], organization: int, by: Deadline) -> Dated:
        if document.name in self._small_pages:
            return self._fetch_pages(document, organization, by, {})
        try:
            return self._fetch_pages(document, organization, by, {"per_page": LARGE_PAGE})
        except Unreadable as error:
            if error.code not in SIZE_REFUSED:
                raise
            dated = self._fetch_pages(document, organization, by, {})
            # Remembered only now: it was the size that was refused. Rows too large are the
            # organization's own.
            if error.code != "too_large":
                self._small_pages.add(document.name)
            return dated

    def _fetch_pages(
        self, document: Document[Any], organization: int, by: Deadline, size: Mapping[str, int]
    ) -> Dated:
        read = self._make_reader(document, organization, by, size)
        listed = read_list(read, document.most_pages, self._at_once)
        rows = list(listed.rows.values())
        if listed.total and not rows:
            raise Unreadable("wrong_shape", "no rows, although some are counted")
        return Dated({"rows": rows, "total": listed.total, "more": listed.more}, listed.age)

    def _make_reader(
        self, document: Document[Any], organization: int, by: Deadline, size: Mapping[str, int]
    ) -> ReadPage:
        def read(number: int) -> Page:
            answer = self._get(document, organization, by, {"page": number, **size})
            rows = read_rows(self._read_data(answer.body))
            _check_owner(rows, organization)
            pages, total = _read_counts(answer.body)
            return Page(rows, pages, total, answer.age)

        return read

    def _get(
        self, document: Document[Any], organization: int, by: Deadline, query: Mapping[str, int]
    ) -> Answer:
        path = document.path.format(id=organization)
        # Both are sent: one page of the documentation names the header, another the query (§3.1).
        query = {**query, "org": organization}
        headers = {"X-Middag-Organization": str(organization), "Cache-Control": "no-cache"}
        with self._slots.hold(organization, by):
            answer = self._client.get(
                path, params=query, headers=headers, by=by, subject=str(organization)
            )
        self._is_cached = answer.age != 0.0
        if not isinstance(answer.body, dict) or answer.body.get("success") is False:
            raise Unreadable("wrong_shape", "no envelope around the answer")
        return answer

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
