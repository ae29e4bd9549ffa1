"""Lists that come in pages: further pages are read at once, rows merged, totals compared."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context  # the id of the request
from dataclasses import dataclass, field
from threading import BoundedSemaphore, Lock
from typing import Any

from panel.deadline import Deadline
from panel.errors import Unreachable

SMALL_PAGE = 20  # the documented default of `per_page`


@dataclass(frozen=True)
class Page:
    """`rows` by their key; `pages` and `total`: the numbers in all, where the answer tells them."""

    rows: dict[str, Any]
    pages: int | None = None
    total: int | None = None
    age: float | None = 0.0


@dataclass
class PagedList:
    """`rows` by their key, in the order in which they came; `more`: there are further rows."""

    rows: dict[str, Any] = field(default_factory=dict)
    totals: set[int] = field(default_factory=set)
    more: bool = False
    age: float | None = 0.0

    def add(self, page: Page) -> None:
        # Rows move between pages while we walk them: the same key twice is one row.
        self.rows |= page.rows
        self.totals |= set() if page.total is None else {page.total}
        self.age = None if None in (self.age, page.age) else max(self.age or 0, page.age or 0)

    @property
    def total(self) -> int | None:
        return max(self.totals, default=None)

    @property
    def is_whole(self) -> bool:
        """Tell whether the list did not change while it was read, and has all counted rows."""
        return len(self.totals) < 2 and len(self.rows) >= (self.total or 0)


ReadPage = Callable[[int], Page]


def read_pages(read_page: ReadPage, most: int, at_once: int) -> PagedList:
    """Read all pages, up to `most`; one failing page fails the list.

    A list whose total changed or does not fit is read once more. If it still does not fit, more
    rows may exist than are there.
    """
    pages = _walk(read_page, most, at_once)
    if pages.more or pages.is_whole:
        return pages
    pages = _walk(read_page, most, at_once)
    pages.more = pages.more or not pages.is_whole
    return pages


def _walk(read_page: ReadPage, most: int, at_once: int) -> PagedList:
    pages, number, last = PagedList(), 1, read_page(1)
    pages.add(last)
    news = len(pages.rows)
    while news and _goes_on(pages, number, last):
        if number >= most:
            pages.more = True
            break
        # Where the number of pages is unknown, each page is requested after the one before it.
        end = number + at_once if last.pages is not None else number + 1
        numbers = range(number + 1, min(end, last.pages or end, most) + 1)
        before = len(pages.rows)
        for last in _read_at_once(read_page, numbers):
            pages.add(last)
        number = numbers[-1]
        news = len(pages.rows) - before
    return pages


def _goes_on(pages: PagedList, number: int, last: Page) -> bool:
    """Tell whether there is a page behind the last one."""
    if pages.total is not None and len(pages.rows) >= pages.total:
        return False
    if last.pages is not None:
        return number < last.pages
    return pages.total is not None or len(last.rows) >= SMALL_PAGE


def _read_at_once(read_page: ReadPage, numbers: range) -> Iterable[Page]:
    if len(numbers) == 1:
        return [read_page(numbers[0])]
    with ThreadPoolExecutor(len(numbers)) as pool:
        calls = [pool.submit(copy_context().run, read_page, number) for number in numbers]
        return [call.result() for call in calls]


class CallSlots:
    """Limits the calls at once for each organization, in all its sections together."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._guard = Lock()
        self._slots: dict[int, tuple[BoundedSemaphore, int]] = {}

    @contextmanager
    def hold(self, organization: int, by: Deadline) -> Iterator[None]:
        """Raises `Unreachable` when no slot is free before the deadline."""
        slots = self._join(organization)
        try:
            if not slots.acquire(timeout=by.left()):
                raise Unreachable("timeout", "other calls of this organization hang")
            try:
                yield
            finally:
                slots.release()
        finally:
            self._leave(organization)

    def count_organizations(self) -> int:
        """Return for how many organizations calls are made, or wait."""
        return len(self._slots)

    def _join(self, organization: int) -> BoundedSemaphore:
        with self._guard:
            new = BoundedSemaphore(self.most), 0
            slots, users = self._slots.get(organization, new)
            self._slots[organization] = slots, users + 1
            return slots

    def _leave(self, organization: int) -> None:
        with self._guard:
            slots, users = self._slots.pop(organization)
            if users > 1:
                self._slots[organization] = slots, users - 1
