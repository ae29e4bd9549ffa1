"""The built-in worlds, with as many organizations as a row needs, and panels before them."""

import re
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from bench import machine, rival
from bench.machine import Served
from bench.wire import Answer, Connection, at_once, request
from panel.auth.tokens import derive_launch_key
from panel.demo import conversations
from panel.demo.backoffice import BackOffice
from panel.demo.chatwoot import Chatwoot
from panel.demo.companies import Maker, load, small
from panel.demo.scenarios import SCENARIOS, WEB
from panel.demo.worlds import ADMIN_TOKEN, AGENT, SECRET, demo_worlds, find_today, serve
from panel.web.sections import SECTIONS

FILES, REDIS = "files", "redis"
API = "/wp-json/middag-account/v1"
FIRST = 1000  # the first of the benchmark's organizations; the demo's ids are smaller
REDIS_DATABASES = 15  # one for each panel, because each is a separate installation


class Absent(Exception):
    """A program that the row needs is not installed."""


@dataclass(frozen=True)
class Visit:
    """A conversation with a contact of an organization; `customer`: as the dashboard shows them."""

    conversation: int
    contact: int
    organization: int
    customer: str = ""

    def before(self, chat: Chatwoot) -> "Visit":
        """Return the visit with the text that `panel.js` would send about the customer now."""
        row = chat.conversations[self.conversation]
        body = conversations.shown(chat, row, messages=False)
        sender, claim = body["meta"]["sender"], "middag_organization_id"
        keys = [sender[name] for name in ("id", "email", "phone_number", "identifier")]
        claims = [holder["custom_attributes"].get(claim) for holder in (body, sender)]
        signed = 1 if body["meta"]["hmac_verified"] else None
        texts = ["" if value is None else str(value) for value in (*keys, *claims, signed)]
        return replace(self, customer="\t".join(texts))

    @property
    def form(self) -> dict[str, Any]:
        """Return the form that the page posts for the open conversation."""
        hints = {"conversation": self.conversation, "contact": self.contact}
        form = {**hints, "account": 1, "agent_id": AGENT, "agent_email": ""}
        return form | ({"customer": self.customer} if self.customer else {})

    @property
    def request(self) -> bytes:
        return request("POST", "/contact", derive_launch_key(SECRET), self.form)


_healthy = SCENARIOS["healthy"]
HEALTHY = Visit(_healthy.conversation, _healthy.contact, _healthy.organizations[0])


def section_request(name: str, seal: str, wait: bool = False) -> bytes:
    return request("GET", f"/sections/{name}{'?wait=1' if wait else ''}", seal)


def seal_of(html: str) -> str:
    match = re.search(r'data-seal="([^"]+)"', html)
    if not match:
        raise RuntimeError(f"no panel: {html[:300]}")
    return match[1]


def put_off(html: str) -> list[str]:
    """Return the sections that a busy process did not read yet, and that the page asks for
    again."""
    tags = re.findall(r"<section[^>]*data-section[^>]*>", html)
    return [name for tag in tags if 'data-code="busy"' in tag for name in drawn(tag)]


def drawn(html: str) -> dict[str, tuple[str, str]]:
    """Return state and version of every section in the HTML."""
    states = re.findall(r'data-section="(\w+)" data-state="(\w+)"(?: data-version="(\w*)")?', html)
    return {name: (state, version) for name, state, version in states}


@dataclass
class Panel:
    """A panel that gunicorn serves, and a browser's requests to it."""

    served: Served
    environ: Mapping[str, str]
    connection: Connection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = Connection(self.port)

    @property
    def port(self) -> int:
        return self.served.port

    def ask(self, request_bytes: bytes) -> Answer:
        """Raises unless the answer is a 2xx."""
        answer = self.connection.ask(request_bytes)
        if answer.status not in (200, 202, 204):
            raise RuntimeError(f"{request_bytes[:60]!r}: {answer.status} {answer.text[:300]}")
        return answer

    def timed(self, *several: bytes) -> float:
        """Return the seconds for these requests, one after the other."""
        begun = time.perf_counter()
        for request_bytes in several:
            self.ask(request_bytes)
        return time.perf_counter() - begun

    def seal(self, visit: Visit, is_picked: bool = False) -> str:
        """Return the seal of an opened panel; `is_picked`: an agent has picked the company."""
        seal = seal_of(self.ask(visit.request).text)
        if is_picked:
            form = {"action": "pick", "organization": visit.organization, "scope": "conversation"}
            seal = seal_of(self.ask(request("POST", "/links", seal, form)).text)
        return seal

    def freshen(self, seal: str) -> None:
        """Read every section anew, so that its copy is fresh."""
        for name in SECTIONS:
            self.ask(request("POST", f"/sections/{name}/refresh", seal))

    def warmed(self, visit: Visit, is_picked: bool = False) -> str:
        """Return the seal of a visit whose sections are all kept."""
        seal = self.seal(visit, is_picked)
        self.freshen(seal)
        return seal


@dataclass(frozen=True)
class Opened:
    """`seconds`: until the last section was answered; `calls`: the number of requests until
    then."""

    seconds: float
    seal: str
    sections: dict[str, tuple[str, str]]


PUT_OFF_SECONDS = 4.0  # the delay in `templates/sections/_frame.html` and `static/js/visit.js`
MOST_PUT_OFF = 3


def open_panel(port: int, visit: Visit) -> Opened:
    """Open as a browser does: the panel, then at once every section that is not drawn yet. A panel
    or a section that the busy process puts off is asked for again, as the page does."""
    begun = time.perf_counter()
    html = _ask_for_panel(port, visit)
    seal, sections = seal_of(html), drawn(html)
    missing = [name for name, (state, _) in sections.items() if state == "loading"]
    for pause in (0, *[PUT_OFF_SECONDS] * MOST_PUT_OFF):
        time.sleep(pause if missing else 0)
        answers = at_once(port, [section_request(name, seal) for name in missing])
        missing = [name for late in answers for name in put_off(late.text)]
        sections |= {name: at for late in answers for name, at in drawn(late.text).items()}
    return Opened(time.perf_counter() - begun, seal, sections)


def _ask_for_panel(port: int, visit: Visit) -> str:
    (answer,) = at_once(port, [visit.request])
    for _ in range(MOST_PUT_OFF):
        if not re.search(r'<main[^>]*data-code="busy"', answer.text):
            break
        time.sleep(PUT_OFF_SECONDS)
        (answer,) = at_once(port, [visit.request])
    return answer.text


class Stage:
    """`quick`: fewer repetitions. Everything started here ends with `close`."""

    def __init__(self, folder: Path, quick: bool) -> None:
        self.folder = folder
        self.quick = quick
        self._stack = ExitStack()
        self.office, self.chat = demo_worlds(find_today())
        office, chat = serve(self.office.app), serve(self.chat.app)
        self._stack.callback(office.stop)
        self._stack.callback(chat.stop)
        self.office_url, self.chat_url = office.url, chat.url
        self._numbers, self._names = count(FIRST), count(1)
        self._databases = count(0)
        self._standing: dict[str, Panel] = {}
        self.redis_url = self._redis()

    def close(self) -> None:
        self._stack.close()

    def _redis(self) -> str | None:
        program = machine.redis_program()
        if not program:
            return None
        log = self.folder / "redis.log"
        return self._stack.enter_context(machine.redis_server(program, self.folder, log))

    def times(self, quick: int, whole: int) -> int:
        return quick if self.quick else whole

    def newcomers(self, number: int) -> list[Visit]:
        """Make so many organizations that nobody has opened, each with a conversation."""
        return [add(self.office, self.chat, next(self._numbers)) for _ in range(number)]

    def environ(self, shape: str, **changes: str) -> dict[str, str]:
        """Return the settings of one more installation before our worlds."""
        folder = self.folder / f"panel{next(self._names)}"
        folder.mkdir()
        cache = f"file:{folder / 'cache'}"
        if shape == REDIS:
            cache = f"{self.redis_url}/{next(self._databases) % REDIS_DATABASES}"
        return environment(self.office_url, self.chat_url, folder, cache) | changes

    @contextmanager
    def panel(
        self,
        environ: Mapping[str, str],
        application: str = "app:create_app()",
        workers: int = 1,
    ) -> Iterator[Panel]:
        log = self.folder / "gunicorn.log"
        with machine.gunicorn(application, environ, log, workers) as served:
            panel = Panel(served, environ)
            try:
                yield panel
            finally:
                panel.connection.close()

    def standing(self, shape: str) -> Panel:
        """Return the panel that all rows share which only read."""
        if shape not in self._standing:
            panel = self._stack.enter_context(self.panel(self.environ(shape)))
            self._standing[shape] = panel
        return self._standing[shape]

    @contextmanager
    def rival(self, answers: dict[str, Answer] | None = None) -> Iterator[Served]:
        """Return the bare views, which answer these bytes by path."""
        environ = rival.record(self.folder, answers or {})
        application, log = "bench.rival:create_app()", self.folder / "rival.log"
        settings = machine.RIVAL_SETTINGS
        with machine.gunicorn(application, environ, log, settings=settings) as served:
            yield served


def environment(office_url: str, chat_url: str, folder: Path, cache: str) -> dict[str, str]:
    return {
        "CHATWOOT_CONTACT_VIEW_SECRET": SECRET,
        "MIDDAG_API_URL": office_url + API,
        "CHATWOOT_URL": chat_url,
        "CHATWOOT_ACCOUNT_ID": "1",
        "CHATWOOT_API_TOKEN": ADMIN_TOKEN,
        "CHATWOOT_CALLS_PER_MINUTE": "100000",
        "MIDDAG_CALLS_PER_MINUTE": "100000",
        "PANEL_CACHE_URL": cache,
        "PANEL_WORKER": "separate",
        "PANEL_MASK": "never",  # a section with all of its values costs more
        "PANEL_DATABASE_URL": f"sqlite:///{folder / 'panel.db'}",
    }


def add(office: BackOffice, chat: Chatwoot, number: int) -> Visit:
    """Add an organization with a few rows, and a conversation of a visitor who claims it."""
    today = find_today()
    load(office, small(Maker(today, number), f"Empresa {number} Ltda", f"empresa{number}.example"))
    contact: dict[str, Any] = chat.add_contact(
        number,
        name=f"Pessoa {number}",
        email=f"pessoa{number}@correio.example",
        custom_attributes={"middag_organization_id": str(number)},
        contact_inboxes=[{"inbox": chat.inboxes[WEB], "source_id": f"widget-{number}"}],
    )
    chat.add_conversation(contact["id"], WEB, number)
    return Visit(number, contact["id"], number).before(chat)


def open_all(port: int, visits: list[Visit]) -> list[Opened]:
    """Open all panels at the same moment, each as a browser of its own."""
    with ThreadPoolExecutor(len(visits)) as pool:
        return list(pool.map(lambda visit: open_panel(port, visit), visits))
