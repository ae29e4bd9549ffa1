"""What is read out of the panel's HTML."""

import re
from html import unescape

import pytest


def attribute(html: str, name: str) -> str | None:
    """The first value of an attribute in the HTML."""
    found = re.search(rf'\s{name}="([^"]*)"', html)
    return found[1] if found else None


def seal_of(html: str) -> str:
    """The seal of the whole panel: it stands at the root."""
    return attribute(html, "data-seal") or pytest.fail(f"no seal in {html[:400]}")


def state_of(html: str) -> str | None:
    return attribute(html, "data-state")


def rows_of(html: str) -> list[int]:
    return [int(row) for row in re.findall(r'data-row="(\d+)"', html)]


def words_of(html: str) -> str:
    """What is read on the page: without tags, each run of blanks as one."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())
