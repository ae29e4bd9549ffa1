"""SECTIONS: what the panel shows. A section is a row here and a template, never a branch.

Its document stands in `upstream.middag`, the hooks that touch it in `sync.events`.

Each `choose` takes the document's value and the moment, and says which records are shown, in which
order, and how many its filter hid.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from panel.auth.background_checks import ACCESS_UNCHECKED
from panel.cache.entries import Reading
from panel.customer.disclosure import AMOUNT, LICENSE_KEY, TAX_ID, VALUE_KINDS
from panel.errors import PanelError, Refused
from panel.models import License, Money, Order, Organization, Quote, sum_amounts
from panel.upstream import middag
from panel.upstream.middag import Document, Listed


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
class Selection:
    """`items` in order; `hidden` were filtered; `read` of `stated` were read, some when `cut`."""

    items: tuple[Item, ...]
    hidden: int = 0
    totals: tuple[Money, ...] = ()
    read: int = 0
    stated: int | None = None
    cut: bool = False


@dataclass(frozen=True)
class Section:
    """All that tells a section from another, but for its template.

    The texts are in English, translated where they are drawn. `uncover`: the button that reveals
    what is masked, where it is one of the kinds that the section `reveals`. `badges`: the colour of
    a status or a mark; slate, where none is named. `link`: the kind of record that `Settings.links`
    may have an address of.
    """

    name: str
    title: str
    document: Document[Any]
    choose: Callable[[Any, Moment], Selection]
    empty: str
    none_shown: str
    hidden: tuple[str, str]
    uncover: str
    badges: Mapping[str, str]
    link: str = ""
    total: str = "Total"
    reveals: frozenset[str] = VALUE_KINDS

    @property
    def template(self) -> str:
        return f"sections/{self.name}.html"


def _select_organization(value: Organization, _: Moment) -> Selection:
    return Selection((Item(value),))


def _select_orders(value: Listed[Order], _: Moment) -> Selection:
    active = sorted((order for order in value.rows if order.active), key=_sort_newest)
    amounts = sum_amounts([order.total for order in active if order.total])
    return _make_selection(value, [Item(order) for order in active], amounts)


def _select_quotes(value: Listed[Quote], moment: Moment) -> Selection:
    today = moment.now.date()
    pending = sorted((each for each in value.rows if each.pending(today)), key=_sort_newest)
    lapsed = sorted((each for each in value.rows if each.lapsed(today)), key=_sort_newest)
    amounts = sum_amounts([quote.total for quote in pending if quote.total])
    items = [Item(quote) for quote in pending] + [Item(quote, "lapsed") for quote in lapsed]
    return _make_selection(value, items, amounts)


def _select_licenses(value: Listed[License], moment: Moment) -> Selection:
    now, days = moment.now, moment.expiring_days
    expiring = [each for each in value.rows if each.expiring(now, days)]
    lasting = [each for each in value.rows if each.active(now) and each not in expiring]
    expired = [each for each in value.rows if each.recently_expired(now, days)]
    items = [Item(each, "expiring") for each in sorted(expiring, key=_sort_soonest)]
    items += [Item(each) for each in sorted(lasting, key=_sort_soonest)]
    items += [Item(each, "expired") for each in sorted(expired, key=_sort_soonest, reverse=True)]
    return _make_selection(value, items)


def _make_selection(
    value: Listed[Any], items: list[Item], amounts: tuple[Money, ...] = ()
) -> Selection:
    read = len(value.rows)
    return Selection(tuple(items), read - len(items), amounts, read, value.total, value.cut)


def _sort_newest(record: Order | Quote) -> tuple[bool, float, int]:
    """Newest first; what has no date comes last, the higher id first."""
    created = record.created
    return created is None, -created.timestamp() if created else 0.0, -record.id


def _sort_soonest(each: License) -> tuple[bool, float, int]:
    """Next to expire first; what never expires comes last."""
    expires = each.expires
    return expires is None, expires.timestamp() if expires else 0.0, each.id


# The colours of contracts/middag.md §6; where the guide names none (orders), by what must be done.
SECTIONS = {
    section.name: section
    for section in (
        Section(
            "organization",
            title="Organization",
            document=middag.ORGANIZATION,
            choose=_select_organization,
            empty="",
            none_shown="",
            hidden=("", ""),
            uncover="Show the tax id",
            badges={
                "verified": "teal",
                "pending": "amber",
                "under-review": "amber",
                "rejected": "ruby",
            },
            link="organization",
            reveals=frozenset({TAX_ID}),
        ),
        Section(
            "orders",
            title="Active orders",
            document=middag.ORDERS,
            choose=_select_orders,
            empty="No orders",
            none_shown="No active orders",
            hidden=("%(count)d closed order hidden", "%(count)d closed orders hidden"),
            uncover="Show the amounts",
            badges={"pending": "amber", "on-hold": "amber", "processing": "blue"},
            link="order",
            reveals=frozenset({AMOUNT}),
        ),
        Section(
            "quotes",
            title="Pending quotes",
            document=middag.QUOTES,
            choose=_select_quotes,
            empty="No quotes",
            none_shown="No pending quotes",
            hidden=("%(count)d other quote hidden", "%(count)d other quotes hidden"),
            uncover="Show the amounts",
            badges={"sent": "blue", "viewed": "blue", "lapsed": "ruby"},
            link="quote",
            total="Total pending",
            reveals=frozenset({AMOUNT}),
        ),
        Section(
            "licenses",
            title="Licenses",
            document=middag.LICENSES,
            choose=_select_licenses,
            empty="No licenses",
            none_shown="No active licenses",
            hidden=("%(count)d other license hidden", "%(count)d other licenses hidden"),
            uncover="Show the license keys",
            badges={"active": "teal", "expiring": "amber", "expired": "slate", "disabled": "ruby"},
            link="license",
            reveals=frozenset({LICENSE_KEY}),
        ),
    )
}


@dataclass(frozen=True)
class SectionView:
    """A section as it is drawn: one of the states of design §4.3, and what that state needs.

    `masked`: the kinds of value that may not be drawn; all, unless somebody says which.
    """

    section: Section
    state: str
    version: str = ""
    selection: Selection | None = None
    read_at: float | None = None
    code: str = ""
    retry_at: float | None = None
    follow: bool = False
    masked: frozenset[str] = VALUE_KINDS

    @property
    def tells_code(self) -> bool:
        """Does an agent read a code, with the id of the request beside it?"""
        return self.state in ("late", "failed", "denied") and not self.follow

    @property
    def hides(self) -> bool:
        """Is anything masked here that the agent may uncover?"""
        return bool(self.masked & self.section.reveals and self.selection and self.selection.items)


def make_view(
    section: Section, reading: Reading[Any], moment: Moment, masked: frozenset[str]
) -> SectionView:
    """`empty` is what the back office itself said: a filter that hides all rows makes none."""
    selection = section.choose(reading.value, moment)
    none = isinstance(reading.value, Listed) and not reading.value.rows
    state = "late" if reading.late else "empty" if none else "fresh"
    return SectionView(
        section,
        state,
        reading.version,
        selection,
        reading.read_at,
        reading.late or "",
        reading.retry_at,
        reading.follow,
        masked,
    )


def make_failed_view(section: Section, error: PanelError, version: str) -> SectionView:
    """No truth and no copy: the section says so, never that there is nothing."""
    state = "denied" if isinstance(error, Refused) else "failed"
    return SectionView(section, state, version, code=error.code, retry_at=error.retry_at)


def make_loading_view(section: Section, code: str = "") -> SectionView:
    """`code`: why it waits, where it was asked for already; then it asks again a moment later."""
    return SectionView(section, "loading", code=code)


def mark_unchecked(view: SectionView) -> SectionView:
    """What is shown although Chatwoot did not say anew that the agent may see it."""
    return replace(view, state="late", code=ACCESS_UNCHECKED, follow=False)
