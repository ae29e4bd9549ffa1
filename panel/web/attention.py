"""The lines above the sections, about records to talk about with the customer: at most four, the
most urgent first.

The lines are computed from the values that the sections show; no other request is made. The table
`RULES` has all of them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import groupby
from typing import Any

from panel.models.licenses import License
from panel.models.values import Illegible
from panel.web.groups import FAILED_DAYS, LAPSED_DAYS, LAPSING_DAYS, Moment
from panel.web.sections import SectionView
from panel.web.selection import Item
from panel.web.situation import (
    EVER,
    Find,
    Situation,
    find_active_behind,
    find_if,
    find_marked,
    is_active_behind_none,
    is_suspended_elsewhere,
    read_created,
    read_end,
    read_expires,
)

LINES_SHOWN = 4
UNPAID_DAYS = 3  # the usual time until a bank slip is paid
RUBY, AMBER = "ruby", "amber"


@dataclass(frozen=True)
class Rule:
    """`words`: with `%(name)s`, `%(when)s`, `%(count)d` days, as singular and plural.

    `section`: the section that the line leads to. The texts are English, and are translated when
    they are rendered.
    """

    name: str
    level: str
    section: str
    words: tuple[str, str]
    find: Find


def _same(words: str) -> tuple[str, str]:
    return words, words


# The order is that of urgency, the most urgent first.
RULES = (
    Rule(
        "payment_failed",
        RUBY,
        "orders",
        _same("Payment of order %(name)s failed %(when)s"),
        find_marked("orders", "failed", read_created, (-FAILED_DAYS, 0), undated=True),
    ),
    Rule(
        "license_stopped",
        RUBY,
        "licenses",
        _same("License %(name)s is suspended or cancelled"),
        find_marked("licenses", "stopped"),
    ),
    Rule(
        "license_disabled",
        RUBY,
        "licenses",
        _same("License %(name)s is disabled"),
        find_marked("licenses", "disabled"),
    ),
    Rule(
        "license_of_suspended",
        RUBY,
        "licenses",
        _same("License %(name)s is active, although its entitlement is suspended"),
        find_active_behind("suspended"),
    ),
    Rule(
        "license_of_cancelled",
        RUBY,
        "licenses",
        _same("License %(name)s is active, although its entitlement is cancelled"),
        find_active_behind("cancelled"),
    ),
    Rule(
        "entitlement_suspended",
        RUBY,
        "licenses",
        _same("An entitlement of this company is suspended"),
        find_if(is_suspended_elsewhere),
    ),
    Rule(
        "entitlement_cancelled",
        RUBY,
        "licenses",
        _same("A license is active, although every entitlement is cancelled"),
        find_if(is_active_behind_none),
    ),
    Rule(
        "license_expired",
        RUBY,
        "licenses",
        _same("License %(name)s expired %(when)s"),
        find_marked("licenses", "expired", read_expires, (-EVER, 0)),
    ),
    Rule(
        "quote_ends_today",
        RUBY,
        "quotes",
        _same("Quote %(name)s expires today"),
        find_marked("quotes", "lapsing", read_end, (0, 0)),
    ),
    Rule(
        "stranger",
        AMBER,
        "organization",
        _same("The person writing is not a member of this company"),
        find_if(lambda situation, _: situation.is_stranger),
    ),
    Rule(
        "order_unpaid",
        AMBER,
        "orders",
        (
            "Order %(name)s has been unpaid for %(count)d day",
            "Order %(name)s has been unpaid for %(count)d days",
        ),
        find_marked("orders", "unpaid", read_created, (-EVER, -UNPAID_DAYS)),
    ),
    Rule(
        "quote_ends",
        AMBER,
        "quotes",
        _same("Quote %(name)s expires %(when)s"),
        find_marked("quotes", "lapsing", read_end, (1, LAPSING_DAYS)),
    ),
    Rule(
        "license_expires",
        AMBER,
        "licenses",
        _same("License %(name)s expires %(when)s"),
        find_marked("licenses", "expiring", read_expires, (0, EVER)),
    ),
    Rule(
        "license_full",
        AMBER,
        "licenses",
        _same("License %(name)s is in use on all its sites"),
        find_marked("licenses", "full"),
    ),
    Rule(
        "quote_ended",
        AMBER,
        "quotes",
        _same("Quote %(name)s expired %(when)s"),
        find_marked("quotes", "lapsed", read_end, (-LAPSED_DAYS, -1)),
    ),
    Rule(
        "buried",
        AMBER,
        "organization",
        _same("A change of this company has not reached Chatwoot: tell an administrator"),
        find_if(lambda situation, _: situation.is_buried),
    ),
)


@dataclass(frozen=True)
class Line:
    """`count`: days between now and `day`; `more`: findings of the same rule that it stands for."""

    rule: Rule
    record: Any
    day: date | None
    count: int
    more: int = 0

    @property
    def target(self) -> str:
        """The id of the row, or of the section, that the line leads to."""
        number = f"-{self.record.id}" if self.record else ""
        return f"{self.rule.section}{number}"

    @property
    def name(self) -> str:
        """The name by which people call the record."""
        name = getattr(self.record, "number", None) or getattr(self.record, "product", None)
        return str(name or getattr(self.record, "id", ""))


@dataclass(frozen=True)
class Outage:
    """A reason, and the titles of the sections that have it: `unread` could not be read at all,
    `aged` could not be updated."""

    code: str
    unread: tuple[str, ...]
    aged: tuple[str, ...]


@dataclass(frozen=True)
class Attention:
    """`unread`: sections that failed; `waiting`: sections that load; `partial`: sections that were
    not read in full, or have a record about which no rule can decide."""

    lines: tuple[Line, ...] = ()
    unread: tuple[Outage, ...] = ()
    waiting: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()
    read_at: float | None = None
    views: Mapping[str, SectionView] = field(default_factory=dict)

    @property
    def is_calm(self) -> bool:
        """Tell whether everything is known and no record needs a word."""
        return not (self.lines or self.unread or self.waiting or self.partial)


def find_attention(situation: Situation, moment: Moment) -> Attention:
    views = situation.views.values()
    ages = [view.read_at for view in views if view.read_at]
    return Attention(
        _shorten(_list_lines(situation, moment)),
        _find_outages(views),
        tuple(view.section.title for view in views if view.state == "loading"),
        tuple(view.section.title for view in views if _is_partial(view, situation)),
        min(ages) if ages else None,
        situation.views,
    )


def _list_lines(situation: Situation, moment: Moment) -> list[Line]:
    return [
        Line(
            rule,
            occurrence.record,
            occurrence.day,
            abs(moment.count_days(occurrence.day)) if occurrence.day else 0,
        )
        for rule in RULES
        for occurrence in rule.find(situation, moment)
    ]


def _shorten(lines: list[Line]) -> tuple[Line, ...]:
    """Give every finding a line of its own where all fit; otherwise give each rule a single
    line."""
    if len(lines) > LINES_SHOWN:
        kinds = [list(same) for _, same in groupby(lines, key=lambda line: line.rule.name)]
        lines = [replace(same[0], more=len(same) - 1) for same in kinds]
    return tuple(lines[:LINES_SHOWN])


def _find_outages(views: Iterable[SectionView]) -> tuple[Outage, ...]:
    """Return one outage for each reason, with all the sections that have it."""
    struck: dict[str, list[SectionView]] = {}
    for view in views:
        if view.tells_code:
            struck.setdefault(view.code, []).append(view)
    return tuple(
        Outage(
            code,
            tuple(view.section.title for view in group if view.state != "late"),
            tuple(view.section.title for view in group if view.state == "late"),
        )
        for code, group in struck.items()
    )


def _is_partial(view: SectionView, situation: Situation) -> bool:
    if view.section.name == "organization" and not situation.is_known:
        return True
    selection = view.selection
    return bool(
        selection and (selection.cut or selection.unread or any(map(_is_unclear, selection.items)))
    )


def _is_unclear(item: Item) -> bool:
    """Tell whether a value that decides about a word is missing or cannot be read."""
    record = item.record
    deciding = [getattr(record, name, None) for name in ("status", "expires", "valid_until")]
    if any(isinstance(value, Illegible) for value in deciding):
        return True
    if isinstance(record, License):
        return record.expires is None and not record.lifetime
    return item.mark == "unpaid" and record.created is None
