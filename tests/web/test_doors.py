"""What stands in front of a real back office: what the agent reads, what the administrator finds.

nginx and Apache are real ones. The other walls answer with what was recorded of them.
"""

import html
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from typing import TYPE_CHECKING

import pytest
import requests
from werkzeug.wrappers import Response

from panel.demo.world import Json
from panel.demo.worlds import SECRET, serve
from panel.errors import PanelError
from panel.services import get
from panel.sync.jobs import Jobs
from panel.sync.tries import TryOutcome, run_try
from panel.upstream.exchange import USER_AGENT
from panel.upstream.middag_rejections import BACK_OFFICE_REMEDIES
from panel.web.formats import Formats
from panel.web.labels import CAUSES
from panel.web.sections import SECTIONS
from tests.conftest import API, Clock, MakePanel, Panel, Worlds, attribute, rows_of, state_of
from tests.web.test_truth import (
    CACHE,
    EMPTY,
    FRESH,
    NONE,
    ROW,
    TOUCHED,
    ask_all,
    fill,
    prepare,
    seal,
    told,
)
from tests.web_servers import apache_before_plugin, nginx_before

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Wall = Callable[[], Response]
PAGE = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"


def page(status: int, title: str, **headers: str) -> Wall:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return lambda: Response(PAGE.format(title), status, named, content_type="text/html")


def wordpress(status: int, code: str, message: str = "x") -> Wall:
    body: Json = {"code": code, "message": message, "data": {"status": status}}
    return lambda: Response(json.dumps(body), status, content_type="application/json")


WALLS: dict[str, tuple[str, Wall]] = {
    "6G rules": ("blocked", page(403, "403 Forbidden", Server="nginx")),
    "a security plugin's page": ("blocked", page(403, "A potentially unsafe operation")),
    "ModSecurity": ("blocked", page(406, "Not Acceptable!", Server="Apache")),
    "a captcha": ("blocked", page(405, "Human Verification", Server="awselb/2.0")),
    "no such type": ("blocked", page(415, "Unsupported Media Type")),
    "a captcha with 202": ("blocked", page(202, "Robot Challenge", sg_captcha="challenge")),
    "a challenge with 503": ("blocked", page(503, "Just a moment...", cf_mitigated="challenge")),
    "a silent challenge": (
        "blocked",
        lambda: Response("", 202, {"x-amzn-waf-action": "challenge"}),
    ),
    "a page with 200": ("unreadable", page(200, "One moment, please...", Server="nginx")),
    "a gateway": ("blocked", page(401, "Unauthorized")),
    "a staging site": ("site_password", page(401, "Restricted", WWW_Authenticate="Basic realm=x")),
    "REST closed to guests": ("rest_closed", wordpress(401, "rest_not_logged_in")),
    "REST forbidden": ("rest_closed", wordpress(403, "rest_forbidden")),
    "a login before everything": ("rest_closed", page(302, "Found", Location="/wp-login.php?x=1")),
    "a JWT plugin": ("jwt_plugin", wordpress(403, "jwt_auth_invalid_token")),
    "a JWT plugin, no header": ("header_dropped", wordpress(403, "jwt_auth_no_auth_header")),
    "no header": ("header_dropped", wordpress(401, "token_missing")),
    "an old token": ("secret_refused", wordpress(401, "token_expired")),
    "a user who is gone": ("user_not_found", wordpress(404, "user_not_found")),
    "no key": ("config_error", wordpress(500, "config_error")),
    "plugin switched off": ("no_route", wordpress(404, "rest_no_route")),
    "no WordPress": ("no_route", page(404, "404 Not Found")),
    "https": ("redirected", page(301, "Moved", Location="https://shop.example.com/wp-json/?key=1")),
}


@dataclass
class Door:
    """The way to a back office; `wall`, where it is set, answers in its place."""

    office: "WSGIApplication"
    wall: Wall | None = None

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        return (self.wall() if self.wall else self.office)(environ, start)


@dataclass
class House:
    """A panel behind a door."""

    panel: Panel
    door: Door

    def section(self, number: int, name: str = "orders", **headers: str) -> requests.Response:
        bearer = seal(self.panel, number)
        return self.panel.ask("POST", f"/sections/{name}/refresh", bearer, headers=headers)


@pytest.fixture
def house(worlds: Worlds, make_panel: MakePanel) -> Iterator[House]:
    door = Door(worlds.office.app)
    server = serve(door)
    yield House(make_panel(Clock(), MIDDAG_API_URL=server.url + API), door)
    server.stop()


def try_pass(organization: int, jobs: Jobs) -> TryOutcome:
    return run_try("a pass", lambda: jobs.bring_in_line(organization))


def visible(text: str) -> str:
    return html.unescape(text)


@pytest.mark.parametrize("name", WALLS)
def test_a_wall_hides_no_copy_and_every_reader_learns_its_cause(
    house: House, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    code, house.door.wall = WALLS[name]
    wall, house.door.wall = house.door.wall, None
    prepare(house.panel)
    house.door.wall = wall
    answers = ask_all(house.panel, CACHE, house.panel.refresh)
    for (section, number), answer in answers.items():
        assert told(answer) == ("failed" if number == NONE else "late", code)
        assert CAUSES[code] in visible(answer.text)
        if number != NONE and section != "organization":
            assert rows_of(answer.text) == ([] if number == EMPTY else [ROW])
    log = [each.getMessage() for each in caplog.records if code in each.getMessage()]
    assert any(BACK_OFFICE_REMEDIES[code] in line for line in log)
    assert SECRET not in caplog.text


@pytest.mark.parametrize("name", WALLS)
def test_passes_come_again_and_nothing_is_buried_at_once(house: House, name: str) -> None:
    fill(house.panel, FRESH)
    code, house.door.wall = WALLS[name]
    outcome = try_pass(FRESH, get(Jobs, house.panel.app))
    assert (outcome["later"], outcome["reason"].partition(":")[0]) == (True, code)
    house.door.wall = None
    assert try_pass(FRESH, get(Jobs, house.panel.app))["reason"] == ""


def test_an_outage_after_a_firewall_still_finds_the_copy(house: House) -> None:
    prepare(house.panel)
    house.door.wall = page(403, "403 Forbidden")
    house.section(FRESH)
    house.door.wall = page(503, "Briefly unavailable for scheduled maintenance")
    house.panel.clock.advance(31)
    answer = house.section(FRESH)
    assert (told(answer), rows_of(answer.text)) == (("late", "http_503"), [ROW])


def test_the_plugins_own_denial_shows_no_copy(house: House) -> None:
    prepare(house.panel)
    house.door.wall = wordpress(403, "forbidden", "User not authorized.")
    answer = house.section(FRESH)
    assert (told(answer), rows_of(answer.text)) == (("denied", "denied"), [])


@pytest.mark.parametrize("code", sorted({code for code, _ in WALLS.values()}))
def test_an_agent_reads_the_cause_in_portuguese_too(house: House, code: str) -> None:
    house.door.wall = next(wall for known, wall in WALLS.values() if known == code)
    fill(house.panel, NONE)
    answer = house.section(NONE, **{"Accept-Language": "pt-BR"})
    spoken = Formats("pt_BR", house.panel.settings.timezone).gettext(CAUSES[code])
    assert spoken != CAUSES[code]
    assert spoken in visible(answer.text)


def test_the_log_names_where_a_redirect_points(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.door.wall = WALLS["https"][1]
    house.section(NONE)
    assert "redirected (to https://shop.example.com/wp-json/)" in caplog.text
    assert "key=1" not in caplog.text


def check(panel: Panel) -> str:
    """What `/readyz` says of the back office."""
    found: str = panel.ask("GET", "/readyz", SECRET).json()["parts"]["back_office"]
    return found


@pytest.mark.parametrize("name", ["6G rules", "REST closed to guests", "https", "no header"])
def test_the_checks_name_the_cause_until_it_is_gone(house: House, name: str) -> None:
    fill(house.panel, NONE)
    code, house.door.wall = WALLS[name]
    house.section(NONE)
    assert check(house.panel) == code
    house.door.wall = None
    house.panel.clock.advance(31)
    house.section(NONE)
    assert check(house.panel) == "ok"


# -- Apache ------------------------------------------------------------------------------------

CURES = {
    "none": "",
    "CGIPassAuth": "CGIPassAuth On",
    "WordPress 5.6": "RewriteEngine On\n"
    "RewriteRule .* - [E=HTTP_AUTHORIZATION:%{HTTP:Authorization}]",
}


@pytest.mark.parametrize("cure", CURES)
def test_an_apache_that_drops_the_authorization_is_named_until_it_is_cured(
    make_panel: MakePanel, caplog: pytest.LogCaptureFixture, cure: str
) -> None:
    with apache_before_plugin(CURES[cure]) as url:
        panel = make_panel(Clock(), MIDDAG_API_URL=url + API)
        answer = panel.section("orders", seal(panel, 42))
    if cure == "none":
        assert told(answer) == ("failed", "unauthorized")
        assert "does not accept the panel's secret, or never receives it." in unescape(answer.text)
        assert "the web server drops the header Authorization (Apache: " in caplog.text
    else:
        assert told(answer) == ("empty", None)
        assert caplog.text == ""


# -- nginx -------------------------------------------------------------------------------------

# Of the 6G rules, which many security plugins and hosts carry.
SIX_G = (
    'if ($http_user_agent ~* "(archive.org|binlar|casper|checkpriv|choppy|clshttp|cmsworld|diavol'
    "|dotbot|extract|feedfinder|flicky|g00g1e|harvest|heritrix|httrack|kmccrew|loader|miner|nikto"
    "|nutch|planetwork|postrank|purebot|pycurl|python|seekerspider|siclab|skygrid|sqlmap|sucker"
    '|turnit|vikspider|winhttp|xxxyy|youda|zmeu|zune)") { return 403; }'
)
CACHED = "proxy_cache pages; proxy_cache_valid 200 10m; add_header X-Cache $upstream_cache_status;"


def test_our_name_is_on_no_list_of_a_firewall(worlds: Worlds, make_panel: MakePanel) -> None:
    with nginx_before(worlds.office_url, SIX_G) as url:
        assert requests.get(url, timeout=5).status_code == 403, "the control: the library's name"
        panel = make_panel(Clock(), MIDDAG_API_URL=url + API)
        fill(panel, NONE)
        assert told(panel.section("orders", seal(panel, NONE))) == ("fresh", None)
    assert {call.headers["user-agent"] for call in worlds.office.calls} == {USER_AGENT}


def test_a_firewall_of_nginx_is_told_as_one(
    worlds: Worlds, make_panel: MakePanel, caplog: pytest.LogCaptureFixture
) -> None:
    with nginx_before(worlds.office_url, "deny all;") as url:
        panel = make_panel(Clock(), MIDDAG_API_URL=url + API)
        answer = panel.section("orders", seal(panel, NONE))
    assert told(answer) == ("failed", "blocked")
    assert "A firewall in front of MIDDAG Account refuses the panel." in answer.text
    assert "orders 201: blocked (status 403, of nginx" in caplog.text


@pytest.fixture
def cached(worlds: Worlds, make_panel: MakePanel) -> Iterator[Panel]:
    """A panel before a page cache that keeps everything for ten minutes, and says so."""
    with nginx_before(worlds.office_url, CACHED) as url:
        panel = make_panel(Clock(), MIDDAG_API_URL=url + API)
        fill(panel, NONE)
        yield panel


def refund(panel: Panel) -> None:
    """The order is over, and the plugin rings."""
    panel.office.put("orders", NONE, {"id": ROW, "status": "refunded"})
    hook = {"event": "order.refunded", "data": {"organization_id": NONE}}
    hook |= {"timestamp": "2026-05-04T14:30:00Z", "id": "one"}
    assert panel.ask("POST", "/sync/hooks", SECRET, json=hook).status_code == 202


def measure_age(panel: Panel, answer: requests.Response) -> float:
    """Seconds since the moment that the section names as its own."""
    read_at = datetime.fromisoformat(attribute(answer.text, "data-read-at") or "")
    return panel.clock.now - read_at.timestamp()


@pytest.mark.parametrize("way", ["section", "refresh"])
def test_what_a_page_cache_answers_after_a_hook_is_late_and_never_fresh(
    cached: Panel, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    shown = cached.section("orders", seal(cached, NONE))
    assert (told(shown), rows_of(shown.text)) == (("fresh", None), [ROW])
    cached.clock.advance(5)
    refund(cached)
    cached.clock.advance(5)
    answer = getattr(cached, way)("orders", seal(cached, NONE))
    assert told(answer) == ("late", "cached_upstream")
    assert rows_of(answer.text) == [ROW]
    assert "A cache in front of MIDDAG Account" in answer.text
    assert "Exclude /wp-json/middag-account/ from it." in caplog.text
    assert check(cached) == "cached_upstream"


def test_a_refresh_without_a_hook_does_not_call_a_cached_answer_new(cached: Panel) -> None:
    for _ in range(2):
        cached.section("orders", seal(cached, NONE))
    cached.clock.advance(5)
    answer = cached.refresh("orders", seal(cached, NONE))
    assert told(answer) == ("late", "cached_upstream")
    assert measure_age(cached, answer) == pytest.approx(5, abs=1.1)


def test_a_pass_does_not_write_what_a_page_cache_kept(cached: Panel) -> None:
    jobs = get(Jobs, cached.app)
    office = cached.services.back_office
    office.fetch(SECTIONS["organization"].document, NONE)
    cached.services.cache.touch(NONE, "organization")
    with pytest.raises(PanelError, match="cached_upstream"):
        office.fetch(SECTIONS["organization"].document, NONE)
    # Theirs is another process's memory: of no touch they know, so there is no doubt.
    assert try_pass(NONE, jobs)["reason"] == ""


@pytest.mark.parametrize(
    ("age", "touched", "state"),
    [("20", False, "fresh"), ("20", True, "late"), ("500", False, "late")],
)
def test_a_cache_that_tells_its_age_is_believed(
    house: House, age: str, touched: bool, state: str
) -> None:
    fill(house.panel, TOUCHED)
    if touched:
        house.section(TOUCHED)
        house.panel.clock.advance(2)
        house.panel.services.cache.touch(TOUCHED, "orders")
    rows = [{"id": 5, "status": "pending"}]
    aged = Response(json.dumps({"data": rows}), headers={"Age": age})
    house.door.wall = lambda: aged
    answer = house.panel.section("orders", seal(house.panel, TOUCHED))
    assert told(answer) == (state, "cached_upstream" if state == "late" else None)
    # The newer of the two is shown: 2 seconds old, or as old as the answer.
    assert rows_of(answer.text) == ([ROW] if touched else [5])
    assert measure_age(house.panel, answer) == pytest.approx(2 if touched else int(age), abs=1.1)


def test_plain_permalinks_and_index_php_lead_to_the_same(
    worlds: Worlds, make_panel: MakePanel
) -> None:
    rules = "if ($arg_rest_route) { rewrite ^ /wp-json$arg_rest_route break; } "
    rules += "rewrite ^/index.php(/wp-json/.*)$ $1 break;"
    route = API.removeprefix("/wp-json")
    with nginx_before(worlds.office_url, rules) as url:
        for address in (f"{url}/?rest_route={route}", f"{url}/index.php{API}", url + API):
            panel = make_panel(Clock(), MIDDAG_API_URL=address)
            answers = [panel.refresh(name, seal(panel, 42)) for name in SECTIONS]
            assert [state_of(each.text) for each in answers] == ["fresh"] * 4
