"""The headers of every answer, as one table: a route without a row here fails."""

import json
import re
from dataclasses import dataclass

import pytest
import requests

from panel.auth.tokens import derive_launch_key
from panel.demo.worlds import SECRET
from tests.conftest import MakePanel, Panel, seal_of
from tests.web.policies import FORWARDED, policy_of

PERMISSIONS = "camera=(), microphone=(), geolocation=()"
STORE, ASK = "no-store", "no-cache"
# The policy of fetched fragments: opened as a page, a fragment can neither run a script nor be
# framed.
LOCKED = {"default-src": ["'none'"], "frame-ancestors": ["'none'"]}


@dataclass(frozen=True)
class Row:
    """An answer: its request and proof, and its right headers."""

    rule: str
    method: str
    status: int
    type: str
    proof: str = ""  # key, seal or secret
    path: str = ""  # the path of the rule by default
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
    Row("/sync/openapi.json", "GET", 200, JSON),
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


def test_every_route_has_its_row(standing: Panel) -> None:
    rules = standing.app.url_map.iter_rules()
    pairs = {(r.rule, m) for r in rules for m in (r.methods or set()) - {"HEAD", "OPTIONS"}}
    table_pairs = {(row.rule, row.method) for row in ROWS if row.status != 405}
    assert pairs - table_pairs == set()
    assert {row.rule for row in ROWS} - {rule for rule, _ in pairs} == {"no route"}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_answer_carries_the_headers_that_protect_it(standing: Panel, row: Row) -> None:
    answer = asked(standing, row)
    headers = answer.headers
    assert (answer.status_code, headers.get("Content-Type", "")) == (row.status, row.type)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    is_page = (row.rule, row.status) == ("/", 200)
    # Without scripts, an answer cannot ask for a permission.
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
    """A browser never asks for the file again, so it needs no ETag."""
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
    [config] = re.findall(r"name=\"htmx-config\" content='([^']*)'", standing.ask("GET", "/").text)
    assert json.loads(config)["mode"] == "cors"


# -- under Chatwoot's own host ---------------------------------------------------------------------


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
    ("text", "more"),
    [
        ("https://chat.example.com:8443/panel", ["https://chat.example.com:8443/panel/static/"]),
        ("https://chat.example.com/panel", []),
        ("https://chat.example.com", []),  # a host without a path is never named
        ("https://chat.example.com/other", []),
    ],
)
def test_the_address_of_the_settings_counts_where_a_proxy_hides_the_port(
    make_panel: MakePanel, text: str, more: list[str]
) -> None:
    panel = make_panel(PANEL_TRUSTED_PROXIES="1", PANEL_URL=text)
    policy = policy_of(panel.ask("GET", "/", headers=FORWARDED))
    assert policy["script-src"] == ["https://chat.example.com/panel/static/", *more]


def test_under_a_prefix_every_address_in_the_pages_carries_it(make_panel: MakePanel) -> None:
    panel = make_panel(PANEL_TRUSTED_PROXIES="1")
    headers = dict(FORWARDED, Origin="https://chat.example.com")
    pages = [panel.ask("GET", "/", headers=headers)]
    key = derive_launch_key(SECRET)
    for scenario in ("healthy", "two", "unlinked"):
        form = panel.hints(scenario)
        pages.append(panel.ask("POST", "/contact", key, data=form, headers=headers))
    for page in pages:
        assert page.status_code == 200
        links = re.findall(r'\s(?:src|href|hx-get|hx-post|action)="(/[^"]*)"', page.text)
        assert links
        assert [address for address in links if not address.startswith("/panel/")] == []
    assert 'name="panel-root" content="/panel/"' in pages[0].text
