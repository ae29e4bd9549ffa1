"""The addresses of calls, and their form in the log."""

import pytest
import requests

from panel.upstream.addresses import make_url, tell_address

BELOW = {
    "https://a.example/wp-json/middag-account/v1": (
        "https://a.example/wp-json/middag-account/v1/orders"
    ),
    "https://a.example/index.php/wp-json/middag-account/v1": (
        "https://a.example/index.php/wp-json/middag-account/v1/orders"
    ),
    "https://a.example/?rest_route=/middag-account/v1": (
        "https://a.example/?rest_route=/middag-account/v1/orders"
    ),
    "https://a.example?rest_route=/middag-account/v1/": (
        "https://a.example?rest_route=/middag-account/v1/orders"
    ),
    "https://a.example/shop/index.php?rest_route=%2Fmiddag-account%2Fv1": (
        "https://a.example/shop/index.php?rest_route=/middag-account/v1/orders"
    ),
    "https://a.example/?lang=pt%26br&rest_route=/middag-account/v1": (
        "https://a.example/?lang=pt%26br&rest_route=/middag-account/v1/orders"
    ),
}


@pytest.mark.parametrize("base", BELOW)
def test_a_path_is_appended_where_wordpress_looks_for_it(base: str) -> None:
    assert make_url(base, "orders") == BELOW[base]


def test_our_own_query_stands_beside_theirs() -> None:
    url = make_url("https://a.example/?rest_route=/middag-account/v1", "organizations/42")
    request = requests.Request("GET", url, params={"org": 42}).prepare()
    assert request.url == "https://a.example/?rest_route=/middag-account/v1/organizations/42&org=42"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://www.a.example/wp-json/?token=s3cret#s3cret", "https://www.a.example/wp-json/"),
        ("https://user:s3cret@a.example:8443/x", "https://a.example:8443/x"),
        ("https://a.example/a\x1b[31m\nb\u202e", "https://a.example/a?[31mb?"),
        ("https://a.example/" + "x" * 5000, "https://a.example/" + "x" * 182),
    ],
)
def test_an_address_is_told_without_what_may_be_secret_or_turn_a_line(
    url: str, expected: str
) -> None:
    assert tell_address(url) == expected
