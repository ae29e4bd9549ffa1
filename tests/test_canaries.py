"""Secrets are planted everywhere, all routes are requested, and no output holds a secret."""

import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from panel.auth.methods import DASHBOARD_COOKIE
from panel.auth.tokens import derive_launch_key
from panel.demo.worlds import AGENT
from tests.auth.browsers import Browser, dashboard, shown
from tests.conftest import MakePanel, Panel, Worlds, environment, wait_until

GUNICORN = (sys.executable, "-m", "gunicorn", "app:create_app()")
ROOT = Path(__file__).resolve().parent.parent
SECRET = "canary-secret-of-at-least-24-characters"
OLDER = "canary-older-secret-of-24-characters"
TOKEN, SERVICE, HOOKS = "canary-agent-token", "canary-service-token", "canary-webhook-secret"
SESSION = {"access-token": "canary-session", "client": "canary-client", "uid": "canary@x.example"}
GUESSES = ("canary-guessed-token", "canary-guessed-session")
CANARIES = (
    *(SECRET, OLDER, derive_launch_key(SECRET), derive_launch_key(OLDER), TOKEN, SERVICE, HOOKS),
    *(*SESSION.values(), *GUESSES, f"pubsub-{AGENT}"),
)
PLANTED = {
    "CHATWOOT_CONTACT_VIEW_SECRET": f"{SECRET},{OLDER}",
    "CHATWOOT_API_TOKEN": SERVICE,
    "CHATWOOT_WEBHOOK_SECRET": HOOKS,
}


@pytest.fixture
def planted(worlds: Worlds) -> Worlds:
    """Worlds with the canaries in their records."""
    worlds.office.secrets.append(SECRET)
    worlds.chat.tokens |= {SERVICE: 1, TOKEN: AGENT}
    session = (SESSION["access-token"], SESSION["client"], SESSION["uid"])
    worlds.chat.sessions[session] = AGENT
    return worlds


def told(answer: requests.Response) -> str:
    """Return the whole answer but our own session, which has to reach its browser."""
    headers = {name: value for name, value in answer.headers.items() if name != "Set-Cookie"}
    return f"{answer.status_code} {headers} {answer.text}"


def everything(panel: Panel) -> Iterator[requests.Response]:
    """Yield every kind of answer: right and wrong proofs, strange addresses, health, hooks."""
    guest, agent = Browser(panel), Browser(panel, cookies=dashboard(SESSION))
    for key in (derive_launch_key(SECRET), derive_launch_key(OLDER), SECRET, GUESSES[0]):
        yield guest.post("/contact", key, **panel.hints())
        yield panel.ask("GET", "/sections/orders", key, params={"token": TOKEN, "k": key})
        yield panel.ask("GET", "/readyz", key)
        yield panel.ask("POST", "/sync/hooks", key, json={"event": "order.updated"})
    yield agent.open()
    yield guest.sign_in(GUESSES[0])
    yield guest.sign_in(f"{TOKEN}\r\nX-Evil: 1")
    wrong = dashboard({**SESSION, "client": GUESSES[1]})
    yield Browser(panel, cookies=wrong).open()
    yield Browser(panel, cookies=f"__Host-panel={GUESSES[1]}; {DASHBOARD_COOKIE}=%00").open()
    yield guest.sign_in(TOKEN)
    yield guest.open()
    yield guest.open(agent_id=3)
    yield guest.post("/sign-out", token=TOKEN)
    for path in (f"/{TOKEN}", f"/sections/{TOKEN}", f"/static/{TOKEN}", "/sync/chatwoot"):
        yield panel.ask("POST", path, SECRET, data={"token": TOKEN})
        yield panel.ask("GET", path, SECRET, params={"token": TOKEN})


def test_no_answer_and_no_line_of_any_log_holds_a_canary(
    planted: Worlds, make_panel: MakePanel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for proof in ("shared-secret", "access-token", "chatwoot-session"):
        panel = make_panel(PANEL_AGENT_PROOF=proof, **PLANTED)
        answers = list(everything(panel))
        panel.chat.down = True
        answers += [Browser(panel).sign_in(TOKEN), Browser(panel).open()]
        panel.chat.down = False
        assert "ready" in [shown(answer)[0] for answer in answers]
        for answer in answers:
            place = f"{answer.request.method} {answer.request.path_url}"
            assert [canary for canary in CANARIES if canary in told(answer)] == [], place
    # Only our own lines count: the test is the browser too, and its libraries log their requests
    # here.
    lines = [f"{line.name} {line.getMessage()} {line.exc_text}" for line in caplog.records]
    ours = [line for line in lines if not line.startswith("urllib3")]
    assert any("a wrong access token from 127.0.0.1" in line for line in ours)
    assert [line for line in ours if any(canary in line for canary in CANARIES)] == []
    for path in tmp_path.rglob("*"):
        body = path.read_bytes() if path.is_file() else b""
        assert [canary for canary in CANARIES if canary.encode() in body] == [], path


@dataclass
class Served(Panel):
    """A panel in a process of its own."""


def test_a_served_panel_writes_no_canary_and_names_no_version(
    planted: Worlds, make_panel: MakePanel, tmp_path: Path
) -> None:
    twin = make_panel(PANEL_AGENT_PROOF="chatwoot-session", **PLANTED)
    changes = {**PLANTED, "PANEL_AGENT_PROOF": "chatwoot-session", "PANEL_WORKER": "separate"}
    environ = environment(planted.office_url, planted.chat_url, tmp_path / "served", **changes)
    log = tmp_path / "gunicorn.log"
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener, log.open("wb") as output:
        process = subprocess.Popen(
            [*GUNICORN, "--bind", f"fd://{listener.fileno()}"],
            cwd=ROOT,
            env={**environ, "PATH": os.environ["PATH"]},
            pass_fds=[listener.fileno()],
            stdout=output,
            stderr=output,
        )
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            wait_until(lambda: requests.get(f"{url}/healthz", timeout=60).ok, 60)
            panel = Served(twin.app, twin.settings, url, planted.office, planted.chat)
            answers = list(everything(panel))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    assert {answer.headers.get("Server") for answer in answers} == {"gunicorn"}
    assert "ready" in [shown(answer)[0] for answer in answers]
    text = log.read_text()
    assert "a wrong access token from 127.0.0.1" in text
    assert [canary for canary in CANARIES if canary in text] == []
    for answer in answers:
        assert [canary for canary in CANARIES if canary in told(answer)] == []
