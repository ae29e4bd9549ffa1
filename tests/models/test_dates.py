"""Dates in all of PHP's forms, and the end of a day."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel import exact_json
from panel.models.dates import find_day, is_past, is_within, order_key, read_date
from tests.models.json_values import json_values

NOON = datetime(2026, 4, 1, 14, 30, tzinfo=UTC)
DAY = date(2026, 4, 1)
SAO_PAULO = ZoneInfo("America/Sao_Paulo")


def php(text: str, zone: str, kind: int = 3) -> dict[str, Any]:
    """Return a DateTime as `json_encode` writes it."""
    return {"date": text, "timezone_type": kind, "timezone": zone}


@pytest.mark.parametrize(
    "value",
    [
        "2026-04-01T14:30:00Z",
        "2026-04-01T11:30:00-03:00",
        "2026-04-01T14:30:00+0000",
        "2026-04-01T14:30:00",
        "2026-04-01 14:30:00",
        " 2026-04-01 14:30:00 ",
        "2026-04-01 14:30:00.000000",
        "2026-04-01 14:30:00 UTC",
        "2026-04-01 14:30:00 +00:00",
        "2026-04-01 11:30:00 -0300",
        "2026/04/01 14:30:00",
        1775053800,
        "1775053800",
        exact_json.decode(b"1775053800.0"),
        exact_json.decode(b"1775053800.25"),
        "1775053800.25",
        "Wed, 01 Apr 2026 14:30:00 +0000",
        "Wed, 01 Apr 2026 11:30:00 -0300",
        "Wednesday, 01-Apr-2026 14:30:00 UTC",
        php("2026-04-01 14:30:00.000000", "UTC"),
        php("2026-04-01 14:30:00.000000", "+00:00", 1),
        php("2026-04-01 11:30:00.000000", "-03:00", 1),
        php("2026-04-01 14:30:00.000000", "Z", 2),
        php("2026-04-01 11:30:00.000000", "America/Sao_Paulo"),
        {"date": "2026-04-01 14:30:00.000000"},
    ],
    ids=str,
)
def test_a_moment_is_read_in_whatever_form_php_writes_it(value: object) -> None:
    result = read_date(value)
    assert isinstance(result, datetime)
    assert result == NOON
    assert result.tzinfo is not None


@pytest.mark.parametrize(
    "value",
    [
        "2026-04-01",
        "2026-4-1",
        "2026/04/01",
        "20260401",
        20260401,
        "2026-04-01T00:00:00Z",
        "2026-04-01T00:00:00.000000Z",
        "2026-04-01 00:00:00",
        "2026-04-01T00:00:00-03:00",
        "2026-04-01T00:00:00+00:00",
        1775001600,
        "1775001600",
        php("2026-04-01 00:00:00.000000", "UTC"),
        php("2026-04-01 00:00:00.000000", "America/Sao_Paulo"),
    ],
    ids=str,
)
def test_a_date_and_midnight_are_a_day(value: object) -> None:
    result = read_date(value)
    assert not isinstance(result, datetime)
    assert result == DAY


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("13/05/2026", date(2026, 5, 13)),
        ("05/13/2026", date(2026, 5, 13)),
        ("31-12-2026", date(2026, 12, 31)),
        ("13.05.2026", date(2026, 5, 13)),
        ("5/5/2026", date(2026, 5, 5)),
        ("13/05/2026 22:15", date(2026, 5, 13)),
        ("13/05/2026 22:15:01", date(2026, 5, 13)),
        ("13/05/2026, 22:15", date(2026, 5, 13)),
        ("13/05/2026 às 22:15", date(2026, 5, 13)),
        ("13/05/2026 22h15", date(2026, 5, 13)),
        ("05/13/2026 10:15 pm", date(2026, 5, 13)),
    ],
)
def test_day_and_month_are_read_where_only_one_order_is_a_date(value: str, day: date) -> None:
    assert read_date(value) == day


@pytest.mark.parametrize(
    "value",
    [
        None, False, 0, "", "0", " ", [], {}, exact_json.decode(b"0.0"),
        "lifetime", "Lifetime", "never", "NEVER", "vitalícia", "Vitalicio", "nunca",
        "0000-00-00", "0000-00-00 00:00:00", "-0001-11-30T00:00:00+00:00",
        "9999-12-31", "9999-12-31 23:59:59",
    ],
    ids=repr,
)  # fmt: skip
def test_no_date_and_no_end_have_many_names(value: object) -> None:
    assert read_date(value) is None


STRANGE = [
    # The dates that PHP writes for a missing date.
    "1970-01-01", "1970-01-01 00:00:00", "1970-01-01T00:00:00Z", "1969-12-31T21:00:00-03:00",
    "1969-12-31", "01/01/1970", "Thu, 01 Jan 1970 00:00:00 +0000",
    php("1970-01-01 00:00:00.000000", "UTC"), "Wed, 32 Apr 2026 14:30:00 GMT",
    "soon", "2026-13-01", "01/05/2026", "1/5/2026", "32/13/2026", "00/00/2026", "30/02/2026",
    "13/05/26", "13/05-2026", "1 de abril de 2026", "April 1, 2026", "2026-04", "tomorrow",
    "2026-04-01T25:00:00Z", "2026-04-01T14:30:00 America/Sao_Paulo", "no", "-1", "12", "null",
    True, 1, -1, 12, 99999999, 10**12, 1777852800000, -1777852800,
    exact_json.decode(b"1.5"), exact_json.decode(b"1E+400"),
    ["2026-04-01"], {"date": "2026"}, {"date": 2026}, {"date": None}, {"year": 2026},
    {"date": "2026-04-01 00:00:00.000000", "timezone": "Mars/Olympus"},
    {"date": "2026-04-01 00:00:00.000000", "timezone": "../../etc/passwd"},
    {"date": "2026-04-01 00:00:00.000000", "timezone": "America"},
    {"date": "2026-04-01 00:00:00.000000", "timezone": ""},
    {"date": "2026-04-01 00:00:00.000000", "timezone": 3},
    "1066-10-14", "9500-01-01",
]  # fmt: skip


@pytest.mark.parametrize("value", STRANGE, ids=repr)
def test_what_cannot_be_read_is_not_called_endless(value: object) -> None:
    with pytest.raises(ValueError, match=r"^(no date|no time zone|a day that can|out of all)"):
        read_date(value)


@given(value=json_values | st.datetimes().map(str) | st.dates().map(str) | st.text("0123456789/-"))
def test_no_date_crashes(value: Any) -> None:
    try:
        result = read_date(value)
    except ValueError:
        return
    assert result is None or isinstance(result, date)
    assert not isinstance(result, datetime) or result.tzinfo is not None
    if result:
        assert order_key(result) == order_key(result)
        assert find_day(result, SAO_PAULO).year > 1800


# -- the ends of days
# --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "past"),
    [
        ("2026-03-31T21:00:00-03:00", False),  # already April in UTC
        ("2026-04-01T00:00:00-03:00", False),
        ("2026-04-01T23:59:59-03:00", False),
        ("2026-04-02T00:00:00-03:00", True),
    ],
)
def test_a_day_lasts_to_its_end_in_the_zone_of_whoever_asks(now: str, past: bool) -> None:
    end = read_date("2026-04-01T00:00:00Z")
    assert end
    assert is_past(end, datetime.fromisoformat(now)) is past


def test_a_moment_is_past_when_it_comes_whatever_the_zone() -> None:
    for zone in (UTC, SAO_PAULO, timezone(timedelta(hours=14))):
        assert is_past(NOON, NOON.astimezone(zone))
        assert not is_past(NOON, (NOON - timedelta(seconds=1)).astimezone(zone))


@pytest.mark.parametrize(("days", "within"), [(29, False), (30, True), (31, True)])
def test_the_window_counts_calendar_days_of_a_day(days: int, within: bool) -> None:
    now = datetime(2026, 3, 2, 23, 59, tzinfo=SAO_PAULO)
    assert is_within(DAY, now, days) is within
    assert is_within(now + timedelta(days=30), now, days) is within


def test_the_day_of_a_moment_is_that_of_the_zone() -> None:
    assert find_day(datetime(2026, 4, 1, 1, tzinfo=UTC), SAO_PAULO) == date(2026, 3, 31)
    assert find_day(DAY, SAO_PAULO) == DAY
