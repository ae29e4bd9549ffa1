"""A choice between companies: the deciding facts stand beside each, and cost no read at the
opening."""

import re
from html import unescape

import pytest

from panel.data.directory import Person
from tests.conftest import Panel, attribute, seal_of, state_of, words_of


def cards_of(page: str) -> dict[str, str]:
    parts = re.split(r'<div class="choice card" data-choice="(\d+)"', page)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_the_choice_itself_reads_nothing_and_its_lines_load_themselves(panel: Panel) -> None:
    page = panel.open("two").text
    assert panel.office.count() == 0
    for card in cards_of(page).values():
        lines = re.findall(
            r'<p data-summary="(\w+)" data-state="loading"[^>]*hx-get="([^"]+)"', card
        )
        assert lines == [("licenses", "/summaries/licenses"), ("orders", "/summaries/orders")]


def test_each_line_is_of_the_company_of_its_card(panel: Panel) -> None:
    cards = cards_of(panel.open("two").text)
    headers = {}
    for number, card in cards.items():
        answer = panel.ask("GET", "/summaries/orders", attribute(card, "data-seal"))
        headers[number] = words_of(answer.text)
        assert state_of(answer.text) == "fresh"
        assert "R$" not in answer.text
    assert headers["42"] != headers["45"]
    assert headers["42"].startswith("Orders: Payment failed (1), On hold (1)")


def test_what_is_kept_stands_there_at_once(panel: Panel) -> None:
    for card in cards_of(panel.open("two").text).values():
        for name in ("licenses", "orders"):
            panel.ask("GET", f"/summaries/{name}", attribute(card, "data-seal"))
    panel.office.forget()
    cards = cards_of(panel.open("two").text)
    assert panel.office.count() == 0
    assert "Licenses: Disabled (1), Expires soon (1), Active (2)" in words_of(cards["42"])
    assert 'hx-get="/summaries' not in cards["42"]


@pytest.mark.parametrize(("row", "words"), [(42, "Role: owner"), (45, "Role: guest")])
def test_the_role_stands_beside_the_name(panel: Panel, row: int, words: str) -> None:
    for number, role in ((42, "owner"), (45, "guest")):
        person = panel.chat.contacts[304]["email"]
        panel.services.directory.put_person(
            Person(number, f"collaborator:{number}", 304, role, person)
        )
    assert words in words_of(cards_of(panel.open("two").text)[str(row)])


def test_a_line_that_could_not_be_read_says_so(panel: Panel) -> None:
    seal = attribute(cards_of(panel.open("two").text)["45"], "data-seal")
    panel.office.fault("500", 45, "orders")
    answer = panel.ask("GET", "/summaries/orders", seal)
    assert answer.status_code == 503
    assert "Could not be read." in words_of(answer.text)
    assert "http_500" in answer.text
    assert "No open orders" not in unescape(answer.text)


def test_no_other_section_is_summed_up_and_nothing_without_a_seal(panel: Panel) -> None:
    seal = seal_of(panel.open().text)
    for name in ("quotes", "organization", "x"):
        assert panel.ask("GET", f"/summaries/{name}", seal).status_code == 404
    assert panel.ask("GET", "/summaries/orders").status_code == 401
    assert panel.ask("GET", "/summaries/orders", seal_of(panel.open("two").text)).status_code == 404


def test_a_status_that_nobody_knows_is_words_in_a_line_too(panel: Panel) -> None:
    panel.office.put("orders", 45, {"id": 9, "status": "under_negotiation"})
    seal = attribute(cards_of(panel.open("two").text)["45"], "data-seal")
    answer = panel.ask("GET", "/summaries/orders", seal)
    assert "Under negotiation (1)" in words_of(answer.text)
