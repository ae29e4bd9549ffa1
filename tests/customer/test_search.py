"""Searching: by the words that passes learned, by id also at the back office; and its silence about
secrets."""

import re
from collections.abc import Iterator
from html import unescape

import pytest
import requests
from sqlalchemy import text

from panel.auth.throttle import UNKNOWN_IDS
from panel.sync.reconcile import Reconciler
from tests.conftest import Panel, attribute, panels_before, seal_of, worlds_on_sockets
from tests.learning import learn

LEARNED = (42, 45, 48)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    """A panel for the whole file, which has learned a few organizations."""
    with worlds_on_sockets() as worlds, panels_before(worlds, tmp_path_factory.mktemp("p")) as make:
        panel = make()
        learn(panel, *LEARNED)
        yield panel


def ask(panel: Panel, query: str) -> requests.Response:
    seal = seal_of(panel.open("unlinked").text)
    return panel.ask("GET", "/search", seal, params={"q": query})


def results(answer: requests.Response) -> list[int]:
    return [int(match) for match in re.findall(r'data-result="(\d+)"', answer.text)]


def test_what_a_pass_learned_is_found_by_each_of_its_words(searched: Panel) -> None:
    document = searched.office.organizations[45]
    code = searched.office.entitlements[45][0]["code"]
    for query in ("prado cons", document["cnpj"], document["email"], document["phone"], code):
        answer = ask(searched, query)
        assert (answer.status_code, results(answer)) == (200, [45]), query
    assert results(ask(searched, "daniela@prado.example")) == [42, 45]


def test_a_result_says_who_it_is_and_offers_to_pick_it(searched: Panel) -> None:
    html = ask(searched, searched.office.organizations[45]["email"]).text
    for phrase in ("Prado Consultoria Ltda", "Goiânia", "Basic", "Found by", "e-mail"):
        assert phrase in html
    assert html.count('data-action="pick"') == 2
    assert 'value="contact"' in html


def test_no_result_names_the_tax_id_that_found_it(searched: Panel) -> None:
    cnpj = searched.office.organizations[45]["cnpj"]
    digits = re.sub(r"\D", "", cnpj)
    html = ask(searched, cnpj).text
    assert "Found by tax ID" in html
    assert "data-masked" in html
    assert cnpj not in html
    assert digits not in html


def test_a_found_organization_is_picked_with_the_seal_of_the_panel(searched: Panel) -> None:
    seal = seal_of(searched.open("unlinked").text)
    assert results(searched.ask("GET", "/search", seal, params={"q": "prado"})) == [45]
    answer = searched.say(seal, "pick", 45)
    assert attribute(answer.text, "data-link") == "picked"
    assert "Prado Consultoria Ltda" in answer.text
    searched.say(seal, "undo", 45)


def test_an_id_that_no_pass_has_seen_is_asked_of_the_back_office(panel: Panel) -> None:
    answer = ask(panel, "46")
    assert results(answer) == [46]
    assert panel.office.count() == 1
    assert results(ask(panel, "999999")) == []
    assert "Nothing found" in ask(panel, "999999").text


def test_when_the_back_office_cannot_be_asked_for_an_id_it_is_said(panel: Panel) -> None:
    panel.office.fault("500", 46)
    answer = ask(panel, "46")
    assert "Nothing found" not in answer.text
    assert "could not be asked" in answer.text


@pytest.mark.parametrize("query", ["", "a", " ", "-"])
def test_too_little_asks_nobody_and_says_nothing(panel: Panel, query: str) -> None:
    seal = seal_of(panel.open("unlinked").text)
    before = panel.calls
    answer = panel.ask("GET", "/search", seal, params={"q": query})
    assert (answer.status_code, results(answer)) == (200, [])
    assert "Nothing found" not in answer.text
    assert panel.calls == before


def test_nothing_found_names_the_words_and_what_was_searched(searched: Panel) -> None:
    answer = ask(searched, "<b>zzzz</b>")
    assert "Nothing found for “&lt;b&gt;zzzz&lt;/b&gt;”" in answer.text
    assert "any other is found by its ID" in unescape(answer.text)


def test_a_silent_database_is_not_nothing_found(panel: Panel) -> None:
    learn(panel, 45)
    seal = seal_of(panel.open("unlinked").text)
    with panel.services.database.begin() as connection:
        connection.execute(text("DROP TABLE terms"))
    answer = panel.ask("GET", "/search", seal, params={"q": "prado"})
    assert answer.status_code == 503
    assert answer.headers["X-Panel"] == "1"
    assert "Cannot be searched" in answer.text
    assert "Nothing found" not in answer.text


def test_without_a_seal_nothing_is_searched(searched: Panel) -> None:
    for bearer in (None, "forged", "x" * 5000):
        answer = searched.ask("GET", "/search", bearer, params={"q": "prado"})
        assert answer.status_code == 401
        assert answer.json() == {"error": {"code": "seal_invalid"}}


def test_an_organization_that_is_gone_for_good_is_not_found_any_more(panel: Panel) -> None:
    learn(panel, 45)
    assert results(ask(panel, "prado")) == [45]
    panel.office.remove("organization", 45, 45)
    shared = panel.services
    tools = (shared.directory, shared.search_index, shared.links, shared.locks)
    contacts = Reconciler(panel.settings, shared.back_office, shared.chatwoot, *tools)
    contacts.bring_in_line(45, ("organization.deleted",))
    assert results(ask(panel, "prado")) == []


# -- organizations that no pass has seen
# -----------------------------------------------------------------------


def test_a_company_that_was_shown_is_found_by_its_name_from_then_on(panel: Panel) -> None:
    """The panel showed Acme Ltda, and a search for it once offered another company alone."""
    assert results(ask(panel, "acme")) == []
    html = panel.open().text
    assert panel.section("organization", seal_of(html)).status_code == 200
    document = panel.office.organizations[42]
    for query in ("acme", "ACME ltda", document["cnpj"], document["email"], document["phone"]):
        assert results(ask(panel, query)) == [42], query


def test_a_phone_without_a_country_is_no_number_of_brazil(panel: Panel) -> None:
    """The same digits belong to somebody in Rio de Janeiro."""
    panel.office.organizations[42] |= {"phone": "(212) 555-0123", "country": None}
    panel.section("organization", seal_of(panel.open().text))
    assert results(ask(panel, "acme")) == [42]
    assert results(ask(panel, "+55 21 2555-0123")) == []


def test_a_company_of_a_choice_is_found_by_its_name_too(panel: Panel) -> None:
    choice = panel.open("two").text
    seals = re.findall(r'data-choice="\d+" data-seal="([^"]+)"', choice)
    for seal in seals:
        panel.section("organization", seal)
    assert results(ask(panel, "prado")) == [45]
    html = ask(panel, "prado").text
    assert "Prado Consultoria Ltda" in html
    assert panel.office.organizations[45]["cnpj"] not in html


def test_a_pass_knows_more_than_what_was_shown(panel: Panel) -> None:
    learn(panel, 45)
    code = panel.office.entitlements[45][0]["code"]
    seal = seal_of(panel.open("two", organization=45).text)
    panel.refresh("organization", seal)
    assert results(ask(panel, code)) == [45]


@pytest.mark.parametrize("query", ["prado", "zzzz"])
def test_a_search_by_name_says_that_others_are_found_by_their_id(
    searched: Panel, query: str
) -> None:
    assert "found by" in ask(searched, query).text.partition("data-results")[2].lower()
    assert "its ID" in ask(searched, query).text or "their ID" in ask(searched, query).text


def test_a_number_that_nobody_knows_is_asked_for_once_and_told_as_unknown(panel: Panel) -> None:
    seal = seal_of(panel.open("unlinked").text)
    panel.office.forget()
    for _ in range(3):
        answer = panel.ask("GET", "/search", seal, params={"q": "987654"})
        assert "MIDDAG Account has no company with this ID." in answer.text
        assert "by name" not in answer.text
    assert panel.office.count() == 1


@pytest.mark.parametrize("query", ["(61) 3322-9999", "11.222.999/0001-93", "+55 61 3322-9999"])
def test_a_phone_or_tax_id_with_its_signs_is_no_id(panel: Panel, query: str) -> None:
    seal = seal_of(panel.open("unlinked").text)
    panel.office.forget()
    answer = panel.ask("GET", "/search", seal, params={"q": query})
    assert "no company with this ID" not in answer.text
    assert "must be complete" in answer.text
    assert panel.office.count() == 0


@pytest.mark.parametrize("field", ["cnpj", "phone"])
def test_digits_that_are_somebodys_phone_or_tax_id_are_not_asked_for_as_an_id(
    panel: Panel, field: str
) -> None:
    learn(panel, 45)
    digits = re.sub(r"\D", "", panel.office.organizations[45][field])
    seal = seal_of(panel.open("unlinked").text)
    panel.office.forget()
    assert results(panel.ask("GET", "/search", seal, params={"q": digits})) == [45]
    assert panel.office.count() == 0


def test_unknown_numbers_are_not_counted_through(clocked: Panel) -> None:
    """The clock stands still: a minute that ends meanwhile would begin a new count."""
    panel = clocked
    seal = seal_of(panel.open("unlinked").text)
    panel.office.forget()
    answers = [
        panel.ask("GET", "/search", seal, params={"q": str(number)}).text
        for number in range(880_000, 880_000 + UNKNOWN_IDS.most + 3)
    ]
    assert panel.office.count() <= UNKNOWN_IDS.most
    assert "Too many unknown IDs in one minute" in answers[-1]
    assert "Nothing found" not in answers[-1]


WRITTEN = [
    ("sao joao", {"name": "São João Ltda."}),
    ("SÃO", {"name": "Sao Joao"}),
    ("obrien", {"name": "O'Brien & Filhos"}),
    ("o'brien filhos", {"name": "O'Brien & Filhos"}),
    ("11.222.042/0001-93", {"cnpj": "11222042000193"}),
    ("11 222 042 / 0001 93", {"cnpj": "11.222.042/0001-93"}),
    ("12.abc.345/01de-35", {"cnpj": "12ABC34501DE35"}),
    ("12ABC34501DE35", {"cnpj": "12.ABC.345/01DE-35"}),
    ("(61) 3322-0042", {"phone": "+55 61 3322-0042"}),
    ("061 3322 0042", {"phone": "6133220042"}),
    ("+55 61 3322-0042", {"phone": "(61) 3322-0042"}),
    ("00 55 61 3322.0042", {"phone": "+556133220042"}),
    ("3322-0042", {"phone": "+55 61 3322-0042"}),
    ("(61) 9999-0001", {"phone": "+55 61 99999-0001"}),
]


@pytest.mark.parametrize(("query", "fields"), WRITTEN, ids=[query for query, _ in WRITTEN])
def test_names_tax_ids_and_phones_are_found_as_people_write_them(
    panel: Panel, query: str, fields: dict[str, str]
) -> None:
    panel.office.organizations[42] |= fields
    panel.section("organization", seal_of(panel.open().text))
    assert results(ask(panel, query)) == [42]
