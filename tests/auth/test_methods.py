"""Who is looking: launch keys, sessions, Chatwoot's own sessions; and whoever only says so."""

import json
import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from sqlalchemy import select

from panel import settings as known
from panel.auth.methods import DASHBOARD_COOKIE, METHODS
from panel.auth.throttle import (
    MOST_FAILURES,
    MOST_FAILURES_IN_ALL,
    Throttle,
    attempts,
    limit_failures,
    normalize_address,
)
from panel.auth.tokens import ACCEPTED_PROOFS, derive_launch_key
from panel.demo.worlds import ADMIN_TOKEN, AGENT, AGENT_TOKEN, SECRET
from tests.conftest import (
    Clock,
    MakePanel,
    Panel,
    Redis,
    attribute,
    panels_before,
    seal_of,
    worlds_on_sockets,
)

OTHER = "another-secret-of-24-characters"
SESSION = {"access-token": "demo-session", "client": "demo-client", "uid": "bruno@suporte.example"}
SIGNING = ("access-token", "chatwoot-session")


@dataclass
class Browser:
    """What a browser in an agent's hands sends to a panel: cookies, and the page's Origin."""

    panel: Panel
    address: str = ""
    cookies: str = ""
    origin: str | None = ""  # empty: the panel's own

    def post(self, path: str, bearer: str | None = None, **form: Any) -> requests.Response:
        headers = {"Cookie": self.cookies, "X-Forwarded-For": self.address}
        origin = self.panel.url if self.origin == "" else self.origin
        if origin is not None:
            headers["Origin"] = origin
        answer = self.panel.ask("POST", path, bearer, data=form, headers=headers)
        for cookie in answer.headers.get("Set-Cookie", "").splitlines():
            self.cookies = cookie.partition(";")[0]
        return answer

    def sign_in(self, token: str = AGENT_TOKEN) -> requests.Response:
        return self.post("/sign-in", token=token)

    def open(self, scenario: str = "healthy", **changes: Any) -> requests.Response:
        return self.post("/contact", **self.panel.hints(scenario, **changes))


def dashboard(session: object = SESSION) -> str:
    text = session if isinstance(session, str) else quote(json.dumps(session))
    return f"{DASHBOARD_COOKIE}={text}"


def shown(answer: requests.Response) -> tuple[str | None, str | None]:
    return attribute(answer.text, "data-panel"), attribute(answer.text, "data-code")


def address() -> str:
    """One that has not tried anything yet."""
    return "2001:db8:" + ":".join(f"{secrets.randbits(16):x}" for _ in range(6))


@pytest.fixture(scope="module")
def panels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Panel]]:
    """One panel for each proof, for tests that change nothing; each behind a proxy."""
    with ExitStack() as stack:
        worlds = stack.enter_context(worlds_on_sockets())
        made = {}
        for proof in ACCEPTED_PROOFS:
            make = stack.enter_context(panels_before(worlds, tmp_path_factory.mktemp(proof)))
            made[proof] = make(PANEL_AGENT_PROOF=proof, PANEL_TRUSTED_PROXIES="1")
        yield made


def forgetful(panel: Panel) -> Panel:
    panel.chat.forget()
    panel.office.forget()
    return panel


@pytest.fixture
def signing(panels: dict[str, Panel]) -> Panel:
    """The proof is an access token."""
    return forgetful(panels["access-token"])


@pytest.fixture
def mounted(panels: dict[str, Panel]) -> Panel:
    """The proof is a session of Chatwoot's dashboard."""
    return forgetful(panels["chatwoot-session"])


@pytest.fixture
def browser(signing: Panel) -> Browser:
    return Browser(signing, address())


MakeClocked = Any


@pytest.fixture
def clocked_with(make_panel: MakePanel) -> MakeClocked:
    """`clocked_with("access-token")`: on a clock of the test, from the start of a minute."""

    def make(proof: str, clock: Clock | None = None, **changes: str) -> Panel:
        if clock is None:
            clock = Clock()
            clock.now -= clock.now % 60
        proxies = {"PANEL_TRUSTED_PROXIES": "1", **changes}
        return make_panel(clock=clock, PANEL_AGENT_PROOF=proof, **proxies)

    return make


def test_each_proof_of_the_settings_has_its_row() -> None:
    assert tuple(ACCEPTED_PROOFS) == known.PROOF_NAMES
    assert {name for names in ACCEPTED_PROOFS.values() for name in names} == set(METHODS)


# -- access-token ------------------------------------------------------------------------------


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
    opened = browser.open()
    assert (opened.status_code, shown(opened)[0]) == (200, "ready")
    assert "Signed in as Bruno Lima" in opened.text
    assert browser.panel.section("orders", seal_of(opened.text)).status_code == 200


def test_the_session_is_a_cookie_that_works_in_a_frame_and_no_script_reads(
    browser: Browser,
) -> None:
    name, _, rest = browser.sign_in().headers["Set-Cookie"].partition("=")
    value, *attributes = rest.split("; ")
    assert name == "__Host-panel"
    assert sorted(attributes) == sorted(
        ["Secure", "HttpOnly", "Max-Age=43200", "Path=/", "SameSite=None", "Partitioned"]
        + [each for each in attributes if each.startswith("Expires=")]
    )
    assert AGENT_TOKEN not in value


def test_under_a_prefix_the_session_goes_to_us_alone(signing: Panel) -> None:
    headers = {"Origin": signing.url, "X-Forwarded-Prefix": "/panel", "X-Forwarded-For": address()}
    answer = signing.ask("POST", "/sign-in", data={"token": AGENT_TOKEN}, headers=headers)
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Secure-panel=")
    assert "; Path=/panel/" in cookie
    headers["Cookie"] = cookie.partition(";")[0]
    opened = signing.ask("POST", "/contact", data=signing.hints(), headers=headers)
    assert shown(opened)[0] == "ready"
    assert 'hx-post="/panel/sign-out"' in opened.text


def test_chatwoot_is_asked_once_with_the_pasted_token_and_never_with_ours(
    browser: Browser,
) -> None:
    browser.sign_in(f"  {AGENT_TOKEN}\n")
    asked = [call for call in browser.panel.chat.calls if call.path == "/api/v1/profile"]
    assert [call.headers["api-access-token"] for call in asked] == [AGENT_TOKEN]
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
    sent = [call.headers.get("api-access-token") for call in browser.panel.chat.calls]
    assert sent in ([], ["nonsense"])


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


class Earlier(TimestampSigner):
    """Signs as if it were longer ago."""

    ago = 12 * 3600 + 1

    def get_timestamp(self) -> int:
        return super().get_timestamp() - self.ago


class JustNow(Earlier):
    ago = 12 * 3600 - 60


def session(
    secret: str,
    told: object,
    signer: type[TimestampSigner] = TimestampSigner,
    salt: str = "session",
) -> str:
    """A session as its owner would make it: who knows the secret can."""
    key = derive_launch_key(f"{salt} {secret}")
    digest = {"digest_method": sha256}
    maker = URLSafeTimedSerializer(key, salt=salt, signer=signer, signer_kwargs=digest)
    return f"__Host-panel={maker.dumps(told)}"


BRUNO = {"agent": AGENT, "account": 1}
WRONG_SESSIONS = {
    "expired": session(SECRET, BRUNO, Earlier),
    "signed with another secret": session(OTHER, BRUNO),
    "of another account": session(SECRET, {**BRUNO, "account": 2}),
    "without an agent": session(SECRET, {"account": 1}),
    "with a word for an agent": session(SECRET, {**BRUNO, "agent": "2"}),
    "with true for an agent": session(SECRET, {**BRUNO, "agent": True}),
    "a list": session(SECRET, [AGENT, 1]),
    "a seal": session(SECRET, BRUNO, salt="seal"),
    "garbage": "__Host-panel=garbage",
    "giant": "__Host-panel=" + "a" * 20_000,
    "a launch key": f"__Host-panel={derive_launch_key(SECRET)}",
}


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
    # Without the last sign: base64 has two bits there that mean nothing.
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
            wanted = 200 if name in accepted else 401
            assert panels[proof].section("orders", seal).status_code == wanted, (proof, name)


# -- chatwoot-session --------------------------------------------------------------------------


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
    asked = [call for call in panel.chat.calls if call.path == "/api/v1/profile"]
    assert len(asked) == 1
    assert asked[0].headers["access-token"] == "demo-session"
    assert "api-access-token" not in asked[0].headers
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
    kept = [path for path in Path(folder).parent.rglob("*") if path.is_file()]
    assert len(kept) > 3
    for path in kept:
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
    opened = browser.open()
    assert shown(opened)[0] == "ready"
    assert mounted.section("orders", seal_of(opened.text)).status_code == 200


# -- too many wrong proofs ---------------------------------------------------------------------


def wrong(browser: Browser, way: str) -> requests.Response:
    """One wrong proof of its kind."""
    if way == "launch key":
        return browser.post("/contact", derive_launch_key(OTHER), **browser.panel.hints())
    if way == "access token":
        return browser.sign_in("nonsense")
    cookie = WRONG_SESSIONS["garbage"] if way == "session" else dashboard({**SESSION, "uid": "x"})
    return replace(browser, cookies=cookie).open()


WRONG_WAYS = {
    "launch key": "shared-secret",
    "session": "access-token",
    "access token": "access-token",
    "Chatwoot session": "chatwoot-session",
}


@pytest.mark.parametrize("way", WRONG_WAYS)
def test_ten_wrong_proofs_a_minute_are_listened_to_over_all_processes(
    clocked_with: MakeClocked, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    one = clocked_with(WRONG_WAYS[way])
    two = clocked_with(WRONG_WAYS[way], clock=one.clock)
    here, there = Browser(one, "203.0.113.9"), Browser(two, "203.0.113.9")
    for at in range(MOST_FAILURES):
        assert wrong((here, there)[at % 2], way).status_code == 403
    one.chat.forget()
    answer = wrong(here, way)
    assert (answer.status_code, shown(answer)) == (429, ("denied", "too_many_proofs"))
    assert answer.headers["X-Panel"] == "1"
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert one.chat.calls == []
    assert wrong(Browser(two, "203.0.113.10"), way).status_code == 403
    said = [record.message for record in caplog.records if record.name == "panel.auth.throttle"]
    assert said == [f"a wrong {way} from 203.0.113.9"] * MOST_FAILURES + [
        f"a wrong {way} from 203.0.113.10"
    ]
    one.clock.advance(60)
    assert wrong(here, way).status_code == 403


def test_after_a_rotation_a_whole_office_is_asked_to_sign_in(clocked_with: MakeClocked) -> None:
    """Their sessions are of a secret that is gone: no attack, and no reason to lock them out."""
    panel = clocked_with("access-token")
    former = Browser(panel, "203.0.113.9", session(OTHER, BRUNO))
    for _ in range(3 * MOST_FAILURES):
        assert shown(replace(former).open()) == ("denied", "session_expired")
    assert former.sign_in().status_code == 204
    assert shown(former.open())[0] == "ready"


def test_wrong_tokens_are_limited_in_all_too(clocked_with: MakeClocked) -> None:
    """Many addresses are cheap to have, and each wrong token costs a call to Chatwoot."""
    panel = clocked_with("access-token")
    signed = Browser(panel, address())
    signed.sign_in()
    for at in range(MOST_FAILURES_IN_ALL):
        peer = f"198.51.{at // MOST_FAILURES}.9"
        assert wrong(Browser(panel, peer), "access token").status_code == 403
    panel.chat.forget()
    assert wrong(Browser(panel, "203.0.113.99"), "access token").status_code == 429
    assert panel.chat.count() == 0
    assert shown(signed.open())[0] == "ready", "who is signed in works on"


def test_a_right_proof_passes_although_a_neighbour_has_brought_too_many_wrong_ones(
    clocked_with: MakeClocked,
) -> None:
    shared = clocked_with("shared-secret", PANEL_TRUSTED_PROXIES="0")
    for _ in range(MOST_FAILURES + 1):
        wrong(Browser(shared), "launch key")
    assert shown(shared.open())[0] == "ready"


def test_over_the_limit_nobody_signs_in_and_chatwoot_is_not_asked(
    clocked_with: MakeClocked,
) -> None:
    panel = clocked_with("access-token")
    signed = Browser(panel, "203.0.113.9")
    signed.sign_in()
    for _ in range(MOST_FAILURES):
        wrong(Browser(panel, "203.0.113.9"), "access token")
    panel.chat.forget()
    answer = Browser(panel, "203.0.113.9").sign_in()
    assert (answer.status_code, shown(answer)[1]) == (429, "too_many_proofs")
    assert panel.chat.calls == []
    assert shown(signed.open())[0] == "ready", "who is signed in stays so"


def test_a_known_session_of_the_dashboard_passes_over_the_limit_and_an_unknown_one_is_not_asked(
    clocked_with: MakeClocked,
) -> None:
    panel = clocked_with("chatwoot-session")
    mine = Browser(panel, "203.0.113.9", dashboard())
    assert shown(mine.open())[0] == "ready"
    for _ in range(MOST_FAILURES):
        wrong(mine, "Chatwoot session")
    panel.chat.forget()
    assert shown(mine.open())[0] == "ready"
    unknown = replace(mine, cookies=dashboard({**SESSION, "client": "new", "uid": "x"}))
    assert unknown.open().status_code == 429
    assert panel.chat.count("/api/v1/profile") == 0


def test_who_is_signed_in_passes_although_too_many_sessions_of_the_dashboard_were_wrong(
    clocked_with: MakeClocked,
) -> None:
    panel = clocked_with("chatwoot-session")
    signed = Browser(panel, "203.0.113.9")
    signed.sign_in()
    for _ in range(MOST_FAILURES + 1):
        wrong(Browser(panel, "203.0.113.9"), "Chatwoot session")
    both = f"{signed.cookies}; {dashboard({**SESSION, 'client': 'outdated'})}"
    assert shown(replace(signed, cookies=both).open())[0] == "ready"


def test_a_token_of_somebody_who_serves_no_customers_signs_nobody_in(
    clocked_with: MakeClocked,
) -> None:
    panel = clocked_with("access-token")
    panel.chat.agents[AGENT]["role"] = "auditor"
    answer = Browser(panel, "203.0.113.9").sign_in()
    assert (answer.status_code, shown(answer)[1]) == (403, "not_in_account")


def test_a_missing_proof_is_no_wrong_one(clocked_with: MakeClocked) -> None:
    for proof in ACCEPTED_PROOFS:
        browser = Browser(clocked_with(proof), "203.0.113.9")
        for _ in range(MOST_FAILURES + 1):
            assert browser.open().status_code == 403


def test_a_database_that_is_silent_limits_nobody(clocked_with: MakeClocked) -> None:
    panel = clocked_with("shared-secret")
    with panel.services.database.begin() as connection:
        connection.exec_driver_sql("DROP TABLE attempts")
    for _ in range(MOST_FAILURES + 1):
        assert wrong(Browser(panel, "203.0.113.9"), "launch key").status_code == 403


def test_of_an_address_a_digest_is_kept_and_that_for_two_minutes(panel: Panel) -> None:
    clock = Clock()
    mine = Throttle(panel.services.database, SECRET, clock)
    mine.record_failure("launch key", "203.0.113.9")

    def rows() -> list[str]:
        with panel.services.database.begin() as connection:
            return list(connection.scalars(select(attempts.c.who)))

    first = rows()
    assert len(first) == 1
    assert "203" not in first[0]
    clock.advance(180)
    mine.record_failure("launch key", "203.0.113.10")
    assert len(rows()) == 1
    assert rows() != first


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("203.0.113.9", "203.0.113.10", False),
        ("::ffff:203.0.113.9", "::ffff:203.0.113.10", False),
        ("203.0.113.9:41000", "203.0.113.9:41001", True),
        ("203.0.113.9:41000", "203.0.113.10:41000", False),
        ("[2001:db8::1]:41000", "2001:db8::2", True),
        ("", "unix", True),
    ],
)
def test_a_host_of_the_new_protocol_counts_with_its_whole_network(
    panel: Panel, one: str, other: str, same: bool
) -> None:
    mine = Throttle(panel.services.database, SECRET, Clock())
    for _ in range(MOST_FAILURES):
        mine.record_failure("launch key", normalize_address(one))
    until = mine.blocked_until(limit_failures("launch key"), normalize_address(other))
    assert (until is not None) is same


# -- Origin ------------------------------------------------------------------------------------


def posts(panel: Panel) -> list[str]:
    """Every POST of the reading wing."""
    rules = [rule for rule in panel.app.url_map.iter_rules() if "POST" in (rule.methods or ())]
    mine = [rule.rule for rule in rules if rule.endpoint.startswith("panel.")]
    return [re.sub(r"<[^>]*>", "orders", rule) for rule in mine]


FOREIGN = ["https://evil.example", "null", "", "file://", "{url}.evil.example", "https{rest}"]


@pytest.mark.parametrize("proof", ACCEPTED_PROOFS)
@pytest.mark.parametrize("origin", FOREIGN)
def test_a_post_from_a_page_of_another_origin_is_refused(
    panels: dict[str, Panel], proof: str, origin: str
) -> None:
    panel = forgetful(panels[proof])
    given = origin.format(url=panel.url, rest=panel.url.removeprefix("http"))
    cookies = f"{session(SECRET, BRUNO)}; {dashboard()}"
    assert {"/contact", "/sign-in", "/sign-out", "/links"} <= set(posts(panel))
    for path in posts(panel):
        headers = {"Origin": given, "Cookie": cookies}
        form = {**panel.hints(), "token": AGENT_TOKEN}
        answer = panel.ask("POST", path, derive_launch_key(SECRET), data=form, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "foreign_origin"), path
        assert "Set-Cookie" not in answer.headers
    assert panel.calls == 0


def test_a_post_without_an_origin_counts_where_no_cookie_proves(panels: dict[str, Panel]) -> None:
    for proof in ACCEPTED_PROOFS:
        browser = Browser(panels[proof], address(), dashboard(), origin=None)
        answer = browser.post("/contact", derive_launch_key(SECRET), **browser.panel.hints())
        if proof == "shared-secret":
            assert shown(answer)[0] == "ready"
        else:
            assert answer.json()["error"]["code"] == "foreign_origin"


def test_the_origin_of_the_panels_address_is_our_own_behind_a_proxy_that_says_nothing(
    make_panel: MakePanel,
) -> None:
    panel = make_panel(
        PANEL_AGENT_PROOF="access-token", PANEL_URL="https://Panel.Example.com:443/x"
    )
    ours = Browser(panel, cookies=session(SECRET, BRUNO), origin="https://panel.example.com")
    assert shown(ours.open())[0] == "ready"


def test_behind_a_proxy_the_origin_is_compared_with_the_address_that_the_browser_has(
    signing: Panel,
) -> None:
    said = {"X-Forwarded-Host": "panel.example.com", "X-Forwarded-Proto": "https"}
    for origin, status in (("https://panel.example.com", 200), ("http://panel.example.com", 403)):
        headers = {**said, "Origin": origin, "Cookie": session(SECRET, BRUNO)}
        answer = signing.ask("POST", "/contact", data=signing.hints(), headers=headers)
        assert answer.status_code == status


def test_the_service_token_signs_in_only_as_the_service_itself(browser: Browser) -> None:
    """Who has our own token is an administrator anyway; it names nobody else."""
    browser.sign_in(ADMIN_TOKEN)
    assert shown(browser.open())[1] == "another_agent"
