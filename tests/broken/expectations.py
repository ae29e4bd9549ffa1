"""What `/readyz`, the log, `sync status` and `doctor` have to say of a break, and of its end."""

import json
from collections.abc import Callable

from tests.broken.rows import Break
from tests.broken.site import Answer, Health, Site
from tests.conftest import wait_until

# Seconds, on a busy machine. Some questions, such as that for the mark of the installation, are
# asked once a minute, and their failure stands until then.
PATIENCE = 100.0


def await_well(target: Site) -> None:
    """Wait until `/readyz` and `sync status` report that all is well again, and no pass is left
    that would meet the next break."""

    reports: list[object] = []

    def is_well() -> bool:
        target.use_well()
        status = json.loads(target.run("sync status --json").output)
        is_quiet = not status["waiting"] and not status["running"]
        reports[:] = target.health(), status
        return not target.health().wrong and status["is_well"] and is_quiet

    wait_until_or_show(is_well, lambda: str(reports))


def check(row: Break, target: Site) -> None:
    line_count = len(target.lines)
    failure: AssertionError | None = None
    with row.make(target):
        try:
            row.use(target)
            expect_health(row, target)
            expect_status(row, target)
            expect_doctor(row, target)
            expect_line(row, target, line_count)
        except AssertionError as error:  # the break has to be mended all the same
            failure = error
    await_well(target)
    if failure:
        raise failure


def expect_line(row: Break, target: Site, line_count: int) -> None:
    if row.log:
        wait_until(lambda: any(row.log in line for line in target.lines[line_count:]), PATIENCE)


def expect_health(row: Break, target: Site) -> None:
    """Check `/readyz`, which goes on to answer 200, because the panel still shows something."""
    reports: list[Health] = []

    def is_seen() -> bool:
        reports.append(target.health())
        return reports[-1].wrong.get(row.part, "") == row.word

    wait_until(is_seen, PATIENCE)
    assert reports[-1].status == 200
    assert reports[-1].body["status"] == ("degraded" if row.part else "ready")
    assert row.detail in reports[-1].explain(row.part)


def expect_status(row: Break, target: Site) -> None:
    answers: list[Answer] = []

    def is_seen() -> bool:
        answers.append(target.run("sync status", apart=row.is_apart))
        return row.status in answers[-1].output and answers[-1].code == row.code

    wait_until_or_show(is_seen, lambda: answers[-1].output)
    assert "Traceback" not in answers[-1].output


def wait_until_or_show(condition: Callable[[], bool], show: Callable[[], str]) -> None:
    """Wait until the condition holds; a failure shows what was printed last."""
    try:
        wait_until(condition, PATIENCE)
    except AssertionError:
        raise AssertionError(show()) from None


def expect_doctor(row: Break, target: Site) -> None:
    """Check `doctor`, which asks anew, whichever process met the break."""
    if row.is_named:
        await_diagnosis(target, row.check or row.part, row.cause or row.word, row.is_apart)


def await_diagnosis(target: Site, check: str, cause: str, apart: bool = False) -> None:
    answers: list[Answer] = []

    def is_seen() -> bool:
        answers.append(target.run("doctor", apart=apart))
        lines = [line.split() for line in answers[-1].output.splitlines()]
        wrong = [line for line in lines if line[:1] in (["fault"], ["warning"])]
        return any(line[1] == check and cause in " ".join(line) for line in wrong)

    wait_until_or_show(is_seen, lambda: answers[-1].output)
    assert answers[-1].code == 1
    assert "Traceback" not in answers[-1].output
