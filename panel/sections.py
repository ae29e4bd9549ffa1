"""SECTIONS: what the panel shows. A section is a row here and a template, never a branch.

Each `choose` takes the document's value and the moment, and says which records are shown, in which
order, and how many its filter hid.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from panel import middag
from panel.copies import Reading
from panel.errors import PanelError, Refused
from panel.middag import Document, Listed
from panel.models import License, Money, Order, Organization, Quote, totals


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
class Shown:
    """`items` in order; `hidden` were filtered; `read` of `stated` were read, some when `cut`."""

    items: tuple[Item, ...]
    hidden: int = 0
    totals: tuple[Money, ...] = ()
    read: int = 0
    stated: int | None = None
    cut: bool = False


@dataclass(frozen=True)
class Section:
    """`title`, `empty` and `hidden` are in English, translated where they are drawn."""

    name: str
    title: str
    document: Document[Any]
    choose: Callable[[Any, Moment], Shown]
    empty: str
    none_shown: str
    hidden: tuple[str, str]
    record: str
    total: str = "Total"

    @property
    def template(self) -> str:
        return f"sections/{self.name}.html"


def _organization(value: Organization, _: Moment) -> Shown:
    return Shown((Item(value),))


def _orders(value: Listed[Order], _: Moment) -> Shown:
    active = sorted((order for order in value.rows if order.active), key=_newest)
    amounts = totals([order.total for order in active if order.total])
    return _shown(value, [Item(order) for order in active], amounts)


def _quotes(value: Listed[Quote], moment: Moment) -> Shown:
    today = moment.now.date()
    pending = sorted((each for each in value.rows if each.pending(today)), key=_newest)
    lapsed = sorted((each for each in value.rows if each.lapsed(today)), key=_newest)
    amounts = totals([quote.total for quote in pending if quote.total])
    items = [Item(quote) for quote in pending] + [Item(quote, "lapsed") for quote in lapsed]
    return _shown(value, items, amounts)


def _licenses(value: Listed[License], moment: Moment) -> Shown:
    now, days = moment.now, moment.expiring_days
    expiring = [each for each in value.rows if each.expiring(now, days)]
    lasting = [each for each in value.rows if each.active(now) and each not in expiring]
    expired = [each for each in value.rows if each.recently_expired(now, days)]
    items = [Item(each, "expiring") for each in sorted(expiring, key=_soonest)]
    items += [Item(each) for each in sorted(lasting, key=_soonest)]
    items += [Item(each, "expired") for each in sorted(expired, key=_soonest, reverse=True)]
    return _shown(value, items)


def _shown(value: Listed[Any], items: list[Item], amounts: tuple[Money, ...] = ()) -> Shown:
    read = len(value.rows)
    return Shown(tuple(items), read - len(items), amounts, read, value.total, value.cut)


def _newest(record: Order | Quote) -> tuple[bool, float, int]:
    """Newest first; what has no date comes last, the higher id first."""
    created = record.created
    return created is None, -created.timestamp() if created else 0.0, -record.id


def _soonest(each: License) -> tuple[bool, float, int]:
    """Next to expire first; what never expires comes last."""
    expires = each.expires
    return expires is None, expires.timestamp() if expires else 0.0, each.id


SECTIONS = {
    section.name: section
    for section in (
        Section(
            "organization",
            title="Organization",
            document=middag.ORGANIZATION,
            choose=_organization,
            empty="",
            none_shown="",
            hidden=("", ""),
            record="organization",
        ),
        Section(
            "orders",
            title="Active orders",
            document=middag.ORDERS,
            choose=_orders,
            empty="No orders",
            none_shown="No active orders",
            hidden=("%(count)d closed order hidden", "%(count)d closed orders hidden"),
            record="order",
        ),
        Section(
            "quotes",
            title="Pending quotes",
            document=middag.QUOTES,
            choose=_quotes,
            empty="No quotes",
            none_shown="No pending quotes",
            hidden=("%(count)d other quote hidden", "%(count)d other quotes hidden"),
            record="quote",
            total="Total pending",
        ),
        Section(
            "licenses",
            title="Licenses",
            document=middag.LICENSES,
            choose=_licenses,
            empty="No licenses",
            none_shown="No active licenses",
            hidden=("%(count)d other license hidden", "%(count)d other licenses hidden"),
            record="license",
        ),
    )
}


@dataclass(frozen=True)
class Part:
    """A section as it is drawn: one of the states of design §4.3, and what that state needs."""

    section: Section
    state: str
    version: str = ""
    shown: Shown | None = None
    read_at: float | None = None
    code: str = ""
    retry_at: float | None = None
    follow: bool = False
    masked: bool = True


def part_of(section: Section, reading: Reading[Any], moment: Moment, masked: bool) -> Part:
    """`empty` is what the back office itself said: a filter that hides all rows makes none."""
    shown = section.choose(reading.value, moment)
    none = isinstance(reading.value, Listed) and not reading.value.rows
    state = "late" if reading.late else "empty" if none else "fresh"
    return Part(
        section,
        state,
        reading.version,
        shown,
        reading.read_at,
        reading.late or "",
        reading.retry_at,
        reading.follow,
        masked,
    )


def part_without(section: Section, error: PanelError, version: str) -> Part:
    """No truth and no copy: the section says so, never that there is nothing."""
    state = "denied" if isinstance(error, Refused) else "failed"
    return Part(section, state, version, code=error.code, retry_at=error.retry_at)
