"""The name of a company that was never read: Chatwoot's name, marked as a claim."""

import re

import pytest

from panel.demo.scenarios import SCENARIOS
from tests.conftest import Panel, seal_of

HEADING = re.compile(r"<h1[^>]*>(.*?)</h1>", re.DOTALL)
MARK = "according to Chatwoot"
UNREAD = SCENARIOS["error500"]


def name(panel: Panel, **attributes: str) -> str:
    """Return the head of a company that was never read, with these attributes of its contact."""
    panel.chat.contacts[UNREAD.contact]["custom_attributes"] |= attributes
    page = panel.open("error500").text
    match = HEADING.search(page)
    assert match
    words = re.sub("<[^>]*>", "", match[1])
    return f"{words} {MARK if MARK in page else ''}".strip()


def test_the_name_that_passes_wrote_beside_the_id_stands_in_the_head_marked(panel: Panel) -> None:
    assert name(panel, middag_organization="Quinhentos SA") == f"Quinhentos SA {MARK}"


def test_else_the_company_that_agents_typed_of_the_contact(panel: Panel) -> None:
    assert name(panel) == f"Quinhentos Ltda {MARK}"


def test_without_either_the_company_goes_by_its_number(panel: Panel) -> None:
    panel.chat.contacts[UNREAD.contact]["additional_attributes"] = {"company_name": ["a list"]}
    assert name(panel) == "Company 53"


@pytest.mark.parametrize("numbers", ["54", "53,54"])
def test_a_name_beside_another_id_or_several_names_nobody(panel: Panel, numbers: str) -> None:
    talk = panel.chat.conversations[UNREAD.conversation]
    talk["custom_attributes"] = {"middag_organization_id": "53"}
    panel.chat.contacts[UNREAD.contact]["additional_attributes"] = {}
    shown_name = name(
        panel, middag_organization_id=numbers, middag_organization="Limite Digital Ltda"
    )
    assert shown_name == "Company 53"


def test_what_needs_a_word_leaves_chatwoots_name_where_it_stands(panel: Panel) -> None:
    seal = seal_of(panel.open("error500").text)
    assert "#company" not in panel.ask("GET", "/attention", seal).text


def test_a_name_that_was_read_is_nobody_elses_word(panel: Panel) -> None:
    panel.chat.contacts[SCENARIOS["healthy"].contact]["custom_attributes"][
        "middag_organization"
    ] = "Somebody Else"
    seal = seal_of(panel.open().text)
    panel.section("organization", seal)
    page = panel.open().text
    assert "Somebody Else" not in page
    assert MARK not in page


def test_of_several_companies_none_gets_the_name_of_the_contacts_one(panel: Panel) -> None:
    """The contact has one company in Chatwoot, and here two fit."""
    panel.chat.contacts[SCENARIOS["two"].contact]["additional_attributes"] = {
        "company_name": "Prado"
    }
    assert MARK not in panel.open("two").text
