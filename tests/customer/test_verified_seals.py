"""A seal after a verification: its end, and forged requests."""

import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text, update

from panel.auth.tokens import derive_launch_key
from panel.data.db import transaction
from panel.data.verification_tries import MOST_TRIES
from panel.data.verifications import verifications
from panel.demo.chatwoot import Failure
from panel.demo.world import Call
from panel.web.sections import SECTIONS
from tests.conftest import MakePanel, Panel, attribute
from tests.customer.strangers import opened, secrets, told, writes
from tests.customer.verifying import (
    ADMINISTRATOR,
    acme,
    key_of,
    logged,
    make,
    say,
    seal_for,
    search,
    shown,
    use_up,
    verified,
    visits,
)
from tests.sync.webhook_door import signature

__all__ = ["acme", "make"]  # fixtures


WEBHOOK_SECRET = "the-secret-of-the-webhook"


def is_refused(panel: Panel, seal: str) -> bool:
    """Tell whether no section shows anything with this seal."""
    answers = [panel.section(name, seal, wait=1) for name in SECTIONS]
    return all(
        answer.status_code == 401 and "data-section" not in answer.text for answer in answers
    )


# -- a seal that was verified ----------------------------------------------------------------------


def test_after_undo_no_seal_of_it_opens_anything_in_any_tab_or_process(
    make: MakePanel, acme: Panel
) -> None:
    number, process = visits(acme), make()
    seal = verified(acme, number)
    second = seal_for(process, number)
    assert shown(process, second) == secrets(acme)[2:4]
    undone = say(acme, seal, undo=1)
    assert told(undone.text) == ("ready", "42", "claimed", "unproven")
    assert is_refused(acme, seal)
    assert is_refused(process, second)
    for path in ("/changes", "/attention"):
        assert acme.ask("GET", path, second).status_code == 401
    uncovering = acme.ask("POST", "/uncover", seal, data={"section": "orders", "reason": "known"})
    assert uncovering.status_code == 401
    assert [row.what for row in logged(acme, number, "verified", "unverified")] == [
        *("verified", "unverified"),
    ]
    verified(acme, number)
    assert is_refused(acme, seal)


def test_who_replays_a_verified_seal_is_in_the_log(
    acme: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    number = visits(acme)
    seal = verified(acme, number)
    say(acme, seal, undo=1)
    with caplog.at_level(logging.INFO):
        assert is_refused(acme, seal)
    refusals = [row for row in caplog.records if row.message.startswith("a seal was refused")]
    ids = {"agent": 2, "conversation": number, "organization": 42}
    assert [row.__dict__["fields"] for row in refusals] == [ids] * len(SECTIONS)


def test_a_verification_ends_by_itself(acme: Panel) -> None:
    number = visits(acme)
    seal = verified(acme, number)
    with transaction(acme.services.database) as connection:
        condition = verifications.c.conversation == number
        until = connection.scalar(select(verifications.c.until).where(condition)) or 0
        assert 86000 < until - time.time() <= 86400
        connection.execute(update(verifications).where(condition).values(until=time.time() - 1))
    assert is_refused(acme, seal)
    assert attribute(opened(acme, number), "data-trust") == "unproven"
    acme.services.verifications.prune()
    assert acme.services.verifications.find(number) == []


def merge(panel: Panel, number: int) -> None:
    theirs = {"inbox": panel.chat.inboxes[1], "source_id": "widget-of-somebody-else"}
    panel.chat.contacts[number]["contact_inboxes"].append(theirs)


def edit(**values: str | None) -> Any:
    return lambda panel, number: panel.chat.contacts[number].update(values)


FORMS = {
    "answer": {"answer": "{key}"},
    "called": {"called": "1"},
    "known": {"known": "1", "reason": "my aunt"},
}
CHANGES: dict[str, Any] = {
    "merged": merge,
    "another e-mail": edit(email="other@evil.example"),
    "another phone": edit(phone_number="+5521977770000"),
    "another identifier": edit(identifier="x"),
    "resolved": lambda panel, number: panel.chat.conversations[number].update(status="resolved"),
    "no e-mail any more": edit(email=None),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_merged_or_edited_contact_and_a_resolved_conversation_lose_it(
    acme: Panel, change: str
) -> None:
    number = visits(acme, email="visitor@evil.example")
    seal = verified(acme, number)
    CHANGES[change](acme, number)
    assert attribute(opened(acme, number), "data-trust") == "unproven"
    assert is_refused(acme, seal)
    if change == "resolved":
        acme.chat.conversations[number]["status"] = "open"
        assert attribute(opened(acme, number), "data-trust") == "unproven"


@pytest.mark.parametrize("change", CHANGES)
def test_an_open_panel_loses_it_too_within_the_minute(clocked: Panel, change: str) -> None:
    number = visits(clocked, email="visitor@evil.example")
    seal = verified(clocked, number)
    assert shown(clocked, seal) == secrets(clocked)[2:4]
    CHANGES[change](clocked, number)
    clocked.clock.advance(60)
    assert is_refused(clocked, seal)


def test_who_is_merged_into_another_contact_takes_no_verification_along(acme: Panel) -> None:
    number, base = visits(acme), visits(acme)
    seal = verified(acme, number)
    body = {"base_contact_id": base, "mergee_contact_id": number}
    acme.services.chatwoot.administer("POST", "actions/contact_merge", body)
    html = acme.open("healthy", conversation=number, contact=base).text
    assert told(html) == ("ready", "42", "claimed", "unproven")
    assert is_refused(acme, seal)
    assert acme.services.tries.count_left(base, 42) == MOST_TRIES


def test_the_webhook_of_a_resolved_conversation_ends_it_at_once(
    make: MakePanel, acme: Panel
) -> None:
    panel, number = make(CHATWOOT_WEBHOOK_SECRET=WEBHOOK_SECRET), visits(acme)
    seal = verified(panel, number)

    def ring(event: str, status: str) -> None:
        report = {"event": event, "account": {"id": 1}, "id": number, "status": status}
        raw = json.dumps(report).encode()
        headers = {"Content-Type": "application/json", **signature(raw, secret=WEBHOOK_SECRET)}
        answer = panel.ask("POST", "/sync/chatwoot", data=raw, headers=headers)
        assert answer.status_code == 202, answer.text

    ring("conversation_status_changed", "open")
    # An older event, after somebody has reopened the conversation.
    ring("conversation_updated", "resolved")
    assert shown(panel, seal) == secrets(acme)[2:4]
    ring("conversation_status_changed", "resolved")
    assert is_refused(panel, seal)
    assert attribute(opened(panel, number), "data-trust") == "unproven"


def test_it_is_not_verified_in_a_resolved_conversation(acme: Panel) -> None:
    number = visits(acme)
    seal = seal_for(acme, number)
    acme.chat.conversations[number]["status"] = "resolved"
    for form in ({"answer": key_of(acme)}, {"called": 1}, {"known": 1, "reason": "my aunt"}):
        answer = say(acme, seal, **form)
        assert (answer.status_code, attribute(answer.text, "data-code")) == (422, "resolved")


def test_while_chatwoot_does_not_say_how_it_is_known_nobody_is_verified(acme: Panel) -> None:
    number = visits(acme)
    verified(acme, number)

    def fail(call: Call) -> Failure | None:
        return Failure(500) if call.path.endswith(f"/contacts/{number}") else None

    acme.chat.failures = fail
    assert attribute(opened(acme, number), "data-trust") == "unproven"
    acme.chat.failures = lambda _: None
    assert attribute(opened(acme, number), "data-trust") == "proven"


def test_while_the_database_is_silent_a_verified_seal_opens_nothing(panel: Panel) -> None:
    number = visits(panel)
    seal = verified(panel, number)
    with transaction(panel.services.database) as connection:
        connection.execute(text("ALTER TABLE verifications RENAME TO away"))
    answer = panel.section("orders", seal)
    assert (answer.status_code, "data-section" in answer.text) == (503, False)


# -- forged requests -------------------------------------------------------------------------------


def test_the_form_chooses_neither_company_nor_contact(acme: Panel) -> None:
    number, other = visits(acme), visits(acme)
    forged = {"organization": 45, "contact": other, "conversation": other, "agent": ADMINISTRATOR}
    answer = say(acme, seal_for(acme, number), answer=key_of(acme, 45), **forged)
    assert answer.status_code == 422
    answer = say(acme, seal_for(acme, number), answer=key_of(acme), **forged, opens=1, kind="key")
    assert told(answer.text) == ("ready", "42", "claimed", "proven")
    assert attribute(opened(acme, other), "data-trust") == "unproven"
    assert {row.agent for row in logged(acme, number)} == {2}
    assert logged(acme, other, "tried", "verified") == []


@pytest.mark.parametrize("form", FORMS)
def test_a_page_of_another_site_verifies_nobody(acme: Panel, form: str) -> None:
    number = visits(acme)
    forms = {name: value.format(key=key_of(acme)) for name, value in FORMS[form].items()}
    answer = acme.ask(
        *("POST", "/verify", seal_for(acme, number)),
        data=forms,
        headers={"Origin": "https://evil.example"},
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "foreign_origin")
    assert attribute(opened(acme, number), "data-trust") == "unproven"


def test_without_a_seal_of_a_company_there_is_nothing_to_verify(acme: Panel) -> None:
    number = writes(acme)
    for bearer in ("", "forged", derive_launch_key(acme.settings.secret)):
        for method in ("GET", "POST"):
            assert acme.ask(method, "/verify", bearer, data={"called": 1}).status_code == 401
    unlinked = seal_for(acme, number)
    assert say(acme, unlinked, called=1).status_code == 409
    assert acme.ask("GET", "/verify", unlinked).headers["HX-Retarget"] == "#panel"
    assert logged(acme, number, "verified") == []


def test_a_company_that_was_refused_meanwhile_is_not_verified(acme: Panel) -> None:
    number = visits(acme)
    seal = seal_for(acme, number)
    acme.say(seal, "refuse", 42)
    answer = say(acme, seal, answer=key_of(acme))
    assert (answer.status_code, attribute(answer.text, "data-panel")) == (409, "unlinked")
    assert logged(acme, number, "tried", "verified") == []


def test_what_was_typed_is_kept_nowhere(
    panel: Panel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    number = visits(panel)
    seal = seal_for(panel, number)
    caplog.set_level(logging.DEBUG)
    typed = (key_of(panel), "WXYZ-1234-QRST", "secret-word@evil.example")
    for typed_text in typed:
        say(panel, seal, answer=typed_text)
        search(panel, seal_for(panel, number), typed_text)
    other = seal_for(panel, visits(panel))
    use_up(panel, other)
    say(panel, other, answer=typed[1])
    panel.services.database.dispose()
    content = b"".join(file.read_bytes() for file in tmp_path.glob("panel.db*"))
    ours = "\n".join(row.getMessage() for row in caplog.records if "urllib3" not in row.name)
    assert "an answer was not compared" in ours
    for typed_text in typed:
        assert typed_text not in ours
        assert typed_text.encode() not in content
        assert typed_text.lower().replace("-", "").encode() not in content.lower()
