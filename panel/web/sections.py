"""SECTIONS: the sections of the panel. A section is a row here and a template, never a branch.

Its document stands in `upstream.documents`, its selection in `web.selection`, the hooks that touch
it in `sync.events`.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from panel.auth.background_checks import ACCESS_UNCHECKED
from panel.cache.entries import Reading
from panel.customer.disclosure import AMOUNT, EMAIL, LICENSE_KEY, TAX_ID, VALUE_KINDS
from panel.errors import PanelError, Refused
from panel.services import services
from panel.upstream import documents
from panel.upstream.documents import Document, is_empty
from panel.web import vocabulary
from panel.web.groups import Moment
from panel.web.selection import (
    Selection,
    select_licenses,
    select_orders,
    select_organization,
    select_quotes,
)


@dataclass(frozen=True)
class Section:
    """The fields that tell one section from another, beside its template.

    The texts are English, and are translated when they are rendered. `uncover`: the text of the
    button that reveals masked values, for a section with `reveals`; `uncover_one`: the text where
    only this kind is masked. `statuses`: the words for a status or a mark; `badges`: its colour,
    slate by default. `closed`: the words for the number of closed records; `all_shown`: the button
    for the rest of them. `link`: the kind of record whose address `Settings.links` may have.
    """

    name: str
    title: str
    document: Document[Any]
    choose: Callable[[Any, Moment], Selection]
    empty: str
    none_shown: str
    closed: tuple[str, str]
    uncover: str
    statuses: Mapping[str, str]
    badges: Mapping[str, str]
    all_shown: str = ""
    link: str = ""
    reveals: frozenset[str] = VALUE_KINDS
    uncover_one: Mapping[str, str] = field(default_factory=dict)

    @property
    def template(self) -> str:
        return f"sections/{self.name}.html"


# The order is that of the screen. The colours are those of the plugin's own screens; those screens
# have none for orders, whose colours follow from the work to do.
SECTIONS = {
    section.name: section
    for section in (
        Section(
            "licenses",
            title="Licenses",
            document=documents.LICENSES,
            choose=select_licenses,
            empty="No licenses",
            none_shown="No active licenses",
            closed=("%(count)d other license", "%(count)d other licenses"),
            all_shown="Show all %(count)d licenses",
            uncover="Show the license keys",
            statuses=vocabulary.LICENSE_LABELS,
            badges={
                "active": "teal",
                "expiring": "amber",
                "expired": "ruby",
                "disabled": "ruby",
                "suspended": "ruby",
                "cancelled": "ruby",
            },
            link="license",
            reveals=frozenset({LICENSE_KEY}),
        ),
        Section(
            "orders",
            title="Orders",
            document=documents.ORDERS,
            choose=select_orders,
            empty="No orders",
            none_shown="No open orders",
            closed=("%(count)d closed order", "%(count)d closed orders"),
            all_shown="Show all %(count)d orders",
            uncover="Show the amounts",
            statuses=vocabulary.ORDER_LABELS,
            badges={
                "pending": "amber",
                "on-hold": "amber",
                "processing": "teal",
                "failed": "ruby",
            },
            link="order",
            reveals=frozenset({AMOUNT}),
        ),
        Section(
            "quotes",
            title="Quotes",
            document=documents.QUOTES,
            choose=select_quotes,
            empty="No quotes",
            none_shown="No open quotes",
            closed=("%(count)d other quote", "%(count)d other quotes"),
            all_shown="Show all %(count)d quotes",
            uncover="Show the amounts",
            statuses=vocabulary.QUOTE_LABELS,
            badges={"sent": "blue", "viewed": "blue", "lapsed": "ruby"},
            link="quote",
            reveals=frozenset({AMOUNT}),
        ),
        Section(
            "organization",
            title="Company and people",
            document=documents.ORGANIZATION,
            choose=select_organization,
            empty="",
            none_shown="",
            closed=("", ""),
            uncover="Show %(tax_id)s and e-mails",
            statuses=vocabulary.TAX_ID_CHECKS,
            badges={"pending": "amber", "under-review": "amber", "rejected": "ruby"},
            link="organization",
            reveals=frozenset({TAX_ID, EMAIL}),
            uncover_one={TAX_ID: "Show %(tax_id)s"},
        ),
    )
}


# Marks of groups whose records want something of somebody: a collapsed section still counts them.
URGENT_MARKS = frozenset(
    {"failed", "unpaid", "lapsing", "lapsed", "expired", "stopped", "disabled", "expiring", "full"}
)
NOTED_VERSION = 8  # characters: four sections fit into a row of the access log


@dataclass(frozen=True)
class SectionView:
    """A section as it is rendered: one of the states of docs/truth.md, and the values for that
    state.

    `masked`: the kinds of value that may not be drawn; all kinds by default. `whole`: all closed
    records are drawn, however many there are. `collapsed`: its agent prefers to see the header
    alone.
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
    whole: bool = False
    collapsed: bool = False

    @property
    def urgent(self) -> int:
        """Count the records that need to be looked at."""
        items = self.selection.items if self.selection else ()
        return sum(item.mark in URGENT_MARKS for item in items)

    @property
    def tells_code(self) -> bool:
        """Tell whether the agent reads a code, with the id of the request beside it."""
        return self.state in ("late", "failed", "denied") and not self.follow

    @property
    def note(self) -> str:
        """Return the entry for the access log, such as `orders=late,http_500:1f0c93ab`; no value of
        a record is in it.

        The version names the copy that was drawn: its first characters tell one from another.
        """
        code = f",{self.code}" if self.code else ""
        version = f":{self.version[:NOTED_VERSION]}" if self.version else ""
        return f"{self.section.name}={self.state}{code}{version}"

    @property
    def uncover(self) -> str:
        """Return the text of the button that reveals what is masked here."""
        section = self.section
        masked = self.masked & section.reveals
        own = [section.uncover_one.get(kind) for kind in masked] if len(masked) == 1 else []
        return next(filter(None, own), section.uncover)

    @property
    def hides(self) -> bool:
        """Tell whether a value here is masked that the agent may uncover."""
        selection = self.selection
        return bool(
            self.masked & self.section.reveals
            and selection
            and (selection.items or selection.closed)
        )


def make_view(
    section: Section, reading: Reading[Any], moment: Moment, masked: frozenset[str]
) -> SectionView:
    """The state `empty` means that the back office itself sent no records; a filter that hides all
    rows does not make a section empty."""
    selection = _select(section, reading.value, moment)
    state = "late" if reading.late else "empty" if is_empty(reading.value) else "fresh"
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


def _select(section: Section, value: Any, moment: Moment) -> Selection:
    """Sort the records once a second for all who are shown them. Without this, the benchmark's row
    `section` takes longer.

    An entry holds the value as well, so that no other value can have its `id` meanwhile.
    """
    selections, key = services().selections, (section.name, id(value), moment)
    entry = selections.get(key)
    if entry is None:
        entry = value, section.choose(value, moment)
        selections.put(key, entry, time.time() + 1)
    selection: Selection = entry[1]
    return selection


def make_failed_view(section: Section, error: PanelError, version: str) -> SectionView:
    """Make the view of a section that has neither an answer nor a copy: it failed, and is never
    shown as empty."""
    state = "denied" if isinstance(error, Refused) else "failed"
    return SectionView(section, state, version, code=error.code, retry_at=error.retry_at)


def mark_shown_failure(view: SectionView, state: str, code: str) -> SectionView:
    """Mark a section with the failure that stands on the screen, although the cache does not tell
    it."""
    return replace(view, state=state, code=code, follow=False)


def make_loading_view(section: Section, code: str = "") -> SectionView:
    """`code`: the reason for the wait, where the section was asked for already; then it asks again
    a moment later."""
    return SectionView(section, "loading", code=code)


def mark_unchecked(view: SectionView) -> SectionView:
    """Mark a section that is shown before Chatwoot confirmed that the agent may see it."""
    return replace(view, state="late", code=ACCESS_UNCHECKED, follow=False)
