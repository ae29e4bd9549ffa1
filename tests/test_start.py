"""The start of processes with an obstacle: one sentence, exit code 2."""

import os
import re
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from panel.cache.backend import ENTRIES
from panel.data.obstacles import find_obstacle
from tests.conftest import environment, wait_until, with_tables
from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent
FLASK = ("-m", "flask", "--app", "app")
STARTS = {
    "web": ("-m", "gunicorn", "app:create_app()"),
    "worker": (*FLASK, "sync", "worker"),
    "command": (*FLASK, "sync", "backfill", "42"),
}
OTHERS = 65533  # another user
POWERS = "-dac_override,-dac_read_search,-fowner"  # root's rights to read and write every file


def command(name: str) -> list[str]:
    """Return a command for a process for which modes and owners count: as root, it drops root's
    powers."""
    start = [sys.executable, *STARTS[name]]
    if os.geteuid():
        return start
    setpriv = shutil.which("setpriv") or pytest.skip("no setpriv here (util-linux)")
    return [setpriv, f"--bounding-set={POWERS}", f"--inh-caps={POWERS}", *start]


def start(name: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(name),
        cwd=ROOT,
        env={**environ, "PATH": os.environ["PATH"], "PORT": str(free_port())},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def sentences(output: str) -> list[str]:
    """Return the output's sentences, without gunicorn's own lines and the bar of a command."""
    lines = [line for line in output.splitlines() if "gunicorn.error" not in line]
    return [line for line in lines if line.strip() and not line.startswith("lining up")]


def give_away(path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root gives files away")
    os.chown(path, OTHERS, OTHERS)


def close_folder(folder: Path) -> Path:
    (folder / "panel.db").unlink()
    folder.chmod(0o500)
    return folder


def close_database(folder: Path) -> Path:
    (folder / "panel.db").chmod(0o400)
    return folder / "panel.db"


def give_database_away(folder: Path) -> Path:
    (folder / "panel.db").chmod(0o600)
    give_away(folder / "panel.db")
    return folder / "panel.db"


def give_lock_away(folder: Path) -> Path:
    """Leave a lock file as a command of root did in earlier versions."""
    lock = folder / "panel.db.writing.lock"
    lock.touch(0o600)
    give_away(lock)
    return lock


def give_cache_away(folder: Path) -> Path:
    (folder / "cache" / ENTRIES).mkdir(parents=True)
    (folder / "cache").chmod(0o700)
    give_away(folder / "cache")
    return folder / "cache"


def put_folder_there(folder: Path) -> Path:
    (folder / "panel.db").unlink()
    (folder / "panel.db").mkdir()
    return folder / "panel.db"


def put_other_file_there(folder: Path) -> Path:
    (folder / "panel.db").write_bytes(b"something else " * 1000)
    return folder / "panel.db"


BREAKAGES: tuple[Callable[[Path], Path], ...] = (
    *(close_folder, close_database, give_database_away, give_lock_away, give_cache_away),
    *(put_folder_there, put_other_file_there),
)


@pytest.mark.parametrize("break_it", BREAKAGES)
def test_what_an_administrator_has_to_mend_is_one_sentence_that_names_it(
    break_it: Callable[[Path], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    broken = break_it(with_tables(folder))
    environ = environment("http://a.invalid", "http://b.invalid", folder)
    with ThreadPoolExecutor() as pool:
        endings = list(pool.map(lambda name: start(name, environ), STARTS))
    folder.chmod(0o700)
    for ended in endings:
        assert ended.returncode == 2, ended.stderr
        [sentence] = sentences(ended.stdout + ended.stderr)
        assert str(broken) in sentence
        assert sentence.endswith(".")


def test_a_command_of_root_works_as_the_user_whose_folder_holds_the_database(
    tmp_path: Path,
) -> None:
    """The change of user is for good, so it happens in a separate process, whose interpreter may
    lie in root's home."""
    folder = tmp_path / "state"
    folder.mkdir()
    give_away(folder)
    for above in (tmp_path, *(path for path in tmp_path.parents if "pytest-" in str(path))):
        above.chmod(above.stat().st_mode | 0o011)  # pytest's own folders are closed to other users
    become = "import sys, pathlib; from panel.data.ownership import become_owner"
    work = "folder = pathlib.Path(sys.argv[1]); become_owner(folder); (folder / 'made').touch()"
    command = [sys.executable, "-c", f"{become}; {work}", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    folder_stat = (folder / "made").stat()
    assert (folder_stat.st_uid, folder_stat.st_gid) == (OTHERS, OTHERS)


@pytest.mark.parametrize("arguments", [("sync", "status"), ("sync", "backfill", "42"), ("access",)])
def test_a_command_says_that_postgresql_is_away(arguments: tuple[str, ...], tmp_path: Path) -> None:
    url = f"postgresql://panel:canary-password@127.0.0.1:{free_port()}/panel"
    environ = environment("http://a.invalid", "http://b.invalid", tmp_path, PANEL_DATABASE_URL=url)
    ended = subprocess.run(
        [sys.executable, *FLASK, *arguments],
        cwd=ROOT,
        env={**environ, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 2
    [sentence] = sentences(ended.stdout + ended.stderr)
    assert sentence.startswith("The database panel on 127.0.0.1 cannot be used: ")
    assert "refused" in sentence
    assert "canary" not in sentence


def test_gunicorn_listens_on_loopback_and_writes_what_nobody_else_reads(tmp_path: Path) -> None:
    """A $PORT is set, and the usual umask lets everybody read."""
    port = free_port()
    environ = environment("http://a.invalid", "http://b.invalid", tmp_path / "made")
    process = subprocess.Popen(
        [sys.executable, *STARTS["web"]],
        cwd=ROOT,
        env={**environ, "PATH": os.environ["PATH"], "PORT": str(port)},
        stderr=subprocess.PIPE,
        text=True,
        umask=0o022,
    )
    try:
        wait_until(lambda: _answers(port), 60)
        assert _listening(port) == {"127.0.0.1"}
    finally:
        process.terminate()
        process.communicate(timeout=60)
    paths = [tmp_path / "made", *(tmp_path / "made").rglob("*")]
    assert {"panel.db", "panel.db.lock", "cache"} <= {path.name for path in paths}
    assert [path for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/healthz", timeout=10).ok
    except requests.RequestException:
        return False


def _listening(port: int) -> set[str]:
    """Return the addresses that listen at this port, of IPv4 and IPv6."""
    lines = [
        line
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()
    ]
    matches = [re.search(rf": ([0-9A-F]+):{port:04X} \S+ 0A ", line) for line in lines]
    return {socket.inet_ntoa(bytes.fromhex(match[1])[::-1]) for match in matches if match}


def test_a_file_that_can_be_made_or_written_is_no_obstacle(tmp_path: Path) -> None:
    assert find_obstacle(tmp_path / "new" / "folder" / "panel.db") == ""
    assert find_obstacle(tmp_path) == ""
    (tmp_path / "file").touch()
    assert (
        find_obstacle(tmp_path / "file" / "panel.db") == f"{tmp_path}/file is a file and no folder"
    )
