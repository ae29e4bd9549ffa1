"""The budgets of calls to both outside worlds, which the lanes share. Opening a panel never waits
for a budget.

A fifth of a minute's calls may be made at once, and the rest comes evenly, so that no burst uses up
the minute. The slow lanes leave that fifth to the first lane. Three tenths of the budget are
offered to the slow lanes, so that their passes end. The slow lanes use about a quarter, because
they miss turns while a pass waits for the other outside world.

WordPress serves all its visitors, the shop's customers too, with a few PHP workers. So passes
occupy two workers at most, and the slow lanes one. After each call a worker has a rest that is
longer than the call.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial

from panel.data.lanes import Lane
from panel.errors import BACK_OFFICE_SIDE, CHATWOOT_SIDE
from panel.services import Services
from panel.settings import Settings
from panel.sync.recovery import Recovery
from panel.upstream.chatwoot import connect
from panel.upstream.client import Client
from panel.upstream.middag import BackOffice
from panel.upstream.transport import Egress

WINDOW = 60.0
RESERVE = 5  # a fifth of a minute's calls may be made at once
SLOW_SHARE = 0.3  # of the calls
CATCH_UP = 5.0  # seconds of their share for which the slow lanes may catch up
BACK_OFFICE_WORKERS = 2
REST = 2.0  # a worker rests so many times as long as it worked: passes occupy two thirds of one
LONGEST_REST = 15.0
PATIENCE = 20.0  # seconds after which a pass no longer lets younger ones go before it
# Seconds from one check of a waiter that is not next to its next check: its pass may have changed
# its lane meanwhile.
LONGEST_SLEEP = 0.5
MARGIN = 0.001  # seconds: clocks are inexact


@dataclass
class Turn:
    """The pass or the task for which calls are made. `calls`: their number so far.

    `lane` may change while the pass runs, when somebody begins to wait for its result.
    """

    lane: Lane
    started_at: float = 0.0
    calls: int = 0


@dataclass(eq=False)
class _Waiter:
    turn: Turn
    number: int
    woken: threading.Condition


_turn: ContextVar[Turn | None] = ContextVar("turn", default=None)


def find_turn() -> Turn:
    """Return the turn of this thread's calls; a thread without a turn gets an urgent one."""
    return _turn.get() or Turn(Lane.URGENT, time.monotonic())


@contextmanager
def working(turn: Turn) -> Iterator[None]:
    """Make the calls of this thread in this turn, inside the block."""
    token = _turn.set(turn)
    try:
        yield
    finally:
        _turn.reset(token)


@dataclass
class _Workers:
    """The workers of the back office that passes may occupy. `rested_at`: the end of each free
    worker's rest. `number` 0: there is no limit."""

    number: int
    rested_at: list[float] = field(default_factory=list)
    slow: int = 0  # calls of the slow lanes under way

    def __post_init__(self) -> None:
        self.rested_at = [0.0] * self.number

    def is_open(self, lane: Lane) -> bool:
        """Tell whether a worker is free for this lane, rested or not."""
        if not self.number:
            return True
        return bool(self.rested_at) and (lane == Lane.URGENT or self.slow < self.number - 1)

    def find_wait(self, now: float) -> float:
        return max(0.0, min(self.rested_at) - now) if self.number else 0.0

    def take(self, lane: Lane) -> None:
        if self.number:
            self.rested_at.remove(min(self.rested_at))
            self.slow += lane != Lane.URGENT

    def give_back(self, lane: Lane, started_at: float, ended_at: float) -> None:
        if self.number:
            self.rested_at.append(ended_at + min(REST * (ended_at - started_at), LONGEST_REST))
            self.slow -= lane != Lane.URGENT


class RateLimit:
    """Allows at most `calls` in any minute. With `workers`: at most so many at once, each followed
    by a rest.

    Memory is enough, because a single process executes passes at a time. Safe for threads.
    """

    def __init__(
        self,
        calls: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] | None = None,
        workers: int = 0,
        note_success: Callable[[], None] = lambda: None,
    ) -> None:
        self._full = max(1.0, calls / RESERVE)
        self._per_second = (calls + 1 - self._full) / WINDOW
        self._slow_every = WINDOW / (SLOW_SHARE * calls)
        self._clock = clock
        self._lock = threading.Lock()
        self._sleep = sleep
        self._workers = _Workers(workers)
        self._note_success = note_success
        self._tokens, self._filled_at = self._full, clock()
        self._slow_at = dict.fromkeys(Lane, clock() - self._slow_every)  # the lane's last call
        self._slow_due = clock()
        self._waiting: list[_Waiter] = []
        self._number = 0

    def take(self) -> AbstractContextManager[None]:
        """Wait for the turn of a call; returns the context of that call."""
        turn = find_turn()
        with self._lock:
            self._number += 1
            waiter = _Waiter(turn, self._number, threading.Condition(self._lock))
            self._waiting.append(waiter)
            try:
                while wait := self._find_wait(waiter):
                    (self._sleep or waiter.woken.wait)(wait)
                lane = self._take(turn)
            finally:
                self._waiting.remove(waiter)
                self._wake_first()
        return self._calling(lane)

    def count_waiting(self) -> int:
        """Return the number of calls that wait for their turn."""
        return len(self._waiting)

    def _find_wait(self, waiter: _Waiter) -> float:
        """Return the seconds until the turn of this waiter may come; 0: now."""
        now = self._clock()
        self._tokens = min(self._full, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        if waiter is not self._wake_first(waiter):
            return LONGEST_SLEEP
        is_spare = waiter.turn.lane != Lane.URGENT and not self._is_overdue(now)
        least = self._full if is_spare else 1.0
        missing = max(0.0, least - self._tokens - MARGIN * self._per_second)
        refill = missing / self._per_second
        wait = max(self._workers.find_wait(now), refill + MARGIN if refill else 0.0)
        return min(wait, LONGEST_SLEEP) if is_spare else wait

    def _wake_first(self, but: _Waiter | None = None) -> _Waiter | None:
        """Wake the waiter that is next: it may sleep, because another waiter was next before."""
        first = self._find_first(self._clock())
        if first and first is not but:
            first.woken.notify()
        return first

    def _find_first(self, now: float) -> _Waiter | None:
        """Return the waiter that is next."""
        able = [waiter for waiter in self._waiting if self._workers.is_open(waiter.turn.lane)]
        urgent = [waiter for waiter in able if waiter.turn.lane == Lane.URGENT]
        slow = [waiter for waiter in able if waiter.turn.lane != Lane.URGENT]
        if slow and (not urgent or self._is_overdue(now)):
            return min(slow, key=lambda waiter: (self._slow_at[waiter.turn.lane], waiter.number))
        return min(urgent, key=lambda waiter: _rank(waiter, now)) if urgent else None

    def _is_overdue(self, now: float) -> bool:
        """Tell whether the slow lanes got less than their share lately."""
        return now >= self._slow_due

    def _take(self, turn: Turn) -> Lane:
        self._tokens -= 1
        self._workers.take(turn.lane)
        turn.calls += 1
        if turn.lane != Lane.URGENT:
            self._note_slow(turn.lane, self._clock())
        return turn.lane

    def _note_slow(self, lane: Lane, now: float) -> None:
        """Set the moment of the next slow call, counted from the moment at which this call was due:
        calls come a little late, and the delays would add up. A call beyond the share does not
        postpone the next one."""
        self._slow_at[lane] = now
        turn = max(self._slow_due, now - CATCH_UP) + self._slow_every
        self._slow_due = min(turn, now + self._slow_every)

    @contextmanager
    def _calling(self, lane: Lane) -> Iterator[None]:
        started_at = self._clock()
        try:
            yield
            self._note_success()
        finally:
            with self._lock:
                self._workers.give_back(lane, started_at, self._clock())
                self._wake_first()


def _rank(waiter: _Waiter, now: float) -> tuple[bool, float, int]:
    """Return the rank of a waiter, the lowest first: passes that have run for long, then passes
    with the fewest calls.

    So a small pass does not wait for large ones beside it, and large passes end as well.
    """
    is_young = now - waiter.turn.started_at < PATIENCE
    return is_young, waiter.turn.calls if is_young else waiter.turn.started_at, waiter.number


def _make_note(recovery: Recovery | None, side: str) -> Callable[[], None]:
    return partial((recovery or Recovery()).note_success, side)


def make_limited_back_office(services: Services, recovery: Recovery | None = None) -> BackOffice:
    """Make the back office for passes, whose calls wait for their turn."""
    limit = RateLimit(
        services.settings.middag_calls_per_minute,
        workers=BACK_OFFICE_WORKERS,
        note_success=_make_note(recovery, BACK_OFFICE_SIDE),
    )
    return services.back_office.behind(limit.take)


def make_limited_client(settings: Settings, recovery: Recovery | None = None) -> Client:
    """Make a client of Chatwoot whose calls wait for their turn."""
    note = _make_note(recovery, CHATWOOT_SIDE)
    limit = RateLimit(settings.calls_per_minute, note_success=note)
    egress = Egress(settings.certificates, settings.chatwoot_proxy)
    return connect(settings.chatwoot_url, settings.chatwoot_api_token, limit.take, egress)
