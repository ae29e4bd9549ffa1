"""`doctor` about the back office and Chatwoot."""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from wsgiref.types import WSGIEnvironment

import pytest
from werkzeug.wrappers import Response

from panel.data.directory import Known
from panel.doctor.chatwoot import examine_filter
from panel.doctor.diagnosis import WARNING
from panel.services import Services, get
from tests.broken.site import Site
from tests.conftest import certify
from tests.doctor.well import expect, same, well

__all__ = ["well"]  # a fixture


def answer_with(path: str, body: Any, **headers: str) -> Any:
    def instead(environ: WSGIEnvironment) -> Response | None:
        values = {name.replace("_", "-"): value for name, value in headers.items()}
        text = json.dumps(body)
        is_match = environ["PATH_INFO"].endswith(path)
        return Response(text, 200, values, content_type="application/json") if is_match else None

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


def test_a_failed_question_of_doctor_alone_does_not_stand_in_readyz(
    well: Site, chatwoot_says: Any
) -> None:
    shared = well.services_of(well.app)
    chatwoot_says(lambda environ: Response("no", 502) if "filter" in environ["PATH_INFO"] else None)
    assert [diagnosis.state for diagnosis in examine_filter(shared)] == [WARNING]
    assert shared.chatwoot.trouble is None


def test_what_is_no_chatwoot_is_told(well: Site, chatwoot_says: Any) -> None:
    chatwoot_says(answer_with("/api", {"hello": "world"}))
    expect(well, "does not say which Chatwoot it is")


def test_a_back_office_that_answers_guests_is_told(well: Site, office_says: Any) -> None:
    """A page cache keeps an answer that was meant for us."""

    def instead(environ: WSGIEnvironment) -> Response | None:
        body = json.dumps({"success": True, "data": {"id": 42}})
        is_guest = not environ.get("HTTP_AUTHORIZATION")
        return Response(body, content_type="application/json") if is_guest else None

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
        """Log nothing."""


@contextmanager
def answering(server: ThreadingHTTPServer) -> Iterator[int]:
    """Serve, and yield the port."""
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
    """Doctor reports the two days, although no public authority signed the certificate."""
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
    company = Known(44, "Many", None, None, None, None, None, None, "none", 0, None)
    get(Services, well.app).directory.put_organization(company)
    page = {"success": True, "data": [{"id": 1, "organization_id": 44}]}
    office_says(answer_with("/orders", page))
    expect(well, "page 2 of the orders of organization 44 is page 1 again")
