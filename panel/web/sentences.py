"""The ready sentences: what an agent may send to the customer about a record, in one table.

A sentence is a subject and a statement about it. Every statement has several forms, the fullest
first. The first form whose values are all known is taken, so a value that is masked, missing or
unreadable is left out and never guessed. No internal value is used: no key, no id that a customer
does not know, no status in a program's words. The texts are in English, and are translated into the
customer's language.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeGuard

from panel.customer.disclosure import AMOUNT
from panel.models.licenses import LICENSE_STATUSES, License
from panel.models.money import Money
from panel.models.orders import Order, Quote
from panel.models.text import clean
from panel.web.formats import Formats
from panel.web.groups import Moment, read_status
from panel.web.selection import Item

VALUE = re.compile(r"%\((\w+)\)s")
PLAIN_BLANKS = {0xA0: " ", 0x202F: " "}  # amounts have blanks that no line is broken at
SITES = ("%(used)d of %(limit)d site", "%(used)d of %(limit)d sites")

SUBJECTS: Mapping[str, Sequence[str]] = {
    "orders": (
        "Order %(name)s from %(day)s (%(amount)s)",
        "Order %(name)s from %(day)s",
        "Order %(name)s (%(amount)s)",
        "Order %(name)s",
    ),
    "quotes": ("Quote %(name)s (%(amount)s)", "Quote %(name)s"),
    "licenses": ("License %(name)s", "Your license"),
}

# Keyed by section, and by the mark of the record's group or else by the status. A mark or status
# without a row (a draft, an unknown status) has no sentence for a customer.
ORDER_SENTENCES: Mapping[str, Sequence[str]] = {
    "pending": ("%(subject)s is awaiting payment.",),
    "on-hold": ("%(subject)s is on hold: its payment has not been confirmed yet.",),
    "processing": ("%(subject)s is paid and in review.",),
    "failed": ("%(subject)s is not paid: the payment failed.",),
    "completed": ("%(subject)s is paid and completed.",),
    "cancelled": ("%(subject)s was cancelled.",),
    "refunded": ("%(subject)s was refunded.",),
}
_OPEN_QUOTE = ("%(subject)s is valid until %(day)s.", "%(subject)s is awaiting your answer.")
QUOTE_SENTENCES: Mapping[str, Sequence[str]] = {
    "sent": _OPEN_QUOTE,
    "viewed": _OPEN_QUOTE,
    "lapsed": ("%(subject)s expired on %(day)s.",),
    "expired": ("%(subject)s has expired.",),
    "accepted": ("%(subject)s was accepted.",),
    "paid": ("%(subject)s is paid.",),
    "fulfilled": ("%(subject)s is paid and delivered.",),
    "rejected": ("%(subject)s was declined.",),
    "cancelled": ("%(subject)s was withdrawn.",),
    "refunded": ("%(subject)s has been refunded.",),
}
LICENSE_SENTENCES: Mapping[str, Sequence[str]] = {
    "active": (
        "%(subject)s is valid until %(day)s, in use on %(sites)s.",
        "%(subject)s is valid until %(day)s.",
        "%(subject)s is active, in use on %(sites)s.",
        "%(subject)s is active.",
    ),
    "lifetime": (
        "%(subject)s is active and does not expire, in use on %(sites)s.",
        "%(subject)s is active and does not expire.",
    ),
    "expiring": (
        "%(subject)s expires on %(day)s, in use on %(sites)s.",
        "%(subject)s expires on %(day)s.",
    ),
    "expired": ("%(subject)s expired on %(day)s.", "%(subject)s has expired."),
    "disabled": ("%(subject)s is disabled.",),
    "suspended": ("%(subject)s is suspended.",),
    "cancelled": ("%(subject)s has been cancelled.",),
    "revoked": ("%(subject)s was revoked.",),
    "blocked": ("%(subject)s is blocked.",),
}
SENTENCES = {"orders": ORDER_SENTENCES, "quotes": QUOTE_SENTENCES, "licenses": LICENSE_SENTENCES}


@dataclass(frozen=True)
class SentenceContext:
    """The values for a sentence beside the record. `fmt`: formats in the customer's language."""

    moment: Moment
    fmt: Formats
    masked: frozenset[str]


def make_sentence(section: str, item: Item, context: SentenceContext) -> str:
    """Return the sentence about this record; empty where there is none."""
    forms = SENTENCES.get(section, {}).get(_find_word(section, item, context.moment), ())
    values = _read_values(section, item, context)
    values["subject"] = _fill(SUBJECTS.get(section, ()), values, context.fmt)
    return _fill(forms, values, context.fmt).translate(PLAIN_BLANKS)


def _fill(forms: Sequence[str], values: Mapping[str, str], fmt: Formats) -> str:
    """Return the first form whose values are all known."""
    forms_filled = (form for form in forms if all(values.get(name) for name in VALUE.findall(form)))
    form = next(forms_filled, "")
    return fmt.gettext(form) % values if form else ""


def _find_word(section: str, item: Item, moment: Moment) -> str:
    """Return the mark of the record's group, where it has sentences of its own; else its status.

    A record that no rule can judge has no sentence: an active license whose end cannot be read may
    have ended.
    """
    record = item.record
    status = read_status(record)
    if isinstance(record, License) and status in LICENSE_STATUSES and record.undecided():
        return ""
    if isinstance(record, Quote) and record.undecided(moment.now):
        return ""
    if item.mark in SENTENCES[section]:
        return item.mark
    return "lifetime" if status == "active" and getattr(record, "lifetime", False) else status


def _read_values(section: str, item: Item, context: SentenceContext) -> dict[str, str]:
    """Return the values as they are written, empty where one is unknown or not for the customer."""
    name, day = NAMES[section](item.record)
    return {
        "name": clean(name),
        "day": context.fmt.day(day) if _may_name_day(day, item.mark, context.moment) else "",
        "amount": _write_amount(getattr(item.record, "total", None), context),
        "sites": _write_sites(item.record, context.fmt),
    }


def _may_name_day(day: object, mark: str, moment: Moment) -> TypeGuard[date]:
    """Tell whether a sentence may name the day. A record that is called expired before its day
    contradicts itself, so its day is left out."""
    if not isinstance(day, date):
        return False
    return mark not in ("expired", "lapsed") or moment.count_days(day) <= 0


def _write_amount(amount: object, context: SentenceContext) -> str:
    if AMOUNT in context.masked or not isinstance(amount, Money) or not amount.currency:
        return ""
    return context.fmt.money(amount)


def _write_sites(record: Any, fmt: Formats) -> str:
    used, limit = getattr(record, "used", None), getattr(record, "limit", None)
    if used is None or not limit:
        return ""
    return fmt.ngettext(*SITES, limit) % {"used": used, "limit": limit}


def _name_order(order: Order) -> tuple[str, object]:
    return order.number or str(order.id), order.created


def _name_quote(quote: Quote) -> tuple[str, object]:
    return str(quote.id), quote.valid_until


def _name_license(owned: License) -> tuple[str, object]:
    return owned.product or "", owned.expires


NAMES: Mapping[str, Callable[[Any], tuple[str, object]]] = {
    "orders": _name_order,
    "quotes": _name_quote,
    "licenses": _name_license,
}
