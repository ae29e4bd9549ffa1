"""Opened rows: the requests for them."""

from typing import Any

import requests

from tests.conftest import Panel

RECORDS = {"orders": 4204, "quotes": 4202, "licenses": 4203, "organization": 42}


def ask(panel: Panel, name: str, number: object, seal: str, **query: Any) -> requests.Response:
    return panel.ask("GET", f"/rows/{name}/{number}", seal, params=query)
