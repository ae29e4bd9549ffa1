"""Agents who sign in with their own access token: the session, its cookie, its end."""

import re
from dataclasses import replace

import pytest

from panel.auth.tokens import ACCEPTED_PROOFS, derive_launch_key
from panel.demo.worlds import AGENT, AGENT_TOKEN, SECRET
from tests.auth.browsers import (
    BRUNO,
    OTHER,
    WRONG_SESSIONS,
    Browser,
    Earlier,
    MakeClocked,
    address,
    browser,
    clocked_with,
    dashboard,
    panels,
    session,
    shown,
    signing,
)
from tests.conftest import MakePanel, Panel, seal_of

__all__ = ["browser", "clocked_with", "panels", "signing"]  # fixtures


SIGNING = ("access-token", "chatwoot-session")


def test_who_has_no_session_is_asked_to_sign_in_and_nobody_is_asked(browser: Browser) -> None:
    answer = browser.open()
    assert (answer.status_code, shown(answer)) == (403, ("denied", "no_proof"))
    assert re.search(
        r'<input[^>]* name="token" type="password"[^>]* autocomplete="off"', answer.text
    )
    assert "data-seal" not in answer.text
    assert browser.panel.calls == 0


def test_a_token_of_ones_own_signs_in_and_the_panel_opens(browser: Browser) -> None:
    answer = browser.sign_in()
    assert (answer.status_code, answer.text) == (204, "")
    assert answer.headers["HX-Trigger"] == "panel:proven"
    own_panel = browser.open()
    assert (own_panel.status_code, shown(own_panel)[0]) == (200, "ready")
    assert "Signed in as Bruno Lima" in own_panel.text
    assert browser.panel.section("orders", seal_of(own_panel.text)).status_code == 200


def test_the_session_is_a_cookie_that_works_in_a_frame_and_no_script_reads(
    browser: Browser,
) -> None:
    name, _, rest = browser.sign_in().headers["Set-Cookie"].partition("=")
    value, *attributes = rest.split("; ")
    assert name == "__Host-panel"
    assert sorted(attributes) == sorted(
        ["Secure", "HttpOnly", "Max-Age=43200", "Path=/", "SameSite=None", "Partitioned"]
        + [item for item in attributes if item.startswith("Expires=")]
    )
    assert AGENT_TOKEN not in value


def test_under_a_prefix_the_session_goes_to_us_alone(signing: Panel) -> None:
    headers = {"Origin": signing.url, "X-Forwarded-Prefix": "/panel", "X-Forwarded-For": address()}
    answer = signing.ask("POST", "/sign-in", data={"token": AGENT_TOKEN}, headers=headers)
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Secure-panel=")
    assert "; Path=/panel/" in cookie
    headers["Cookie"] = cookie.partition(";")[0]
    opening = signing.ask("POST", "/contact", data=signing.hints(), headers=headers)
    assert shown(opening)[0] == "ready"
    assert 'hx-post="/panel/sign-out"' in opening.text


def test_chatwoot_is_asked_once_with_the_pasted_token_and_never_with_ours(
    browser: Browser,
) -> None:
    browser.sign_in(f"  {AGENT_TOKEN}\n")
    calls = [call for call in browser.panel.chat.calls if call.path == "/api/v1/profile"]
    assert [call.headers["api-access-token"] for call in calls] == [AGENT_TOKEN]
    browser.open()
    assert browser.panel.chat.count("/api/v1/profile") == 1


@pytest.mark.parametrize("token", ["nonsense", "demo session", "a\r\nX-Evil: 1", "é", "x" * 600])
def test_a_token_that_chatwoot_does_not_know_is_refused_without_an_echo(
    browser: Browser, token: str
) -> None:
    answer = browser.sign_in(token)
    assert (answer.status_code, shown(answer)) == (403, ("denied", "wrong_token"))
    assert 'name="token"' in answer.text
    assert "Set-Cookie" not in answer.headers
    assert token not in answer.text + repr(answer.headers)
    results = [call.headers.get("api-access-token") for call in browser.panel.chat.calls]
    assert results in ([], ["nonsense"])


def test_an_empty_token_is_refused_and_nobody_is_asked(browser: Browser) -> None:
    assert shown(browser.sign_in(" "))[1] == "wrong_token"
    assert browser.panel.calls == 0


def test_an_oversized_form_is_a_clear_4xx_and_nobody_is_asked(browser: Browser) -> None:
    answer = browser.sign_in("x" * 70_000)
    assert answer.status_code == 413
    assert "error" in answer.json()
    assert browser.panel.calls == 0


@pytest.mark.parametrize("of", ["another account", "a suspended account", "nobody"])
def test_a_user_of_chatwoot_who_is_none_of_the_account_gets_no_session(
    clocked_with: MakeClocked, of: str
) -> None:
    panel = clocked_with("access-token")
    if of == "another account":
        panel.chat.agents[AGENT]["accounts"] = [{"id": 2, "status": "active"}]
    elif of == "a suspended account":
        panel.chat.status = "suspended"
    else:
        panel.chat.agents[AGENT]["accounts"] = []
    answer = Browser(panel).sign_in()
    assert (answer.status_code, shown(answer)[1]) == (403, "not_in_account")
    assert "Set-Cookie" not in answer.headers


def test_while_chatwoot_is_down_nobody_signs_in_and_that_is_said(
    clocked_with: MakeClocked,
) -> None:
    panel = clocked_with("access-token")
    panel.chat.down = True
    answer = Browser(panel).sign_in()
    assert (answer.status_code, shown(answer)) == (503, ("failed", "http_503"))
    assert "Set-Cookie" not in answer.headers


def test_a_page_that_names_another_agent_is_refused_and_signing_out_is_offered(
    browser: Browser,
) -> None:
    browser.sign_in()
    answer = browser.open(agent_id=3)
    assert (answer.status_code, shown(answer)) == (403, ("denied", "another_agent"))
    assert 'data-action="sign-out"' in answer.text
    assert "data-seal" not in answer.text


def test_signing_out_ends_the_session_and_leaves_a_row(clocked_with: MakeClocked) -> None:
    browser = Browser(clocked_with("access-token"))
    browser.sign_in()
    answer = browser.post("/sign-out")
    assert (answer.status_code, shown(answer)) == (200, ("denied", "signed_out"))
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert shown(browser.open())[1] == "no_proof"
    rows = browser.panel.services.audit_log.list_entries(agent=AGENT)
    assert [(row.what, row.proof) for row in rows] == [
        ("signed_out", "access-token"),
        ("signed_in", "access-token"),
    ]


def test_a_browser_that_does_not_keep_the_session_is_told_so(browser: Browser) -> None:
    browser.sign_in()
    browser.cookies = ""
    assert shown(browser.open(signed_in=1))[1] == "cookie_refused"


def test_without_sessions_there_is_no_signing_in_or_out(panels: dict[str, Panel]) -> None:
    browser = Browser(panels["shared-secret"], address())
    for answer in (browser.sign_in(), browser.post("/sign-out")):
        assert (answer.status_code, shown(answer)[1]) == (403, "no_sign_in")
        assert "Set-Cookie" not in answer.headers


class JustNow(Earlier):
    ago = 12 * 3600 - 60


@pytest.mark.parametrize("name", WRONG_SESSIONS)
def test_a_session_that_does_not_hold_is_not_believed_and_not_kept(
    browser: Browser, name: str
) -> None:
    browser.cookies = WRONG_SESSIONS[name]
    answer = browser.open()
    assert (answer.status_code, shown(answer)) == (403, ("denied", "session_expired"))
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert browser.panel.calls == 0


def test_a_session_with_any_sign_changed_is_not_believed(browser: Browser) -> None:
    cookie = session(SECRET, BRUNO)
    # The last sign is left out, because two of its bits mean nothing in base64.
    for at in range(len("__Host-panel="), len(cookie) - 1, 9):
        other = "A" if cookie[at] != "A" else "B"
        changed = replace(browser, address=address())
        changed.cookies = cookie[:at] + other + cookie[at + 1 :]
        assert shown(changed.open())[0] == "denied", at


def test_a_session_holds_until_its_hours_are_over(browser: Browser) -> None:
    browser.cookies = session(SECRET, BRUNO, JustNow)
    assert shown(browser.open())[0] == "ready"


def test_a_session_survives_a_rotation_until_its_secret_is_gone(
    make_panel: MakePanel, signing: Panel
) -> None:
    both = make_panel(
        PANEL_AGENT_PROOF="access-token", CHATWOOT_CONTACT_VIEW_SECRET=f"{OTHER},{SECRET}"
    )
    assert shown(Browser(both, cookies=session(SECRET, BRUNO)).open())[0] == "ready"
    new = Browser(both)
    new.sign_in()
    alone = make_panel(PANEL_AGENT_PROOF="access-token", CHATWOOT_CONTACT_VIEW_SECRET=OTHER)
    assert shown(Browser(alone, cookies=new.cookies).open())[0] == "ready"
    old = Browser(alone, cookies=session(SECRET, BRUNO)).open()
    assert shown(old) == ("denied", "session_expired")


def test_a_removed_agent_with_a_session_loses_access_within_a_minute(
    clocked_with: MakeClocked,
) -> None:
    browser = Browser(clocked_with("access-token"))
    browser.sign_in()
    seal = seal_of(browser.open().text)
    del browser.panel.chat.agents[AGENT]
    browser.panel.clock.advance(61)
    assert browser.panel.section("orders", seal).json() == {"error": {"code": "agent_removed"}}
    assert shown(browser.open())[1] == "session_expired"


def test_an_agent_with_a_session_who_left_the_inbox_loses_access_within_a_minute(
    clocked_with: MakeClocked,
) -> None:
    browser = Browser(clocked_with("access-token"))
    browser.sign_in()
    seal = seal_of(browser.open().text)
    browser.panel.chat.inbox_members[1].remove(AGENT)
    browser.panel.clock.advance(61)
    assert browser.panel.section("orders", seal).json() == {"error": {"code": "agent_removed"}}
    assert shown(browser.open())[1] == "not_in_inbox"


def test_the_launch_key_proves_nothing_where_another_proof_is_wanted(
    panels: dict[str, Panel],
) -> None:
    for proof in SIGNING:
        browser = Browser(panels[proof], address())
        answer = browser.post("/contact", derive_launch_key(SECRET), **browser.panel.hints())
        assert shown(answer) == ("denied", "no_proof")


def test_a_session_opens_nothing_where_the_launch_key_is_wanted(
    panels: dict[str, Panel],
) -> None:
    cookies = f"{session(SECRET, BRUNO)}; {dashboard()}"
    assert shown(Browser(panels["shared-secret"], address(), cookies).open())[1] == "no_proof"


def test_a_seal_of_one_proof_opens_nothing_where_it_is_not_accepted(
    panels: dict[str, Panel],
) -> None:
    seals = {"shared-secret": seal_of(panels["shared-secret"].open().text)}
    for proof, cookies in (
        ("access-token", session(SECRET, BRUNO)),
        ("chatwoot-session", dashboard()),
    ):
        seals[proof] = seal_of(Browser(panels[proof], address(), cookies).open().text)
    for proof, accepted in ACCEPTED_PROOFS.items():
        for name, seal in seals.items():
            number = 200 if name in accepted else 401
            assert panels[proof].section("orders", seal).status_code == number, (proof, name)
