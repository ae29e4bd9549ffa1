"""nginx in front of a real back office, with slow and long answers."""

import json
from collections.abc import Iterator
from datetime import datetime

import pytest
import requests
from werkzeug.wrappers import Response

from panel.demo.worlds import SECRET
from panel.errors import PanelError
from panel.services import get
from panel.sync.jobs import Jobs
from panel.upstream.exchange import USER_AGENT
from panel.web.sections import SECTIONS
from tests.conftest import API, Clock, MakePanel, Panel, Worlds, attribute, rows_of, state_of
from tests.web.doors import House, check, house, try_pass
from tests.web.test_truth import NONE, ROW, TOUCHED, fill, seal, told
from tests.web_servers import nginx_before

__all__ = ["house"]  # a fixture


# Some of the 6G rules, which many security plugins and hosts have.
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
    """A panel before a page cache that keeps all answers for ten minutes, and says so in
    headers."""
    with nginx_before(worlds.office_url, CACHED) as url:
        panel = make_panel(Clock(), MIDDAG_API_URL=url + API)
        fill(panel, NONE)
        yield panel


def refund(panel: Panel) -> None:
    """Refund the order, and send the plugin's hook."""
    panel.office.put("orders", NONE, {"id": ROW, "status": "refunded"})
    hook = {"event": "order.refunded", "data": {"organization_id": NONE}}
    hook |= {"timestamp": "2026-05-04T14:30:00Z", "id": "one"}
    assert panel.ask("POST", "/sync/hooks", SECRET, json=hook).status_code == 202


def measure_age(panel: Panel, answer: requests.Response) -> float:
    """Return the seconds since the moment that the section names as its own."""
    read_at = datetime.fromisoformat(attribute(answer.text, "data-read-at") or "")
    return panel.clock.now - read_at.timestamp()


@pytest.mark.parametrize("way", ["section", "refresh"])
def test_what_a_page_cache_answers_after_a_hook_is_late_and_never_fresh(
    cached: Panel, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    section = cached.section("orders", seal(cached, NONE))
    assert (told(section), rows_of(section.text)) == (("fresh", None), [ROW])
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
    # The passes run in another process, which knows of no touch, so there is no doubt.
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
            assert [state_of(answer.text) for answer in answers] == ["fresh"] * 4
