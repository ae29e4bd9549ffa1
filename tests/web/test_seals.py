"""Seals: their end, the records that they open, and every kind of invalid one."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from panel.auth.seal import Seal
from panel.auth.tokens import SEAL_SECONDS, derive_launch_key
from panel.demo.worlds import AGENT, SECRET
from panel.web.labels import CAUSES
from panel.web.sections import SECTIONS
from tests.conftest import MakePanel, Panel, attribute, rows_of, seal_of, state_of, wait_until
from tests.web.opened import KEY

SEALED = [
    ("GET", "/sections/orders"),
    ("GET", "/sections/nothing"),
    ("POST", "/sections/orders/refresh"),
    ("POST", "/links"),
    ("GET", "/changes?seen=orders:x"),
]


class Earlier(TimestampSigner):
    """Signs as if it were longer ago."""

    ago = SEAL_SECONDS + 1

    def get_timestamp(self) -> int:
        return super().get_timestamp() - self.ago


class JustNow(Earlier):
    ago = SEAL_SECONDS - 10


def forged(secret: str, payload: object, signer: type[TimestampSigner] = TimestampSigner) -> str:
    """Make a seal, as anybody can who knows the secret."""
    maker = URLSafeTimedSerializer(
        derive_launch_key(f"seal {secret}"),
        salt="seal",
        signer=signer,
        signer_kwargs={"digest_method": sha256},
    )
    items = list(payload.values()) if isinstance(payload, dict) else payload
    return str(maker.dumps(items))


CLAIMS = vars(Seal(AGENT, "shared-secret", 1, 101, 301, 42, "proven"))
# Functions, because a seal that is made while tests are collected can end before its test runs.
WRONG_SEALS: dict[str, tuple[Callable[[], str], str]] = {
    "none": (lambda: "", "seal_invalid"),
    "launch key": (lambda: KEY, "seal_invalid"),
    "garbage": (lambda: "garbage", "seal_invalid"),
    "dots": (lambda: "...", "seal_invalid"),
    "giant": (lambda: "a" * 20_000, "seal_invalid"),
    "another secret": (lambda: forged("another-secret-of-24-characters", CLAIMS), "seal_invalid"),
    "expired": (lambda: forged(SECRET, CLAIMS, Earlier), "seal_expired"),
    "another account": (lambda: forged(SECRET, {**CLAIMS, "account": 2}), "seal_invalid"),
    "another proof": (lambda: forged(SECRET, {**CLAIMS, "proof": "access-token"}), "seal_invalid"),
    "another contact": (lambda: forged(SECRET, {**CLAIMS, "contact": 302}), "agent_removed"),
    "no such agent": (lambda: forged(SECRET, {**CLAIMS, "agent": 99}), "agent_removed"),
    "agent of no inbox": (lambda: forged(SECRET, {**CLAIMS, "agent": 4}), "agent_removed"),
    "no such conversation": (
        lambda: forged(SECRET, {**CLAIMS, "conversation": 9999}),
        "agent_removed",
    ),
    "too little": (lambda: forged(SECRET, {"agent": AGENT}), "seal_invalid"),
    "too much": (lambda: forged(SECRET, {**CLAIMS, "admin": True}), "seal_invalid"),
    "a list": (lambda: forged(SECRET, [1, 2]), "seal_invalid"),
    "null": (lambda: forged(SECRET, None), "seal_invalid"),
}


@pytest.mark.parametrize(("method", "path"), SEALED)
@pytest.mark.parametrize("name", WRONG_SEALS)
def test_a_seal_that_does_not_hold_is_a_401_and_the_back_office_is_not_asked(
    standing: Panel, method: str, path: str, name: str
) -> None:
    make, code = WRONG_SEALS[name]
    seal = make()
    if path.startswith("/changes"):  # shows no data, so its answer does not wait for a due check
        wait_until(lambda: standing.ask(method, path, seal).status_code != 204)
    answer = standing.ask(method, path, seal)
    assert (answer.status_code, answer.json()) == (401, {"error": {"code": code}})
    assert standing.office.calls == []


def test_a_seal_with_any_sign_changed_is_invalid(standing: Panel) -> None:
    seal = seal_of(standing.open("healthy").text)
    # The last sign is left out, because two of its bits mean nothing in base64.
    for at in range(0, len(seal) - 1, 7):
        other = "A" if seal[at] != "A" else "B"
        answer = standing.section("orders", seal[:at] + other + seal[at + 1 :])
        assert answer.status_code == 401, at


def test_a_seal_holds_until_its_half_hour_is_over(standing: Panel) -> None:
    assert standing.section("orders", forged(SECRET, CLAIMS, JustNow)).status_code == 200


@pytest.mark.parametrize("where", ["query", "form", "cookie", "another header"])
def test_a_seal_counts_in_the_authorization_header_only(standing: Panel, where: str) -> None:
    seal = seal_of(standing.open("healthy").text)
    options: dict[str, dict[str, Any]] = {
        "query": {"params": {"seal": seal, "authorization": f"Bearer {seal}"}},
        "form": {"data": {"seal": seal, "Authorization": f"Bearer {seal}"}},
        "cookie": {"cookies": {"seal": seal, "Authorization": seal}},
        "another header": {"headers": {"X-Seal": seal, "Proxy-Authorization": f"Bearer {seal}"}},
    }
    answer = standing.ask("POST", "/sections/orders/refresh", None, **options[where])
    assert answer.status_code == 401


def test_ids_in_query_and_body_are_ignored(panel: Panel) -> None:
    seal = panel.proven("healthy")
    other = {"organization": 43, "organization_id": 43, "org": 43, "id": 43, "conversation": 102}
    page = panel.ask("GET", "/sections/organization", seal, params=other, data=other)
    assert rows_of(page.text) == [42]
    page = panel.ask("POST", "/sections/orders/refresh", seal, params=other, data=other)
    assert 4201 in rows_of(page.text)


@pytest.mark.parametrize("name", ["nothing", "Orders", "orders.html", "_frame", "%00", "a" * 3000])
def test_an_unknown_section_is_a_404(standing: Panel, name: str) -> None:
    seal = seal_of(standing.open("healthy").text)
    for method, path in (("GET", f"/sections/{name}"), ("POST", f"/sections/{name}/refresh")):
        answer = standing.ask(method, path, seal)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_such_section")


@pytest.mark.parametrize("scenario", ["unlinked", "two"])
def test_a_seal_without_an_organization_shows_no_section(standing: Panel, scenario: str) -> None:
    seal = seal_of(standing.open(scenario).text)
    assert [standing.section(name, seal).status_code for name in SECTIONS] == [404] * 4
    assert standing.ask("GET", "/changes?seen=orders:x", seal).headers.get("HX-Trigger") is None


def test_a_retired_secret_opens_nothing_and_the_other_one_everything(
    make_panel: MakePanel, panel: Panel
) -> None:
    panel.office.secrets.append("b" * 24)
    old = seal_of(panel.open("healthy").text)
    both = make_panel(CHATWOOT_CONTACT_VIEW_SECRET=f"{'b' * 24},{SECRET}")
    assert both.section("orders", old).status_code == 200
    assert both.ask("POST", "/contact", KEY, data=both.hints()).status_code == 200
    new = seal_of(both.open("healthy").text)
    alone = make_panel(CHATWOOT_CONTACT_VIEW_SECRET="b" * 24)
    assert alone.section("orders", new).status_code == 200
    assert alone.section("orders", old).json() == {"error": {"code": "seal_invalid"}}
    assert alone.ask("POST", "/contact", KEY, data=alone.hints()).status_code == 403


def test_a_removed_agent_loses_access_within_a_minute(clocked: Panel) -> None:
    seal = seal_of(clocked.open("healthy").text)
    assert clocked.section("orders", seal).status_code == 200
    del clocked.chat.agents[AGENT]
    clocked.clock.advance(61)
    assert clocked.section("orders", seal).json() == {"error": {"code": "agent_removed"}}
    assert attribute(clocked.open("healthy").text, "data-code") == "not_an_agent"


def test_an_agent_who_left_the_inbox_loses_access_within_a_minute(clocked: Panel) -> None:
    seal = seal_of(clocked.open("healthy").text)
    clocked.chat.inbox_members[1].remove(AGENT)
    clocked.clock.advance(61)
    assert clocked.section("orders", seal).json() == {"error": {"code": "agent_removed"}}


def test_a_conversation_that_went_to_another_contact_closes_its_seals(clocked: Panel) -> None:
    seal = seal_of(clocked.open("healthy").text)
    clocked.chat.conversations[101]["contact_id"] = 302
    clocked.clock.advance(61)
    assert clocked.section("orders", seal).status_code == 401


def test_a_seal_that_cannot_be_checked_holds_two_minutes_longer_and_says_so(
    clocked: Panel,
) -> None:
    seal = clocked.proven("healthy")
    clocked.section("orders", seal)
    clocked.chat.down = True
    clocked.clock.advance(61)
    answer = clocked.section("orders", seal)
    assert state_of(answer.text) == "late"
    assert attribute(answer.text, "data-code") == "access_unchecked"
    assert CAUSES["access_unchecked"] in answer.text
    clocked.clock.advance(100)
    answer = clocked.section("orders", seal)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "http_503"
    assert "data-row" not in answer.text
