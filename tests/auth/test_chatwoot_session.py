"""The session of Chatwoot's dashboard as a proof: asked about, kept as a digest, ended."""

from pathlib import Path
from urllib.parse import quote

import pytest

from panel.demo.worlds import AGENT
from tests.auth.browsers import (
    SESSION,
    Browser,
    MakeClocked,
    address,
    browser,
    clocked_with,
    dashboard,
    forgetful,
    panels,
    shown,
    signing,
)
from tests.conftest import MakePanel, Panel, Redis, seal_of

__all__ = ["browser", "clocked_with", "panels", "signing"]  # fixtures


@pytest.fixture
def mounted(panels: dict[str, Panel]) -> Panel:
    """A panel whose proof is a session of Chatwoot's dashboard."""
    return forgetful(panels["chatwoot-session"])


def test_a_session_of_the_dashboard_opens_the_panel_without_a_click(mounted: Panel) -> None:
    answer = Browser(mounted, address(), dashboard()).open()
    assert (answer.status_code, shown(answer)[0]) == (200, "ready")
    assert "Sign out" not in answer.text


@pytest.mark.parametrize(("proof", "cookie"), [("access-token", ""), ("chatwoot-session", "yes")])
def test_a_proof_tells_which_language_the_agent_chose_in_chatwoot(
    make_panel: MakePanel, proof: str, cookie: str
) -> None:
    panel = make_panel(PANEL_AGENT_PROOF=proof)
    panel.chat.locale = "en"
    panel.chat.agents[AGENT]["ui_settings"] = {"locale": "pt_BR"}
    browser = Browser(panel, cookies=dashboard() if cookie else "")
    if not cookie:
        browser.sign_in()
    assert "não verificado" in browser.open().text
    assert "/api/v1/accounts/1" not in [call.path for call in panel.chat.calls]


def test_chatwoot_is_asked_about_a_session_once_a_minute(clocked_with: MakeClocked) -> None:
    panel = clocked_with("chatwoot-session")
    browser = Browser(panel, cookies=dashboard())
    for _ in range(3):
        assert shown(browser.open())[0] == "ready"
    calls = [call for call in panel.chat.calls if call.path == "/api/v1/profile"]
    assert len(calls) == 1
    assert calls[0].headers["access-token"] == "demo-session"
    assert "api-access-token" not in calls[0].headers
    panel.clock.advance(61)
    browser.open()
    assert panel.chat.count("/api/v1/profile") == 2


def test_an_ended_session_of_the_dashboard_loses_access_within_a_minute(
    clocked_with: MakeClocked,
) -> None:
    panel = clocked_with("chatwoot-session")
    browser = Browser(panel, cookies=dashboard())
    assert shown(browser.open())[0] == "ready"
    panel.chat.sessions.clear()
    panel.clock.advance(61)
    assert shown(browser.open()) == ("denied", "dashboard_session_ended")


def test_what_the_cookie_holds_is_neither_kept_nor_told(
    panel: Panel, make_panel: MakePanel
) -> None:
    planted = {name: f"planted-{name}" for name in SESSION}
    panel.chat.sessions[tuple(planted.values())] = AGENT  # type: ignore[index]
    mounted = make_panel(PANEL_AGENT_PROOF="chatwoot-session")
    answer = Browser(mounted, cookies=dashboard(planted)).open()
    assert shown(answer)[0] == "ready"
    assert "planted" not in answer.text + repr(answer.headers)
    folder = mounted.settings.cache_url.removeprefix("file:")
    paths = [path for path in Path(folder).parent.rglob("*") if path.is_file()]
    assert len(paths) > 3
    for path in paths:
        assert b"planted" not in path.read_bytes(), path


def test_a_shared_cache_knows_a_session_by_its_digest(
    panel: Panel, make_panel: MakePanel, redis_server: Redis
) -> None:
    mounted = make_panel(PANEL_AGENT_PROOF="chatwoot-session", PANEL_CACHE_URL=redis_server.url)
    assert shown(Browser(mounted, cookies=dashboard()).open())[0] == "ready"
    keys = redis_server.keys("*session-*")
    assert keys
    assert [key for key in keys if any(value in key for value in SESSION.values())] == []


def test_while_chatwoot_is_down_nobody_new_is_let_in(clocked_with: MakeClocked) -> None:
    panel = clocked_with("chatwoot-session")
    panel.chat.down = True
    answer = Browser(panel, cookies=dashboard()).open()
    assert (answer.status_code, shown(answer)) == (503, ("failed", "http_503"))


def test_a_dashboard_of_another_agent_than_the_page_names_is_refused(mounted: Panel) -> None:
    answer = Browser(mounted, address(), dashboard()).open(agent_id=3)
    assert shown(answer) == ("denied", "another_agent")


MALFORMED = {
    "none": "",
    "empty": dashboard(""),
    "no JSON": dashboard("garbage"),
    "a list": dashboard([1]),
    "null": dashboard(None),
    "too little": dashboard({"client": "c", "uid": "u"}),
    "numbers": dashboard({"access-token": 1, "client": 2, "uid": 3}),
    "nulls": dashboard(dict.fromkeys(SESSION)),
    "nested": dashboard("[" * 3000 + "]" * 900),
    "nested values": dashboard('{"access-token":' + "[" * 3900),
    "oversized": dashboard({**SESSION, "more": "x" * 5000}),
    "no UTF-8": dashboard("%ff%fe"),
    "lone surrogate": dashboard(quote('{"access-token":"\\ud800","client":"c","uid":"u"}')),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_cookie_of_the_dashboard_is_no_proof(mounted: Panel, name: str) -> None:
    answer = Browser(mounted, address(), MALFORMED[name]).open()
    assert (answer.status_code, shown(answer)) == (403, ("denied", "no_proof"))
    assert mounted.calls == 0


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a b", "é", "\x00", "", "x" * 600])
@pytest.mark.parametrize("field", SESSION)
def test_a_cookie_that_would_split_a_header_is_not_sent_on(
    mounted: Panel, field: str, value: str
) -> None:
    answer = Browser(mounted, address(), dashboard({**SESSION, field: value})).open()
    assert (answer.status_code, shown(answer)[1]) == (403, "dashboard_session_ended")
    assert mounted.calls == 0


def test_without_a_dashboard_as_in_the_mobile_app_a_token_signs_in(mounted: Panel) -> None:
    browser = Browser(mounted, address())
    assert 'name="token"' in browser.open().text
    assert browser.sign_in().status_code == 204
    answer = browser.open()
    assert shown(answer)[0] == "ready"
    assert mounted.section("orders", seal_of(answer.text)).status_code == 200
