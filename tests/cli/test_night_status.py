"""`sync status` and the figures about the night: its progress, and the reason of a stop."""

import time
from dataclasses import replace

import pytest

from panel.cli.night_status import (
    LATE_NIGHT_SECONDS,
    STUCK_NIGHT_SECONDS,
    describe_night,
    find_night_problems,
)
from panel.data.nights import CLOSING, OFFICE, NightRow, Nights
from tests.cli.running import FOUND, make, panel, read, run, worlds
from tests.conftest import Panel
from tests.web.test_metrics import read_figures

__all__ = ["make", "panel", "worlds"]  # fixtures
NOW = 1_800_000_000.0
UNDER_WAY = NightRow(
    NOW - 600, NOW - 5, phase=OFFICE, contacts=60, single=1, wanted=9, compared=4, lined_up=2
)
ENDED = replace(UNDER_WAY, phase=CLOSING, compared=9, ended_at=NOW - 60)


def test_it_says_how_far_it_is() -> None:
    assert describe_night(UNDER_WAY, NOW) == (
        "began 10 minutes ago and compares organizations with MIDDAG Account: 61 contacts read, "
        "4 of 9 organizations compared, 2 lined up"
    )
    assert describe_night(ENDED, NOW).startswith("ended 1 minute ago: 61 contacts read")
    assert describe_night(None, NOW) == "none so far"


@pytest.mark.parametrize("night", [None, UNDER_WAY, ENDED])
def test_a_night_that_goes_well_is_no_problem(night: NightRow | None) -> None:
    assert list(find_night_problems(night, NOW)) == []


TROUBLES = {
    "withheld": (replace(ENDED, withheld=1, trouble="1 of 10 known"), "sync reconcile --force"),
    "skipped": (
        replace(ENDED, skipped=2, trouble="organization 42: http_503", side="MIDDAG Account"),
        "organization 42: MIDDAG Account answers with an error of its own (http_503)",
    ),
    "stuck": (
        replace(
            UNDER_WAY, noted_at=NOW - STUCK_NIGHT_SECONDS - 1, trouble="paused", side="Chatwoot"
        ),
        "is left alone for a moment, after several failures (paused)",
    ),
    "late": (replace(ENDED, begun_at=NOW - LATE_NIGHT_SECONDS - 1), "No night has begun"),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_what_stopped_is_said(name: str) -> None:
    night, words = TROUBLES[name]
    (problem,) = find_night_problems(night, NOW)
    assert words in problem


def test_status_and_figures_show_the_night(panel: Panel) -> None:
    now = time.time()
    night = replace(UNDER_WAY, begun_at=now, noted_at=now, skipped=1, trouble="contact 7: http_503")
    Nights(panel.services.database).put(night)
    assert read(panel, "sync status", FOUND)["night"]["compared"] == 4
    assert "night     began" in run(panel, "sync status").stdout
    figures = read_figures(panel)
    assert figures["panel_night", "skipped"] == 1
    assert figures["panel_night_ended_timestamp_seconds",] == 0
    Nights(panel.services.database).put(replace(night, ended_at=now))
    assert read_figures(panel)["panel_night_ended_timestamp_seconds",] == pytest.approx(now)
