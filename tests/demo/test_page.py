"""The demo: its scenarios, its page, its one address."""

import os
import signal
import socket
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
import requests

from panel.demo.backoffice import LISTS
from panel.demo.faults import FAULTS
from panel.demo.page import Page
from panel.demo.scenarios import SCENARIOS
from panel.demo.serve import House
from panel.demo.worlds import ADMIN_TOKEN, SECRET, demo_worlds, serve
from tests.conftest import with_tables
from tests.demo.both_worlds import TODAY, Worlds, worlds

__all__ = ["worlds"]  # a fixture


# -- The scenarios ---------------------------------------------------------------------------------


def test_every_scenario_has_its_conversation_contact_and_organizations(worlds: Worlds) -> None:
    for row in SCENARIOS.values():
        conversation = worlds.chat.conversations[row.conversation]
        assert conversation["contact_id"] == row.contact
        assert set(row.organizations) <= set(worlds.office.organizations)
        assert row.fault is None or row.fault in FAULTS


def test_behind_every_fault_is_a_healthy_organization(worlds: Worlds) -> None:
    worlds.office.heal()
    for row in SCENARIOS.values():
        for organization in row.organizations if row.fault else ():
            for name in LISTS:
                assert worlds.office.rows(name, organization), (row.name, name)


def test_ids_are_unique_within_every_list(worlds: Worlds) -> None:
    for name in LISTS:
        lists: dict[int, list[dict[str, Any]]] = getattr(worlds.office, name)
        ids = [row["id"] for rows in lists.values() for row in rows if "id" in row]
        assert len(ids) == len(set(ids)), name


def test_the_world_is_the_same_on_the_same_day() -> None:
    first_worlds, two = demo_worlds(TODAY), demo_worlds(TODAY)
    assert first_worlds[0].orders == two[0].orders
    assert first_worlds[1].conversations == two[1].conversations


def test_licenses_expire_as_many_days_from_today_as_the_scenario_says(worlds: Worlds) -> None:
    rows = worlds.read("/licenses", 46).json()["data"]
    ends = [row["expires_at"] and datetime.fromisoformat(row["expires_at"]).date() for row in rows]
    days = [end and (end - TODAY).days for end in ends]
    assert days == [3, 12, 29, -5, -20, -200, None, 180, 90]


# -- The page --------------------------------------------------------------------------------------


@pytest.fixture
def paged(worlds: Worlds) -> Worlds:
    worlds.chat.page = Page(worlds.chat, worlds.office)
    return worlds


def bench(worlds: Worlds, action: str, body: dict[str, Any]) -> requests.Response:
    return requests.post(f"{worlds.chat_url}/demo/{action}", json=body, timeout=5)


def test_the_root_leads_to_the_dashboard(paged: Worlds) -> None:
    answer = requests.get(f"{paged.chat_url}/?tab=app", timeout=5)
    assert answer.url == f"{paged.chat_url}/app/accounts/1/dashboard?tab=app"
    assert 'src="/demo/static/dashboard.js"' in answer.text


@pytest.mark.parametrize("name", ["dashboard.js", "frame.js", "dashboard.css"])
def test_the_page_brings_its_own_files(paged: Worlds, name: str) -> None:
    assert requests.get(f"{paged.chat_url}/demo/static/{name}", timeout=5).ok
    assert requests.get(f"{paged.chat_url}/demo/static/../page.py", timeout=5).status_code == 404


def test_the_page_lists_every_scenario_with_all_its_messages(paged: Worlds) -> None:
    state = requests.get(f"{paged.chat_url}/demo/state", timeout=5).json()
    rows = state["conversations"]
    assert [row["scenario"] for row in rows] == list(SCENARIOS)
    assert any(message["private"] for message in rows[0]["conversation"]["messages"])
    assert state["agent"] == {"id": 2, "name": "Bruno Lima", "email": "bruno@suporte.example"}


def test_the_bench_breaks_and_heals_one_customer(paged: Worlds) -> None:
    body = {"fault": "500", "section": "orders", "organizations": [42]}
    assert bench(paged, "fault", body).ok
    assert paged.read("/orders").status_code == 500
    assert bench(paged, "fault", {"fault": None, "organizations": [42]}).ok
    assert paged.read("/orders").status_code == 200
    assert paged.read("/orders", 53).status_code == 500


def test_the_bench_heals_all_and_breaks_as_the_scenarios_say(paged: Worlds) -> None:
    bench(paged, "chatwoot", {"down": True})
    assert paged.call("GET", "/agents").status_code == 503
    bench(paged, "heal", {})
    assert paged.office.faults == {}
    assert paged.call("GET", "/conversations/119").status_code == 200
    bench(paged, "reset", {})
    assert paged.read("/orders", 53).status_code == 500
    assert paged.call("GET", "/conversations/119").status_code == 503


def test_the_bench_refuses_what_it_does_not_know(paged: Worlds) -> None:
    assert bench(paged, "fault", {"fault": "plague"}).status_code == 422
    assert bench(paged, "plague", {}).status_code == 404


def test_the_page_is_no_call_to_chatwoot(paged: Worlds) -> None:
    requests.get(f"{paged.chat_url}/", timeout=5)
    assert paged.chat.calls == []


def test_chatwoots_webhooks_reach_the_panel_of_the_demo(tmp_path: Path) -> None:
    house = House(SECRET)
    server = serve(house)
    house.move_in(server.port, str(with_tables(tmp_path)))
    house.chat.outbox.sending = True
    url = f"http://localhost:{server.port}/api/v1/accounts/1/contacts/305"
    headers = {"Api-Access-Token": ADMIN_TOKEN}
    requests.put(url, json={"email": "new@x.example"}, headers=headers, timeout=9)
    house.chat.outbox.settle()
    assert [delivery.status for delivery in house.chat.outbox.sent] == [202]
    server.stop()


def test_a_taken_port_is_said_plainly() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        command = [sys.executable, "-m", "panel.demo", "--port", port]
        process = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert process.returncode == 2
    assert process.stderr == f"The demo cannot listen on port {port}: Address already in use.\n"


def test_the_demo_opens_one_address_and_ends_quietly_however_often_it_is_told(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-m", "panel.demo", "--port", "0"]
    with subprocess.Popen(
        command, stdout=PIPE, stderr=PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)}
    ) as demo:
        assert demo.stdout is not None
        line = demo.stdout.readline()
        address = line.split()[1]
        assert requests.get(address, timeout=5).url.endswith("/app/accounts/1/dashboard")
        frame = address.replace("localhost", "127.0.0.1")
        assert requests.get(frame, timeout=5).status_code == 200
        assert requests.get(f"{frame}wp-json/", timeout=5).json()["code"] == "rest_no_route"
        demo.send_signal(signal.SIGTERM)
        demo.send_signal(signal.SIGTERM)
        rest = demo.communicate(timeout=20)
    assert (demo.returncode, rest, list(tmp_path.iterdir())) == (0, ("", ""), [])
