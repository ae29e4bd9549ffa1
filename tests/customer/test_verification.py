"""Verifying who is writing: what proves, what is a hint, and every way around it that was tried."""

import json
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import select, text, update

from panel.auth.tokens import ACCESS_TOKEN, derive_launch_key
from panel.data.audit_log import AuditEntry
from panel.data.db import transaction
from panel.data.directory import Person
from panel.data.verification_tries import MOST_TRIES, verification_tries
from panel.data.verifications import verifications
from panel.demo.chatwoot import Failure
from panel.demo.world import Call
from panel.web.sections import SECTIONS
from tests.conftest import (
    MakePanel,
    Panel,
    attribute,
    panels_before,
    seal_of,
    words_of,
    worlds_on_sockets,
)
from tests.customer.test_search import learn
from tests.customer.test_trust import OWNER, WHATSAPP, opened, secrets, told, writes
from tests.sync.test_chatwoot_hooks import signature

CLAIM = {"middag_organization_id": "42"}
ADMINISTRATOR = 1  # another agent than the demo's usual one
WRONG = "ZZZZ-9999"
WEBHOOK_SECRET = "the-secret-of-the-webhook"


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakePanel]:
    """Panels before the same worlds and on the same database, as processes are."""
    with worlds_on_sockets() as worlds, panels_before(worlds, tmp_path_factory.mktemp("p")) as made:
        yield made


@pytest.fixture(scope="module")
def acme(make: MakePanel) -> Panel:
    """It has learned organization 42, which each visitor claims to belong to."""
    panel = make()
    learn(panel, 42, 45)
    return panel


def visits(panel: Panel, **contact: Any) -> int:
    """A visitor of the website who says that they are of organization 42."""
    return writes(panel, here=CLAIM, **contact)


def another_conversation(panel: Panel, contact: int) -> int:
    number = 5000 + contact
    panel.chat.add_conversation(contact, 1, number, custom_attributes=CLAIM)
    return number


def key_of(panel: Panel, organization: int = 42) -> str:
    return str(panel.office.rows("licenses", organization)[0]["license_key"])


def say(panel: Panel, seal: str, **form: Any) -> requests.Response:
    return panel.ask("POST", "/verify", seal, data=form)


def seal_for(panel: Panel, number: int) -> str:
    return seal_of(opened(panel, number))


def verified(panel: Panel, number: int) -> str:
    """The seal of this conversation, once the person has written their key."""
    answer = say(panel, seal_for(panel, number), answer=key_of(panel))
    assert told(answer.text) == ("ready", "42", "claimed", "proven")
    return seal_of(answer.text)


def shown(panel: Panel, seal: str) -> list[str]:
    """The secrets that the sections hold."""
    html = "\n".join(panel.section(name, seal, wait=1).text for name in SECTIONS)
    return [secret for secret in secrets(panel)[2:4] if secret in html]


def logged(panel: Panel, number: int, *kinds: str) -> list[AuditEntry]:
    """Rows of this conversation, oldest first; of these kinds where any are named."""
    rows = [row for row in panel.services.audit_log.list_entries() if row.conversation == number]
    return [row for row in reversed(rows) if not kinds or row.what in kinds]


def notes(panel: Panel, number: int, *kinds: str) -> list[str]:
    return [row.note for row in logged(panel, number, *kinds)]


def is_refused(panel: Panel, seal: str) -> bool:
    """Does no section show anything with this seal?"""
    answers = [panel.section(name, seal, wait=1) for name in SECTIONS]
    return all(each.status_code == 401 and "data-section" not in each.text for each in answers)


# -- what proves ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "write",
    [
        lambda key: key[-9:],
        lambda key: key,
        lambda key: key.lower().replace("-", ""),
        lambda key: f" {key.replace('-', ' – ')} ",
        lambda key: f"Minha chave: {key}",
        lambda key: f"é a {key.lower()}, obrigada",
        lambda key: key.replace("-", "")[-8:].lower(),
    ],
)
def test_a_license_key_of_theirs_opens_what_a_proven_phone_opens(acme: Panel, write: Any) -> None:
    number = visits(acme)
    seal = seal_for(acme, number)
    assert shown(acme, seal) == []
    answer = say(acme, seal, answer=write(key_of(acme)))
    assert told(answer.text) == ("ready", "42", "claimed", "proven")
    assert "verified by license key, Bruno Lima (agent not proven), " in words_of(answer.text)
    assert shown(acme, seal_of(answer.text)) == secrets(acme)[2:4]
    assert shown(acme, seal_for(acme, number)) == secrets(acme)[2:4]
    assert notes(acme, number, "tried", "verified") == ["key right", "key: agent not proven"]


@pytest.mark.parametrize(
    "write",
    [
        lambda key: key.replace("-", "")[-7:],
        lambda key: key[:-1],
        lambda key: key[:9],
        lambda key: key[-9:] + "X",
        lambda key: "",
        lambda key: "-" * 40,
        lambda key: key * 20,
    ],
)
def test_a_part_of_a_key_proves_nothing(acme: Panel, write: Any) -> None:
    number = visits(acme)
    seal = seal_for(acme, number)
    answer = say(acme, seal, answer=write(key_of(acme)))
    assert answer.status_code == 422
    assert answer.headers["HX-Retarget"] == "#verify-42"
    assert attribute(opened(acme, number), "data-trust") == "unproven"
    assert shown(acme, seal) == []


def test_the_key_of_another_company_proves_nothing(acme: Panel) -> None:
    number = visits(acme)
    answer = say(acme, seal_for(acme, number), answer=key_of(acme, 45))
    assert (answer.status_code, attribute(answer.text, "data-code")) == (422, "wrong")
    assert notes(acme, number, "tried") == ["key wrong"]


def test_several_guesses_in_one_answer_are_none(acme: Panel) -> None:
    number = visits(acme)
    order = acme.office.rows("orders", 42)[0]["id"]
    for several in (f"{order} {order + 1}", f"{WRONG} {key_of(acme)[-9:]} {WRONG}{WRONG}"):
        assert say(acme, seal_for(acme, number), answer=several).status_code == 422


HINTS = {
    "order": ("Pedido #{order}", "knows order {order}"),
    "quote": ("{quote}", "knows quote {quote}"),
    "tax_id": ("CNPJ {cnpj}", "knows the tax ID"),
    "email": (" ANA@acme.example ", "knows an e-mail address"),
}


def facts(panel: Panel) -> dict[str, object]:
    office = panel.office
    quotes = {row["id"] for row in office.rows("quotes", 42)}
    orders = {row["id"] for row in office.rows("orders", 42)}
    return {
        "order": min(orders - quotes),
        "quote": min(quotes - orders, default=min(quotes)),
        "cnpj": office.organizations[42]["cnpj"],
    }


@pytest.mark.parametrize("kind", HINTS)
def test_what_others_may_know_too_is_a_hint_and_opens_nothing(acme: Panel, kind: str) -> None:
    number, known = visits(acme), facts(acme)
    written, said = (each.format(**known) for each in HINTS[kind])
    answer = say(acme, seal_for(acme, number), answer=written)
    assert (answer.status_code, attribute(answer.text, "data-trust")) == (200, "unproven")
    assert said in words_of(answer.text)
    assert "only a hint, so nothing was opened" in answer.text
    assert said in words_of(opened(acme, number))
    assert shown(acme, seal_of(answer.text)) == []
    assert f"{kind} (a hint)" in notes(acme, number, "tried")[0]
    assert logged(acme, number, "verified") == []


@pytest.mark.parametrize("kind", HINTS)
def test_it_proves_where_the_administrator_says_so(make: MakePanel, acme: Panel, kind: str) -> None:
    panel, number = make(PANEL_VERIFY_BY=kind), visits(acme)
    written = HINTS[kind][0].format(**facts(acme))
    answer = say(panel, seal_for(panel, number), answer=written)
    assert attribute(answer.text, "data-trust") == "proven"
    hint = say(panel, seal_for(panel, number), answer=key_of(acme))
    assert "knows a license key" in words_of(hint.text)


def test_an_email_proves_nobody_whom_their_email_was_found_by(make: MakePanel, acme: Panel) -> None:
    """The visitor has typed one of that company's; what other one they know is worth no more."""
    panel = make(PANEL_VERIFY_BY="email")
    for picks in (False, True):
        number = writes(acme, email=OWNER)
        seal = seal_for(panel, number)
        seal = seal_of(panel.say(seal, "pick", 42).text) if picks else seal
        for written in (OWNER, "financeiro@acme.example"):
            answer = say(panel, seal, answer=written)
            assert attribute(answer.text, "data-trust") == "unproven"
        assert shown(panel, seal) == []


def test_a_call_to_the_registered_phone_proves_and_is_no_try(acme: Panel) -> None:
    number = visits(acme)
    seal = seal_for(acme, number)
    dialog = acme.ask("GET", "/verify", seal)
    assert acme.office.organizations[42]["phone"] in dialog.text
    assert len(logged(acme, number, "phone_shown")) == 1
    answer = say(acme, seal, called=1)
    assert "verified by a call, Bruno Lima" in words_of(answer.text)
    assert shown(acme, seal_of(answer.text)) == secrets(acme)[2:4]
    assert notes(acme, number, "tried", "verified") == ["call: agent not proven"]


def test_a_call_counts_only_where_it_is_named_and_a_phone_is_known(
    make: MakePanel, acme: Panel
) -> None:
    panel, number = make(PANEL_VERIFY_BY="key"), visits(acme)
    seal = seal_for(panel, number)
    assert acme.office.organizations[42]["phone"] not in panel.ask("GET", "/verify", seal).text
    answer = say(panel, seal, called=1)
    assert (answer.status_code, attribute(answer.text, "data-code")) == (422, "no_call")
    assert logged(acme, number, "phone_shown", "verified") == []
    acme.office.organizations[48]["phone"] = None
    claim = {"middag_organization_id": "48"}
    phoneless = writes(acme, here=claim)
    assert say(acme, seal_for(acme, phoneless), called=1).status_code == 422


def test_who_is_known_is_shown_and_called_what_they_are(acme: Panel) -> None:
    number = visits(acme)
    seal = seal_for(acme, number)
    for reason in ("", "ab", "x" * 151, "a\x00bc"):
        answer = say(acme, seal, known=1, reason=reason)
        assert (answer.status_code, attribute(answer.text, "data-code")) == (422, "no_reason")
    answer = say(acme, seal, known=1, reason="She is my contact there since 2019")
    words = words_of(answer.text)
    assert "not verified, but known, Bruno Lima" in words
    assert "The reason that was given: She is my contact there since 2019" in words
    assert "verified by" not in words
    assert shown(acme, seal_of(answer.text)) == secrets(acme)[2:4]
    [note] = notes(acme, number, "verified")
    assert note == "known: agent not proven: She is my contact there since 2019"


def test_another_conversation_of_the_contact_is_verified_anew(acme: Panel) -> None:
    """Whoever was merged into the contact, or forged its address, opens another conversation."""
    number = visits(acme)
    verified(acme, number)
    other = another_conversation(acme, number)
    html = acme.open("healthy", conversation=other, contact=number).text
    assert told(html) == ("ready", "42", "claimed", "unproven")


def test_the_log_and_the_head_name_the_agent_and_say_whether_that_is_proven(
    make: MakePanel, acme: Panel
) -> None:
    number = visits(acme)
    seal = acme.services.seals.open(f"Bearer {seal_for(acme, number)}")
    panel = make(PANEL_AGENT_PROOF="access-token", PANEL_URL="https://panel.example")
    own = panel.services.seals.sign(replace(seal, proof=ACCESS_TOKEN))
    answer = panel.ask(
        *("POST", "/verify", own),
        data={"answer": key_of(acme)},
        headers={"Origin": "https://panel.example"},
    )
    assert "verified by license key, Bruno Lima, " in words_of(answer.text)
    assert notes(acme, number, "verified") == ["key"]


# -- brute force ---------------------------------------------------------------------------------


def use_up(panel: Panel, seal: str) -> None:
    for _ in range(MOST_TRIES):
        assert attribute(say(panel, seal, answer=WRONG).text, "data-code") == "wrong"


def test_after_five_tries_not_even_the_right_answer_is_compared(
    acme: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    number = visits(acme)
    seal = seal_for(acme, number)
    use_up(acme, seal)
    with caplog.at_level(logging.WARNING):
        refused = say(acme, seal, answer=key_of(acme))
    assert (refused.status_code, attribute(refused.text, "data-code")) == (429, "too_many_tries")
    assert "All five tries of this day are used up. Next try from" in words_of(refused.text)
    assert "A call is still possible." in refused.text
    assert "tries are left" not in refused.text
    assert "an answer was not compared: too many tries" in caplog.text
    assert notes(acme, number, "tried")[-1] == "key not compared: too many tries"
    assert attribute(opened(acme, number), "data-trust") == "unproven"
    called = say(acme, seal, called=1)
    assert attribute(called.text, "data-trust") == "proven"


def test_tries_are_shared_by_conversations_agents_and_processes(
    make: MakePanel, acme: Panel
) -> None:
    number = visits(acme)
    other = another_conversation(acme, number)
    process = make()
    for at in range(MOST_TRIES):
        panel, agent = (acme, process)[at % 2], (2, ADMINISTRATOR)[at % 2]
        html = panel.open("healthy", conversation=other, contact=number, agent_id=agent).text
        assert say(panel, seal_of(html), answer=WRONG).status_code == 422
    assert say(process, seal_for(process, number), answer=key_of(acme)).status_code == 429
    elsewhere = visits(acme)
    assert say(acme, seal_for(acme, elsewhere), answer=key_of(acme)).status_code == 200


def test_of_many_tries_at_once_five_are_compared(make: MakePanel, acme: Panel) -> None:
    number, process = visits(acme), make()
    seal = seal_for(acme, number)
    with ThreadPoolExecutor(12) as tabs:
        panels = (acme, process) * 6
        answers = list(tabs.map(lambda panel: say(panel, seal, answer=WRONG).status_code, panels))
    assert sorted(answers) == [422] * MOST_TRIES + [429] * (12 - MOST_TRIES)


def test_a_day_later_there_are_five_again(acme: Panel) -> None:
    number = visits(acme)
    seal = seal_for(acme, number)
    use_up(acme, seal)
    with transaction(acme.services.database) as connection:
        mine = verification_tries.c.contact == number
        times = connection.scalar(select(verification_tries.c.times).where(mine)) or ""
        older = " ".join(str(float(each) - 86400) for each in times.split()[:1])
        later = " ".join([older, *times.split()[1:]])
        connection.execute(update(verification_tries).where(mine).values(times=later))
    assert say(acme, seal, answer=WRONG).status_code == 422
    assert say(acme, seal, answer=WRONG).status_code == 429


def test_while_the_back_office_is_silent_nothing_is_wrong_and_no_try_is_used(
    panel: Panel,
) -> None:
    number = visits(panel)
    seal = seal_for(panel, number)
    panel.office.fault("500", 42)
    answer = say(panel, seal, answer=WRONG)
    assert answer.status_code == 422
    assert "no try is used up" in answer.text
    panel.office.fault("500")
    assert "could not be asked" in search(panel, seal, "998877").text
    assert panel.services.tries.count_left(number, 42) == MOST_TRIES


@pytest.mark.parametrize(
    ("unread", "wrong", "right"),
    [
        ("orders", "998877", lambda panel: str(facts(panel)["quote"])),
        ("quotes", "998877", lambda panel: str(facts(panel)["order"])),
        ("licenses", WRONG, key_of),
        ("organization", "11.222.333/0001-81", lambda panel: str(facts(panel)["cnpj"])),
    ],
)
def test_while_a_part_cannot_be_read_nobody_guesses_for_nothing(
    panel: Panel, unread: str, wrong: str, right: Any
) -> None:
    """What an answer may be, by its look, is read whole, or the answer is compared with nothing."""
    number = visits(panel)
    seal, known = seal_for(panel, number), right(panel)
    panel.office.fault("403", 42, unread)
    for _ in range(MOST_TRIES + 1):
        told = [say(panel, seal, answer=each) for each in (wrong, known)]
        assert {attribute(each.text, "data-code") for each in told} == {"denied"}
    assert panel.services.tries.count_left(number, 42) == MOST_TRIES
    assert attribute(opened(panel, number), "data-trust") == "unproven"
    another = key_of(panel) if unread != "licenses" else str(facts(panel)["order"])
    assert say(panel, seal, answer=another).status_code == 200
    used = WRONG if unread not in ("licenses", "organization") else "998877"
    for left in range(MOST_TRIES - 1, 0, -1):
        assert panel.services.tries.count_left(number, 42) == left
        assert attribute(say(panel, seal, answer=used).text, "data-code") == "wrong"
    assert say(panel, seal, answer=used).status_code == 429


# -- answers taken from a search -------------------------------------------------------------------


def search(panel: Panel, seal: str, query: str) -> requests.Response:
    return panel.ask("GET", "/search", seal, params={"q": query})


def test_wrong_searches_for_what_would_verify_are_tries(acme: Panel) -> None:
    number = visits(acme)
    seal = seal_for(acme, number)
    for query in (WRONG, "11.222.333/0001-81", "nobody@acme.example", "998877", "QQ88-QQ77-QQ66"):
        assert search(acme, seal, query).ok
    assert notes(acme, number, "tried") == [
        *("key wrong, by search", "tax_id wrong, by search", "email wrong, by search"),
        *("number wrong, by search", "key wrong, by search"),
    ]
    assert say(acme, seal, answer=key_of(acme)).status_code == 429


def test_an_address_among_other_words_is_a_try_and_no_try_is_left_out(acme: Panel) -> None:
    number = visits(acme)
    seal = seal_for(acme, number)
    for at in range(MOST_TRIES + 1):
        search(acme, seal, f"acme nobody{at}@acme.example")
    beyond = "email wrong, by search: no try was left"
    assert notes(acme, number, "tried") == ["email wrong, by search"] * MOST_TRIES + [beyond]


def test_names_phones_and_what_was_found_are_no_tries(acme: Panel) -> None:
    number = visits(acme)
    seal = seal_for(acme, number)
    document = acme.office.organizations[45]
    for query in ("nobody", "Escola Nova", "61 99911-2233", "7", document["cnpj"], "45"):
        search(acme, seal, query)
    assert notes(acme, number, "tried") == []
    verified_seal = verified(acme, number)
    search(acme, verified_seal, WRONG)
    assert notes(acme, number, "tried") == ["key right"]


def test_who_goes_on_typing_makes_one_try(acme: Panel) -> None:
    number = visits(acme)
    seal = seal_for(acme, number)
    typed = "11.222.333/0001-81"
    for length in range(3, len(typed) + 1):
        search(acme, seal, typed[:length])
    assert len(notes(acme, number, "tried")) == 1
    search(acme, seal, "99.888.777/0001-66")
    assert len(notes(acme, number, "tried")) == 2


def test_no_search_says_a_license_key_or_the_tax_id_of_the_company(acme: Panel) -> None:
    seal = seal_for(acme, visits(acme))
    key, cnpj = key_of(acme), acme.office.organizations[42]["cnpj"]
    for query in (key, key[-9:], "acme", "42", cnpj):
        html = search(acme, seal, query).text.replace(query, "")
        assert key[-4:] not in html
        assert cnpj not in html


def uncover(panel: Panel, seal: str, section: str) -> None:
    form = {"section": section, "reason": "named #4201"}
    assert panel.ask("POST", "/uncover", seal, data=form).ok


def test_a_key_that_the_panel_has_uncovered_proves_nobody(acme: Panel) -> None:
    """An agent finds the company by the search, uncovers its keys, and types one of them."""
    number = writes(acme)
    picked = acme.say(seal_for(acme, number), "pick", 45)
    assert "data-masked" in acme.section("licenses", seal_of(picked.text), wait=1).text
    seal = seal_of(picked.text)
    uncover(acme, seal, "licenses")
    answer = say(acme, seal, answer=key_of(acme, 45))
    assert told(answer.text) == ("ready", "45", "picked", "unproven")
    assert "the panel has shown it to an agent today" in answer.text
    assert "knows a license key" not in answer.text
    assert notes(acme, number, "tried", "verified") == ["key (uncovered before) right"]
    dialog = words_of(acme.ask("GET", "/verify", seal).text)
    assert "No proof, since the panel has shown it: the last eight characters" in dialog
    assert "Proof: " not in dialog
    assert attribute(say(acme, seal, called=1).text, "data-trust") == "proven"


def test_it_proves_nobody_in_another_conversation_of_this_agent_nor_here_by_another(
    make: MakePanel, acme: Panel
) -> None:
    panel = make(PANEL_VERIFY_BY="key,tax_id")
    here, elsewhere = (writes(acme, here={"middag_organization_id": "46"}) for _ in range(2))
    uncover(acme, seal_for(acme, here), "organization")
    tax_id = acme.office.organizations[46]["cnpj"]

    def answer(number: int, agent: int, written: str) -> str | None:
        html = panel.open("healthy", conversation=number, contact=number, agent_id=agent).text
        return attribute(say(panel, seal_of(html), answer=written).text, "data-trust")

    assert answer(elsewhere, 2, tax_id) == "unproven"
    assert answer(here, ADMINISTRATOR, tax_id) == "unproven"
    assert answer(elsewhere, ADMINISTRATOR, tax_id) == "proven"
    assert answer(here, 2, key_of(acme, 46)) == "proven"


def test_a_day_after_it_was_uncovered_it_proves_again(acme: Panel) -> None:
    number = visits(acme)
    uncovered = AuditEntry("uncovered", 2, number, 42, note="licenses: named #4201")
    acme.services.audit_log.record(replace(uncovered, at=time.time() - 86401))
    verified(acme, number)


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


def test_a_verification_ends_by_itself(acme: Panel) -> None:
    number = visits(acme)
    seal = verified(acme, number)
    with transaction(acme.services.database) as connection:
        mine = verifications.c.conversation == number
        until = connection.scalar(select(verifications.c.until).where(mine)) or 0
        assert 86000 < until - time.time() <= 86400
        connection.execute(update(verifications).where(mine).values(until=time.time() - 1))
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


@pytest.mark.parametrize("form", ["called", "known"])
def test_an_agents_word_ends_with_the_agent(clocked: Panel, form: str) -> None:
    """A key that somebody has written stays right, whoever typed it; a word needs its agent."""
    carla, number, other = 3, visits(clocked), visits(clocked)
    theirs = clocked.open("healthy", conversation=number, contact=number, agent_id=carla).text
    assert attribute(say(clocked, seal_of(theirs), **FORMS[form]).text, "data-trust") == "proven"
    theirs = clocked.open("healthy", conversation=other, contact=other, agent_id=carla).text
    assert say(clocked, seal_of(theirs), answer=key_of(clocked)).ok
    seals = [seal_for(clocked, each) for each in (number, other)]
    assert [shown(clocked, each) for each in seals] == [secrets(clocked)[2:4]] * 2
    removed = clocked.chat.agents.pop(carla)
    clocked.clock.advance(60)
    assert is_refused(clocked, seals[0])
    assert shown(clocked, seals[1]) == secrets(clocked)[2:4]
    clocked.chat.agents[carla] = removed
    clocked.clock.advance(60)
    assert is_refused(clocked, seals[0])
    assert attribute(opened(clocked, number), "data-trust") == "unproven"


def test_an_opening_finds_nobody_vouched_for_by_who_left(
    clocked: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    number = visits(clocked)
    theirs = clocked.open("healthy", conversation=number, contact=number, agent_id=3).text
    say(clocked, seal_of(theirs), called=1)
    say(clocked, seal_for(clocked, number), answer=str(facts(clocked)["order"]))
    del clocked.chat.agents[3]
    clocked.clock.advance(60)
    with caplog.at_level(logging.INFO):
        html = opened(clocked, number)
    assert told(html) == ("ready", "42", "claimed", "unproven")
    assert f"knows order {facts(clocked)['order']}" in words_of(html)
    assert "a verification ended: its agent has left the account" in caplog.messages


def test_who_is_only_taken_out_of_the_inbox_has_said_what_they_said(clocked: Panel) -> None:
    number = visits(clocked)
    theirs = seal_of(clocked.open("healthy", conversation=number, contact=number, agent_id=3).text)
    say(clocked, theirs, called=1)
    clocked.chat.inbox_members[1].discard(3)
    clocked.clock.advance(60)
    assert attribute(opened(clocked, number), "data-trust") == "proven"
    assert is_refused(clocked, theirs)


def test_the_webhook_of_a_resolved_conversation_ends_it_at_once(
    make: MakePanel, acme: Panel
) -> None:
    panel, number = make(CHATWOOT_WEBHOOK_SECRET=WEBHOOK_SECRET), visits(acme)
    seal = verified(panel, number)

    def ring(event: str, status: str) -> None:
        told = {"event": event, "account": {"id": 1}, "id": number, "status": status}
        raw = json.dumps(told).encode()
        headers = {"Content-Type": "application/json", **signature(raw, secret=WEBHOOK_SECRET)}
        answer = panel.ask("POST", "/sync/chatwoot", data=raw, headers=headers)
        assert answer.status_code == 202, answer.text

    ring("conversation_status_changed", "open")
    ring("conversation_updated", "resolved")  # an older one, after somebody has reopened it
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
    said = {name: value.format(key=key_of(acme)) for name, value in FORMS[form].items()}
    answer = acme.ask(
        *("POST", "/verify", seal_for(acme, number)),
        data=said,
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
    for each in typed:
        say(panel, seal, answer=each)
        search(panel, seal_for(panel, number), each)
    other = seal_for(panel, visits(panel))
    use_up(panel, other)
    say(panel, other, answer=typed[1])
    panel.services.database.dispose()
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("panel.db*"))
    ours = "\n".join(row.getMessage() for row in caplog.records if "urllib3" not in row.name)
    assert "an answer was not compared" in ours
    for each in typed:
        assert each not in ours
        assert each.encode() not in kept
        assert each.lower().replace("-", "").encode() not in kept.lower()


# -- what else follows from it ---------------------------------------------------------------------


def test_a_pick_is_told_to_chatwoot_for_who_has_shown_it_and_taken_back_with_it(
    acme: Panel,
) -> None:
    number = visits(acme)
    acme.chat.conversations[number]["custom_attributes"] = {}
    acme.chat.contacts[number]["custom_attributes"] = dict(CLAIM)
    attributes = acme.chat.conversations[number]["custom_attributes"]
    known = seal_of(say(acme, seal_for(acme, number), known=1, reason="my aunt").text)
    seal = seal_of(acme.say(known, "pick", 42).text)
    assert acme.chat.conversations[number]["custom_attributes"] == attributes
    seal = seal_of(say(acme, seal, answer=key_of(acme)).text)
    assert acme.chat.conversations[number]["custom_attributes"] == attributes
    seal = seal_of(acme.say(seal, "pick", 42).text)
    named = acme.chat.conversations[number]["custom_attributes"]
    assert named["middag_organization"] == "Acme Ltda"
    undone = say(acme, seal, undo=1)
    assert told(undone.text) == ("ready", "42", "picked", "unproven")
    left = acme.chat.conversations[number]["custom_attributes"]
    assert left.get("middag_organization") is None


def test_a_proven_phone_needs_no_verification(acme: Panel) -> None:
    phone = "+5561988884777"
    acme.services.directory.put_person(Person(42, "collaborator:777", 0, "member", None, phone))
    number = writes(acme, WHATSAPP, phone[1:], phone_number=phone)
    html = opened(acme, number)
    assert told(html) == ("ready", "42", "matched", "proven")
    assert 'data-action="verify"' not in html
    assert "verified (WhatsApp)" in words_of(html)


def test_the_head_says_for_what_a_person_has_no_rights_and_hides_nothing_by_it(
    acme: Panel,
) -> None:
    guest = writes(acme, email="daniela@prado.example")
    html = acme.say(seal_for(acme, guest), "pick", 42).text
    said = words_of(html)
    assert "guest: not for finances, orders, quotes, licenses — not verified" in said
    opened_html = say(acme, seal_of(html), answer=key_of(acme)).text
    assert shown(acme, seal_of(opened_html)) == secrets(acme)[2:4]
    owner = writes(acme, email=OWNER)
    assert ", owner — not verified" in words_of(opened(acme, owner))


def test_who_is_erased_leaves_no_verification_behind(acme: Panel) -> None:
    number = visits(acme)
    verified(acme, number)
    person = Person(42, "collaborator:erased", number, "member", "erased@acme.example")
    acme.services.directory.erasures.note(number, person, time.time())
    assert acme.services.verifications.find(number) == []
    assert acme.services.tries.count_left(number, 42) == MOST_TRIES


def test_the_dialog_says_what_proves_and_what_does_not(make: MakePanel, acme: Panel) -> None:
    number = visits(acme, name="Ana <b>Souza</b>")
    words = words_of(acme.ask("GET", "/verify", seal_for(acme, number)).text)
    assert "Is this really Ana <b>Souza</b>, of Acme Ltda?" in words
    assert "Proof: the last eight characters of a license key, or all of it." in words
    assert "opens nothing: the tax ID, an order number, a quote number, an e-mail" in words
    assert "5 of 5 tries are left." in words
    panel = make(PANEL_VERIFY_BY="call")
    words = words_of(panel.ask("GET", "/verify", seal_for(panel, number)).text)
    assert "Proof: " not in words
    assert "Proof as well: call +55 61 3322-0042" in words


def test_a_seal_without_a_verification_is_read_by_older_programs(acme: Panel) -> None:
    signer = acme.services.seals._signer
    number = visits(acme)
    assert len(signer.loads(seal_for(acme, number))) == 9
    assert len(signer.loads(verified(acme, number))) == 11
