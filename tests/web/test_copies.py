"""What can be copied about a record, and the private note: in whose language, and what it tells."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from typing import Any

import pytest
import requests
from sqlalchemy import select

from panel.data.audit_log import NOTED, access_log
from panel.data.notes import NOTE_LEASE_SECONDS, make_mark, private_notes
from panel.demo.chatwoot import Failure, never
from panel.demo.world import Call
from panel.demo.worlds import AGENT_TOKEN
from panel.models.licenses import License
from panel.models.orders import Order, Quote
from panel.upstream.documents import Listed
from panel.web.formats import Formats
from panel.web.groups import Moment
from panel.web.sections import SECTIONS
from panel.web.sentences import SENTENCES, SentenceContext, make_sentence
from tests.conftest import MakePanel, Panel, attribute, rows_of, seal_of, words_of
from tests.web.test_attention import NOON, ZONE, day

KINDS: dict[str, Any] = {"orders": Order, "quotes": Quote, "licenses": License}
MASKED = frozenset({"amount", "tax_id", "license_key"})


def say(section: str, record: dict[str, Any], locale: str = "en", masked: bool = False) -> str:
    """The sentence about a record, in the group in which its section shows it."""
    moment = Moment(NOON, 30)
    listed = Listed((KINDS[section].from_json({"id": 7, **record}),))
    shown = SECTIONS[section].choose(listed, moment)
    [item] = (*shown.items, *shown.closed)
    hidden = MASKED if masked else frozenset()
    return make_sentence(section, item, SentenceContext(moment, Formats(locale, ZONE), hidden))


LICENSE = {
    "status": "active",
    "product_name": "Tema Campus",
    "license_key": "SECRET-KEY-9774",
    "entitlement_code": "ENT-77",
    "expires_at": day(11),
    "activations_count": 1,
    "activations_limit": 3,
}
TOTAL = {"total": "1250.00", "currency": "BRL"}
SAID = [
    ("licenses", LICENSE, "A licença Tema Campus vence em 11/12/2026, em uso em 1 de 3 sites."),
    (
        "licenses",
        LICENSE | {"activations_limit": 1},
        "A licença Tema Campus vence em 11/12/2026, em uso em 1 de 1 site.",
    ),
    (
        "licenses",
        LICENSE | {"expires_at": None, "activations_limit": None},
        "A licença Tema Campus está ativa e não vence.",
    ),
    ("licenses", LICENSE | {"expires_at": day(-5)}, "A licença Tema Campus venceu em 25/11/2026."),
    # It calls itself expired before its day: the day is left out.
    ("licenses", LICENSE | {"status": "expired"}, "A licença Tema Campus venceu."),
    ("licenses", LICENSE | {"status": "disabled"}, "A licença Tema Campus está desativada."),
    ("licenses", {"status": "disabled"}, "A sua licença está desativada."),
    ("licenses", LICENSE | {"status": "paused"}, ""),
    ("licenses", LICENSE | {"expires_at": "soon"}, ""),
    (
        "orders",
        {"status": "pending", "number": "#501", "date_created": day(-2), **TOTAL},
        "O pedido 501 de 28/11/2026 (R$ 1.250,00) está aguardando pagamento.",
    ),
    ("orders", {"status": "failed"}, "O pedido 7 não está pago: houve uma falha no pagamento."),
    ("orders", {"status": "wc-strange"}, ""),
    ("quotes", {"status": "sent", "valid_until": day(6)}, "A proposta 7 é válida até 06/12/2026."),
    ("quotes", {"status": "sent", "valid_until": day(-3)}, "A proposta 7 venceu em 27/11/2026."),
    ("quotes", {"status": "draft"}, ""),
    ("quotes", {"status": "sent", "valid_until": "soon"}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("section", "record", "sentence"), SAID)
def test_the_sentence_says_what_is_known_and_nothing_else(
    section: str, record: dict[str, Any], sentence: str
) -> None:
    assert say(section, record, "pt_BR") == sentence


@pytest.mark.parametrize("locale", ["en", "pt_BR"])
@pytest.mark.parametrize(
    ("section", "status"), [(name, word) for name, words in SENTENCES.items() for word in words]
)
def test_no_sentence_tells_what_is_internal_or_masked(
    section: str, status: str, locale: str
) -> None:
    record = LICENSE | {"status": status, "total": "77.77", "currency": "BRL"}
    record |= {"valid_until": day(3), "date_created": day(-1), "notes": "INTERNAL"}
    full, masked = (say(section, record, locale, hidden) for hidden in (False, True))
    assert full.endswith(".") or status in ("lapsed", "lifetime", "expiring")
    for internal in ("SECRET", "9774", "ENT-77", "INTERNAL", "%(", "None"):
        assert internal not in full
    if section == "licenses":
        assert "7" not in re.sub(r"Campus.*", "", full)  # nobody knows a license's id
    assert "77" in full or section == "licenses" or not full
    assert "77" not in masked


def test_a_row_offers_its_number_and_a_sentence_in_the_customers_language(panel: Panel) -> None:
    seal = seal_of(panel.open().text)
    row = first_row(panel, seal, "licenses")
    answer = copies(panel, seal, "licenses", row, language="en")
    assert answer.status_code == 200
    assert 'lang="pt-BR"' in answer.text
    [number, sentence] = copied(answer)
    assert number == row
    assert re.fullmatch(r"A licença Plugin Legado está desativada\.", sentence)
    assert sentence in words_of(answer.text)  # it is read before it is copied


LANGUAGES = [
    ({"browser_language": "en-US"}, {}, "pt-BR", "en"),
    ({"browser_language": "pt"}, {}, "en", "pt-BR"),
    ({"browser_language": "en", "conversation_language": "pt"}, {}, "en", "pt-BR"),
    ({"browser_language": "en"}, {"language": "pt_BR"}, "en", "pt-BR"),
    ({"browser_language": None}, {}, "pt-BR", "pt-BR"),
    ({}, {"language": {"any": ["shape"]}}, "en", "en"),
    ({"browser_language": "ja"}, {}, "pt-BR", "pt-BR"),
    (["no", "object"], {}, "en", "en"),
    (None, {"locale": 7}, "en", "en"),
]


@pytest.mark.parametrize(("further", "own", "agents", "expected"), LANGUAGES)
def test_the_language_is_the_conversations_or_the_contacts_else_the_panels(
    panel: Panel, further: Any, own: dict[str, Any], agents: str, expected: str
) -> None:
    panel.chat.conversations[101]["additional_attributes"] = further
    panel.chat.contacts[301]["custom_attributes"] |= own
    seal = seal_of(panel.open().text)
    answer = copies(panel, seal, "orders", first_row(panel, seal, "orders"), language=agents)
    assert attribute(answer.text, "lang") == expected


def test_an_unproven_conversation_gets_no_amount_and_a_proven_one_does(panel: Panel) -> None:
    seal = seal_of(panel.open().text)
    row = first_row(panel, seal, "orders")
    unproven = copies(panel, seal, "orders", row)
    assert "R$" not in unproven.text
    assert "Not verified: make sure who is writing" in unproven.text
    reason = {"section": "orders", "reason": "Customer named the order number"}
    uncovered = seal_of(panel.ask("POST", "/uncover", seal, data=reason).text)
    # For the agent's own eyes: it proves nobody.
    assert "R$" not in copies(panel, uncovered, "orders", row).text
    proven = copies(panel, panel.proven(), "orders", row)
    assert "R$" in copied(proven)[1]
    assert "Not verified" not in proven.text


@pytest.mark.parametrize("path", ["orders/999999999", "organization/42", "nothing/1", "orders/0"])
def test_nothing_is_copied_of_what_is_no_record_of_this_company(panel: Panel, path: str) -> None:
    seal = seal_of(panel.open().text)
    answer = panel.ask("GET", f"/copies/{path}", seal)
    assert answer.status_code == 404
    assert "data-copy=" not in answer.text
    assert panel.ask("GET", f"/copies/{path}").status_code == 401


def test_what_cannot_be_read_is_said_and_nothing_is_copied(panel: Panel) -> None:
    seal = seal_of(panel.open("error500").text)
    answer = panel.ask("GET", "/copies/orders/1", seal)
    assert answer.status_code == 503
    assert "Nothing can be copied now." in words_of(answer.text)
    assert "http_500" in answer.text


# -- as a private note -----------------------------------------------------------------------------


@pytest.fixture
def signed(make_panel: MakePanel) -> tuple[Panel, str]:
    """A panel whose agents sign in, and the seal of one who did."""
    panel = make_panel(PANEL_AGENT_PROOF="access-token")
    return panel, sign_in(panel)


def sign_in(panel: Panel) -> str:
    answer = post(panel, "/sign-in", data={"token": AGENT_TOKEN, **panel.hints()})
    cookies = answer.cookies.get_dict()
    opened = post(panel, "/contact", data=panel.hints(), cookies=cookies)
    return seal_of(opened.text)


def post(panel: Panel, path: str, bearer: str | None = None, **options: Any) -> requests.Response:
    headers = {"Origin": panel.url, "Accept-Language": "en"}
    return panel.ask("POST", path, bearer, headers=headers, **options)


def note(
    panel: Panel, seal: str, record: str, section: str = "orders", **more: Any
) -> requests.Response:
    return post(panel, "/notes", seal, data={"section": section, "record": record, **more})


def notes_of(panel: Panel) -> list[dict[str, Any]]:
    said = panel.chat.conversations[101]["messages"]
    return [each for each in said if str(each["source_id"]).startswith("middag-note:")]


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
    [written] = notes_of(panel)
    assert written["content"] == sentence
    assert written["private"] is True
    with panel.services.database.connect() as connection:
        rows = list(connection.execute(select(access_log).where(access_log.c.what == NOTED)))
    assert [(each.agent, each.conversation, each.organization, each.note) for each in rows] == [
        (2, 101, 42, f"orders {row}")
    ]


def test_many_clicks_in_many_processes_write_one_note(
    signed: tuple[Panel, str], make_panel: MakePanel
) -> None:
    panel, seal = signed
    other = make_panel(PANEL_AGENT_PROOF="access-token")
    row = first_row(panel, seal, "orders")
    with ThreadPoolExecutor(8) as pool:
        clicks = [pool.submit(note, each, seal, row) for each in (panel, other) * 4]
        outcomes = [outcome(each.result()) for each in clicks]
    assert outcomes.count("written") == 1
    assert set(outcomes) <= {"written", "written_before", "being_written"}
    assert len(notes_of(panel)) == 1


def leave_lease(panel: Panel, sentence: str, row: str, ago: float) -> None:
    """The row of a process that began so many seconds ago, and was killed."""
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
    """`is_kept`: does this Chatwoot keep what the writer called the message?"""
    panel, seal = signed
    row = first_row(panel, seal, "orders")
    sentence = copied(copies(panel, seal, "orders", row))[1]
    leave_lease(panel, sentence, row, NOTE_LEASE_SECONDS + 1)
    mark = make_mark(101, "orders", int(row), sentence)
    if has_arrived:
        panel.chat.add_message(
            101, sentence, message_type=1, private=True, source_id=mark if is_kept else None
        )
    for talk in range(50):  # since then the conversation went on
        panel.chat.add_message(101, f"message {talk}")
    answer = note(panel, seal, row)
    assert outcome(answer) == ("written_before" if has_arrived else "written")
    said = panel.chat.conversations[101]["messages"]
    assert len([each for each in said if each["content"] == sentence]) == 1


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
    kept = panel.services.notes
    kept.prune(time.time() - 86400)
    with panel.services.database.connect() as connection:
        assert len(list(connection.execute(select(private_notes)))) == 1
    kept.prune(time.time() + 86400)
    with panel.services.database.connect() as connection:
        assert list(connection.execute(select(private_notes))) == []


def copies(
    panel: Panel, seal: str, section: str, row: object, language: str = "en"
) -> requests.Response:
    told = {"Accept-Language": language}
    return panel.ask("GET", f"/copies/{section}/{row}", seal, headers=told)


def copied(answer: requests.Response) -> list[str]:
    """What its buttons put into the clipboard."""
    return [unescape(text) for text in re.findall(r'data-copy="([^"]*)"', answer.text)]


def first_row(panel: Panel, seal: str, section: str) -> str:
    return str(rows_of(panel.section(section, seal).text)[0])
