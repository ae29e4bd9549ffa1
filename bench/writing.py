"""The rows of the writing wing: accepted hooks per second, and the time until an agent sees a
change."""

import json
import random
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

from playwright.sync_api import Frame, sync_playwright

from bench import machine
from bench.figures import Samples, alternate, percentile, ratios
from bench.reading import CONNECTIONS
from bench.stage import API, HEALTHY, Absent, Panel, Stage
from bench.wire import HOST, Load, load, request
from panel.auth.tokens import make_launch_url
from panel.cli.definitions import EVENTS
from panel.data import db, inbox
from panel.demo.backoffice import BackOffice
from panel.demo.chatwoot import Chatwoot
from panel.demo.companies import Maker
from panel.demo.events import add_spoken, tell_conversation_created, tell_message_created
from panel.demo.page import Page as ChatwootPage
from panel.demo.scenarios import WEB
from panel.demo.world import Call, Json
from panel.demo.worlds import SECRET, demo_worlds, find_today, serve
from panel.settings import from_env
from tests import postgres
from tests.browser.chromium import find_chromium

PEOPLE = 19  # and the company's own contact
HOOKS = 1000
COLLEAGUES = 59  # and the company's own contact
WEBHOOK_SECRET = "bench-secret-of-the-webhook"  # noqa: S105 (the built-in Chatwoot's)
FRAME = "iframe#dashboard-app--frame-0-0"
# The moment at which the row stood in the page, by the machine's clock, which is ours too.
WATCH = """(id) => { window.benchSeen = new Promise((done) => {
  const watch = new MutationObserver(() => {
    if (!document.querySelector(`[data-row="${id}"]`)) return;
    watch.disconnect();
    done(Date.now());
  });
  watch.observe(document.documentElement, {childList: true, subtree: true, attributes: true});
}); }"""

_numbers = count(1)


def hook_request(organization: int, event: str = "order.updated") -> bytes:
    hook = {
        "id": f"bench-{next(_numbers)}",
        "event": event,
        "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "data": {"organization_id": organization, "id": organization * 100 + 1},
    }
    body = json.dumps(hook).encode()
    return request("POST", "/sync/hooks", SECRET, body=body, Content_Type="application/json")


def hooks(stage: Stage, shape: str) -> list[Samples]:
    """Send hooks of a thousand organizations in turn, all with new ids, while nobody executes
    passes."""
    environ = stage.environ(shape)
    with stage.panel(environ) as panel, stage.rival() as rival:
        turns = stage.times(3, 9)
        load(panel.port, [hook_request(1) for _ in range(50)], CONNECTIONS).only(202)
        pairs = alternate(lambda: _ring(stage, panel.port), lambda: _ring(stage, rival.port), turns)
    rates = [(ours.rate, theirs.rate) for ours, theirs in pairs]
    slow = [
        tuple(1000 * percentile(load_of_pair.times, 99) for load_of_pair in pair) for pair in pairs
    ]
    ours, theirs = max(rates)
    took = ", bare ".join(
        f"{statistics.median(column):.0f} ms" for column in zip(*slow, strict=True)
    )
    return [
        Samples(ratios(rates), f"{ours:.0f} hooks/s, bare {theirs:.0f}; {CONNECTIONS} connections"),
        Samples([ours / theirs for ours, theirs in slow], took),
    ]


def _ring(stage: Stage, port: int) -> Load:
    hook_requests = (hook_request(1 + number % 1000) for number in _numbers)
    return load(port, hook_requests, CONNECTIONS, 1.0 if stage.quick else 3.0).only(202)


def hooks_on_postgresql(stage: Stage, shape: str) -> list[Samples]:
    """Send the same hooks to a panel on PostgreSQL with fsync, in turns with a panel on SQLite."""
    folder = postgres.programs()
    if folder is None:
        raise Absent("no PostgreSQL here")
    sqlite = stage.environ(shape)
    with postgres.cluster(folder, fsync="on") as address:
        url = postgres.create(address, "bench")
        other = stage.environ(shape, PANEL_DATABASE_URL=url)
        with stage.panel(sqlite) as first, stage.panel(other) as second:
            pairs = alternate(
                lambda: _ring(stage, second.port),
                lambda: _ring(stage, first.port),
                stage.times(2, 5),
            )
    rates = [(ours.rate, theirs.rate) for ours, theirs in pairs]
    return [Samples(ratios(rates), f"{max(rates)[0]:.0f} hooks/s")]


def melting(stage: Stage, shape: str) -> list[Samples]:
    """Send a thousand hooks of an organization that Chatwoot does not know yet, while a worker
    works."""
    (visit,) = stage.newcomers(1)
    maker = Maker(find_today(), visit.organization)
    for at in range(3, PEOPLE + 1):
        email = f"pessoa{at}@empresa{visit.organization}.example"
        stage.office.put("collaborators", visit.organization, maker.collaborator(at, email))
    environ = stage.environ(shape)
    with stage.panel(environ) as panel, machine.worker(environ, stage.folder / "worker.log"):
        stage.chat.forget()
        hook_requests = [
            hook_request(visit.organization, "entitlement.renewed") for _ in range(HOOKS)
        ]
        load(panel.port, hook_requests, CONNECTIONS).only(202)
        _await_done(environ, HOOKS)
    writes = [call for call in stage.chat.calls if _writes(call)]
    contacts = [row for row in stage.chat.contacts.values() if _belongs(row, visit.organization)]
    number = len(contacts) - 1  # without the visitor, whose claim is their own
    if number != PEOPLE + 1:
        raise RuntimeError(f"{number} contacts")
    return [Samples([len(writes) / number], f"{len(writes)} writes for {number} contacts")]


def new_conversations(stage: Stage, shape: str) -> list[Samples]:
    """Let a person of a company of sixty begin conversations: Chatwoot sends webhooks, and a worker
    works."""
    (visit,) = stage.newcomers(1)
    maker = Maker(find_today(), visit.organization)
    for at in range(3, COLLEAGUES + 1):
        email = f"colega{at}@empresa{visit.organization}.example"
        stage.office.put("collaborators", visit.organization, maker.collaborator(at, email))
    environ = stage.environ(shape, CHATWOOT_WEBHOOK_SECRET=WEBHOOK_SECRET)
    # So high that it limits nothing: the row measures the cost.
    environ["CHATWOOT_CALLS_PER_MINUTE"] = "100000"
    calls, seconds = [], []
    with stage.panel(environ) as panel, machine.worker(environ, stage.folder / "naming.log"):
        load(panel.port, [hook_request(visit.organization, "entitlement.renewed")], 1).only(202)
        _await_done(environ, 1)
        with _listening(stage.chat, panel.port):
            contacts = [row["id"] for row in stage.chat.contacts.values() if _is_colleague(row)]
            for contact in contacts[: stage.times(3, 20)]:
                cost, took = _await_name(stage.chat, contact)
                calls.append(cost)
                seconds.append(took)
    middle = statistics.median(seconds)
    return [
        Samples(calls, f"{len(calls)} conversations of a company of {COLLEAGUES + 1}"),
        Samples(seconds, f"seconds; half of {len(seconds)} within {middle:.2f}"),
    ]


@contextmanager
def _listening(chat: Chatwoot, port: int) -> Iterator[None]:
    """Let Chatwoot send its webhooks to the panel."""
    url = f"http://{HOST}:{port}/sync/chatwoot"
    hook = {"id": 1, "url": url, "secret": WEBHOOK_SECRET, "subscriptions": list(EVENTS)}
    chat.webhooks[1] = hook
    chat.outbox.sending = True
    yield
    chat.outbox.sending = False
    del chat.webhooks[1]


def _is_colleague(contact: Json) -> bool:
    return "colega" in str(contact["email"])


def _await_name(chat: Chatwoot, contact: int) -> tuple[float, float]:
    """Return the calls to Chatwoot and the seconds, from the new conversation to its name and a
    second longer."""
    talk = chat.add_conversation(contact, WEB)
    chat.forget()
    started_at = time.monotonic()
    with chat.lock:
        tell_conversation_created(chat, talk)
        tell_message_created(chat, talk, add_spoken(chat, talk, "Hello"))
    machine.wait_until(lambda: "middag_organization" in talk["custom_attributes"], 60)
    took = time.monotonic() - started_at
    chat.outbox.settle()
    time.sleep(1.5)  # the event of our own write would cost calls now
    return float(sum("definitions" not in call.path for call in chat.calls)), took


def _writes(call: Call) -> bool:
    return call.method != "GET" and not call.path.endswith("/filter")


def _belongs(contact: Json, organization: int) -> bool:
    return bool(contact["custom_attributes"].get("middag_organization_id") == str(organization))


def _await_done(environ: dict[str, str], number: int) -> None:
    database = db.connect(environ["PANEL_DATABASE_URL"])

    def done() -> bool:
        with database.connect() as connection:
            return inbox.count_hooks(connection, time.time()).done >= number

    try:
        machine.wait_until(done, 120)
    finally:
        database.dispose()


# -- in a browser --------------------------------------------------------------------------------


def in_a_browser(stage: Stage, shape: str) -> list[Samples]:
    """Measure from the sender's request to the changed row on the screen, at random moments of the
    clock."""
    try:
        program = find_chromium()
    except LookupError as error:
        raise Absent(str(error)) from None
    seconds = []
    with (
        _shop_window(stage, shape) as window,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program, args=["--no-sandbox"]) as chromium,
    ):
        page = chromium.new_page()
        page.goto(f"{window.chat_url}/?scenario=healthy&tab=app")
        page.frame_locator(FRAME).locator("[data-section=orders][data-state=fresh]").wait_for()
        frame = next(
            candidate for candidate in page.frames if candidate.url.startswith(window.panel_url)
        )
        for _ in range(stage.times(10, 40)):
            page.wait_for_timeout(random.uniform(0, 2000))  # noqa: S311 (no secret)
            seconds.append(_seen_after(window, frame))
    middle = statistics.median(seconds)
    return [Samples(seconds, f"seconds; half of {len(seconds)} within {middle:.2f}")]


@dataclass(frozen=True)
class ShopWindow:
    """Worlds whose Chatwoot has a page with our panel in its frame."""

    office: BackOffice
    chat_url: str
    panel: Panel

    @property
    def panel_url(self) -> str:
        return f"http://{HOST}:{self.panel.port}"


@contextmanager
def _shop_window(stage: Stage, shape: str) -> Iterator[ShopWindow]:
    office, chat = demo_worlds(find_today())
    chat.page = ChatwootPage(chat, office)
    servers = serve(office.app), serve(chat.app)
    # For the browser these are two sites, as in life: localhost frames 127.0.0.1.
    chat_url = f"http://localhost:{servers[1].port}"
    worlds = {"MIDDAG_API_URL": servers[0].url + API, "CHATWOOT_URL": chat_url}
    environ = stage.environ(shape, PANEL_WORKER="inside", **worlds)
    try:
        with stage.panel(environ) as panel:
            window = ShopWindow(office, chat_url, panel)
            frame = {"type": "frame", "url": make_launch_url(from_env(environ), window.panel_url)}
            chat.dashboard_apps[1] = {"id": 1, "title": "MIDDAG", "content": [frame]}
            yield window
    finally:
        for server in servers:
            server.stop()


def _seen_after(window: ShopWindow, frame: Frame) -> float:
    """Replace a row by another, and send the plugin's hook; returns the seconds until the row is
    seen."""
    rows = window.office.rows("orders", HEALTHY.organization)
    old, number = rows[0], max(row["id"] for row in rows) + 1
    with window.office.lock:
        rows[0] = {**old, "id": number}
    frame.evaluate(WATCH, number)
    started_at = time.time()
    window.panel.ask(hook_request(HEALTHY.organization))
    appeared: float = frame.evaluate("window.benchSeen")
    return appeared / 1000 - started_at
