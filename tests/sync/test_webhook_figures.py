"""Chatwoot's own webhooks: their figures for administrators."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client import REGISTRY
from sqlalchemy import Engine, event

from panel.application import stop_work
from panel.deliveries import REFUSAL_REASONS
from panel.serving.framing import LARGEST_WEBHOOK
from tests.conftest import MakePanel
from tests.executing import executing
from tests.sync.webhook_door import RAW, SECRET, Door, door, make_door, refused, signature, talk

__all__ = ["door", "make_door"]  # fixtures


def counted(answer: str) -> float:
    labels = {"answer": answer}
    return REGISTRY.get_sample_value("panel_chatwoot_webhooks_total", labels) or 0.0


def send(door: Door, reason: str) -> requests.Response:
    """Send a delivery that is refused for this reason, or accepted."""
    other = {"wrong_signature": signature(RAW, secret="another"), "unsigned": {}}
    if reason in other:
        return door.post(RAW, **other[reason])
    if reason == "stale":
        return door.post(RAW, **signature(RAW, time.time() - 400))
    if reason == "too_large":
        return door.post(b" " * (LARGEST_WEBHOOK + 1))
    raw = b"[]" if reason == "unreadable" else RAW
    return door.post(raw, **signature(raw))


def status_of(door: Door) -> Any:
    """Return the webhooks' part of `sync status`; `is_problem`: whether they stand among the
    problems."""
    outcome = door.panel.app.test_cli_runner().invoke(args=["sync", "status", "--json"])
    state = json.loads(outcome.stdout)
    is_problem = any("Chatwoot's webhooks are not well" in problem for problem in state["problems"])
    return state["chatwoot_webhooks"] | {"is_problem": is_problem}


def ready_of(door: Door) -> tuple[str, str, str]:
    """Return the answer of `/readyz`: the whole status, the word and the sentence."""
    with executing(door.panel.services.database):
        body = door.panel.ask("GET", "/readyz").json()
    name = "chatwoot_webhooks"
    return body["status"], body["parts"][name], body["details"][name]


@pytest.mark.parametrize("reason", ["unsigned", "wrong_signature", "stale"])
def test_a_webhook_that_is_refused_is_seen(
    door: Door, caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    before = counted(reason)
    for _ in range(14):
        refused(send(door, reason), reason)
    words = REFUSAL_REASONS[reason].words
    assert counted(reason) - before == 14
    [line] = [record.getMessage() for record in caplog.records if "webhook" in record.getMessage()]
    assert words in line
    assert REFUSAL_REASONS[reason].advice in line
    overall, word, detail = ready_of(door)
    assert (overall, word) == ("degraded", "refused")
    assert f"refused: {words}, 14 in the last hour; none was ever accepted" in detail
    status = status_of(door)
    assert (status["state"], status["detail"], status["is_problem"]) == ("refused", detail, True)
    assert status["refused"][reason]["count"] == 14
    assert (
        f"of Chatwoot: {detail}"
        in door.panel.app.test_cli_runner().invoke(args=["sync", "status"]).stdout
    )


@pytest.mark.parametrize("reason", ["too_large", "unreadable"])
def test_a_single_delivery_that_cannot_be_read_is_seen_and_alarms_nobody(
    door: Door, caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    before = counted(reason)
    send(door, "accepted")
    send(door, reason)
    assert counted(reason) - before == 1
    assert REFUSAL_REASONS[reason].words in caplog.text
    overall, word, detail = ready_of(door)
    assert (overall, word) == ("ready", "ok")
    assert f"refused: {REFUSAL_REASONS[reason].words}, 1 in the last hour" in detail


def test_a_webhook_that_cannot_be_kept_is_seen(
    door: Door, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fields, before = talk(door, "bia@acme.example"), counted("not_kept")
    (tmp_path / "panel.db.writing.lock").unlink(missing_ok=True)
    # A folder cannot be locked, so no hook can be written.
    (tmp_path / "panel.db.writing.lock").mkdir()
    answer = door.tell("conversation_created", **fields)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_kept")
    assert counted("not_kept") - before == 1
    assert "not kept" in caplog.text
    assert ready_of(door)[:2] == ("degraded", "refused")


def test_webhooks_without_a_secret_here_are_seen(make_door: MakePanel) -> None:
    door = Door(make_door())
    assert ready_of(door)[:2] == ("ready", "unused")
    assert ready_of(door)[2] == "no secret set; none has ever come"
    send(door, "accepted")
    overall, word, detail = ready_of(door)
    assert (overall, word) == ("degraded", "refused")
    assert "no secret set, 1 in the last hour" in detail
    assert status_of(door)["state"] == "refused"


def test_webhooks_that_never_came_are_missed_where_a_secret_is_set(door: Door) -> None:
    assert ready_of(door) == ("degraded", "never", "none has ever come")
    assert status_of(door) == {
        "state": "never",
        "detail": "none has ever come",
        "last_accepted": None,
        "refused": {},
        "is_problem": True,
    }


def test_an_accepted_webhook_ends_the_alarm_and_a_refused_one_begins_it(door: Door) -> None:
    send(door, "wrong_signature")
    send(door, "accepted")
    assert ready_of(door)[:2] == ("ready", "ok")
    assert ready_of(door)[2].startswith("ok, last accepted just now")
    assert status_of(door)["last_accepted"] == pytest.approx(time.time(), abs=60)
    assert status_of(door)["is_problem"] is False
    send(door, "wrong_signature")
    assert ready_of(door)[:2] == ("degraded", "refused")
    assert "last accepted just now" in ready_of(door)[2]


def test_a_secret_that_was_lost_is_missed_before_the_next_webhook(make_door: MakePanel) -> None:
    send(Door(make_door(CHATWOOT_WEBHOOK_SECRET=SECRET)), "accepted")
    door = Door(make_door())
    assert ready_of(door)[:2] == ("degraded", "no_secret")
    assert ready_of(door)[2] == "no secret set; last accepted just now"


def test_what_one_process_refused_is_told_by_another_and_after_a_restart(
    make_door: MakePanel,
) -> None:
    """The first count is written at once, the rest at the end of the process: nobody waits for the
    next write."""
    first = Door(make_door(CHATWOOT_WEBHOOK_SECRET=SECRET))
    for _ in range(3):
        send(first, "unsigned")
    stop_work(first.panel.app)
    second = Door(make_door(CHATWOOT_WEBHOOK_SECRET=SECRET))
    assert status_of(second)["refused"]["unsigned"]["count"] == 3


def test_refusals_do_not_write_to_the_database_each(door: Door) -> None:
    statements: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        for reason in ("unsigned", "wrong_signature") * 30:
            send(door, reason)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert len([statement for statement in statements if "INSERT" in statement]) < 10
    assert sum(row["count"] for row in status_of(door)["refused"].values()) == 60


def test_every_answer_is_a_series_from_the_start(door: Door) -> None:
    text = door.panel.ask("GET", "/metrics").text
    for answer in (*REFUSED_ANSWERS, "accepted"):
        assert f'panel_chatwoot_webhooks_total{{answer="{answer}"}}' in text


REFUSED_ANSWERS = (
    *("no_secret", "unsigned", "wrong_signature", "stale"),
    *("too_large", "unreadable", "not_kept"),
)
