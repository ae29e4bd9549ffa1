"""Failures of the outside worlds in the log: rate limited, and without a value."""

import logging
from collections.abc import Callable

import pytest
from prometheus_client import REGISTRY

from panel.errors import Paused, Unreachable, Unwell
from panel.logs.events import MOST_KINDS, QUIET_SECONDS, LogThrottle
from panel.upstream.failures import (
    FailureLog,
    Trouble,
    Troubles,
)
from tests.conftest import Clock, Panel, seal_of

OUTAGE = Unwell("http_503", "status 503")


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.WARNING, "panel.upstream.failures")

    def read() -> list[str]:
        return [r.message for r in caplog.records if r.name == "panel.upstream.failures"]

    return read


def counted(host: str, document: str, outcome: str) -> float:
    labels = {"host": host, "document": document, "outcome": outcome}
    return REGISTRY.get_sample_value("panel_upstream_failures_total", labels) or 0.0


def test_a_failure_is_logged_at_once_and_its_repetitions_once_a_minute(
    lines: Callable[[], list[str]],
) -> None:
    clock = Clock()
    log, before = FailureLog(clock), counted("a.example", "orders", "http_503")
    for organization in (42, 43, 44):
        log.report("a.example", "orders", organization, OUTAGE)
    assert lines() == ["a.example: orders 42: http_503 (status 503)"]
    clock.advance(QUIET_SECONDS)
    log.report("a.example", "orders", 45, OUTAGE)
    assert lines()[1:] == ["a.example: orders 45: http_503 (status 503), and 2 more like it"]
    assert counted("a.example", "orders", "http_503") - before == 4


def test_another_document_and_another_outcome_have_lines_of_their_own(
    lines: Callable[[], list[str]],
) -> None:
    log = FailureLog(Clock())
    log.report("a.example", "orders", 42, OUTAGE)
    log.report("a.example", "quotes", 42, OUTAGE)
    log.report("a.example", "orders", 42, Unreachable("timeout"))
    assert len(lines()) == 3


def test_no_number_of_kinds_fills_the_memory() -> None:
    throttle = LogThrottle(Clock())
    for number in range(MOST_KINDS + 10):
        assert throttle.admit(f"kind {number}") == ""
    assert len(throttle) <= MOST_KINDS


def test_a_section_that_fails_leaves_one_line_without_a_value(
    panel: Panel, lines: Callable[[], list[str]]
) -> None:
    seal = seal_of(panel.open().text)
    panel.office.fault("500", 42)
    for _ in range(3):
        assert panel.section("orders", seal).status_code == 503
    assert lines() == ["127.0.0.1: orders 42: http_500 (status 500)"]


def test_what_chatwoot_refuses_to_answer_is_logged_by_its_path(
    panel: Panel, lines: Callable[[], list[str]]
) -> None:
    panel.chat.down = True
    assert panel.open().status_code == 503
    assert len(lines()) == 1
    assert "127.0.0.1: conversations 101: " in lines()[0]


# -- present troubles
# ----------------------------------------------------------------------------------


def test_a_trouble_stands_until_its_own_document_is_answered() -> None:
    clock = Clock()
    troubles, started_at = Troubles(clock), clock.now
    troubles.note_failure("orders", OUTAGE)
    clock.advance(5)
    troubles.note_failure("orders", OUTAGE)
    troubles.note_success("quotes")
    assert troubles.latest == Trouble("orders", "http_503", started_at, started_at + 5)
    troubles.note_success("orders")
    assert troubles.latest is None


def test_another_outcome_of_the_same_document_begins_anew() -> None:
    clock = Clock()
    troubles = Troubles(clock)
    troubles.note_failure("orders", OUTAGE)
    clock.advance(5)
    troubles.note_failure("orders", Unreachable("timeout"))
    assert troubles.latest == Trouble("orders", "timeout", clock.now, clock.now)


def test_a_pause_does_not_hide_what_led_to_it() -> None:
    troubles = Troubles(Clock())
    troubles.note_failure("orders", OUTAGE)
    troubles.note_failure("orders", Paused())
    assert troubles.latest
    assert troubles.latest.code == "http_503"


def test_the_latest_of_several_troubles_is_told() -> None:
    clock = Clock()
    troubles = Troubles(clock)
    for document in ("orders", "quotes"):
        troubles.note_failure(document, OUTAGE)
        clock.advance(1)
    assert troubles.latest
    assert troubles.latest.document == "quotes"
