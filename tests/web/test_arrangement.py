"""The arrangement of the sections: each agent's own, kept on the server."""

import re

import pytest
import requests
from sqlalchemy import text

from panel.data.preferences import Preference
from panel.demo.worlds import AGENT, AGENT_TOKEN
from panel.web.sections import SECTIONS
from tests.conftest import MakePanel, Panel, seal_of, words_of

USUAL = list(SECTIONS)
OWN = ["orders", "organization", "licenses", "quotes"]
SECOND_AGENT, SECOND_TOKEN = 3, "demo-second-agent-token"


@pytest.fixture
def signing(make_panel: MakePanel) -> Panel:
    return make_panel(PANEL_AGENT_PROOF="access-token")


def post(
    panel: Panel, path: str, bearer: str | None = None, **options: object
) -> requests.Response:
    headers = {"Origin": panel.url, "Accept-Language": "en"}
    return panel.ask("POST", path, bearer, headers=headers, **options)


def open_as(
    panel: Panel, agent: int = AGENT, token: str = AGENT_TOKEN, scenario: str = "healthy"
) -> str:
    hints = panel.hints(scenario, agent_id=agent)
    signed = post(panel, "/sign-in", data={"token": token, **hints})
    return post(panel, "/contact", data=hints, cookies=signed.cookies.get_dict()).text


def order_of(page: str) -> list[str]:
    return re.findall(r'data-section="(\w+)"', page)


def collapsed_in(page: str) -> list[str]:
    pattern = r'data-section="(\w+)"(?:(?!data-section).)*?aria-expanded="(\w+)"'
    return [name for name, is_open in re.findall(pattern, page, re.DOTALL) if is_open == "false"]


def arrange(panel: Panel, seal: str, order: list[str], collapsed: list[str]) -> int:
    form = {"order": ",".join(order), "collapsed": ",".join(collapsed)}
    return post(panel, "/preferences", seal, data=form).status_code


def test_what_an_agent_prefers_is_drawn_at_the_next_opening_and_is_theirs_alone(
    signing: Panel,
) -> None:
    page = open_as(signing)
    assert (order_of(page), collapsed_in(page)) == (USUAL, [])
    assert arrange(signing, seal_of(page), OWN, ["quotes", "licenses"]) == 204
    again = open_as(signing, scenario="many")
    assert (order_of(again), collapsed_in(again)) == (OWN, ["licenses", "quotes"])
    other = open_as(signing, SECOND_AGENT, SECOND_TOKEN)
    assert (order_of(other), collapsed_in(other)) == (USUAL, [])
    assert arrange(signing, seal_of(again), USUAL, []) == 204
    last = open_as(signing)
    assert (order_of(last), collapsed_in(last)) == (USUAL, [])


def test_a_collapsed_section_counts_what_needs_attention_or_could_not_be_read(
    signing: Panel,
) -> None:
    page = open_as(signing, scenario="expiring")
    seal = seal_of(page)
    arrange(signing, seal, USUAL, USUAL)
    section = signing.section("licenses", seal).text
    urgent = len(re.findall(r"<li[^>]*data-mark", section.partition('class="more closed"')[0]))
    assert urgent > 3
    signing.office.fault("500", 46, "orders")
    signing.refresh("orders", seal)
    signing.services.cache.touch(46, "orders")
    page = open_as(signing, scenario="expiring")
    assert collapsed_in(page) == USUAL
    header = words_of(page.split('data-section="licenses"')[1].partition("</header>")[0])
    assert f"{urgent} need attention" in header
    failed = signing.section("orders", seal)
    assert failed.status_code == 503
    assert "Could not be read." in words_of(failed.text.partition("</header>")[0])


def test_an_unknown_or_repeated_section_changes_nothing(signing: Panel) -> None:
    seal = seal_of(open_as(signing))
    for order, collapsed in (["orders", "x"], []), (["orders", "orders"], []), (USUAL, ["<b>"]):
        assert arrange(signing, seal, order, collapsed) == 422
    assert signing.services.preferences.find(AGENT) == Preference()


def test_a_section_that_came_later_keeps_its_place_behind_the_known_ones() -> None:
    preference = Preference(("quotes", "gone", "orders"))
    assert preference.arrange(["licenses", "orders", "quotes", "new"]) == [
        *("quotes", "orders", "licenses", "new")
    ]


def test_without_a_proven_agent_nothing_is_kept_nor_offered(panel: Panel) -> None:
    page = panel.open().text
    answer = post(panel, "/preferences", seal_of(page), data={"order": "orders", "collapsed": ""})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "agent_not_proven"
    for offered in ("aria-expanded", "/preferences", "Arrange sections"):
        assert offered not in page


def test_without_a_seal_or_from_another_page_nothing_is_kept(signing: Panel) -> None:
    form = {"order": ",".join(OWN), "collapsed": ""}
    assert post(signing, "/preferences", data=form).status_code == 401
    seal = seal_of(open_as(signing))
    foreign = {"Origin": "https://elsewhere.example"}
    answer = signing.ask("POST", "/preferences", seal, data=form, headers=foreign)
    assert answer.status_code == 403
    assert signing.services.preferences.find(AGENT) == Preference()


def test_a_silent_table_means_the_usual_arrangement(signing: Panel) -> None:
    seal = seal_of(open_as(signing))
    arrange(signing, seal, OWN, [])
    with signing.services.database.begin() as connection:
        connection.execute(text("DROP TABLE preferences"))
    assert order_of(open_as(signing)) == USUAL
    assert arrange(signing, seal, OWN, []) == 503
