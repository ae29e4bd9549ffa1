"""The id of a request: in the answer, beside the code, in the log, and in both outside worlds."""

import logging
import re

import pytest

from panel.services import get
from panel.sync.jobs import Jobs
from panel.sync.worker import Worker
from tests.conftest import MakePanel, Panel, seal_of, wait_until

HEADER = "X-Request-Id"
GIVEN = "0123456789abcdef-from.the_proxy"


def shown(html: str) -> str:
    """Return the id that an agent reads beside the code."""
    match = re.search(r"<samp>([^<]*)</samp>", html)
    return match[1] if match else ""


def test_every_request_has_an_id_of_its_own_that_both_worlds_hear(panel: Panel) -> None:
    opening = panel.open()
    first = opening.headers[HEADER]
    assert re.fullmatch(r"[0-9a-f]{10}", first)
    assert {call.headers.get("x-request-id") for call in panel.chat.calls} == {first}
    answer = panel.section("orders", seal_of(opening.text))
    assert answer.headers[HEADER] != first
    assert panel.office.calls[-1].headers["x-request-id"] == answer.headers[HEADER]


@pytest.mark.parametrize("path", ["/healthz", "/", "/no-such-address", "/changes"])
def test_what_shows_no_customer_has_an_id_too(panel: Panel, path: str) -> None:
    assert len(panel.ask("GET", path).headers[HEADER]) == 10


def test_only_a_trusted_proxy_may_say_the_id(make_panel: MakePanel) -> None:
    trusting, alone = make_panel(PANEL_TRUSTED_PROXIES="1"), make_panel()
    headers = {HEADER: GIVEN}
    assert trusting.ask("GET", "/healthz", headers=headers).headers[HEADER] == GIVEN
    assert alone.ask("GET", "/healthz", headers=headers).headers[HEADER] != GIVEN


@pytest.mark.parametrize(
    "wrong", ["", "short", "x" * 65, "<script>alert(1)</script>", "a b c d e f"]
)
def test_what_is_no_id_is_replaced(make_panel: MakePanel, wrong: str) -> None:
    panel = make_panel(PANEL_TRUSTED_PROXIES="1")
    assert len(panel.ask("GET", "/healthz", headers={HEADER: wrong}).headers[HEADER]) == 10


def test_it_stands_beside_every_code_that_an_agent_reads(
    panel: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    """The id stands in the line about the agent's view, too; a code is drawn for each agent
    separately."""
    caplog.set_level(logging.INFO, "panel")
    seal = seal_of(panel.open().text)
    panel.section("quotes", seal)
    panel.office.fault("500", 42)
    failed = [panel.section("orders", seal) for _ in range(3)]
    late = panel.refresh("quotes", seal)
    panel.chat.down = True
    failure = panel.open(conversation=102)
    panel.chat.down = False
    denied = panel.open(agent_id=999)
    answers = [*failed, late, failure, denied]
    assert [shown(answer.text) for answer in answers] == [
        reply.headers[HEADER] for reply in answers
    ]
    assert len({shown(answer.text) for answer in answers}) == len(answers)
    events = [record.__dict__.get("fields", {}) for record in caplog.records]
    rows = [event for event in events if event.get("section") == "orders"]
    assert [(row["state"], row["code"], row["organization"]) for row in rows] == [
        ("failed", "http_500", 42)
    ] * 3


def test_each_pass_has_an_id_that_both_worlds_hear(panel: Panel) -> None:
    jobs, worker = get(Jobs, panel.app), get(Worker, panel.app)
    worker.start(jobs.bring_in_line)
    hook = {"event": "organization.updated", "timestamp": "2026-05-04T14:30:00Z"}
    try:
        for organization in (42, 66):
            body = {**hook, "data": {"organization_id": organization}}
            assert panel.ask("POST", "/sync/hooks", panel.settings.secret, json=body).ok
        paths = [f"/organizations/{number}" for number in (42, 66)]
        wait_until(lambda: all(panel.office.count(path) for path in paths))
    finally:
        worker.stop()
    calls = [call for call in panel.office.calls if "/organizations/" in call.path]
    ids = {call.path: call.headers["x-request-id"] for call in calls}
    assert len(set(ids.values())) == 2
    assert all(re.fullmatch(r"[0-9a-f]{10}", text) for text in ids.values())
