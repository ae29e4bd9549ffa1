"""Amounts as agents read them: right, unclear or unreadable; in totals, or named as left out."""

from typing import Any

import pytest

from panel.customer.disclosure import FREE_TEXT, masked_kinds
from panel.environment.variables import MASK_NAMES
from panel.web.sections import SECTIONS
from tests.conftest import MakePanel, Panel, rows_of, seal_of, state_of, words_of

# The fraction of the total proves units.
UNITS = {"id": 9, "status": "completed", "total": 80.5, "currency": "BRL"}
BY_LINES = {
    "id": 9,
    "status": "paid",
    "total": 540000,
    "currency": "BRL",
    "line_items": [{"product_name": "Plugin", "quantity": 2, "unit_price": "2700.00"}],
}


Row = dict[str, Any]


def order(number: int, total: Any, status: str = "pending", currency: Any = "BRL") -> Row:
    return {"id": number, "status": status, "total": total, "currency": currency}


def show(panel: Panel, name: str, rows: list[Row]) -> str:
    """Return the words of the section, as a proven customer's agent reads them."""
    seal = panel.proven()
    panel.office.rows(name, 42)[:] = rows
    answer = panel.refresh(name, seal)
    assert state_of(answer.text) == "fresh"
    return words_of(answer.text)


# -- whole numbers ---------------------------------------------------------------------------------


def test_five_orders_of_a_hundred_are_never_one_real_each(panel: Panel) -> None:
    """PHP writes 100 for `(float) "100.00"`."""
    words = show(panel, "orders", [order(number, 100) for number in range(1, 6)])
    assert words.count("amount unclear (100)") == 5
    assert "R$" not in words
    assert "Total" not in words
    assert "Left out of totals: 5 amounts unclear" in words


@pytest.mark.parametrize(("setting", "text"), [("cents", "R$1.00"), ("units", "R$100.00")])
def test_a_setting_says_what_whole_numbers_are(
    make_panel: MakePanel, setting: str, text: str
) -> None:
    words = show(make_panel(MIDDAG_INTEGER_MONEY=setting), "orders", [order(1, 100)])
    assert f"Total unpaid: {text}" in words
    assert "unclear" not in words


def test_a_fraction_in_the_same_answer_proves_units(panel: Panel) -> None:
    words = show(panel, "orders", [order(1, 100), UNITS])
    assert "Total unpaid: R$100.00" in words


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([BY_LINES], "R$1.00"),
        ([{**BY_LINES, "total": 5400}], "R$100.00"),
        ([BY_LINES, {**BY_LINES, "id": 10, "total": 5400}], "amount unclear (100)"),
        ([BY_LINES, {**UNITS, "status": "paid", "id": 10}], "amount unclear (100)"),
    ],
)
def test_lines_of_a_quote_prove_one_reading_and_two_that_disagree_none(
    panel: Panel, rows: list[Row], text: str
) -> None:
    assert text in show(panel, "quotes", [order(1, 100, "sent"), *rows])


def test_evidence_reaches_no_further_than_its_answer(panel: Panel) -> None:
    assert "R$1.00" in show(panel, "quotes", [order(1, 100, "sent"), BY_LINES])
    assert "amount unclear (100)" in show(panel, "orders", [order(1, 100)])


def test_a_fraction_under_cents_is_logged_and_whole_numbers_are_unclear(
    make_panel: MakePanel, caplog: pytest.LogCaptureFixture
) -> None:
    panel = make_panel(MIDDAG_INTEGER_MONEY="cents")
    words = show(panel, "orders", [order(1, 100), order(2, 80.5)])
    assert "amount unclear (100)" in words
    assert "Total unpaid: R$80.50" in words
    assert "Left out of totals: 1 amount unclear" in words
    why = "total: a fraction, although MIDDAG_INTEGER_MONEY says cents"
    assert f"orders of organization 42: record 2: {why}" in caplog.text


# -- totals ----------------------------------------------------------------------------------------


def test_paid_is_never_added_to_unpaid(panel: Panel) -> None:
    statuses = ("pending", "on-hold", "processing", "wc-processing")
    words = show(
        panel, "orders", [order(at, f"{10**at}.00", status) for at, status in enumerate(statuses)]
    )
    assert "Total unpaid: R$11.00" in words
    assert "Total paid: R$1,100.00" in words
    assert "1,111" not in words


def test_an_amount_without_a_currency_is_added_to_nothing(panel: Panel) -> None:
    rows = [order(1, "1.00"), order(2, "20.00", currency=None), order(3, "300.00", currency="")]
    words = show(panel, "orders", rows)
    assert "Total unpaid: R$1.00 Left out" in words
    assert " 20.00 " in words
    assert "Left out of totals: 2 amounts without a currency" in words


def test_a_total_says_all_that_it_leaves_out(panel: Panel) -> None:
    rows = [
        order(1, "1.00"),
        *(order(at, None) for at in (2, 3)),
        order(4, 100),
        *(order(at, "1.250,00") for at in (5, 6)),
        order(7, "70.00", currency=None),
        order(8, "80.00", "Aguardando"),
        {**order(9, "90.00"), "status": 3},
        order(10, "1000.00", "completed"),
    ]
    words = show(panel, "orders", rows)
    assert "Total unpaid: R$1.00 Left out" in words
    text = (
        "2 amounts not stated, 1 amount unclear, 2 amounts unreadable, 1 amount without a"
        " currency, 2 amounts of an unknown status"
    )
    assert f"Left out of totals: {text}" in words


def test_only_pending_quotes_are_added_up(panel: Panel) -> None:
    rows = [
        {**order(1, "1.00", "sent"), "valid_until": "2031-05-15"},
        {**order(2, "20.00", "viewed"), "valid_until": "2020-05-15"},  # lapsed
        {**order(3, "300.00", "sent"), "valid_until": "soon"},
        order(4, "4000.00", "Enviada"),
    ]
    words = show(panel, "quotes", rows)
    text = "1 amount of an unknown status, 1 amount with an unreadable date"
    assert f"Total pending: R$1.00 Left out of totals: {text}" in words


# -- masked values -------------------------------------------------------------------------------

CANARY = "7341"


@pytest.mark.parametrize("mask", MASK_NAMES)
@pytest.mark.parametrize("total", [int(CANARY), f"{CANARY},00", {"value": CANARY}, [CANARY]])
@pytest.mark.parametrize("name", ["orders", "quotes"])
def test_no_odd_amount_shows_what_is_masked(
    make_panel: MakePanel, mask: str, total: Any, name: str
) -> None:
    panel = make_panel(PANEL_MASK=mask)
    rows = [order(1, total, "sent"), order(2, "1.00", "sent")]
    panel.office.rows(name, 42)[:] = rows
    html = panel.section(name, seal_of(panel.open().text)).text
    assert sorted(rows_of(html)) == [1, 2]
    # An object or a list may hold anything, so it is hidden like free text.
    hiding = {"unproven"} if isinstance(total, int | str) else {"unproven", "secrets"}
    assert (CANARY in html) is (mask not in hiding)
    assert ("data-masked" in html) is (mask in hiding)
    assert ("Left out of totals" in html) is (mask != "unproven")
    uncovered = panel.ask(
        "POST", "/uncover", seal_of(panel.open().text), data={"section": name, "reason": "asked"}
    )
    assert CANARY in uncovered.text


@pytest.mark.parametrize("mask", MASK_NAMES)
@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("orders", "status"), ("quotes", "status"), ("quotes", "valid_until"),
        ("licenses", "status"), ("licenses", "expires_at"),
    ],
)  # fmt: skip
def test_an_object_in_place_of_a_value_shows_nothing_while_something_is_masked(
    make_panel: MakePanel, mask: str, name: str, key: str
) -> None:
    """An object may hold anything; a plain text or number in its place is shown."""
    panel = make_panel(PANEL_MASK=mask)
    right: Row = {"status": "active", "expires_at": None, "valid_until": None}
    right |= {"status": "sent"} if name == "quotes" else {}
    rows: list[Row] = [{**right, "id": 1, key: {"x": CANARY}}, {**right, "id": 2, key: False}]
    panel.office.rows(name, 42)[:] = rows
    seal = seal_of(panel.open().text)
    html = panel.section(name, seal).text
    assert sorted(rows_of(html)) == [1, 2]
    assert "unreadable: false" in words_of(html) or key in ("valid_until", "expires_at")
    hidden_kinds = masked_kinds(mask, "unproven") & (SECTIONS[name].reveals | {FREE_TEXT})
    assert (CANARY in html) is (not hidden_kinds)
    assert CANARY in panel.section(name, panel.proven()).text


def test_an_odd_fact_of_the_organization_is_masked_by_the_same_rule(panel: Panel) -> None:
    panel.office.organizations[42]["verification_status"] = {"tax_id": CANARY}
    assert CANARY not in panel.section("organization", seal_of(panel.open().text)).text
    assert CANARY in panel.section("organization", panel.proven()).text


# -- incomplete lists ---------------------------------------------------------------------------


def test_none_among_the_first_rows_is_not_none(panel: Panel) -> None:
    rows = [order(at, "1.00", "completed") for at in range(1, 1450)] + [order(1450, "1.00")]
    panel.office.rows("orders", 42)[:] = rows
    html = panel.section("orders", panel.proven()).text
    words = words_of(html)
    assert state_of(html) == "fresh"
    assert "None among the first 1000 of 1450" in words
    assert "No open orders" not in words
    assert "1000 closed orders: Paid and completed (1000)" in words


def test_what_is_shown_of_a_cut_list_says_so_once(panel: Panel) -> None:
    rows = [order(at, "1.00") for at in range(1, 1451)]
    panel.office.rows("orders", 42)[:] = rows
    words = words_of(panel.section("orders", panel.proven()).text)
    assert "Showing the first 1000 of 1450" in words
    assert "None among" not in words


def test_the_pages_of_a_list_are_one_answer(panel: Panel) -> None:
    """A fraction on the last page proves the amounts of the first."""
    rows = [order(at, 100) for at in range(1, 240)] + [UNITS | {"id": 240}]
    assert "unclear" not in show(panel, "orders", rows)


def test_portuguese_says_it_as_a_brazilian_does(make_panel: MakePanel) -> None:
    panel = make_panel(PANEL_LOCALE="pt_BR")
    rows = [order(1, 100), order(2, "1.250,00"), order(3, None), order(4, "9.50", currency="USD")]
    panel.office.rows("orders", 42)[:] = [*rows, {"status": "pending"}]
    words = words_of(panel.section("orders", panel.proven()).text)
    for phrase in (
        "valor incerto (100)",
        "ilegível: 1.250,00",
        "valor não informado",
        "Total a pagar: US$ 9,50",
        "Fora dos totais: 1 valor",
        "Não foi possível ler 1 registro",
    ):
        assert phrase in words.replace("\xa0", " ")
