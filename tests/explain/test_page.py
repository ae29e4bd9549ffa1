"""`GET /why`: for administrators who have proven it, and for nobody else."""

from html import unescape
from typing import Any

import pytest
import requests

from panel.demo.worlds import ADMIN_TOKEN, AGENT_TOKEN
from panel.upstream.chatwoot import ID_ATTRIBUTE
from tests.auth.browsers import Browser
from tests.conftest import MakePanel, Panel, seal_of
from tests.customer.strangers import writes


@pytest.fixture
def signing(make_panel: MakePanel) -> Panel:
    return make_panel(PANEL_AGENT_PROOF="access-token")


def ask(browser: Browser, query: str, **headers: str) -> requests.Response:
    return browser.panel.ask("GET", f"/why?{query}", headers={"Cookie": browser.cookies, **headers})


def code_of(answer: requests.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json()["error"]["code"]


def test_an_administrator_reads_what_the_command_prints(signing: Panel) -> None:
    browser = Browser(signing)
    browser.sign_in(ADMIN_TOKEN)
    answer = ask(browser, "conversation=101")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    output = signing.app.test_cli_runner().invoke(args=["explain", "101"]).stdout
    assert "shown      organization 42, claimed by contact attribute" in answer.text
    assert len(answer.text.splitlines()) >= len(output.splitlines())
    body = ask(browser, "organization=42", Accept="application/json").json()
    assert body["organizations"][0]["organization"] == 42


def test_a_visitor_writes_no_line_into_it(signing: Panel) -> None:
    claim = "42\nshown      organization 666\u2028a\x1b[2Jb\x9bc\u202ed"
    number = writes(signing, here={ID_ATTRIBUTE: claim})
    browser = Browser(signing)
    browser.sign_in(ADMIN_TOKEN)
    text = ask(browser, f"conversation={number}").text
    assert "\nclaim      conversation attribute: 42�shown" in text
    assert "\nshown      nobody" in text
    assert all(line.isprintable() for line in text.split("\n"))


def test_it_leaves_a_row_in_the_access_log(signing: Panel) -> None:
    browser = Browser(signing)
    browser.sign_in(ADMIN_TOKEN)
    ask(browser, "conversation=101")
    first = next(signing.services.audit_log.list_entries())
    assert (first.what, first.agent, first.conversation) == ("explained", 1, 101)


def test_a_seal_of_an_administrator_will_do(signing: Panel) -> None:
    browser = Browser(signing)
    browser.sign_in(ADMIN_TOKEN)
    seal = seal_of(browser.open(agent_id=1).text)
    assert signing.ask("GET", "/why?conversation=101", seal).status_code == 200


def test_the_panel_offers_it_to_administrators_alone(signing: Panel) -> None:
    button = 'data-action="why"'
    administrator, agent = Browser(signing), Browser(signing)
    administrator.sign_in(ADMIN_TOKEN)
    agent.sign_in(AGENT_TOKEN)
    html = administrator.open(agent_id=1).text
    assert button in html
    assert "/why?conversation=101" in html
    assert button not in agent.open().text


def test_the_shared_secret_offers_it_to_nobody(panel: Panel) -> None:
    assert 'data-action="why"' not in panel.open(agent_id=1).text


def test_the_dialog_of_the_panel_has_the_same_lines(signing: Panel) -> None:
    browser = Browser(signing)
    browser.sign_in(ADMIN_TOKEN)
    number = writes(signing, here={ID_ATTRIBUTE: "42<img src=x>"})
    seal = seal_of(browser.open(agent_id=1).text)
    dialog = signing.ask("GET", f"/why?conversation={number}", seal, headers={"HX-Request": "true"})
    assert dialog.headers["X-Panel"] == "1"
    assert "Why this?" in dialog.text
    assert "<img" not in dialog.text
    assert "claim      conversation attribute: 42<img src=x>" in unescape(dialog.text)


def test_an_agent_is_refused(signing: Panel) -> None:
    browser = Browser(signing)
    browser.sign_in(AGENT_TOKEN)
    assert code_of(ask(browser, "conversation=101")) == (403, "not_an_administrator")
    seal = seal_of(browser.open().text)
    answer = signing.ask("GET", "/why?conversation=101", seal)
    assert code_of(answer) == (403, "not_an_administrator")


def test_who_proves_nothing_is_refused(signing: Panel) -> None:
    assert code_of(ask(Browser(signing), "conversation=101")) == (403, "no_proof")
    forged = signing.ask("GET", "/why?conversation=101", "x.y.z")
    assert code_of(forged) == (401, "seal_invalid")


def test_under_the_shared_secret_there_is_no_such_page(panel: Panel) -> None:
    """Under it only the page names the agent, so nobody is a proven administrator."""
    seal = seal_of(panel.open(agent_id=1).text)
    assert panel.ask("GET", "/why?conversation=101", seal).status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        *("", "conversation=x", "conversation=101&organization=42", "hook=a%00b"),
        "organization=42&at=" + "9" * 18,
    ],
)
def test_a_question_that_is_none_is_refused(signing: Panel, query: str) -> None:
    browser = Browser(signing)
    browser.sign_in(ADMIN_TOKEN)
    assert code_of(ask(browser, query)) == (400, "bad_request")
