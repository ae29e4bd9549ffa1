"""A sentence as a private note: written once, whichever agents click and whichever processes
die."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from sqlalchemy import select

from panel.data.audit_log import NOTED, access_log
from panel.data.notes import NOTE_LEASE_SECONDS, make_mark, private_notes
from panel.demo.chatwoot import Failure, never
from panel.demo.world import Call
from panel.demo.worlds import AGENT_TOKEN
from tests.conftest import MakePanel, Panel, attribute, seal_of, words_of
from tests.web.copying import copied, copies, first_row


@pytest.fixture
def signed(make_panel: MakePanel) -> tuple[Panel, str]:
    """A panel whose agents sign in, and the seal of an agent who has signed in."""
    panel = make_panel(PANEL_AGENT_PROOF="access-token")
    return panel, sign_in(panel)


def sign_in(panel: Panel) -> str:
    answer = post(panel, "/sign-in", data={"token": AGENT_TOKEN, **panel.hints()})
    cookies = answer.cookies.get_dict()
    opening = post(panel, "/contact", data=panel.hints(), cookies=cookies)
    return seal_of(opening.text)


def post(panel: Panel, path: str, bearer: str | None = None, **options: Any) -> requests.Response:
    headers = {"Origin": panel.url, "Accept-Language": "en"}
    return panel.ask("POST", path, bearer, headers=headers, **options)


def note(
    panel: Panel, seal: str, record: str, section: str = "orders", **more: Any
) -> requests.Response:
    return post(panel, "/notes", seal, data={"section": section, "record": record, **more})


def notes_of(panel: Panel) -> list[dict[str, Any]]:
    messages = panel.chat.conversations[101]["messages"]
    return [message for message in messages if str(message["source_id"]).startswith("middag-note:")]


def fail_notes(panel: Panel, failure: Failure) -> None:
    def fail(call: Call) -> Failure | None:
        return failure if call.method == "POST" and call.path.endswith("/messages") else None

    panel.chat.failures = fail


def outcome(answer: requests.Response) -> str | None:
    return attribute(answer.text, "data-note")


def test_a_note_is_the_sentence_private_and_written_once(signed: tuple[Panel, str]) -> None:
    panel, seal = signed
    row = first_row(panel, seal, "orders")
    sentence = copied(copies(panel, seal, "orders", row))[1]
    first = note(panel, seal, row, text="<b>what a form says</b>", content="no", sentence="no")
    assert (first.status_code, outcome(first)) == (200, "written")
    again = note(panel, seal, row)
    assert (again.status_code, outcome(again)) == (200, "written_before")
    [written_note] = notes_of(panel)
    assert written_note["content"] == sentence
    assert written_note["private"] is True
    with panel.services.database.connect() as connection:
        rows = list(connection.execute(select(access_log).where(access_log.c.what == NOTED)))
    assert [
        (entry.agent, entry.conversation, entry.organization, entry.note) for entry in rows
    ] == [(2, 101, 42, f"orders {row}")]


def test_many_clicks_in_many_processes_write_one_note(
    signed: tuple[Panel, str], make_panel: MakePanel
) -> None:
    panel, seal = signed
    other = make_panel(PANEL_AGENT_PROOF="access-token")
    row = first_row(panel, seal, "orders")
    with ThreadPoolExecutor(8) as pool:
        clicks = [pool.submit(note, owner, seal, row) for owner in (panel, other) * 4]
        outcomes = [outcome(click.result()) for click in clicks]
    assert outcomes.count("written") == 1
    assert set(outcomes) <= {"written", "written_before", "being_written"}
    assert len(notes_of(panel)) == 1


def leave_lease(panel: Panel, sentence: str, row: str, ago: float) -> None:
    """Leave the row of a process that began so many seconds ago, and was killed."""
    began = time.time() - ago
    values = {"conversation": 101, "mark": make_mark(101, "orders", int(row), sentence)}
    values |= {"begun_at": began, "leased_until": began + NOTE_LEASE_SECONDS}
    with panel.services.database.begin() as connection:
        connection.execute(private_notes.insert(), values)


@pytest.mark.parametrize("is_kept", [True, False])
@pytest.mark.parametrize("has_arrived", [True, False])
def test_a_process_that_died_in_between_doubles_nothing_and_loses_nothing(
    signed: tuple[Panel, str], has_arrived: bool, is_kept: bool
) -> None:
    """`is_kept`: whether this Chatwoot keeps the writer's id of the message."""
    panel, seal = signed
    row = first_row(panel, seal, "orders")
    sentence = copied(copies(panel, seal, "orders", row))[1]
    leave_lease(panel, sentence, row, NOTE_LEASE_SECONDS + 1)
    mark = make_mark(101, "orders", int(row), sentence)
    if has_arrived:
        panel.chat.add_message(
            101, sentence, message_type=1, private=True, source_id=mark if is_kept else None
        )
    for talk in range(50):  # the conversation went on since then
        panel.chat.add_message(101, f"message {talk}")
    answer = note(panel, seal, row)
    assert outcome(answer) == ("written_before" if has_arrived else "written")
    messages = panel.chat.conversations[101]["messages"]
    assert len([message for message in messages if message["content"] == sentence]) == 1


def test_while_somebody_may_be_writing_it_nobody_else_does(signed: tuple[Panel, str]) -> None:
    panel, seal = signed
    row = first_row(panel, seal, "orders")
    leave_lease(panel, copied(copies(panel, seal, "orders", row))[1], row, 1)
    assert outcome(note(panel, seal, row)) == "being_written"
    assert notes_of(panel) == []


def test_a_note_that_arrived_without_an_answer_is_called_unsettled_and_found_later(
    signed: tuple[Panel, str],
) -> None:
    panel, seal = signed
    row = first_row(panel, seal, "orders")
    fail_notes(panel, Failure(504, applied=True))
    answer = note(panel, seal, row)
    assert (answer.status_code, outcome(answer)) == (503, "unsettled")
    assert "may have been written" in words_of(answer.text)
    panel.chat.failures = never
    with panel.services.database.begin() as connection:
        connection.execute(private_notes.update().values(leased_until=0.0))
    assert outcome(note(panel, seal, row)) == "written_before"
    assert len(notes_of(panel)) == 1


def test_a_refused_note_is_not_there_and_may_be_tried_again_at_once(
    signed: tuple[Panel, str],
) -> None:
    panel, seal = signed
    row = first_row(panel, seal, "orders")
    fail_notes(panel, Failure(429))
    answer = note(panel, seal, row)
    assert (answer.status_code, outcome(answer)) == (503, "failed")
    assert "rate_limited" in answer.text
    panel.chat.failures = never
    assert outcome(note(panel, seal, row)) == "written"


def test_there_is_no_note_without_a_sentence_a_seal_or_a_page_of_ours(
    signed: tuple[Panel, str],
) -> None:
    panel, seal = signed
    assert note(panel, seal, "999999999").status_code == 404
    assert note(panel, seal, "x").status_code == 400
    assert note(panel, seal, "1", section="organization").status_code == 404
    assert post(panel, "/notes", data={"section": "orders", "record": 1}).status_code == 401
    foreign = {"Origin": "https://elsewhere.example"}
    form = {"section": "orders", "record": first_row(panel, seal, "orders")}
    assert panel.ask("POST", "/notes", seal, data=form, headers=foreign).status_code == 403
    assert notes_of(panel) == []


def test_without_a_proven_agent_there_are_no_notes(panel: Panel) -> None:
    seal = seal_of(panel.open().text)
    row = first_row(panel, seal, "orders")
    answer = note(panel, seal, row)
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "agent_not_proven"
    assert "/notes" not in copies(panel, seal, "orders", row).text
    assert notes_of(panel) == []


def test_old_rows_of_notes_are_forgotten(signed: tuple[Panel, str]) -> None:
    panel, seal = signed
    note(panel, seal, first_row(panel, seal, "orders"))
    notes = panel.services.notes
    notes.prune(time.time() - 86400)
    with panel.services.database.connect() as connection:
        assert len(list(connection.execute(select(private_notes)))) == 1
    notes.prune(time.time() + 86400)
    with panel.services.database.connect() as connection:
        assert list(connection.execute(select(private_notes))) == []
