"""A visit: the check of the hints, and agents' decisions, each written wholly or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.auth.access import Denied
from panel.auth.seal import Seal
from panel.customer.decisions import Decisions
from panel.customer.lookup import Hints, Lookup, Visit, parse_number
from panel.data.links import CONTACT, MATCHED, PICKED, Link
from panel.demo.chatwoot import Failure
from panel.demo.world import Call
from panel.demo.worlds import AGENT
from panel.errors import PanelError
from tests.conftest import Panel, attribute, seal_of
from tests.customer.visits import shown

FORM = {"conversation": "101", "contact": "301", "account": "1", "agent_id": "2"}


def test_hints_are_numbers_and_an_email() -> None:
    hints = Hints.from_form({**FORM, "agent_email": " Bruno@Suporte.example ", "organization": "7"})
    assert hints == Hints(101, 301, 1, 2, "bruno@suporte.example", 7)
    assert Hints.from_form(FORM).organization == 0


@given(st.dictionaries(st.sampled_from([*FORM, "agent_email", "organization"]), st.text()))
def test_a_form_is_understood_or_a_bad_request(form: dict[str, str]) -> None:
    try:
        hints = Hints.from_form(FORM | form)
    except Denied as error:
        understood = error.code == "bad_request"
    else:
        understood = hints.conversation > 0 and hints.agent_id > 0
    assert understood


@pytest.mark.parametrize("text", ["1", "42", "9" * 18, "007"])
def test_a_number_is_positive_and_fits_into_a_database(text: str) -> None:
    assert parse_number({"n": text}, "n") == int(text)
    for wrong in (text + "0" * 18, f"-{text}", f"{text}.0", f"{text} ", "0"):
        with pytest.raises(Denied, match="bad_request"):
            parse_number({"n": wrong}, "n")


def visit(panel: Panel, conversation: int = 105, contact: int = 305) -> Visit:
    seal = Seal(AGENT, "shared-secret", 1, conversation, contact)
    return Lookup(panel.services).repeat(seal)


def test_what_an_agent_uncovered_is_not_carried_over(panel: Panel) -> None:
    seal = Seal(AGENT, "shared-secret", 1, 105, 305, 42, "unproven", ("orders",))
    assert Lookup(panel.services).repeat(seal).seal.uncovered == ()


def test_a_pick_names_who_picked_and_when(panel: Panel) -> None:
    opening = visit(panel)
    Decisions(panel.services).decide(opening, 42, "pick", "contact")
    links = panel.services.links.find(105, 305)
    assert {(link.scope, link.organization, link.state, link.agent) for link in links} == {
        ("conversation", 42, PICKED, AGENT),
        ("contact", 42, PICKED, AGENT),
    }
    assert all(link.at > 1_700_000_000 for link in links)


@pytest.mark.parametrize(
    ("action", "scope"), [("steal", ""), ("", ""), ("PICK", ""), ("pick", "account")]
)
def test_an_unknown_action_or_scope_says_nothing(panel: Panel, action: str, scope: str) -> None:
    opening = visit(panel)
    with pytest.raises(Denied, match="bad_request"):
        Decisions(panel.services).decide(opening, 42, action, scope)
    assert panel.services.links.find(105, 305) == []
    assert panel.chat.writes == []


def test_an_undone_pick_gives_way_to_the_match_before_it(panel: Panel) -> None:
    panel.services.links.put(Link(CONTACT, 305, 43, MATCHED, "email"))
    seal = seal_of(panel.open("unlinked").text)
    assert attribute(panel.say(seal, "pick", 42).text, "data-organization") == "42"
    undone = panel.say(seal, "undo", 42).text
    assert attribute(undone, "data-organization") == "43"
    assert attribute(undone, "data-link") == "matched"
    assert "found by" in undone


def test_a_match_that_an_agent_refused_stays_refused(panel: Panel) -> None:
    panel.services.links.put(Link(CONTACT, 305, 43, MATCHED, "email"))
    seal = seal_of(panel.open("unlinked").text)
    panel.say(seal, "refuse", 43, "contact")
    panel.services.links.match(305, 43, "email")
    assert attribute(panel.open("unlinked").text, "data-panel") == "unlinked"


def test_a_pick_that_chatwoot_does_not_take_is_told_and_remembered_all_the_same(
    panel: Panel,
) -> None:
    def refuse_writes(call: Call) -> Failure | None:
        return Failure(500) if call.method == "POST" else None

    panel.prove("unlinked", 42)
    panel.chat.failures = refuse_writes
    seal = seal_of(panel.open("unlinked").text)
    answer = panel.say(seal, "pick", 42)
    assert attribute(answer.text, "data-link") == "picked"
    assert "Chatwoot could not be updated" in answer.text
    assert panel.chat.conversations[105]["custom_attributes"] == {}
    assert attribute(panel.open("unlinked").text, "data-link") == "picked"


def lose_links(panel: Panel) -> None:
    with panel.services.database.begin() as connection:
        connection.exec_driver_sql("DROP TABLE links")


def test_without_the_database_nobody_is_told_that_nothing_is_linked(panel: Panel) -> None:
    lose_links(panel)
    answer = panel.open("unlinked")
    assert attribute(answer.text, "data-panel") == "failed"
    assert attribute(answer.text, "data-code") == "database"
    assert "Chatwoot could not be asked" not in answer.text


def test_without_the_database_a_pick_is_a_claim_and_the_panel_says_why(panel: Panel) -> None:
    panel.prove("unlinked", 42)
    panel.picked("unlinked", 42)
    lose_links(panel)
    page = panel.open("unlinked").text
    assert attribute(page, "data-organization") == "42"
    assert (attribute(page, "data-link"), attribute(page, "data-trust")) == ("claimed", "unproven")
    assert "cannot be read now" in page
    assert "Nobody has confirmed" not in page


def test_a_visit_needs_the_contact_that_the_conversation_has(panel: Panel) -> None:
    with pytest.raises(PanelError, match="another_contact"):
        visit(panel, 105, 301)


# -- a pick over a pick ----------------------------------------------------------------------------


def test_a_second_pick_for_the_conversation_takes_the_place_of_the_first(panel: Panel) -> None:
    seal = seal_of(panel.open("unlinked").text)
    panel.say(seal, "pick", 42)
    assert shown(panel.say(seal, "pick", 45).text) == ("ready", "45", "picked")
    assert shown(panel.open("unlinked").text) == ("ready", "45", "picked")
    assert shown(panel.say(seal, "undo", 45).text)[0] == "unlinked"


def test_a_second_pick_for_the_contact_takes_the_place_of_the_first_everywhere(
    panel: Panel,
) -> None:
    panel.chat.add_conversation(305, 1, 905)
    panel.prove("unlinked", 45)
    seal = seal_of(panel.open("unlinked").text)
    panel.say(seal, "pick", 42, "contact")
    panel.say(seal, "pick", 45, "contact")
    for conversation in (105, 905):
        html = panel.open("unlinked", conversation=conversation).text
        assert shown(html) == ("ready", "45", "picked"), conversation
    attributes = panel.chat.contacts[305]["custom_attributes"]
    assert attributes["middag_organization_id"] == "45"
