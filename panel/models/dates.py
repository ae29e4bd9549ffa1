"""Dates as PHP writes them, and the two kinds of end: a moment, and a day that lasts to its end.

A `datetime` is a moment, with its zone. A `date` is a day: one that was written as a day, or as
midnight. A day lasts to its end in the reader's zone.
"""

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo

from panel.models.text import clean
from panel.models.values import is_short

YEARS = range(1900, 9000)  # a year outside is a mistake, and cannot be moved into a zone
ENDLESS_YEAR = 9999  # MySQL's last year, which stands for "never"
ENDLESS = {
    "lifetime",
    "never",
    "forever",
    "perpetual",
    "unlimited",
    "none",
    "vitalícia",
    "vitalício",
    "vitalicia",
    "vitalicio",
    "nunca",
}
UNSET = ("0000", "-0001")  # WordPress's empty date, and what PHP makes of it
EPOCH_SECONDS = range(10**8, 10**11)  # from 1973 on; a smaller number is no date here
# PHP's `date` writes the first day of Unix time for 0 and for an empty value. In a zone west of
# Greenwich it writes the day before.
EPOCH_DAYS = (date(1969, 12, 31), date(1970, 1, 1))

DAY_AND_MONTH = re.compile(
    r"(?P<first>\d{1,2})(?P<sign>[/.-])(?P<second>\d{1,2})(?P=sign)(?P<year>\d{4})"
    r"(?:[ ,]+(?:às |at )?\d{1,2}[:h]\d{2}(?::\d{2})?(?: ?[ap]\.?m\.?)?)?",
    re.ASCII | re.IGNORECASE,
)
SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")
# PHP's DATE_RFC2822, DATE_RSS, DATE_COOKIE: `Wed, 01 Apr 2026 14:30:00 +0000`.
MAIL_DATE = re.compile(
    r"[a-z]+, \d{2}[ -][a-z]{3}[ -]\d{4} \d{2}:\d{2}:\d{2} ([+-]\d{4}|GMT|UTC)",
    re.ASCII | re.IGNORECASE,
)
YEAR_FIRST = re.compile(r"(\d{4})[/.-](\d{1,2})[/.-](\d{1,2})(.*)", re.ASCII)
NAMED_UTC = re.compile(r" ?(UTC|GMT|Z)$", re.IGNORECASE)
BLANK_OFFSET = re.compile(r" (?=[+-]\d\d:?\d\d$)")


def read_date(value: Any) -> date | None:
    """Return a day or a moment; None for no date, or for no end. Raises `ValueError` with a reason.

    The forms are ISO 8601 with `T` or a blank, without an offset in UTC; epoch seconds; PHP's
    DateTime object; as in mails; day and month in either order where only one order is a date.
    """
    if not value:
        return None
    if isinstance(value, str):
        moment = _read_text(clean(value))
    elif isinstance(value, dict):
        moment = _read_object(value)
    elif isinstance(value, int | Decimal) and not isinstance(value, bool):
        moment = _read_number(Decimal(value))
    else:
        raise ValueError("no date")
    return _check_year(moment) if moment else None


def _read_text(text: str) -> date | None:
    if not text or text.casefold() in ENDLESS or text.startswith(UNSET):
        return None
    if SECONDS.fullmatch(text):
        return _read_number(Decimal(text))
    match = DAY_AND_MONTH.fullmatch(text)
    if match:
        return _read_day_and_month(*(int(match[part]) for part in ("year", "first", "second")))
    return _find_day(_parse(text))


def _parse(text: str) -> datetime:
    as_mail = MAIL_DATE.fullmatch(text)
    if parts := YEAR_FIRST.fullmatch(text):
        text = f"{parts[1]}-{int(parts[2]):02}-{int(parts[3]):02}{parts[4]}"
    iso = BLANK_OFFSET.sub("", NAMED_UTC.sub("+00:00", text))
    try:
        moment = parsedate_to_datetime(text) if as_mail else datetime.fromisoformat(iso)
    except ValueError:
        raise ValueError("no date") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _find_day(moment: datetime) -> date:
    """Return the day of a written midnight; otherwise the moment."""
    return moment.date() if moment.time() == time() else moment


def _read_day_and_month(year: int, first: int, second: int) -> date:
    """Read `13/05/2026` or `05/13/2026`; `01/05/2026` may be two days, and is refused."""
    readings = {(first, second), (second, first)}  # day and month
    days = {_make_day(year, month, day) for day, month in readings} - {None}
    only_day = days.pop() if len(days) == 1 else None
    if not only_day:
        raise ValueError("a day that can be read in two ways, or in none")
    return only_day


def _make_day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _read_number(number: Decimal) -> date | None:
    """Read epoch seconds; eight digits are a day without its hyphens, as some plugins store it."""
    if not number:
        return None
    if not is_short(number):
        raise ValueError("no date")
    seconds = int(number)
    if seconds in EPOCH_SECONDS:
        return _find_day(datetime.fromtimestamp(seconds, UTC))
    if number == seconds and len(str(seconds)) == 8:
        return _find_day(_parse(str(seconds)))
    raise ValueError("no date")


def _read_object(value: dict[str, Any]) -> date:
    """Read `{"date": "2026-04-01 14:30:00.000000", "timezone_type": 3, "timezone": "UTC"}`."""
    text, zone = value.get("date"), value.get("timezone", "UTC")
    if not isinstance(text, str) or not isinstance(zone, str):
        raise ValueError("no date")
    moment = _parse(clean(text))
    return _find_day(moment.replace(tzinfo=_find_zone(zone)))


def _find_zone(name: str) -> tzinfo:
    """Return the zone of an offset, an abbreviation or a name: PHP's three types of zones."""
    if re.fullmatch(r"[+-]\d\d:\d\d(:\d\d)?", name, re.ASCII):
        return datetime.strptime(name, "%z").tzinfo or UTC
    if name.upper() in ("Z", "UTC", "GMT"):
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("no time zone") from None


def _check_year(moment: date) -> date | None:
    if moment.year == ENDLESS_YEAR:
        return None
    if moment.year not in YEARS:
        raise ValueError("out of all proportion")
    if (moment.date() if isinstance(moment, datetime) else moment) in EPOCH_DAYS:
        raise ValueError("no date but the first day of Unix time")
    return moment


# -- ends ----------------------------------------------------------------------------------------


def is_past(end: date, now: datetime) -> bool:
    """A day is past when its last moment is; `now` has the zone in which days are counted."""
    return end <= now if isinstance(end, datetime) else end < now.date()


def is_within(end: date, now: datetime, days: int) -> bool:
    """Tell whether the end comes within so many days."""
    until = now + timedelta(days=days)
    return end <= until if isinstance(end, datetime) else end <= until.date()


def find_day(end: date, zone: tzinfo | None) -> date:
    """Return the day in this zone."""
    return end.astimezone(zone).date() if isinstance(end, datetime) else end


def order_key(end: date) -> float:
    """Return a key that sorts days among moments; a day stands at its noon."""
    moment = end if isinstance(end, datetime) else datetime.combine(end, time(12), UTC)
    return moment.timestamp()
