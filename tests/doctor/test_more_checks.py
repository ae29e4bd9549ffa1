"""Further checks of `doctor`: where PANEL_URL leads, the way there, and the panel's own work."""

import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
import requests
from werkzeug.wrappers import Response

from panel.cli.doctor import examine_outside
from panel.data.nights import CLOSING, NightRow, Nights
from panel.demo.worlds import serve
from panel.doctor import delivery
from panel.health.journal import has_lost_hooks, note_newest
from panel.services import Services, get
from panel.sync.intake import Intake
from panel.web.watch import HealthWatch
from tests.broken.site import Process, Site
from tests.conftest import wait_until
from tests.doctor.well import PATIENCE, ask, expect, same, well
from tests.sync.executor import hook

__all__ = ["well"]  # a fixture


DAY = 86400.0


class Proxy:
    """A proxy before the panel: adds or removes headers of answers, and names the client of a
    request."""

    def __init__(self, to: str, *, forwards: bool, adds: dict[str, str | None]) -> None:
        self._to = to
        self._forwards = forwards
        self._adds = adds

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Any:
        headers = {"X-Forwarded-For": "203.0.113.9"} if self._forwards else {}
        path = f"{self._to}{environ['PATH_INFO']}?{environ.get('QUERY_STRING', '')}"
        answer = requests.get(path, headers=headers, timeout=60)
        names = ("Content-Type", "Content-Security-Policy")
        headers = {name: answer.headers[name] for name in names if name in answer.headers}
        for name, value in self._adds.items():
            headers.pop(name, None)
            headers |= {name: value} if value else {}
        return Response(answer.content, answer.status_code, headers)(environ, start)


def behind(well: Site, forwards: bool = True, **adds: str | None) -> str:
    values = {name.replace("_", "-"): value for name, value in adds.items()}
    server = serve(Proxy(well.url, forwards=forwards, adds=values))
    well.stack.callback(server.stop)
    return server.url


# -- PANEL_URL -------------------------------------------------------------------------------------


def test_another_installation_at_panel_url_is_told(well: Site, tmp_path: Path) -> None:
    expect(well.beside(tmp_path, PANEL_URL=well.url), "PANEL_URL is another installation")


def test_this_installation_is_recognized(well: Site, tmp_path: Path) -> None:
    output = ask(same(well, tmp_path)).output
    assert "another installation, or runs" not in output
    assert "another cache" not in output


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


# -- the panel's own work
# --------------------------------------------------------------------------------


UNDONE = {
    "webhooks": "webhook",
    "definitions": "contact attribute",
    "dashboard_apps": "dashboard app",
}


@pytest.mark.parametrize("kind", UNDONE)
def test_what_setup_made_and_somebody_deleted_is_told(well: Site, kind: str) -> None:
    rows = getattr(well.chat, kind)
    number = next(iter(rows))
    row = rows.pop(number)
    try:
        expect(well, f"create {UNDONE[kind]}")
    finally:
        rows[number] = row


def copy_database(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


def test_a_restored_backup_is_told_while_the_panel_runs_on(well: Site, tmp_path: Path) -> None:
    """Only the cache knows of the hooks that the restored database lacks."""
    restored = well.beside(tmp_path)
    shared = get(Services, restored.app)
    get(Intake, restored.app).accept(hook("before", 42, "order.paid"))
    copy_database(restored.database_file, tmp_path / "backup.db")
    get(Intake, restored.app).accept(hook("lost", 42, "order.paid"))
    note_newest(shared)
    assert not has_lost_hooks(shared)
    copy_database(tmp_path / "backup.db", restored.database_file)
    note_newest(shared)
    expect(restored, "are not in the database, as after an older backup")


def test_nights_that_do_not_begin_any_more_are_told(well: Site, tmp_path: Path) -> None:
    """No process executes passes, as with a database of its own."""
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


# -- doctor's options, and /readyz
# ---------------------------------------------------------------------


def test_a_delivery_is_sent_and_awaited(well: Site) -> None:
    contacts = set(well.chat.contacts)
    well.chat.outbox.sending = True
    output = ask(well, "--deliver").output
    well.chat.outbox.sending = False
    assert "nothing came from Chatwoot" not in output
    assert "is refused: " not in output
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
    names = {check["name"] for check in watch.examined["checks"]}
    assert {"secret", "token", "installation", "paging"} <= names
    assert "worker" not in names, "that is a part of its own"
    assert "doctor" in well.health().body


def test_who_brings_no_challenge_learns_nothing(well: Site) -> None:
    for query in ("", "?challenge=x", "?challenge=" + "g" * 32):
        assert requests.get(f"{well.url}/healthz{query}", timeout=60).json() == {"status": "alive"}
