"""What `/readyz`, the log, `sync status` and `doctor` have to say of a break, and of its end."""

import json
from collections.abc import Callable

from tests.broken.rows import Break
from tests.broken.site import Answer, Health, Site
from tests.conftest import wait_until

# Seconds, on a busy machine. Some questions, such as that for the mark of the installation, are
# asked once a minute, and their failure stands until then.
PATIENCE = 100.0


def await_well(broken: Site) -> None:
    """Wait until `/readyz` and `sync status` report that all is well again, and no pass is left
    that would meet the next break."""

    reports: list[object] = []

    def is_well() -> bool:
        broken.use_well()
        status = json.loads(broken.run("sync status --json").output)
        is_quiet = not status["waiting"] and not status["running"]
        reports[:] = broken.health(), status
        return not broken.health().wrong and status["is_well"] and is_quiet

    wait_until_or_show(is_well, lambda: str(reports))


def check(row: Break, broken: Site) -> None:
    heard = len(broken.lines)
    failed: AssertionError | None = None
    with row.make(broken):
        try:
            row.use(broken)
            expect_health(row, broken)
            expect_status(row, broken)
            expect_doctor(row, broken)
            expect_line(row, broken, heard)
        except AssertionError as error:  # the break has to be mended all the same
            failed = error
    await_well(broken)
    if failed:
        raise failed


def expect_line(row: Break, broken: Site, heard: int) -> None:
    if row.log:
        wait_until(lambda: any(row.log in line for line in broken.lines[heard:]), PATIENCE)


def expect_health(row: Break, broken: Site) -> None:
    """Check `/readyz`, which goes on to answer 200, because the panel still shows something."""
    reports: list[Health] = []

    def is_seen() -> bool:
        reports.append(broken.health())
        return reports[-1].wrong.get(row.part, "") == row.word

    wait_until(is_seen, PATIENCE)
    assert reports[-1].status == 200
    assert reports[-1].body["status"] == ("degraded" if row.part else "ready")
    assert row.detail in reports[-1].explain(row.part)


def expect_status(row: Break, broken: Site) -> None:
    answers: list[Answer] = []

    def is_seen() -> bool:
        answers.append(broken.run("sync status", apart=row.is_apart))
        return row.status in answers[-1].output and answers[-1].code == row.code

    wait_until_or_show(is_seen, lambda: answers[-1].output)
    assert "Traceback" not in answers[-1].output


def wait_until_or_show(condition: Callable[[], bool], show: Callable[[], str]) -> None:
    """Wait until the condition holds; a failure shows what was printed last."""
    try:
        wait_until(condition, PATIENCE)
    except AssertionError:
        raise AssertionError(show()) from None


def expect_doctor(row: Break, broken: Site) -> None:
    """Check `doctor`, which asks anew, whichever process met the break."""
    if row.is_named:
        await_diagnosis(broken, row.check or row.part, row.cause or row.word, row.is_apart)


def await_diagnosis(broken: Site, check: str, cause: str, apart: bool = False) -> None:
    answers: list[Answer] = []

    def is_seen() -> bool:
        answers.append(broken.run("doctor", apart=apart))
        lines = [line.split() for line in answers[-1].output.splitlines()]
        wrong = [line for line in lines if line[:1] in (["fault"], ["warning"])]
        return any(line[1] == check and cause in " ".join(line) for line in wrong)

    wait_until_or_show(is_seen, lambda: answers[-1].output)
    assert answers[-1].code == 1
    assert "Traceback" not in answers[-1].output
