"""The headers of every answer, as one table: a route without a row here fails."""

import http.client
import json
import re
from contextlib import closing
from dataclasses import dataclass

import pytest
import requests

from panel.auth.tokens import derive_launch_key
from panel.demo.worlds import SECRET
from tests.conftest import MakePanel, Panel, seal_of

PERMISSIONS = "camera=(), microphone=(), geolocation=()"
STORE, ASK = "no-store", "no-cache"
# What is fetched, and no page: opened as one, it could neither do anything nor be framed.
LOCKED = {"default-src": ["'none'"], "frame-ancestors": ["'none'"]}


@dataclass(frozen=True)
class Row:
    """One answer: what was asked, with which proof, and what it has to be."""

    rule: str
    method: str
    status: int
    type: str
    proof: str = ""  # key, seal or secret
    path: str = ""  # the rule itself
    cache: str = STORE

    def __str__(self) -> str:
        return f"{self.method} {self.path or self.rule} {self.proof or 'nothing'} {self.status}"


OPENED, COPIES = "/rows/<name>/<number>", "/copies/<section>/<int:record>"
HTML, JSON, NONE = "text/html; charset=utf-8", "application/json", ""
SECTION, REFRESH, STATIC = "/sections/<name>", "/sections/<name>/refresh", "/static/<path:name>"
ROWS = (
    Row("/", "GET", 200, HTML),
    Row("/", "HEAD", 200, HTML),
    Row("/", "PUT", 405, JSON),
    Row("/dialogs/<name>", "GET", 200, HTML, "", "/dialogs/uncover"),
    Row("/dialogs/<name>", "GET", 404, JSON, "", "/dialogs/nothing"),
    Row("/contact", "POST", 200, HTML, "key"),
    Row("/contact", "POST", 403, HTML),
    Row("/contact", "PUT", 405, JSON),
    Row("/contact", "OPTIONS", 200, HTML),
    Row(SECTION, "GET", 200, HTML, "seal", "/sections/orders"),
    Row(SECTION, "GET", 200, HTML, "seal", "/sections/orders?wait=1"),
    Row(SECTION, "GET", 401, JSON, "", "/sections/orders"),
    Row(SECTION, "GET", 404, JSON, "seal", "/sections/nothing"),
    Row(REFRESH, "POST", 200, HTML, "seal", "/sections/orders/refresh"),
    Row(REFRESH, "POST", 401, JSON, "", "/sections/orders/refresh"),
    Row(OPENED, "GET", 200, HTML, "seal", "/rows/orders/4204"),
    Row(OPENED, "GET", 401, JSON, "", "/rows/orders/4204"),
    Row(OPENED, "GET", 404, HTML, "seal", "/rows/orders/9"),
    Row(OPENED, "GET", 404, JSON, "seal", "/rows/nothing/4204"),
    Row("/changes", "GET", 204, HTML, "seal", "/changes?seen=orders:x"),
    Row("/changes", "GET", 401, JSON),
    Row("/links", "POST", 400, HTML, "seal"),
    Row("/links", "POST", 401, JSON),
    Row("/search", "GET", 200, HTML, "seal", "/search?q=acme"),
    Row("/search", "GET", 401, JSON),
    Row("/refresh", "POST", 204, HTML, "seal"),
    Row("/attention", "GET", 200, HTML, "seal"),
    Row("/uncover", "POST", 401, JSON),
    Row("/verify", "GET", 200, HTML, "seal"),
    Row("/verify", "GET", 401, JSON),
    Row("/verify", "POST", 422, HTML, "seal"),
    Row("/verify", "POST", 401, JSON),
    Row(COPIES, "GET", 200, HTML, "seal", "/copies/orders/4204"),
    Row(COPIES, "GET", 401, JSON, "", "/copies/orders/4204"),
    Row("/summaries/<name>", "GET", 200, HTML, "seal", "/summaries/orders"),
    Row("/summaries/<name>", "GET", 401, JSON, "", "/summaries/orders"),
    Row("/notes", "POST", 403, JSON, "seal"),  # the shared secret proves no agent
    Row("/preferences", "POST", 403, JSON, "seal"),
    Row("/why", "GET", 404, JSON, "seal"),
    Row("/sign-in", "POST", 403, HTML),
    Row("/sign-out", "POST", 403, HTML),
    Row("/healthz", "GET", 200, JSON),
    Row("/readyz", "GET", 200, JSON, "secret"),
    Row("/readyz", "GET", 401, JSON, "forwarded"),
    Row("/metrics", "GET", 200, "text/plain; version=1.0.0; charset=utf-8", "secret"),
    Row("/metrics", "GET", 401, JSON, "forwarded"),
    Row("/sync/hooks", "POST", 415, JSON),
    Row("/sync/hooks", "GET", 405, JSON),
    Row("/sync/chatwoot", "POST", 401, JSON),
    Row(STATIC, "GET", 200, "text/javascript; charset=utf-8", "", "/static/panel.js", ASK),
    Row(STATIC, "GET", 404, JSON, "", "/static/nothing.js", ASK),
    Row("no route", "GET", 404, JSON, "", "/nothing"),
)


def asked(panel: Panel, row: Row) -> requests.Response:
    bearers = {"key": derive_launch_key(SECRET), "secret": SECRET}
    bearer = seal_of(panel.open().text) if row.proof == "seal" else bearers.get(row.proof)
    form = panel.hints() if row.method == "POST" else None
    headers = {"X-Forwarded-For": "203.0.113.9"} if row.proof == "forwarded" else {}
    return panel.ask(row.method, row.path or row.rule, bearer, data=form, headers=headers)


def policy_of(answer: requests.Response) -> dict[str, list[str]]:
    parts = [part.split() for part in answer.headers["Content-Security-Policy"].split(";")]
    return {name: sources for name, *sources in parts}


def test_every_route_has_its_row(standing: Panel) -> None:
    rules = standing.app.url_map.iter_rules()
    there = {(r.rule, m) for r in rules for m in (r.methods or set()) - {"HEAD", "OPTIONS"}}
    told = {(row.rule, row.method) for row in ROWS if row.status != 405}
    assert there - told == set()
    assert {row.rule for row in ROWS} - {rule for rule, _ in there} == {"no route"}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_answer_carries_the_headers_that_protect_it(standing: Panel, row: Row) -> None:
    answer = asked(standing, row)
    headers = answer.headers
    assert (answer.status_code, headers.get("Content-Type", "")) == (row.status, row.type)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    is_page = (row.rule, row.status) == ("/", 200)
    # Where no script may run, nothing can ask for a permission.
    assert headers.get("Permissions-Policy") == (PERMISSIONS if is_page else None)
    assert headers["Cache-Control"] == row.cache
    assert not re.search(r"\d", headers.get("Server", ""))
    for name in ("X-Frame-Options", "Set-Cookie", "Access-Control-Allow-Origin", "X-Powered-By"):
        assert name not in headers
    assert "Location" not in headers
    assert headers.get("X-Panel") == ("1" if row.type == HTML else None)
    if not is_page:
        assert policy_of(answer) == LOCKED
        return
    assert policy_of(answer) == {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'"],
        "connect-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": [standing.settings.chatwoot_url],
    }


def test_a_file_that_is_kept_for_ever_is_protected_and_has_no_entity_tag(standing: Panel) -> None:
    """It is never asked for again, so nobody needs to know whether it is still the same."""
    for name in re.findall(r'"(/static/[^"]+\?v=[0-9a-f]+)"', standing.ask("GET", "/").text):
        answer = standing.ask("GET", name)
        assert policy_of(answer) == LOCKED
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "ETag" not in answer.headers


def test_only_the_origins_of_the_settings_may_frame_us(make_panel: MakePanel) -> None:
    panel = make_panel(CHATWOOT_FRAME_ORIGINS="https://a.example, https://b.example:8443")
    answer = panel.ask("GET", "/")
    assert policy_of(answer)["frame-ancestors"] == ["https://a.example", "https://b.example:8443"]
    assert 'content="https://a.example https://b.example:8443"' in answer.text


def test_htmx_asks_in_the_mode_in_which_every_browser_names_its_origin(standing: Panel) -> None:
    """Without a referrer, the Fetch standard hides the Origin of a POST in any other mode."""
    [told] = re.findall(r"name=\"htmx-config\" content='([^']*)'", standing.ask("GET", "/").text)
    assert json.loads(told)["mode"] == "cors"


# -- under Chatwoot's own host -----------------------------------------------------------------

FORWARDED = {
    "X-Forwarded-Prefix": "/panel",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "chat.example.com",
}


def test_under_a_prefix_the_policy_names_our_own_path_and_never_the_whole_host(
    make_panel: MakePanel,
) -> None:
    panel = make_panel(PANEL_TRUSTED_PROXIES="1")
    policy = policy_of(panel.ask("GET", "/", headers=FORWARDED))
    files = ["https://chat.example.com/panel/static/"]
    assert policy["script-src"] == policy["style-src"] == policy["img-src"] == files
    assert policy["connect-src"] == ["https://chat.example.com/panel/"]
    assert "'self'" not in [source for sources in policy.values() for source in sources]
    for path in ("/healthz", "/nothing", "/static/panel.js"):
        assert policy_of(panel.ask("GET", path, headers=FORWARDED)) == LOCKED


@pytest.mark.parametrize(
    ("told", "more"),
    [
        ("https://chat.example.com:8443/panel", ["https://chat.example.com:8443/panel/static/"]),
        ("https://chat.example.com/panel", []),
        ("https://chat.example.com", []),  # a whole host is never named
        ("https://chat.example.com/other", []),
    ],
)
def test_the_address_of_the_settings_counts_where_a_proxy_hides_the_port(
    make_panel: MakePanel, told: str, more: list[str]
) -> None:
    panel = make_panel(PANEL_TRUSTED_PROXIES="1", PANEL_URL=told)
    policy = policy_of(panel.ask("GET", "/", headers=FORWARDED))
    assert policy["script-src"] == ["https://chat.example.com/panel/static/", *more]


def test_under_a_prefix_every_address_in_the_pages_carries_it(make_panel: MakePanel) -> None:
    panel = make_panel(PANEL_TRUSTED_PROXIES="1")
    said = dict(FORWARDED, Origin="https://chat.example.com")
    pages = [panel.ask("GET", "/", headers=said)]
    key = derive_launch_key(SECRET)
    for scenario in ("healthy", "two", "unlinked"):
        form = panel.hints(scenario)
        pages.append(panel.ask("POST", "/contact", key, data=form, headers=said))
    for page in pages:
        assert page.status_code == 200
        found = re.findall(r'\s(?:src|href|hx-get|hx-post|action)="(/[^"]*)"', page.text)
        assert found
        assert [address for address in found if not address.startswith("/panel/")] == []
    assert 'name="panel-root" content="/panel/"' in pages[0].text


# -- attacks by header -------------------------------------------------------------------------

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
        told = answer.text + repr(answer.headers)
        assert "evil" not in told
        assert "script-src *" not in told
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
    # By hand: no client library would send it.
    address = standing.url.removeprefix("http://")
    with closing(http.client.HTTPConnection(address, timeout=20)) as connection:
        connection.connect()
        lines = f"POST /contact HTTP/1.0\r\n{name}: {value}\r\nContent-Length: 0\r\n\r\n"
        connection.sock.sendall(lines.encode("latin-1"))
        answer = http.client.HTTPResponse(connection.sock, method="POST")
        answer.begin()
        told = answer.read().decode() + repr(answer.getheaders())
        assert 400 <= answer.status < 500
        assert answer.getheader("X-Evil") is None
        assert "<script>" not in told


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
    """Nor is a language: what may be kept (the files) depends on nothing but the address."""
    files = re.findall(r'"(/static/[^"]+\?v=[0-9a-f]+)"', standing.ask("GET", "/").text)
    said = {"Accept-Language": "pt-BR", "Cookie": "a=b", **FORWARDED}
    for name in files:
        one, other = standing.ask("GET", name), standing.ask("GET", name, headers=said)
        assert one.content == other.content
        assert "immutable" in one.headers["Cache-Control"]
    for agent in (2, 3):
        answer = standing.open(agent_id=agent)
        assert answer.headers["Cache-Control"] == "no-store"
        assert "ETag" not in answer.headers
