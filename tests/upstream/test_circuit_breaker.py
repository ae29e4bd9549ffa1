"""One customer's trouble pauses that customer; the host is paused when several fail."""

from panel.errors import Paused
from panel.upstream.circuit_breaker import CircuitBreaker
from tests.conftest import Clock

BROKEN, HEALTHY, OTHER, THIRD = "66", "42", "43", "44"


def make(clock: Clock | None = None) -> CircuitBreaker:
    return CircuitBreaker(limit=6, subjects=3, own_limit=4, pause=20, clock=clock or Clock())


def fail(breaker: CircuitBreaker, *subjects: str) -> None:
    for subject in subjects:
        breaker.record_failure(subject)


def is_paused(breaker: CircuitBreaker, subject: str) -> bool:
    try:
        breaker.check(subject)
    except Paused:
        return True
    return False


def pause_host(breaker: CircuitBreaker) -> None:
    fail(breaker, *[BROKEN, OTHER, THIRD] * 2)


def test_a_customer_who_keeps_failing_pauses_nobody_else() -> None:
    breaker = make()
    fail(breaker, *[BROKEN] * 40)
    assert is_paused(breaker, BROKEN)
    assert not is_paused(breaker, HEALTHY)
    assert breaker.paused_until == 0


def test_two_broken_customers_pause_nobody_else_either() -> None:
    breaker = make()
    fail(breaker, *[BROKEN, OTHER] * 20)
    assert not is_paused(breaker, HEALTHY)


def test_several_failing_customers_pause_the_host() -> None:
    breaker = make()
    pause_host(breaker)
    assert is_paused(breaker, HEALTHY)
    assert is_paused(breaker, BROKEN)
    assert breaker.paused_until == breaker.clock() + 20


def test_a_success_in_between_keeps_the_host_open() -> None:
    breaker = make()
    fail(breaker, BROKEN, OTHER, THIRD, BROKEN, OTHER)
    breaker.record_success(HEALTHY)
    fail(breaker, THIRD)
    assert not is_paused(breaker, HEALTHY)


def test_one_customer_probes_for_the_host_and_a_success_ends_the_pause() -> None:
    breaker = make(clock := Clock())
    pause_host(breaker)
    clock.advance(21)
    assert [is_paused(breaker, name) for name in (HEALTHY, "45", "46")] == [False, True, True]
    breaker.record_success(HEALTHY)
    assert not is_paused(breaker, "45")


def test_the_probe_is_not_one_that_failed_before_and_its_failure_blocks_nobody() -> None:
    breaker = make(clock := Clock())
    pause_host(breaker)
    clock.advance(21)
    assert not is_paused(breaker, BROKEN)  # the subject's own probe
    breaker.record_failure(BROKEN)
    assert is_paused(breaker, BROKEN)
    assert not is_paused(breaker, HEALTHY)  # another subject's probe for the host


def test_a_fresh_customer_who_fails_as_the_probe_pauses_the_host_again() -> None:
    breaker = make(clock := Clock())
    pause_host(breaker)
    clock.advance(21)
    breaker.check(HEALTHY)
    breaker.record_failure(HEALTHY)
    assert is_paused(breaker, "45")


def test_garbage_pauses_its_customer_and_shows_that_the_host_lives() -> None:
    breaker = make()
    fail(breaker, BROKEN, OTHER, THIRD, BROKEN, OTHER)
    for _ in range(4):
        breaker.record_garbage(BROKEN)
    fail(breaker, THIRD)
    assert is_paused(breaker, BROKEN)
    assert not is_paused(breaker, HEALTHY)


def test_a_few_failures_long_ago_are_forgotten() -> None:
    breaker = make(clock := Clock())
    fail(breaker, *[BROKEN] * 3)
    clock.advance(61)
    fail(breaker, BROKEN)
    assert not is_paused(breaker, BROKEN)


def test_a_clock_that_is_set_back_lengthens_no_pause() -> None:
    breaker = make(clock := Clock())
    pause_host(breaker)
    fail(breaker, *[BROKEN] * 4)
    clock.advance(-3600)
    assert breaker.paused_until == 0
    assert not is_paused(breaker, HEALTHY)
    assert not is_paused(breaker, BROKEN)
