"""An opened row: its cost, its states, and that it opens only the organization's own records."""

import pytest

from panel.demo.worlds import AGENT
from panel.web.sections import SECTIONS
from tests.conftest import Clock, MakePanel, Panel, attribute, seal_of, state_of, words_of
from tests.web.opened_rows import RECORDS, ask

# The demo's facts about each record, as an agent of a proven customer reads them.
TOLD = {
    "orders": (
        *("Plugin Relatórios", "R$209.00", "Subtotal R$418.00", "Tax R$22.00", "Total R$440.00"),
        *("Ordered on", "Completed on", "Payment Card (Stripe)"),
        *("License Plugin Relatórios", "Entitlement PLG-2026044201"),
    ),
    "quotes": (
        *("Tema Campus 3 × R$1,500.00", "Instalação R$300.00", "Subtotal R$4,800.00"),
        *("Valid until", "in 6 days", "Issued on", "Changed on", "Billing entity MIDDAG BR"),
        *("License Tema Campus", "Notes Renovação anual do Tema Campus, com instalação."),
    ),
    "licenses": (
        *("In use on site3.example", "Limit 1 of 3 sites", "Issued on", "Valid until"),
        *("Entitlement PLG-2026044203 In force", "Paid by order #4206", "#4210", "#4214"),
        "Quote to renew it #4202 · Valid until",
    ),
    "organization": (
        *("ana@acme.example Owner owner · manages everything", "bruno@acme.example"),
        *("member · manages orders, tickets, downloads", "guest · manages nothing"),
        "novo@acme.example invited, not yet a member",
    ),
}


def open_sections(panel: Panel) -> str:
    """Read all sections of a proven customer, and return the seal."""
    seal = panel.proven()
    for name in SECTIONS:
        panel.section(name, seal)
    return seal


@pytest.mark.parametrize("name", SECTIONS)
def test_an_opened_row_tells_what_its_list_leaves_out(panel: Panel, name: str) -> None:
    seal = open_sections(panel)
    answer = ask(panel, name, RECORDS[name], seal)
    words = words_of(answer.text)
    assert (answer.status_code, state_of(answer.text)) == (200, "fresh")
    assert answer.headers["Cache-Control"] == "no-store"
    assert [text for text in TOLD[name] if text not in words] == []


def test_what_is_not_told_is_not_there(panel: Panel) -> None:
    panel.office.put("orders", 42, {"id": 1, "status": "pending"})
    panel.office.put("quotes", 42, {"id": 2, "status": "sent"})
    panel.office.put("licenses", 42, {"id": 3, "status": "active"})
    panel.office.collaborators[42][:] = [{"id": 5, "email": "ana@acme.example"}]
    seal = panel.proven()
    texts = [words_of(ask(panel, name, at, seal).text) for name, at in
             {"orders": 1, "quotes": 2, "licenses": 3, "organization": 42}.items()]  # fmt: skip
    assert texts == ["", "", "", "ana@acme.example member"]


# -- what it costs ---------------------------------------------------------------------------------


CALLS = {"orders": 1, "quotes": 1, "licenses": 5, "organization": 1}


@pytest.mark.parametrize("name", SECTIONS)
def test_a_row_is_read_when_it_is_opened_and_then_kept(panel: Panel, name: str) -> None:
    seal = open_sections(panel)
    panel.office.forget()
    first = ask(panel, name, RECORDS[name], seal)
    assert len(panel.office.calls) == CALLS[name]
    panel.office.forget()
    assert words_of(ask(panel, name, RECORDS[name], seal).text) == words_of(first.text)
    assert panel.office.calls == []


@pytest.mark.parametrize("name", ["orders", "quotes"])
def test_what_the_list_holds_already_costs_no_call(panel: Panel, name: str) -> None:
    panel.office.full_lists = True
    seal = open_sections(panel)
    panel.office.forget()
    words = words_of(ask(panel, name, RECORDS[name], seal).text)
    assert [text for text in TOLD[name] if text not in words] == []
    assert panel.office.calls == []


def test_a_cold_row_reads_its_list_first(panel: Panel) -> None:
    seal = panel.proven()
    panel.office.forget()
    assert "Plugin" in ask(panel, "orders", 4204, seal).text
    assert len(panel.office.calls) == 2


def test_a_hook_that_touches_the_section_has_its_rows_read_anew(panel: Panel) -> None:
    seal = panel.proven()
    assert "Plugin" in ask(panel, "orders", 4204, seal).text
    panel.office.orders[42][3]["line_items"] = [{"product_name": "Changed"}]
    assert "Changed" not in ask(panel, "orders", 4204, seal).text
    panel.services.cache.touch(42, "orders")
    assert "Changed" in ask(panel, "orders", 4204, seal).text


def test_whoever_asks_again_is_told_what_is_so_now(panel: Panel) -> None:
    seal = panel.proven()
    ask(panel, "quotes", 4202, seal)
    panel.office.quotes[42][1]["notes"] = "Other words"
    assert "Other words" not in ask(panel, "quotes", 4202, seal, wait=1).text
    assert "Other words" in ask(panel, "quotes", 4202, seal, again=1).text


# -- states ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "status", "state", "code"),
    [
        ("500", 503, "failed", "http_500"),
        ("html", 503, "failed", "unreadable"),
        ("403", 403, "denied", "denied"),
    ],
)
@pytest.mark.parametrize("name", ["orders", "quotes", "organization"])
def test_a_failure_is_never_shown_as_nothing(
    panel: Panel, name: str, fault: str, status: int, state: str, code: str
) -> None:
    seal = panel.proven()
    panel.section(name, seal)
    panel.office.fault(fault, 42)
    answer = ask(panel, name, RECORDS[name], seal)
    assert state_of(answer.text) == state
    assert attribute(answer.text, "data-code") == code
    assert answer.status_code // 100 == status // 100
    assert "data-empty" not in answer.text
    assert 'data-action="read-again"' in answer.text
    assert f"<code>{code}</code>" in answer.text
    panel.office.heal()
    panel.services.cache.touch(42, name)  # what waiting does not heal is remembered for a while
    again = ask(panel, name, RECORDS[name], seal, again=1)
    assert (again.status_code, state_of(again.text)) == (200, "fresh")


def test_what_the_list_told_stands_beside_a_failure(panel: Panel) -> None:
    seal = panel.proven()
    panel.section("orders", seal)
    panel.office.fault("500", 42)
    words = words_of(ask(panel, "orders", 4204, seal).text)
    assert "Completed on" in words
    assert "Could not be read. MIDDAG Account has an internal error." in words


def test_an_aged_row_is_shown_at_once_and_asks_once_more(make_panel: MakePanel) -> None:
    clock = Clock()
    panel = make_panel(clock)
    seal = panel.proven()
    ask(panel, "orders", 4204, seal)
    clock.advance(90)
    aged = ask(panel, "orders", 4204, seal)
    assert state_of(aged.text) == "late"
    assert "R$440.00" in aged.text
    assert "/rows/orders/4204?wait=1" in aged.text
    fresh = ask(panel, "orders", 4204, seal, wait=1)
    assert (state_of(fresh.text), "wait=1" in fresh.text) == ("fresh", False)


def test_a_kept_row_that_cannot_be_read_again_says_its_age(make_panel: MakePanel) -> None:
    clock = Clock()
    panel = make_panel(clock)
    seal = panel.proven()
    ask(panel, "orders", 4204, seal)
    clock.advance(90)
    panel.office.fault("502", 42)
    late = ask(panel, "orders", 4204, seal, wait=1)
    assert (late.status_code, state_of(late.text)) == (200, "late")
    assert attribute(late.text, "data-read-at")
    assert "could not be updated" in words_of(late.text)
    assert "R$440.00" in late.text


def test_a_license_shows_the_rest_when_a_part_of_its_chain_fails(panel: Panel) -> None:
    seal = panel.proven()
    panel.section("licenses", seal)
    panel.section("quotes", seal)
    panel.office.fault("500", 42, "orders")
    words = words_of(ask(panel, "licenses", 4203, seal).text)
    assert "Quote to renew it #4202" in words
    assert "Not everything could be read." in words
    assert "Paid by" not in words


def test_a_record_that_is_gone_by_now_is_said_to_be(panel: Panel) -> None:
    seal = panel.proven()
    panel.section("orders", seal)
    panel.office.remove("orders", 42, 4204)
    answer = ask(panel, "orders", 4204, seal)
    assert (answer.status_code, state_of(answer.text)) == (404, "gone")


def test_another_records_answer_is_not_shown(panel: Panel) -> None:
    """A cache that mixes answers up, or a plugin that does."""
    seal = panel.proven()
    panel.section("orders", seal)
    panel.office.orders[42][3]["organization_id"] = 45
    answer = ask(panel, "orders", 4204, seal)
    assert attribute(answer.text, "data-code") == "foreign_rows"
    assert "Plugin" not in answer.text


# -- whose -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "number"),
    [("orders", 4501), ("quotes", 4501), ("licenses", 4501), ("organization", 45)],
)
def test_another_organizations_record_is_as_if_unknown(
    panel: Panel, name: str, number: int
) -> None:
    own = panel.proven()
    panel.section(name, own)
    panel.office.forget()
    foreign, unknown = (ask(panel, name, record, own) for record in (number, 999_999))
    assert (foreign.status_code, foreign.text) == (unknown.status_code, unknown.text)
    assert foreign.status_code == 404
    assert panel.office.calls == [], "nobody is asked for it"
    assert ask(panel, name, number, panel.proven("two", 45)).status_code == 200


@pytest.mark.parametrize(
    "number",
    ["0", "-1", "abc", "4204x", "04204", "4204%20", "１", "9" * 30, "4204/x", "4204;1"],
)
def test_what_is_no_id_is_refused(panel: Panel, number: str) -> None:
    seal = panel.proven()
    panel.section("orders", seal)
    panel.office.forget()
    assert ask(panel, "orders", number, seal).status_code == 404
    assert panel.office.calls == []


@pytest.mark.parametrize("seal", [None, "nonsense"])
def test_without_a_seal_nothing_is_shown(panel: Panel, seal: str | None) -> None:
    answer = panel.ask("GET", "/rows/orders/4204", seal)
    assert answer.status_code == 401
    assert panel.office.calls == []


def test_a_seal_without_an_organization_opens_nothing(panel: Panel) -> None:
    assert ask(panel, "orders", 4204, seal_of(panel.open("unlinked").text)).status_code == 404


def test_an_agent_who_was_removed_sees_no_further_row(make_panel: MakePanel) -> None:
    clock = Clock()
    panel = make_panel(clock)
    seal = panel.proven()
    assert ask(panel, "orders", 4204, seal).ok
    del panel.chat.agents[AGENT]
    clock.advance(61)
    assert ask(panel, "orders", 4204, seal).status_code == 401
