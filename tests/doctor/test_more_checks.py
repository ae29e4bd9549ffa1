"""The further checks of `doctor`: whom PANEL_URL leads to, how, and what both worlds say."""

import json
import signal
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import (
    BaseHTTPRequestHandler,
    SimpleHTTPRequestHandler,
    ThreadingHTTPServer,
)
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
import requests
from werkzeug.wrappers import Response

from panel.cli.doctor import examine_outside
from panel.data.directory import Known
from panel.data.nights import CLOSING, NightRow, Nights
from panel.demo.worlds import serve
from panel.doctor import delivery
from panel.services import Services, get
from panel.web.watch import HealthWatch
from tests.broken.site import WEBHOOK_SECRET, Process, Site, site
from tests.conftest import certify, wait_until
from tests.doctor.test_doctor import PATIENCE, ask

DAY = 86400.0


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A panel that is served and set up."""
    with site(
        tmp_path_factory.mktemp("served"),
        CHATWOOT_WEBHOOK_SECRET=WEBHOOK_SECRET,
        MIDDAG_INTEGER_MONEY="units",
    ) as made:
        made.start_web()
        made.await_web()
        made.environ["PANEL_URL"] = made.url
        made.run("setup --take-over")
        for row in made.chat.webhooks.values():
            row["secret"] = WEBHOOK_SECRET
        yield made


def same(well: Site, tmp_path: Path, **changes: str) -> Site:
    """The same installation, with these settings: its database, and its cache."""
    shared = {name: well.environ[name] for name in ("PANEL_DATABASE_URL", "PANEL_CACHE_URL")}
    told = {"PANEL_URL": well.url, **shared, **changes}
    return replace(well.beside(tmp_path, **told), folder=tmp_path)


def expect(of: Site, told: str) -> None:
    """As soon as the machine lets it."""
    seen: list[str] = []

    def says() -> bool:
        seen.append(ask(of).output)
        return told in seen[-1]

    try:
        wait_until(says, PATIENCE)
    except AssertionError:
        raise AssertionError(seen[-1]) from None


class Proxy:
    """Before the panel: adds or removes headers of answers, and says whence a request comes."""

    def __init__(self, to: str, *, forwards: bool, adds: dict[str, str | None]) -> None:
        self._to = to
        self._forwards = forwards
        self._adds = adds

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Any:
        told = {"X-Forwarded-For": "203.0.113.9"} if self._forwards else {}
        path = f"{self._to}{environ['PATH_INFO']}?{environ.get('QUERY_STRING', '')}"
        got = requests.get(path, headers=told, timeout=60)
        kept = {name: got.headers[name] for name in ("Content-Type", "Content-Security-Policy")
                if name in got.headers}  # fmt: skip
        for name, value in self._adds.items():
            kept.pop(name, None)
            kept |= {name: value} if value else {}
        return Response(got.content, got.status_code, kept)(environ, start)


def behind(well: Site, forwards: bool = True, **adds: str | None) -> str:
    named = {name.replace("_", "-"): value for name, value in adds.items()}
    server = serve(Proxy(well.url, forwards=forwards, adds=named))
    well.stack.callback(server.stop)
    return server.url


# -- PANEL_URL -----------------------------------------------------------------------------------


def test_another_installation_at_panel_url_is_told(well: Site, tmp_path: Path) -> None:
    expect(well.beside(tmp_path, PANEL_URL=well.url), "PANEL_URL is another installation")


def test_this_installation_is_recognized(well: Site, tmp_path: Path) -> None:
    told = ask(same(well, tmp_path)).output
    assert "another installation, or runs" not in told
    assert "another cache" not in told


def test_two_caches_that_are_not_one_are_told(well: Site, tmp_path: Path) -> None:
    expect(same(well, tmp_path, PANEL_CACHE_URL=f"file:{tmp_path}/own"), "has another cache")


def test_a_proxy_that_nobody_named_is_told(well: Site, tmp_path: Path) -> None:
    url = behind(well)
    expect(same(well, tmp_path, PANEL_URL=url), "come through 1 proxies, and PANEL_TRUSTED_PROXIES")


def test_a_named_proxy_that_says_nothing_is_told(well: Site, tmp_path: Path) -> None:
    expect(same(well, tmp_path, PANEL_TRUSTED_PROXIES="1"), "is 1, and requests name 0")


def test_a_policy_that_a_proxy_takes_away_is_told(well: Site, tmp_path: Path) -> None:
    url = behind(well, forwards=False, Content_Security_Policy=None)
    expect(same(well, tmp_path, PANEL_URL=url), "the panel may not be shown in http://")


def test_a_header_that_forbids_frames_is_told(well: Site, tmp_path: Path) -> None:
    url = behind(well, forwards=False, X_Frame_Options="SAMEORIGIN")
    expect(same(well, tmp_path, PANEL_URL=url), "a proxy adds X-Frame-Options")


# -- both outside worlds -------------------------------------------------------------------------


def answer_with(path: str, body: Any, **headers: str) -> Any:
    def instead(environ: WSGIEnvironment) -> Response | None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        text = json.dumps(body)
        found = environ["PATH_INFO"].endswith(path)
        return Response(text, 200, named, content_type="application/json") if found else None

    return instead


@pytest.fixture
def office_says(well: Site) -> Iterator[Any]:
    before = well.fronts[0].instead
    yield lambda instead: setattr(well.fronts[0], "instead", instead)
    well.fronts[0].instead = before


@pytest.fixture
def chatwoot_says(well: Site) -> Iterator[Any]:
    before = well.fronts[1].instead
    yield lambda instead: setattr(well.fronts[1], "instead", instead)
    well.fronts[1].instead = before


def test_a_chatwoot_that_is_too_old_is_told(well: Site, chatwoot_says: Any) -> None:
    chatwoot_says(answer_with("/api", {"version": "3.14.0"}))
    expect(well, "Chatwoot is 3.14.0, older than any")


def test_what_is_no_chatwoot_is_told(well: Site, chatwoot_says: Any) -> None:
    chatwoot_says(answer_with("/api", {"hello": "world"}))
    expect(well, "does not say which Chatwoot it is")


def test_a_back_office_that_answers_guests_is_told(well: Site, office_says: Any) -> None:
    """A page cache keeps what it once answered to us."""

    def instead(environ: WSGIEnvironment) -> Response | None:
        kept = json.dumps({"success": True, "data": {"id": 42}})
        is_guest = not environ.get("HTTP_AUTHORIZATION")
        return Response(kept, content_type="application/json") if is_guest else None

    office_says(instead)
    expect(well, "answers without the secret")


class LateClock(BaseHTTPRequestHandler):
    """A Chatwoot whose clock is ten minutes behind."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"version": "4.16.2"}')

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string((timestamp or time.time()) - 600)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def answering(server: ThreadingHTTPServer) -> Iterator[int]:
    """Its port."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_clock_that_is_off_is_told(well: Site, tmp_path: Path) -> None:
    with answering(ThreadingHTTPServer(("127.0.0.1", 0), LateClock)) as port:
        late = well.beside(tmp_path, CHATWOOT_URL=f"http://127.0.0.1:{port}")
        expect(late, "s ahead of that of Chatwoot")


def test_a_certificate_that_ends_soon_is_told(well: Site, tmp_path: Path) -> None:
    """Its two days are told, although nobody but we vouch for it."""
    certificate, key = certify(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with answering(server) as port:
        url = f"https://127.0.0.1:{port}"
        secure = same(well, tmp_path, PANEL_URL=url, SSL_CERT_FILE=str(certificate))
        expect(secure, "the TLS certificate at PANEL_URL ends in")


def test_a_second_page_that_is_the_first_is_told(well: Site, office_says: Any) -> None:
    known = Known(44, "Many", None, None, None, None, None, None, "none", 0, None)
    get(Services, well.app).directory.put_organization(known)
    page = {"success": True, "data": [{"id": 1, "organization_id": 44}]}
    office_says(answer_with("/orders", page))
    expect(well, "page 2 of the orders of organization 44 is page 1 again")


# -- its own work --------------------------------------------------------------------------------


def test_nights_that_do_not_begin_any_more_are_told(well: Site, tmp_path: Path) -> None:
    """With nobody who executes, as an own database has it."""
    late, at = well.beside(tmp_path), time.time() - 3 * DAY
    Nights(get(Services, late.app).database).put(NightRow(at, at, at, CLOSING))
    expect(late, "the last nightly comparison began 3 days ago")


def test_a_backlog_that_takes_hours_is_told(well: Site, tmp_path: Path) -> None:
    slow = well.beside(tmp_path, MIDDAG_CALLS_PER_MINUTE="1")
    for number in range(1, 31):
        slow.change(
            "INSERT INTO passes (organization, waiting, tries, first, lane, position, due_at)"
            " VALUES (:number, 'x', 0, 0, 0, :number, 0)",
            number=number,
        )
    expect(slow, "30 passes wait, some 90 minutes at 1 calls a minute")


# -- its options, and /readyz --------------------------------------------------------------------


def test_a_delivery_is_sent_and_awaited(well: Site) -> None:
    contacts = set(well.chat.contacts)
    well.chat.outbox.sending = True
    told = ask(well, "--deliver").output
    well.chat.outbox.sending = False
    assert "nothing came from Chatwoot" not in told
    assert "is refused: " not in told
    assert set(well.chat.contacts) == contacts, "the test contact is gone"


def test_a_delivery_that_does_not_come_is_told(well: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "WAIT_SECONDS", 1.0)
    well.chat.outbox.sending = False
    contacts = set(well.chat.contacts)
    assert "nothing came from Chatwoot" in ask(well, "--deliver").output
    assert set(well.chat.contacts) == contacts


def test_watching_looks_again_until_it_is_interrupted(well: Site) -> None:
    lines: list[str] = []
    command = ["-m", "flask", "--app", "app", "doctor", "--watch"]
    watching = Process(command, well.environ, lines)
    wait_until(lambda: sum(" checks" in line for line in lines) > 1, PATIENCE)
    watching.send(signal.SIGINT)
    assert watching.wait() == 1
    assert "Traceback" not in "".join(lines)


def test_readyz_shows_what_the_dearer_checks_found_last(well: Site) -> None:
    watch = HealthWatch(examine_outside)
    watch.start(well.app, 0.05)
    wait_until(lambda: watch.examined, PATIENCE)
    watch.stop()
    names = {each["name"] for each in watch.examined["checks"]}
    assert {"secret", "token", "installation", "paging"} <= names
    assert "worker" not in names, "that is a part of its own"
    assert "doctor" in well.health().body


def test_who_brings_no_challenge_learns_nothing(well: Site) -> None:
    for query in ("", "?challenge=x", "?challenge=" + "g" * 32):
        assert requests.get(f"{well.url}/healthz{query}", timeout=60).json() == {"status": "alive"}
