"""Events that are alike are sampled, and counted."""

import logging

import pytest

from panel.logs.events import MOST_ALIKE, MOST_KINDS, QUIET_SECONDS, LogThrottle
from tests.conftest import Clock

log = logging.getLogger("panel.test")


def test_a_few_alike_have_lines_and_the_next_minute_tells_how_many_had_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "panel.test")
    clock = Clock()
    events = LogThrottle(clock)
    for number in range(MOST_ALIKE + 3):
        events.record(log.info, "a hook was kept", "order.paid", organization=number)
    events.record(log.info, "a hook was kept", "quote.sent", organization=7)
    assert [record.__dict__["fields"]["organization"] for record in caplog.records] == [
        *range(MOST_ALIKE),
        7,
    ]
    clock.advance(QUIET_SECONDS)
    events.record(log.info, "a hook was kept", "order.paid", organization=99)
    events.record(log.info, "a hook was kept", "order.paid", organization=100)
    assert [record.getMessage() for record in caplog.records[-2:]] == [
        "a hook was kept, and 3 more like it",
        "a hook was kept",
    ]


def test_no_number_of_kinds_fills_the_memory(caplog: pytest.LogCaptureFixture) -> None:
    events = LogThrottle(Clock())
    for number in range(MOST_KINDS + 10):
        events.record(log.debug, "a POST was refused", number)
    assert len(events) <= MOST_KINDS
