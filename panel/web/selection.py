"""Which records of a document a section shows, in which order, and what its totals add up.

Every `select_…` takes the document's value and the moment. The order is that of `web.groups`.
Closed records stand behind one line. A record is shown where it is unknown whether it is closed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from panel.models.licenses import License
from panel.models.money import Amount, Money, UnclearAmount, sum_amounts
from panel.models.orders import Order, Quote
from panel.models.organizations import Organization
from panel.models.values import Illegible
from panel.upstream.documents import RecordList
from panel.web.groups import LICENSE_GROUPS, ORDER_GROUPS, QUOTE_GROUPS, Group, Moment, read_status

TOTAL_LABELS = ("Total unpaid", "Total paid", "Total pending")
UNPAID_TOTAL, PAID_TOTAL, PENDING_TOTAL = TOTAL_LABELS


@dataclass(frozen=True)
class Item:
    """A record with its mark, which comes from the groups below."""

    record: Any
    mark: str = ""


@dataclass(frozen=True)
class Total:
    """`amounts`: a sum for each currency."""

    label: str
    amounts: tuple[Money, ...]


@dataclass(frozen=True)
class Selection:
    """`items` in order; `closed`: those behind the line; `unread` could not be read at all.

    `left_out`: how many amounts of the items are in no total, by reason (`labels.LEFT_OUT`).
    `received` of `stated` records came, some when `cut`.
    """

    items: tuple[Item, ...]
    closed: tuple[Item, ...] = ()
    totals: tuple[Total, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    unread: int = 0
    received: int = 0
    stated: int | None = None
    cut: bool = False

    @property
    def statuses(self) -> dict[str, int]:
        """Count the closed records by mark, or else by status; the most frequent first."""
        words = (item.mark or read_status(item.record) for item in self.closed)
        return dict(Counter(words).most_common())

    @property
    def last_paid(self) -> Order | None:
        """Return the newest paid order with a date among the closed ones."""
        paid = (order.record for order in self.closed if read_status(order.record) == "completed")
        return next((order for order in paid if order.created), None)


def select_organization(value: Organization, _: Moment) -> Selection:
    return Selection((Item(value),))


def select_orders(value: RecordList[Order], moment: Moment) -> Selection:
    active = [order for order in value.rows if order.active]
    totals = {
        UNPAID_TOTAL: [order for order in active if order.paid is False],
        PAID_TOTAL: [order for order in active if order.paid],
    }
    return _make_selection(value, ORDER_GROUPS, moment, totals)


def select_quotes(value: RecordList[Quote], moment: Moment) -> Selection:
    pending = [quote for quote in value.rows if quote.pending(moment.now)]
    return _make_selection(value, QUOTE_GROUPS, moment, {PENDING_TOTAL: pending})


def select_licenses(value: RecordList[License], moment: Moment) -> Selection:
    return _make_selection(value, LICENSE_GROUPS, moment)


Totals = Mapping[str, Sequence[Order | Quote]]  # the label of each, and what is added up
NO_TOTALS: Totals = MappingProxyType({})


def _make_selection(
    value: RecordList[Any], groups: tuple[Group, ...], moment: Moment, totals: Totals = NO_TOTALS
) -> Selection:
    items, closed = _sort(value.rows, groups, moment)
    sums = {label: sum_amounts(_list_money(rows)) for label, rows in totals.items()}
    return Selection(
        items,
        closed,
        totals=tuple(Total(label, amounts) for label, amounts in sums.items() if amounts),
        left_out=_count_left_out(items, totals),
        unread=value.unread,
        received=value.received,
        stated=value.total,
        cut=value.cut,
    )


def _sort(
    rows: Sequence[Any], groups: tuple[Group, ...], moment: Moment
) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """Return the records of each group, group by group: the shown ones, and the closed ones."""
    members: list[list[Any]] = [[] for _ in groups]
    for row in rows:
        place = next(at for at, group in enumerate(groups) if group.holds(row, moment))
        members[place].append(row)
    by_state: dict[bool, list[Item]] = {False: [], True: []}
    for group, records in zip(groups, members, strict=True):
        by_state[group.is_closed] += [
            Item(record, group.mark) for record in sorted(records, key=group.key)
        ]
    return tuple(by_state[False]), tuple(by_state[True])


def _list_money(rows: Sequence[Order | Quote]) -> list[Money]:
    amounts = [row.total for row in rows]
    return [amount for amount in amounts if isinstance(amount, Money) and amount.currency]


def _count_left_out(items: Sequence[Item], totals: Totals) -> dict[str, int]:
    """Count the amounts that the totals lack. A lapsed quote and a failed order belong to no total;
    their own rows say so."""
    if not totals:
        return {}
    ids = {row.id for rows in totals.values() for row in rows}
    records = [item.record for item in items if item.mark not in ("lapsed", "failed")]
    reasons = (
        _name_lack(record.total) or ("" if record.id in ids else _name_doubt(record))
        for record in records
    )
    return dict(Counter(reason for reason in reasons if reason))


def _name_lack(amount: Amount | None) -> str:
    """Return the reason why an amount can be in no total; empty for one that can."""
    if isinstance(amount, Money):
        return "" if amount.currency else "no_currency"
    return {UnclearAmount: "unclear", Illegible: "unreadable"}.get(type(amount), "not_stated")


def _name_doubt(record: Order | Quote) -> str:
    """Return the reason why it is unclear to which total an amount belongs."""
    dated = isinstance(record, Quote) and isinstance(record.valid_until, Illegible)
    return "unreadable_date" if dated else "unknown_status"
