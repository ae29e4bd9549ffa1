"""Worlds that fail at times, the story that happens in them, and the panel's processes between
them."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests
from flask import Flask
from werkzeug.wrappers import Response

from panel.application import create_app
from panel.demo.backoffice import BackOffice
from panel.demo.chatwoot import Chatwoot
from panel.demo.faults import refusal
from panel.demo.world import Call, Json
from panel.demo.worlds import ADMIN_TOKEN, SECRET, Server, serve
from panel.services import Services, get, register
from panel.sync.pass_queue import PassQueue
from panel.sync.worker import Worker

ROOT = Path(__file__).resolve().parent.parent.parent
BEARER = {"Authorization": f"Bearer {SECRET}"}
SOON = (datetime.now(UTC) + timedelta(days=40)).strftime("%Y-%m-%dT12:00:00Z")
SENDERS = 12


@dataclass(frozen=True)
class Size:
    """`app`: the application that is served; `settle`: seconds for the last tries, after the last
    kill."""

    organizations: int
    hooks: int
    kills: int
    app: str
    settle: float


SHORT = Size(10, 200, 3, "tests.sync.stumbling:impatient", 40)
FULL = Size(400, 10_000, 45, "app:create_app", 3600)
SIZE = FULL if os.environ.get("PANEL_CHAOS") == "full" else SHORT
WAITS = (0.5, 1.0, 2.0, 4.0, *[4.0] * 20)  # seconds between the tries, in the short form


def impatient() -> Flask:
    """Make the application with an engine that waits for seconds where the real one waits for
    minutes."""
    app = create_app()
    register(app, Worker(get(Services, app).settings, get(PassQueue, app), waits=WAITS))
    return app


class StumblingOffice(BackOffice):
    """A back office that answers 500 to a share of calls."""

    rate = 0.0

    def respond(self, call: Call) -> Response:
        with self.lock:
            fails = self._dice.random() < self.rate
        return refusal(500, "INTERNAL_ERROR", "It stumbled") if fails else super().respond(call)

    def stumble(self, rate: float, seed: int) -> None:
        self._dice, self.rate = random.Random(seed), rate


class Company:
    """An organization of the back office, and the changes that may happen to it."""

    def __init__(self, office: BackOffice, number: int) -> None:
        self.office, self.number = office, number
        self._joined = 0

    def found(self, chat: Chatwoot) -> None:
        """Add two people, one of whom will leave; the person of all organizations; an open
        conversation."""
        self._named(f"Company {self.number}")
        self._person(1, f"owner@{self.number}.example", "owner", 1000 + self.number)
        self._person(2, f"leaver@{self.number}.example", "member", None)
        self._person(3, f"both@{self.number // 2}.example", "admin", 5000 + self.number // 2)
        self._entitled("active")
        for at, person in enumerate(("owner", "leaver")):
            contact = self.number * 10 + at
            fields = {"email": f"{person}@{self.number}.example", "identifier": f"shop-{contact}"}
            chat.add_contact(contact, name=person, custom_attributes={"vip": "yes"}, **fields)
            chat.add_conversation(contact, 1, contact, custom_attributes={"topic": "billing"})

    def change(self, dice: random.Random) -> str:
        """Make a change; returns the plugin's name of the event."""
        deeds = [self.rename, self.join, self.part, self.leave, self.renew, self.promote]
        return dice.choice(deeds)(dice)

    def rename(self, dice: random.Random) -> str:
        self._named(f"Company {self.number}, {dice.randrange(1000)} years old")
        return "organization.updated"

    def join(self, _dice: random.Random) -> str:
        """Add a person whom Chatwoot does not know yet, so that a pass makes their contact."""
        self._joined += 1
        email = f"joined{self._joined}@{self.number}.example"
        self._person(10 + self._joined, email, "guest", None)
        return "collaborator.added"

    def part(self, dice: random.Random) -> str:
        """Remove one of those people, maybe before a killed pass has stored their contact."""
        if self._joined:
            at = self._joined - dice.randrange(min(self._joined, 2))
            self.office.remove("collaborators", self.number, self.number * 100 + 10 + at)
        return "collaborator.removed"

    def leave(self, _dice: random.Random) -> str:
        self.office.remove("collaborators", self.number, self.number * 100 + 2)
        return "collaborator.removed"

    def renew(self, dice: random.Random) -> str:
        self._entitled(dice.choice(["active", "suspended", "expired", "cancelled"]))
        return "entitlement.renewed"

    def promote(self, dice: random.Random) -> str:
        role = dice.choice(["owner", "admin", "member"])
        self._person(1, f"owner@{self.number}.example", role, 1000 + self.number)
        return "collaborator.updated"

    def _named(self, name: str) -> None:
        row = {
            "name": name,
            "email": f"office@{self.number}.example",
            "billing_entity": "middag_br",
        }
        self.office.put("organization", self.number, row)

    def _person(self, at: int, email: str, role: str, user: int | None) -> None:
        row: Json = {"id": self.number * 100 + at, "organization_id": self.number, "user_id": user}
        row |= {"email": email, "role": role, "name": email.partition("@")[0]}
        self.office.put("collaborators", self.number, row)

    def _entitled(self, status: str) -> None:
        row = {"id": self.number, "organization_id": self.number, "code": "PLG"}
        self.office.put("entitlements", self.number, row | {"status": status, "expires_at": SOON})


def fresh_chatwoot() -> Chatwoot:
    chat = Chatwoot()
    chat.add_agent(1, "Service", "service@panel.example", "administrator", ADMIN_TOKEN)
    chat.add_inbox(1, "Site", "Channel::WebWidget", {1})
    return chat


@dataclass
class Story:
    """The events of a seed: hooks whose change is made before they are first sent."""

    dice: random.Random
    office: StumblingOffice
    chat: Chatwoot
    companies: list[Company]
    seeded: tuple[dict[int, Json], dict[int, Json]]
    answers: list[tuple[str, str]] = field(default_factory=list)
    posts: list[float | None] = field(default_factory=list)  # seconds; None: refused or cut off
    lock: threading.Lock = field(default_factory=threading.Lock)

    def waves(self) -> Iterator[list[Json]]:
        """Yield every hook, a third of them twice or more, in shuffled order."""
        per_wave = SIZE.hooks // (SIZE.kills + 1)
        for wave in range(SIZE.kills + 1):
            last = wave == SIZE.kills
            names = range(wave * per_wave, SIZE.hooks if last else (wave + 1) * per_wave)
            hooks = [self.hook(number) for number in names]
            hooks += self.dice.choices(hooks, k=len(hooks) // 3)
            self.dice.shuffle(hooks)
            yield hooks

    def hook(self, number: int) -> Json:
        company = self.dice.choice(self.companies)
        envelope: Json = {"id": f"h{number}", "timestamp": "2026-05-04T14:30:00Z"}
        if number % 50 == 7:
            return envelope | {"event": "weather.changed", "data": {"organization_id": 1}}
        if number % 50 == 8:
            return envelope | {"event": "entitlement.renewed", "data": {}}
        event = company.change(self.dice)
        key = "id" if event.startswith("organization.") else "organization_id"
        return envelope | {"event": event, "data": {key: company.number}}

    def ring(self, url: str, hook: Json) -> bool:
        """Try to send a hook once; the sender repeats it with the same id until a 2xx comes."""
        try:
            answer = requests.post(f"{url}/sync/hooks", json=hook, headers=BEARER, timeout=5)
        except requests.RequestException:
            self.posts.append(None)
            return False
        self.posts.append(answer.elapsed.total_seconds() if answer.ok else None)
        if answer.ok:
            with self.lock:
                self.answers.append((hook["id"], answer.json()["status"]))
        return answer.ok

    def figures(self) -> str:
        """Describe the sender's view: posts, answers by kind, milliseconds until a 2xx."""
        took = sorted(seconds * 1000 for seconds in self.posts if seconds is not None)
        p50, p99 = (took[int(len(took) * share)] for share in (0.5, 0.99))
        kinds = dict(Counter(answer for _, answer in self.answers))
        return f"{len(self.posts)} posts, {kinds}, p50 {p50:.0f} ms, p99 {p99:.0f} ms"


@contextmanager
def on_sockets(*worlds: BackOffice | Chatwoot) -> Iterator[list[Server]]:
    servers = [serve(world) for world in worlds]
    yield servers
    for server in servers:
        server.stop()


def story(seed: int) -> Story:
    office, chat = StumblingOffice([SECRET]), fresh_chatwoot()
    office.stumble(0.0, seed)
    companies = [Company(office, 10 + number) for number in range(SIZE.organizations)]
    for company in companies:
        company.found(chat)
    seeded = deepcopy((chat.contacts, chat.conversations))
    return Story(random.Random(seed), office, chat, companies, seeded)


@dataclass
class House:
    """gunicorn and the worker, each a process group that can be killed at any moment."""

    environ: Mapping[str, str]
    listener: socket.socket
    app: str = SIZE.app
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    killed: Counter[str] = field(default_factory=Counter)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    @property
    def names(self) -> list[str]:
        """Return the processes; on PostgreSQL a second worker stands by, as on another machine."""
        alone = self.environ["PANEL_DATABASE_URL"].startswith("sqlite")
        workers = ["worker"] if alone else ["worker", "second worker"]
        return ["web", *([] if self.environ["PANEL_WORKER"] == "inside" else workers)]

    def start(self, name: str) -> None:
        python, number = [sys.executable, "-m"], self.listener.fileno()
        web = ["gunicorn", f"{self.app}()", "--workers", "2", "--bind", f"fd://{number}"]
        worker = ["flask", "--app", self.app, "sync", "worker"]
        with (Path(self.environ["HOME"]) / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [*python, *(web if name == "web" else worker)],
                cwd=ROOT,
                env={**self.environ, "PATH": os.environ["PATH"]},
                pass_fds=[number],
                start_new_session=True,
                stdout=log,
                stderr=log,
            )

    def kill(self, names: list[str]) -> None:
        """Kill whole groups at once, master and workers, with SIGKILL."""
        for name in names:
            os.killpg(self.running[name].pid, signal.SIGKILL)
        for name in names:
            self.running.pop(name).wait()


@contextmanager
def house(environ: Mapping[str, str], app: str = SIZE.app) -> Iterator[House]:
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        first_house = House(environ, listener, app)
        try:
            for name in first_house.names:
                first_house.start(name)
            yield first_house
        finally:
            first_house.kill(list(first_house.running))
