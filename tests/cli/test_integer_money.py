"""The lines of setup about amounts while `MIDDAG_INTEGER_MONEY` is not set."""

import json

import pytest

from panel.cli.integer_money import explain_integer_money
from tests.conftest import MakePanel, Panel
from tests.learning import learn


@pytest.fixture
def panel(make_panel: MakePanel) -> Panel:
    """A panel before worlds of its own; the other tests of this folder share theirs."""
    return make_panel()


EXAMPLES = [
    "  - order 4209 of organization 42: 100 is 1.00 BRL as cents, 100 BRL as units",
    "  - quote 4209 of organization 42: 1500 is 1.500 KWD as cents, 1500 KWD as units",
    "  - order 4301 of organization 43: 70 is 0.70 as cents, 70 as units",
]


def plant(panel: Panel) -> None:
    orders, quotes = panel.office.orders, panel.office.quotes
    for rows in (orders, quotes):
        rows[42] = [{**rows[42][0], "id": 4201}]
    orders[42].append({"id": 4209, "status": "completed", "total": 100, "currency": "BRL"})
    quotes[42].append({"id": 4209, "status": "sent", "total": 1500, "currency": "KWD"})
    orders[43] = [{"id": 4300 + at, "status": "pending", "total": 69 + at} for at in (1, 2)]


def test_three_amounts_of_the_back_office_are_shown_in_both_readings(panel: Panel) -> None:
    plant(panel)
    lines = explain_integer_money(panel.services.back_office, [42, 43, 44])
    assert lines[1:4] == EXAMPLES
    assert "writes amounts as whole numbers" in lines[0]
    assert "set it to cents or units" in lines[4]
    assert panel.office.count("/orders") == 2


def test_amounts_that_are_strings_need_no_setting(panel: Panel) -> None:
    lines = explain_integer_money(panel.services.back_office, [42, 45])
    assert lines == ["No amount of 2 organizations needs MIDDAG_INTEGER_MONEY."]


@pytest.mark.parametrize("fault", ["404", "403"])
def test_an_organization_that_is_gone_hides_no_other(panel: Panel, fault: str) -> None:
    plant(panel)
    panel.office.fault(fault, 99)
    assert explain_integer_money(panel.services.back_office, [99, 42, 43])[1:4] == EXAMPLES


def test_a_silent_back_office_is_no_answer(panel: Panel) -> None:
    panel.office.fault("500")
    [line] = explain_integer_money(panel.services.back_office, [42])
    assert line.startswith("Whether MIDDAG_INTEGER_MONEY is needed is not known")
    assert "http_500" in line


def test_without_a_known_organization_it_says_when_to_come_back(panel: Panel) -> None:
    assert (
        "no organization is known yet" in explain_integer_money(panel.services.back_office, [])[0]
    )
    assert panel.office.calls == []


@pytest.mark.parametrize(("value", "visible"), [("", True), ("units", False), ("cents", False)])
def test_setup_explains_it_while_it_is_not_set(
    make_panel: MakePanel, value: str, visible: bool
) -> None:
    panel = make_panel(PANEL_URL="https://panel.example.com", MIDDAG_INTEGER_MONEY=value)
    plant(panel)
    learn(panel, 42, 43)
    setup = panel.app.test_cli_runner().invoke
    plain = setup(args=["setup", "--dry-run"]).stdout
    assert (EXAMPLES[0] in plain) is visible
    document = json.loads(setup(args=["setup", "--dry-run", "--json"]).stdout)
    assert ("integer_money" in document) is visible
    assert "integer_money" not in json.loads(setup(args=["setup", "--remove", "--json"]).stdout)
