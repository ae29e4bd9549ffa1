"""Uncovering a section: for a reason that is kept, and for this section alone."""

import re
from typing import Any

import pytest

from tests.conftest import Panel, seal_of


def uncover(panel: Panel, seal: str, section: str = "orders", reason: str = "named #4201") -> Any:
    return panel.ask("POST", "/uncover", seal, data={"section": section, "reason": reason})


def noted(panel: Panel) -> list[tuple[str, int, str]]:
    rows = panel.services.audit_log.list_entries()
    return [(row.what, row.organization, row.note) for row in rows if row.what == "uncovered"]


def test_one_section_is_uncovered_for_a_reason_and_stays_so_by_its_own_seal(panel: Panel) -> None:
    seal = seal_of(panel.open().text)
    assert "1,250.00" not in panel.section("orders", seal, wait=1).text
    answer = uncover(panel, seal)
    assert answer.status_code == 200
    assert "1,250.00" in answer.text
    assert noted(panel) == [("uncovered", 42, "orders: named #4201")]
    own = seal_of(answer.text)
    for again in (panel.section("orders", own), panel.refresh("orders", own)):
        assert "1,250.00" in again.text
        assert seal_of(again.text) == own
    for hidden in (panel.section("orders", seal), panel.section("quotes", own, wait=1)):
        assert "data-masked" in hidden.text
        assert "data-uncovered" not in hidden.text
    assert "1,250.00" not in panel.open().text


@pytest.mark.parametrize("reason", ["", "  ", "ab", "x" * 201, "line\nbreak", "\x00\x00\x00\x00"])
def test_nothing_is_uncovered_without_a_reason(panel: Panel, reason: str) -> None:
    answer = uncover(panel, seal_of(panel.open().text), reason=reason)
    assert answer.status_code == 422
    assert noted(panel) == []


def test_nothing_is_uncovered_that_the_log_cannot_keep(panel: Panel) -> None:
    seal = seal_of(panel.open().text)
    with panel.services.database.begin() as connection:
        connection.exec_driver_sql("DROP TABLE access_log")
    answer = uncover(panel, seal)
    assert answer.status_code == 503
    assert "1,250.00" not in answer.text


@pytest.mark.parametrize("section", ["", "everything", "orders,quotes", "../orders"])
def test_only_a_section_can_be_uncovered(panel: Panel, section: str) -> None:
    assert uncover(panel, seal_of(panel.open().text), section).status_code == 404


def test_no_seal_uncovers_nothing(panel: Panel) -> None:
    assert uncover(panel, "forged").status_code == 401
    nobody = seal_of(panel.open("unlinked").text)
    assert uncover(panel, nobody).status_code == 404


def test_an_uncovered_seal_is_worth_something_for_its_own_organization_only(panel: Panel) -> None:
    """Every seal that follows from it (after a choice, a pick, an undo, a refusal) is masked
    again."""
    answer = panel.say(seal_of(panel.open("two").text), "pick", 42)
    own = seal_of(uncover(panel, seal_of(answer.text)).text)
    assert "data-uncovered" in panel.section("orders", own).text
    for action, organization in (("undo", 999), ("pick", 45), ("undo", 45), ("refuse", 42)):
        html = panel.say(own, action, organization).text
        seals = re.findall(r'data-seal="([^"]+)"', html)
        assert seals
        for seal in seals:
            section = panel.section("orders", seal, wait=1)
            assert "data-uncovered" not in section.text
            assert section.status_code == 404 or "data-masked" in section.text
    assert [organization for _, organization, _ in noted(panel)] == [42]
