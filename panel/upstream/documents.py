"""DOCUMENTS: the documents of the back office, each with its path, its parser and its time to live.

The cache holds the back office's own JSON, which is parsed after each read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

from panel.cache.entries import Lifetimes, Resource
from panel.errors import Unreadable
from panel.models.licenses import Entitlement, License
from panel.models.money import find_rule
from panel.models.orders import Order, Quote
from panel.models.organizations import Collaborator, Organization
from panel.models.values import Oddity, Row, is_nothing, read_list, read_whole

MOST_PAGES = 10  # of a section, for which an agent waits
FOREIGN_ROWS = "foreign_rows"
# The limit for a pass, which must not take the first people of a list for all people.
EVERY_PAGE = 1000
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class RecordList(Generic[R]):
    """`rows` that were read; `unread`: the number of records that could not be read.

    `total`: the number in all, where the answer tells it; `more`: not all were asked for.
    `oddities`: odd values of the answer and its rows.
    """

    rows: tuple[R, ...]
    total: int | None = None
    more: bool = False
    unread: int = 0
    oddities: tuple[Oddity, ...] = ()

    @property
    def received(self) -> int:
        return len(self.rows) + self.unread

    @property
    def cut(self) -> bool:
        return self.more or (self.total is not None and self.total > self.received)

    @property
    def whole(self) -> bool:
        """Tell whether the rows are complete, so that a missing record does not exist."""
        return not self.cut and not self.unread


@dataclass(frozen=True, eq=False)
class Document(Generic[T]):
    """A kind of document. `path` may hold `{id}`, the organization's.

    `parse` gets the JSON and the setting `MIDDAG_INTEGER_MONEY`.
    """

    name: str
    path: str
    lifetimes: Lifetimes
    parse: Callable[[Any, str], T]
    is_list: bool = True
    most_pages: int = MOST_PAGES

    @property
    def label(self) -> str:
        """Return the name under which the document is counted and logged: that of its kind."""
        return self.name.partition("-")[0]

    def resource(self, organization: int, integer_money: str) -> Resource[T]:
        return self._remember_resource(organization, integer_money)

    @lru_cache(maxsize=1024)  # noqa: B019 (six documents, which live as long as the program)
    def _remember_resource(self, organization: int, integer_money: str) -> Resource[T]:
        return self.make_resource(organization, integer_money)

    def make_resource(self, organization: int, integer_money: str) -> Resource[T]:
        def parse(body: Any) -> T:
            return self.parse(body, integer_money)

        return Resource(self.name, organization, self.lifetimes, parse, is_empty)


def is_empty(value: Any) -> bool:
    """Tell whether the back office itself said that there is nothing. A list that was cut or not
    read is not empty."""
    return isinstance(value, RecordList) and not value.rows and value.whole


def _parse_organization(body: Any, _: str) -> Organization:
    if not isinstance(body, dict):
        raise Unreadable("wrong_shape", "the organization is no object")
    return Organization.from_json(body)


def parse_list(make: Callable[[Row, str], R]) -> Callable[[Any, str], RecordList[R]]:
    def parse(body: Any, integer_money: str) -> RecordList[R]:
        if not isinstance(body, dict):
            raise Unreadable("wrong_shape", "no rows")
        records, total = read_list(body.get("rows")), body.get("total")
        rule = find_rule(records, integer_money)
        rows, oddities = _parse_records(records, lambda row: make(row, rule.reading))
        unread = len(records) - len(rows)
        odd_values = [*oddities, *([rule.fault] if rule.fault else [])]
        odd_values += [oddity for row in rows for oddity in getattr(row, "oddities", ())]
        total = total if isinstance(total, int) else None
        return RecordList(tuple(rows), total, body.get("more") is True, unread, tuple(odd_values))

    return parse


def _parse_records(records: list[Any], make: Callable[[Row], R]) -> tuple[list[R], list[Oddity]]:
    """Return the rows, and an oddity for each without an object, an id or a legible owner."""
    rows: list[R] = []
    oddities: list[Oddity] = []
    for place, record in enumerate(records, 1):
        try:
            row = _require_object(record)
            find_owner(row)
            rows.append(make(row))
        except Unreadable as error:
            oddities.append(Oddity(f"in place {place}", "id", error.detail))
    return rows, oddities


def _require_object(record: Any) -> Row:
    if not isinstance(record, dict):
        raise Unreadable("wrong_shape", "no object")
    return record


ORGANIZATION = Document(
    "organization", "organizations/{id}", Lifetimes(300), _parse_organization, is_list=False
)
ORDERS = Document("orders", "orders", Lifetimes(60), parse_list(Order.from_json))
QUOTES = Document("quotes", "quotes", Lifetimes(60), parse_list(Quote.from_json))
LICENSES = Document(
    "licenses", "licenses", Lifetimes(300), parse_list(lambda row, _: License.from_json(row))
)
DOCUMENTS: tuple[Document[Any], ...] = (ORGANIZATION, ORDERS, QUOTES, LICENSES)

# The passes of the writing wing read this document anew each time, and no copy is kept.
COLLABORATORS = Document(
    "collaborators",
    "organizations/{id}/collaborators",
    Lifetimes(0),
    parse_list(lambda row, _: Collaborator.from_json(row)),
    most_pages=EVERY_PAGE,
)
ENTITLEMENTS = Document(
    "entitlements",
    "entitlements",
    Lifetimes(0),
    parse_list(lambda row, _: Entitlement.from_json(row)),
    most_pages=EVERY_PAGE,
)
EVERY_DOCUMENT: tuple[Document[Any], ...] = (*DOCUMENTS, COLLABORATORS, ENTITLEMENTS)


# -- raw answers ----------------------------------------------------------------------


def says_failure(body: dict[str, Any]) -> bool:
    """Tell whether an answer with a good status reports a failure, in whatever form PHP writes it.

    Then its empty `data` is no empty list. An error of WordPress has a `code` and no `success`; an
    error of a gateway has an `error`.
    """
    success = body.get("success")
    if success is None and isinstance(body.get("code"), str):
        return True
    is_failure = success is not None and (not success or success in ("0", "false"))
    return is_failure or bool(body.get("errors")) or bool(body.get("error"))


def check_owners(records: list[Any], organization: int) -> None:
    """A record that names another organization makes the whole answer untrustworthy.

    A record with an illegible owner is not shown, and is counted: see `find_owner`.
    """
    for record in records:
        try:
            check_owner(record if isinstance(record, dict) else {}, organization)
        except Unreadable as error:
            if error.code == FOREIGN_ROWS:
                raise


def check_owner(record: Row, organization: int) -> None:
    """Raises `Unreadable` for another organization's record, or one with an illegible owner."""
    if find_owner(record) not in (None, organization):
        raise Unreadable(FOREIGN_ROWS, "a row of another organization")


def find_owner(record: Row) -> int | None:
    """Return the organization that a record names. Raises `Unreadable` for a value that is no id.

    A null names no organization, nor do the values that PHP writes for it: 0, false, an empty text.
    """
    owner = record.get("organization_id")
    if is_nothing(owner) or owner in (0, "0"):
        return None
    number = read_whole(record, "organization_id")
    if number is None:
        raise Unreadable("wrong_shape", "organization_id is no id")
    return number


def make_record_key(record: Any, page: int, place: int) -> str:
    """Return the key of a record in a page: the same id twice is one record.

    A record without an id has a key of its own: it is counted, and not shown.
    """
    number = read_whole(record, "id") if isinstance(record, dict) else None
    return f"{page}/{place}" if number is None else str(number)
