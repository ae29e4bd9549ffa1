"""The texts that the page offers to copy about a record."""

import re
from html import unescape

import requests

from tests.conftest import Panel, rows_of


def copies(
    panel: Panel, seal: str, section: str, row: object, language: str = "en"
) -> requests.Response:
    headers = {"Accept-Language": language}
    return panel.ask("GET", f"/copies/{section}/{row}", seal, headers=headers)


def copied(answer: requests.Response) -> list[str]:
    """Return the texts that the buttons copy."""
    return [unescape(text) for text in re.findall(r'data-copy="([^"]*)"', answer.text)]


def first_row(panel: Panel, seal: str, section: str) -> str:
    return str(rows_of(panel.section(section, seal).text)[0])
