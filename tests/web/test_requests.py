"""Requests without a right proof, and malformed ones: a clear refusal, without calls to the
worlds."""

from typing import Any

import pytest
import requests

from panel.auth.tokens import derive_launch_key
from panel.demo.worlds import ADMIN_TOKEN, SECRET
from tests.conftest import MakePanel, Panel, attribute, seal_of
from tests.web.opened import KEY, panel_of

# -- proof -----------------------------------------------------------------------------------------


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


# -- wrong input -----------------------------------------------------------------------------------


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
    request.url = standing.url + path  # unchanged, with its dots
    with requests.Session() as session:
        answer = session.send(request, allow_redirects=False, timeout=10)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "detail"}
    assert standing.calls == 0


def test_a_405_says_what_is_allowed(standing: Panel) -> None:
    assert "POST" in standing.ask("GET", "/contact").headers["Allow"]
