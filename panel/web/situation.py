"""The situation of a customer: the known facts at this moment, and the functions that find the
records that need a word."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from panel.models.licenses import License
from panel.models.orders import Order, Quote
from panel.web.groups import Moment
from panel.web.sections import SectionView

EVER = 10**6  # days


@dataclass(frozen=True)
class Situation:
    """The known facts about a customer at this moment. `entitlement`: the status that the last pass
    found, one of `sync.people.STATUSES_BY_WEIGHT`; `stopped`: the status of each suspended or
    cancelled entitlement, by its code, from a recent pass; `is_stranger`: the people of the company
    are known, and the contact is none of them; `is_buried`: a change of the company never reached
    Chatwoot. `is_known` False: our own database is silent, so these facts are unknown.
    """

    views: Mapping[str, SectionView]
    entitlement: str = ""
    stopped: Mapping[str, str] | None = None
    is_stranger: bool = False
    is_buried: bool = False
    is_known: bool = True

    def list_items(self, section: str) -> Iterable[Any]:
        view = self.views.get(section)
        return view.selection.items if view and view.selection else ()


@dataclass(frozen=True)
class Occurrence:
    """A record that a rule found, and the day that its words name; both may be missing."""

    record: Any = None
    day: date | None = None


Find = Callable[[Situation, Moment], Iterable[Occurrence]]


def find_marked(
    section: str,
    mark: str,
    read_day: Callable[[Any], Any] = lambda _: None,
    days: tuple[int, int] = (-EVER, EVER),
    undated: bool = False,
) -> Find:
    """Find the items with this mark; of items with a day, those that many days from now.

    `undated`: a record without a day needs a word too.
    """
    undated = undated or days == (-EVER, EVER)

    def find(situation: Situation, moment: Moment) -> Iterable[Occurrence]:
        for item in situation.list_items(section):
            if item.mark != mark:
                continue
            day = read_day(item.record)
            day = day if isinstance(day, date) else None
            count = moment.count_days(day) if day else None
            if undated if count is None else days[0] <= count <= days[1]:
                yield Occurrence(item.record, day)

    return find


def find_if(holds: Callable[[Situation, Moment], bool]) -> Find:
    def find(situation: Situation, moment: Moment) -> Iterable[Occurrence]:
        return (Occurrence(),) if holds(situation, moment) else ()

    return find


def read_created(order: Order) -> date | None:
    return order.created


def read_expires(owned: License) -> object:
    return owned.expires


def read_end(quote: Quote) -> object:
    return quote.valid_until


def find_active_behind(status: str) -> Find:
    """Find the active licenses whose own entitlement has this status."""

    def find(situation: Situation, moment: Moment) -> Iterable[Occurrence]:
        statuses = situation.stopped or {}
        for item in situation.list_items("licenses"):
            record = item.record
            if record.active(moment.now) and statuses.get(record.entitlement) == status:
                yield Occurrence(record)

    return find


def is_suspended_elsewhere(situation: Situation, _: Moment) -> bool:
    """Tell whether a suspended entitlement has no shown license that is known to be its own."""
    if situation.entitlement != "suspended" or situation.stopped is None:
        return situation.entitlement == "suspended"
    codes = {code for code, status in situation.stopped.items() if status == "suspended"}
    return bool(codes - _list_codes(situation)) or not codes


def _list_codes(situation: Situation) -> set[str | None]:
    view = situation.views.get("licenses")
    selection = view.selection if view else None
    return (
        {item.record.entitlement for item in (*selection.items, *selection.closed)}
        if selection
        else set()
    )


def is_active_behind_none(situation: Situation, moment: Moment) -> bool:
    """Tell whether every entitlement is cancelled, while a license without a known entitlement is
    active."""
    if situation.entitlement != "cancelled" or situation.stopped is not None:
        return False
    return _has_active_license(situation, moment)


def _has_active_license(situation: Situation, moment: Moment) -> bool:
    return any(item.record.active(moment.now) for item in situation.list_items("licenses"))
