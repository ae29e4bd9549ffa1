"""The browser's view: an opened panel, and the words of its sections."""

import html
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from panel.demo.scenarios import SCENARIOS
from panel.web.sections import SECTIONS
from tests.conftest import Panel, attribute, rows_of, seal_of, state_of, words_of
from tests.web.opened import panel_of, whole

CLOSED = 'id="closed-'  # the fold of the closed records


def section_states(text: str) -> dict[str, str]:
    return dict(re.findall(r'data-section="(\w+)" data-state="(\w+)"', text))


# -- opening ---------------------------------------------------------------------------------------


def test_a_first_opening_draws_frames_and_asks_the_back_office_nothing(panel: Panel) -> None:
    answer = panel.open("healthy")
    assert section_states(answer.text) == dict.fromkeys(SECTIONS, "loading")
    assert panel.office.calls == []


def test_each_section_asks_for_itself_alone(panel: Panel) -> None:
    seal = seal_of(panel.open("healthy").text)
    for name, path in {
        "organization": "/organizations/42",
        "orders": "/orders",
        "quotes": "/quotes",
        "licenses": "/licenses",
    }.items():
        panel.office.forget()
        assert state_of(panel.section(name, seal).text) == "fresh"
        assert panel.office.count() == panel.office.count(path) == 1


def test_a_second_opening_draws_what_is_kept_at_once(panel: Panel) -> None:
    whole(panel, panel.proven("healthy"))
    panel.office.forget()
    answer = panel.open("healthy")
    assert section_states(answer.text) == dict.fromkeys(SECTIONS, "fresh")
    assert "Acme Ltda" in answer.text
    assert panel.office.calls == []


@pytest.mark.parametrize(
    ("fault", "state", "code"),
    [
        ("404", "failed", "unknown_organization"),
        ("403", "denied", "denied"),
        ("wordpress401", "failed", "unauthorized"),
        ("html", "failed", "unreadable"),
    ],
)
def test_a_second_opening_draws_a_failure_that_is_remembered(
    panel: Panel, fault: str, state: str, code: str
) -> None:
    panel.office.fault(fault, 42)
    whole(panel, seal_of(panel.open("healthy").text))
    again = panel.open("healthy")
    assert attribute(again.text, "data-panel") == "ready"
    assert section_states(again.text) == dict.fromkeys(SECTIONS, state)
    assert f'data-code="{code}"' in again.text


def test_a_refresh_asks_for_its_section_alone(panel: Panel) -> None:
    seal = panel.proven("healthy")
    whole(panel, seal)
    panel.office.forget()
    assert state_of(panel.refresh("orders", seal).text) == "fresh"
    assert [call.path.rpartition("/")[2] for call in panel.office.calls] == ["orders"]


def test_several_organizations_are_a_choice(panel: Panel) -> None:
    answer = panel.open("two")
    assert panel_of(answer)[0] == "choose"
    seals = re.findall(r'data-choice="(\d+)" data-seal="([^"]+)"', answer.text)
    assert [number for number, _ in seals] == ["42", "45"]
    for number, seal in seals:
        page = panel.section("organization", html.unescape(seal)).text
        assert rows_of(page) == [int(number)]


def test_a_choice_can_be_looked_at(panel: Panel) -> None:
    answer = panel.open("two", organization=45)
    assert panel_of(answer) == ("ready", "unproven", "claimed")
    assert attribute(answer.text, "data-organization") == "45"


def test_a_choice_that_was_not_offered_is_not_shown(panel: Panel) -> None:
    assert panel_of(panel.open("two", organization=46))[0] == "choose"
    assert attribute(panel.open("healthy", organization=46).text, "data-organization") == "42"
    assert panel_of(panel.open("unlinked", organization=46))[0] == "unlinked"


def test_an_unlinked_conversation_says_what_was_looked_at(panel: Panel) -> None:
    answer = panel.open("unlinked")
    assert panel_of(answer)[0] == "unlinked"
    assert "eduardo.mota@correio.example" in answer.text
    assert "+5531988880005" in answer.text
    assert 'name="q"' in answer.text
    assert panel.office.calls == []


def test_chatwoot_that_does_not_answer_is_said_and_nothing_shown(panel: Panel) -> None:
    answer = panel.open("chatwoot-down")
    assert panel_of(answer)[0] == "failed"
    assert answer.status_code == 503
    assert "data-seal" not in answer.text
    assert panel.office.calls == []


# -- the words of the sections ---------------------------------------------------------------------


def test_closed_orders_are_counted_and_totals_kept_per_currency_and_payment(panel: Panel) -> None:
    page = panel.section("orders", panel.proven("currencies")).text
    assert sorted(rows_of(page.partition(CLOSED)[0])) == [4701, 4702, 4703]
    assert "1 closed order:" in page
    words = words_of(page)
    assert "Total unpaid: $1,200.00 Total paid: $349.50 · R$2,750.00" in words


@pytest.mark.parametrize(("takes_size", "calls"), [(True, 1), (False, 1 + 3)])
def test_a_list_on_several_pages_is_read_whole(panel: Panel, takes_size: bool, calls: int) -> None:
    panel.office.takes_page_size = takes_size
    page = panel.section("orders", panel.proven("many")).text
    assert len(rows_of(page.partition(CLOSED)[0])) == 36
    assert "24 closed orders:" in page
    assert "31 more" in page
    assert len(rows_of(page)) == 36 + 10
    whole = panel.ask("GET", "/sections/orders?all=1", panel.proven("many")).text
    assert len(rows_of(whole)) == 36 + 24
    assert panel.office.count("/orders") == calls


def test_only_the_first_ten_pages_are_read_and_that_is_said(panel: Panel) -> None:
    panel.office.takes_page_size = False
    for number in range(1, 251):
        panel.office.put("orders", 43, {"id": number, "status": "pending"})
    page = panel.section("orders", panel.proven("empty")).text
    assert len(rows_of(page)) == 200
    assert re.search(r"first 200 of 250", page)
    assert panel.office.count("/orders") == 1 + 10


def test_the_most_urgent_licenses_come_first(panel: Panel) -> None:
    page = panel.section("licenses", panel.proven("expiring")).text
    marks = re.findall(r'data-row="(\d+)"(?: data-mark="(\w+)")?', page.partition(CLOSED)[0])
    assert marks == [
        ("4604", "expired"), ("4605", "expired"), ("4609", "disabled"),
        ("4601", "expiring"), ("4602", "expiring"), ("4603", "expiring"),
        ("4608", ""), ("4607", ""),
    ]  # fmt: skip
    assert "1 other license: Expired (1)" in page
    assert "Lifetime" in page
    assert "Unlimited sites" in page


def test_a_quote_that_lapses_soon_or_has_just_lapsed_comes_first(panel: Panel) -> None:
    page = panel.section("quotes", panel.proven("healthy")).text
    marks = re.findall(r'data-row="(\d+)"(?: data-mark="(\w+)")?', page.partition(CLOSED)[0])
    assert marks == [("4202", "lapsing"), ("4203", "lapsed"), ("4201", "")]
    assert "7 other quotes:" in page


@pytest.mark.parametrize(
    ("day", "words"), [("2026-01-15", "Expired on Jan 15"), ("2199-01-15", "Valid until Jan 15")]
)
def test_a_quote_that_is_called_expired_is_not_called_valid_until_a_past_day(
    panel: Panel, day: str, words: str
) -> None:
    panel.office.put("quotes", 42, {"id": 9, "status": "expired", "valid_until": day})
    page = panel.section("quotes", panel.proven()).text
    row = words_of(page.partition('data-row="9"')[2].partition("</li>")[0])
    assert words in row


def test_what_the_back_office_does_not_state_is_not_invented(panel: Panel) -> None:
    panel.office.put("organization", 42, {"name": "Acme"})
    page = panel.section("organization", panel.proven("healthy")).text
    assert page.count("not stated") == 2
    assert "Plan" not in page
    panel.office.put("orders", 42, {"id": 1, "status": "pending"})
    assert "amount not stated" in panel.refresh("orders", panel.proven("healthy")).text


@pytest.mark.parametrize(
    ("fields", "phrase"),
    [
        ({"status": "verified"}, "CNPJ {cnpj} CNPJ checked"),
        ({"status": "verified", "verification_status": "verified"}, "CNPJ {cnpj} CNPJ checked"),
        ({"status": "publish", "verification_status": "verified"}, "CNPJ {cnpj} CNPJ checked"),
        (
            {"status": "verified", "verification_status": "rejected"},
            "CNPJ {cnpj} CNPJ check failed Status CNPJ checked",
        ),
    ],
)
def test_verified_means_that_the_tax_id_was_checked_in_whichever_field_it_stands(
    panel: Panel, fields: dict[str, str], phrase: str
) -> None:
    document = {**panel.office.organizations[42], **fields, "city": None, "state": None}
    document |= {"country": None, "legal_name": None}
    if "verification_status" not in fields:
        del document["verification_status"]
    panel.office.put("organization", 42, document)
    words = words_of(panel.section("organization", panel.proven("healthy")).text)
    assert phrase.format(cnpj=document["cnpj"]) in words
    assert ("Status" in words) is ("Status" in phrase)
    assert "erified" not in words


def test_every_contradiction_of_the_documentation_is_shown(panel: Panel) -> None:
    seal = panel.proven("contradictions")
    organization = panel.section("organization", seal).text
    for words in ("Paradoxo Educação", "12.ABC.345/01DE-35", "MIDDAG BR", "CNPJ being checked"):
        assert words in organization
    orders = panel.section("orders", seal).text
    assert sorted(rows_of(orders.partition(CLOSED)[0])) == [4801, 4802, 4803, 4804, 4806]
    for words in ("On hold", "Awaiting shipment", "amount unclear (125000)", "No date"):
        assert words in orders
    quotes, licenses = (panel.section(name, seal).text for name in ("quotes", "licenses"))
    assert (sorted(rows_of(quotes.partition(CLOSED)[0])), "Under negotiation" in quotes) == (
        [4801, 4803, 4804],
        True,
    )
    assert (sorted(rows_of(licenses.partition(CLOSED)[0])), "Paused" in licenses) == (
        [4801, 4802, 4803, 4804],
        True,
    )


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_opens_without_an_accident(panel: Panel, scenario: str) -> None:
    answer = panel.open(scenario)
    assert panel_of(answer)[0] in {"ready", "choose", "unlinked", "failed"}
    assert (answer.status_code == 503) is (scenario == "chatwoot-down")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_many_agents_before_one_conversation_get_the_same_panel(panel: Panel) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: panel.open("healthy"), range(16)))
    assert {panel_of(answer) for answer in answers} == {("ready", "unproven", "claimed")}


def test_an_aged_section_follows_up_by_itself(clocked: Panel) -> None:
    seal = clocked.proven("healthy")
    clocked.section("orders", seal)
    clocked.clock.advance(61)
    clocked.office.forget()
    page = clocked.section("orders", seal).text
    follow = re.search(r'hx-get="(/sections/orders\?wait=1)" hx-trigger="load"', page)
    assert state_of(page) == "late"
    assert clocked.office.calls == []
    assert follow is not None
    assert state_of(clocked.ask("GET", follow[1], seal).text) == "fresh"
