"""Parsers of single settings: each takes the text of a variable and returns its value.

A parser raises `ValueError` without a message. The message stands in the table of settings, and
never contains the faulty value, which may be a secret.
"""

import re
import ssl
from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

SHORTEST_SECRET = 24
LONGEST_NUMBER = 18  # digits
HOST = re.compile(r"([a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")


def parse_secrets(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    _require(bool(parts) and all(len(part) >= SHORTEST_SECRET for part in parts))
    return tuple(parse_token(part) for part in parts)


def parse_token(text: str) -> str:
    # The secret goes into a header, where other characters would break the request, or split it.
    _require(text.isascii() and text.isprintable() and " " not in text)
    return text


def parse_url(text: str) -> str:
    parts = urlsplit(text)
    _require(parts.scheme in ("http", "https") and bool(HOST.fullmatch(parts.netloc.lower())))
    # An empty query or fragment would swallow the paths that are added behind it.
    _require(parts.port != 0 and text.isprintable() and not set(text) & set("?# "))
    return text.rstrip("/")


def parse_api_url(text: str) -> str:
    """Parse the address of a REST API. With plain permalinks, WordPress has the API's path in the
    parameter `rest_route`."""
    address, _, query = text.partition("?")
    if not query:
        return parse_url(text)  # which refuses a question mark without anything behind it
    parse_url(address)
    routes = [value for name, value in parse_qsl(query) if name == "rest_route"]
    _require(len(routes) == 1 and routes[0].startswith("/"))
    _require(text.isprintable() and not set(text) & set("# "))
    return text.rstrip("/")


def origin(url: str) -> str:
    """`scheme://host[:port]` as a browser writes it: lower case, without the usual port."""
    parts = urlsplit(url.lower())
    usual = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return f"{parts.scheme}://{parts.netloc.removesuffix(usual)}"


def parse_origins(text: str) -> tuple[str, ...]:
    urls = tuple(part.strip().rstrip("/") for part in text.split(",") if part.strip())
    # Origins are written into a response header: nothing else may pass.
    _require(not any(urlsplit(parse_url(url)).path for url in urls))
    return tuple(origin(url) for url in urls)


def parse_optional_url(text: str) -> str:
    return parse_url(text) if text else ""


def parse_number(text: str) -> int:
    _require(text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER)
    return int(text)


def make_range_parser(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        _require(least <= parse_number(text) <= most)
        return int(text)

    return parse


def make_choice_parser(*options: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        _require(text in options)
        return text

    return parse


def parse_yes(text: str) -> bool:
    return make_choice_parser("yes", "no")(text) == "yes"


def parse_cache_url(text: str) -> str:
    if text.startswith(("redis://", "rediss://")):
        parts = urlsplit(text)
        _require(text.isascii())
        _require(bool(parts.hostname) and parts.port != 0 and not parts.query)
        _require(not parts.path.strip("/") or parts.path.strip("/").isdecimal())
    else:
        _require(text == "memory:" or (text.startswith("file:") and text != "file:"))
    return text


def parse_database_url(text: str) -> str:
    if text.startswith("postgresql://"):
        parts = urlsplit(text)
        _require(bool(parts.path.strip("/")) and parts.port != 0)
    else:
        path = text.removeprefix("sqlite:///")
        _require(text.startswith("sqlite:///") and path not in ("", ":memory:"))
        _require("?" not in path)
    return text


def parse_proxy_url(text: str) -> str:
    if text:
        parts = urlsplit(text)
        _require(parts.scheme == "http" and bool(parts.hostname) and bool(parts.port))
        _require(not parts.path.strip("/") and not parts.query and text.isprintable())
    return text.rstrip("/")


def parse_certificates(text: str) -> str:
    if text:
        try:
            ssl.create_default_context(cafile=text)
        except OSError:  # no file, closed to us, or no certificates in it
            raise ValueError from None
    return text


def parse_zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (KeyError, OSError):
        raise ValueError from None


def parse_ids(text: str) -> tuple[int, ...]:
    parse_id = make_range_parser(1, 10**LONGEST_NUMBER)
    return tuple(parse_id(part.strip()) for part in text.split(",") if part.strip())


def make_names_parser(*options: str) -> Callable[[str], frozenset[str]]:
    """Several of the options, separated by commas; a hyphen stands for an underscore."""

    def parse(text: str) -> frozenset[str]:
        words = text.replace("-", "_").split(",")
        names = frozenset(word.strip() for word in words if word.strip())
        _require(bool(names) and names <= set(options))
        return names

    return parse


def parse_template(text: str) -> str:
    if text:
        # The id may stand anywhere but in the host: a record must not choose where a click leads.
        host, _, path = text.partition("//")[2].partition("/")
        _require("{" not in host and "{id}" in path and "{" not in path.replace("{id}", ""))
        parse_url(f"{text.partition('//')[0]}//{host}")
        _require(text.isprintable() and not set(text) & set(" '\"<>"))
    return text


def _require(right: bool) -> None:
    if not right:
        raise ValueError
