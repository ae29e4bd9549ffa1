"""A command that could not do its work ends with 2 and a sentence, wherever it fails: never with a
traceback, and never with 1, which means that it found something."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO

import click
import pytest

from panel.application import create_app
from panel.cli.output import plain_command
from tests.conftest import environment, no_worlds, with_tables

ROOT = Path(__file__).resolve().parents[2]
NOBODY = "http://127.0.0.1:9"
NO_TEXT = os.fsdecode(b"\xff")


def run(
    folder: Path,
    *arguments: str,
    stdout: int | IO[bytes] = subprocess.PIPE,
    changes: Mapping[str, str] = MappingProxyType({}),
) -> tuple[int, str]:
    """Return the exit code, and the printed text."""
    settings = environment(NOBODY, NOBODY, with_tables(folder)) | {"PANEL_URL": NOBODY}
    result = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "app", *arguments],
        cwd=ROOT,
        env={**settings, "PATH": os.environ["PATH"], **changes},
        stdout=stdout,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
    output = (result.stdout or b"") + result.stderr
    return result.returncode, output.decode()


SETTINGS = {
    "bytes that are no text": ("PANEL_DATABASE_URL", f"sqlite:////var/{NO_TEXT}.db"),
    "a database in memory": ("PANEL_DATABASE_URL", "sqlite:///:memory:"),
    "options of a file": ("PANEL_DATABASE_URL", "sqlite:////var/panel.db?mode=ro"),
    "options of Redis": ("PANEL_CACHE_URL", "redis://127.0.0.1:9/0?unknown=1"),
    "a database of Redis by name": ("PANEL_CACHE_URL", "redis://127.0.0.1:9/zero"),
    "a file without certificates": ("SSL_CERT_FILE", __file__),
    "a folder of certificates": ("REQUESTS_CA_BUNDLE", "/"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_that_would_break_later_is_refused_at_once(name: str, tmp_path: Path) -> None:
    variable, value = SETTINGS[name]
    code, output = run(tmp_path, "launch-url", changes={variable: value})
    assert code == 2
    assert f"  - {variable} should be " in output
    assert "Traceback" not in output


ARGUMENTS = {
    "a number that no database keeps": ("explain", "99999999999999999999999"),
    "a day before all computers": ("access", "--since", "0001-01-01"),
    "a moment after all of them": ("explain", "101", "--at", "9999-12-31T23:59"),
    "bytes that are no text": ("sync", "buried", "--dismiss", NO_TEXT),
    "a program for a list of ids": ("sync", "backfill", sys.executable),
    "a program for tombstones": ("forget", "--restore", sys.executable),
    "no port": ("sync", "worker", "--monitor", "nowhere"),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_an_argument_that_is_none_is_told(name: str, tmp_path: Path) -> None:
    code, output = run(tmp_path, *ARGUMENTS[name])
    assert code == 2
    assert "Traceback" not in output
    assert "panel's own" not in output, "it is no fault of ours"


def test_a_reader_who_leaves_early_is_no_finding(tmp_path: Path) -> None:
    """For example, the reader in `doctor | head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert run(tmp_path, "doctor", stdout=writing) == (2, "")
    finally:
        os.close(writing)


@pytest.mark.parametrize("line", ["launch-url", "access --csv", "sync status --json"])
def test_a_disk_that_is_full_below_the_output_is_told(line: str, tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        code, output = run(tmp_path, *line.split(), stdout=full)
    assert (code, output) == (2, "Could not: No space left on device.\n")


@click.command("broken")
@plain_command
def break_down(as_json: bool) -> None:
    raise KeyError("ana@acme.example" if as_json else "")


def test_a_fault_of_our_own_is_told_without_the_words_of_the_error(tmp_path: Path) -> None:
    """The words of an error may hold anything. Developers read the places in the log."""
    runner = create_app(no_worlds(with_tables(tmp_path))).test_cli_runner()
    result = runner.invoke(break_down, ["--json"])
    assert result.exit_code == 2
    assert "Could not: KeyError. This is a fault of the panel's own" in result.output
    assert "ana@" not in result.output
