"""The age of an answer, by the headers of the usual caches in front of WordPress."""

import pytest
from requests.structures import CaseInsensitiveDict

from panel.upstream.cache_headers import LONGEST_AGE, find_age

HITS = [
    ("X-Cache", "HIT"),
    ("X-Cache", "Hit from cloudfront"),
    ("X-Cache", "MISS, HIT"),
    ("X-Cache", "HIT: 4"),
    ("X-Cache", "TCP_MEM_HIT from a23-55-38.deploy.akamaitechnologies.com"),
    ("X-Cache-Status", "STALE"),
    ("X-Cache-Status", "UPDATING"),
    ("CF-Cache-Status", "HIT"),
    ("X-Proxy-Cache", "HIT"),
    ("X-LiteSpeed-Cache", "hit"),
    ("X-LiteSpeed-Cache", "hit,private"),
    ("X-FastCGI-Cache", "HIT"),
    ("rt-Fastcgi-Cache", "HIT"),
    ("X-Kinsta-Cache", "HIT"),
    ("X-GoCache-CacheStatus", "HIT"),
    ("WP-Super-Cache", "Served supercache file from PHP"),
    ("Cache-Status", "OriginCache; hit; ttl=1100"),
    ("X-Cache-Hits", "3"),
    ("X-Cache-Hits", "0, 1"),
    ("X-Varnish", "98312 65541"),
    ("Server-Timing", "cdn-cache; desc=HIT, edge; dur=1"),
    ("Server-Timing", 'cfCacheStatus;desc="STALE"'),
    ("WPO-Cache-Status", "cached"),
    ("X-AC", "3.gru _atomic_dca HIT"),
    ("X-nananana", "Batcache-Hit"),
    ("Cache-Status", "ExampleCache; fwd=uri-miss, EdgeCache; hit; ttl=30"),
]
MISSES = [
    ("X-Cache", "MISS"),
    ("X-Cache", "Miss from cloudfront"),
    ("X-Cache", "RefreshHit from cloudfront"),
    ("X-Cache", "TCP_REFRESH_HIT from a23-55"),
    ("X-Cache", "MISS from hit.example"),
    ("CF-Cache-Status", "DYNAMIC"),
    ("CF-Cache-Status", "BYPASS"),
    ("CF-Cache-Status", "EXPIRED"),
    ("CF-Cache-Status", "REVALIDATED"),
    ("X-Cache-Lookup", "HIT from squid:3128"),
    ("X-Cache-Hits", "0"),
    ("X-Cache-Hits", "0, 0"),
    ("X-Varnish", "98312"),
    ("Server-Timing", "cdn-cache; desc=MISS, edge; dur=1, origin; desc=hit"),
    ("WPO-Cache-Status", "not cached"),
    ("X-AC", "3.gru _atomic_dca MISS"),
    ("X-nananana", "Batcache"),
    ("X-Cache-Enabled", "True"),
    ("X-LiteSpeed-Cache-Control", "no-cache"),
    ("Cache-Control", "max-age=600, stale-while-revalidate=30"),
    ("Cache-Status", "ExampleCache; fwd=stale; stored"),
    ("Date", "Mon, 01 Jan 2024 00:00:00 GMT"),
    ("Via", "1.1 varnish"),
]


@pytest.mark.parametrize(("name", "value"), HITS)
def test_a_cache_that_answered_says_so_in_its_own_header(name: str, value: str) -> None:
    assert find_age(CaseInsensitiveDict({name: value})) is None
    assert find_age(CaseInsensitiveDict({name: value, "age": "37"})) == 37


@pytest.mark.parametrize(("name", "value"), MISSES)
def test_a_cache_that_asked_the_origin_answers_nothing_old(name: str, value: str) -> None:
    assert find_age(CaseInsensitiveDict({name: value})) == 0
    assert find_age(CaseInsensitiveDict({name: value, "Age": "0"})) == 0


@pytest.mark.parametrize(
    ("text", "age"),
    [("37", 37), (" 37 ", 37), ("37, 2", 37), ("9" * 4000, LONGEST_AGE)]
    + [(text, 0) for text in ("", "-5", "soon", "1.5", "²", "٣")],
)
def test_age_is_whole_seconds_or_nothing(text: str, age: float) -> None:
    assert find_age(CaseInsensitiveDict({"Age": text})) == age


def test_a_hit_within_the_first_second_is_still_a_hit() -> None:
    age = find_age(CaseInsensitiveDict({"Age": "0", "X-Cache": "HIT"}))
    assert age is not None
    assert 0 < age < 1
