"""Hooks pour in, everybody is killed, both worlds stumble: nothing is lost, nobody is made twice,
and who leaves meanwhile leaves nothing behind.

The short form runs always; `PANEL_CHAOS=full` is 10,000 hooks for 400 organizations, 45 kills, and
the engine's own waits between tries (the short form has shorter ones, by `Engine`'s argument).
"""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from sqlalchemy import select
from werkzeug.wrappers import Response

from panel import services
from panel.application import create_app
from panel.data import db, inbox
from panel.demo.backoffice import BackOffice
from panel.demo.chatwoot import Chatwoot
from panel.demo.faults import refusal
from panel.demo.world import Call, Json
from panel.demo.worlds import ADMIN_TOKEN, SECRET, Server, serve
from panel.services import Services, get, register
from panel.settings import from_env
from panel.sync.intake import Intake
from panel.sync.jobs import Jobs
from panel.sync.pass_queue import PassQueue
from panel.sync.worker import Worker
from tests import postgres
from tests.conftest import environment
from tests.sync.engine import make_engine
from tests.sync.until import until

ROOT = Path(__file__).resolve().parent.parent.parent
BEARER = {"Authorization": f"Bearer {SECRET}"}
SOON = (datetime.now(UTC) + timedelta(days=40)).strftime("%Y-%m-%dT12:00:00Z")
SENDERS = 12


@dataclass(frozen=True)
class Size:
    """`app`: what is served; `settle`: seconds for the last tries, once nobody dies any more."""

    organizations: int
    hooks: int
    kills: int
    app: str
    settle: float


SHORT = Size(10, 200, 3, "tests.sync.test_chaos:impatient", 40)
FULL = Size(400, 10_000, 45, "app:create_app", 3600)
SIZE = FULL if os.environ.get("PANEL_CHAOS") == "full" else SHORT
WAITS = (0.5, 1.0, 2.0, 4.0, *[4.0] * 20)  # seconds between the tries, in the short form


def impatient() -> Flask:
    """The application as it is, with an engine that waits seconds where ours waits minutes."""
    app = create_app()
    register(app, Worker(get(Services, app).settings, get(PassQueue, app), waits=WAITS))
    return app


# -- the worlds ----------------------------------------------------------------------------------


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
    """An organization of the back office, and all that may happen to it."""

    def __init__(self, office: BackOffice, number: int) -> None:
        self.office, self.number = office, number
        self._joined = 0

    def found(self, chat: Chatwoot) -> None:
        """Two people, one of whom will leave; the one of all organizations; an open talk."""
        self._named(f"Company {self.number}")
        self._person(1, f"owner@{self.number}.example", "owner", 1000 + self.number)
        self._person(2, f"leaver@{self.number}.example", "member", None)
        self._person(3, f"both@{self.number // 2}.example", "admin", 5000 + self.number // 2)
        self._entitled("active")
        for at, who in enumerate(("owner", "leaver")):
            contact = self.number * 10 + at
            told = {"email": f"{who}@{self.number}.example", "identifier": f"shop-{contact}"}
            chat.add_contact(contact, name=who, custom_attributes={"vip": "yes"}, **told)
            chat.add_conversation(contact, 1, contact, custom_attributes={"topic": "billing"})

    def change(self, dice: random.Random) -> str:
        """Something happens; returns what the plugin calls it."""
        deeds = [self.rename, self.join, self.part, self.leave, self.renew, self.promote]
        return dice.choice(deeds)(dice)

    def rename(self, dice: random.Random) -> str:
        self._named(f"Company {self.number}, {dice.randrange(1000)} years old")
        return "organization.updated"

    def join(self, _dice: random.Random) -> str:
        """Somebody whom Chatwoot does not know yet, so that a pass makes their contact."""
        self._joined += 1
        email = f"joined{self._joined}@{self.number}.example"
        self._person(10 + self._joined, email, "guest", None)
        return "collaborator.added"

    def part(self, dice: random.Random) -> str:
        """One of those goes again, maybe before a killed pass has written their contact down."""
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
    """What happens, by one seed: hooks whose deed is done before they are first sent."""

    dice: random.Random
    office: StumblingOffice
    chat: Chatwoot
    companies: list[Company]
    seeded: tuple[dict[int, Json], dict[int, Json]]
    answers: list[tuple[str, str]] = field(default_factory=list)
    posts: list[float | None] = field(default_factory=list)  # seconds; None: refused or cut off
    lock: threading.Lock = field(default_factory=threading.Lock)

    def waves(self) -> Iterator[list[Json]]:
        """Every hook, a third of them twice or more, in shuffled order."""
        per_wave = SIZE.hooks // (SIZE.kills + 1)
        for wave in range(SIZE.kills + 1):
            last = wave == SIZE.kills
            names = range(wave * per_wave, SIZE.hooks if last else (wave + 1) * per_wave)
            hooks = [self._hook(number) for number in names]
            hooks += self.dice.choices(hooks, k=len(hooks) // 3)
            self.dice.shuffle(hooks)
            yield hooks

    def _hook(self, number: int) -> Json:
        company = self.dice.choice(self.companies)
        told: Json = {"id": f"h{number}", "timestamp": "2026-05-04T14:30:00Z"}
        if number % 50 == 7:
            return told | {"event": "weather.changed", "data": {"organization_id": 1}}
        if number % 50 == 8:
            return told | {"event": "entitlement.renewed", "data": {}}
        event = company.change(self.dice)
        key = "id" if event.startswith("organization.") else "organization_id"
        return told | {"event": event, "data": {key: company.number}}

    def ring(self, url: str, hook: Json) -> bool:
        """One try of the sender; it comes again with the same id until it sees a 2xx."""
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
        """What the sender saw: posts, answers by kind, milliseconds until a 2xx."""
        took = sorted(each * 1000 for each in self.posts if each is not None)
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


# -- the panel's processes -----------------------------------------------------------------------


@dataclass
class House:
    """gunicorn and the worker, each a process group that can be killed at any moment."""

    environ: Mapping[str, str]
    listener: socket.socket
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    killed: Counter[str] = field(default_factory=Counter)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    @property
    def names(self) -> list[str]:
        """On PostgreSQL a second worker stands by, for it may run on another machine."""
        alone = self.environ["PANEL_DATABASE_URL"].startswith("sqlite")
        workers = ["worker"] if alone else ["worker", "second worker"]
        return ["web", *([] if self.environ["PANEL_WORKER"] == "inside" else workers)]

    def start(self, name: str) -> None:
        python, number = [sys.executable, "-m"], self.listener.fileno()
        web = ["gunicorn", f"{SIZE.app}()", "--workers", "2", "--bind", f"fd://{number}"]
        worker = ["flask", "--app", SIZE.app, "sync", "worker"]
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
        """The whole group at once: master and workers, with SIGKILL."""
        for name in names:
            os.killpg(self.running[name].pid, signal.SIGKILL)
        for name in names:
            self.running.pop(name).wait()


@contextmanager
def house(environ: Mapping[str, str]) -> Iterator[House]:
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        one = House(environ, listener)
        try:
            for name in one.names:
                one.start(name)
            yield one
        finally:
            one.kill(list(one.running))


# -- the chaos -----------------------------------------------------------------------------------


def rage(told: Story, panel: House) -> None:
    """Send everything; kill somebody in the midst of each wave but the last."""
    with ThreadPoolExecutor(SENDERS) as senders:

        def send(hook: Json) -> None:
            until(lambda: told.ring(panel.url, hook), 120)

        sent = []
        for number, wave in enumerate(told.waves()):
            sent += [senders.submit(send, hook) for hook in wave]
            if number < SIZE.kills:
                some_calls_later(told)
                names = panel.names if number % 3 == 0 else [told.dice.choice(panel.names)]
                panel.kill(names)
                panel.killed.update(names)
                for name in names:
                    panel.start(name)
        for each in sent:
            each.result()


def some_calls_later(told: Story) -> None:
    """A random moment in the midst of the passes: after so many calls to Chatwoot."""
    with told.chat.lock:
        target = len(told.chat.calls) + told.dice.randrange(3, 60)
    until(lambda: len(told.chat.calls) >= target, 60)


def outcomes(url: str) -> dict[str, tuple[str, str | None]]:
    """Every kept hook by its id: what became of it, and why."""
    database = db.connect(url)
    try:
        with database.connect() as connection:
            rows = connection.execute(select(inbox.hooks)).all()
    finally:
        database.dispose()
    return {row.hook_id: (row.status, row.reason) for row in rows}


def settled(url: str) -> float:
    """Seconds until no hook waits any more."""
    database, begun = db.connect(url), time.monotonic()
    intake = Intake(database)
    until(lambda: intake.stats().oldest_waiting is None, SIZE.settle)
    database.dispose()
    return time.monotonic() - begun


def clean_run(told: Story, folder: Path) -> Chatwoot:
    """A Chatwoot as at the beginning, after one undisturbed pass of each organization."""
    chat = fresh_chatwoot()
    chat.contacts, chat.conversations = deepcopy(told.seeded)
    with on_sockets(told.office, chat) as (office_at, chat_at):
        settings = from_env(calm(environment(office_at.url, chat_at.url, folder)))
        shared = services.build(settings, Flask("clean"))
        engine = make_engine(settings, shared.database)
        engine.migrate()
        for company in told.companies:
            Jobs(shared, engine.intake).bring_in_line(company.number)
        shared.database.dispose()
    return chat


def calm(environ: dict[str, str], **more: str) -> dict[str, str]:
    return environ | {"CHATWOOT_CALLS_PER_MINUTE": "100000"} | more


def looks(chat: Chatwoot, seeded: Collection[int]) -> tuple[list[Any], dict[int, Any]]:
    """Contacts and conversations, without the numbers and times of new ones.

    Nor their names: a contact keeps the one it was made with, since an agent may have changed it.
    Whom a pass made and who has left since is nobody: such a contact says nothing of us, or it is
    an orphan, and stands here.
    """
    keys = ("email", "phone_number", "identifier", "custom_attributes")
    rows = [
        row for number, row in chat.contacts.items() if number in seeded or row["custom_attributes"]
    ]
    people = [{key: row[key] for key in keys} for row in rows]
    talks = {number: row["custom_attributes"] for number, row in chat.conversations.items()}
    return sorted(people, key=lambda row: (row["email"], str(row["identifier"]))), talks


@dataclass
class Scene:
    story: Story
    house: House
    url: str
    folder: Path


@pytest.fixture(params=["separate on sqlite", "inside on sqlite", "separate on postgresql"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    worker, _, database = request.param.partition(" on ")
    told = story(seed=20261122)
    url = f"sqlite:///{tmp_path / 'panel.db'}"
    if database == "postgresql":
        from_cluster: str = request.getfixturevalue("cluster")
        url = postgres.create(from_cluster, f"chaos_{worker}", "template")
    with ExitStack() as stack:
        office, chat = stack.enter_context(on_sockets(told.office, told.chat))
        environ = environment(office.url, chat.url, tmp_path)
        changes = {"PANEL_DATABASE_URL": url, "PANEL_WORKER": worker, "HOME": str(tmp_path)}
        one = stack.enter_context(house(calm(environ, **changes)))
        until(lambda: requests.get(f"{one.url}/healthz", timeout=60).ok, 60)
        yield Scene(told, one, url, tmp_path)


def test_killed_and_stumbling_it_ends_as_a_clean_run_does(scene: Scene) -> None:
    told, begun = scene.story, time.monotonic()
    told.chat.delay = 0.005
    told.chat.flaky(0.05, seed=7, lost=0.3)
    told.office.stumble(0.05, seed=8)
    rage(told, scene.house)
    sent = time.monotonic() - begun
    waited = settled(scene.url)
    print(f"\nchaos: {told.figures()}, {dict(scene.house.killed)} killed")  # noqa: T201
    print(f"sent within {sent:.1f} s, quiet {waited:.1f} s later")  # noqa: T201
    told.chat.flaky(0.0)
    told.office.stumble(0.0, seed=8)
    everyone_was_answered(told, outcomes(scene.url))
    seeded = told.seeded[0].keys()
    people, talks = looks(told.chat, seeded)
    right, right_talks = looks(clean_run(told, scene.folder / "clean"), seeded)
    assert people == right
    assert talks == right_talks
    left = len(told.chat.contacts) - len(people)
    print(f"{left} contacts of people who left say nothing of us")  # noqa: T201


def everyone_was_answered(told: Story, found: dict[str, tuple[str, str | None]]) -> None:
    """Every hook was kept once, and is done, or of no kind of ours, or buried with its reason."""
    assert set(found) == {f"h{number}" for number in range(SIZE.hooks)}
    accepted = Counter(name for name, answer in told.answers if answer == "accepted")
    assert max(accepted.values()) == 1
    statuses = Counter(found.values())
    nameless = sum(number % 50 == 8 for number in range(SIZE.hooks))
    foreign = sum(number % 50 == 7 for number in range(SIZE.hooks))
    assert statuses.pop(("buried", "no_organization")) == nameless
    assert statuses.pop(("ignored", None)) == foreign
    assert statuses == {("done", None): SIZE.hooks - nameless - foreign}
