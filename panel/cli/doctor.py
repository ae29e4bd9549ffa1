"""`flask --app app doctor`: faults, their causes and remedies, on one screen.

Exit codes: 0 all is well; 1 a warning or a fault; 2 doctor could not run, because the settings are
wrong.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click

from panel.cli.doctor_setup import examine_setup
from panel.cli.output import FOUND, IDENTIFIER, count_noun, echo, format_time, plain_command
from panel.doctor import arrival, back_office, chatwoot, delivery, lists, settings, state, work
from panel.doctor.diagnosis import FAULT, OK, STATES, WARNING, Diagnosis, Examination
from panel.services import Services, services

AGAIN_SECONDS = 10.0
MARGIN_SECONDS = 5.0
PLURALS = {FAULT: "faults", WARNING: "warnings"}
DATABASE_SECONDS = 8.0  # SQLite itself reports a locked database after five

EXAMINATIONS = (
    Examination("secrets", "settings", settings.examine_secrets),
    Examination("addresses", "settings", settings.examine_addresses),
    Examination("certificates", "settings", settings.examine_certificates),
    Examination("frame", "settings", settings.examine_frame),
    Examination("verification", "settings", settings.examine_verification),
    Examination("secret", "back office", back_office.examine_secret),
    Examination("privacy", "back office", back_office.examine_privacy),
    Examination("office_clock", "back office", back_office.examine_office_clock),
    Examination("documents", "back office", back_office.examine_documents),
    Examination("paging", "back office", lists.examine_paging),
    Examination("version", "Chatwoot", chatwoot.examine_version),
    Examination("token", "Chatwoot", chatwoot.examine_token),
    Examination("filter", "Chatwoot", chatwoot.examine_filter),
    Examination("chatwoot_clock", "Chatwoot", chatwoot.examine_chatwoot_clock),
    Examination("setup", "Chatwoot", examine_setup),
    Examination("panel_url", "panel", settings.examine_panel_url),
    Examination("installation", "panel", arrival.examine_installation),
    Examination("policy", "panel", arrival.examine_policy),
    Examination("sharing", "panel", settings.examine_sharing),
    Examination("origin", "panel", state.examine_origin),
    Examination("files", "panel", state.examine_files),
    Examination("disk", "panel", state.examine_disk),
    Examination("connections", "panel", work.examine_connections),
    Examination("budget", "panel", work.examine_budget),
    Examination("night", "panel", work.examine_night),
    *(
        Examination(name, "panel", state.repeat_check(name), DATABASE_SECONDS)
        for name in state.SHARED_CHECKS
    ),
)


@dataclass(frozen=True)
class ExaminationResult:
    """`diagnoses`: at least one; a good diagnosis has no words."""

    examination: Examination
    diagnoses: tuple[Diagnosis, ...]

    @property
    def worst(self) -> str:
        return min((diagnosis.state for diagnosis in self.diagnoses), key=STATES.index)


@click.command("doctor")
@click.option(
    "--sample", type=IDENTIFIER, metavar="CONVERSATION", help="Try this conversation too."
)
@click.option("--deliver", is_flag=True, help="Await a delivery: a contact is made and removed.")
@click.option("--watch", is_flag=True, help="Look again every ten seconds, until Ctrl-C.")
@plain_command
def doctor(sample: int | None, deliver: bool, watch: bool, as_json: bool) -> None:
    """Say what is wrong with this panel, why, and what mends it; doctor changes nothing."""
    rows = EXAMINATIONS
    if deliver:
        patience = delivery.WAIT_SECONDS + MARGIN_SECONDS
        rows = (*rows, Examination("deliver", "Chatwoot", delivery.examine_delivery, patience))
    if sample is not None:
        examined = chatwoot.try_conversation(sample)
        rows = (*rows, Examination(f"conversation {sample}", "Chatwoot", examined))
    if watch:
        # Ctrl-C ends the process at once: an abandoned examination may hang at its regular end.
        signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(FOUND))
    is_well = _report(rows, as_json)
    while watch:
        time.sleep(AGAIN_SECONDS)
        is_well = _report(rows, as_json)
    sys.exit(0 if is_well else FOUND)


def _report(rows: Sequence[Examination], as_json: bool) -> bool:
    """Examine and print; returns whether all is well."""
    started_at = time.monotonic()
    results = examine_all(services(), rows)
    seconds = time.monotonic() - started_at
    echo(_make_value(results, seconds), as_json, lambda: _draw(results, seconds))
    return all(result.worst == OK for result in results)


def examine_all(shared: Services, rows: Sequence[Examination]) -> list[ExaminationResult]:
    """Run every examination in a thread of its own; a thread that does not end in time is
    abandoned.

    The log keeps silent, because its messages stand on the screen already.
    """
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        return examine_beside(shared, rows)
    finally:
        logging.disable(before)


def examine_beside(shared: Services, rows: Sequence[Examination]) -> list[ExaminationResult]:
    """Like `examine_all`, for a process that has other work too: its log goes on."""
    diagnoses: dict[str, tuple[Diagnosis, ...]] = {}
    threads = [
        threading.Thread(target=_examine, args=(row, shared, diagnoses), daemon=True)
        for row in rows
    ]
    for thread in threads:
        thread.start()
    started_at = time.monotonic()
    for row, thread in zip(rows, threads, strict=True):
        thread.join(max(0.0, started_at + row.seconds - time.monotonic()))
    return [ExaminationResult(row, diagnoses.get(row.name) or _tell_late(row)) for row in rows]


def _tell_late(row: Examination) -> tuple[Diagnosis, ...]:
    cause = f"no answer within {row.seconds:.0f} s (timeout)"
    fix = "whoever is asked there hangs, or this machine is overloaded"
    return (Diagnosis(FAULT, cause, fix),)


def examine_outside(shared: Services) -> dict[str, Any]:
    """Return the present results of the examinations that `/readyz` does not have itself."""
    rows = [row for row in EXAMINATIONS if row.name not in state.SHARED_CHECKS]
    started_at = time.monotonic()
    return _make_value(examine_beside(shared, rows), time.monotonic() - started_at)


def _examine(
    row: Examination, shared: Services, diagnoses: dict[str, tuple[Diagnosis, ...]]
) -> None:
    """Run an examination. If it breaks, the diagnosis is a sentence, and never a traceback."""
    try:
        diagnoses[row.name] = tuple(row.examine(shared)) or (Diagnosis(OK),)
    except Exception as error:  # noqa: BLE001 (the other examinations say what they found)
        cause = f"it could not be examined ({type(error).__name__})"
        diagnoses[row.name] = (Diagnosis(FAULT, cause, "look at the other faults first"),)


def _make_value(results: Sequence[ExaminationResult], seconds: float) -> dict[str, Any]:
    """Return the results for programs."""
    checks = [
        {"name": result.examination.name, "group": result.examination.group, **asdict(diagnosis)}
        for result in results
        for diagnosis in result.diagnoses
    ]
    worst = min((result.worst for result in results), key=STATES.index)
    head = {"at": format_time(time.time()), "seconds": round(seconds, 1), "worst": worst}
    return {**head, "checks": checks}


def _draw(results: Sequence[ExaminationResult], seconds: float) -> Iterator[str]:
    """Yield the results in lines, the worst first; a single line names all good ones."""
    if all(result.worst == OK for result in results):
        yield f"Everything is well: {len(results)} checks, {seconds:.1f} s."
        return
    for grade in STATES[:-1]:
        for result in results:
            for diagnosis in (row for row in result.diagnoses if row.state == grade):
                yield f"{grade:<8} {result.examination.name:<18} {diagnosis.cause}"
                if diagnosis.fix:
                    yield f"{'':<27} -> {diagnosis.fix}"
    well = [result.examination.name for result in results if result.worst == OK]
    yield f"{OK:<8} {', '.join(well)}"
    counts = Counter(result.worst for result in results)
    words = [count_noun(counts[grade], grade, PLURALS.get(grade, grade)) for grade in STATES]
    yield f"{len(results)} checks: {', '.join(words)}; {seconds:.1f} s"
