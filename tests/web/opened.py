"""Words and parts of an opened panel."""

import re
from typing import Any

import requests

from panel.auth.tokens import derive_launch_key
from panel.demo.worlds import SECRET
from panel.web.sections import SECTIONS
from tests.conftest import Panel, attribute

KEY = derive_launch_key(SECRET)
AMOUNTS = re.compile(r"R\$|\$ ?\d|\d[.,]\d\d\b")


def panel_of(answer: requests.Response) -> tuple[str | None, str | None, str | None]:
    text = answer.text
    return (
        attribute(text, "data-panel"),
        attribute(text, "data-trust"),
        attribute(text, "data-link"),
    )


def whole(panel: Panel, seal: str) -> str:
    """Return all that a browser with this seal can see."""
    return "".join(panel.section(name, seal).text for name in SECTIONS)


def attributes(panel: Panel, conversation: int) -> dict[str, Any]:
    fields: dict[str, Any] = panel.chat.conversations[conversation]["custom_attributes"]
    return fields
