"""The groups of records: which belong together, and which of them are more urgent.

A record belongs to the first group that holds it, and the groups stand in the order of urgency.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from panel.models.dates import find_day, is_past, order_key
from panel.models.licenses import License
from panel.models.orders import Order, Quote
from panel.models.values import Status

FAILED_DAYS = 90  # a payment that failed longer ago is history
LAPSING_DAYS = 7
LAPSED_DAYS = 30
STOPPED_STATUSES = frozenset({"suspended", "cancelled", "revoked", "blocked"})  # of a license


@dataclass(frozen=True)
class Moment:
    """Now, in the zone of the setting, and the window of "approaching expiration"."""

    now: datetime
    expiring_days: int

    def count_days(self, moment: date) -> int:
        """Count the calendar days until then, in our zone; a past day is negative."""
        return (find_day(moment, self.now.tzinfo) - self.now.date()).days


SortKey = tuple[bool, float, int]


@dataclass(frozen=True)
class Group:
    """Records that belong together: `holds` chooses them, `key` sorts them."""

    mark: str
    holds: Callable[[Any, Moment], bool]
    key: Callable[[Any], SortKey]
    is_closed: bool = False


def read_status(record: Any) -> str:
    """Return the status, empty where it cannot be read."""
    return record.status.value if isinstance(record.status, Status) else ""


def _make_key(moment: object, number: int, is_latest_first: bool = False) -> SortKey:
    """Records without a date come last; of the same date, the higher id comes first."""
    sign = -1 if is_latest_first else 1
    day = moment if isinstance(moment, date) else None
    return day is None, sign * order_key(day) if day else 0.0, -number


def _sort_newest(record: Order | Quote) -> SortKey:
    return _make_key(record.created, record.id, is_latest_first=True)


def _sort_oldest(record: Order) -> SortKey:
    return _make_key(record.created, record.id)


def _sort_lapsing(quote: Quote) -> SortKey:
    return _make_key(quote.valid_until, quote.id)


def _sort_lapsed(quote: Quote) -> SortKey:
    return _make_key(quote.valid_until, quote.id, is_latest_first=True)


def _sort_soonest(owned: License) -> SortKey:
    return _make_key(owned.expires, -owned.id)


def _sort_expired(owned: License) -> SortKey:
    return _make_key(owned.expires, owned.id, is_latest_first=True)


def has_failed(order: Order, moment: Moment) -> bool:
    """Tell whether the order failed lately; one without a date counts as lately."""
    if read_status(order) != "failed":
        return False
    return not order.created or moment.count_days(order.created) >= -FAILED_DAYS


def is_lapsing(quote: Quote, moment: Moment) -> bool:
    end = quote.valid_until
    is_open = quote.pending(moment.now) and isinstance(end, date)
    return is_open and moment.count_days(end) <= LAPSING_DAYS  # type: ignore[arg-type]


def has_lapsed(quote: Quote, moment: Moment) -> bool:
    """Tell whether the quote lapsed lately: the customer may still want it."""
    if not quote.lapsed(moment.now) or not isinstance(quote.valid_until, date):
        return False
    return moment.count_days(quote.valid_until) >= -LAPSED_DAYS


def is_disabled(owned: License, moment: Moment) -> bool:
    """Tell whether the license is disabled, and had not ended long ago anyway."""
    before = moment.now - timedelta(days=moment.expiring_days)
    long_past = isinstance(owned.expires, date) and is_past(owned.expires, before)
    return read_status(owned) == "disabled" and not long_past


def is_full(owned: License, moment: Moment) -> bool:
    """Tell whether the license takes no further site."""
    used, limit = owned.used, owned.limit
    return owned.active(moment.now) and bool(limit) and used is not None and used >= (limit or 0)


def _always(_record: object, _: Moment) -> bool:
    return True


ORDER_GROUPS = (
    Group("failed", has_failed, _sort_newest),
    Group("unpaid", lambda order, _: order.active and order.paid is False, _sort_oldest),
    Group("", lambda order, _: order.active and order.paid is None, _sort_newest),
    Group("paid", lambda order, _: order.active, _sort_newest),
    Group("failed", lambda order, _: read_status(order) == "failed", _sort_newest),
    Group("", _always, _sort_newest, is_closed=True),
)
QUOTE_GROUPS = (
    Group("lapsing", is_lapsing, _sort_lapsing),
    Group("lapsed", has_lapsed, _sort_lapsed),
    Group("", lambda quote, moment: quote.pending(moment.now), _sort_lapsing),
    Group("", lambda quote, moment: quote.undecided(moment.now), _sort_newest),
    Group("lapsed", lambda quote, moment: quote.lapsed(moment.now), _sort_lapsed, is_closed=True),
    Group("", _always, _sort_newest, is_closed=True),
)
LICENSE_GROUPS = (
    Group(
        "expired",
        lambda owned, moment: owned.recently_expired(moment.now, moment.expiring_days),
        _sort_expired,
    ),
    Group("stopped", lambda owned, _: read_status(owned) in STOPPED_STATUSES, _sort_soonest),
    Group("disabled", is_disabled, _sort_soonest),
    Group(
        "expiring",
        lambda owned, moment: owned.expiring(moment.now, moment.expiring_days),
        _sort_soonest,
    ),
    Group("full", is_full, _sort_soonest),
    Group("", lambda owned, moment: owned.active(moment.now), _sort_soonest),
    Group("", lambda owned, _: owned.undecided(), _sort_soonest),
    Group(
        "expired", lambda owned, moment: owned.expired(moment.now), _sort_expired, is_closed=True
    ),
    Group("", _always, _sort_expired, is_closed=True),
)
