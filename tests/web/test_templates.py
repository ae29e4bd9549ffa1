"""Templates in cases that no other test reaches; a missing name is an error there."""

import re

import pytest
from flask import render_template, render_template_string

from panel.customer.matching import Candidate, Identification
from panel.customer.search import Result, Results
from panel.data.links import CONVERSATION, PICKED, REFUSED, Link
from tests.conftest import Panel, attribute, seal_of

MACROS = '{% import "_macros.html" as m with context %}'


class Visit:
    """The parts of a visit that `refusals` reads: agent 99 refused 42."""

    link = Link(CONVERSATION, 101, 42, REFUSED, agent=99, at=1_800_000_000.0)
    found = Identification((), (link,))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("m.how(candidate, {})", "confirmed by an agent on"),
        ("m.refusals(visit, {})", "An agent said on"),
    ],
)
def test_a_word_of_an_agent_who_has_left_is_an_agents(
    standing: Panel, call: str, text: str
) -> None:
    candidate = Candidate(42, PICKED, "conversation", "proven", agent=99, at=1_800_000_000.0)
    with standing.app.test_request_context():
        html = render_template_string(
            f"{MACROS}{{{{ {call} }}}}", candidate=candidate, visit=Visit()
        )
    assert text in html


def render_results(panel: Panel, results: Results) -> str:
    with panel.app.test_request_context():
        return re.sub(r"\s+", " ", render_template("search.html", error=None, results=results))


def test_a_result_of_which_little_is_known_says_little(standing: Panel) -> None:
    html = render_results(standing, Results("x", (Result(7, "Acme", None, None, False),)))
    assert "ID 7</p>" in html
    assert "Found by" not in html


def test_a_result_names_all_that_found_it_and_whether_there_are_more(standing: Panel) -> None:
    why = (("email", "a@b.example"), ("tax id", ""))
    row = Result(7, "Acme", "Recife", "Basic", True, why)
    html = render_results(standing, Results("x", (row,), more=True))
    assert "Found by e-mail a@b.example, tax ID</p>" in html
    assert "There are more: keep typing." in html


def test_a_choice_says_why_a_pick_was_not_taken(panel: Panel) -> None:
    answer = panel.say(seal_of(panel.open("two").text), "pick", 999_999)
    assert answer.status_code == 422
    assert attribute(answer.text, "data-panel") == "choose"
    assert "MIDDAG Account has no company with this ID." in answer.text


def test_a_list_of_unknown_length_says_that_there_are_more(panel: Panel) -> None:
    panel.office.bare.add(43)
    panel.office.takes_page_size = False
    for number in range(1, 222):
        panel.office.put("orders", 43, {"id": number, "status": "pending"})
    page = panel.section("orders", panel.proven("empty")).text
    assert "Showing the first 200, there are more" in page
