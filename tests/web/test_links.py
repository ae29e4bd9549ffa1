"""Pick, refuse, undo: our rows, and the writes into Chatwoot."""

import re

import pytest

from tests.conftest import Panel, attribute, seal_of
from tests.web.opened import AMOUNTS, attributes, panel_of, whole


def test_a_pick_is_remembered_and_written_beside_the_other_attributes(panel: Panel) -> None:
    panel.prove("unlinked", 42)
    attributes(panel, 105).update({"order_source": "site", "vip": True, "n": 7})
    seal = seal_of(panel.open("unlinked").text)
    answer = panel.say(seal, "pick", 42)
    assert panel_of(answer) == ("ready", "proven", "picked")
    assert attributes(panel, 105) == {
        "order_source": "site",
        "vip": True,
        "n": 7,
        "middag_organization_id": "42",
        "middag_organization": "Acme Ltda",
    }
    again = panel.open("unlinked")
    assert panel_of(again) == ("ready", "proven", "picked")
    assert "confirmed by Bruno Lima" in again.text


@pytest.mark.parametrize("value", [0.1, 1e-7, -2.5, [0.87], {"a": {"b": [1.25, None]}}, None])
def test_a_pick_keeps_what_others_wrote_to_the_digit(panel: Panel, value: object) -> None:
    """A visitor, or a program that rates conversations, may write a number with a fraction."""
    panel.prove("unlinked", 42)
    attributes(panel, 105)["score"] = value
    answer = panel.say(seal_of(panel.open("unlinked").text), "pick", 42)
    assert panel_of(answer) == ("ready", "proven", "picked")
    ours = {"middag_organization_id": "42", "middag_organization": "Acme Ltda"}
    assert attributes(panel, 105) == {"score": value, **ours}
    seal = seal_of(answer.text)
    panel.say(seal, "undo", 42)
    assert attributes(panel, 105) == {"score": value}


def test_a_pick_holds_for_its_conversation_alone(panel: Panel) -> None:
    panel.chat.add_conversation(305, 1, 901)
    panel.say(seal_of(panel.open("unlinked").text), "pick", 42)
    assert panel_of(panel.open("unlinked", conversation=901))[0] == "unlinked"


def test_a_pick_for_the_contact_is_unproven_where_the_channel_proves_nothing(
    panel: Panel,
) -> None:
    panel.chat.add_conversation(305, 1, 901)
    panel.chat.add_conversation(305, 2, 902)
    panel.prove("unlinked", 42)
    seal = seal_of(panel.open("unlinked").text)
    assert panel_of(panel.say(seal, "pick", 42, "contact")) == ("ready", "proven", "picked")
    web = panel.open("unlinked", conversation=901)
    assert panel_of(web) == ("ready", "unproven", "picked")
    assert panel_of(panel.open("unlinked", conversation=902)) == ("ready", "proven", "picked")


def test_a_pick_where_nothing_is_proven_unmasks_and_writes_nothing(panel: Panel) -> None:
    before = attributes(panel, 105).copy()
    seal = seal_of(panel.open("unlinked").text)
    for scope in ("conversation", "contact"):
        answer = panel.say(seal, "pick", 42, scope)
        assert panel_of(answer) == ("ready", "unproven", "picked")
        assert 'data-banner="unproven"' in answer.text
        assert "An agent said which company this is, not that this person" in answer.text
        assert "This is the company" not in answer.text
        page_html = answer.text + whole(panel, seal_of(answer.text))
        assert "data-masked" in page_html
        assert AMOUNTS.search(re.sub(r"<svg.*?</svg>", "", page_html, flags=re.DOTALL)) is None
    assert attributes(panel, 105) == before
    assert panel.chat.contacts[305]["custom_attributes"] == {}
    panel.say(seal, "undo", 42)
    assert panel.chat.writes == []


def test_an_undone_pick_is_gone_here_and_in_chatwoot(panel: Panel) -> None:
    panel.prove("unlinked", 42)
    attributes(panel, 105)["vip"] = True
    seal = seal_of(panel.open("unlinked").text)
    seal = seal_of(panel.say(seal, "pick", 42, "contact").text)
    assert attributes(panel, 105)["middag_organization_id"] == "42"
    assert panel_of(panel.say(seal, "undo", 42)) == ("ready", "proven", "matched")
    assert attributes(panel, 105) == {"vip": True}


def test_what_a_pick_did_not_write_is_not_taken_out_when_it_is_undone(panel: Panel) -> None:
    """A pass, or the visitor, had named the same organization there before."""
    pick = {"middag_organization_id": "42", "middag_organization": "Acme Ltda"}
    attributes(panel, 105).update(pick)
    seal = seal_of(panel.open("unlinked").text)
    panel.say(seal, "pick", 42, "contact")
    panel.say(seal, "undo", 42)
    assert attributes(panel, 105) == pick
    assert panel.chat.writes == []


def test_a_pick_that_takes_the_place_of_a_written_one_takes_it_out(panel: Panel) -> None:
    panel.prove("unlinked", 42)
    seal = seal_of(panel.open("unlinked").text)
    panel.say(seal, "pick", 42, "contact")
    contact = panel.chat.contacts[305]
    assert contact["custom_attributes"]["middag_organization_id"] == "42"
    panel.say(seal, "pick", 45, "contact")  # nothing is proven for it
    assert attributes(panel, 105) == contact["custom_attributes"] == {}


def test_a_pick_that_is_said_again_where_nothing_is_proven_any_more_is_taken_out(
    panel: Panel,
) -> None:
    panel.prove("unlinked", 42)
    seal = seal_of(panel.open("unlinked").text)
    panel.say(seal, "pick", 42)
    panel.chat.conversations[105]["inbox_id"] = 1
    panel.say(seal, "pick", 42)
    assert attributes(panel, 105) == {}


def test_a_refused_claim_is_not_shown_again_and_can_be_taken_back(panel: Panel) -> None:
    seal = seal_of(panel.open("healthy").text)
    answer = panel.say(seal, "refuse", 42)
    assert panel_of(answer)[0] == "unlinked"
    assert attribute(answer.text, "data-refused") == "42"
    assert "Bruno Lima" in answer.text
    assert panel_of(panel.open("healthy"))[0] == "unlinked"
    back = panel.say(seal_of(answer.text), "undo", 42)
    assert panel_of(back) == ("ready", "unproven", "claimed")


def test_refusing_one_of_two_leaves_the_other(panel: Panel) -> None:
    answer = panel.say(seal_of(panel.open("two").text), "refuse", 42)
    assert attribute(answer.text, "data-organization") == "45"


def test_a_refusal_takes_our_words_out_of_chatwoot_and_leaves_those_of_others(
    panel: Panel,
) -> None:
    attributes(panel, 107)["vip"] = True
    panel.say(seal_of(panel.open("currencies").text), "refuse", 47)
    assert attributes(panel, 107) == {"vip": True}


def test_a_new_pick_outweighs_an_older_no_for_the_contact(panel: Panel) -> None:
    seal = seal_of(panel.open("healthy").text)
    seal = seal_of(panel.say(seal, "refuse", 42, "contact").text)
    assert panel_of(panel.say(seal, "pick", 42)) == ("ready", "unproven", "picked")


def test_an_organization_that_is_unknown_cannot_be_picked(panel: Panel) -> None:
    seal = seal_of(panel.open("unlinked").text)
    answer = panel.say(seal, "pick", 999)
    assert (answer.status_code, panel_of(answer)[0]) == (422, "unlinked")
    assert "has no company with this ID" in answer.text
    assert panel_of(panel.open("unlinked"))[0] == "unlinked"
    assert panel.chat.writes == []


@pytest.mark.parametrize("fault", ["500", "html", "403"])
def test_a_pick_that_the_back_office_cannot_confirm_does_not_blame_chatwoot(
    panel: Panel, fault: str
) -> None:
    seal = seal_of(panel.open("unlinked").text)
    panel.office.fault(fault)
    answer = panel.say(seal, "pick", 42)
    assert answer.status_code >= 400
    assert "Chatwoot could not be asked" not in answer.text
    assert panel.chat.writes == []


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"action": "pick"},
        {"action": "pick", "organization": "x"},
        {"action": "pick", "organization": "0"},
        {"action": "pick", "organization": "9" * 19},
        {"action": "steal", "organization": "42"},
        {"action": "", "organization": "42"},
        {"action": "pick", "organization": "42", "scope": "account"},
        {"action": "pick", "organization": "42", "scope": "x" * 9000},
    ],
    ids=str,
)
def test_a_malformed_link_is_a_bad_request_and_changes_nothing(
    standing: Panel, form: dict[str, str]
) -> None:
    seal = seal_of(standing.open("unlinked").text)
    assert standing.ask("POST", "/links", seal, data=form).status_code == 400
    assert panel_of(standing.open("unlinked"))[0] == "unlinked"
    assert standing.chat.writes == []


def test_links_belong_to_the_conversation_of_the_seal(panel: Panel) -> None:
    panel.prove("unlinked", 42)
    form = {"action": "pick", "organization": 42, "conversation": 102, "contact": 302}
    panel.ask("POST", "/links", seal_of(panel.open("unlinked").text), data=form)
    assert panel.chat.writes[0].path.endswith("/conversations/105/custom_attributes")
    assert attribute(panel.open("empty").text, "data-organization") == "43"
