"""Servers in front of a real back office: the words for agents and administrators."""

import html
import json
from html import unescape

import pytest
from werkzeug.wrappers import Response

from panel.demo.world import Json
from panel.demo.worlds import SECRET
from panel.services import get
from panel.sync.jobs import Jobs
from panel.upstream.middag_rejections import BACK_OFFICE_REMEDIES
from panel.web.formats import Formats
from panel.web.labels import CAUSES
from tests.conftest import API, Clock, MakePanel, rows_of
from tests.web.doors import House, Wall, check, house, try_pass
from tests.web.test_truth import CACHE, EMPTY, FRESH, NONE, ROW, ask_all, fill, prepare, seal, told
from tests.web_servers import apache_before_plugin

__all__ = ["house"]  # a fixture


PAGE = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"


def page(status: int, title: str, **headers: str) -> Wall:
    values = {name.replace("_", "-"): text for name, text in headers.items()}
    return lambda: Response(PAGE.format(title), status, values, content_type="text/html")


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
    log = [record.getMessage() for record in caplog.records if code in record.getMessage()]
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
    house.door.wall = next(wall for code_of_wall, wall in WALLS.values() if code_of_wall == code)
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


# -- Apache ----------------------------------------------------------------------------------------


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
