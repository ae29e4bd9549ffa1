"""The figures of deliveries, in words for administrators."""

import re
from pathlib import Path

import pytest

from panel.data.delivery_log import Tally
from panel.deliveries import (
    REFUSAL_REASONS,
    describe_deliveries,
    find_standing_refusal,
    format_age,
)

NOW = 1_800_000_000.0
ACCEPTED = {"accepted": Tally(7, NOW - 120)}


def refused(answer: str, ago: float, count: int = 1) -> dict[str, Tally]:
    return {answer: Tally(count, NOW - ago)}


ROWS = [
    ({}, "", "none has ever come"),
    (ACCEPTED, "", "last accepted 2 minutes ago"),
    (
        refused("wrong_signature", 5, 14),
        "wrong_signature",
        "refused: wrong signature, 14 in the last hour; none was ever accepted",
    ),
    (
        ACCEPTED | refused("stale", 5, 14),
        "stale",
        "refused: stale timestamp, 14 in the last hour; last accepted 2 minutes ago",
    ),
    (
        ACCEPTED | refused("stale", 200, 14),
        "",
        "last accepted 2 minutes ago; refused: stale timestamp, 14 in the last hour",
    ),
    (
        refused("unsigned", 7300, 0),
        "unsigned",
        "refused: unsigned, last 2 hours ago; none was ever accepted",
    ),
    (
        ACCEPTED | refused("unsigned", 7300, 0),
        "",
        "last accepted 2 minutes ago",
    ),
    (
        refused("unsigned", 9, 3) | refused("wrong_signature", 5, 2),
        "wrong_signature",
        (
            "refused: wrong signature, 2 in the last hour, unsigned, 3 in the last hour; "
            "none was ever accepted"
        ),
    ),
    (
        ACCEPTED | refused("too_large", 5),
        "",
        "last accepted 2 minutes ago; refused: too large, 1 in the last hour",
    ),
    (refused("too_large", 5), "", "none was ever accepted; refused: too large, 1 in the last hour"),
    (
        ACCEPTED | refused("of_a_newer_program", 5),
        "",
        "last accepted 2 minutes ago; refused: of a newer program, 1 in the last hour",
    ),
]


@pytest.mark.parametrize(("tallies", "standing", "words"), ROWS)
def test_the_figures_are_told_in_words(
    tallies: dict[str, Tally], standing: str, words: str
) -> None:
    assert find_standing_refusal(tallies) == standing
    assert describe_deliveries(tallies, NOW) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        *((-5, "just now"), (59, "just now"), (60, "1 minute ago"), (3599, "59 minutes ago")),
        *((3600, "1 hour ago"), (86399, "23 hours ago"), (200_000, "2 days ago")),
    ],
)
def test_an_age_is_told_in_its_largest_unit(seconds: float, words: str) -> None:
    assert format_age(seconds) == words


def test_every_code_of_a_refusal_has_its_words() -> None:
    """The codes are read from both routes and their shared modules: a new code needs a row."""
    folder = Path(__file__).resolve().parents[1] / "panel" / "sync"
    doors = [folder / f"{name}.py" for name in ("wire", "plugin_hooks", "chatwoot_hooks")]
    codes = {
        code
        for door in doors
        for code in re.findall(r'Refusal\(\s*\d+, "(\w+)"', door.read_text(encoding="utf-8"))
    }
    assert {"stale", "bad_proof", "too_many", "not_kept"} <= codes
    assert codes <= REFUSAL_REASONS.keys()
