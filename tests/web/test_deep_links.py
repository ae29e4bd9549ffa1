"""The target of a link: the back office's own host, the address of a setting, or none."""

import re
from html import unescape
from urllib.parse import urlsplit

import pytest

from panel.web.deep_links import derive_links
from tests.conftest import MakePanel, Panel, no_worlds

ORDER = "wp-admin/admin.php?page=wc-orders&action=edit&id={id}"
COMPANY = "wp-admin/admin.php?page=middag-organizations&route=/organizations/{id}"


@pytest.mark.parametrize(
    ("api_url", "site"),
    [
        ("https://account.example/wp-json/middag-account/v1", "https://account.example"),
        ("https://account.example:8443/wp-json/middag-account/v1", "https://account.example:8443"),
        ("https://account.example/shop/wp-json/middag-account/v1", "https://account.example/shop"),
        ("https://account.example/index.php/wp-json/middag-account/v1", "https://account.example"),
        ("https://account.example/api/middag-account/v2", "https://account.example"),
        ("https://account.example/?rest_route=/middag-account/v1", "https://account.example"),
        ("https://account.example/s/index.php?rest_route=/m/v1", "https://account.example/s"),
        ("http://127.0.0.1:8000/wp-json/middag-account/v1", "http://127.0.0.1:8000"),
        ("http://localhost/wp-json/middag-account/v1", "http://localhost"),
    ],
)
def test_screens_stand_on_the_site_of_the_back_office(api_url: str, site: str) -> None:
    assert derive_links(api_url) == {
        "order": f"{site}/{ORDER}",
        "organization": f"{site}/{COMPANY}",
    }
    assert {urlsplit(link).netloc for link in derive_links(api_url).values()} == {
        urlsplit(api_url).netloc
    }


@pytest.mark.parametrize(
    "api_url",
    [
        "http://wordpress/wp-json/middag-account/v1",  # an inner network's name
        "http://wordpress:8080/wp-json/middag-account/v1",
        "https://account.example/v1",
        "https://account.example",
        "https://account.example/middag-account/v1",
    ],
)
def test_an_address_that_does_not_tell_the_site_makes_no_link(api_url: str) -> None:
    assert derive_links(api_url) == {}


def find_links(panel: Panel) -> dict[str, str]:
    """Return the first address of each section, with `{id}` in it."""
    seal = panel.proven()
    fields = {}
    for name in ("organization", "orders", "quotes", "licenses"):
        page = panel.section(name, seal).text
        if name == "organization":
            page = panel.open().text.partition("</h1>")[0]
        link = re.search(r'<a class="out" href="([^"]*)"', page)
        if link:
            fields[name] = re.sub(r"\b42(\d\d)?\b", "{id}", link[1].replace("&amp;", "&"))
    return fields


def test_orders_and_organizations_have_links_by_themselves(panel: Panel) -> None:
    site = panel.settings.middag_api_url.partition("/wp-json")[0]
    assert find_links(panel) == {
        "orders": f"{site}/{ORDER}",
        "organization": f"{site}/{COMPANY}",
    }


def test_numbers_in_an_opened_row_lead_to_the_screens_of_their_own_kind(
    make_panel: MakePanel,
) -> None:
    panel = make_panel(MIDDAG_LINK_QUOTE="https://portal.example/quotes/{id}")
    seal = panel.proven()
    for name in ("licenses", "orders", "quotes"):
        panel.section(name, seal)
    page = unescape(panel.ask("GET", "/rows/licenses/4203", seal).text)
    links = {text: url for url, text in re.findall(r'href="([^"]*)"[^>]*>#(\d+)</a>', page)}
    site = panel.settings.middag_api_url.partition("/wp-json")[0]
    orders = {number: f"{site}/{ORDER.format(id=number)}" for number in ("4206", "4210", "4214")}
    assert links == {**orders, "4202": "https://portal.example/quotes/4202"}


def test_a_setting_says_it_otherwise_and_an_empty_one_switches_it_off(
    make_panel: MakePanel,
) -> None:
    own = "https://portal.example/orders/{id}"
    empty = {"MIDDAG_LINK_ORGANIZATION": " ", "MIDDAG_LINK_QUOTE": ""}
    assert find_links(make_panel(MIDDAG_LINK_ORDER=own, **empty)) == {"orders": own}


def test_what_is_not_set_is_not_switched_off(tmp_path: object) -> None:
    assert no_worlds(tmp_path).unlinked == frozenset()  # type: ignore[arg-type]


def test_a_link_says_that_it_opens_elsewhere(panel: Panel) -> None:
    page = panel.section("orders", panel.proven()).text
    links = re.findall(r'<a class="out"[^>]*>', page)
    assert links
    for link in links:
        assert 'target="_blank" rel="noopener noreferrer"' in link
        assert re.search(r'aria-label="#\d+, opens in a new tab"', link)


def test_records_link_to_where_the_settings_say(make_panel: MakePanel) -> None:
    panel = make_panel(MIDDAG_LINK_ORDER="https://account.example/o?a=1&id={id}")
    page = panel.section("orders", panel.proven()).text
    link = 'href="https://account.example/o?a=1&amp;id=4201" target="_blank"'
    assert f'{link} rel="noopener noreferrer"' in page
    assert "<a " not in panel.section("quotes", panel.proven()).text
