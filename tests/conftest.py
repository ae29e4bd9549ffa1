"""The panel between its two built-in worlds, all on real sockets, and a visitor like a browser."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from html import unescape
from itertools import count
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import redis
import requests
from cachelib import SimpleCache
from flask import Flask
from flask.sansio.app import App
from flask.templating import Environment
from flask_caching import Cache as FlaskCache
from jinja2 import MemcachedBytecodeCache

from panel.application import create_app
from panel.auth.access import Access
from panel.auth.background_checks import BackgroundChecks
from panel.auth.revocation import Revocations
from panel.auth.throttle import Throttle
from panel.auth.tokens import Seals, derive_launch_key
from panel.bulkhead import Bulkhead
from panel.cache import backend
from panel.cache.backend import CacheBackend
from panel.cache.policy import Cache
from panel.data import db
from panel.data.directory import Person
from panel.data.schema import Preparation
from panel.demo.backoffice import BackOffice
from panel.demo.chatwoot import Chatwoot
from panel.demo.scenarios import SCENARIOS, WHATSAPP, Scenario
from panel.demo.worlds import ADMIN_TOKEN, AGENT, SECRET, Server, demo_worlds, serve
from panel.locks import ThreadLocks
from panel.services import Services, get, register
from panel.settings import Settings, from_env
from panel.upstream.chatwoot import Chatwoot as ChatwootClient
from panel.upstream.chatwoot import connect
from panel.upstream.circuit_breaker import CircuitBreaker
from panel.upstream.client import Client
from panel.upstream.failures import FailureLog
from panel.upstream.middag import BackOffice as BackOfficeClient
from tests import postgres
from tests.ports import free_port
from tests.sync.engine import make_engine

# No deadline: on a busy machine a slow example is no fault. No database: the tree stays clean.
hypothesis.settings.register_profile("calm", deadline=None, database=None)
hypothesis.settings.load_profile("calm")

# Hundreds of panels start in one process: what each would compile anew for itself is kept.
KEPT = SimpleCache(threshold=1000, default_timeout=0)
COMPILED = MemcachedBytecodeCache(KEPT)  # type: ignore[arg-type]  # but for what `set` returns


class Compiling(Environment):
    """Flask's own Jinja; a template whose source changes is compiled anew."""

    def __init__(self, app: App, **options: Any) -> None:
        super().__init__(app, bytecode_cache=COMPILED, **options)


Flask.jinja_environment = Compiling

API = "/wp-json/middag-account/v1"
TODAY = datetime.now(UTC).date()


class Clock:
    """A clock that a test moves: seconds since the epoch."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def wait_until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Poll until the condition holds; fails when it does not within the deadline."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def environment(office_url: str, chat_url: str, folder: Path, **changes: str) -> dict[str, str]:
    """The environment of a panel before these worlds, with its state in `folder`."""
    return {
        "CHATWOOT_CONTACT_VIEW_SECRET": SECRET,
        "MIDDAG_API_URL": office_url + API,
        "CHATWOOT_URL": chat_url,
        "CHATWOOT_ACCOUNT_ID": "1",
        "CHATWOOT_API_TOKEN": ADMIN_TOKEN,
        "MIDDAG_CALLS_PER_MINUTE": "100000",
        "PANEL_CACHE_URL": f"file:{folder / 'cache'}",
        "PANEL_DATABASE_URL": f"sqlite:///{folder / 'panel.db'}",
        **changes,
    }


def build_cache(url: str, app: Flask, clock: Callable[[], float] = time.time) -> Cache:
    return Cache(*backend.connect(url, app, "", clock), clock, Bulkhead(threads=300))


def no_worlds(folder: Path, **changes: str) -> Settings:
    """The settings of a panel that nobody outside answers."""
    return from_env(environment("http://a.invalid", "http://b.invalid", folder, **changes))


@cache
def tables() -> bytes:
    """An SQLite file in which the tables of everyone are made, as every panel makes its own.

    They are made once in a run, for they cost more than most tests that need them.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "panel.db")
        database = db.connect(f"sqlite:///{file}")
        make_engine(
            from_env(environment("http://a.invalid", "http://b.invalid", Path(folder))), database
        ).migrate()
        database.dispose()
        return file.read_bytes()


def with_tables(folder: Path) -> Path:
    """The folder, with a `panel.db` as after a first start, unless there is one."""
    file = folder / "panel.db"
    if not file.exists():
        file.write_bytes(tables())
    return folder


@dataclass(frozen=True)
class Worlds:
    """Both outside worlds on sockets."""

    office: BackOffice
    chat: Chatwoot
    office_url: str
    chat_url: str

    @property
    def calls(self) -> int:
        return self.office.count() + self.chat.count()


@dataclass
class Panel:
    """A panel on a socket, and what a browser in Chatwoot does with it."""

    app: Flask
    settings: Settings
    url: str
    office: BackOffice
    chat: Chatwoot
    clock: Clock = field(default_factory=Clock)

    @property
    def calls(self) -> int:
        """How often anybody outside was asked."""
        return self.office.count() + self.chat.count()

    @property
    def services(self) -> Services:
        return get(Services, self.app)

    def ask(
        self, method: str, path: str, bearer: str | None = None, **options: Any
    ) -> requests.Response:
        headers = {**({"Authorization": f"Bearer {bearer}"} if bearer else {})}
        headers |= options.pop("headers", {})
        options.setdefault("timeout", 30)
        return requests.request(
            method, self.url + path, headers=headers, allow_redirects=False, **options
        )

    def hints(self, scenario: str = "healthy", **changes: Any) -> dict[str, Any]:
        row = SCENARIOS[scenario]
        told = {"conversation": row.conversation, "contact": row.contact, "account": 1}
        return {**told, "agent_id": AGENT, "agent_email": "", **changes}

    def open(self, scenario: str = "healthy", **changes: Any) -> requests.Response:
        key = derive_launch_key(self.settings.secret)
        return self.ask("POST", "/contact", key, data=self.hints(scenario, **changes))

    def prove(self, scenario: str = "healthy", organization: int = 0) -> None:
        """From now on the customer writes by WhatsApp, from the phone of one person there."""
        row = SCENARIOS[scenario]
        prove_customer(self.chat, self.services, row, organization or row.organizations[0])

    def proven(self, scenario: str = "healthy", organization: int = 0) -> str:
        """The seal of a proven customer: nothing is masked."""
        self.prove(scenario, organization)
        return seal_of(self.open(scenario).text)

    def picked(self, scenario: str = "healthy", organization: int = 0) -> str:
        """The seal of a customer of whom an agent said which company: masked as before."""
        organization = organization or SCENARIOS[scenario].organizations[0]
        seal = seal_of(self.open(scenario).text)
        return seal_of(self.say(seal, "pick", organization).text)

    def say(
        self, seal: str, action: str, organization: object, scope: str = "conversation"
    ) -> requests.Response:
        form = {"action": action, "organization": organization, "scope": scope}
        return self.ask("POST", "/links", seal, data=form)

    def section(self, name: str, seal: str, **query: Any) -> requests.Response:
        return self.ask("GET", f"/sections/{name}", seal, params=query)

    def refresh(self, name: str, seal: str) -> requests.Response:
        return self.ask("POST", f"/sections/{name}/refresh", seal)


def prove_customer(chat: Chatwoot, services: Services, row: Scenario, organization: int) -> None:
    """All that a proof needs: a phone channel, its source, and one person who has the phone."""
    phone = f"+55619888{row.conversation:05d}"
    contact, inbox = chat.contacts[row.contact], chat.inboxes[WHATSAPP]
    contact["phone_number"] = phone
    contact["contact_inboxes"] = [{"inbox": inbox, "source_id": phone.removeprefix("+")}]
    chat.conversations[row.conversation]["inbox_id"] = WHATSAPP
    key = f"collaborator:{row.contact}"
    services.directory.put_person(Person(organization, key, row.contact, "owner", None, phone))


def attribute(html: str, name: str) -> str | None:
    """The first value of an attribute in the HTML."""
    found = re.search(rf'\s{name}="([^"]*)"', html)
    return found[1] if found else None


def seal_of(html: str) -> str:
    """The seal of the whole panel: it stands at the root."""
    return attribute(html, "data-seal") or pytest.fail(f"no seal in {html[:400]}")


def state_of(html: str) -> str | None:
    return attribute(html, "data-state")


def rows_of(html: str) -> list[int]:
    return [int(row) for row in re.findall(r'data-row="(\d+)"', html)]


def words_of(html: str) -> str:
    """What is read on the page: without tags, each run of blanks as one."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


@contextmanager
def worlds_on_sockets() -> Iterator[Worlds]:
    office, chat = demo_worlds(TODAY)
    servers = serve(office.app), serve(chat.app)
    yield Worlds(office, chat, servers[0].url, servers[1].url)
    stop(servers)


def stop(servers: Iterable[Server]) -> None:
    """All at once: each takes a moment to notice."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(Server.stop, servers))


MakePanel = Callable[..., Panel]


@contextmanager
def panels_before(worlds: Worlds, folder: Path) -> Iterator[MakePanel]:
    servers: list[Server] = []
    panels: list[Panel] = []

    with_tables(folder)

    def make(clock: Clock | None = None, **changes: str) -> Panel:
        settings = from_env(environment(worlds.office_url, worlds.chat_url, folder, **changes))
        app = create_app(settings)
        get(Preparation, app).ensure()  # as gunicorn does before it serves
        if clock:
            register(app, with_clock(app, clock))
        servers.append(serve(app))
        moment = clock or Clock()
        panels.append(Panel(app, settings, servers[-1].url, worlds.office, worlds.chat, moment))
        return panels[-1]

    yield make
    stop(servers)
    for panel in panels:
        panel.services.deliveries.stop()
        panel.services.database.dispose()


@pytest.fixture
def worlds() -> Iterator[Worlds]:
    with worlds_on_sockets() as both:
        yield both


@pytest.fixture
def make_panel(worlds: Worlds, tmp_path: Path) -> Iterator[MakePanel]:
    """`make_panel(PANEL_LOCALE="en", …)`: one more panel before the same worlds."""
    with panels_before(worlds, tmp_path) as make:
        yield make


@pytest.fixture
def panel(make_panel: MakePanel) -> Panel:
    """A panel as the settings make it."""
    return make_panel()


@pytest.fixture
def clocked(make_panel: MakePanel) -> Panel:
    """A panel whose cache runs on `panel.clock`, with a breaker that never opens."""
    return make_panel(clock=Clock())


@pytest.fixture(scope="module")
def _standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    folder = tmp_path_factory.mktemp("standing")
    with worlds_on_sockets() as both, panels_before(both, folder) as make:
        yield make()


@pytest.fixture
def standing(_standing: Panel) -> Panel:
    """One panel for a whole file, for tests that change nothing; nobody was asked anything yet."""
    _standing.office.forget()
    _standing.chat.forget()
    return _standing


def with_clock(app: Flask, clock: Clock) -> Services:
    """The same services over a cache in memory with another clock, and a patient breaker."""
    built = get(Services, app)
    settings = built.settings
    backend = FlaskCache(app, config={"CACHE_TYPE": "SimpleCache", "CACHE_THRESHOLD": 100_000})
    bulkhead = Bulkhead(threads=300)
    kept = Cache(CacheBackend(backend, clock), ThreadLocks(), clock, bulkhead)
    headers = {"Authorization": f"Bearer {settings.secret}"}
    office = Client(settings.middag_api_url, headers)
    office.breaker = CircuitBreaker(limit=10_000, own_limit=10_000)
    chatwoot = connect(settings.chatwoot_url, settings.chatwoot_api_token)
    account = ChatwootClient(chatwoot, kept, settings.chatwoot_account_id)
    revocations = Revocations(built.database, clock)
    checks = BackgroundChecks(bulkhead)
    access = Access(settings, account, checks)
    return replace(
        built,
        bulkhead=bulkhead,
        cache=kept,
        back_office=BackOfficeClient(office, kept, settings.integer_money, FailureLog(clock)),
        chatwoot=account,
        access=access,
        seals=Seals(settings, account, access, checks, revocations, built.verifications, clock),
        authenticator=replace(
            built.authenticator,
            chatwoot=account,
            cache=kept,
            attempts=Throttle(built.database, settings.secret, clock),
            revocations=revocations,
        ),
    )


@dataclass
class Redis:
    """A redis-server of our own."""

    process: subprocess.Popen[bytes]
    url: str

    def keys(self, pattern: str) -> list[str]:
        with redis.Redis.from_url(self.url, decode_responses=True) as client:
            return [str(key) for key in client.scan_iter(pattern)]


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    started = start_redis(tmp_path_factory.mktemp("redis"))
    yield started
    started.process.kill()
    started.process.wait()


def start_redis(folder: Path) -> Redis:
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if not program:
        pytest.skip("no redis-server here (tests/machine.sh)")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir"]
    process = subprocess.Popen(
        [*command, str(folder)], stdout=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]}
    )
    started = Redis(process, f"redis://127.0.0.1:{port}/0")
    wait_until(lambda: _pings(started.url))
    return started


def _pings(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_timeout=1) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def certify(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody vouches for, and its key."""
    path = os.pathsep.join((os.environ["PATH"], "/usr/sbin"))
    openssl = shutil.which("openssl", path=path) or pytest.skip("no openssl (tests/machine.sh)")
    certificate, key = folder / "fullchain.pem", folder / "privkey.pem"
    command = "req -x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([openssl, *command.split(), *names, *files], check=True, capture_output=True)
    return certificate, key


_numbers = count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    folder = postgres.programs()
    if folder is None:
        pytest.skip(postgres.ABSENT)
    with postgres.cluster(folder) as address:
        url = postgres.create(address, "template")
        # Tables are made once: each test gets a copy.
        database = db.connect(url)
        make_engine(no_worlds(Path(), PANEL_DATABASE_URL=url), database).migrate()
        database.dispose()
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{with_tables(tmp_path)}/panel.db"
    address: str = request.getfixturevalue("cluster")
    return postgres.create(address, f"panel{next(_numbers)}", "template")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{with_tables(tmp_path)}/panel.db"
