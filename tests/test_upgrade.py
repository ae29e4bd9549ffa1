"""Programs that meet a database of another version: gunicorn, the worker, the commands, any server.

A newer program (`tests.data.newer`) upgrades; the programs that run here are the older ones.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from sqlalchemy import Engine

from panel.application import create_app
from panel.data import db, schema
from panel.data.migrations.version import WrongSchema
from panel.services import Services, get
from panel.settings import from_env
from tests import postgres
from tests.conftest import Worlds, environment, wait_until, with_tables
from tests.data.newer import NEWER, write_revision
from tests.ports import free_port
from tests.test_processes import workers_of

ROOT = Path(__file__).resolve().parent.parent
REFUSED = 2
OFFICE, CHAT = "http://back-office.invalid", "http://chatwoot.invalid"
FLASK = (sys.executable, "-m", "flask", "--app", "app")
COMMANDS = ("sync status", "sync buried", "sync backfill 42", "sync reconcile", "sync drift")


def newer(url: str, folder: Path, oldest_code: int) -> None:
    """Start a newer program once on this database."""
    revisions = write_revision(folder / "revisions", oldest_code)
    command = [sys.executable, "-m", "tests.data.newer", url, str(revisions)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)


def sqlite_in(folder: Path) -> str:
    return f"sqlite:///{folder / 'panel.db'}"


def environ_in(folder: Path, **changes: str) -> dict[str, str]:
    return {**environment(OFFICE, CHAT, folder, **changes), "PATH": os.environ["PATH"]}


def run(folder: Path, line: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*FLASK, *line.split()],
        cwd=ROOT,
        env=environ_in(folder, **changes),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def gunicorn(folder: Path, **changes: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run gunicorn; yields the process and its address. The process is killed if it has not
    ended."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "app:create_app()", "-b", f"127.0.0.1:{port}"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environ_in(folder, **changes),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)


def is_well(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=60).ok
    except requests.ConnectionError:
        return False


def assert_refused(output: str) -> None:
    assert output.count("The database is too new for this program") == 1, output
    assert "Traceback" not in output


# -- servers ---------------------------------------------------------------------------------------


def test_gunicorn_upgrades_before_it_serves(tmp_path: Path) -> None:
    with gunicorn(tmp_path / "new") as (_, url):
        wait_until(lambda: is_well(url), 60)
        engine = db.connect(sqlite_in(tmp_path / "new"))
        schema.require_current(engine)
        engine.dispose()


def test_gunicorn_on_too_new_a_database_ends_with_2_and_one_sentence(tmp_path: Path) -> None:
    newer(sqlite_in(with_tables(tmp_path)), tmp_path, oldest_code=NEWER)
    with gunicorn(tmp_path) as (process, _):
        _, output = process.communicate(timeout=60)
    assert process.returncode == REFUSED
    assert_refused(output)
    assert "Booting worker" not in output


def test_gunicorn_that_is_allowed_serves_on_a_newer_database(tmp_path: Path) -> None:
    newer(sqlite_in(with_tables(tmp_path)), tmp_path, oldest_code=1)
    with gunicorn(tmp_path) as (_, url):
        wait_until(lambda: is_well(url), 60)


@pytest.mark.parametrize("oldest_code", [1, NEWER])
def test_a_web_process_that_dies_is_replaced_only_while_it_is_allowed(
    tmp_path: Path, oldest_code: int
) -> None:
    with gunicorn(tmp_path) as (process, url):
        wait_until(lambda: is_well(url), 60)
        newer(sqlite_in(tmp_path), tmp_path, oldest_code)
        assert is_well(url)  # a running process goes on to its end
        [worker] = workers_of(process.pid)
        os.kill(worker, signal.SIGKILL)
        if oldest_code == 1:
            wait_until(lambda: worker not in workers_of(process.pid), 60)
            wait_until(lambda: is_well(url), 60)
            return
        _, output = process.communicate(timeout=60)
    assert process.returncode == REFUSED
    assert_refused(output)


def test_gunicorn_ends_with_2_when_a_database_that_was_away_is_too_new(
    cluster: str, tmp_path: Path
) -> None:
    url = f"{cluster}coming{os.getpid()}"
    with gunicorn(tmp_path, PANEL_DATABASE_URL=url) as (process, address):
        wait_until(lambda: is_well(address), 60)
        database_url = postgres.create(cluster, f"newer{os.getpid()}", "template")
        newer(database_url, tmp_path, oldest_code=NEWER)
        postgres.create(cluster, f"coming{os.getpid()}", f"newer{os.getpid()}")
        _, output = process.communicate(timeout=60)
    assert process.returncode == REFUSED
    assert "The database is too new for this program" in output
    assert "Traceback" not in output


def test_any_other_server_has_its_tables_at_the_first_request(tmp_path: Path) -> None:
    app = create_app(from_env(environment(OFFICE, CHAT, tmp_path)))
    assert not (tmp_path / "panel.db").exists()
    assert app.test_client().get("/healthz").status_code == 200
    database = get(Services, app).database
    schema.require_current(database)
    database.dispose()


def test_any_other_server_ends_on_too_new_a_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    newer(sqlite_in(with_tables(tmp_path)), tmp_path, oldest_code=NEWER)
    ended: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: ended.append((pid, number)))
    app = create_app(from_env(environment(OFFICE, CHAT, tmp_path)))
    assert app.test_client().get("/healthz").status_code == 503
    get(Services, app).database.dispose()
    assert ended == [(os.getpid(), signal.SIGTERM)]
    assert_refused(capsys.readouterr().err)


# -- the worker ------------------------------------------------------------------------------------


@contextmanager
def working(folder: Path, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `sync worker`, and end it, however the test ends."""
    environ = environ_in(folder, PANEL_WORKER="separate", PANEL_DATABASE_URL=url)
    command = [*FLASK, "sync", "worker"]
    with subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE) as worker:
        try:
            yield worker
        finally:
            worker.kill()


def test_the_worker_upgrades(tmp_path: Path) -> None:
    engine = db.connect(sqlite_in(tmp_path))
    with working(tmp_path, sqlite_in(tmp_path)):
        wait_until(lambda: _is_current(engine), 30)
    engine.dispose()


def test_the_worker_on_too_new_a_database_ends_with_2_and_one_sentence(tmp_path: Path) -> None:
    newer(sqlite_in(with_tables(tmp_path)), tmp_path, oldest_code=NEWER)
    ended = run(tmp_path, "sync worker", PANEL_WORKER="separate")
    assert ended.returncode == REFUSED
    assert_refused(ended.stderr)


def test_the_worker_waits_for_a_database_that_is_away_and_then_upgrades_it(
    cluster: str, tmp_path: Path
) -> None:
    name = f"late{os.getpid()}"
    with working(tmp_path, f"{cluster}{name}") as worker:
        assert worker.stderr is not None
        assert b"cannot be made" in worker.stderr.readline()
        engine = db.connect(postgres.create(cluster, name))
        wait_until(lambda: _is_current(engine), 30)
    engine.dispose()


def _is_current(engine: Engine) -> bool:
    try:
        schema.require_current(engine)
    except WrongSchema:
        return False
    return True


# -- commands --------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [*COMMANDS, "access"])
def test_a_command_without_a_database_says_so_and_leaves_nothing_behind(
    tmp_path: Path, line: str
) -> None:
    url = f"sqlite:///{tmp_path / 'folder' / 'panel.db'}"
    ended = run(tmp_path, line, PANEL_DATABASE_URL=url)
    assert (ended.returncode, ended.stdout) == (REFUSED, "")
    assert ended.stderr == "There is no database yet: start the panel or the worker once.\n"
    assert not (tmp_path / "folder").exists()


def test_a_command_on_an_older_schema_says_who_upgrades_it(tmp_path: Path) -> None:
    (tmp_path / "panel.db").touch()
    for line in ("sync status", "access"):
        ended = run(tmp_path, line)
        assert (ended.returncode, ended.stdout) == (REFUSED, "")
        assert "start the panel or the worker once; it upgrades the database" in ended.stderr
        assert "Traceback" not in ended.stderr
    assert (tmp_path / "panel.db").stat().st_size < 8192  # no tables


def test_a_command_on_too_new_a_database_ends_with_2_and_one_sentence(tmp_path: Path) -> None:
    newer(sqlite_in(with_tables(tmp_path)), tmp_path, oldest_code=NEWER)
    ended = run(tmp_path, "sync status")
    assert ended.returncode == REFUSED
    assert_refused(ended.stderr)


def test_a_command_that_is_allowed_runs_on_a_newer_database(tmp_path: Path) -> None:
    newer(sqlite_in(with_tables(tmp_path)), tmp_path, oldest_code=1)
    assert run(tmp_path, "access").returncode == 0
    # 1 is a result too: no worker has ever run here.
    assert run(tmp_path, "sync status").returncode == 1


def test_installing_needs_no_database(worlds: Worlds, tmp_path: Path) -> None:
    changes = {
        "PANEL_DATABASE_URL": f"sqlite:///{tmp_path / 'folder' / 'panel.db'}",
        "PANEL_URL": "https://panel.example.com",
        "CHATWOOT_URL": worlds.chat_url,
    }
    assert run(tmp_path, "launch-url", **changes).returncode == 0
    ended = run(tmp_path, "setup", **changes)
    assert ended.returncode == 0, ended.stderr
    assert not (tmp_path / "folder").exists()


def test_installing_needs_no_postgresql(tmp_path: Path) -> None:
    away = "postgresql://panel@127.0.0.1:1/panel"
    ended = run(tmp_path, "launch-url", PANEL_DATABASE_URL=away, PANEL_URL="https://p.example.com")
    assert (ended.returncode, ended.stderr) == (0, "")
