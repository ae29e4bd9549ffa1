"""Values in the panel's HTML."""

import re
from html import unescape

import pytest


def attribute(html: str, name: str) -> str | None:
    """Return the first value of an attribute in the HTML."""
    match = re.search(rf'\s{name}="([^"]*)"', html)
    return match[1] if match else None


def seal_of(html: str) -> str:
    """Return the seal of the whole panel, which stands at the root element."""
    return attribute(html, "data-seal") or pytest.fail(f"no seal in {html[:400]}")


def state_of(html: str) -> str | None:
    return attribute(html, "data-state")


def rows_of(html: str) -> list[int]:
    return [int(row) for row in re.findall(r'data-row="(\d+)"', html)]


def words_of(html: str) -> str:
    """Return the words of the page: without tags, each run of blanks as a single blank."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())
