"""Too many wrong proofs: the counts and their limits, and the agents who still get in."""

from dataclasses import replace

import pytest
import requests
from sqlalchemy import select

from panel.auth.throttle import (
    MOST_FAILURES,
    MOST_FAILURES_IN_ALL,
    Limit,
    Throttle,
    attempts,
    limit_failures,
    normalize_address,
)
from panel.auth.tokens import ACCEPTED_PROOFS, derive_launch_key
from panel.demo.worlds import AGENT, SECRET
from tests.auth.browsers import (
    BRUNO,
    OTHER,
    SESSION,
    WRONG_SESSIONS,
    Browser,
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
from tests.conftest import Clock, Panel

__all__ = ["browser", "clocked_with", "panels", "signing"]  # fixtures


def wrong(browser: Browser, way: str) -> requests.Response:
    """Bring a wrong proof of this kind."""
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
    first_panel = clocked_with(WRONG_WAYS[way])
    two = clocked_with(WRONG_WAYS[way], clock=first_panel.clock)
    first, second = Browser(first_panel, "203.0.113.9"), Browser(two, "203.0.113.9")
    for at in range(MOST_FAILURES):
        assert wrong((first, second)[at % 2], way).status_code == 403
    first_panel.chat.forget()
    answer = wrong(first, way)
    assert (answer.status_code, shown(answer)) == (429, ("denied", "too_many_proofs"))
    assert answer.headers["X-Panel"] == "1"
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert first_panel.chat.calls == []
    assert wrong(Browser(two, "203.0.113.10"), way).status_code == 403
    messages = [record.message for record in caplog.records if record.name == "panel.auth.throttle"]
    assert messages == [f"a wrong {way} from 203.0.113.9"] * MOST_FAILURES + [
        f"a wrong {way} from 203.0.113.10"
    ]
    first_panel.clock.advance(60)
    assert wrong(first, way).status_code == 403


def test_after_a_rotation_a_whole_office_is_asked_to_sign_in(clocked_with: MakeClocked) -> None:
    """The office's sessions were signed with a secret that is gone: this is no attack, and nobody
    is locked out."""
    panel = clocked_with("access-token")
    former = Browser(panel, "203.0.113.9", session(OTHER, BRUNO))
    for _ in range(3 * MOST_FAILURES):
        assert shown(replace(former).open()) == ("denied", "session_expired")
    assert former.sign_in().status_code == 204
    assert shown(former.open())[0] == "ready"


def test_wrong_tokens_are_limited_in_all_too(clocked_with: MakeClocked) -> None:
    """An attacker can have many addresses, and each wrong token costs a call to Chatwoot."""
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
    own_browser = Browser(panel, "203.0.113.9", dashboard())
    assert shown(own_browser.open())[0] == "ready"
    for _ in range(MOST_FAILURES):
        wrong(own_browser, "Chatwoot session")
    panel.chat.forget()
    assert shown(own_browser.open())[0] == "ready"
    unknown = replace(own_browser, cookies=dashboard({**SESSION, "client": "new", "uid": "x"}))
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
    throttle = Throttle(panel.services.database, SECRET, clock)
    throttle.record_failure("launch key", "203.0.113.9")

    def rows() -> list[str]:
        with panel.services.database.begin() as connection:
            return list(connection.scalars(select(attempts.c.who)))

    first = rows()
    assert len(first) == 1
    assert "203" not in first[0]
    clock.advance(180)
    throttle.record_failure("launch key", "203.0.113.10")
    assert len(rows()) == 1
    assert rows() != first


@pytest.mark.parametrize(
    ("first", "other", "same"),
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
    panel: Panel, first: str, other: str, same: bool
) -> None:
    throttle = Throttle(panel.services.database, SECRET, Clock())
    for _ in range(MOST_FAILURES):
        throttle.record_failure("launch key", normalize_address(first))
    until = throttle.blocked_until(limit_failures("launch key"), normalize_address(other))
    assert (until is not None) is same


def test_a_block_ends_with_its_minute(panel: Panel) -> None:
    clock, limit = Clock(), Limit("knock", 2)
    throttle = Throttle(panel.services.database, SECRET, clock)
    end = (clock.now // 60 + 1) * 60
    assert [throttle.count(limit, "somebody") for _ in range(3)] == [None, None, end]
    assert throttle.blocked_until(limit, "somebody") == end
    assert throttle.blocked_here_until(limit, "somebody") == end
    clock.now = end - 1
    assert throttle.blocked_until(limit, "somebody") == end
    clock.now = end
    assert throttle.blocked_until(limit, "somebody") is None
    assert throttle.count(limit, "somebody") is None
