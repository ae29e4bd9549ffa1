"""The application as a whole: its headers, its files, its commands, and its silence about
secrets."""

import json
import os
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from panel.application import create_app, start_work
from panel.auth.tokens import derive_launch_key
from panel.demo.worlds import ADMIN_TOKEN, SECRET
from tests.conftest import MakePanel, Panel, Worlds, environment, no_worlds, with_tables

ROOT = Path(__file__).resolve().parent.parent


def test_the_shell_holds_no_data_and_asks_nobody(standing: Panel) -> None:
    answer = standing.ask(
        "GET", "/", params={"conversation": "101", "k": derive_launch_key(SECRET)}
    )
    assert standing.calls == 0
    assert derive_launch_key(SECRET) not in answer.text
    for name in re.findall(r'(?:src|href)="([^"]+)"', answer.text):
        assert name.startswith("/static/")
        assert standing.ask("GET", name).status_code == 200


def test_a_file_with_its_mark_is_kept_for_ever_and_any_other_asked_for_again(
    standing: Panel,
) -> None:
    shell = standing.ask("GET", "/").text
    files = re.findall(r'"(/static/[^"]+\?v=[0-9a-f]+)"', shell)
    assert len(files) == 4
    for name in files:
        answer = standing.ask("GET", name)
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        wrong = standing.ask("GET", name[:-3] + "xyz")
        assert wrong.headers["Cache-Control"] == "no-cache"
        assert sha256(wrong.content).digest() == sha256(answer.content).digest()


def test_an_unchanged_file_is_not_sent_again(standing: Panel) -> None:
    mark = standing.ask("GET", "/static/panel.css").headers["ETag"]
    again = standing.ask("GET", "/static/panel.css", headers={"If-None-Match": mark})
    assert (again.status_code, again.content) == (304, b"")


def test_behind_a_proxy_the_addresses_carry_its_prefix(make_panel: MakePanel) -> None:
    headers = {"X-Forwarded-Prefix": "/panel", "X-Forwarded-Proto": "https"}
    believing = make_panel(PANEL_TRUSTED_PROXIES="1").ask("GET", "/", headers=headers)
    assert 'src="/panel/static/panel.js' in believing.text
    careful = make_panel().ask("GET", "/", headers=headers)
    assert 'src="/static/panel.js' in careful.text


def test_no_answer_holds_a_secret_of_ours(panel: Panel) -> None:
    seal = panel.proven("healthy")
    answers = [panel.ask("GET", "/"), panel.open("healthy"), panel.open("unlinked")]
    answers += [panel.section(name, seal) for name in ("organization", "orders", "licenses")]
    answers.append(panel.ask("GET", "/nothing"))
    for answer in answers:
        content = answer.text + repr(answer.headers)
        for secret in (SECRET, derive_launch_key(SECRET), ADMIN_TOKEN):
            assert secret not in content


def test_an_accident_of_ours_is_a_plain_500(panel: Panel) -> None:
    """An unexpected error must still reveal nothing of the code."""
    seal = panel.proven("healthy")
    with panel.services.database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE links RENAME COLUMN state TO gone")
    answer = panel.say(seal, "pick", 42)
    assert answer.status_code >= 500
    assert "Traceback" not in answer.text
    assert "sqlalchemy" not in answer.text.lower()


def run(worlds: Worlds, folder: Path, *command: str, **changes: str) -> Any:
    environ = environment(worlds.office_url, worlds.chat_url, folder, **changes)
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "app", *command],
        cwd=ROOT,
        env={**environ, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_launch_url_prints_the_one_address_to_register(worlds: Worlds, tmp_path: Path) -> None:
    url = f"https://panel.example.com/#k={derive_launch_key(SECRET)}"
    outcome = run(worlds, tmp_path, "launch-url", PANEL_URL="https://panel.example.com/")
    assert (outcome.returncode, outcome.stdout) == (0, url + "\n")
    outcome = run(worlds, tmp_path, "launch-url", "--json", PANEL_URL="https://panel.example.com")
    assert json.loads(outcome.stdout) == {"url": url}


def test_launch_url_without_an_address_says_what_is_missing(worlds: Worlds, tmp_path: Path) -> None:
    outcome = run(worlds, tmp_path, "launch-url")
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert "PANEL_URL" in outcome.stderr


@pytest.mark.parametrize(
    ("proof", "proxies", "warned"),
    [
        ("access-token", "0", True),
        ("chatwoot-session", "0", True),
        ("access-token", "1", False),
        ("shared-secret", "0", False),
    ],
)
def test_a_start_behind_a_proxy_that_nobody_named_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, proof: str, proxies: str, warned: bool
) -> None:
    settings = no_worlds(
        with_tables(tmp_path),
        PANEL_AGENT_PROOF=proof,
        PANEL_TRUSTED_PROXIES=proxies,
        PANEL_WORKER="separate",
    )
    start_work(create_app(settings))
    assert (
        bool([message for message in caplog.messages if "PANEL_TRUSTED_PROXIES" in message])
        is warned
    )
