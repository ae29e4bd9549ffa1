"""The rows of the lanes: how soon a hook reaches Chatwoot beside a reconcile and a backfill."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import cycle, islice
from uuid import uuid4

from bench import machine
from bench.figures import Samples, percentile
from bench.stage import Stage
from bench.wing import FIRST_COMPANY, Wing, add_company, change_role, open_wing
from panel.data.lanes import Lane
from panel.demo.world import Call, Json
from panel.settings import from_env
from panel.sync.wire import Hook

LINED_UP = 2000
HOOKS_A_MINUTE = 20
RUNG_SIZES = tuple(range(3, 61, 3))  # people of the organizations with hooks
SETTLED = 300  # more organizations than get their turn within the window
DEFAULTS = {"CHATWOOT_CALLS_PER_MINUTE": "300", "MIDDAG_CALLS_PER_MINUTE": "120"}
RUNG_FIRST = FIRST_COMPANY + 50_000
EFFECT_SECONDS = 120.0  # a hook without an effect after this time counts as lost
SHARE_SECONDS = 60.0


def beside_a_reconcile(stage: Stage, shape: str) -> list[Samples]:
    """Compare organizations that are in line again, in the last lane; then a flood of hooks
    comes."""
    numbers = range(FIRST_COMPANY, FIRST_COMPANY + LINED_UP)
    with open_wing(stage, shape) as wing:
        for number in numbers:
            add_company(wing.office, number)
        for number in numbers[: stage.times(SETTLED // 3, SETTLED)]:
            wing.jobs.bring_in_line(number)
        _settle_rung(wing)
        wing.intake.line_up(numbers, Lane.RECONCILE)
        with _working(stage, wing):
            effects = _ring_for_minutes(wing, stage.times(1, 5))
            share, note = _measure_share(wing)
    return [_describe(effects, wing), Samples([share], note)]


def beside_a_backfill(stage: Stage, shape: str) -> list[Samples]:
    """Bring organizations that Chatwoot does not know yet into line, in the middle lane."""
    numbers = range(FIRST_COMPANY, FIRST_COMPANY + LINED_UP)
    with open_wing(stage, shape) as wing:
        for number in numbers:
            add_company(wing.office, number)
        _settle_rung(wing)
        wing.intake.line_up(numbers, Lane.BACKFILL)
        with _working(stage, wing):
            effects = _ring_for_minutes(wing, stage.times(1, 5))
    return [_describe(effects, wing)]


def _settle_rung(wing: Wing) -> None:
    for at, size in enumerate(RUNG_SIZES):
        wing.settle(RUNG_FIRST + at, size)


@contextmanager
def _working(stage: Stage, wing: Wing) -> Iterator[None]:
    """Run a worker with the default budgets, and wait until the slow lane has its calls for a
    burst."""
    wing.chat.forget()
    environ = {**wing.environ, **DEFAULTS}
    with machine.worker(environ, stage.folder / "lanes.log"):
        machine.wait_until(lambda: len(wing.chat.calls) > from_env(environ).calls_per_minute / 5)
        yield


# -- the effect of a hook --------------------------------------------------------------------------


def _ring_for_minutes(wing: Wing, minutes: int) -> list[float]:
    """Return the seconds from each hook until the contact has the right values."""
    wing.chat.forget()
    seconds: list[float] = []
    threads = []
    rung = islice(cycle(range(RUNG_FIRST, RUNG_FIRST + len(RUNG_SIZES))), minutes * HOOKS_A_MINUTE)
    for number in rung:
        change = change_role(wing.office, number)
        thread = threading.Thread(target=_await_effect, args=(wing, change, seconds))
        _ring(wing, number, "collaborator.updated")
        thread.start()
        threads.append(thread)
        time.sleep(60 / HOOKS_A_MINUTE)
    for thread in threads:
        thread.join()
    return seconds


def _ring(wing: Wing, number: int, kind: str) -> None:
    wing.intake.accept(Hook(str(uuid4()), kind, datetime.now(UTC).timestamp(), number))


def _await_effect(wing: Wing, change: Json, seconds: list[float]) -> None:
    started_at = time.monotonic()
    (contact,) = [row for row in wing.chat.contacts.values() if row["email"] == change["email"]]
    while time.monotonic() < started_at + EFFECT_SECONDS:
        if contact["custom_attributes"]["middag_role"] == change["role"]:
            break
        time.sleep(0.02)
    seconds.append(time.monotonic() - started_at)


def _describe(seconds: Sequence[float], wing: Wing) -> Samples:
    half, calls = percentile(seconds, 50), wing.chat.calls
    minutes = (calls[-1].at - calls[0].at) / 60
    sizes = f"organizations of {RUNG_SIZES[0] + 1} to {RUNG_SIZES[-1] + 1} contacts"
    note = f"{len(seconds)} hooks of {sizes}; half within {half:.2f} s"
    return Samples(seconds, f"{note}; {len(calls) / minutes:.0f} calls a minute to Chatwoot")


# -- the share of the slow lanes -------------------------------------------------------------------


def _measure_share(wing: Wing) -> tuple[float, str]:
    """Measure the slow lanes' share of a minute's budget, while the first lane could use it all.

    A burst took a fifth of the budget before, so fewer calls than the budget are made; the note
    gives their number.
    """
    for at, size in enumerate(RUNG_SIZES):
        number = RUNG_FIRST + at
        add_company(wing.office, number, size)  # all are members again
        wing.office.put("organization", number, _rename(wing, number))
        _ring(wing, number, "organization.updated")
    time.sleep(SHARE_SECONDS / 4)  # until the calls of a burst are used up
    wing.chat.forget()
    time.sleep(SHARE_SECONDS)
    with wing.chat.lock:
        calls = list(wing.chat.calls)
    rung = sum(_is_of_rung(wing, call) for call in calls)
    budget = float(DEFAULTS["CHATWOOT_CALLS_PER_MINUTE"])
    note = f"{len(calls)} calls in a minute, {rung} of them for hooks of {len(RUNG_SIZES)} changes"
    return (len(calls) - rung) / budget, note


def _rename(wing: Wing, number: int) -> Json:
    row = wing.office.organizations[number]
    return {**row, "name": f"{row['name']} Nova"}


def _is_of_rung(wing: Wing, call: Call) -> bool:
    """Tell whether this call is made for an organization with a hook: the call names one of its
    contacts."""
    ids = [int(part) for part in call.path.split("/") if part.isdigit()]
    emails = [
        str(wing.chat.contacts[number]["email"]) for number in ids if number in wing.chat.contacts
    ]
    text = " ".join([*emails, str(call.body)])
    return any(f"empresa{RUNG_FIRST + at}.example" in text for at in range(len(RUNG_SIZES)))
