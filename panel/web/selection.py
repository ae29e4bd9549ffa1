"""Which records of a document a section shows, in which order, and what its totals add up.

Each `select_…` takes the document's value and the moment. What is not surely over is shown; what
nobody can decide is shown, and counts as neither active nor over.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from panel.models.dates import order_key
from panel.models.licenses import License
from panel.models.money import Amount, Money, UnclearAmount, sum_amounts
from panel.models.orders import Order, Quote
from panel.models.organizations import Organization
from panel.models.values import Illegible
from panel.upstream.documents import Listed

TOTAL_LABELS = ("Total unpaid", "Total paid", "Total pending")
UNPAID_TOTAL, PAID_TOTAL, PENDING_TOTAL = TOTAL_LABELS


@dataclass(frozen=True)
class Moment:
    """Now, in the zone of the setting, and the window of "approaching expiration"."""

    now: datetime
    expiring_days: int


@dataclass(frozen=True)
class Item:
    """A record with what the rules say of it: ``, `lapsed`, `expiring`, `expired`."""

    record: Any
    mark: str = ""


@dataclass(frozen=True)
class Total:
    """`amounts`: a sum for each currency."""

    label: str
    amounts: tuple[Money, ...]


@dataclass(frozen=True)
class Selection:
    """`items` in order; `hidden` were filtered; `unread` could not be read at all.

    `left_out`: how many amounts of the items are in no total, by why (`labels.LEFT_OUT`).
    `received` of `stated` records came, some when `cut`.
    """

    items: tuple[Item, ...]
    hidden: int = 0
    totals: tuple[Total, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    unread: int = 0
    received: int = 0
    stated: int | None = None
    cut: bool = False


def select_organization(value: Organization, _: Moment) -> Selection:
    return Selection((Item(value),))


def select_orders(value: Listed[Order], _: Moment) -> Selection:
    active = sorted((order for order in value.rows if order.active), key=_sort_newest)
    totals = {
        UNPAID_TOTAL: [order for order in active if order.paid is False],
        PAID_TOTAL: [order for order in active if order.paid],
    }
    return _make_selection(value, [Item(order) for order in active], totals)


def select_quotes(value: Listed[Quote], moment: Moment) -> Selection:
    now, newest = moment.now, sorted(value.rows, key=_sort_newest)
    pending = [each for each in newest if each.pending(now)]
    undecided = [each for each in newest if each.undecided(now)]
    items = [Item(quote) for quote in (*pending, *undecided)]
    items += [Item(each, "lapsed") for each in newest if each.lapsed(now)]
    return _make_selection(value, items, {PENDING_TOTAL: pending})


def select_licenses(value: Listed[License], moment: Moment) -> Selection:
    now, days = moment.now, moment.expiring_days
    expiring = [each for each in value.rows if each.expiring(now, days)]
    lasting = [each for each in value.rows if each.active(now) and each not in expiring]
    undecided = [each for each in value.rows if each.undecided()]
    expired = [each for each in value.rows if each.recently_expired(now, days)]
    items = [Item(each, "expiring") for each in sorted(expiring, key=_sort_soonest)]
    items += [Item(each) for each in sorted(lasting, key=_sort_soonest)]
    items += [Item(each) for each in sorted(undecided, key=_sort_soonest)]
    items += [Item(each, "expired") for each in sorted(expired, key=_sort_soonest, reverse=True)]
    return _make_selection(value, items)


Totals = Mapping[str, Sequence[Order | Quote]]  # the label of each, and what is added up
NO_TOTALS: Totals = MappingProxyType({})


def _make_selection(value: Listed[Any], items: list[Item], totals: Totals = NO_TOTALS) -> Selection:
    sums = {label: sum_amounts(_list_money(rows)) for label, rows in totals.items()}
    return Selection(
        tuple(items),
        hidden=len(value.rows) - len(items),
        totals=tuple(Total(label, amounts) for label, amounts in sums.items() if amounts),
        left_out=_count_left_out(items, totals),
        unread=value.unread,
        received=value.received,
        stated=value.total,
        cut=value.cut,
    )


def _list_money(rows: Sequence[Order | Quote]) -> list[Money]:
    amounts = [row.total for row in rows]
    return [each for each in amounts if isinstance(each, Money) and each.currency]


def _count_left_out(items: list[Item], totals: Totals) -> dict[str, int]:
    """What the totals lack; a lapsed quote belongs to none and says so itself."""
    if not totals:
        return {}
    added = {row.id for rows in totals.values() for row in rows}
    records = [item.record for item in items if not item.mark]
    reasons = (
        _name_lack(each.total) or ("" if each.id in added else _name_doubt(each))
        for each in records
    )
    return dict(Counter(reason for reason in reasons if reason))


def _name_lack(amount: Amount | None) -> str:
    """Why an amount can be in no total; nothing for one that can."""
    if isinstance(amount, Money):
        return "" if amount.currency else "no_currency"
    return {UnclearAmount: "unclear", Illegible: "unreadable"}.get(type(amount), "not_stated")


def _name_doubt(record: Order | Quote) -> str:
    """Why nobody knows to which total an amount belongs."""
    dated = isinstance(record, Quote) and isinstance(record.valid_until, Illegible)
    return "unreadable_date" if dated else "unknown_status"


def _sort_newest(record: Order | Quote) -> tuple[bool, float, int]:
    """Newest first; what has no date comes last, the higher id first."""
    created = record.created
    return created is None, -order_key(created) if created else 0.0, -record.id


def _sort_soonest(each: License) -> tuple[bool, float, int]:
    """Next to expire first; what never expires comes last."""
    expires = each.expires if isinstance(each.expires, date) else None
    return expires is None, order_key(expires) if expires else 0.0, each.id
