"""Formats of values in the agent's language (Babel): words, money, days and ages."""

import io
import re
from collections.abc import Iterable
from datetime import MAXYEAR, UTC, date, datetime, tzinfo
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

from babel.core import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, format_timedelta
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal
from babel.support import NullTranslations, Translations

from panel.models.money import Money

LOCALES = ("en", "pt_BR")
DAY_PATTERNS = {"pt_BR": "dd/MM/y"}  # as a Brazilian writes it; elsewhere the locale's own
MOST_DAYS, MOST_MONTHS = 90, 24  # the longest spans that people count in days, and in months
Unit = Literal["day", "month", "year"]
UNIT_DAYS: dict[Unit, int] = {"day": 1, "month": 30, "year": 365}  # as Babel counts them
CATALOGS = Path(__file__).parents[1] / "locale"

# Babel takes 40 to 150 microseconds for each of these, a third of a section's rendering. The same
# few amounts, days and ages are shown again and again.
remembered = lru_cache(maxsize=4096)


@cache
def _load_translations(locale: str) -> NullTranslations:
    """The catalog's text is read directly, so that nobody forgets to compile it."""
    path = CATALOGS / f"{locale}.po"
    if not path.exists():
        return NullTranslations()
    compiled = io.BytesIO()
    with path.open("rb") as source:
        write_mo(compiled, read_po(source, locale=locale))
    compiled.seek(0)
    return Translations(compiled)


def choose_locale(tags: Iterable[str], otherwise: str = "") -> str:
    """Return the first of these languages that we have (`pt-PT`, `pt_BR`); else English."""
    locales = {locale.partition("_")[0]: locale for locale in LOCALES}
    languages = (re.split("[-_]", tag.lower())[0] for tag in tags)
    return next((locales[tag] for tag in languages if tag in locales), otherwise or "en")


class Formats:
    """The formats of a language and a time zone; every template has them as `fmt`."""

    def __init__(self, locale: str, zone: tzinfo) -> None:
        self.locale = locale
        self.zone = zone
        self._words = _load_translations(locale)

    @property
    def language(self) -> str:
        """Return the value of the `lang` attribute: `en`, `pt-BR`."""
        return self.locale.replace("_", "-")

    def gettext(self, text: str) -> str:
        return self._words.gettext(text)

    def ngettext(self, one: str, many: str, count: int) -> str:
        return self._words.ngettext(one, many, count)

    def money(self, money: Money) -> str:
        """Write every digit: nothing is rounded here."""
        return _format_money(money, self.locale)

    def digits(self, number: Decimal) -> str:
        """Write the number as it came, without any sign."""
        return f"{number:f}"

    def day(self, moment: date | datetime | float) -> str:
        if isinstance(moment, float | int):
            moment = datetime.fromtimestamp(moment, UTC)
        return _format_day(self._find_day(moment), self.locale)

    def clock(self, epoch: float) -> str:
        """Write the time of day, behind the day where that is not today."""
        moment = datetime.fromtimestamp(int(epoch), UTC).astimezone(self.zone)
        today = moment.date() == datetime.now(self.zone).date()
        return _format_hour(moment.replace(tzinfo=None), today, self.locale)

    def iso(self, epoch: float) -> str:
        return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="seconds")

    def ago(self, epoch: float, now: float) -> str:
        """Write `5 minutes ago`, `há 5 minutos`."""
        return _format_ago(min(-1, int(epoch - now)), self.locale)

    def within(self, moment: date | datetime, now: datetime) -> str:
        """Write `in 12 days`, `12 days ago`: calendar days of our zone up to 90, then months."""
        days = (self._find_day(moment) - self._find_day(now)).days
        near = {
            -1: self.gettext("yesterday"),
            0: self.gettext("today"),
            1: self.gettext("tomorrow"),
        }
        unit, size = _choose_unit(abs(days))
        return near.get(days) or _format_within(days // abs(days) * size, unit, self.locale)

    def country(self, code: str) -> str:
        """Return the name of a country; a text that is no code stays unchanged."""
        return _load_countries(self.locale).get(code.upper(), code)

    def _find_day(self, moment: date | datetime) -> date:
        """Return the day in our zone; the calendar's first and last year cannot be moved."""
        if not isinstance(moment, datetime):
            return moment
        return (moment.astimezone(self.zone) if 1 < moment.year < MAXYEAR else moment).date()


@remembered
def _format_money(money: Money, locale: str) -> str:
    if not money.currency:
        return format_decimal(
            money.amount, format="#,##0.00", locale=locale, decimal_quantization=False
        )
    try:
        return format_currency(
            money.amount, money.currency, locale=locale, decimal_quantization=False
        )
    except (UnknownLocaleError, ValueError):
        return f"{money.amount} {money.currency}"


@remembered
def _format_day(day: date, locale: str) -> str:
    return format_date(day, format=DAY_PATTERNS.get(locale, "medium"), locale=locale)


@remembered
def _format_hour(moment: datetime, today: bool, locale: str) -> str:
    hour = format_time(moment.time(), format="short", locale=locale)
    return hour if today else f"{_format_day(moment.date(), locale)}, {hour}"


@remembered
def _format_ago(seconds: int, locale: str) -> str:
    return format_timedelta(seconds, add_direction=True, locale=locale, threshold=1, format="short")


@remembered
def _format_within(size: int, unit: Unit, locale: str) -> str:
    seconds = size * UNIT_DAYS[unit] * 86400
    return format_timedelta(
        seconds, granularity=unit, add_direction=True, locale=locale, threshold=10**6
    )


def _choose_unit(days: int) -> tuple[Unit, int]:
    """Count days up to 90, then whole months, then whole years, of their mean lengths."""
    if days <= MOST_DAYS:
        return "day", days
    if days < MOST_MONTHS * 365 / 12:
        return "month", int(days * 12 / 365.25 + 0.1)
    return "year", int(days / 365.25 + 0.01)


@cache
def _load_countries(locale: str) -> dict[str, str]:
    return {code: str(name) for code, name in Locale.parse(locale).territories.items()}
