"""The client of the back office, read through the cache."""

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar

from panel.cache.entries import Reading, Resource
from panel.cache.policy import Cache, CacheControl
from panel.deadline import Deadline
from panel.errors import Missing, PanelError, Refused, Unauthorized, Unreadable
from panel.models.values import Row, read_list, read_whole
from panel.upstream.client import Client
from panel.upstream.documents import Document, check_owner, make_record_key
from panel.upstream.failures import FailureLog, Trouble, Troubles, UnreadDocuments

PASS_SECONDS = 120.0
PAGE_ROWS = 20  # the documented default of `per_page`
T = TypeVar("T")


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
        self.unread = UnreadDocuments()

    @property
    def paused_until(self) -> float:
        return self._client.breaker.paused_until

    @property
    def trouble(self) -> Trouble | None:
        """What the back office did not answer when this process asked for it last."""
        return self._troubles.latest

    def read(self, document: Document[T], organization: int, control: CacheControl) -> Reading[T]:
        """A `Reading` of the document; raises `PanelError` when no truth and no copy can be had."""
        fetched = []

        def fetch(by: Deadline) -> Any:
            fetched.append(self._ask(document, organization, by))
            return fetched[0]

        resource = self.resource(document, organization)
        failed = partial(self._report_failure, document, organization)
        reading = self._cache.read(resource, control, fetch, failed)
        if fetched and not reading.late:  # what is read again from the cache is no news
            self._report_problems(document, organization, reading.value)
        return reading

    def peek(self, document: Document[T], organization: int) -> Reading[T] | None:
        return self._cache.peek(self.resource(document, organization))

    def fetch(self, document: Document[T], organization: int) -> T:
        """The present truth, past the cache; raises `PanelError`."""
        try:
            body = self._ask(document, organization, Deadline(PASS_SECONDS))
            value = document.parse(body, self._integer_money)
        except PanelError as error:
            self._report_failure(document, organization, error)
            raise
        self._report_problems(document, organization, value)
        return value

    def _report_failure(
        self, document: Document[Any], organization: int, error: PanelError
    ) -> None:
        self._failures.report(self._client.host, document.name, organization, error)
        self.unread.note(document.name, organization, error)
        if isinstance(error, Missing):  # an answer: there is no such organization
            self._troubles.note_success(document.name)
        else:
            self._troubles.note_failure(document.name, error)

    def _report_problems(self, document: Document[T], organization: int, value: T) -> None:
        self.unread.clear(document.name, organization)
        problems = getattr(value, "problems", ())
        self._failures.report_problems(self._client.host, document.name, organization, problems)

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
        number = read_whole(body, "id") if isinstance(body, dict) else None
        if number is None:
            raise Unreadable("wrong_shape", "no organization in the answer")
        if number != organization:
            raise Unreadable("foreign_rows", "another organization than the one asked for")
        return body

    def _fetch_pages(self, path: str, organization: int, by: Deadline, most: int) -> dict[str, Any]:
        """Every page, up to `most`; one failing page fails the list."""
        rows: dict[str, Any] = {}
        total: int | None = None
        for page in range(1, most + 1):
            # No `per_page`: its maximum is unknown (§2.3), and a refusal would cost the section.
            body = self._get(path, organization, by, {"page": page})
            found = read_list(self._read_data(body))
            check_owner(found, organization)
            before = len(rows)
            # Rows move between pages while we walk them: the same id twice is one row.
            rows |= {make_record_key(row, page, at): row for at, row in enumerate(found)}
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
