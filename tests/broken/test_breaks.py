"""Each break of a running installation is seen: in `/readyz`, in the log, and in `sync status`."""

from collections.abc import Iterator

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
    """One machine: gunicorn, which executes passes too, SQLite, a cache of files."""
    folder = tmp_path_factory.mktemp("on_files")
    with site(folder, CHATWOOT_WEBHOOK_SECRET=WEBHOOK_SECRET) as made:
        made.start_web()
        made.await_web()
        made.use_well()
        await_well(made)
        yield made


def await_well(broken: Site) -> None:
    """What is mended is said to be well again, by all who were asked."""

    def is_well() -> bool:
        broken.use_well()
        return not broken.health().wrong and broken.run("sync status").code == 0

    wait_until(is_well, PATIENCE)


def check(row: Break, broken: Site) -> None:
    heard = len(broken.lines)
    failed: AssertionError | None = None
    with row.make(broken):
        try:
            row.use(broken)
            expect_health(row, broken)
            expect_status(row, broken)
            expect_line(row, broken, heard)
        except AssertionError as error:  # it has to be mended all the same
            failed = error
    await_well(broken)
    if failed:
        raise failed


def expect_line(row: Break, broken: Site, heard: int) -> None:
    if row.log:
        wait_until(lambda: any(row.log in line for line in broken.lines[heard:]), PATIENCE)


def expect_health(row: Break, broken: Site) -> None:
    """It goes on to answer 200, for it shows something still."""
    seen: list[Health] = []

    def is_seen() -> bool:
        seen.append(broken.health())
        return seen[-1].wrong.get(row.part, "") == row.word

    wait_until(is_seen, PATIENCE)
    assert seen[-1].status == 200
    assert seen[-1].body["status"] == ("degraded" if row.part else "ready")
    assert row.detail in seen[-1].explain(row.part)


def expect_status(row: Break, broken: Site) -> None:
    seen: list[Answer] = []

    def is_seen() -> bool:
        seen.append(broken.run("sync status", apart=row.is_apart))
        return row.status in seen[-1].output and seen[-1].code == row.code

    wait_until(is_seen, PATIENCE)
    assert "Traceback" not in seen[-1].output


@pytest.mark.parametrize("row", ON_FILES, ids=lambda row: row.name)
def test_on_one_machine_it_is_seen(on_files: Site, row: Break) -> None:
    check(row, on_files)


@pytest.fixture(scope="module")
def on_servers(tmp_path_factory: pytest.TempPathFactory, cluster: str) -> Iterator[Site]:
    """As of several machines: PostgreSQL, Redis, a worker of its own."""
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
    with site(folder, **settings) as made:
        made.servers["redis"] = server
        made.start_web()
        made.start_worker()
        made.await_web()
        made.await_worker()
        await_well(made)
        yield made
    server.process.kill()
    server.process.wait()


@pytest.mark.parametrize("row", ON_SERVERS, ids=lambda row: row.name)
def test_on_several_machines_it_is_seen(on_servers: Site, row: Break) -> None:
    check(row, on_servers)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Site]]:
    """A panel with each wrong setting, before the same worlds; by the name of the row."""
    with site(tmp_path_factory.mktemp("worlds")) as worlds:
        made = {
            row.name: worlds.beside(tmp_path_factory.mktemp("start"), **row.fill(worlds))
            for row in AT_START
        }
        for each in made.values():
            each.start_web()
        yield made


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


def test_no_break_is_made_twice() -> None:
    names = [row.name for row in (*ON_FILES, *ON_SERVERS, *AT_START)]
    assert len(set(names)) == len(names)
