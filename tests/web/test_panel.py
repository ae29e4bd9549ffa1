"""What the browser gets: the panel of a conversation, its sections, changes and links."""

import html
import re
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import pytest
import requests
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from panel.auth.tokens import SEAL_SECONDS, Seal, derive_launch_key
from panel.demo.scenarios import SCENARIOS
from panel.demo.worlds import ADMIN_TOKEN, AGENT, SECRET
from panel.web.labels import CAUSES
from panel.web.sections import SECTIONS
from tests.conftest import (
    MakePanel,
    Panel,
    attribute,
    rows_of,
    seal_of,
    state_of,
    words_of,
)

KEY = derive_launch_key(SECRET)
AMOUNTS = re.compile(r"R\$|\$ ?\d|\d[.,]\d\d\b")

CLOSED = 'id="closed-'  # behind it stands what is closed


def panel_of(answer: requests.Response) -> tuple[str | None, str | None, str | None]:
    text = answer.text
    return (
        attribute(text, "data-panel"),
        attribute(text, "data-trust"),
        attribute(text, "data-link"),
    )


def whole(panel: Panel, seal: str) -> str:
    """Everything that a browser with this seal gets to see."""
    return "".join(panel.section(name, seal).text for name in SECTIONS)


def section_states(text: str) -> dict[str, str]:
    return dict(re.findall(r'data-section="(\w+)" data-state="(\w+)"', text))


# -- opening -----------------------------------------------------------------------------------


def test_a_first_opening_draws_frames_and_asks_the_back_office_nothing(panel: Panel) -> None:
    answer = panel.open("healthy")
    assert section_states(answer.text) == dict.fromkeys(SECTIONS, "loading")
    assert panel.office.calls == []


def test_each_section_asks_for_itself_alone(panel: Panel) -> None:
    seal = seal_of(panel.open("healthy").text)
    for name, path in {
        "organization": "/organizations/42",
        "orders": "/orders",
        "quotes": "/quotes",
        "licenses": "/licenses",
    }.items():
        panel.office.forget()
        assert state_of(panel.section(name, seal).text) == "fresh"
        assert panel.office.count() == panel.office.count(path) == 1


def test_a_second_opening_draws_what_is_kept_at_once(panel: Panel) -> None:
    whole(panel, panel.proven("healthy"))
    panel.office.forget()
    answer = panel.open("healthy")
    assert section_states(answer.text) == dict.fromkeys(SECTIONS, "fresh")
    assert "Acme Ltda" in answer.text
    assert panel.office.calls == []


@pytest.mark.parametrize(
    ("fault", "state", "code"),
    [
        ("404", "failed", "unknown_organization"),
        ("403", "denied", "denied"),
        ("wordpress401", "failed", "unauthorized"),
        ("html", "failed", "unreadable"),
    ],
)
def test_a_second_opening_draws_a_failure_that_is_remembered(
    panel: Panel, fault: str, state: str, code: str
) -> None:
    panel.office.fault(fault, 42)
    whole(panel, seal_of(panel.open("healthy").text))
    again = panel.open("healthy")
    assert attribute(again.text, "data-panel") == "ready"
    assert section_states(again.text) == dict.fromkeys(SECTIONS, state)
    assert f'data-code="{code}"' in again.text


def test_a_refresh_asks_for_its_section_alone(panel: Panel) -> None:
    seal = panel.proven("healthy")
    whole(panel, seal)
    panel.office.forget()
    assert state_of(panel.refresh("orders", seal).text) == "fresh"
    assert [call.path.rpartition("/")[2] for call in panel.office.calls] == ["orders"]


def test_several_organizations_are_a_choice(panel: Panel) -> None:
    answer = panel.open("two")
    assert panel_of(answer)[0] == "choose"
    seals = re.findall(r'data-choice="(\d+)" data-seal="([^"]+)"', answer.text)
    assert [number for number, _ in seals] == ["42", "45"]
    for number, seal in seals:
        page = panel.section("organization", html.unescape(seal)).text
        assert rows_of(page) == [int(number)]


def test_a_choice_can_be_looked_at(panel: Panel) -> None:
    answer = panel.open("two", organization=45)
    assert panel_of(answer) == ("ready", "unproven", "claimed")
    assert attribute(answer.text, "data-organization") == "45"


def test_a_choice_that_was_not_offered_is_not_shown(panel: Panel) -> None:
    assert panel_of(panel.open("two", organization=46))[0] == "choose"
    assert attribute(panel.open("healthy", organization=46).text, "data-organization") == "42"
    assert panel_of(panel.open("unlinked", organization=46))[0] == "unlinked"


def test_an_unlinked_conversation_says_what_was_looked_at(panel: Panel) -> None:
    answer = panel.open("unlinked")
    assert panel_of(answer)[0] == "unlinked"
    assert "eduardo.mota@correio.example" in answer.text
    assert "+5531988880005" in answer.text
    assert 'name="q"' in answer.text
    assert panel.office.calls == []


def test_chatwoot_that_does_not_answer_is_said_and_nothing_shown(panel: Panel) -> None:
    answer = panel.open("chatwoot-down")
    assert panel_of(answer)[0] == "failed"
    assert answer.status_code == 503
    assert "data-seal" not in answer.text
    assert panel.office.calls == []


# -- proof -------------------------------------------------------------------------------------

WRONG_PROOFS = {
    "none": None,
    "empty": "Bearer ",
    "another": "Bearer " + derive_launch_key("another-secret-of-24-characters"),
    "the secret itself": f"Bearer {SECRET}",
    "the token": f"Bearer {ADMIN_TOKEN}",
    "basic": f"Basic {KEY}",
    "twice": f"Bearer {KEY} {KEY}",
    "prefix": f"Bearer {KEY[:-1]}",
    "no latin": "Bearer \xe3\xff",
}


@pytest.mark.parametrize("header", WRONG_PROOFS.values(), ids=WRONG_PROOFS)
def test_without_proof_nothing_is_shown_and_nobody_is_asked(
    standing: Panel, header: str | None
) -> None:
    headers = {"Authorization": header.encode("latin-1")} if header else {}
    answer = standing.ask("POST", "/contact", data=standing.hints(), headers=headers)
    assert (panel_of(answer)[0], answer.status_code) == ("denied", 403)
    assert "data-seal" not in answer.text
    assert standing.calls == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"account": 2}, "another_account"),
        ({"contact": 302}, "another_contact"),
        ({"conversation": 102}, "another_contact"),
        ({"conversation": 9999}, "no_such_conversation"),
        ({"agent_id": 99}, "not_an_agent"),
        ({"agent_id": 3, "agent_email": "bruno@suporte.example"}, "not_an_agent"),
        ({"agent_id": 4}, "not_in_inbox"),
    ],
)
def test_a_message_that_does_not_agree_with_chatwoot_is_denied(
    standing: Panel, changes: dict[str, Any], code: str
) -> None:
    answer = standing.open("healthy", **changes)
    assert (panel_of(answer)[0], answer.status_code) == ("denied", 403)
    assert attribute(answer.text, "data-code") == code
    assert "data-seal" not in answer.text
    assert standing.office.calls == []


def test_another_account_is_not_even_looked_up(standing: Panel) -> None:
    standing.open("healthy", account=2)
    assert standing.calls == 0


def test_the_email_of_the_agent_is_compared_without_case(panel: Panel) -> None:
    assert panel_of(panel.open("healthy", agent_email=" BRUNO@suporte.example "))[0] == "ready"


def test_a_conversation_that_is_gone_is_denied_at_once(panel: Panel) -> None:
    panel.open("healthy")
    del panel.chat.conversations[101]
    answer = panel.open("healthy")
    assert attribute(answer.text, "data-code") == "no_such_conversation"


def test_the_served_inboxes_and_members_can_be_set(make_panel: MakePanel) -> None:
    only_mail = make_panel(PANEL_INBOXES="3")
    assert attribute(only_mail.open("healthy").text, "data-code") == "inbox_not_served"
    assert panel_of(only_mail.open("two"))[0] == "choose"
    trusting = make_panel(PANEL_CHECK_INBOX="no", PANEL_CACHE_URL="memory:")
    assert panel_of(trusting.open("healthy", agent_id=4))[0] == "ready"


def test_an_administrator_needs_no_membership(panel: Panel) -> None:
    assert panel_of(panel.open("healthy", agent_id=1))[0] == "ready"


# -- wrong input -------------------------------------------------------------------------------

NUMBERS = ["", " ", "0", "-1", "1.0", "1e3", "0x1", "٣", "1\n", "9" * 19, "9" * 5000, "None", "\0"]


@pytest.mark.parametrize("name", ["conversation", "contact", "account", "agent_id"])
@pytest.mark.parametrize("value", NUMBERS, ids=lambda text: ascii(text)[1:-1][:12] or "empty")
def test_a_malformed_hint_is_a_bad_request(standing: Panel, name: str, value: str) -> None:
    answer = standing.open("healthy", **{name: value})
    assert (answer.status_code, attribute(answer.text, "data-code")) == (400, "bad_request")
    assert standing.calls == 0


@pytest.mark.parametrize("changes", [{"organization": "x"}, {"agent_email": "a" * 255}])
def test_malformed_optional_hints_are_bad_requests_too(
    standing: Panel, changes: dict[str, Any]
) -> None:
    assert standing.open("healthy", **changes).status_code == 400


BODIES: dict[str, tuple[dict[str, Any], int]] = {
    "nothing": ({"data": b""}, 400),
    "JSON": ({"json": {"conversation": 101}}, 400),
    "binary": ({"data": bytes(range(256))}, 400),
    "broken multipart": (
        {"data": b"--x\r\nwrong", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
        400,
    ),
    "multipart without boundary": (
        {"data": b"x", "headers": {"Content-Type": "multipart/form-data"}},
        400,
    ),
    "file": ({"files": {"conversation": b"101"}}, 400),
    "giant field": ({"data": {"conversation": "1" * 100_000}}, 413),
    "giant upload": ({"files": {"x": b"x" * 100_000}}, 413),
    "two thousand fields": ({"data": {f"f{at}": "1" for at in range(2000)}}, 400),
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("path", ["/contact", "/links"])
def test_a_malformed_body_is_a_clear_4xx(standing: Panel, path: str, name: str) -> None:
    options, status = BODIES[name]
    bearer = KEY if path == "/contact" else seal_of(standing.open("unlinked").text)
    answer = standing.ask("POST", path, bearer, **options)
    assert answer.status_code == status
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/contact", 405),
        ("PUT", "/contact", 405),
        ("POST", "/", 405),
        ("DELETE", "/links", 405),
        ("GET", "/links", 405),
        ("POST", "/sections/orders", 405),
        ("GET", "/sections/orders/refresh", 405),
        ("POST", "/changes", 405),
        ("PATCH", "/static/panel.js", 405),
        ("GET", "/nothing", 404),
        ("GET", "/sections", 404),
        ("GET", "/sections/orders/more", 404),
        ("GET", "/sections//orders", 404),
        ("GET", "/static/nothing.js", 404),
        ("GET", "/static/../app.py", 404),
        ("GET", "/static/%2e%2e/app.py", 404),
        ("GET", "/static/..%2f..%2fapp.py", 404),
        ("GET", "/static/vendor", 404),
        ("GET", "/static/%00", 404),
        ("GET", "/static/" + "a" * 5000, 404),
        ("GET", "/%ff%fe", 404),
        ("TRACE", "/", 405),
        ("BREW", "/contact", 405),
    ],
    ids=lambda text: str(text)[:30],
)
def test_what_is_not_there_is_a_clear_4xx(
    standing: Panel, method: str, path: str, status: int
) -> None:
    request = requests.Request(method, standing.url).prepare()
    request.url = standing.url + path  # as it stands, dots and all
    with requests.Session() as session:
        answer = session.send(request, allow_redirects=False, timeout=10)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "detail"}
    assert standing.calls == 0


def test_a_405_says_what_is_allowed(standing: Panel) -> None:
    assert "POST" in standing.ask("GET", "/contact").headers["Allow"]


# -- seals -------------------------------------------------------------------------------------

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
    """A seal as its owner would make it: who knows the secret can."""
    maker = URLSafeTimedSerializer(
        derive_launch_key(f"seal {secret}"),
        salt="seal",
        signer=signer,
        signer_kwargs={"digest_method": sha256},
    )
    said = list(payload.values()) if isinstance(payload, dict) else payload
    return str(maker.dumps(said))


CLAIMS = vars(Seal(AGENT, "shared-secret", 1, 101, 301, 42, "proven"))
WRONG_SEALS = {
    "none": ("", "seal_invalid"),
    "launch key": (KEY, "seal_invalid"),
    "garbage": ("garbage", "seal_invalid"),
    "dots": ("...", "seal_invalid"),
    "giant": ("a" * 20_000, "seal_invalid"),
    "another secret": (forged("another-secret-of-24-characters", CLAIMS), "seal_invalid"),
    "expired": (forged(SECRET, CLAIMS, Earlier), "seal_expired"),
    "another account": (forged(SECRET, {**CLAIMS, "account": 2}), "seal_invalid"),
    "another proof": (forged(SECRET, {**CLAIMS, "proof": "access-token"}), "seal_invalid"),
    "another contact": (forged(SECRET, {**CLAIMS, "contact": 302}), "agent_removed"),
    "no such agent": (forged(SECRET, {**CLAIMS, "agent": 99}), "agent_removed"),
    "agent of no inbox": (forged(SECRET, {**CLAIMS, "agent": 4}), "agent_removed"),
    "no such conversation": (forged(SECRET, {**CLAIMS, "conversation": 9999}), "agent_removed"),
    "too little": (forged(SECRET, {"agent": AGENT}), "seal_invalid"),
    "too much": (forged(SECRET, {**CLAIMS, "admin": True}), "seal_invalid"),
    "a list": (forged(SECRET, [1, 2]), "seal_invalid"),
    "null": (forged(SECRET, None), "seal_invalid"),
}


@pytest.mark.parametrize(("method", "path"), SEALED)
@pytest.mark.parametrize("name", WRONG_SEALS)
def test_a_seal_that_does_not_hold_is_a_401_and_the_back_office_is_not_asked(
    standing: Panel, method: str, path: str, name: str
) -> None:
    seal, code = WRONG_SEALS[name]
    answer = standing.ask(method, path, seal)
    assert (answer.status_code, answer.json()) == (401, {"error": {"code": code}})
    assert standing.office.calls == []


def test_a_seal_with_any_sign_changed_is_invalid(standing: Panel) -> None:
    seal = seal_of(standing.open("healthy").text)
    # Without the last sign: base64 has two bits there that mean nothing.
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


# -- claims and trust --------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["contact", "conversation"])
def test_a_visitor_who_claims_an_organization_gets_nothing_out_of_the_agent(
    panel: Panel, where: str
) -> None:
    visitor = panel.chat.contacts[305]
    if where == "contact":
        visitor["custom_attributes"]["middag_organization_id"] = "46"
    if where == "conversation":
        panel.chat.conversations[105]["custom_attributes"]["middag_organization_id"] = "46"
    opened = panel.open("unlinked")
    assert panel_of(opened) == ("ready", "unproven", "claimed")
    assert 'data-banner="unproven"' in opened.text
    shown = opened.text + whole(panel, seal_of(opened.text)) + panel.open("unlinked").text
    assert "data-masked" in shown
    office = panel.office
    hidden = [office.organizations[46]["cnpj"]]
    hidden += [row["license_key"] for row in office.rows("licenses", 46)]
    hidden += [row["license_key"][-4:] for row in office.rows("licenses", 46)]
    assert [secret for secret in hidden if secret in shown] == []
    assert AMOUNTS.search(re.sub(r"<svg.*?</svg>", "", shown, flags=re.DOTALL)) is None


def test_an_identifier_claims_nothing_whoever_wrote_it(panel: Panel) -> None:
    panel.chat.contacts[305]["identifier"] = "middag:organization:46"
    panel.chat.conversations[105]["hmac_verified"] = True
    assert panel_of(panel.open("unlinked"))[0] == "unlinked"


def test_a_proven_customer_is_shown_in_full(panel: Panel) -> None:
    shown = whole(panel, panel.proven("expiring"))
    assert "data-masked" not in shown
    assert panel.office.organizations[46]["cnpj"] in shown
    assert "R$2,690.00" in shown
    assert 'data-copy="' + panel.office.rows("licenses", 46)[0]["license_key"] in shown


def test_the_whole_key_stands_in_the_copy_button_only(panel: Panel) -> None:
    page = panel.section("licenses", panel.proven("healthy")).text
    key = panel.office.rows("licenses", 42)[0]["license_key"]
    assert page.count(key) == page.count(f'data-copy="{key}"') == 1


@pytest.mark.parametrize("value", ["42,45", " 42 , 45 ", "45,42,42"])
def test_several_claims_are_a_choice(panel: Panel, value: str) -> None:
    panel.chat.contacts[305]["custom_attributes"]["middag_organization_id"] = value
    assert panel_of(panel.open("unlinked"))[0] == "choose"


@pytest.mark.parametrize(
    "value", ["", "0", "-42", "42; drop", "4.2", None, [], {"a": 1}, True, 4.5, "9" * 400, "٣"]
)
def test_a_claim_that_is_no_number_claims_nothing(panel: Panel, value: object) -> None:
    panel.chat.contacts[305]["custom_attributes"]["middag_organization_id"] = value
    panel.chat.conversations[105]["custom_attributes"]["middag_organization_id"] = value
    assert panel_of(panel.open("unlinked"))[0] == "unlinked"


# -- pick, refuse, undo ------------------------------------------------------------------------


def attributes(panel: Panel, conversation: int) -> dict[str, Any]:
    found: dict[str, Any] = panel.chat.conversations[conversation]["custom_attributes"]
    return found


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
        shown = answer.text + whole(panel, seal_of(answer.text))
        assert "data-masked" in shown
        assert AMOUNTS.search(re.sub(r"<svg.*?</svg>", "", shown, flags=re.DOTALL)) is None
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
    """A pass, or the visitor, had named the same organization there."""
    named = {"middag_organization_id": "42", "middag_organization": "Acme Ltda"}
    attributes(panel, 105).update(named)
    seal = seal_of(panel.open("unlinked").text)
    panel.say(seal, "pick", 42, "contact")
    panel.say(seal, "undo", 42)
    assert attributes(panel, 105) == named
    assert panel.chat.writes == []


def test_a_pick_that_takes_the_place_of_a_written_one_takes_it_out(panel: Panel) -> None:
    panel.prove("unlinked", 42)
    seal = seal_of(panel.open("unlinked").text)
    panel.say(seal, "pick", 42, "contact")
    told = panel.chat.contacts[305]
    assert told["custom_attributes"]["middag_organization_id"] == "42"
    panel.say(seal, "pick", 45, "contact")  # of which nothing is proven
    assert attributes(panel, 105) == told["custom_attributes"] == {}


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
    refused = panel.say(seal, "refuse", 42)
    assert panel_of(refused)[0] == "unlinked"
    assert attribute(refused.text, "data-refused") == "42"
    assert "Bruno Lima" in refused.text
    assert panel_of(panel.open("healthy"))[0] == "unlinked"
    back = panel.say(seal_of(refused.text), "undo", 42)
    assert panel_of(back) == ("ready", "unproven", "claimed")


def test_refusing_one_of_two_leaves_the_other(panel: Panel) -> None:
    refused = panel.say(seal_of(panel.open("two").text), "refuse", 42)
    assert attribute(refused.text, "data-organization") == "45"


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
    assert "knows no company with this ID" in answer.text
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


# -- changes -----------------------------------------------------------------------------------


def versions(panel: Panel, seal: str) -> dict[str, str]:
    pages = {name: panel.section(name, seal).text for name in SECTIONS}
    return {name: attribute(page, "data-version") or "" for name, page in pages.items()}


def ask_changes(panel: Panel, seal: str, seen: dict[str, str]) -> list[str]:
    told = ",".join(f"{name}:{version}" for name, version in seen.items())
    answer = panel.ask("GET", "/changes", seal, params={"seen": told})
    assert (answer.status_code, answer.text) == (204, "")
    assert 0 < float(answer.headers["X-Panel-Next"]) <= 16.5
    return answer.headers.get("HX-Trigger", "").replace(",", " ").split()


def test_changes_names_the_touched_sections_and_asks_nobody(panel: Panel) -> None:
    seal = panel.proven("healthy")
    seen = versions(panel, seal)
    panel.office.forget()
    assert ask_changes(panel, seal, seen) == []
    panel.services.cache.touch(42, "orders")
    panel.services.cache.touch(42, "licenses")
    panel.services.cache.touch(43, "quotes")
    assert ask_changes(panel, seal, seen) == ["touched-licenses", "touched-orders"]
    assert panel.office.calls == []


def test_what_was_read_again_is_seen_by_the_other_panels(panel: Panel) -> None:
    mine, yours = panel.proven("healthy"), panel.proven("healthy")
    seen = versions(panel, mine)
    panel.office.put("orders", 42, {"id": 9, "status": "pending"})
    panel.refresh("orders", yours)
    assert ask_changes(panel, mine, seen) == ["touched-orders"]


@pytest.mark.parametrize(
    "seen",
    ["", ",,,", ":", "orders", "nothing:x", "x" * 5000, "orders:x," * 400, "\x00:\xff", "<b>:<b>"],
    ids=lambda text: ascii(text)[1:-1][:14] or "empty",
)
def test_whatever_the_panel_says_it_shows_changes_answers(standing: Panel, seen: str) -> None:
    seal = seal_of(standing.open("healthy").text)
    answer = standing.ask("GET", "/changes", seal, params={"seen": seen})
    assert answer.status_code == 204
    named = answer.headers.get("HX-Trigger", "").replace(",", " ").split()
    assert set(named) <= {f"touched-{name}" for name in SECTIONS}
    assert len(named) <= len(SECTIONS)


# -- what other people typed -------------------------------------------------------------------

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202e\u2066\x07\x1b{{7*7}}&#60;b"


def test_nothing_that_others_wrote_becomes_markup(panel: Panel) -> None:
    panel.office.put("organization", 42, dict.fromkeys(
        ("name", "legal_name", "cnpj", "status", "verification_status", "plan", "billing_entity",
         "city", "state", "country", "email"), EVIL))  # fmt: skip
    for number in (1, 2):
        common = {"id": number, "currency": EVIL, "total": "1.00", "payment_method": EVIL}
        panel.office.put("orders", 42, {**common, "status": EVIL})
        line = [{"product_name": EVIL}]
        panel.office.put("quotes", 42, {**common, "status": "sent", "line_items": line})
        product = {"product_name": EVIL, "license_key": EVIL, "activated_domains": [EVIL]}
        panel.office.put("licenses", 42, {"id": number, "status": "active", **product})
    contact = panel.chat.contacts[301]
    contact.update(name=EVIL, email=EVIL, phone_number=EVIL, identifier=EVIL)
    panel.chat.agents[AGENT]["name"] = EVIL
    seal = panel.proven("healthy")
    pages = [whole(panel, seal), panel.open("healthy").text]
    pages.append(panel.say(seal, "undo", 42).text)
    contact["custom_attributes"]["middag_organization_id"] = EVIL
    attributes(panel, 101)["middag_organization_id"] = EVIL
    pages.append(panel.say(seal, "refuse", 42).text)
    for page in pages:
        assert "alert(1)" in page, "the page does not show what this test is about"
        assert "<script" not in page
        assert "<img" not in page
        assert "&#39;&gt;" in page
        assert "{{7*7}}" in page
        assert "&#60;b" not in page


# -- language and links ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "language", "money"),
    [
        ("pt-BR,pt;q=0.9,en;q=0.8", "pt-BR", "R$\xa01.250,00"),
        ("en-US,en;q=0.9", "en", "R$1,250.00"),
        ("de", "en", "R$1,250.00"),
        ("en;q=0.1,pt-BR;q=0.9", "pt-BR", "R$\xa01.250,00"),
        ("*;q=x,,;;=", "en", "R$1,250.00"),
        ("x" * 4000, "en", "R$1,250.00"),
    ],
    ids=lambda text: str(text)[:10],
)
def test_the_language_is_the_browsers(
    standing: Panel, wanted: str, language: str, money: str
) -> None:
    headers = {"Accept-Language": wanted}
    shell = standing.ask("GET", "/", headers=headers)
    assert f'<html lang="{language}">' in shell.text
    page = standing.ask("GET", "/sections/orders", standing.proven(), headers=headers)
    assert money in page.text


@pytest.mark.parametrize(("wanted", "language"), [("en", "en"), ("de", "pt-BR"), ("", "pt-BR")])
def test_the_setting_speaks_where_the_browser_names_no_language_of_ours(
    make_panel: MakePanel, wanted: str, language: str
) -> None:
    panel = make_panel(PANEL_LOCALE="pt_BR")
    shell = panel.ask("GET", "/", headers={"Accept-Language": wanted})
    assert f'<html lang="{language}">' in shell.text


def test_records_link_to_where_the_settings_say(make_panel: MakePanel) -> None:
    panel = make_panel(MIDDAG_LINK_ORDER="https://account.example/o?a=1&id={id}")
    page = panel.section("orders", panel.proven()).text
    link = 'href="https://account.example/o?a=1&amp;id=4201" target="_blank"'
    assert f'{link} rel="noopener noreferrer"' in page
    assert "<a " not in panel.section("quotes", panel.proven()).text


# -- what the sections say ---------------------------------------------------------------------


def test_closed_orders_are_counted_and_totals_kept_per_currency_and_payment(panel: Panel) -> None:
    page = panel.section("orders", panel.proven("currencies")).text
    assert sorted(rows_of(page.partition(CLOSED)[0])) == [4701, 4702, 4703]
    assert "1 closed order:" in page
    words = words_of(page)
    assert "Total unpaid: $1,200.00 Total paid: $349.50 · R$2,750.00" in words


@pytest.mark.parametrize(("takes_size", "calls"), [(True, 1), (False, 1 + 3)])
def test_a_list_on_several_pages_is_read_whole(panel: Panel, takes_size: bool, calls: int) -> None:
    panel.office.takes_page_size = takes_size
    page = panel.section("orders", panel.proven("many")).text
    assert len(rows_of(page.partition(CLOSED)[0])) == 36
    assert "24 closed orders:" in page
    assert "31 more" in page
    assert len(rows_of(page)) == 36 + 10
    whole = panel.ask("GET", "/sections/orders?all=1", panel.proven("many")).text
    assert len(rows_of(whole)) == 36 + 24
    assert panel.office.count("/orders") == calls


def test_only_the_first_ten_pages_are_read_and_that_is_said(panel: Panel) -> None:
    panel.office.takes_page_size = False
    for number in range(1, 251):
        panel.office.put("orders", 43, {"id": number, "status": "pending"})
    page = panel.section("orders", panel.proven("empty")).text
    assert len(rows_of(page)) == 200
    assert re.search(r"first 200 of 250", page)
    assert panel.office.count("/orders") == 1 + 10


def test_the_most_urgent_licenses_come_first(panel: Panel) -> None:
    page = panel.section("licenses", panel.proven("expiring")).text
    marks = re.findall(r'data-row="(\d+)"(?: data-mark="(\w+)")?', page.partition(CLOSED)[0])
    assert marks == [
        ("4604", "expired"), ("4605", "expired"), ("4609", "disabled"),
        ("4601", "expiring"), ("4602", "expiring"), ("4603", "expiring"),
        ("4608", ""), ("4607", ""),
    ]  # fmt: skip
    assert "1 closed license: Expired (1)" in page
    assert "Lifetime" in page
    assert "Unlimited sites" in page


def test_a_quote_that_lapses_soon_or_has_just_lapsed_comes_first(panel: Panel) -> None:
    page = panel.section("quotes", panel.proven("healthy")).text
    marks = re.findall(r'data-row="(\d+)"(?: data-mark="(\w+)")?', page.partition(CLOSED)[0])
    assert marks == [("4202", "lapsing"), ("4203", "lapsed"), ("4201", "")]
    assert "7 closed quotes:" in page


def test_what_the_back_office_does_not_state_is_not_invented(panel: Panel) -> None:
    panel.office.put("organization", 42, {"name": "Acme"})
    page = panel.section("organization", panel.proven("healthy")).text
    assert page.count("not stated") == 2
    assert "Plan" not in page
    panel.office.put("orders", 42, {"id": 1, "status": "pending"})
    assert "amount not stated" in panel.refresh("orders", panel.proven("healthy")).text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"status": "verified"}, "CNPJ {cnpj} CNPJ checked"),
        ({"status": "verified", "verification_status": "verified"}, "CNPJ {cnpj} CNPJ checked"),
        ({"status": "publish", "verification_status": "verified"}, "CNPJ {cnpj} CNPJ checked"),
        (
            {"status": "verified", "verification_status": "rejected"},
            "CNPJ {cnpj} CNPJ check failed Status CNPJ checked",
        ),
    ],
)
def test_verified_means_that_the_tax_id_was_checked_in_whichever_field_it_stands(
    panel: Panel, fields: dict[str, str], said: str
) -> None:
    document = {**panel.office.organizations[42], **fields, "city": None, "state": None}
    document |= {"country": None, "legal_name": None}
    if "verification_status" not in fields:
        del document["verification_status"]
    panel.office.put("organization", 42, document)
    words = words_of(panel.section("organization", panel.proven("healthy")).text)
    assert said.format(cnpj=document["cnpj"]) in words
    assert ("Status" in words) is ("Status" in said)
    assert "erified" not in words


def test_every_contradiction_of_the_documentation_is_shown(panel: Panel) -> None:
    seal = panel.proven("contradictions")
    organization = panel.section("organization", seal).text
    for words in ("Paradoxo Educação", "12.ABC.345/01DE-35", "MIDDAG BR", "CNPJ being checked"):
        assert words in organization
    orders = panel.section("orders", seal).text
    assert sorted(rows_of(orders.partition(CLOSED)[0])) == [4801, 4802, 4803, 4804, 4806]
    for words in ("On hold", "Awaiting shipment", "amount unclear (125000)", "No date"):
        assert words in orders
    quotes, licenses = (panel.section(name, seal).text for name in ("quotes", "licenses"))
    assert (sorted(rows_of(quotes.partition(CLOSED)[0])), "Under negotiation" in quotes) == (
        [4801, 4803, 4804],
        True,
    )
    assert (sorted(rows_of(licenses.partition(CLOSED)[0])), "Paused" in licenses) == (
        [4801, 4802, 4803, 4804],
        True,
    )


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_opens_without_an_accident(panel: Panel, scenario: str) -> None:
    answer = panel.open(scenario)
    assert panel_of(answer)[0] in {"ready", "choose", "unlinked", "failed"}
    assert (answer.status_code == 503) is (scenario == "chatwoot-down")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_many_agents_before_one_conversation_get_the_same_panel(panel: Panel) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: panel.open("healthy"), range(16)))
    assert {panel_of(answer) for answer in answers} == {("ready", "unproven", "claimed")}


def test_an_aged_section_follows_up_by_itself(clocked: Panel) -> None:
    seal = clocked.proven("healthy")
    clocked.section("orders", seal)
    clocked.clock.advance(61)
    clocked.office.forget()
    page = clocked.section("orders", seal).text
    follow = re.search(r'hx-get="(/sections/orders\?wait=1)" hx-trigger="load"', page)
    assert state_of(page) == "late"
    assert clocked.office.calls == []
    assert follow is not None
    assert state_of(clocked.ask("GET", follow[1], seal).text) == "fresh"
