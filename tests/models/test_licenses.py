"""Licenses: which are active, which expire soon and which have expired, whatever their status."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from panel.models.licenses import License

NOW = datetime(2026, 5, 4, 15, 0, tzinfo=UTC)


def license_(**fields: Any) -> License:
    return License.from_json({"id": 601, "status": "active", **fields})


def ends(seconds: float) -> str:
    return (NOW + timedelta(seconds=seconds)).isoformat()


DAY = 86400


@pytest.mark.parametrize(
    ("status", "end", "active", "expiring", "recently"),
    [
        ("active", None, True, False, False),
        ("active", 31 * DAY, True, False, False),
        ("active", 30 * DAY, True, True, False),
        ("active", 1, True, True, False),
        ("Active", 1, True, True, False),
        ("wc-active", 1, True, True, False),
        ("active", 0, False, False, True),
        ("active", -1, False, False, True),
        ("active", -30 * DAY + 1, False, False, True),
        ("active", -30 * DAY - 1, False, False, False),
        ("expired", -5 * DAY, False, False, True),
        ("expired", -200 * DAY, False, False, False),
        ("expired", None, False, False, False),
        ("expired", 5 * DAY, False, False, False),
        ("disabled", 5 * DAY, False, False, False),
        ("disabled", -5 * DAY, False, False, False),
        ("paused", None, False, False, False),
    ],
)
def test_a_license_is_active_expiring_or_recently_expired(
    status: str, end: float | None, active: bool, expiring: bool, recently: bool
) -> None:
    result = license_(status=status, expires_at=None if end is None else ends(end))
    assert result.active(NOW) is active
    assert result.expiring(NOW, 30) is expiring
    assert result.recently_expired(NOW, 30) is recently


TODAY = NOW.astimezone(ZoneInfo("America/Sao_Paulo"))


@pytest.mark.parametrize(
    ("days", "active", "expiring", "recently"),
    [
        (31, True, False, False), (30, True, True, False), (0, True, True, False),
        (-1, False, False, True), (-30, False, False, True), (-31, False, False, False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["{}", "{}T00:00:00Z", "{} 00:00:00"])
def test_a_license_lasts_through_its_day(
    form: str, days: int, active: bool, expiring: bool, recently: bool
) -> None:
    result = license_(expires_at=form.format(TODAY.date() + timedelta(days=days)))
    assert result.active(TODAY) is active
    assert result.expiring(TODAY, 30) is expiring
    assert result.recently_expired(TODAY, 30) is recently


@pytest.mark.parametrize(
    ("fields", "undecided"),
    [
        ({"status": "active"}, False),
        ({"status": "Ativa", "expires_at": "2030-01-01"}, False),
        ({"status": "expired"}, False),
        ({"status": "disabled"}, False),
        ({"status": "paused"}, True),
        ({"status": "paused", "expires_at": ends(-400 * DAY)}, True),
        ({"status": None}, True),
        ({"status": {"value": "active"}}, True),
        ({"status": "active", "expires_at": "soon"}, True),
        ({"status": "expired", "expires_at": "soon"}, True),
        # The license is disabled, so its end does not matter.
        ({"status": "disabled", "expires_at": "soon"}, False),
    ],
)
def test_what_nobody_can_decide_is_neither_active_nor_expired(
    fields: dict[str, Any], undecided: bool
) -> None:
    result = license_(**fields)
    assert result.undecided() is undecided
    if undecided:
        assert not result.active(NOW)
        assert not result.expired(NOW)


@pytest.mark.parametrize(
    ("fields", "lifetime"),
    [
        ({"expires_at": None}, True), ({"expires_at": ""}, True), ({"expires_at": 0}, True),
        ({"expires_at": False}, True), ({"expires_at": "lifetime"}, True),
        ({}, False), ({"expires_at": "2030-01-01"}, False), ({"expires_at": "soon"}, False),
    ],
)  # fmt: skip
def test_an_end_that_is_not_stated_is_no_lifetime(fields: dict[str, Any], lifetime: bool) -> None:
    assert license_(**fields).lifetime is lifetime


@pytest.mark.parametrize(
    ("fields", "limit", "unlimited"),
    [
        ({"activations_limit": 3}, 3, False), ({"activations_limit": "3"}, 3, False),
        ({"activations_limit": None}, None, True), ({"activations_limit": 0}, None, True),
        ({"activations_limit": -1}, None, True), ({"activations_limit": "-1"}, None, True),
        ({"activations_limit": ""}, None, False), ({"activations_limit": False}, None, False),
        ({"activations_limit": "unlimited"}, None, False), ({"activations_limit": []}, None, False),
        ({"activations_limit": True}, None, False), ({"activations_limit": -7}, None, False),
        ({"activations_limit": {"sites": 3}}, None, False), ({}, None, False),
    ],
)  # fmt: skip
def test_a_limit_that_is_no_number_is_not_stated_and_never_unlimited(
    fields: dict[str, Any], limit: int | None, unlimited: bool
) -> None:
    result = license_(**fields)
    assert (result.limit, result.unlimited) == (limit, unlimited)


def test_the_domains_of_a_license_are_read_from_any_list() -> None:
    for value in (["a.example", None], {"3": "a.example", "7": 5}):
        assert license_(activated_domains=value).domains == ("a.example",)
    assert license_(activated_domains="a.example").domains == ()
