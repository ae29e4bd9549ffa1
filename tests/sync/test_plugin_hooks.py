"""The route for the plugin's hooks: every row of the answers in docs/hooks.md, and the state when
it answers."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import create_engine
from werkzeug.test import TestResponse

from panel.cache.entries import Lifetimes, Resource
from panel.cache.policy import CacheControl
from panel.data import db
from panel.services import Services, get, register
from panel.sync import plugin_hooks
from panel.sync.plugin_hooks import WrongProofs
from tests.sync.engine import make_engine
from tests.sync.executor import SECRET, settings_for
from tests.sync.plugin_door import JSON, STAMP, Panel, Ring, app, client, kept, panel, refusal, ring
from tests.sync.signed_hooks import signed

__all__ = ["app", "client", "panel", "ring"]  # fixtures


SECTIONS = ("organization", "orders", "quotes", "licenses")


def versions(panel: Panel, organization: int = 42) -> list[str]:
    """Return the versions of the sections as a reader sees them now."""
    life = Lifetimes(60)
    resources = [Resource(name, organization, life, lambda body: body) for name in SECTIONS]
    return [
        panel.cache.read(resource, CacheControl.FRESH, lambda _by: [1]).version
        for resource in resources
    ]


def touched(panel: Panel, before: list[str]) -> set[str]:
    pairs = zip(SECTIONS, before, versions(panel), strict=True)
    return {name for name, old, new in pairs if old != new}


# -- accepted hooks
# ----------------------------------------------------------------------------------------


def test_a_hook_is_accepted_and_its_sections_are_touched(ring: Ring, panel: Panel) -> None:
    before = versions(panel)
    answer = ring(data={"organization_id": 42})
    assert (answer.status_code, answer.json) == (202, {"status": "accepted", "id": "h1"})
    assert kept(panel) == 1
    assert touched(panel, before) == {"orders", "licenses", "organization"}
    assert panel.sync.intake.stats().waiting == 1


def test_a_repetition_is_a_duplicate_and_touches_again(ring: Ring, panel: Panel) -> None:
    ring(data={"organization_id": 42})
    before = versions(panel)
    answer = ring(data={"organization_id": 42})
    assert (answer.status_code, answer.json) == (200, {"status": "duplicate", "id": "h1"})
    assert kept(panel) == 1
    assert touched(panel, before) == {"orders", "licenses", "organization"}


def test_what_is_no_kind_of_ours_is_kept_as_ignored(ring: Ring, panel: Panel) -> None:
    before = versions(panel)
    answer = ring(event="weather.changed", data={"organization_id": 42})
    assert (answer.status_code, answer.json) == (202, {"status": "ignored", "id": "h1"})
    assert kept(panel) == 1
    assert touched(panel, before) == set()


def test_a_kind_of_ours_without_an_organization_is_kept_and_buried(
    ring: Ring, panel: Panel
) -> None:
    answer = ring(data={"organization_id": "somebody"})
    assert (answer.status_code, answer.json) == (202, {"status": "accepted", "id": "h1"})
    assert [burial.reason for burial in panel.sync.intake.list_buried()] == ["no_organization"]


def test_a_signature_opens_as_well(ring: Ring, panel: Panel) -> None:
    body = json.dumps({"event": "order.paid", "timestamp": STAMP, "id": "body"}).encode()
    answer = ring(body, signed(body, SECRET, name="msg_7"))
    assert (answer.status_code, answer.json) == (202, {"status": "accepted", "id": "msg_7"})
    assert ring(body, signed(body, "o" * 30, name="msg_8")).status_code == 202


def test_the_body_s_hash_is_the_last_id(ring: Ring, panel: Panel) -> None:
    first, second = ring(id=None), ring(id=None)
    assert first.json is not None
    assert first.json["id"].startswith("sha256:")
    assert second.json == {"status": "duplicate", "id": first.json["id"]}


def test_a_hook_of_the_largest_size_is_taken(ring: Ring, panel: Panel) -> None:
    head = json.dumps({"event": "order.paid", "timestamp": STAMP}).encode()
    assert ring(head + b" " * (256 * 1024 - len(head))).status_code == 202


# -- wrong proofs ----------------------------------------------------------------------------------


def test_too_many_wrong_proofs_are_told_to_stop(ring: Ring, client: FlaskClient) -> None:
    wrong = {"Authorization": "Bearer wrong"}
    for _ in range(plugin_hooks.MOST_WRONG):
        refusal(ring(headers=wrong), 401, "bad_proof")
    answer = ring(headers=wrong)
    refusal(answer, 429, "too_many")
    assert answer.headers["Retry-After"] == "60"
    # The plugin may share the address, behind a proxy that we do not know of.
    assert ring().status_code == 202
    elsewhere = client.post(
        "/sync/hooks", data=b"{}", headers=JSON | wrong, environ_base={"REMOTE_ADDR": "10.0.0.9"}
    )
    refusal(elsewhere, 401, "bad_proof")


def test_strikes_are_forgotten_after_a_minute() -> None:
    now = [0.0]
    strikes = WrongProofs(clock=lambda: now[0])
    assert [strikes.add("a") for _ in range(plugin_hooks.MOST_WRONG + 2)][-3:] == [
        False,
        True,
        True,
    ]
    now[0] = plugin_hooks.WRONG_SECONDS + 1
    assert strikes.add("a") is False


def test_no_number_of_addresses_fills_the_memory() -> None:
    strikes = WrongProofs()
    for number in range(plugin_hooks.MOST_ADDRESSES * 2 + 1):
        strikes.add(str(number))
    assert strikes.count_addresses() <= plugin_hooks.MOST_ADDRESSES


# -- hooks that could not be kept
# -------------------------------------------------------------------------


def not_kept(answer: TestResponse) -> None:
    refusal(answer, 503, "not_kept")
    assert int(answer.headers["Retry-After"]) > 0


def test_503_while_somebody_else_holds_the_database(
    ring: Ring, panel: Panel, sqlite_url: str
) -> None:
    ring(id="before")
    before = versions(panel)
    foreign = create_engine(sqlite_url)
    with foreign.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        not_kept(ring(data={"organization_id": 42}))
        assert touched(panel, before) == set()
        connection.rollback()
    foreign.dispose()
    # The hook was not kept, so the repetition counts as the first delivery.
    assert ring(data={"organization_id": 42}).status_code == 202


@pytest.mark.parametrize("way", ["the folder", "the file"])
def test_503_when_the_database_is_gone(ring: Ring, panel: Panel, tmp_path: Path, way: str) -> None:
    """The connections are still open: SQLite would go on writing into a deleted file."""
    ring(id="before")
    # The counts are written now, because a later write would make a new file.
    get(Services, panel.app).deliveries.flush()
    if way == "the file":
        (tmp_path / "panel.db").unlink()
    else:
        shutil.rmtree(tmp_path)
    not_kept(ring())


def test_503_when_a_table_is_missing(ring: Ring, panel: Panel) -> None:
    with panel.sync.database.begin() as connection:
        connection.exec_driver_sql("DROP TABLE hooks")
    not_kept(ring())


def test_503_when_the_database_does_not_answer(panel: Panel, ring: Ring) -> None:
    url = "postgresql://panel@127.0.0.1:1/panel"
    away = make_engine(settings_for(url), db.connect(url))
    register(panel.app, away.queue, away.intake, away.worker)
    not_kept(ring())


READ_ONLY = """
import os, sys
from pathlib import Path
from tests.sync import plugin_door as door

url, folder = sys.argv[1], Path(sys.argv[2])
app = door.make_app(url)
database = door.Panel(app).sync.database

def ring(name):
    body = {"event": "order.paid", "timestamp": door.STAMP, "id": name}
    answer = app.test_client().post("/sync/hooks", json=body, headers=door.BEARER)
    print(answer.status_code)

ring("first")
for path in folder.iterdir():
    path.chmod(0o444)
folder.chmod(0o555)
if os.geteuid() == 0:
    os.seteuid(65534)  # for root nothing is read-only
ring("second")
database.dispose()
ring("third")
"""


def test_503_when_the_disk_is_read_only(sqlite_url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", READ_ONLY, sqlite_url, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    tmp_path.chmod(0o755)
    assert run.stdout.split() == ["202", "503", "503"], run.stderr
