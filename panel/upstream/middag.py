"""The client of the back office, read through the cache."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from copy import copy
from functools import partial
from typing import Any, TypeVar

from panel import metrics
from panel.cache.copies import CACHED_UPSTREAM, tell_age
from panel.cache.entries import DatedBody, Lifetimes, Reading, Resource
from panel.cache.policy import Cache, CacheControl
from panel.deadline import Deadline
from panel.errors import BACK_OFFICE_SIDE, Blocked, Missing, PanelError, Unreadable, naming_side
from panel.models.licenses import Entitlement
from panel.models.values import Row, read_list, read_whole
from panel.upstream.client import Client, Gate
from panel.upstream.documents import (
    EVERY_DOCUMENT,
    Document,
    check_owner,
    check_owners,
    make_record_key,
    says_failure,
)
from panel.upstream.exchange import Answer
from panel.upstream.failures import FailureLog, Trouble, Troubles, UnreadDocuments
from panel.upstream.middag_rejections import BACK_OFFICE_REMEDIES, name_rejection
from panel.upstream.paging import CallSlots, Page, ReadPage, read_pages
from panel.upstream.record_documents import RECORD_DOCUMENTS, RecordDocument
from panel.upstream.rotation import SecretRotation

PASS_SECONDS = 120.0
LARGE_PAGE = 100  # rows, where the back office takes `per_page`, whose maximum is not documented
# The answers of a back office that does not accept the size, or whose rows are too large for it.
SIZE_REFUSED = {"http_400", "http_422", "too_large"}
CALLS_AT_ONCE = 4  # for an organization, in all its sections together
CACHE_IN_BETWEEN = "cache in between"  # the name of this trouble; others are named by documents
STOPPED_ENTITLEMENTS = ("suspended", "cancelled")  # statuses
STOPPED_LIFETIMES = Lifetimes(fresh=0, kept=8 * 24 * 3600)  # a pass comes each night
T = TypeVar("T")


def _tell_nobody(_document: Document[Any], _organization: int, _value: object) -> None:
    """The default while no listener is set."""


class BackOffice:
    """Reads the documents of an organization: `read` through the cache, `fetch` without it.

    `on_read(document, organization, value)` is called with each value that `read` had to fetch.
    `rotation`: of the secret; without it the client's own headers authenticate.
    """

    def __init__(
        self,
        client: Client,
        cache: Cache,
        integer_money: str,
        failures: FailureLog | None = None,
        rotation: SecretRotation | None = None,
    ) -> None:
        self._rotation = rotation or SecretRotation((), "")
        self._client = client.with_names(name_rejection)
        documents = [document.name for document in (*EVERY_DOCUMENT, *RECORD_DOCUMENTS)]
        metrics.start_upstream_series(client.host, documents, BACK_OFFICE_REMEDIES)
        metrics.start_series(metrics.ODD_VALUES, [client.host], documents, ["id"])
        self.on_read: Callable[[Document[Any], int, Any], None] = _tell_nobody
        self._cache = cache
        self._integer_money = integer_money
        self._failures = failures or FailureLog()
        self._troubles = Troubles()
        self.unread = UnreadDocuments()
        self._slots = CallSlots(CALLS_AT_ONCE)
        self._small_pages: set[str] = set()  # names of the documents that take no `per_page`

    def behind(self, gate: Gate) -> "BackOffice":
        """Return a client for passes: its calls wait at the gate, and it reads pages one by one."""
        other = copy(self)
        other._client, other._slots = self._client.with_gate(gate), CallSlots(1)
        return other

    @property
    def paused_until(self) -> float:
        return self._client.breaker.paused_until

    @property
    def trouble(self) -> Trouble | None:
        """Return the latest failure among the documents whose last call of this process failed."""
        return self._troubles.latest

    def read(self, document: Document[T], organization: int, control: CacheControl) -> Reading[T]:
        """Return a `Reading`; raises `PanelError` when there is neither an answer nor a copy."""
        fetches = []

        def fetch(by: Deadline) -> DatedBody:
            fetches.append(self._fetch(document, organization, by))
            return fetches[0]

        resource = self.resource(document, organization)
        report = partial(self._report_failure, document, organization)
        reading = self._cache.read(resource, control, fetch, report)
        if fetches and not reading.late:  # a value that came from the cache is no news
            self._report_success(document, organization, reading.value)
            self.on_read(document, organization, reading.value)
        return reading

    def peek(self, document: Document[T], organization: int) -> Reading[T] | None:
        return self._cache.peek(self.resource(document, organization))

    def keep_stopped(self, organization: int, entitlements: Iterable[Entitlement]) -> None:
        """Keep the entitlements that a pass found suspended or cancelled, for panels. If the cache
        does not keep them, a panel only lacks the name of the license."""
        statuses = {
            entitlement.code: entitlement.status_value
            for entitlement in entitlements
            if entitlement.code and entitlement.status_value in STOPPED_ENTITLEMENTS
        }
        with suppress(PanelError):
            resource = _make_stopped_resource(organization)
            self._cache.read(resource, CacheControl.NO_CACHE, lambda _: statuses)

    def peek_stopped(self, organization: int) -> dict[str, str] | None:
        """Return each stopped entitlement's status, by its code; None: no recent pass."""
        reading = self._cache.peek(_make_stopped_resource(organization))
        return reading.value if reading else None

    def forget_copies(self, organization: int) -> bool:
        """Remove the kept copies of an organization; False when the cache could not be asked.

        The kept lists name the copies of single records. A record's copy without a kept list stays
        until it expires; without its token it is shown to nobody.
        """
        names = [kind.name for kind in EVERY_DOCUMENT]
        records = {
            number for kind in EVERY_DOCUMENT for number in self._list_ids(kind, organization)
        }
        names += [kind.of(number).name for kind in RECORD_DOCUMENTS for number in sorted(records)]
        return self._cache.forget(organization, *names)

    def _list_ids(self, document: Document[Any], organization: int) -> Iterator[int]:
        _, entry = self._cache.look(self.resource(document, organization))
        body = entry.copy.body if entry.copy else None
        rows = body.get("rows", ()) if isinstance(body, dict) else ()
        for row in rows if isinstance(rows, list) else ():
            for field in ("id", "entitlement_id"):
                number = read_whole(row, field) if isinstance(row, dict) else None
                if number is not None:
                    yield number

    @naming_side(BACK_OFFICE_SIDE)
    def fetch(self, document: Document[T], organization: int) -> T:
        """Return the present value, past the cache; raises `PanelError`."""
        try:
            dated = self._fetch(document, organization, Deadline(PASS_SECONDS))
            if self._cache.touches.outdates(organization, dated.age):
                raise Blocked(CACHED_UPSTREAM, tell_age(dated.age))
            value = document.parse(dated.body, self._integer_money)
        except PanelError as error:
            self._report_failure(document, organization, error)
            raise
        self._report_success(document, organization, value)
        return value

    def _report_failure(
        self, document: Document[Any], organization: int, error: PanelError
    ) -> None:
        remedy = BACK_OFFICE_REMEDIES.get(error.code, "")
        record = find_record(document) or organization
        self._failures.report(self._client.host, document.label, record, error, remedy)
        self.unread.note(document.label, organization, error)
        if isinstance(error, Missing):  # "there is no such organization" is an answer
            self._troubles.note_success(document.label)
        else:
            self._troubles.note_failure(document.label, error)

    def _report_success(self, document: Document[T], organization: int, value: T) -> None:
        self._troubles.note_success(document.label)
        self.unread.clear(document.label, organization)
        oddities = getattr(value, "oddities", ())
        self._failures.report_oddities(self._client.host, document.label, organization, oddities)

    def resource(self, document: Document[T], organization: int) -> Resource[T]:
        return document.resource(organization, self._integer_money)

    def _fetch(self, document: Document[Any], organization: int, by: Deadline) -> DatedBody:
        if document.is_list:
            return self._fetch_list(document, organization, by)
        answer = self._get(document, organization, by, {})
        body = self._read_data(answer.body)
        number = read_whole(body, "id") if isinstance(body, dict) else None
        if number is None:
            raise Unreadable("wrong_shape", "no record in the answer")
        if number != (find_record(document) or organization):
            raise Unreadable("foreign_rows", "another record than the one asked for")
        if find_record(document):
            check_owner(body, organization)
        return DatedBody(body, answer.age)

    def _fetch_list(self, document: Document[Any], organization: int, by: Deadline) -> DatedBody:
        if document.label in self._small_pages:
            return self._fetch_pages(document, organization, by, {})
        try:
            return self._fetch_pages(document, organization, by, {"per_page": LARGE_PAGE})
        except Unreadable as error:
            if error.code not in SIZE_REFUSED:
                raise
            dated = self._fetch_pages(document, organization, by, {})
            # The refusal is remembered only now, when the size is known to be its reason. Rows that
            # are too large concern this organization alone.
            if error.code != "too_large":
                self._small_pages.add(document.label)
            return dated

    def _fetch_pages(
        self, document: Document[Any], organization: int, by: Deadline, size: Mapping[str, int]
    ) -> DatedBody:
        """Read every page, up to the document's most; one failing page fails the list."""
        read_page = self._make_reader(document, organization, by, size)
        pages = read_pages(read_page, document.most_pages, self._slots.most)
        rows = list(pages.rows.values())
        if pages.total and not rows:
            raise Unreadable("wrong_shape", "no rows, although some are counted")
        return DatedBody({"rows": rows, "total": pages.total, "more": pages.more}, pages.age)

    def _make_reader(
        self, document: Document[Any], organization: int, by: Deadline, size: Mapping[str, int]
    ) -> ReadPage:
        def read(number: int) -> Page:
            answer = self._get(document, organization, by, {"page": number, **size})
            data, (pages, total) = self._read_data(answer.body), _read_counts(answer.body)
            # PHP that is told to write only objects writes one for no rows; the count 0 confirms
            # it.
            items = [] if data == {} and total == 0 else read_list(data)
            check_owners(items, organization)
            rows = {make_record_key(row, number, at): row for at, row in enumerate(items)}
            return Page(rows, pages, total, age=answer.age)

        return read

    def _get(
        self, document: Document[Any], organization: int, by: Deadline, query: Mapping[str, int]
    ) -> Answer:
        path = document.path.format(id=organization)
        # Both are sent: one page of the documentation names the header, another the query
        # (docs/upstream.md).
        query = {**query, "org": organization}
        headers = {"X-Middag-Organization": str(organization), "Cache-Control": "no-cache"}

        def ask(proof: dict[str, str]) -> Answer:
            return self._client.get(
                path,
                params=query,
                headers={**headers, **proof},
                by=by,
                subject=str(organization),
                document=document.label,
            )

        with self._slots.hold(organization, by):
            answer = self._rotation.send(ask)
        self._note_cache(answer.age)
        if not isinstance(answer.body, dict) or says_failure(answer.body):
            raise Unreadable("wrong_shape", "no envelope around the answer")
        return answer

    def _note_cache(self, age: float | None) -> None:
        """Note a cache in front, even if its copies are fresh: an administrator has to remove
        it."""
        if age == 0.0:
            self._troubles.note_success(CACHE_IN_BETWEEN)
        else:
            self._troubles.note_failure(CACHE_IN_BETWEEN, Blocked(CACHED_UPSTREAM))

    @staticmethod
    def _read_data(body: dict[str, Any]) -> Any:
        """Return the envelope's `data`. A missing `data` is an error, and not an empty list."""
        if "data" not in body:
            raise Unreadable("wrong_shape", "the envelope holds no data")
        return body["data"]


def find_record(document: Document[Any]) -> int:
    """Return the id of the record that the document is about; 0 where it is about an
    organization."""
    return document.record if isinstance(document, RecordDocument) else 0


def _read_counts(body: Row) -> tuple[int | None, int | None]:
    """Return the numbers of pages and of rows in all, as far as `meta` tells them."""
    meta = body.get("meta")
    return (
        (read_whole(meta, "pages"), read_whole(meta, "total"))
        if isinstance(meta, dict)
        else (None, None)
    )


def _make_stopped_resource(organization: int) -> Resource[dict[str, str]]:
    return Resource("stopped-entitlements", organization, STOPPED_LIFETIMES, dict)
