"""The poll interval: arithmetic with clocks as arguments."""

import pytest

from panel.web.polling import IDLE_SECONDS, LATE_SECONDS, SOON_SECONDS, CpuLoad, choose_pause
from tests.conftest import Clock

EVEN = 0.5  # the chance without jitter


@pytest.mark.parametrize(
    ("idle", "share", "seconds"),
    [
        (0, 0, 1.5),
        (300, 0, 1.5),
        (600, 0, 3.0),
        (1500, 0, 7.5),
        (3000, 0, 15.0),
        (999_999, 0, 15.0),
        (0, 0.6, 1.5),
        (0, 0.8, 8.25),
        (0, 1.0, 15.0),
        (0, 1.9, 15.0),
        (600, 0.8, 8.25),
        (3000, 0.7, 15.0),
    ],
)
def test_a_panel_asks_later_when_nobody_stirs_or_we_are_busy(
    idle: float, share: float, seconds: float
) -> None:
    assert choose_pause(idle, share, EVEN) == pytest.approx(seconds)


def test_no_state_of_affairs_makes_panels_ask_more_often_than_soon_or_less_than_late() -> None:
    pauses = [
        choose_pause(idle, share / 10, EVEN) for idle in range(0, 5000, 50) for share in range(12)
    ]
    assert min(pauses) == SOON_SECONDS
    assert max(pauses) == LATE_SECONDS
    assert pauses[0] == choose_pause(IDLE_SECONDS, 0, EVEN)


def test_panels_do_not_march_in_step() -> None:
    chances = [number / 10 for number in range(11)]
    pauses = [choose_pause(0, 0, chance) for chance in chances]
    assert pauses == sorted(set(pauses))
    assert pauses[0] == pytest.approx(SOON_SECONDS * 0.9)
    assert pauses[-1] == pytest.approx(SOON_SECONDS * 1.1)


def test_the_load_is_the_share_of_one_core_in_the_last_window() -> None:
    clock, cpu = Clock(), Clock()
    load = CpuLoad(cpu, clock)
    clock.advance(1.9)
    cpu.advance(1.9)
    assert load.share() == 0.0, "too short to tell"
    clock.advance(0.1)
    assert load.share() == pytest.approx(0.95)
    clock.advance(1.0)
    assert load.share() == pytest.approx(0.95), "until the next window is whole"
    clock.advance(9.0)
    cpu.advance(2.0)
    assert load.share() == pytest.approx(0.2)
    clock.advance(600.0)
    assert load.share() == 0.0


def test_the_load_is_measured_by_this_process_itself() -> None:
    clock = Clock()
    load = CpuLoad(clock=clock)
    sum(range(2_000_000))
    clock.advance(2.0)
    assert 0.0 < load.share() < 1.0
