"""Attacks by header: mounts that no proxy would send, line breaks, redirects."""

import http.client
import re
from contextlib import closing

import pytest

from tests.conftest import MakePanel, Panel
from tests.web.policies import FORWARDED, policy_of

STRANGE_MOUNTS = [
    {"X-Forwarded-Prefix": "/panel; script-src *"},
    {"X-Forwarded-Prefix": "//evil.example"},
    {"X-Forwarded-Prefix": "https://evil.example"},
    {"X-Forwarded-Prefix": "/><script>alert(1)</script>"},
    {"X-Forwarded-Prefix": "/panel", "X-Forwarded-Proto": "https; script-src *"},
    {"X-Forwarded-Prefix": "/panel", "X-Forwarded-Proto": "javascript"},
    {"X-Forwarded-Prefix": "/panel", "X-Forwarded-Host": "evil.example; script-src *"},
    {"X-Forwarded-Prefix": "/panel", "X-Forwarded-Host": "evil.example/x"},
]


@pytest.mark.parametrize("headers", STRANGE_MOUNTS, ids=str)
def test_a_mount_that_no_proxy_would_say_is_refused_and_not_repeated(
    make_panel: MakePanel, headers: dict[str, str]
) -> None:
    panel = make_panel(PANEL_TRUSTED_PROXIES="1")
    for path in ("/", "/nothing", "/static/panel.js"):
        answer = panel.ask("GET", path, headers=headers)
        assert answer.status_code == 400
        content = answer.text + repr(answer.headers)
        assert "evil" not in content
        assert "script-src *" not in content
        assert policy_of(answer).get("script-src", ["'self'"]) == ["'self'"]


def test_what_a_client_says_of_its_mount_is_not_believed_without_a_proxy(
    standing: Panel,
) -> None:
    answer = standing.ask("GET", "/", headers=FORWARDED)
    assert "chat.example.com" not in answer.text + repr(answer.headers)
    assert 'src="/static/panel.js' in answer.text


BROKEN = ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\r\n\r\n<script>", "a\x00b", "\xff\xfe"]
ECHOED = ["Origin", "Cookie", "Accept-Language", "X-Forwarded-For", "X-Forwarded-Prefix", "Host"]


@pytest.mark.parametrize("name", ECHOED)
@pytest.mark.parametrize("value", BROKEN, ids=repr)
def test_a_line_break_in_a_header_makes_no_header_of_ours(
    standing: Panel, name: str, value: str
) -> None:
    # The request is written by hand, because no client library would send it.
    address = standing.url.removeprefix("http://")
    with closing(http.client.HTTPConnection(address, timeout=20)) as connection:
        connection.connect()
        lines = f"POST /contact HTTP/1.0\r\n{name}: {value}\r\nContent-Length: 0\r\n\r\n"
        connection.sock.sendall(lines.encode("latin-1"))
        answer = http.client.HTTPResponse(connection.sock, method="POST")
        answer.begin()
        content = answer.read().decode() + repr(answer.getheaders())
        assert 400 <= answer.status < 500
        assert answer.getheader("X-Evil") is None
        assert "<script>" not in content


@pytest.mark.parametrize(
    "path",
    [
        *("//evil.example", "//evil.example/", "/%2f%2fevil.example", "/\\evil.example"),
        *("/contact/", "/sections", "/static", "/static/", "/static/..%2f..%2fapp.py"),
        "/?next=//evil.example",
    ],
)
def test_no_address_redirects(standing: Panel, path: str) -> None:
    for method in ("GET", "POST"):
        headers = {"X-Forwarded-Host": "evil.example"}
        answer = standing.ask(method, path, headers=headers)
        assert not 300 <= answer.status_code < 400
        assert "Location" not in answer.headers
        assert "evil.example" not in repr(answer.headers)


def test_an_answer_for_one_agent_is_kept_by_nobody_for_another(standing: Panel) -> None:
    """The language is not mixed up either: only files may be kept, and they depend on the address
    alone."""
    files = re.findall(r'"(/static/[^"]+\?v=[0-9a-f]+)"', standing.ask("GET", "/").text)
    headers = {"Accept-Language": "pt-BR", "Cookie": "a=b", **FORWARDED}
    for name in files:
        first, other = standing.ask("GET", name), standing.ask("GET", name, headers=headers)
        assert first.content == other.content
        assert "immutable" in first.headers["Cache-Control"]
    for agent in (2, 3):
        answer = standing.open(agent_id=agent)
        assert answer.headers["Cache-Control"] == "no-store"
        assert "ETag" not in answer.headers
