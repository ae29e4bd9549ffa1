"""The texts to copy about a record: their language and their content."""

import re
from typing import Any

import pytest

from panel.models.licenses import License
from panel.models.orders import Order, Quote
from panel.upstream.documents import RecordList
from panel.web.formats import Formats
from panel.web.groups import Moment
from panel.web.sections import SECTIONS
from panel.web.sentences import SENTENCES, SentenceContext, make_sentence
from tests.conftest import Panel, attribute, seal_of, words_of
from tests.web.copying import copied, copies, first_row
from tests.web.test_attention import NOON, ZONE, day

KINDS: dict[str, Any] = {"orders": Order, "quotes": Quote, "licenses": License}
MASKED = frozenset({"amount", "tax_id", "license_key"})


def say(section: str, record: dict[str, Any], locale: str = "en", masked: bool = False) -> str:
    """Return the sentence about a record, in the group in which its section shows it."""
    moment = Moment(NOON, 30)
    records = RecordList((KINDS[section].from_json({"id": 7, **record}),))
    selection = SECTIONS[section].choose(records, moment)
    [item] = (*selection.items, *selection.closed)
    masked_fields = MASKED if masked else frozenset()
    return make_sentence(
        section, item, SentenceContext(moment, Formats(locale, ZONE), masked_fields)
    )


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
    # The record calls itself expired before its day, so the day is left out.
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
    full, masked = (say(section, record, locale, is_masked) for is_masked in (False, True))
    assert full.endswith(".") or status in ("lapsed", "lifetime", "expiring")
    for internal in ("SECRET", "9774", "ENT-77", "INTERNAL", "%(", "None"):
        assert internal not in full
    if section == "licenses":
        assert "7" not in re.sub(r"Campus.*", "", full)  # customers do not know a license's id
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
    assert sentence in words_of(answer.text)  # the agent reads the sentence before copying it


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
    reason = {"section": "orders", "reason": "Customer gave the order number"}
    uncovered = seal_of(panel.ask("POST", "/uncover", seal, data=reason).text)
    # Uncovered values are for the agent's own eyes, and prove nobody.
    assert "R$" not in copies(panel, uncovered, "orders", row).text
    texts = copies(panel, panel.proven(), "orders", row)
    assert "R$" in copied(texts)[1]
    assert "Not verified" not in texts.text


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
