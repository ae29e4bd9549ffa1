"""Undo takes back a single decision; the other decisions and the matches show again."""

import re

import pytest

from panel.data.directory import Person
from panel.data.links import CONTACT, MATCHED, REFUSED, Link
from panel.demo.worlds import AGENT
from tests.conftest import Panel, attribute, seal_of
from tests.customer.visits import shown
from tests.learning import learn


def test_undoing_a_pick_brings_an_older_refusal_of_the_contact_back(panel: Panel) -> None:
    seal = seal_of(panel.open("healthy").text)
    panel.say(seal, "refuse", 42, "contact")
    assert shown(panel.say(seal, "pick", 42).text) == ("ready", "42", "picked")
    undone = panel.say(seal, "undo", 42).text
    assert shown(undone)[0] == "unlinked"
    assert 'data-refused="42"' in undone


def press_undo(panel: Panel, html: str) -> str:
    """Press the first button "Undo" of this page, and return the panel that comes back."""
    forms = re.findall(r"<form.*?</form>", html, re.DOTALL)
    form = next(form for form in forms if 'data-action="undo"' in form)
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
    return panel.ask("POST", "/links", seal_of(html), data=fields).text


def test_a_double_click_on_undo_takes_nothing_back_that_a_colleague_said(panel: Panel) -> None:
    panel.services.links.put(Link(CONTACT, 301, 42, REFUSED, agent=3, contact=301))
    seal = seal_of(panel.open("healthy").text)
    text = panel.say(seal, "pick", 42).text
    for _ in range(2):
        html = press_undo(panel, text)
        assert shown(html)[0] == "unlinked"
        assert 'data-refused="42"' in html
    [stays] = panel.services.links.find(101, 301)
    assert (stays.state, stays.agent) == (REFUSED, 3)
    assert [row.what for row in panel.services.audit_log.list_entries()].count("undo") == 1
    press_undo(panel, html)
    assert panel.services.links.find(101, 301) == []


def test_an_undone_refusal_is_the_one_that_was_shown(panel: Panel) -> None:
    theirs = Link(CONTACT, 301, 42, REFUSED, agent=3, at=5.0, contact=301)
    panel.services.links.put(theirs)
    seal = seal_of(panel.open("healthy").text)
    text = panel.say(seal, "refuse", 42).text
    assert "Bruno Lima said" in text
    for _ in range(2):
        press_undo(panel, text)
        assert panel.services.links.find(101, 301) == [theirs]


@pytest.mark.parametrize("at", ["", "5.0", "6.0", "nan", "soon"])
def test_an_undo_with_nothing_to_take_back_changes_nothing(panel: Panel, at: str) -> None:
    panel.services.links.put(Link(CONTACT, 301, 42, MATCHED, "email", at=5.0))
    panel.services.chatwoot.change_conversation(101, {"middag_organization_id": "42"})
    before, writes = panel.open("healthy").text, len(panel.chat.writes)
    form = {"action": "undo", "organization": "42", "at": at}
    undone = panel.ask("POST", "/links", seal_of(before), data=form)
    assert undone.status_code == 200
    assert shown(undone.text) == shown(before)
    assert len(panel.chat.writes) == writes
    assert len(panel.services.links.find(101, 301)) == 1
    assert [row for row in panel.services.audit_log.list_entries() if row.what == "undo"] == []


def test_an_undone_pick_for_the_contact_gives_way_to_the_match_of_the_same_organization(
    panel: Panel,
) -> None:
    learn(panel, 42)
    panel.services.links.match(301, 42, "email")
    matches = panel.services.links.find(101, 301)
    seal = seal_of(panel.open("healthy").text)
    assert shown(panel.say(seal, "pick", 42, "contact").text) == ("ready", "42", "picked")
    assert shown(panel.say(seal, "undo", 42).text) == ("ready", "42", "matched")
    assert panel.services.links.find(101, 301) == matches
    assert {item.state for item in matches} == {MATCHED}


def test_an_undone_pick_leaves_the_name_of_the_organization_that_the_passes_seated(
    panel: Panel,
) -> None:
    learn(panel, 42)
    panel.services.directory.put_person(Person(42, "guest", 305, "guest"))
    panel.prove("unlinked", 42)
    seal = seal_of(panel.open("unlinked").text)
    panel.say(seal, "pick", 42, "contact")
    panel.say(seal, "undo", 42)
    expected = {"middag_organization_id": "42", "middag_organization": "Acme Ltda"}
    assert panel.chat.contacts[305]["custom_attributes"] == expected


def test_a_pick_for_the_contact_is_undone_from_another_conversation_of_it(panel: Panel) -> None:
    panel.chat.add_conversation(305, 1, 905)
    seal = seal_of(panel.open("unlinked").text)
    panel.say(seal, "pick", 42, "contact")
    other = panel.open("unlinked", conversation=905).text
    assert shown(other) == ("ready", "42", "picked")
    assert shown(panel.say(seal_of(other), "undo", 42).text)[0] == "unlinked"
    # The decision about the first conversation itself was made there, and stays.
    assert shown(panel.open("unlinked").text) == ("ready", "42", "picked")
    assert shown(panel.say(seal, "undo", 42).text)[0] == "unlinked"
    assert panel.services.links.find(105, 305) == []


def test_a_refusal_for_the_contact_holds_in_its_other_conversations_until_undone(
    panel: Panel,
) -> None:
    panel.chat.add_conversation(301, 1, 901)
    panel.say(seal_of(panel.open("healthy").text), "refuse", 42, "contact")
    other = panel.open("healthy", conversation=901).text
    assert shown(other)[0] == "unlinked"
    panel.say(seal_of(other), "undo", 42)
    assert shown(panel.open("healthy", conversation=901).text)[0] == "unlinked", "the claim is gone"
    assert panel.services.links.find(901, 301) == []


def test_a_pick_for_the_contact_is_written_into_the_contact_and_taken_out_again(
    panel: Panel,
) -> None:
    panel.prove("unlinked", 42)
    contact = panel.chat.contacts[305]
    seal = seal_of(panel.open("unlinked").text)
    panel.say(seal, "pick", 42, "contact")
    expected = {"middag_organization_id": "42", "middag_organization": "Acme Ltda"}
    assert contact["custom_attributes"] == expected
    panel.say(seal, "undo", 42)
    assert contact["custom_attributes"] == {}


def test_every_word_of_an_agent_leaves_a_row(panel: Panel) -> None:
    seal = seal_of(panel.open("unlinked").text)
    for action, scope in (("pick", "contact"), ("undo", ""), ("refuse", "conversation")):
        panel.say(seal, action, 42, scope)
    rows = [row for row in panel.services.audit_log.list_entries() if row.what != "shown"]
    assert [(row.what, row.agent, row.organization, row.note) for row in rows] == [
        ("refuse", AGENT, 42, "conversation"),
        ("undo", AGENT, 42, "contact"),
        ("pick", AGENT, 42, "contact"),
    ]


def test_a_word_that_leaves_no_row_is_not_said(panel: Panel) -> None:
    seal = seal_of(panel.open("unlinked").text)
    with panel.services.database.begin() as connection:
        connection.exec_driver_sql("DROP TABLE access_log")
    for action in ("pick", "refuse"):
        answer = panel.say(seal, action, 42, "contact")
        assert answer.status_code == 503
        assert attribute(answer.text, "data-code") == "database"
    assert panel.services.links.find(105, 305) == []
    assert panel.chat.writes == []


def test_a_contact_that_a_pass_is_writing_is_not_written_beside_it(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("panel.customer.decisions.CONTACT_SECONDS", 0.1)
    panel.prove("unlinked", 42)
    seal = seal_of(panel.open("unlinked").text)
    with panel.services.locks.hold("contact:305", 1) as alone:
        assert alone
        answer = panel.say(seal, "pick", 42, "contact")
    assert "Chatwoot could not be updated" in answer.text
    assert panel.chat.contacts[305]["custom_attributes"] == {}
    panel.say(seal, "pick", 42, "contact")
    assert panel.chat.contacts[305]["custom_attributes"]["middag_organization_id"] == "42"
