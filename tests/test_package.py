"""The wheel by itself: its files, and its console script, which needs no checkout."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import requests

from panel.auth.tokens import derive_launch_key
from panel.demo.worlds import SECRET
from tests.conftest import environment, wait_until
from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent
NOBODY = "http://127.0.0.1:9"  # the address of both outside worlds, which are not asked
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


@dataclass(frozen=True)
class Installed:
    """The package in a folder of its own; programs are started in `empty`."""

    folder: Path
    empty: Path

    def program(self, *arguments: str) -> list[str]:
        return [str(self.folder / "bin" / "middag-panel"), *arguments]

    def environ(self, settings: dict[str, str]) -> dict[str, str]:
        return {**settings, "PATH": os.environ["PATH"], "PYTHONPATH": str(self.folder)}

    def run(self, settings: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.program(*arguments),
            cwd=self.empty,
            env=self.environ(settings),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    @contextmanager
    def serving(self, settings: dict[str, str]) -> Iterator[str]:
        """Yield the address where `middag-panel run` answers."""
        port = free_port()
        environ = self.environ(settings) | {"PORT": str(port)}
        process = subprocess.Popen(self.program("run"), cwd=self.empty, env=environ)
        address = f"http://127.0.0.1:{port}"
        try:
            wait_until(lambda: _answers(f"{address}/healthz"), 60)
            yield address
        finally:
            process.terminate()
            process.wait()


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=5).ok
    except requests.RequestException:
        return False


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    wheels, folder = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("installed")
    build = [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels)]
    subprocess.run([*build, str(ROOT)], check=True, timeout=300)
    [wheel] = wheels.iterdir()
    install = [*PIP, "install", "--no-deps", "--target", str(folder), str(wheel)]
    subprocess.run(install, check=True, timeout=300)
    return Installed(folder, tmp_path_factory.mktemp("empty"))


def test_a_command_of_the_package_needs_no_checkout(installed: Installed, tmp_path: Path) -> None:
    settings = environment(NOBODY, NOBODY, tmp_path) | {"PANEL_URL": "https://panel.example.com"}
    ended = installed.run(settings, "launch-url")
    key = derive_launch_key(SECRET)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"https://panel.example.com/#k={key}\n"


def test_the_help_of_every_command_needs_no_settings(installed: Installed) -> None:
    answer = installed.run({}, "--help")
    assert answer.returncode == 0
    for name in ("run", "worker", "setup", "launch-url", "access", "sync"):
        assert f"\n  {name} " in answer.stdout
    explained = installed.run({}, "sync", "worker", "--help")
    assert (explained.returncode, explained.stderr) == (0, "")


def test_faulty_settings_end_the_package_s_programs_with_2(installed: Installed) -> None:
    for arguments in (["launch-url"], ["worker"], ["run"]):
        ended = installed.run({}, *arguments)
        assert ended.returncode == 2
        assert "CHATWOOT_CONTACT_VIEW_SECRET" in ended.stderr
        assert "Traceback" not in ended.stderr


def test_the_package_serves_its_page_files_words_and_tables(
    installed: Installed, tmp_path: Path
) -> None:
    settings = environment(NOBODY, NOBODY, tmp_path) | {"PANEL_LOCALE": "pt_BR"}
    with installed.serving(settings) as address:
        shell = requests.get(f"{address}/", timeout=10).text
        assert 'lang="pt-BR"' in shell
        assert requests.get(f"{address}/static/panel.css", timeout=10).status_code == 200
        ready = requests.get(f"{address}/readyz", timeout=10).json()
        assert ready["parts"]["database"] == "ok"  # so the tables were made
    assert [path.name for path in installed.empty.iterdir()] == []


def test_what_lies_where_the_package_is_started_is_not_loaded(
    installed: Installed, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("panel.py", "app.py"):
        (elsewhere / name).write_text('raise SystemExit("somebody else\'s")\n')
    moved = replace(installed, empty=elsewhere)
    with moved.serving(environment(NOBODY, NOBODY, tmp_path)) as address:
        assert requests.get(f"{address}/healthz", timeout=10).ok
