"""`explain`: the values that the panel shows, with each step to them, for the demo's
conversations."""

import json
import re
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from click.testing import Result

from panel.demo.scenarios import SCENARIOS
from panel.demo.worlds import ADMIN_TOKEN, AGENT, SECRET
from panel.services import get
from panel.sync.intake import Intake
from panel.sync.jobs import Jobs
from panel.web.sections import SECTIONS
from tests.conftest import Panel, panels_before, seal_of, state_of, worlds_on_sockets
from tests.sync.executor import hook

FINE, FOUND, COULD_NOT = 0, 1, 2
WHOLE_KEY = re.compile(r"[\w.]{3,}@|\+\d{6}")


@pytest.fixture(scope="module")
def demo_panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    """A panel in which each conversation of the table below was opened, with all its sections."""
    with (
        worlds_on_sockets() as worlds,
        panels_before(worlds, tmp_path_factory.mktemp("shown")) as make,
    ):
        panel = make()
        panel.prove("proven")
        for name in CONVERSATIONS:
            open_sections(panel, name)
        yield panel


def open_sections(panel: Panel, scenario: str) -> dict[str, str | None]:
    """Return the state of each section of a panel with one company, as the agent sees it."""
    html = panel.open(scenario).text
    if "data-seal" not in html or len(SCENARIOS[scenario].organizations) != 1:
        return {}
    return {name: state_of(panel.section(name, seal_of(html)).text) for name in SECTIONS}


def run(panel: Panel, line: str) -> Result:
    return panel.app.test_cli_runner().invoke(args=f"explain {line}".split())


def read(panel: Panel, line: str) -> Any:
    return json.loads(run(panel, f"{line} --json").stdout)


# For each scenario: the organizations that are shown, the way in which they were found, the reason
# why nobody is proven, and the states of the sections.
WEBSITE = "The channel Channel::WebWidget proves nobody"
CLAIM = "claimed by contact attribute"
CONVERSATIONS: dict[str, tuple[tuple[int, ...], str, str, str]] = {
    "healthy": ((42,), CLAIM, WEBSITE, "fresh"),
    "empty": ((43,), CLAIM, WEBSITE, "empty"),
    "many": ((44,), CLAIM, "Nobody in the directory has this phone", "fresh"),
    "two": ((42, 45), CLAIM, "The channel Channel::Email proves nobody", "nothing kept"),
    "unlinked": ((), "nobody: no key, no link", "nobody in the directory", ""),
    "currencies": ((47,), "claimed by conversation attribute", WEBSITE, "fresh"),
    "contradictions": ((48,), CLAIM, WEBSITE, "fresh"),
    "php": ((49,), CLAIM, WEBSITE, "not readable: 4902, total: no amount"),
    "error500": ((53,), CLAIM, WEBSITE, "last answer http_500 (status 500)"),
    "foreign": ((58,), CLAIM, WEBSITE, "failed: foreign_rows"),
    "unknown": ((59,), CLAIM, WEBSITE, "failed: unknown_organization"),
    "forbidden": ((60,), CLAIM, WEBSITE, "denied"),
    "proven": ((62,), "matched by phone", "one person there", "fresh"),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_it_is_right_in_each_conversation_of_the_demo(demo_panel: Panel, name: str) -> None:
    organizations, link, reason, section = CONVERSATIONS[name]
    answer = run(demo_panel, str(SCENARIOS[name].conversation))
    report = read(demo_panel, str(SCENARIOS[name].conversation))
    assert [customer["organization"] for customer in report["identity"]["customers"]] == list(
        organizations
    )
    assert [organization["organization"] for organization in report["organizations"]] == list(
        organizations
    )
    for words in (link, reason, section):
        assert words in answer.stdout
    assert answer.exit_code == (FINE if name == "proven" else FOUND), answer.stdout
    assert not WHOLE_KEY.search(answer.stdout)
    assert SECRET not in answer.stdout
    assert ADMIN_TOKEN not in answer.stdout


@pytest.mark.parametrize("name", ["healthy", "empty", "foreign", "unknown", "forbidden"])
def test_it_says_the_state_that_the_agent_sees(demo_panel: Panel, name: str) -> None:
    sections = open_sections(demo_panel, name)
    (facts,) = read(demo_panel, str(SCENARIOS[name].conversation))["organizations"]
    assert {section["section"]: section["state"] for section in facts["sections"]} == sections


def test_a_chatwoot_that_does_not_answer_is_told(demo_panel: Panel) -> None:
    answer = run(demo_panel, str(SCENARIOS["chatwoot-down"].conversation))
    assert answer.exit_code == COULD_NOT
    assert "trouble    Chatwoot: http_503" in answer.stdout


def test_a_conversation_that_is_not_there_is_told(demo_panel: Panel) -> None:
    answer = run(demo_panel, "999999")
    assert answer.exit_code == COULD_NOT
    assert "there is no conversation 999999" in answer.stdout


def test_it_says_whether_an_agent_may_look(demo_panel: Panel) -> None:
    number = SCENARIOS["healthy"].conversation
    assert f"agent {AGENT} may look (agent)" in run(demo_panel, f"{number} --agent {AGENT}").stdout
    assert "agent 77 may not look: not_an_agent" in run(demo_panel, f"{number} --agent 77").stdout


def test_the_journal_says_what_an_agent_was_shown(demo_panel: Panel) -> None:
    number = SCENARIOS["foreign"].conversation
    journal = read(demo_panel, f"{number} --agent {AGENT}")["journal"]
    assert any(
        "shown organization 58, claimed by contact attribute" in row["what"] for row in journal
    )
    assert read(demo_panel, f"{number} --agent 77")["journal"] == []


def test_a_moment_shows_what_led_to_it_and_nothing_later(demo_panel: Panel) -> None:
    number, zone = SCENARIOS["healthy"].conversation, demo_panel.settings.timezone
    now = datetime.fromtimestamp(time.time(), zone)
    assert read(demo_panel, f"{number} --at {now:%Y-%m-%dT%H:%M:%S}")["journal"]
    assert read(demo_panel, f"{number} --at {now:%H:%M}")["journal"], "an hour is that of today"
    assert read(demo_panel, f"{number} --at 2020-01-01T14:02")["journal"] == []


def test_one_question_at_a_time(demo_panel: Panel) -> None:
    for line in ("", "101 --organization 42", "--organization 42 --hook a"):
        answer = run(demo_panel, line)
        assert answer.exit_code == COULD_NOT
        assert "Name one" in answer.output


def test_a_hook_and_a_pass_are_told_and_what_they_touched(panel: Panel) -> None:
    get(Intake, panel.app).accept(hook("h-77", 42, "order.paid"))
    answer = run(panel, "--hook h-77")
    assert answer.exit_code == FINE
    assert "hook       h-77: order.paid" in answer.stdout
    assert "it touches orders, licenses, organization" in answer.stdout
    assert "one waits" in answer.stdout
    get(Jobs, panel.app).bring_in_line(42)
    report = read(panel, "--organization 42")
    (facts,) = report["organizations"]
    assert facts["known"]
    assert facts["passes"]["read_at"] > 0
    assert report["journal"]


def test_a_hook_that_never_came_is_told(panel: Panel) -> None:
    answer = run(panel, "--hook h-78")
    assert answer.exit_code == COULD_NOT
    assert "no hook with this id is kept" in answer.stdout


def test_a_touched_section_is_called_outdated(panel: Panel) -> None:
    open_sections(panel, "healthy")
    panel.services.cache.touch(42, "orders")
    (facts,) = read(panel, "101")["organizations"]
    states = {section["section"]: section["state"] for section in facts["sections"]}
    assert states["orders"] == "outdated by a hook"
    assert states["quotes"] == "fresh"


def test_an_agents_pick_and_refusal_are_told_with_who_said_them(panel: Panel) -> None:
    panel.picked("healthy")
    answer = run(panel, "101")
    assert f"organization 42 picked by agent {AGENT}" in answer.stdout
    assert "shown      organization 42, picked by conversation" in answer.stdout


def test_it_asks_the_back_office_nothing_and_writes_nothing(demo_panel: Panel) -> None:
    demo_panel.office.forget()
    demo_panel.chat.forget()
    run(demo_panel, "101")
    assert demo_panel.office.count() == 0
    assert [call.method for call in demo_panel.chat.calls if call.method != "GET"] == []
