"""A running installation to be broken: the panel's own processes, its servers, both outside worlds.

A front stands before the back office and before Chatwoot, as a proxy or a firewall does. A test can
make it answer in their place.
"""

import hmac
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import IO, Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
import requests
from flask import Flask
from sqlalchemy import text
from werkzeug.wrappers import Response

from panel.application import create_app
from panel.auth.tokens import derive_launch_key
from panel.demo.backoffice import BackOffice
from panel.demo.chatwoot import Chatwoot
from panel.demo.scenarios import SCENARIOS
from panel.demo.worlds import AGENT, SECRET, demo_worlds, serve
from panel.services import Services, get
from panel.settings import from_env
from tests.conftest import TODAY, environment, seal_of, wait_until, with_tables
from tests.test_start import POWERS

ROOT = Path(__file__).resolve().parents[2]
WEBHOOK_SECRET = "webhook-secret-of-the-broken-ones"
CUSTOMER, ORGANIZATION = "healthy", 42
Instead = Callable[[WSGIEnvironment], Response | None]


class Front:
    """A WSGI app before a world. `instead`: the answer in the world's place; None: the world
    answers."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.instead: Instead = lambda _: None

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Any:
        answer = self.instead(environ) or self.world
        return answer(environ, start)

    def open(self) -> None:
        self.world.open()

    def close(self) -> None:
        self.world.close()


class Process:
    """A process of ours; `lines`: its output."""

    def __init__(
        self, command: list[str], environ: dict[str, str], lines: list[str], **options: Any
    ) -> None:
        self._lines = lines
        self._process = subprocess.Popen(
            [*_without_powers(), sys.executable, *command],
            cwd=ROOT,
            env={**environ, "PATH": os.environ["PATH"]},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,))
        self._reader.start()

    def _read(self, output: IO[str]) -> None:
        for line in output:
            self._lines.append(line)

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        code = self._process.wait(120)
        self._reader.join()
        assert self._process.stdout
        self._process.stdout.close()
        return code

    def end(self) -> None:
        if self._process.poll() is None:
            self.send(signal.SIGCONT)
            self.send(signal.SIGTERM)
        self.wait()


def _without_powers() -> list[str]:
    """Return a command's beginning that drops root's powers: root may write every file."""
    if os.geteuid():
        return []
    setpriv = shutil.which("setpriv") or pytest.skip("no setpriv here (util-linux)")
    return [setpriv, f"--bounding-set={POWERS}", f"--inh-caps={POWERS}"]


@dataclass(frozen=True)
class Health:
    """The answer of `/readyz`."""

    status: int
    body: dict[str, Any]

    @property
    def wrong(self) -> dict[str, str]:
        """Return the parts that are not well, with their words."""
        parts: dict[str, str] = self.body["parts"]
        return {name: word for name, word in parts.items() if word not in ("ok", "unused")}

    def explain(self, part: str) -> str:
        return str(self.body["details"].get(part, ""))


@dataclass(frozen=True)
class Answer:
    """The output of a command, and its exit code."""

    code: int
    output: str


@dataclass
class Site:
    """A panel that is served, with its servers and worlds. `lines`: the output of its processes."""

    environ: dict[str, str]
    folder: Path
    office: BackOffice
    chat: Chatwoot
    fronts: tuple[Front, Front]
    stack: ExitStack
    url: str = ""
    web: Process | None = None
    workers: list[Process] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    servers: dict[str, Any] = field(default_factory=dict)  # by name; the worlds' servers too

    # -- processes -------------------------------------------------------------------------

    def start_web(self) -> None:
        listener = self.stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=512))
        command = ["-m", "gunicorn", "app:create_app()", "--bind", f"fd://{listener.fileno()}"]
        self.web = Process(command, self.environ, self.lines, pass_fds=[listener.fileno()])
        self.stack.callback(self.web.end)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def await_web(self) -> None:
        wait_until(lambda: requests.get(f"{self.url}/healthz", timeout=60).ok, 60)

    def start_worker(self) -> Process:
        command = ["-m", "flask", "--app", "app", "sync", "worker"]
        worker = Process(command, self.environ, self.lines)
        self.workers.append(worker)
        self.stack.callback(worker.end)
        return worker

    @property
    def web_pid(self) -> int:
        """Return the process that serves: gunicorn's child."""
        assert self.web
        children = Path(f"/proc/{self.web.pid}/task/{self.web.pid}/children").read_text()
        return int(children.split()[0])

    @property
    def database_file(self) -> Path:
        return Path(self.environ["PANEL_DATABASE_URL"].removeprefix("sqlite:///"))

    @cached_property
    def app(self) -> Flask:
        """Return the application as a command has it, in this process."""
        app = create_app(from_env(self.environ))
        self.stack.callback(self.services_of(app).database.dispose)
        return app

    def services_of(self, app: Flask) -> Services:
        return get(Services, app)

    def change(self, statement: str, **values: Any) -> None:
        """Change the database past the panel, as an administrator or a restored backup does."""
        with get(Services, self.app).database.begin() as connection:
            connection.execute(text(statement), values)

    def beside(self, folder: Path, **changes: str) -> "Site":
        """Return another panel before the same worlds, with files of its own; nothing is
        started."""
        with_tables(folder)
        own = environment("", self.environ["CHATWOOT_URL"], folder)
        own["MIDDAG_API_URL"] = self.environ["MIDDAG_API_URL"]
        environ = {**own, "PANEL_WORKER": "separate", **changes}
        return Site(environ, folder, self.office, self.chat, self.fronts, self.stack)

    # -- events ---------------------------------------------------------------------

    def ask(self, method: str, path: str, bearer: str = "", **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        headers |= options.pop("headers", {})
        return requests.request(method, self.url + path, headers=headers, timeout=60, **options)

    def open(self, key: str = "", **headers: str) -> requests.Response:
        row = SCENARIOS[CUSTOMER]
        account = self.environ["CHATWOOT_ACCOUNT_ID"]
        hints = {"conversation": row.conversation, "contact": row.contact, "account": account}
        fields = {**hints, "agent_id": AGENT}
        key = key or derive_launch_key(self.environ["CHATWOOT_CONTACT_VIEW_SECRET"])
        return self.ask("POST", "/contact", key, data=fields, headers=headers)

    @cached_property
    def seal(self) -> str:
        return seal_of(self.open().text)

    def refresh(self, section: str = "orders") -> requests.Response:
        return self.ask("POST", f"/sections/{section}/refresh", self.seal)

    def ring(
        self,
        organization: int | None = ORGANIZATION,
        secret: str = SECRET,
        event: str = "entitlement.renewed",
    ) -> int:
        data = {"organization_id": organization} if organization else {}
        hook = {"event": event, "timestamp": "2026-11-30T12:00:00Z", "data": data}
        hook["id"] = f"h{time.monotonic_ns()}"
        return self.ask("POST", "/sync/hooks", secret, json=hook).status_code

    def deliver(
        self, late: float = 0.0, secret: str = WEBHOOK_SECRET, is_signed: bool = True
    ) -> int:
        """Deliver a webhook of Chatwoot."""
        raw = json.dumps({"event": "conversation_typing_on"}).encode()
        stamp = str(int(time.time() - late))
        digest = hmac.new(secret.encode(), stamp.encode() + b"." + raw, sha256).hexdigest()
        signed = {"X-Chatwoot-Timestamp": stamp, "X-Chatwoot-Signature": f"sha256={digest}"}
        headers = {"Content-Type": "application/json", **(signed if is_signed else {})}
        return self.ask("POST", "/sync/chatwoot", data=raw, headers=headers).status_code

    def use_well(self) -> None:
        """Make each event that ends an alarm: an opening, a hook without a pass, a webhook, and a
        pass, whose hook lets it not wait for the back-off of former tries."""
        self.open()
        self.ring(event="order.created")
        self.deliver()
        if self.health().wrong.keys() & {"retries", "back_office", "documents", "chatwoot"}:
            self.run(f"sync backfill {ORGANIZATION} --json")
            self.ring()

    # -- reports ---------------------------------------------------------------------

    def health(self) -> Health:
        answer = self.ask("GET", "/readyz")
        return Health(answer.status_code, answer.json())

    def run(self, line: str, apart: bool = False) -> Answer:
        """Run a command; `apart`: in a process of its own, for which modes and owners of files
        count."""
        if not apart:
            result = self.app.test_cli_runner().invoke(args=line.split())
            return Answer(result.exit_code, result.output)
        lines: list[str] = []
        command = ["-m", "flask", "--app", "app", *line.split()]
        code = Process(command, self.environ, lines).wait()
        return Answer(code, "".join(lines))

    def await_worker(self) -> None:
        wait_until(lambda: self.health().body["parts"]["worker"] == "ok", 60)


@contextmanager
def site(folder: Path, **changes: str) -> Iterator[Site]:
    """Make a site whose files lie in `folder`; nothing is started."""
    office, chat = demo_worlds(TODAY)
    fronts = Front(office), Front(chat)
    with ExitStack() as stack:
        servers = {"office": serve(fronts[0]), "chat": serve(fronts[1])}
        for server in servers.values():
            stack.callback(server.stop)
        environ = environment(servers["office"].url, servers["chat"].url, folder, **changes)
        if environ["PANEL_DATABASE_URL"].startswith("sqlite"):
            with_tables(folder)
        yield Site(environ, folder, office, chat, fronts, stack, servers=servers)
