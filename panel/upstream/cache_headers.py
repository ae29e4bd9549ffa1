"""The age of an answer, from the headers of the caches on its way.

`Date` is no evidence: a slow clock looks the same, and nginx writes its own over it.
"""

import re
from collections.abc import Iterable, Mapping

LONGEST_AGE = 2**31  # seconds; RFC 9111, section 1.2.2
FIRST_SECOND = 0.5  # the age of a hit whose `Age` is 0
# The words by which Cloudflare, CloudFront, Fastly, Akamai, LiteSpeed, nginx, Varnish, Squid, some
# hosts (Kinsta, SiteGround, WP Engine, GoCache) and RFC 9211 say that a cache answered. The names
# of their headers differ, but all contain "cache".
HIT_WORDS = {"hit", "stale", "updating", "served"}
# These headers tell how long a copy may live, or what a second look would find. Such headers do not
# tell which server answered.
OTHER_HEADERS = re.compile(r"control|lookup|enabled|tag|key|hits$")
WORDS = re.compile(r"[^\s,;:]+")
# Headers of other names or other words by which a cache says that it answered.
OTHER_HITS = {
    "x-cache-hits": re.compile(r"[1-9]"),  # Varnish, Fastly: how often it has given this copy
    "x-varnish": re.compile(r"\d+ \d+"),  # the second number: who asked for the copy first
    "server-timing": re.compile(r"cache[^,]*desc=\"?(hit|stale)", re.IGNORECASE),  # Akamai, Fastly
    "wpo-cache-status": re.compile(r"^cached", re.IGNORECASE),  # WP-Optimize
    "x-ac": re.compile(r"\bhit\b", re.IGNORECASE),  # WordPress.com
    "x-nananana": re.compile(r"hit", re.IGNORECASE),  # Batcache
}


def find_age(headers: Mapping[str, str]) -> float | None:
    """Return the seconds since the answer left its origin: 0 unless a cache says that it answered.

    Returns None where a cache answered and does not tell the age of its copy.
    """
    text = (headers.get("Age") or "").partition(",")[0].strip()
    age = min(int(text[:11]), LONGEST_AGE) if text.isascii() and text.isdigit() else None
    if age:
        return float(age)
    hit = FIRST_SECOND if age == 0 else None
    return hit if _is_hit(headers.items()) else 0.0


def _is_hit(headers: Iterable[tuple[str, str]]) -> bool:
    for name, value in headers:
        other = OTHER_HITS.get(name.lower())
        if other and other.search(value):
            return True
        if "cache" in name.lower() and not OTHER_HEADERS.search(name.lower()):
            words = WORDS.findall(value.lower())
            # Akamai's words are TCP_HIT and TCP_MEM_HIT; a refreshed copy was confirmed by the
            # origin, so it is no hit.
            if any(
                word in HIT_WORDS or (word.endswith("_hit") and "refresh" not in word)
                for word in words
            ):
                return True
    return False
