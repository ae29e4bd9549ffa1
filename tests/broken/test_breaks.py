"""A break of a running installation is named by `/readyz`, the log and `sync status`."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests import postgres
from tests.broken.breaks import AT_START, ON_FILES, ON_SERVERS
from tests.broken.rows import Break
from tests.broken.site import WEBHOOK_SECRET, Answer, Health, Site, site
from tests.broken.starts import WrongSetting
from tests.conftest import start_redis, wait_until

PATIENCE = 60.0  # seconds, on a busy machine


@pytest.fixture(scope="module")
def on_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A single machine: gunicorn, which executes passes too, SQLite, a cache of files."""
    folder = tmp_path_factory.mktemp("on_files")
    with site(folder, CHATWOOT_WEBHOOK_SECRET=WEBHOOK_SECRET) as running_site:
        running_site.start_web()
        running_site.await_web()
        running_site.use_well()
        await_well(running_site)
        yield running_site


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


@pytest.mark.parametrize("row", ON_FILES, ids=lambda row: row.name)
def test_on_one_machine_it_is_seen(on_files: Site, row: Break) -> None:
    check(row, on_files)


@pytest.fixture(scope="module")
def on_servers(tmp_path_factory: pytest.TempPathFactory, cluster: str) -> Iterator[Site]:
    """An installation as of several machines: PostgreSQL, Redis, a separate worker."""
    folder = tmp_path_factory.mktemp("on_servers")
    server = start_redis(folder)
    url = postgres.create(cluster, "broken", "template")
    settings = {
        "PANEL_DATABASE_URL": url,
        "PANEL_CACHE_URL": server.url,
        "PANEL_WORKER": "separate",
        "PANEL_URL": "https://panel.example.com",
        "CHATWOOT_WEBHOOK_SECRET": WEBHOOK_SECRET,
    }
    with site(folder, **settings) as running_site:
        running_site.servers["redis"] = server
        running_site.start_web()
        running_site.start_worker()
        running_site.await_web()
        running_site.await_worker()
        await_well(running_site)
        yield running_site
    server.process.kill()
    server.process.wait()


@pytest.mark.parametrize("row", ON_SERVERS, ids=lambda row: row.name)
def test_on_several_machines_it_is_seen(on_servers: Site, row: Break) -> None:
    check(row, on_servers)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Site]]:
    """Panels with each wrong setting, before the same worlds, by the name of the row."""
    with site(tmp_path_factory.mktemp("worlds")) as worlds:
        sites = {
            row.name: worlds.beside(tmp_path_factory.mktemp("start"), **row.fill(worlds))
            for row in AT_START
        }
        for entry in sites.values():
            entry.start_web()
        yield sites


@pytest.mark.parametrize("row", AT_START, ids=lambda row: row.name)
def test_a_wrong_setting_is_seen_once_an_agent_looks(
    started: dict[str, Site], row: WrongSetting
) -> None:
    wrong = started[row.name]
    wrong.await_web()
    if "data-seal" in wrong.open().text:
        wrong.refresh()
    health = wrong.health()
    assert health.wrong[row.part] == row.word
    assert row.word in health.explain(row.part)
    wait_until(lambda: any(row.log in line for line in wrong.lines), PATIENCE)
    await_diagnosis(wrong, {"chatwoot": "token", "back_office": "secret"}[row.part], row.word)


def test_no_break_is_made_twice() -> None:
    names = [row.name for row in (*ON_FILES, *ON_SERVERS, *AT_START)]
    assert len(set(names)) == len(names)
